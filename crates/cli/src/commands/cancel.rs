//! `flowswap cancel`: stops the command that is at work, from another terminal, as Ctrl-C would. Returns once it has ended.

use super::{
    desk::Doing,
    pause::{find, unless_stopped},
};
use crate::{
    context::Context,
    display::text::text,
    exit::{Exit, Failure},
};

pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let at_work = find(context, "cancel").await?;
    context.terminal.say("waiting until the steps that have begun are done, and the command has ended");
    let otherwise = "the command still stops once these steps are done";
    let Some(doing) = unless_stopped(context, at_work.cancel::<Doing>(), otherwise).await? else {
        return Ok(Exit::Interrupted);
    };
    context.terminal.report(&doing, || {
        text!(
            "stopped `flowswap {}`; the steps that it had begun are done\nnext: flowswap status, or flowswap resume\n",
            doing.command
        )
    })?;
    Ok(Exit::Done)
}
