//! The arguments of the commands that need the simulator.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};

use super::{parse_duration, whole_number};
use crate::examples;

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// How many tenants to simulate.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = whole_number(1..=1000_u32))]
    pub(crate) tenants: u32,
    /// Keep the configuration, plan, reports, journal, and secrets in this folder. It must be new or empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SimArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SimCommand>,
    /// How many tenants to simulate.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = whole_number(1..=10_000_u32))]
    pub(crate) tenants: u32,
    /// The directory plugin that the configuration uses.
    #[arg(long, value_enum, value_name = "PLUGIN", default_value_t = Directory::Rest)]
    pub(crate) directory: Directory,
    /// What the configuration names as the credential of the orgs' administrators.
    #[arg(long, value_enum, value_name = "KIND", default_value_t = Admin::Token)]
    pub(crate) admin: Admin,
    /// How many requests of each kind an org allows in a minute.
    #[arg(long, value_name = "REQUESTS", value_parser = whole_number(1..=100_000_u32))]
    pub(crate) rate_limit: Option<u32>,
    /// Which part of each rate limit other clients of the orgs use, such as `48%`.
    #[arg(long, value_name = "PERCENT", requires = "rate_limit", value_parser = parse_percent, default_value = "0%")]
    pub(crate) others: u32,
    /// How many apps every org has that have nothing to do with its directory, besides the usual few.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole_number(0..=100_000_u32))]
    pub(crate) apps: u32,
    /// How often every directory syncs. Cloud Identity Engine syncs changes every five minutes.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub(crate) sync_every: Duration,
    /// The seed of the simulated world; the same seed gives the same world.
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = whole_number(0_u64..))]
    pub(crate) seed: u64,
    /// How long every response takes.
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = parse_duration)]
    pub(crate) latency: Duration,
    /// Write the configuration, the certificate, and the tokens to this folder.
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) dir: Option<PathBuf>,
    /// The port on 127.0.0.1; 0 picks a free port.
    #[arg(long, value_name = "P", default_value_t = 0, value_parser = whole_number(0..=u16::MAX))]
    pub(crate) port: u16,
}

/// How a client of the simulator reaches the directories, by the name of the plugin that does so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Directory {
    /// Through an automation gateway, without a person.
    Rest,
    /// Through Cloud Identity Engine itself, with a person at the console.
    CieGuided,
}

/// How flowswap acts as the administrator of a simulated org.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Admin {
    /// By an API token.
    Token,
    /// By the key of a service app.
    ServiceApp,
    /// By the key of a service app whose tokens are bound to a key.
    Dpop,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Print the state of the running simulator as JSON.
    #[command(after_help = examples::sandbox::SIM_WORLD)]
    World {
        /// The folder of the running simulator (its `--dir`).
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Advance the clock of the running simulator
    ///
    /// Due syncs and expiries happen. In the folder of the simulator, flowswap has the same time.
    #[command(after_help = examples::sandbox::SIM_ADVANCE)]
    Advance {
        /// The folder of the running simulator (its `--dir`).
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// How far to advance, such as `10m` or `30d`.
        #[arg(value_name = "TIME", value_parser = parse_duration)]
        by: Duration,
    },
    /// Let the orgs of some tenants fail, until `flowswap sim mend`.
    #[command(after_help = examples::sandbox::SIM_FAULT)]
    Fault {
        /// The folder of the running simulator (its `--dir`).
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The tenants.
        #[arg(value_name = "TENANT", required = true)]
        tenants: Vec<String>,
        /// Only requests with this method and this beginning of a path, such as 'POST /oauth2/v1/token'.
        #[arg(long, value_name = "REQUEST", default_value = "", value_parser = parse_request)]
        on: FaultyRequest,
        /// What the orgs answer.
        #[arg(long, value_enum, value_name = "WHAT")]
        answer: FaultyAnswer,
    },
    /// Remove all faults of the running simulator.
    #[command(after_help = examples::sandbox::SIM_MEND)]
    Mend {
        /// The folder of the running simulator (its `--dir`).
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

/// The requests that a fault hits.
#[derive(Debug, Clone)]
pub(crate) struct FaultyRequest {
    /// `None` for every method.
    pub(crate) method: Option<String>,
    /// How their paths begin.
    pub(crate) path: String,
}

/// What a simulated org answers if it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FaultyAnswer {
    /// 403: the token may not do this.
    Refuse,
    /// 429: too many requests; try again in a minute.
    Busy,
    /// 503: the service is down.
    Down,
    /// Nothing for 30 seconds, then the right answer.
    Hang,
    /// 200 with a page that is no answer of Okta.
    Garbage,
}

fn parse_request(text: &str) -> Result<FaultyRequest, String> {
    let (method, path) = match text.split_once(' ') {
        None if text.is_empty() => (None, ""),
        None => (None, text),
        Some((method, path)) => (Some(method.to_owned()), path),
    };
    if !path.is_empty() && !path.starts_with('/') {
        return Err("expected a method and a path, such as 'POST /oauth2/v1/token'".to_owned());
    }
    Ok(FaultyRequest { method, path: path.to_owned() })
}

fn parse_percent(text: &str) -> Result<u32, String> {
    let percent = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
    percent.filter(|percent| *percent <= 100).ok_or_else(|| "expected 0% to 100%".to_owned())
}
