//! `flowswap decline`: records that nobody will carry out the run sheet, and why.

use std::sync::Arc;

use serde::Serialize;

use super::{confirm::to_failure, sheet::open_question, started, status};
use crate::{
    args::DeclineArgs,
    context::{Context, read_tenant},
    display::text::{Text, text},
    exit::{Exit, Failure},
    fleet::select_one,
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
    let config = context.load_config()?;
    let name = &args.tenant.tenant;
    select_one(&config, name).await?;
    let ports = context.run_ports(&config, context.progress()).await?;
    let logbook = Arc::clone(&ports.logbook);
    let step = open_question(name, read_tenant(&logbook, name).await?.as_ref())?.step.clone();
    started::runner(ports).decline(name, args.reason.trim().to_owned()).await.map_err(to_failure)?;

    let tenant = logbook.overview(name);
    let next = tenant.as_ref().and_then(|tenant| status::next_command(name, tenant));
    let report = Report { name: name.clone(), step, state: tenant.map(|tenant| tenant.state), next };
    context.terminal.report(&report, || text(&report))?;
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
