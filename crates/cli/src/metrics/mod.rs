//! `--metrics`: the state of all tenants, and what the runs of this process did, as a file of Prometheus metrics. The journal
//! knows the tenants. The runs and the days that are left are only in what this process saw.

mod exposition;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use flowswap_config::Config;
use flowswap_engine::{Clock, Ending, Event, EventSink, Logbook, Overview, RunCommand, Summary};
use jiff::Timestamp;

use self::exposition::{Exposition, Type, value};
use crate::{
    context::{Context, SystemClock, read_logbook, read_tenant},
    exit::Failure,
    output::{Kind, Output},
    terminal::Terminal,
};

/// What `--metrics` writes, and where.
pub(crate) struct Metrics {
    place: Output,
    seen: Mutex<Seen>,
}

/// What only this process knows.
#[derive(Default)]
struct Seen {
    days_left: BTreeMap<String, i64>,
    /// The last run of each command.
    runs: BTreeMap<String, Run>,
    /// The requests of the run that is at work, by their status.
    requests: Requests,
}

type Requests = BTreeMap<String, usize>;

struct Run {
    duration: Duration,
    tenants: Vec<(Ending, usize)>,
    requests: Requests,
}

/// A tenant, as the journal knows it.
struct Known {
    name: String,
    state: String,
    is_overdue: bool,
    last_look: Option<Timestamp>,
    secret_made_at: Option<Timestamp>,
}

impl Metrics {
    /// Checks the file before the command does anything else.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Failure> {
        Ok(Self { place: Output::prepare_file(path, Kind::Metrics)?, seen: Mutex::default() })
    }

    /// The same sink, counting the requests.
    pub(crate) fn beside(self: &Arc<Self>, events: Arc<dyn EventSink>) -> Arc<dyn EventSink> {
        Arc::new(Counting { events, metrics: Arc::clone(self) })
    }

    /// Notes how many days the connection of a tenant still works.
    pub(crate) fn note_days_left(&self, tenant: &str, days: Option<i64>) {
        if let Some(days) = days {
            self.seen().days_left.insert(tenant.to_owned(), days);
        }
    }

    /// Begins to measure a run. No two runs of a process overlap.
    pub(crate) fn begin_run(&self, command: RunCommand) -> Measured<'_> {
        self.seen().requests.clear();
        Measured { metrics: self, command, begun: Instant::now() }
    }

    /// Writes the file after a command.
    pub(crate) async fn write(&self, context: &Context) -> Result<(), Failure> {
        let config = context.load_config()?;
        let logbook = read_logbook(&config).await?;
        self.write_from(context.terminal, &config, &logbook).await
    }

    /// Writes the file from a journal that is open.
    pub(crate) async fn write_from(
        &self,
        terminal: Terminal,
        config: &Config,
        logbook: &Logbook,
    ) -> Result<(), Failure> {
        let now = SystemClock.now();
        let tenants = read_tenants(config, logbook, now).await?;
        let text = self.seen().print(&tenants, now);
        self.place.stream(terminal, |out| out.write_all(text.as_bytes()))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is being measured.
pub(crate) struct Measured<'a> {
    metrics: &'a Metrics,
    command: RunCommand,
    begun: Instant,
}

impl Measured<'_> {
    /// Notes how the run ended.
    pub(crate) fn end(self, summary: &Summary) {
        let count = |ending| summary.endings.iter().filter(|it| **it == ending).count();
        let tenants = Ending::ALL.map(|ending| (ending, count(ending))).into();
        let mut seen = self.metrics.seen();
        let requests = std::mem::take(&mut seen.requests);
        seen.runs.insert(self.command.to_string(), Run { duration: self.begun.elapsed(), tenants, requests });
    }
}

/// Counts requests by their status.
struct Counting {
    events: Arc<dyn EventSink>,
    metrics: Arc<Metrics>,
}

impl EventSink for Counting {
    fn emit(&self, event: Event) {
        if let Event::Request { status, .. } = &event {
            let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            *self.metrics.seen().requests.entry(status).or_default() += 1;
        }
        self.events.emit(event);
    }
}

