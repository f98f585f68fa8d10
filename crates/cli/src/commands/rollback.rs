//! `flowswap rollback`: shows what would be taken back, asks, and takes it back.

use flowswap_contract::Reversibility;
use flowswap_engine::{Goal, RunCommand, WayBack, Work};

use super::{
    abandon,
    started::{self, Errand},
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
        Interactive::expect_person()?;
    }
    let config = context.load_config()?;
    select(&config, &args.started.tenants)?;
    let seen = read_history(&config).await?;
    let names = started::choose(&args.started, &seen, |_, work| has_way_back(work))?;
    if names.is_empty() {
        return started::report_none(context, "there is nothing to take back");
    }
    // With `--all`, the names are the journal's.
    select(&config, &names)?;
    let mut what = Text::default();
    for name in &names {
        let Some(work) = seen.tenant(name).and_then(|tenant| tenant.work.as_ref()) else { continue };
        if let Some(step) = way_back(work).find(|step| step.reversibility == Reversibility::Irreversible) {
            let error = format!("tenant `{name}` cannot be taken back: there is no way back from step `{}`", step.step);
            return Err(Failure::new(Exit::Refused, error).hint("name the other tenants, without this one"));
        }
        what += text!("{} will be taken back:\n", paint(Tone::Strong, name));
        what += display::plan::show_way_back(way_back(work));
    }
    let question = format!("Take {} back?", display::tenants(names.len()));
    context.terminal.confirm(&what.trim_end(), &question, args.started.yes)?;

    let errand = Errand { command: RunCommand::Rollback, goal: Goal::RolledBack, interactive: args.interactive };
    started::go_on(context, &config, &names, args.started.accept_changes, errand).await
}

/// The steps that were carried out, or may have been, last first.
fn way_back(work: &Work) -> impl Iterator<Item = &WayBack> {
    let is_ahead =
        |step: &&WayBack| work.is_done(&step.step) || work.doubt.as_ref().is_some_and(|doubt| doubt.step == step.step);
    work.tenant.way_back.iter().filter(is_ahead)
}

/// Where the last step is taken, `--all` means all others.
fn has_way_back(work: &Work) -> bool {
    way_back(work).all(|step| step.reversibility != Reversibility::Irreversible)
}
