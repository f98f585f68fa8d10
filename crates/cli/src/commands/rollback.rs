//! `flowswap rollback`: shows what would be taken back, asks, and takes it back.

use flowswap_contract::Reversibility;
use flowswap_engine::{Goal, RunCommand, WayBack, Work};

use super::started;
use crate::{
    args::RollbackArgs,
    context::{Context, read_history},
    display,
    exit::{Exit, Failure},
    fleet::{Fleet, select},
    terminal::{Tone, paint},
};

pub(crate) async fn run(context: &Context, args: &RollbackArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let seen = read_history(&config).await?;
    let names = started::choose(&args.started, &seen, |_| true)?;
    if names.is_empty() {
        context.terminal.say("there is nothing to take back");
        return Ok(Exit::Done);
    }
    select(&config, &names)?;
    for name in &names {
        let Some(work) = seen.tenant(name).and_then(|tenant| tenant.work.as_ref()) else { continue };
        let way_back: Vec<&WayBack> = work.tenant.way_back.iter().filter(|step| is_ahead(work, step)).collect();
        if let Some(step) = way_back.iter().find(|step| step.reversibility == Reversibility::Irreversible) {
            let error = format!("tenant `{name}` cannot be taken back: there is no way back from step `{}`", step.step);
            return Err(Failure::new(Exit::Refused, error).hint("name the other tenants, without this one"));
        }
        context.terminal.say(&format!("{} will be taken back:", paint(Tone::Strong, name)));
        context.terminal.say(display::plan::show_way_back(way_back).trim_end());
    }
    context.terminal.confirm(&format!("Take {} tenants back?", names.len()), args.started.yes)?;

    let progress = context.progress();
    let (ports, history) = context.run_ports(&config, progress.clone()).await?;
    let fleet = Fleet::open(context, &config, &names, &ports).await?;
    let jobs = started::jobs(&fleet, &history, &args.started, Goal::RolledBack)?;
    started::execute(context, &config, ports, &progress, RunCommand::Rollback, jobs).await
}

/// Whether a step was carried out, or may have been.
fn is_ahead(work: &Work, step: &WayBack) -> bool {
    work.is_done(&step.step) || work.doubt.as_ref().is_some_and(|doubt| doubt.step == step.step)
}
