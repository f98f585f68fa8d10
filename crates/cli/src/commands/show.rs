//! `flowswap show`: shows a plan file to a reviewer.

use std::collections::BTreeSet;

use flowswap_config::find_nearest;
use flowswap_engine::{Plan, PlannedTenant};
use flowswap_report::{Face, PlanReport, ReportKind};
use serde::Serialize;

use super::plan;
use crate::{
    args::{FaceName, ShowArgs},
    context::Context,
    display::{self, text::Text},
    exit::{Exit, Failure},
    report_files::{ReportFiles, print},
};

/// Some tenants of a plan as JSON. It cannot be mistaken for a plan.
#[derive(Serialize)]
struct Part<'a> {
    /// The digest of the plan.
    plan: &'a str,
    tenants: Vec<&'a PlannedTenant>,
}

pub(crate) fn run(context: &Context, args: &ShowArgs) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let files = ReportFiles::prepare(ReportKind::Plan, &args.faces.reports.reports, None, args.faces.force)?;
    let plan = plan::read(&args.file.plan)?.into_plan();
    match args.faces.face {
        Some(face) => print(terminal, face.into(), &PlanReport::of(&plan))?,
        None if args.tenants.is_empty() => {
            terminal.report(&plan, || display::review::show_plan(&plan, terminal.verbose > 0))?;
        }
        None => {
            let part = Part { plan: &plan.digest, tenants: select(&plan, &args.tenants)? };
            let shown = || part.tenants.iter().map(|tenant| display::plan::show_tenant(tenant));
            terminal.report(&part, || Text::join(shown(), "\n"))?;
        }
    }
    files.write(terminal, || PlanReport::of(&plan))?;
    Ok(Exit::Done)
}

/// The tenants with these names, in the order of the plan.
fn select<'a>(plan: &'a Plan, names: &[String]) -> Result<Vec<&'a PlannedTenant>, Failure> {
    let known = || plan.tenants.iter().map(|tenant| tenant.name.as_str());
    if let Some(unknown) = names.iter().find(|name| known().all(|known| known != *name)) {
        let hint = find_nearest(unknown, known()).map(|nearest| format!("did you mean `{nearest}`?"));
        let hint = hint.unwrap_or_else(|| "list the tenants of the plan with `-v`".to_owned());
        return Err(Failure::new(Exit::Usage, format!("the plan has no tenant `{unknown}`")).hint(hint));
    }
    let names: BTreeSet<&String> = names.iter().collect();
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
