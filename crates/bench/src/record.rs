//! Records the requests of flowswap over a simulator in this process.

use std::path::Path;
use std::time::{Duration, Instant};

use flowswap_sim::{Exchange, SYNC_EVERY, Sim, SimConfig};
use flowswap_store::{Identity, StateDir};

use crate::Failure;
use crate::lab::{binary, folder, pinned, set_concurrency};
use crate::options::Options;
use crate::report::{EVERY_END, apply, plan};
use crate::trace::Trace;

/// While it records, fewer tenants are in flight. Otherwise requests that flowswap sends together could wait for each other,
/// and look as if one depended on the other.
const CONCURRENCY: usize = 48;

/// The requests of both commands.
pub(crate) struct Recording {
    pub(crate) plan: Trace,
    pub(crate) apply: Trace,
    /// From the start of the command to its first request.
    pub(crate) first_request: [Duration; 2],
}

/// Migrates the fleet and records it.
pub(crate) fn record(options: &Options) -> Result<Recording, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let dir = folder(options)?;
    // As `flowswap sim` sets it, and with the record.
    let config = SimConfig::default().tenants(options.tenants).seed(options.seed).latency(options.latency());
    let config = config.scheduled_sync(SYNC_EVERY).record(true);
    let sim = runtime.block_on(Sim::start(config, ([127, 0, 0, 1], 0).into()))?;
    sim.write_client_files(dir.path(), "")?;
    let state = StateDir::create(dir.path().join(".flowswap"))?;
    Identity::generate(&state.root().join("identity.txt"), None)?;
    set_concurrency(dir.path(), options.concurrency.min(CONCURRENCY))?;

    let binary = binary(options)?;
    let (planned, first_plan) = follow(&sim, 0, dir.path(), plan(pinned(&binary, None)))?;
    let (applied, first_apply) = follow(&sim, planned.len(), dir.path(), apply(pinned(&binary, None)))?;
    let tenants = sim.tenants();
    runtime.block_on(sim.stop());
    let (plan, apply) = (Trace::of(planned, &tenants), Trace::of(applied, &tenants));
    Ok(Recording { plan, apply, first_request: [first_plan, first_apply] })
}

/// Runs a command, and returns its requests and the time to the first one.
fn follow(
    sim: &Sim,
    known: usize,
    dir: &Path,
    mut command: std::process::Command,
) -> Result<(Vec<Exchange>, Duration), Failure> {
    command.current_dir(dir);
    let begin = Instant::now();
    let _usage = crate::measure::run(command, EVERY_END, || ())?;
    let exchanges: Vec<_> = sim.traffic().into_iter().skip(known).collect();
    let first = exchanges.iter().map(|exchange| exchange.began).min();
    Ok((exchanges, first.map(|first| first.duration_since(begin)).unwrap_or_default()))
}
