//! `flowswap pause`: pauses the command that is at work, from another terminal. It ends what it has begun, and changes nothing
//! more until `flowswap unpause`.

use std::time::Duration;

use super::desk::Steered;
use crate::{
    context::Context,
    display::text::{Text, text},
    door::{Ask, AtWork},
    exit::{Exit, Failure},
};

/// How long a command takes at most from the end of a run to its own end, or to the next wave.
const MOMENT: Duration = Duration::from_millis(500);

pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let at_work = find(context, "pause").await?;
    context.terminal.say("waiting until the steps that have begun are done");
    let steered: Steered = tokio::select! {
        biased;
        () = context.stop.stopped() => {
            context.terminal.say("the command still pauses once these steps are done; to prevent that: flowswap unpause");
            return Ok(Exit::Interrupted);
        }
        steered = at_work.ask(Ask::Pause) => steered?,
    };
    let command = steered.doing.command;
    if steered.doing.paused.is_none() {
        return Err(Failure::new(Exit::Failed, format!("somebody let `flowswap {command}` go on at the same time")));
    }
    // Its last step may have been the one that ended.
    tokio::time::sleep(MOMENT).await;
    find(context, "pause").await.map_err(|_| {
        let failure = Failure::new(Exit::Failed, format!("`flowswap {command}` ended before it was paused"));
        failure.hint("see what it did: flowswap status")
    })?;
    context.terminal.report(&steered, || {
        let doing = &steered.doing;
        let next = "next: flowswap unpause, or flowswap cancel";
        match &doing.paused {
            Some(paused) if !steered.changed => {
                text!("`flowswap {}` was paused already, by {} at {}\n{}\n", command, paused.by, paused.at, next)
            }
            Some(_) => {
                text!("paused `flowswap {}`: it changes nothing until it may go on\n{}\n", command, next)
            }
            None => Text::default(),
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
