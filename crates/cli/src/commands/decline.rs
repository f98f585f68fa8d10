//! `flowswap decline`: records that nobody will carry out the run sheet, and why.

use std::sync::Arc;

use serde::Serialize;

use super::{
    confirm::to_failure,
    sheet::{open_question, with_open_sheets},
    started, status,
};
use crate::{
    args::DeclineArgs,
    context::{Context, read_logbook, read_tenant},
    display::text::{Text, text},
    exit::{Exit, Failure},
    selection,
};

/// The report; scripts rely on its names.
#[derive(Serialize)]
struct Report {
    name: String,
    step: String,
    state: Option<flowswap_engine::TenantState>,
    next: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &DeclineArgs) -> Result<Exit, Failure> {
    selection::require(&args.select, false, "name them; list those that wait: flowswap next")?;
    let config = context.load_config()?;
    let chosen = with_open_sheets(&config, &*read_logbook(&config).await?, &args.select).await?;
    chosen.ask(context, "Decline the run sheets of", args.yes)?;
    let names = chosen.names;
    let ports = context.run_ports(&config, context.progress()).await?;
    let logbook = Arc::clone(&ports.logbook);
    let mut steps = Vec::new();
    for name in &names {
        steps.push(open_question(name, read_tenant(&logbook, name).await?.as_ref())?.step.clone());
    }
    let runner = started::runner(ports);
    let mut declined = Vec::new();
    for (name, step) in names.iter().zip(steps) {
        runner.decline(name, args.reason.trim().to_owned()).await.map_err(to_failure)?;
        let tenant = logbook.overview(name);
        let next = tenant.as_ref().and_then(|tenant| status::next_command(name, tenant));
        declined.push(Report { name: name.clone(), step, state: tenant.map(|tenant| tenant.state), next });
    }
    let shown = || declined.iter().map(text).collect();
    context.terminal.report_tenants(args.select.is_one_name(), &declined, shown)?;
    Ok(Exit::Done)
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
