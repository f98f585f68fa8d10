//! `flowswap finalize`: retires the legacy client of migrated tenants; with `--purge`, deletes it.

use flowswap_contract::{Phase, Step};
use flowswap_engine::{Clock, Direction, Goal, Logbook, TenantHistory, TenantState, Work};

use super::{
    started::{self, RunPurpose},
    status::next_command,
};
use crate::{
    args::FinalizeArgs,
    context::{Context, SystemClock, read_logbook},
    display::{
        self, causes,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    question::Question,
    soak::Soak,
};

pub(crate) async fn run(context: &Context, args: &FinalizeArgs) -> Result<Exit, Failure> {
    let (goal, phase) = if args.purge { (Goal::Purged, Phase::Purge) } else { (Goal::Retired, Phase::Retire) };
    started::require_selection(&args.started)?;
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    let selected = started::select(&config, &args.started, &logbook).await?;
    let soak = Soak::of(&config);
    let on_way = started::choose(&selected, &logbook, |tenant, work| is_ahead(tenant, work, phase)).await?;
    let (chosen, not_ready): (Vec<_>, Vec<_>) = on_way.into_iter().partition(|(name, tenant)| {
        selected.is_written(name) || tenant.work.as_ref().is_some_and(|work| can_begin(tenant, work, phase))
    });
    let (chosen, early): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|(name, tenant)| {
        selected.is_written(name) || soak.left(&tenant.overview(), SystemClock.now()).is_none()
    });
    let mut names: Vec<String> = chosen.iter().map(|(name, _)| name.clone()).collect();
    let left_out = LeftOut { early, soak, not_ready };
    if names.is_empty() && !left_out.is_empty() {
        started::report_no_tenants(context, left_out.describe(phase))?;
        return Ok(Exit::NeedsPerson);
    }
    if names.is_empty() {
        let why = match goal {
            Goal::Purged => "no tenant is ready for `--purge`, which comes after `flowswap finalize`",
            _ => "no tenant is ready to finalize",
        };
        started::refuse_empty(&selected, why)?;
        return started::report_no_tenants(context, text!("{}; show every state: flowswap status", why));
    }
    // Without names, the tenants come from the journal too, so the configuration may lack one.
    let lost = started::take_lost(&config, &mut names, &logbook).await?;
    let lost = lost.into_iter().map(|name| (name, goal)).collect();
    let mut steps = Vec::new();
    for (name, tenant) in chosen.iter().filter(|(name, _)| config.tenant(name).is_some()) {
        check_state(name, tenant, phase)?;
        check_soak(name, tenant, soak)?;
        let left = tenant.work.iter().flat_map(|work| work.tenant.steps.iter().filter(|step| !work.is_done(&step.id)));
        let left = left.filter(|step| step.proposal.phase <= phase);
        let show = |step: &Step| text!("    + {} [{}]\n", step.proposal.title, step.proposal.reversibility);
        steps.push((name.as_str(), left.map(show).collect()));
    }
    let what = causes::show_alike(&steps, context.terminal.verbose > 0, |names| text!("{}:\n", names));
    let tenants = display::tenants(names.len());
    let clients = describe_removed(&logbook, &names);
    let question = match goal {
        Goal::Purged => {
            let question = format!("Delete the {clients} of {tenants}? This is irreversible.");
            Question::about(names.len(), question).irreversible(names.len())
        }
        _ => Question::about(names.len(), format!("Retire the {clients} of {tenants}?")),
    };
    question.ask(context, &what.trim_end(), args.started.yes).await?;

    // A reader that stays open would keep the writer from tidying up the journal's files.
    drop(logbook);
    let purpose = RunPurpose { may_ask: !args.started.yes, ..RunPurpose::to(goal) }.accepting(args.started.changes);
    let exit = started::continue_tenants(context, &config, &names, lost, purpose).await?;
    if left_out.is_empty() {
        return Ok(exit);
    }
    context.terminal.say(text!("left out: {}", left_out.describe(phase)));
    Ok(started::worst(exit, Exit::NeedsPerson))
}

/// What the tenants used before: a migration replaces a client, and a rotation a client secret.
fn describe_removed(logbook: &Logbook, names: &[String]) -> &'static str {
    let rotates = |name: &String| logbook.overview(name).is_some_and(|tenant| tenant.rotation.is_some());
    match names.iter().filter(|name| rotates(name)).count() {
        0 => "legacy clients",
        all if all == names.len() => "previous client secrets",
        _ => "legacy clients and previous client secrets",
    }
}

/// The tenants of a selection that are on their way, but for which it is too early.
struct LeftOut {
    /// They must stay swapped for longer.
    early: Vec<(String, TenantHistory)>,
    soak: Soak,
    /// Another command must come first.
    not_ready: Vec<(String, TenantHistory)>,
}

impl LeftOut {
    fn is_empty(&self) -> bool {
        self.early.is_empty() && self.not_ready.is_empty()
    }

    fn describe(&self, phase: Phase) -> Text {
        let early = (!self.early.is_empty()).then(|| describe_early(self.soak, &self.early));
        let not_ready = (!self.not_ready.is_empty()).then(|| describe_not_ready(&self.not_ready, phase));
        Text::join(early.into_iter().chain(not_ready), "; ")
    }
}

