//! `flowswap resolve`: records a person's decision whether a step in doubt took effect.

use std::sync::Arc;

use flowswap_config::Config;
use flowswap_contract::Values;
use flowswap_engine::{Decision, JournalError, Logbook, Resolution, ResolveError, TenantHistory, TenantState};
use schemars::JsonSchema;
use serde::Serialize;

use super::{started, status, stuck};
use crate::{
    args::{ResolveArgs, Select, StepEffect},
    context::{Context, read_logbook, read_tenant},
    display::text::{Text, text},
    documents::{Document, DocumentName, OfTenants},
    exit::{Exit, Failure},
    fleet::Fleet,
    question::Question,
    selection,
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The name of the tenant.
    name: String,
    /// The step that was in doubt.
    step: String,
    /// What the person decided.
    resolved: Resolution,
    /// The outputs of the step that flowswap does not know.
    missing: Vec<String>,
    /// The command that continues the tenant.
    next: Option<String>,
}

impl Document for OfTenants<'_, Report> {
    const NAME: DocumentName = DocumentName::Resolve;
}

pub(crate) async fn run(context: &Context, args: &ResolveArgs) -> Result<Exit, Failure> {
    selection::require(&args.select, false, "name them; list those that need a decision: flowswap stuck")?;
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    let stuck = find_stuck(&config, &logbook, &args.select).await?;
    if stuck.len() > 1 && !args.outputs.is_empty() {
        let failure = Failure::new(Exit::Usage, "`--output` is about one tenant, but several were selected");
        return Err(failure.hint("name one tenant at a time"));
    }
    let stands = match args.effect {
        StepEffect::Applied => Resolution::Applied,
        StepEffect::NotApplied => Resolution::NotApplied,
    };
    let text = format!("Record that this step is {stands}?");
    let described = Text::join(stuck.iter().map(|(name, tenant)| stuck::describe(name, tenant)), "\n\n");
    Question::about(stuck.len(), text).ask(context, &described, args.yes).await?;

    // A reader that stays open would keep the writer from tidying up the journal's files.
    drop(logbook);
    // The tenants may have changed since they were shown, so they are read again by the only writer of the journal.
    let ports = context.run_ports(&config, context.progress()).await?;
    let logbook = Arc::clone(&ports.logbook);
    let names: Vec<String> = stuck.into_iter().map(|(name, _)| name).collect();
    let fleet = Fleet::open(context, &config, &names, &ports).await?;
    let runner = started::runner(ports);
    let mut reports = Vec::new();
    for tenant in &fleet.tenants {
        let name = &tenant.spec.name;
        let outputs = args.outputs.iter().map(|(name, value)| (name.clone(), value.clone().into()));
        let reason = args.reason.trim().to_owned();
        let decision = Decision { stands, outputs: outputs.collect::<Values>(), reason };
        let resolved = runner.resolve(tenant, decision).await.map_err(|error| to_failure(name, error))?;
        let next = logbook.overview(name).and_then(|tenant| status::next_command(name, &tenant));
        let (step, missing) = (resolved.step, resolved.missing);
        reports.push(Report { name: name.clone(), step, resolved: stands, missing, next });
    }
    let shown = || reports.iter().map(self::text).collect();
    context.terminal.report(&OfTenants::new(args.select.is_one_name(), &reports), shown)?;
    Ok(Exit::Done)
}

/// The selected tenants that are stuck. One that was written out and is not is an error.
async fn find_stuck(
    config: &Config,
    logbook: &Logbook,
    args: &Select,
) -> Result<Vec<(String, TenantHistory)>, Failure> {
    let selected = selection::select(config, logbook, args)?;
    let mut stuck = Vec::new();
    for name in selected.configured(config, logbook).await? {
        match read_tenant(logbook, &name).await? {
            Some(tenant) if tenant.state == TenantState::Stuck => stuck.push((name, tenant)),
            Some(tenant) if selected.is_written(&name) => {
                return Err(to_failure(&name, ResolveError::NotStuck { state: tenant.state }));
            }
            None if selected.is_written(&name) => return Err(not_started(&name)),
            Some(_) | None => {}
        }
    }
    if stuck.is_empty() {
        let failure = Failure::new(Exit::Usage, "none of these tenants is stuck");
        return Err(failure.hint("list the tenants that need a decision: flowswap stuck"));
    }
    Ok(stuck)
}

fn text(report: &Report) -> Text {
    let Report { name, step, resolved, missing, next } = report;
    let mut text = text!("{}: recorded your decision that step `{}` is {}\n", name, step, resolved);
    if !missing.is_empty() {
        text += text!("nobody received `{}`; the next run replaces it\n", missing.join("`, `"));
    }
    if let Some(next) = next {
        text += text!("next: {}\n", next);
    }
    text
}

fn not_started(name: &str) -> Failure {
    Failure::new(Exit::Usage, format!("flowswap has not started to migrate the tenant `{name}`"))
        .hint("list the tenants that need a decision: flowswap stuck")
}

fn to_failure(name: &str, error: ResolveError) -> Failure {
    let (exit, hint) = match &error {
        ResolveError::NotStuck { .. } | ResolveError::NotStarted { .. } => {
            (Exit::Usage, "list the tenants that need a decision: flowswap stuck".to_owned())
        }
        ResolveError::IsCheck { .. } => (
            Exit::Usage,
            format!("check again with the command that `flowswap stuck` shows, or roll back: flowswap rollback {name}"),
        ),
        ResolveError::Contradicted { .. } => {
            (Exit::Refused, format!("nothing was recorded; see what else you can do: flowswap stuck {name}"))
        }
        ResolveError::NoSecretsRecorded { .. } => (
            Exit::Usage,
            "run the same command again; once the org has no trace of the step, pass `--as not-applied`".to_owned(),
        ),
        ResolveError::UnknownOutput { output, .. } => (Exit::Usage, format!("pass `--output {output}=VALUE`")),
        ResolveError::ForeignOutput { .. } => {
            (Exit::Usage, "do not pass secrets: the secret store has them, or flowswap replaces them".to_owned())
        }
        ResolveError::HasSecret(_) => {
            (Exit::Usage, "nothing was recorded; pass no secret: flowswap uses the one in its store".to_owned())
        }
        ResolveError::NoReason => {
            (Exit::Usage, "pass `--reason` with how you know, for later readers of the journal".to_owned())
        }
        ResolveError::Secrets(_) | ResolveError::Journal(JournalError::Storage { .. }) => {
            (Exit::Failed, "nothing was recorded; run the same command again".to_owned())
        }
        ResolveError::Journal(_) => (Exit::Failed, "verify the journal: flowswap audit verify".to_owned()),
    };
    Failure::new(exit, error).hint(hint)
}
