//! `flowswap status`: where every tenant stands, and the one next command.

use flowswap_contract::Phase;
use flowswap_engine::{Direction, History, TenantHistory, TenantState, Verdict};
use jiff::Timestamp;
use serde::Serialize;

use super::{abandon, awaited::Awaited};
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
    /// What ends a way back, where the tenant is on one and stuck.
    #[serde(skip_serializing_if = "Option::is_none")]
    way_out: Option<String>,
    since: Option<Timestamp>,
    reason: Option<String>,
    /// What a tenant that soaks or waits still needs, and from when on more can be seen.
    awaited: Awaited,
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
            awaited: Awaited::default(),
        };
    };
    let awaited = match tenant.state {
        TenantState::Soaking | TenantState::Waiting => Awaited::of(tenant),
        _ => Awaited::default(),
    };
    let verdict = tenant.verdict.filter(|_| tenant.state == TenantState::Unplanned);
    Row {
        name: name.to_owned(),
        state: tenant.state,
        step: tenant.step.clone(),
        next: next(name, tenant),
        way_out: abandon::way_out(name, tenant).filter(|_| tenant.state != TenantState::RollingBack),
        since: Some(tenant.since),
        reason: (tenant.state == TenantState::Soaking)
            .then(|| awaited.line())
            .flatten()
            .or_else(|| tenant.reason.clone())
            .or_else(|| verdict.map(|verdict| format!("was {verdict} when it was last planned"))),
        awaited,
    }
}

const PLAN: &str = "flowswap plan -o plan.json";

/// The command that brings the tenant on; running the same command again is always safe.
pub(crate) fn next(name: &str, tenant: &TenantHistory) -> Option<String> {
    match tenant.work.as_ref().and_then(|work| work.question.as_ref()) {
        Some(_) if tenant.state == TenantState::Waiting => Some(format!("flowswap sheet {name}")),
        _ => go_on(name, tenant),
    }
}

/// The command that goes on with the tenant, whether a person has acted or not.
pub(crate) fn go_on(name: &str, tenant: &TenantHistory) -> Option<String> {
    use TenantState as S;
    let apply = || format!("flowswap apply {}", tenant.plan_path.as_deref().unwrap_or("plan.json"));
    let rollback = || format!("flowswap rollback {name}");
    let finalize = || {
        let purge = if has_begun(tenant, Phase::Purge) { " --purge" } else { "" };
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
        // The directory is on the new client, and what is left is the legacy one.
        S::Failed | S::Running | S::Stuck if is_swapped(tenant) => Some(finalize()),
        S::Running | S::Soaking | S::Waiting | S::Stuck | S::Failed => match tenant.direction {
            Direction::Forward => Some(apply()),
            Direction::Back => Some(rollback()),
        },
    }
}

/// Whether the swap is done and confirmed, on the way forward.
pub(crate) fn is_swapped(tenant: &TenantHistory) -> bool {
    tenant.work.as_ref().is_some_and(|work| {
        let confirms = work.tenant.steps.iter().filter(|step| step.proposal.phase == Phase::Confirm);
        tenant.direction == Direction::Forward
            && confirms.clone().count() > 0
            && confirms.clone().all(|step| work.is_done(&step.id))
    })
}

/// Whether the last step that was begun is of this phase.
fn has_begun(tenant: &TenantHistory, phase: Phase) -> bool {
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
            text += text!("{}: or stay with the new client: {}\n", row.name, way_out);
        }
    }
    text
}
