//! `flowswap rollback --abandon`: ends a stuck rollback, and the tenant stays migrated.

use std::sync::Arc;

use flowswap_engine::{AbandonError, JournalError, Overview, TenantState};
use schemars::JsonSchema;
use serde::Serialize;

use super::{started, status, stuck};
use crate::{
    args::StartedTenants,
    context::{Context, read_logbook},
    display::{
        self,
        text::{Text, text},
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    fleet::Fleet,
    question::Question,
    soak::Soak,
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The tenants that stay migrated.
    tenants: Vec<Row>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Abandon;
}

#[derive(Serialize, JsonSchema)]
struct Row {
    /// The name of the tenant.
    name: String,
    /// Its state now.
    state: TenantState,
    /// What flowswap saw of the directory.
    seen: String,
    /// The command that takes the tenant further.
    next: Option<String>,
}

/// The command that abandons the tenant's rollback, if that is possible.
pub(super) fn abandon_command(name: &str, tenant: &Overview) -> Option<String> {
    tenant.can_abandon.then(|| format!("flowswap rollback {name} --abandon --reason \"…\""))
}

pub(super) async fn run(context: &Context, args: &StartedTenants, reason: &str) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    let selected = started::select(&config, args, &logbook).await?;
    let chosen = started::choose(&selected, &logbook, |tenant, _| tenant.can_abandon()).await?;
    let names: Vec<String> = chosen.iter().map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        let failure = Failure::new(Exit::Usage, "none of these tenants has a rollback that can be abandoned");
        return Err(failure.hint("show the state of every tenant: flowswap status"));
    }
    let mut what = Text::default();
    for (name, tenant) in &chosen {
        if !tenant.can_abandon() {
            return Err(to_failure(name, AbandonError::NotRollingBack { state: tenant.state }));
        }
        what += stuck::describe(name, tenant);
        what += "\n";
    }
    let question = format!("End the rollback of {}, and keep the new client?", display::tenants(names.len()));
    Question::about(names.len(), question).ask(context, &what.trim_end(), args.yes).await?;

    // A reader that stays open would keep the writer from tidying up the journal's files.
    drop(logbook);
    // The history may have changed since it was shown, so read it again as the only writer of the journal.
    let ports = context.run_ports(&config, context.progress()).await?;
    let logbook = Arc::clone(&ports.logbook);
    let fleet = Fleet::open(context, &config, &names, &ports).await?;
    let runner = started::runner(ports);
    let mut abandoned = Vec::new();
    for tenant in &fleet.tenants {
        let name = &tenant.spec.name;
        let seen = runner.abandon(tenant, reason).await.map_err(|error| to_failure(name, error))?;
        abandoned.push((name.clone(), seen));
    }
    let soak = Soak::of(&config);
    let row = |(name, seen): (String, String)| {
        let tenant = logbook.overview(&name)?;
        Some(Row { state: tenant.state, next: status::next_command_now(&name, &tenant, soak), seen, name })
    };
    let report = Report { tenants: abandoned.into_iter().filter_map(row).collect() };
    context.terminal.report(&report, || report.tenants.iter().map(text).collect())?;
    Ok(Exit::Done)
}

fn text(row: &Row) -> Text {
    let Row { name, state, seen, next } = row;
    let mut text = text!("{} is {} again: {}\n", name, state, seen);
    text.extend(next.as_ref().map(|next| text!("next: {}\n", next)));
    text
}

fn to_failure(name: &str, error: AbandonError) -> Failure {
    let (exit, hint) = match &error {
        AbandonError::NotRollingBack { .. } => {
            (Exit::Usage, "show the state of every tenant: flowswap status".to_owned())
        }
        AbandonError::NoReason => {
            (Exit::Usage, "pass `--reason` with the reason, for later readers of the journal".to_owned())
        }
        AbandonError::NotInPlace { .. } => (Exit::Refused, format!("continue the rollback: flowswap rollback {name}")),
        AbandonError::Unseen { .. } => (
            Exit::Failed,
            "nothing was recorded; run the same command again once flowswap can check the tenant".to_owned(),
        ),
        AbandonError::Journal(JournalError::Storage { .. }) => {
            (Exit::Failed, "nothing was recorded; run the same command again".to_owned())
        }
        AbandonError::Journal(_) => (Exit::Failed, "verify the journal: flowswap audit verify".to_owned()),
    };
    Failure::new(exit, error).hint(hint)
}
