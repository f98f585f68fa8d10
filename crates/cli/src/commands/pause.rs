//! `flowswap pause`: pauses the command that is at work, from another terminal. It ends what it has begun, and changes nothing
//! more until `flowswap unpause`.

use std::time::Duration;

use super::desk::Steered;
use crate::{
    context::Context,
    display::text::text,
    door::{Ask, AtWork},
    exit::{Exit, Failure},
};

/// How long a command takes at most from the end of a run to its own end, or to the next wave.
const MOMENT: Duration = Duration::from_millis(500);

pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let at_work = find(context, "pause").await?;
    context.terminal.say("waiting until the steps that have begun are done");
    let otherwise = "the command still pauses once these steps are done; to prevent that: flowswap unpause";
    let Some(steered) = unless_stopped(context, at_work.ask::<Steered>(Ask::Pause), otherwise).await? else {
        return Ok(Exit::Interrupted);
    };
    let command = steered.doing.command;
    let Some(paused) = &steered.doing.paused else {
        return Err(Failure::new(Exit::Failed, format!("somebody let `flowswap {command}` go on at the same time")));
    };
    // Its last step may have been the one that ended.
    tokio::time::sleep(MOMENT).await;
    find(context, "pause").await.map_err(|_| {
        let failure = Failure::new(Exit::Failed, format!("`flowswap {command}` ended before it was paused"));
        failure.hint("see what it did: flowswap status")
    })?;
    context.terminal.report(&steered, || {
        let next = "next: flowswap unpause, or flowswap cancel";
        if steered.changed {
            text!("paused `flowswap {}`: it changes nothing until you let it go on\n{}\n", command, next)
        } else {
            text!("`flowswap {}` was paused already, by {} at {}\n{}\n", command, paused.by, paused.at, next)
        }
    })?;
    Ok(Exit::Done)
}

/// Waits for the answer of the command that is at work. `None` if the person does not want to wait any longer, who is then told what
/// happens otherwise.
pub(super) async fn unless_stopped<T>(
    context: &Context,
    answer: impl Future<Output = Result<T, Failure>>,
    otherwise: &str,
) -> Result<Option<T>, Failure> {
    tokio::select! {
        biased;
        () = context.stop.stopped() => {
            context.terminal.say(text!("{}", otherwise));
            Ok(None)
        }
        answer = answer => answer.map(Some),
    }
}

/// The command that is at work. Without one, the person believes something that is not so.
pub(super) async fn find(context: &Context, what: &str) -> Result<AtWork, Failure> {
    let config = context.load_config()?;
    AtWork::find(&config, &context.global).await?.ok_or_else(|| {
        let failure = Failure::new(Exit::Failed, format!("no command is at work here, so there is nothing to {what}"));
        failure.hint("see the state of every tenant: flowswap status")
    })
}
