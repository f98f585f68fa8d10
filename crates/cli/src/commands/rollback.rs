//! `flowswap rollback`: shows what it will roll back, asks, and rolls it back.

use flowswap_contract::Reversibility;
use flowswap_engine::{Goal, Logbook, Overview, StepRollback, TenantState, Work};

use super::{
    abandon,
    give_up::give_up,
    started::{self, RunPurpose},
};
use crate::{
    args::RollbackArgs,
    context::{Context, read_logbook},
    display::{
        self, causes,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    interactive::Interactive,
    question::Question,
};

pub(crate) async fn run(context: &Context, args: &RollbackArgs) -> Result<Exit, Failure> {
    started::require_selection(&args.started)?;
    if let Some(reason) = args.reason.as_ref().filter(|_| args.abandon) {
        return abandon::run(context, &args.started, reason.trim()).await;
    }
    if args.interactive {
        Interactive::require_terminal()?;
    }
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    let mut selected = started::select(&config, &args.started, &logbook).await?;
    let unreached = find_unreached(&selected.names, &logbook);
    selected.names.retain(|name| unreached.iter().all(|(unreached, _)| unreached != name));
    let finished: Vec<String> = selected.names.extract_if(.., |name| is_finished(name, &logbook)).collect();
    let each = context.terminal.verbose > 0;
    let written: Vec<&str> = finished.iter().map(String::as_str).filter(|name| selected.is_written(name)).collect();
    if !written.is_empty() {
        let (subject, names) = (causes::subject(&written), causes::naming(each)(&written));
        context.terminal.say(text!("{}{}: already rolled back", subject, names));
    }
    let chosen = started::choose(&selected, &logbook, |_, _| true).await?;
    let (chosen, purged): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|(name, tenant)| {
        selected.is_written(name) || tenant.work.as_ref().is_some_and(|work| can_roll_back(work))
    });
    let mut names: Vec<String> = chosen.iter().map(|(name, _)| name.clone()).collect();
    let purged: Vec<&str> = purged.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() && unreached.is_empty() && !purged.is_empty() {
        started::report_no_tenants(context, describe_purged(&purged, each))?;
        return Ok(Exit::Refused);
    }
    if names.is_empty() && unreached.is_empty() {
        if finished.is_empty() {
            started::refuse_empty(&selected, "there is nothing to roll back")?;
        }
        let left = if finished.is_empty() { "" } else { "left " };
        return started::report_no_tenants(context, text!("there is nothing {}to roll back", left));
    }
    // Without names, the tenants come from the journal too, so the configuration may lack one.
    let lost = started::take_lost(&config, &mut names, &logbook).await?;
    let lost = lost.into_iter().map(|name| (name, Goal::RolledBack)).collect();
    let mut steps = Vec::new();
    for (name, tenant) in chosen.iter().filter(|(name, _)| config.tenant(name).is_some()) {
        let Some(work) = &tenant.work else { continue };
        if let Some(step) = steps_to_roll_back(work).find(|step| step.reversibility == Reversibility::Irreversible) {
            let error = format!("tenant `{name}` cannot be rolled back: step `{}` is irreversible", step.step);
            return Err(Failure::new(Exit::Refused, error)
                .hint("leave this tenant out: a purged legacy client cannot come back"));
        }
        steps.push((name.as_str(), display::plan::show_rollback(steps_to_roll_back(work))));
    }
    let mut what = causes::show_alike(&steps, each, |names| text!("flowswap will roll {} back:\n", names));
    what += describe_unreached(&unreached, each);
    let count = names.len() + unreached.len();
    let question = Question::about(count, format!("Roll {} back?", display::tenants(count)));
    question.ask(context, &what.trim_end(), args.started.yes).await?;

    // A reader that stays open would keep the writer from tidying up the journal's files.
    drop(logbook);
    give_up(context, &config, &unreached).await?;
    let exit = if names.is_empty() {
        started::report_no_tenants(context, "no run will continue these tenants; nothing was done for them")?
    } else {
        let purpose = RunPurpose { interactive: args.interactive, ..RunPurpose::to(Goal::RolledBack) };
        let purpose = purpose.accepting(args.started.changes);
        started::continue_tenants(context, &config, &names, lost, purpose).await?
    };
    if purged.is_empty() {
        return Ok(exit);
    }
    context.terminal.say(text!("left out: {}", describe_purged(&purged, each)));
    Ok(started::worst(exit, Exit::Refused))
}

/// The tenants that no run will reach.
fn describe_unreached(unreached: &[(String, Goal)], each: bool) -> Text {
    let names: Vec<&str> = unreached.iter().map(|(name, _)| name.as_str()).collect();
    let them = match names.len() {
        0 => return Text::default(),
        1 => "it",
        _ => "them",
    };
    let (subject, names) = (causes::subject(&names), causes::naming(each)(&names));
    let so = text!("flowswap will give {} up, so that `resume` does not continue {}", them, them);
    text!("nothing was done for {}{}; {}\n", subject, names, so)
}

/// The tenants that no rollback can help.
fn describe_purged(names: &[&str], each: bool) -> Text {
    let (subject, names) = (causes::subject(names), causes::naming(each)(names));
    text!("{}{} cannot be rolled back: a purged legacy client cannot come back", subject, names)
}

/// Whether a rollback has taken everything back, and nothing was done since.
fn is_finished(name: &str, logbook: &Logbook) -> bool {
    let is_back = |tenant: &Overview| tenant.state == TenantState::RolledBack && tenant.plan.is_none();
    logbook.overview(name).is_some_and(|tenant| is_back(&tenant) || tenant.is_back_from_rotation)
}

/// The tenants that a run which was cut off did not reach, and what it should have done for them.
fn find_unreached(names: &[String], logbook: &Logbook) -> Vec<(String, Goal)> {
    let unreached = names.iter().filter_map(|name| {
        let tenant = logbook.overview(name).filter(|tenant| tenant.plan.is_none())?;
        Some((name.clone(), tenant.intent?.goal))
    });
    unreached.collect()
}

/// The rollbacks of the steps that took effect or may have taken effect, the last step first.
fn steps_to_roll_back(work: &Work) -> impl Iterator<Item = &StepRollback> {
    let must_roll_back = |step: &&StepRollback| {
        work.is_done(&step.step) || work.doubt.as_ref().is_some_and(|doubt| doubt.step == step.step)
    };
    work.tenant.way_back.iter().filter(must_roll_back)
}

/// Whether every step can be rolled back. Tenants that were not written out are left out otherwise.
fn can_roll_back(work: &Work) -> bool {
    steps_to_roll_back(work).all(|step| step.reversibility != Reversibility::Irreversible)
}
