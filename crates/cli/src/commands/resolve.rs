//! `flowswap resolve`: records a person's decision whether a step in doubt took effect.

use std::sync::Arc;

use flowswap_contract::Values;
use flowswap_engine::{Decision, JournalError, Resolution, ResolveError, TenantState};
use serde::Serialize;

use super::{started, status, stuck};
use crate::{
    args::{ResolveArgs, StepEffect},
    context::{Context, read_logbook, read_tenant},
    display::text::{Text, text},
    exit::{Exit, Failure},
    fleet::{Fleet, select_one},
};

/// The report; scripts rely on its names.
#[derive(Serialize)]
struct Report {
    name: String,
    step: String,
    resolved: Resolution,
    missing: Vec<String>,
    next: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &ResolveArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let name = &args.tenant;
    select_one(&config, name).await?;
    let decision = Decision {
        stands: match args.effect {
            StepEffect::Applied => Resolution::Applied,
            StepEffect::NotApplied => Resolution::NotApplied,
        },
        outputs: args.outputs.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect::<Values>(),
        reason: args.reason.trim().to_owned(),
    };
    let tenant = read_tenant(&*read_logbook(&config).await?, name).await?.ok_or_else(|| not_started(name))?;
    if tenant.state != TenantState::Stuck {
        return Err(to_failure(name, ResolveError::NotStuck { state: tenant.state }));
    }
    let question = format!("Record that this step is {}?", decision.stands);
    context.terminal.confirm(&stuck::describe(name, &tenant), &question, args.yes)?;

    // The tenant may have changed since it was shown, so it is read again by the only writer of the journal.
    let ports = context.run_ports(&config, context.progress()).await?;
    let logbook = Arc::clone(&ports.logbook);
    let stands = decision.stands;
    let fleet = Fleet::open(context, &config, std::slice::from_ref(name), &ports).await?;
    let Some(tenant) = fleet.tenants.first() else { return Err(not_started(name)) };
    let resolved = started::runner(ports).resolve(tenant, decision).await.map_err(|error| to_failure(name, error))?;

    let next = logbook.overview(name).and_then(|tenant| status::next_command(name, &tenant));
    let report = Report { name: name.clone(), step: resolved.step, resolved: stands, missing: resolved.missing, next };
    context.terminal.report(&report, || text(&report))?;
    Ok(Exit::Done)
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
