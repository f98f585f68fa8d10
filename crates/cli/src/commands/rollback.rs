//! `flowswap rollback`: shows what it will roll back, asks, and rolls it back.

use flowswap_contract::Reversibility;
use flowswap_engine::{Goal, Logbook, StepRollback, TenantState, Work};

use super::{
    abandon,
    give_up::give_up,
    started::{self, RunPurpose},
};
use crate::{
    args::{RollbackArgs, StartedTenants},
    context::{Context, read_logbook},
    display::{
        self,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    fleet::select_started,
    interactive::Interactive,
    terminal::{Tone, paint},
};

pub(crate) async fn run(context: &Context, args: &RollbackArgs) -> Result<Exit, Failure> {
    if let Some(reason) = args.reason.as_ref().filter(|_| args.abandon) {
        return abandon::run(context, &args.started, reason.trim()).await;
    }
    if args.interactive {
        Interactive::require_terminal()?;
    }
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    select_started(&config, &args.started.tenants, &logbook).await?;
    let unreached = find_unreached(&args.started, &logbook);
    let is_unreached = |name: &String| unreached.iter().any(|(unreached, _)| unreached == name);
    let (finished, tenants): (Vec<String>, Vec<String>) = args
        .started
        .tenants
        .iter()
        .filter(|name| !is_unreached(name))
        .cloned()
        .partition(|name| is_finished(name, &logbook));
    for name in &finished {
        context.terminal.say(text!("{}: already rolled back", name));
    }
    if !finished.is_empty() && tenants.is_empty() && unreached.is_empty() {
        return started::report_no_tenants(context, "there is nothing left to roll back");
    }
    let started = StartedTenants { tenants, ..args.started.clone() };
    let chosen = started::choose(&started, &logbook, |_, work| can_roll_back(work)).await?;
    let mut names: Vec<String> = chosen.iter().map(|(name, _)| name.clone()).collect();
    if names.is_empty() && unreached.is_empty() {
        return started::report_no_tenants(context, "there is nothing to roll back");
    }
    // With `--all`, the names come from the journal, so the configuration may lack one.
    let lost = started::take_lost(&config, &mut names, &logbook).await?;
    let lost = lost.into_iter().map(|name| (name, Goal::RolledBack)).collect();
    let mut what = Text::default();
    for (name, tenant) in chosen.iter().filter(|(name, _)| config.tenant(name).is_some()) {
        let Some(work) = &tenant.work else { continue };
        if let Some(step) = steps_to_roll_back(work).find(|step| step.reversibility == Reversibility::Irreversible) {
            let error = format!("tenant `{name}` cannot be rolled back: step `{}` is irreversible", step.step);
            return Err(Failure::new(Exit::Refused, error)
                .hint("leave this tenant out: a purged legacy client cannot come back"));
        }
        what += text!("flowswap will roll {} back:\n", paint(Tone::Strong, name));
        what += display::plan::show_rollback(steps_to_roll_back(work));
    }
    for (name, _) in &unreached {
        what += text!("{}: nothing was done; flowswap will give it up, so that `resume` does not continue it\n", name);
    }
    let question = format!("Roll {} back?", display::tenants(names.len() + unreached.len()));
    context.terminal.confirm(&what.trim_end(), &question, args.started.yes)?;

    // A reader that stays open would keep the writer from tidying up the journal's files.
    drop(logbook);
    give_up(context, &config, &unreached).await?;
    if names.is_empty() {
        return started::report_no_tenants(context, "no run will continue these tenants; nothing was done for them");
    }
    let purpose = RunPurpose { interactive: args.interactive, ..RunPurpose::to(Goal::RolledBack) };
    started::continue_tenants(context, &config, &names, lost, purpose.accepting(args.started.changes)).await
}

/// Whether a rollback has taken everything back, and nothing was done since.
fn is_finished(name: &str, logbook: &Logbook) -> bool {
    logbook.overview(name).is_some_and(|tenant| tenant.state == TenantState::RolledBack && tenant.plan.is_none())
}

/// The tenants that a run which was cut off did not reach, and what it should have done for them.
fn find_unreached(args: &StartedTenants, logbook: &Logbook) -> Vec<(String, Goal)> {
    let is_meant = |name: &String| args.all || args.tenants.contains(name);
    let unreached = logbook.overviews().into_iter().filter(|(name, tenant)| is_meant(name) && tenant.plan.is_none());
    unreached.filter_map(|(name, tenant)| Some((name, tenant.intent?.goal))).collect()
}

/// The rollbacks of the steps that took effect or may have taken effect, the last step first.
fn steps_to_roll_back(work: &Work) -> impl Iterator<Item = &StepRollback> {
    let must_roll_back = |step: &&StepRollback| {
        work.is_done(&step.step) || work.doubt.as_ref().is_some_and(|doubt| doubt.step == step.step)
    };
    work.tenant.way_back.iter().filter(must_roll_back)
}

/// Whether every step can be rolled back. `--all` leaves out the other tenants.
fn can_roll_back(work: &Work) -> bool {
    steps_to_roll_back(work).all(|step| step.reversibility != Reversibility::Irreversible)
}
