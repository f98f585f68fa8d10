//! `flowswap decline`: records that nobody will carry out the run sheet, and why.

use serde::Serialize;

use super::{
    confirm::{no_open_sheet, to_failure},
    sheet::open_question,
    started, status,
};
use crate::{
    args::DeclineArgs,
    context::{Context, read_history, user},
    display::text::{Text, text},
    exit::{Exit, Failure},
    fleet::select,
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
    select(&config, std::slice::from_ref(name))?;
    let (ports, history) = context.run_ports(&config, context.progress()).await?;
    let step = open_question(name, &history)?.step.clone();
    let Some(tenant) = history.tenant(name) else { return Err(no_open_sheet()) };
    let recorded = started::runner(ports).decline(name, tenant, &user(), args.reason.trim().to_owned()).await;
    recorded.map_err(to_failure)?;

    let now = read_history(&config).await?;
    let tenant = now.tenant(name);
    let next = tenant.and_then(|tenant| status::next_command(name, tenant));
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
