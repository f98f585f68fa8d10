//! The time of a command: that of this machine, or that of the simulator which the configuration names.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::OnceLock,
    time::Duration,
};

use flowswap_config::{Config, Simulation};
use flowswap_engine::Clock;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::exit::{Exit, Failure};

/// How far the clock of the simulator is ahead of this machine. Every part of a command must have the same time.
static AHEAD: OnceLock<SignedDuration> = OnceLock::new();

/// How long the simulator may take to say its time. It is on this machine, but after a long leap it first carries out what was due.
const PATIENCE: Duration = Duration::from_secs(60);

/// The clock of a command.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // The other sides write milliseconds, so finer times would compare wrongly.
        let now = Timestamp::now().saturating_add(ahead()).unwrap_or(Timestamp::MAX);
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// How far this command is ahead of this machine. Zero without a simulator.
fn ahead() -> SignedDuration {
    AHEAD.get().copied().unwrap_or_default()
}

/// Takes over the time of the simulator that the configuration names, if it names one. Only the first one counts. Returns how far
/// it is ahead if that is new.
///
/// # Errors
///
/// If the simulator does not say its time. With another time, flowswap would judge the simulated tenants wrongly.
pub(crate) fn remember(config: &Config) -> Result<Option<SignedDuration>, Failure> {
    let Some(simulation) = config.simulation.as_ref().filter(|_| AHEAD.get().is_none()) else { return Ok(None) };
    let ahead = ask(simulation).map_err(|error| {
        let doing = format!("ask the simulator at {} for its time", simulation.address);
        let hint = "start a simulator in an empty folder, and use the configuration there; for real tenants, remove `[simulation]`";
        Failure { exit: Exit::Failed, ..Failure::at(doing)(error) }.hint(hint)
    })?;
    let ahead = *AHEAD.get_or_init(|| ahead);
    Ok(Some(ahead).filter(|ahead| !ahead.is_zero()))
}

#[derive(Deserialize)]
struct Answer {
    moved_ms: i64,
}

/// The address is one of this machine, and the answer has no secret, so this needs no TLS.
fn ask(simulation: &Simulation) -> io::Result<SignedDuration> {
    let Simulation { address, path } = simulation;
    let mut stream = TcpStream::connect_timeout(address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").filter(|(head, _)| head.starts_with("HTTP/1.1 200")).map(|(_, body)| body);
    let body = body.ok_or_else(|| io::Error::other("the answer is not that of a simulator"))?;
    let Answer { moved_ms } = serde_json::from_str(body).map_err(io::Error::other)?;
    Ok(SignedDuration::from_millis(moved_ms))
}
