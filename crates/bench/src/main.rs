//! Measures flowswap: plans and applies a simulated fleet, and compares that with the floor. The floor is a bare loop that
//! makes the very same requests in the very same order, without plugins and without a journal.
//!
//! One run has three parts, and each has a fresh simulator of the same world:
//!
//! 1. flowswap migrates the fleet over a simulator in this process, which records every request (`record.rs`).
//! 2. flowswap migrates the fleet over `flowswap sim` in its own process (`lab.rs`, `measure.rs`).
//! 3. The loop repeats the recorded requests over `flowswap sim` (`floor.rs`).

mod floor;
mod journal;
mod lab;
mod measure;
mod options;
mod record;
mod report;
mod trace;
mod trouble;

use std::process::ExitCode;

use clap::Parser;
use options::{Command, Options};

/// Why the measurement failed. A person reads it, and no code decides by it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match &options.command {
        Some(Command::Floor { files }) => floor::run(files),
        None if options.trouble => trouble::run(&options),
        None => report::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
