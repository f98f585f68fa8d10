//! `flowswap unpause`: lets the command go on that `flowswap pause` paused.

use super::{desk::Steered, pause::find};
use crate::{
    context::Context,
    display::text::text,
    door::Ask,
    exit::{Exit, Failure},
};

pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let steered: Steered = find(context, "let go on").await?.ask(Ask::Unpause).await?;
    context.terminal.report(&steered, || {
        let word = if steered.changed { "goes on" } else { "was not paused" };
        text!("`flowswap {}` {}\n", steered.doing.command, word)
    })?;
    Ok(Exit::Done)
}
