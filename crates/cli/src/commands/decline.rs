//! `flowswap decline`: records that nobody will carry out the run sheet, and why.

use flowswap_engine::Runner;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    confirm::to_failure,
    sheet::{open_question, with_open_sheets},
    started, status,
};
use crate::{
    args::DeclineArgs,
    context::{Context, Writer, read_logbook, read_tenant},
    display::text::{Text, text},
    documents::{Document, DocumentName, OfTenants},
    door::Ask,
    exit::{Exit, Failure},
    selection,
};

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Report {
    /// The name of the tenant.
    name: String,
    /// The step that nobody will carry out.
    step: String,
    /// The state of the tenant now.
    state: Option<flowswap_engine::TenantState>,
    /// The command that takes the tenant further.
    next: Option<String>,
}

impl Document for OfTenants<'_, Report> {
    const NAME: DocumentName = DocumentName::Decline;
}

pub(crate) async fn run(context: &Context, args: &DeclineArgs) -> Result<Exit, Failure> {
    selection::require(&args.select, false, "name them; list those that wait: flowswap next")?;
    let config = context.load_config()?;
    let chosen = with_open_sheets(&config, &*read_logbook(&config).await?, &args.select).await?;
    chosen.ask(context, "Decline the run sheets of", args.yes).await?;
    let names = chosen.names;
    let reason = args.reason.trim();
    let declined: Vec<Report> = match context.ports_or_door(&config, context.progress()).await? {
        Writer::Here(ports) => record(&started::runner(*ports), &names, reason).await?,
        Writer::AtWork(at_work) => at_work.ask(Ask::Decline { tenants: names, reason: reason.to_owned() }).await?,
    };
    let shown = || declined.iter().map(text).collect();
    context.terminal.report(&OfTenants::new(args.select.is_one_name(), &declined), shown)?;
    Ok(Exit::Done)
}

/// Records that nobody will carry out these run sheets. Either all of them are open, or nothing is recorded.
pub(super) async fn record(runner: &Runner, names: &[String], reason: &str) -> Result<Vec<Report>, Failure> {
    let logbook = runner.logbook();
    let mut steps = Vec::new();
    for name in names {
        steps.push(open_question(name, read_tenant(logbook, name).await?.as_ref())?.step.clone());
    }
    let mut declined = Vec::new();
    for (name, step) in names.iter().zip(steps) {
        runner.decline(name, reason.to_owned()).await.map_err(to_failure)?;
        let tenant = logbook.overview(name);
        let next = tenant.as_ref().and_then(|tenant| status::next_command(name, tenant));
        declined.push(Report { name: name.clone(), step, state: tenant.map(|tenant| tenant.state), next });
    }
    Ok(declined)
}

fn text(report: &Report) -> Text {
    let Report { name, step, state, next } = report;
    let mut text = text!("{}: you declined `{}`\n", name, step);
    text.extend(state.map(|state| text!("state: {}\n", state)));
    let back = format!("flowswap rollback {name}");
    match next {
        Some(next) if *next != back => text += text!("next: {}, or {}\n", next, back),
        _ => text += text!("next: {}\n", back),
    }
    text
}
