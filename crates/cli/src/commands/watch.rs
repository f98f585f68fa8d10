//! `flowswap watch`: continues tenants that soak, wait, or roll back until none is left. It checks only when a check
//! can see something new.

use std::{collections::BTreeMap, time::Duration};

use flowswap_config::Config;
use flowswap_contract::Phase;
use flowswap_engine::{Clock, Event, EventSink, History, Ports, TenantHistory, TenantState};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    outstanding::Outstanding,
    started::{self, RunPurpose},
};
use crate::{
    args::WatchArgs,
    context::{Context, SystemClock, read_history},
    display::{
        progress::Progress,
        table,
        text::{Text, text},
        tone_of_state,
    },
    exit::{Exit, Failure},
    fleet::{Fleet, select},
    terminal::paint,
};

/// Every check costs the other sides requests, and nothing there changes faster than this.
const MIN_INTERVAL: Duration = Duration::from_secs(15);

/// The report at the end; scripts rely on its names.
#[derive(Serialize)]
struct Report {
    tenants: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    state: TenantState,
    reason: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &WatchArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let names: Vec<String> = select(&config, &args.select.tenants)?.iter().map(|tenant| tenant.name.clone()).collect();
    let every = args.every.max(MIN_INTERVAL);
    let mut watched = Watched::default();
    loop {
        let history = read_history(&config).await?;
        watched.update(context, &names, &history);
        let Some(earliest) = watched.next_check(watched.earliest(&history), SystemClock.now(), every) else { break };
        // Tell the user about a pause that is longer than `--every`.
        if earliest > later(SystemClock.now(), every) {
            context.terminal.say(text!("waiting until {} for the next check", earliest));
        }
        if context.stop.is_stopped() || !wait_until(context, earliest).await {
            return Ok(Exit::Interrupted);
        }
        watched.record_check(SystemClock.now());
        continue_tenants(context, &config, &watched.names(), &history).await?;
    }
    report(context, &watched, &read_history(&config).await?)
}

/// The tenants that waited at any time, and the last line shown about each.
#[derive(Default)]
struct Watched {
    shown: BTreeMap<String, Text>,
    waiting: Vec<String>,
    last_check: Option<Timestamp>,
}

impl Watched {
    /// Shows what changed, and notes which tenants wait now.
    fn update(&mut self, context: &Context, names: &[String], history: &History) {
        self.waiting.clear();
        for name in names {
            let Some(tenant) = history.tenant(name) else { continue };
            if must_watch(tenant) {
                self.waiting.push(name.clone());
            } else if !self.shown.contains_key(name) {
                continue;
            }
            let line = describe(name, tenant);
            if self.shown.get(name) != Some(&line) {
                context.terminal.say(&line);
                self.shown.insert(name.clone(), line);
            }
        }
    }

    fn names(&self) -> Vec<String> {
        self.waiting.clone()
    }

    fn record_check(&mut self, now: Timestamp) {
        self.last_check = Some(now);
    }

    /// For each waiting tenant, the earliest time of a useful check, where it is known.
    fn earliest(&self, history: &History) -> impl Iterator<Item = Option<Timestamp>> {
        self.waiting.iter().filter_map(|name| history.tenant(name)).map(|tenant| Outstanding::of(tenant).earliest)
    }

    /// When to check next, or `None` if no tenant waits. The first check is immediate unless every tenant needs time.
    fn next_check(
        &self,
        earliest: impl Iterator<Item = Option<Timestamp>>,
        now: Timestamp,
        every: Duration,
    ) -> Option<Timestamp> {
        let regular = self.last_check.map_or(now, |last| later(last, every));
        let soonest = self.last_check.map_or(now, |last| later(last, MIN_INTERVAL));
        earliest.map(|earliest| earliest.unwrap_or(regular)).min().map(|due| due.max(soonest))
    }
}

