//! The `flowswap` binary: arguments, wiring, display and exit codes. What it does is decided elsewhere.

mod args;
mod commands;
mod config;
mod context;
mod display;
mod exit;
mod fleet;
mod interrupt;
mod plugin_pins;
mod sim_files;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    args::{Cli, Command},
    context::Context,
    terminal::Terminal,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::PluginProcess { library } = &cli.command {
        return flowswap_host::serve(library);
    }
    let terminal = Terminal::new(&cli.global);
    let result = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(async { commands::run(Context::new(cli.global), cli.command).await }),
        Err(error) => Err(exit::Failure::at("start")(error)),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal.complain(&failure);
            failure.exit.into()
        }
    }
}
