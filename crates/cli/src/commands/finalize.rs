//! `flowswap finalize`: retires the legacy client of migrated tenants; with `--purge`, deletes it.

use flowswap_contract::Phase;
use flowswap_engine::{Goal, RunCommand, TenantHistory, TenantState, Work};

use super::{
    started::{self, Errand},
    status,
};
use crate::{
    args::FinalizeArgs,
    context::{Context, read_history},
    display::{
        self,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    fleet::select,
    terminal::{Tone, paint},
};

pub(crate) async fn run(context: &Context, args: &FinalizeArgs) -> Result<Exit, Failure> {
    let (goal, phase) = if args.purge { (Goal::Purged, Phase::Purge) } else { (Goal::Retired, Phase::Retire) };
    let config = context.load_config()?;
    select(&config, &args.started.tenants)?;
    let seen = read_history(&config).await?;
    let names = started::choose(&args.started, &seen, |tenant, work| can_begin(tenant, work, phase))?;
    if names.is_empty() {
        return started::report_none(context, "no tenant is at this point");
    }
    // With `--all`, the names are the journal's.
    select(&config, &names)?;
    let mut what = Text::default();
    for name in &names {
        let Some(tenant) = seen.tenant(name) else { continue };
        check_state(name, tenant, phase)?;
        what += text!("{}:\n", paint(Tone::Strong, name));
        let steps = tenant.work.iter().flat_map(|work| work.tenant.steps.iter().filter(|step| !work.is_done(&step.id)));
        for step in steps.filter(|step| step.proposal.phase <= phase) {
            what += text!("    + {} [{}]\n", step.proposal.title, step.proposal.reversibility);
        }
    }
    let tenants = display::tenants(names.len());
    let question = match goal {
        Goal::Purged => format!("Delete the legacy clients of {tenants} for good?"),
        _ => format!("Retire the legacy clients of {tenants}?"),
    };
    context.terminal.confirm(&what.trim_end(), &question, args.started.yes)?;

    let errand = Errand { command: RunCommand::Finalize, goal, interactive: false };
    started::go_on(context, &config, &names, args.started.accept_changes, errand).await
}

/// Whether the phase is the next one that changes something, or was done by a run that was cut off before it could say so.
fn is_due(tenant: &TenantHistory, work: &Work, phase: Phase) -> bool {
    let changing = work.tenant.steps.iter().filter(|step| !step.proposal.phase.is_check());
    let ahead = changing.clone().filter(|step| !work.is_done(&step.id)).map(|step| step.proposal.phase).min();
    let reached = changing.filter(|step| work.is_done(&step.id)).map(|step| step.proposal.phase).max();
    ahead == Some(phase) || (tenant.state == TenantState::Running && reached == Some(phase))
}

/// Whether the phase is due, and the tenant's state lets it begin. A finalize that failed, is stuck or was cut off is tried
/// again.
pub(crate) fn can_begin(tenant: &TenantHistory, work: &Work, phase: Phase) -> bool {
    use TenantState as S;
    let fit = match phase {
        Phase::Purge => matches!(tenant.state, S::Retired | S::Finalized),
        _ => matches!(tenant.state, S::Swapped | S::Soaking | S::Retired),
    };
    let of_phase = |step: &str| work.tenant.step(step).is_some_and(|step| step.proposal.phase == phase);
    let again = match tenant.state {
        S::Running | S::Failed => true,
        // Without a doubt, it was refused before it began, because of what was seen.
        S::Stuck => work.doubt.as_ref().map_or_else(|| status::is_swapped(tenant), |doubt| of_phase(&doubt.step)),
        _ => false,
    };
    is_due(tenant, work, phase) && (fit || again)
}

fn check_state(name: &str, tenant: &TenantHistory, phase: Phase) -> Result<(), Failure> {
    let may_begin = |phase| tenant.work.as_ref().is_some_and(|work| can_begin(tenant, work, phase));
    // What is done already is no reason to refuse.
    if may_begin(phase) || is_reached(tenant, phase) {
        return Ok(());
    }
    let first = match phase {
        Phase::Purge if may_begin(Phase::Retire) => format!("flowswap finalize {name}"),
        _ => "flowswap status".to_owned(),
    };
    let failure =
        Failure::new(Exit::Refused, format!("tenant `{name}` is {}, so this cannot be done yet", tenant.state));
    Err(failure.hint(format!("first: {first}")))
}

fn is_reached(tenant: &TenantHistory, phase: Phase) -> bool {
    match phase {
        Phase::Purge => tenant.state == TenantState::Finalized,
        _ => tenant.state == TenantState::Retired,
    }
}