fn must_watch(tenant: &TenantHistory) -> bool {
    match tenant.state {
        TenantState::Soaking | TenantState::Waiting => true,
        // The directory is back on the legacy client, and the new client is not deleted yet.
        TenantState::RollingBack => tenant.work.as_ref().is_some_and(|work| {
            let phase = |id: &str| work.tenant.step(id).map(|step| step.proposal.phase);
            work.undone.iter().any(|undone| phase(&undone.id) == Some(Phase::Swap))
        }),
        _ => false,
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

fn describe(name: &str, tenant: &TenantHistory) -> Text {
    let state = paint(tone_of_state(tenant.state), tenant.state);
    let missing = Outstanding::of(tenant).line().filter(|_| tenant.state == TenantState::Soaking);
    let reason = missing.or_else(|| tenant.reason.clone()).map(|reason| text!(": {}", reason)).unwrap_or_default();
    text!("{}: {}{}", name, state, reason)
}

/// Waits until a time. Returns false if the user stopped the command first.
async fn wait_until(context: &Context, at: Timestamp) -> bool {
    let wait = at.duration_since(SystemClock.now());
    let wait = Duration::try_from(wait).unwrap_or_default();
    tokio::select! {
        biased;
        () = context.stop.stopped() => false,
        () = tokio::time::sleep(wait) => true,
    }
}

/// Continues the tenants, each in its direction, with one run for each command and goal.
async fn continue_tenants(context: &Context, config: &Config, names: &[String], seen: &History) -> Result<(), Failure> {
    let mut purposes: Vec<(RunPurpose, Vec<String>)> = Vec::new();
    for name in names {
        let Some(tenant) = seen.tenant(name) else { continue };
        let purpose = RunPurpose::of(tenant);
        match purposes.iter_mut().find(|(known, _)| (known.command, known.goal) == (purpose.command, purpose.goal)) {
            Some((_, together)) => together.push(name.clone()),
            None => purposes.push((purpose, vec![name.clone()])),
        }
    }
    for (purpose, names) in purposes {
        let ports = match context
            .run_ports(config, std::sync::Arc::new(ChangesOnly(Progress::without_bars(context.terminal))))
            .await
        {
            Ok(ports) => ports,
            // The other process does the same work, or more important work.
            Err(failure) if is_in_use(&failure) => {
                context.terminal.say("another flowswap process uses this state; checking again later");
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        run_once(context, config, ports, &names, purpose).await?;
    }
    Ok(())
}

async fn run_once(
    context: &Context,
    config: &Config,
    (ports, history): (Ports, History),
    names: &[String],
    purpose: RunPurpose,
) -> Result<(), Failure> {
    let fleet = Fleet::open(context, config, names, &ports).await?;
    let jobs = started::jobs(config, &fleet, &history, false, purpose.goal)?;
    started::carry_out(config, &started::runner(ports), purpose.command, jobs).await.map(drop)
}

fn is_in_use(failure: &Failure) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(failure.error.as_ref());
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(flowswap_engine::JournalError::InUse { .. })) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Shows only the events that do not repeat at every check.
struct ChangesOnly(Progress);

impl EventSink for ChangesOnly {
    fn emit(&self, event: Event) {
        let is_routine =
            matches!(event, Event::RunStarted { .. } | Event::StepFailed { .. } | Event::TenantEnded { .. });
        if !is_routine {
            self.0.emit(event);
        }
    }
}

/// Reports the final state of every tenant that waited.
fn report(context: &Context, watched: &Watched, history: &History) -> Result<Exit, Failure> {
    let rows = watched.shown.keys().filter_map(|name| {
        let tenant = history.tenant(name)?;
        Some(Row { name: name.clone(), state: tenant.state, reason: tenant.reason.clone() })
    });
    let report = Report { tenants: rows.collect() };
    if report.tenants.is_empty() {
        context.terminal.say("no tenant waits");
    }
    context.terminal.report(&report, || text(&report))?;
    let is_bad = |row: &Row| matches!(row.state, TenantState::Failed | TenantState::Stuck);
    Ok(if report.tenants.iter().any(is_bad) { Exit::SomeFailed } else { Exit::Done })
}

fn text(report: &Report) -> Text {
    if report.tenants.is_empty() {
        return Text::default();
    }
    let rows = report.tenants.iter().map(|row| {
        let reason = row.reason.as_deref().unwrap_or_default();
        [table::plain(&row.name), table::toned(tone_of_state(row.state), row.state), table::plain(reason)]
    });
    table::render(["tenant", "state", ""], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// The time is 100. `earliest` has the time of the next useful check for each tenant, where it is known.
    fn check(looked: Option<i64>, earliest: &[Option<i64>], every: u64, expect: Option<i64>) {
        let watched = Watched { last_check: looked.map(at), ..Watched::default() };
        let earliest = earliest.iter().map(|second| second.map(at));
        let due = watched.next_check(earliest, at(100), Duration::from_secs(every));
        assert_eq!(due, expect.map(at), "{looked:?} {every}");
    }

    #[test]
    fn checks_are_as_rare_as_possible() {
        // No tenant waits.
        check(None, &[], 60, None);
        // The first check is immediate, unless every tenant needs time.
        check(None, &[None], 60, Some(100));
        check(None, &[Some(500), None], 60, Some(100));
        check(None, &[Some(500), Some(400)], 60, Some(400));
        check(None, &[Some(5)], 60, Some(100));
        // Later checks are regular, or at the first useful time.
        check(Some(100), &[None, Some(900)], 60, Some(160));
        check(Some(100), &[Some(130), None], 60, Some(130));
        check(Some(100), &[Some(900)], 60, Some(900));
        // But never more often than the minimum interval.
        check(Some(100), &[Some(101)], 60, Some(115));
        check(Some(100), &[Some(90)], 60, Some(115));
    }
}
