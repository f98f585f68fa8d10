//! `flowswap show`: shows a plan file to a reviewer.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use flowswap_engine::{Plan, PlannedTenant};
use flowswap_report::{Face, PlanReport, ReportKind};
use schemars::JsonSchema;
use serde::Serialize;

use super::plan;
use crate::{
    args::{FaceName, Select, ShowArgs},
    context::{Context, read_logbook},
    display::{self, text::Text},
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    report_files::{ReportFiles, print},
    selection::{Candidate, Pool},
};

/// Some tenants of a plan as JSON. It cannot be mistaken for a plan.
#[derive(Serialize, JsonSchema)]
pub(super) struct Part<'a> {
    /// The digest of the plan.
    plan: &'a str,
    /// The selected tenants, as the plan has them.
    tenants: Vec<&'a PlannedTenant>,
}

impl Document for Part<'_> {
    const NAME: DocumentName = DocumentName::PlanPart;
}

pub(crate) async fn run(context: &Context, args: &ShowArgs) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    if !args.select.is_empty() && (args.faces.face.is_some() || !args.faces.reports.reports.is_empty()) {
        let failure = Failure::new(Exit::Usage, "a report is about the whole plan, but you selected tenants");
        return Err(failure.hint("leave out the tenants, or the report"));
    }
    let files = ReportFiles::prepare(ReportKind::Plan, &args.faces.reports.reports, None, args.faces.force)?;
    let plan = plan::read(&args.file.plan)?.into_plan();
    match args.faces.face {
        Some(face) => print(terminal, face.into(), &PlanReport::of(&plan))?,
        None if args.select.is_empty() => {
            terminal.report(&plan, || display::review::show_plan(&plan, terminal.verbose > 0))?;
        }
        None => {
            let part =
                Part { plan: &plan.digest, tenants: select(context, &plan, &args.file.plan, &args.select).await? };
            let shown = || part.tenants.iter().map(|tenant| display::plan::show_tenant(tenant));
            terminal.report(&part, || Text::join(shown(), "\n"))?;
        }
    }
    files.write(terminal, || PlanReport::of(&plan))?;
    Ok(Exit::Done)
}

/// The selected tenants, in the order of the plan. Only states, owners, and labels need the configuration, which a reviewer may not
/// have.
async fn select<'a>(
    context: &Context,
    plan: &'a Plan,
    path: &Path,
    args: &Select,
) -> Result<Vec<&'a PlannedTenant>, Failure> {
    let needs_config = !(args.states.is_empty() && args.owners.is_empty() && args.labels.is_empty());
    let config = if needs_config { Some(context.load_config()?) } else { None };
    let known = match &config {
        Some(config) => read_logbook(config).await?.overviews(),
        None => BTreeMap::new(),
    };
    let waves = plan.wave_by_tenant();
    let candidate = |tenant: &'a PlannedTenant| {
        let ids = tenant.findings.iter().map(|finding| finding.id.clone()).collect();
        let config = config.as_ref().and_then(|config| config.tenant(&tenant.name));
        Candidate::of(&tenant.name, config, &known)
            .seen(tenant.verdict, ids)
            .in_wave(waves.get(tenant.name.as_str()).copied())
    };
    let pool = Pool::of_plan(plan.tenants.iter().map(candidate), path);
    let names: BTreeSet<String> = pool.select(args)?.names.into_iter().collect();
    Ok(plan.tenants.iter().filter(|tenant| names.contains(&tenant.name)).collect())
}

impl From<FaceName> for Face {
    fn from(name: FaceName) -> Self {
        match name {
            FaceName::Html => Self::Html,
            FaceName::Markdown => Self::Markdown,
            FaceName::Json => Self::Json,
            FaceName::Junit => Self::Junit,
        }
    }
}
