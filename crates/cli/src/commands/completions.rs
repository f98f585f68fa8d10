//! `flowswap completions`: prints the script by which a shell asks flowswap what it can complete.

use clap_complete::Shell;

use crate::{
    args::write_script,
    context::Context,
    display::text::Text,
    exit::{Exit, Failure},
};

pub(crate) fn run(context: &Context, shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    write_script(shell, &mut script).map_err(Failure::at("make the script"))?;
    context.terminal.write_out(&Text::of_lines(&String::from_utf8_lossy(&script)))?;
    Ok(Exit::Done)
}
