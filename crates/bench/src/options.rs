//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Measure flowswap against the simulator, and against a bare loop of the same requests.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// How many tenants to migrate.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) tenants: usize,
    /// How long every response takes, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub(crate) latency: u64,
    /// How many tenants are in flight at a time (`run.concurrency`).
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) concurrency: usize,
    /// How often to measure. The table shows medians.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) runs: usize,
    /// The seed of the simulated world.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The cores of the simulator, as `taskset -c` takes them.
    #[arg(long, value_name = "LIST")]
    pub(crate) sim_cores: Option<String>,
    /// The cores of flowswap and of the loop, as `taskset -c` takes them.
    #[arg(long, value_name = "LIST")]
    pub(crate) cores: Option<String>,
    /// Do not record the requests, and do not measure the loop.
    #[arg(long)]
    pub(crate) no_floor: bool,
    /// Measure instead how much three orgs in trouble hold up all others.
    #[arg(long)]
    pub(crate) trouble: bool,
    /// Keep the state of the runs in new folders within this folder. Syncs count only on a real disk.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The binary to measure. Without this option, the one beside this binary.
    #[arg(long, value_name = "FILE")]
    pub(crate) flowswap: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the loop. The measurement starts itself again with this.
    #[command(hide = true)]
    Floor {
        #[command(flatten)]
        files: FloorFiles,
    },
}

/// What the loop needs.
#[derive(Debug, Args)]
pub(crate) struct FloorFiles {
    /// The recorded requests.
    pub(crate) trace: PathBuf,
    /// The folder of the running simulator.
    pub(crate) sim: PathBuf,
    /// How many tenants are in flight at a time.
    pub(crate) concurrency: usize,
}

impl Options {
    /// How long every response takes.
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency)
    }
}
