//! `flowswap status`: shows the state of every tenant and the one command to run next.

use flowswap_contract::Phase;
use flowswap_engine::{Direction, History, TenantHistory, TenantState, Verdict};
use jiff::Timestamp;
use serde::Serialize;

use super::{abandon, outstanding::Outstanding};
use crate::{
    args::Select,
    context::{Context, read_history},
    display::{
        count, table,
        text::{Text, text},
        tone_of_state,
    },
    exit::{Exit, Failure},
    fleet::select,
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
    step: Option<String>,
    next: Option<String>,
    /// The command that abandons the rollback, if the rollback is stuck.
    #[serde(skip_serializing_if = "Option::is_none")]
    way_out: Option<String>,
    since: Option<Timestamp>,
    reason: Option<String>,
    /// What a soaking or waiting tenant still needs, and the earliest time of a useful check.
    #[serde(rename = "awaited")]
    outstanding: Outstanding,
}

pub(crate) async fn run(context: &Context, args: &Select) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let history = read_history(&config).await?;
    let tenants = select(&config, &args.tenants)?;
    let report = Report { tenants: tenants.iter().map(|tenant| row(&tenant.name, &history)).collect() };
    context.terminal.report(&report, || text(&report))?;
    Ok(Exit::Done)
}

fn row(name: &str, history: &History) -> Row {
    let Some(tenant) = history.tenant(name) else {
        let next = Some(PLAN.to_owned());
        return Row {
            name: name.to_owned(),
            state: TenantState::Unplanned,
            step: None,
            next,
            way_out: None,
            since: None,
            reason: None,
            outstanding: Outstanding::default(),
        };
    };
    let outstanding = match tenant.state {
        TenantState::Soaking | TenantState::Waiting => Outstanding::of(tenant),
        _ => Outstanding::default(),
    };
    let verdict = tenant.verdict.filter(|_| tenant.state == TenantState::Unplanned);
    Row {
        name: name.to_owned(),
        state: tenant.state,
        step: tenant.step.clone(),
        next: next_command(name, tenant),
        way_out: abandon::abandon_command(name, tenant).filter(|_| tenant.state != TenantState::RollingBack),
        since: Some(tenant.since),
        reason: (tenant.state == TenantState::Soaking)
            .then(|| outstanding.line())
            .flatten()
            .or_else(|| tenant.reason.clone())
            .or_else(|| verdict.map(|verdict| format!("verdict in the last plan: {verdict}"))),
        outstanding,
    }
}

const PLAN: &str = "flowswap plan -o plan.json";

/// The command that takes the tenant further. Running it twice is always safe.
pub(crate) fn next_command(name: &str, tenant: &TenantHistory) -> Option<String> {
    match tenant.work.as_ref().and_then(|work| work.question.as_ref()) {
        Some(_) if tenant.state == TenantState::Waiting => Some(format!("flowswap sheet {name}")),
        _ => continue_command(name, tenant),
    }
}

/// The command that continues the tenant, whether or not a person has acted.
pub(crate) fn continue_command(name: &str, tenant: &TenantHistory) -> Option<String> {
    use TenantState as S;
    let apply = || format!("flowswap apply {}", tenant.plan_path.as_deref().unwrap_or("plan.json"));
    let rollback = || format!("flowswap rollback {name}");
    let finalize = || {
        let purge = if has_started_phase(tenant, Phase::Purge) { " --purge" } else { "" };
        format!("flowswap finalize {name}{purge}")
    };
    match tenant.state {
        S::Unplanned => match tenant.verdict {
            Some(Verdict::Migrated | Verdict::NotApplicable) => None,
            Some(Verdict::Blocked | Verdict::Unknown) => Some(format!("flowswap detect {name}")),
            Some(Verdict::Ready) | None => Some(PLAN.to_owned()),
        },
        S::RolledBack => Some(PLAN.to_owned()),
        S::Planned => Some(apply()),
        S::Swapped => Some(format!("flowswap finalize {name}")),
        S::Retired => Some(format!("flowswap finalize {name} --purge")),
        S::Finalized => None,
        S::RollingBack => Some(rollback()),
        // The directory uses the new client, and only the legacy client is left to deal with.
        S::Failed | S::Running | S::Stuck if is_swapped(tenant) => Some(finalize()),
        S::Running | S::Soaking | S::Waiting | S::Stuck | S::Failed => match tenant.direction {
            Direction::Forward => Some(apply()),
            Direction::Back => Some(rollback()),
        },
    }
}

/// Whether the tenant moves forward and its swap is done and confirmed.
pub(crate) fn is_swapped(tenant: &TenantHistory) -> bool {
    tenant.work.as_ref().is_some_and(|work| {
        let confirms = work.tenant.steps.iter().filter(|step| step.proposal.phase == Phase::Confirm);
        tenant.direction == Direction::Forward
            && confirms.clone().count() > 0
            && confirms.clone().all(|step| work.is_done(&step.id))
    })
}

/// Whether the last started step belongs to this phase.
fn has_started_phase(tenant: &TenantHistory, phase: Phase) -> bool {
    let step = tenant.work.as_ref().zip(tenant.step.as_ref()).and_then(|(work, step)| work.tenant.step(step));
    step.is_some_and(|step| step.proposal.phase == phase)
}

fn text(report: &Report) -> Text {
    let rows = report.tenants.iter().map(|row| {
        [
            table::plain(&row.name),
            table::toned(tone_of_state(row.state), row.state),
            table::plain(row.step.as_deref().unwrap_or("-")),
            table::plain(row.next.as_deref().unwrap_or("-")),
        ]
    });
    let mut text = table::render(["tenant", "state", "step", "next"], rows);
    text += text!("\n{}\n", count(report.tenants.iter().map(|row| row.state)));
    for row in &report.tenants {
        if let Some(reason) = &row.reason {
            text += text!("{}: {}\n", row.name, reason);
        }
        if let Some(way_out) = &row.way_out {
            text += text!("{}: or keep the new client: {}\n", row.name, way_out);
        }
    }
    text
}
