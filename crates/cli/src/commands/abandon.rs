//! `flowswap rollback --abandon`: a way back that is stuck ends, and the tenant stays migrated.

use flowswap_engine::{AbandonError, JournalError, TenantHistory, TenantState};
use serde::Serialize;

use super::{started, status, stuck};
use crate::{
    args::Started,
    context::{Context, read_history, user},
    display::{
        self,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    fleet::{Fleet, select},
};

/// The report; scripts rely on its names.
#[derive(Serialize)]
struct Report {
    tenants: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    state: TenantState,
    /// What was seen of the directory.
    seen: String,
    next: Option<String>,
}

/// The command that ends the tenant's way back, where that is possible.
pub(super) fn way_out(name: &str, tenant: &TenantHistory) -> Option<String> {
    tenant.can_abandon().then(|| format!("flowswap rollback {name} --abandon --reason \"…\""))
}

pub(super) async fn run(context: &Context, args: &Started, reason: &str) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    select(&config, &args.tenants)?;
    let seen = read_history(&config).await?;
    let names = started::choose(args, &seen, |_, _| false)?;
    let mut what = Text::default();
    for name in &names {
        let Some(tenant) = seen.tenant(name) else { continue };
        if !tenant.can_abandon() {
            return Err(refuse(name, AbandonError::NotOnTheWayBack { state: tenant.state }));
        }
        what += stuck::describe(name, tenant);
        what += "\n";
    }
    let question = format!("End the way back of {}, and stay with the new client?", display::tenants(names.len()));
    context.terminal.confirm(&what.trim_end(), &question, args.yes)?;

    // What was shown may be old by now: only the writer of the journal decides on it.
    let (ports, history) = context.run_ports(&config, context.progress()).await?;
    let fleet = Fleet::open(context, &config, &names, &ports).await?;
    let runner = started::runner(ports);
    let mut said = Vec::new();
    for tenant in &fleet.tenants {
        let name = &tenant.spec.name;
        let Some(started) = history.tenant(name) else { continue };
        let sight = runner.abandon(tenant, started, &user(), reason).await.map_err(|error| refuse(name, error))?;
        said.push((name.clone(), sight));
    }
    let now = read_history(&config).await?;
    let row = |(name, seen): (String, String)| {
        let tenant = now.tenant(&name)?;
        Some(Row { state: tenant.state, next: status::next(&name, tenant), seen, name })
    };
    let report = Report { tenants: said.into_iter().filter_map(row).collect() };
    context.terminal.report(&report, || report.tenants.iter().map(text).collect())?;
    Ok(Exit::Done)
}

fn text(row: &Row) -> Text {
    let Row { name, state, seen, next } = row;
    let mut text = text!("{} is {} again: {}\n", name, state, seen);
    text.extend(next.as_ref().map(|next| text!("next: {}\n", next)));
    text
}

fn refuse(name: &str, error: AbandonError) -> Failure {
    let (exit, hint) = match &error {
        AbandonError::NotOnTheWayBack { .. } => {
            (Exit::Usage, "`flowswap status` shows where every tenant stands".to_owned())
        }
        AbandonError::NoReason => (Exit::Usage, "say why, for whoever reads the journal later".to_owned()),
        AbandonError::NotInPlace { .. } => {
            (Exit::Refused, format!("go on with the way back: flowswap rollback {name}"))
        }
        AbandonError::Unseen { .. } => {
            (Exit::Failed, "nothing was decided; run the same command again once it can be looked at".to_owned())
        }
        AbandonError::Journal(JournalError::Storage { .. }) => {
            (Exit::Failed, "nothing was decided; run the same command again".to_owned())
        }
        AbandonError::Journal(_) => (Exit::Failed, "`flowswap audit verify` looks through the journal".to_owned()),
    };
    Failure::new(exit, error).hint(hint)
}