/// The tenants of the configuration and of the journal.
async fn read_tenants(config: &Config, logbook: &Logbook, now: Timestamp) -> Result<Vec<Known>, Failure> {
    let overviews = logbook.overviews();
    let configured = config.tenants.iter().map(|tenant| tenant.name.clone());
    let names: BTreeSet<String> = configured.chain(overviews.keys().cloned()).collect();
    let mut tenants = Vec::new();
    for name in names {
        let known = overviews.get(&name);
        let state = known.map_or_else(|| Overview::unplanned(now).state, |known| known.state);
        // Only the history has the deadline of a run sheet.
        let is_asked = known.is_some_and(|known| known.asked.is_some());
        let work = if is_asked { read_tenant(logbook, &name).await?.and_then(|tenant| tenant.work) } else { None };
        let question = work.as_ref().and_then(|work| work.question.as_ref());
        tenants.push(Known {
            state: state.to_string(),
            is_overdue: question.is_some_and(|question| question.deadline < now),
            last_look: known.and_then(|known| known.last_at),
            secret_made_at: known.and_then(|known| known.secret_made_at),
            name,
        });
    }
    Ok(tenants)
}

impl Seen {
    fn print(&self, tenants: &[Known], now: Timestamp) -> String {
        let mut text = Exposition::default();
        text.add(
            "flowswap_tenant_state",
            Type::Gauge,
            "The state of each tenant, as `flowswap status` shows it. The value is 1.",
            tenants.iter().map(|it| (vec![("tenant", it.name.clone()), ("state", it.state.clone())], value(1))),
        );
        text.add(
            "flowswap_tenant_days_left",
            Type::Gauge,
            "The days until the connection stops working. Negative if it should have stopped. Only `flowswap detect` knows them.",
            tenants.iter().filter_map(|it| Some((it.label(), value(self.days_left.get(&it.name)?)))),
        );
        text.add(
            "flowswap_tenant_overdue",
            Type::Gauge,
            "1 if a run sheet is open and its deadline has passed, else 0.",
            tenants.iter().map(|it| (it.label(), value(u8::from(it.is_overdue)))),
        );
        text.add(
            "flowswap_tenant_last_look_timestamp_seconds",
            Type::Gauge,
            "When the journal got its last record of the tenant. A check that finds nothing new leaves none.",
            tenants.iter().filter_map(|it| Some((it.label(), value(it.last_look?.as_second())))),
        );
        text.add(
            "flowswap_client_secret_made_timestamp_seconds",
            Type::Gauge,
            "When flowswap made the client secret that the directory has.",
            tenants.iter().filter_map(|it| Some((it.label(), value(it.secret_made_at?.as_second())))),
        );
        self.print_runs(&mut text);
        text.add(
            "flowswap_written_timestamp_seconds",
            Type::Gauge,
            "When flowswap wrote this file.",
            [(Vec::new(), value(now.as_second()))],
        );
        text.into_text()
    }

    fn print_runs(&self, text: &mut Exposition) {
        let label = |command: &String| ("command", command.clone());
        text.add(
            "flowswap_run_tenants",
            Type::Gauge,
            "The tenants of the last run of this process, by what they count as.",
            self.runs.iter().flat_map(|(command, run)| {
                run.tenants.iter().map(move |(counts_as, count)| {
                    (vec![label(command), ("counts_as", counts_as.to_string())], value(count))
                })
            }),
        );
        text.add(
            "flowswap_run_duration_seconds",
            Type::Gauge,
            "How long the last run of this process took.",
            self.runs.iter().map(|(command, run)| (vec![label(command)], value(run.duration.as_secs_f64()))),
        );
        text.add(
            "flowswap_run_requests_total",
            Type::Counter,
            "The requests of the last run of this process, by the status of their answer. `none` is no answer.",
            self.runs.iter().flat_map(|(command, run)| {
                run.requests
                    .iter()
                    .map(move |(status, count)| (vec![label(command), ("status", status.clone())], value(count)))
            }),
        );
    }
}

impl Known {
    fn label(&self) -> Vec<(&'static str, String)> {
        vec![("tenant", self.name.clone())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The configuration permits no such name, but a journal may be older than the configuration.
    #[test]
    fn a_name_cannot_leave_its_label() {
        let name = "a\"} 1\nflowswap_tenant_overdue{tenant=\"b\\".to_owned();
        let tenant =
            Known { name, state: "waiting".to_owned(), is_overdue: true, last_look: None, secret_made_at: None };
        let text = Seen::default().print(&[tenant], Timestamp::UNIX_EPOCH);
        let overdue: Vec<&str> = text.lines().filter(|line| line.starts_with("flowswap_tenant_overdue{")).collect();
        assert_eq!(overdue, [r#"flowswap_tenant_overdue{tenant="a\"} 1\nflowswap_tenant_overdue{tenant=\"b\\"} 1"#]);
    }
}