/// Whether a run moves the tenant forward, and the phase is still to come, or a run completed it and was interrupted before it
/// recorded the state.
fn is_ahead(tenant: &TenantHistory, work: &Work, phase: Phase) -> bool {
    let is_left = |step: &Step| step.proposal.phase == phase && !work.is_done(&step.id);
    let is_forward = tenant.direction == Direction::Forward;
    (is_forward && work.tenant.steps.iter().any(is_left)) || can_begin(tenant, work, phase)
}

fn describe_not_ready(tenants: &[(String, TenantHistory)], phase: Phase) -> Text {
    let what = if phase == Phase::Purge { "be purged yet" } else { "be finalized yet" };
    let they = if tenants.len() == 1 { "it" } else { "they" };
    let states = causes::list_states(tenants.iter().map(|(name, tenant)| (name.as_str(), tenant.state)));
    text!("{}; {} cannot {}; for the next command, run `flowswap status`", states, they, what)
}

/// Whether the phase is the next changing phase, or a run completed it, and was interrupted before it recorded the state, or must
/// confirm the directory once more.
fn is_due(tenant: &TenantHistory, work: &Work, phase: Phase) -> bool {
    let changing = work.tenant.steps.iter().filter(|step| !step.proposal.phase.is_check());
    let ahead = changing.clone().filter(|step| !work.is_done(&step.id)).map(|step| step.proposal.phase).min();
    let reached = changing.filter(|step| work.is_done(&step.id)).map(|step| step.proposal.phase).max();
    ahead == Some(phase)
        || (matches!(tenant.state, TenantState::Running | TenantState::Soaking) && reached == Some(phase))
}

/// Whether the phase is due and the tenant's state allows it. A finalize that failed, is stuck, or was interrupted may
/// run again.
pub(crate) fn can_begin(tenant: &TenantHistory, work: &Work, phase: Phase) -> bool {
    use TenantState as S;
    if tenant.open_rehearsal().is_some() {
        return false;
    }
    let fit = match phase {
        Phase::Purge => matches!(tenant.state, S::Retired | S::Finalized),
        _ => matches!(tenant.state, S::Swapped | S::Soaking | S::Retired),
    };
    let of_phase = |step: &str| work.tenant.step(step).is_some_and(|step| step.proposal.phase == phase);
    let again = match tenant.state {
        S::Running | S::Failed => true,
        // Without a step in doubt, a check refused the removal before it started.
        S::Stuck => work.doubt.as_ref().map_or_else(|| tenant.is_swapped(), |doubt| of_phase(&doubt.step)),
        _ => false,
    };
    is_due(tenant, work, phase) && (fit || again)
}

fn check_state(name: &str, tenant: &TenantHistory, phase: Phase) -> Result<(), Failure> {
    let may_begin = |phase| tenant.work.as_ref().is_some_and(|work| can_begin(tenant, work, phase));
    // A phase that is already done is no reason to refuse.
    if may_begin(phase) || is_reached(tenant, phase) {
        return Ok(());
    }
    let first = match phase {
        _ if tenant.open_rehearsal().is_some() => format!("flowswap rehearse {name}"),
        Phase::Purge if may_begin(Phase::Retire) => format!("flowswap finalize {name}"),
        _ => next_command(name, &tenant.overview()).unwrap_or_else(|| "flowswap status".to_owned()),
    };
    let why = if tenant.open_rehearsal().is_some() { " for a rehearsal" } else { "" };
    let failure = Failure::new(
        Exit::Refused,
        format!("tenant `{name}` is {}{why}, so flowswap cannot retire or purge its legacy client yet", tenant.state),
    );
    Err(failure.hint(format!("run this first: {first}")))
}

/// Refuses a tenant that has not been swapped for long enough.
fn check_soak(name: &str, tenant: &TenantHistory, soak: Soak) -> Result<(), Failure> {
    let Some(ends) = soak.left(&tenant.overview(), SystemClock.now()) else { return Ok(()) };
    let error = match tenant.swapped_at {
        Some(since) => format!("`{name}` has been swapped only since {since}, and `soak` in `[run]` is {soak}"),
        None => format!("`{name}` is not swapped yet, and `soak` in `[run]` is {soak}"),
    };
    Err(Failure::new(Exit::Refused, error).hint(format!("run this at {ends} or later: flowswap finalize {name}")))
}

/// The tenants that need more time, and until when.
fn describe_early(soak: Soak, early: &[(String, TenantHistory)]) -> Text {
    let now = SystemClock.now();
    let first = early.iter().filter_map(|(_, tenant)| soak.left(&tenant.overview(), now)).min();
    let first = first.map(|at| text!("; the first can be finalized at {}", at)).unwrap_or_default();
    text!("{} must stay swapped for {} (`soak` in `[run]`){}", display::tenants(early.len()), soak.to_string(), first)
}

fn is_reached(tenant: &TenantHistory, phase: Phase) -> bool {
    match phase {
        Phase::Purge => tenant.state == TenantState::Finalized,
        _ => tenant.state == TenantState::Retired,
    }
}
