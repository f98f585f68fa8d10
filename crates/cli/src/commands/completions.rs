//! `flowswap completions`: prints a completion script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{
    args::Cli,
    context::Context,
    display::text::Text,
    exit::{Exit, Failure},
};

pub(crate) fn run(context: &Context, shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "flowswap", &mut script);
    context.terminal.write_out(&Text::of_lines(&String::from_utf8_lossy(&script)))?;
    Ok(Exit::Done)
}
