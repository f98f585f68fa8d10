//! The `flowswap` binary: arguments, wiring, display, and exit codes. The engine decides what happens to tenants.

mod allocator;
mod approvals;
mod args;
mod clipboard;
mod clock;
mod commands;
mod context;
mod display;
mod documents;
mod door;
mod events;
mod examples;
mod exit;
mod failed;
mod fetch;
mod fleet;
mod full_command;
mod go_on;
mod hand_over;
mod identity;
mod interactive;
mod interrupt;
mod keyboard;
mod known;
mod log_file;
mod metrics;
mod notify;
mod output;
mod plugin_pins;
mod plugin_search;
mod question;
mod report_files;
mod selection;
mod service;
mod side;
mod signing;
#[cfg(feature = "sandbox")]
mod sim_files;
#[cfg(feature = "sandbox")]
mod sim_world;
mod soak;
mod spans;
mod terminal;
#[cfg(feature = "otlp")]
mod traces;
mod trust;
mod usage;
mod waves;

use std::{ffi::OsString, io, path::Path, process::ExitCode, sync::Arc};

use clap::FromArgMatches;

use crate::{
    args::{Cli, Command, Recording, answer_shell, asked_format, read_line},
    context::Context,
    exit::{Exit, Failure},
    terminal::Terminal,
};

/// The first argument when the binary starts itself to run a plugin. The path of the library and the word for its cage follow.
const PLUGIN_PROCESS: &str = "__plugin";
/// The only argument when the binary starts itself to put a secret on the clipboard.
const CLIPBOARD_PROCESS: &str = "__clipboard";

/// The most threads that wait for the secret store, for name servers, and for files. Each of them takes memory.
const MOST_BLOCKING_THREADS: usize = 32;

fn main() -> ExitCode {
    // First of all: a program that opens the memory of this process before can read it afterwards.
    let hardened = flowswap_host::harden();
    // Only flowswap itself starts these processes, so they are not part of the command line that people see.
    let words: Vec<_> = std::env::args_os().collect();
    match words.get(1..).unwrap_or_default() {
        [word, library, cage] if word == PLUGIN_PROCESS => {
            if let Some(Ok(cage)) = cage.to_str().map(str::parse) {
                return flowswap_host::serve(Path::new(library), cage);
            }
        }
        [word] if word == CLIPBOARD_PROCESS => return clipboard::serve(),
        _ => {}
    }
    match answer_shell(&words) {
        Ok(false) => {}
        // The person who types must not see an error.
        Ok(true) | Err(_) => return Exit::Done.into(),
    }
    let (cli, recording) = match read(&words) {
        Ok(read) => read,
        Err(error) => return Terminal::refuse(asked_format(&words), &error),
    };
    full_command::remember(&cli.global);
    let terminal = Terminal::new(&cli.global);
    let fail_on = cli.global.fail_on.unwrap_or(cli.command.fails_on());
    let exit = match start(cli, recording, hardened) {
        Ok(exit) => fail_on.code(exit),
        Err(failure) => {
            let exit = fail_on.code(failure.exit);
            terminal.end_with(&Failure { exit, ..failure });
            exit
        }
    };
    exit.into()
}

/// Reads the command line: the command to run, and whether to record it.
fn read(words: &[OsString]) -> Result<(Cli, Option<Recording>), clap::Error> {
    let matches = read_line(words)?;
    let cli = Cli::from_arg_matches(&matches)?;
    match cli.command {
        Command::Record(args) => args.recorded(&matches).map(|(cli, recording)| (cli, Some(recording))),
        command => Ok((Cli { command, ..cli }, None)),
    }
}

fn start(cli: Cli, recording: Option<Recording>, hardened: io::Result<()>) -> Result<Exit, Failure> {
    hardened.map_err(Failure::at("protect the memory of this process"))?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().max_blocking_threads(MOST_BLOCKING_THREADS).build();
    let runtime = runtime.map_err(Failure::at("start"))?;
    runtime.block_on(async {
        let context = Context::new(cli.global)?;
        let (courier, terminal) = (context.courier.clone(), context.terminal);
        let gate = Arc::clone(&context.gate);
        #[cfg(feature = "otlp")]
        let traces = Arc::clone(&context.traces);
        let ended = match recording {
            Some(recording) => commands::record::run(context, cli.command, recording).await,
            None => commands::run(context, cli.command).await,
        };
        courier.finish_command(terminal).await;
        if let Some(gate) = gate.get() {
            usage::say(terminal, gate);
        }
        #[cfg(feature = "otlp")]
        traces.finish(terminal).await;
        ended
    })
}
