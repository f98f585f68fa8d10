//! `flowswap rollback`: shows what it will roll back, asks, and rolls it back.

use flowswap_contract::Reversibility;
use flowswap_engine::{Goal, RunCommand, StepRollback, Work};

use super::{
    abandon,
    started::{self, RunPurpose},
};
use crate::{
    args::RollbackArgs,
    context::{Context, read_history},
    display::{
        self,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    fleet::select,
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
    select(&config, &args.started.tenants)?;
    let seen = read_history(&config).await?;
    let names = started::choose(&args.started, &seen, |_, work| can_roll_back(work))?;
    if names.is_empty() {
        return started::report_no_tenants(context, "there is nothing to roll back");
    }
    // With `--all`, the names come from the journal, so the configuration may lack one.
    select(&config, &names)?;
    let mut what = Text::default();
    for name in &names {
        let Some(work) = seen.tenant(name).and_then(|tenant| tenant.work.as_ref()) else { continue };
        if let Some(step) = steps_to_roll_back(work).find(|step| step.reversibility == Reversibility::Irreversible) {
            let error = format!("tenant `{name}` cannot be rolled back: step `{}` is irreversible", step.step);
            return Err(Failure::new(Exit::Refused, error)
                .hint("leave this tenant out: a purged legacy client cannot come back"));
        }
        what += text!("flowswap will roll {} back:\n", paint(Tone::Strong, name));
        what += display::plan::show_rollback(steps_to_roll_back(work));
    }
    let question = format!("Roll {} back?", display::tenants(names.len()));
    context.terminal.confirm(&what.trim_end(), &question, args.started.yes)?;

    let purpose = RunPurpose { command: RunCommand::Rollback, goal: Goal::RolledBack, interactive: args.interactive };
    started::continue_tenants(context, &config, &names, args.started.accept_changes, purpose).await
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
