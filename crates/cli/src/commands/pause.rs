//! `flowswap pause`: pauses the command that is at work, from another terminal. It ends what it has begun, and changes nothing
//! more until `flowswap unpause`.

use flowswap_engine::Pace;

use super::desk::Steered;
use crate::{
    context::Context,
    display::text::text,
    door::{Ask, AtWork},
    exit::{Exit, Failure},
};

pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let at_work = find(context, "pause").await?;
    context.terminal.say("waiting until the steps that have begun are done");
    let steered: Steered = at_work.ask(Ask::Pause).await?;
    context.terminal.report(&steered, || {
        let doing = &steered.doing;
        let (command, next) = (doing.command, "next: flowswap unpause, or flowswap cancel");
        match &doing.pace {
            Pace::Paused(paused) if !steered.changed => {
                text!("`flowswap {}` was paused already, by {} at {}\n{}\n", command, paused.by, paused.at, next)
            }
            Pace::Paused(_) => {
                text!("paused `flowswap {}`: it changes nothing until it may go on\n{}\n", command, next)
            }
            _ => text!("somebody let `flowswap {}` go on again\n", command),
        }
    })?;
    Ok(Exit::Done)
}

/// The command that is at work. Without one, the person believes something that is not so.
pub(super) async fn find(context: &Context, what: &str) -> Result<AtWork, Failure> {
    let config = context.load_config()?;
    AtWork::find(&config, &context.global).await?.ok_or_else(|| {
        let failure = Failure::new(Exit::Failed, format!("no command is at work here, so there is nothing to {what}"));
        failure.hint("see the state of every tenant: flowswap status")
    })
}
