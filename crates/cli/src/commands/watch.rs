//! `flowswap watch`: goes on with what soaks, waits or is on its way back, no more often than anything new can be seen, until
//! nothing is awaited.

use std::{collections::BTreeMap, time::Duration};

use flowswap_contract::Phase;
use flowswap_engine::{Clock, Event, EventSink, History, Ports, TenantHistory, TenantState};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    awaited::Awaited,
    started::{self, Errand},
};
use crate::{
    args::WatchArgs,
    config::Config,
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

/// Looking costs the other sides requests, and nothing of theirs changes faster.
const LEAST: Duration = Duration::from_secs(15);

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
    let every = args.every.max(LEAST);
    let mut watched = Watched::default();
    loop {
        let history = read_history(&config).await?;
        watched.take_in(context, &names, &history);
        let Some(earliest) = watched.next_look(watched.earliest(&history), SystemClock.now(), every) else { break };
        // A pause that is longer than was asked for is worth a word.
        if earliest > later(SystemClock.now(), every) {
            context.terminal.say(text!("nothing more can be seen before {}; looking again then", earliest));
        }
        if context.stop.is_stopped() || !wait_until(context, earliest).await {
            return Ok(Exit::Interrupted);
        }
        watched.looked_at(SystemClock.now());
        go_on(context, &config, &watched.names(), &history).await?;
    }
    report(context, &watched, &read_history(&config).await?)
}

/// The tenants that were ever awaited, and what was last said of each.
#[derive(Default)]
struct Watched {
    said: BTreeMap<String, Text>,
    awaited: Vec<String>,
    last_look: Option<Timestamp>,
}

impl Watched {
    /// Says what changed, and takes note of who is awaited now.
    fn take_in(&mut self, context: &Context, names: &[String], history: &History) {
        self.awaited.clear();
        for name in names {
            let Some(tenant) = history.tenant(name) else { continue };
            let is_awaited = is_awaited(tenant);
            if is_awaited {
                self.awaited.push(name.clone());
            } else if !self.said.contains_key(name) {
                continue;
            }
            let line = describe(name, tenant);
            if self.said.get(name) != Some(&line) {
                context.terminal.say(&line);
                self.said.insert(name.clone(), line);
            }
        }
    }

    fn names(&self) -> Vec<String> {
        self.awaited.clone()
    }

    fn looked_at(&mut self, now: Timestamp) {
        self.last_look = Some(now);
    }

    /// For each awaited tenant, from when on more can be seen, where that is known.
    fn earliest(&self, history: &History) -> impl Iterator<Item = Option<Timestamp>> {
        self.awaited.iter().filter_map(|name| history.tenant(name)).map(|tenant| Awaited::of(tenant).earliest)
    }

    /// When it is worth looking again; none when nothing is awaited. The first look is at once where nothing speaks
    /// against it.
    fn next_look(
        &self,
        earliest: impl Iterator<Item = Option<Timestamp>>,
        now: Timestamp,
        every: Duration,
    ) -> Option<Timestamp> {
        let regular = self.last_look.map_or(now, |last| later(last, every));
        let least = self.last_look.map_or(now, |last| later(last, LEAST));
        earliest.map(|earliest| earliest.unwrap_or(regular)).min().map(|due| due.max(least))
    }
}

fn is_awaited(tenant: &TenantHistory) -> bool {
    match tenant.state {
        TenantState::Soaking | TenantState::Waiting => true,
        // The connection from before is back, and the new client waits for its deletion.
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
    let awaited = Awaited::of(tenant).line().filter(|_| tenant.state == TenantState::Soaking);
    let reason = awaited.or_else(|| tenant.reason.clone()).map(|reason| text!(": {}", reason)).unwrap_or_default();
    text!("{}: {}{}", name, state, reason)
}

/// Whether the time came before the operator's wish to stop.
async fn wait_until(context: &Context, at: Timestamp) -> bool {
    let wait = at.duration_since(SystemClock.now());
    let wait = Duration::try_from(wait).unwrap_or_default();
    tokio::select! {
        biased;
        () = context.stop.stopped() => false,
        () = tokio::time::sleep(wait) => true,
    }
}

/// Goes on with the tenants, each the way that it was going; one kind of run after the other.
async fn go_on(context: &Context, config: &Config, names: &[String], seen: &History) -> Result<(), Failure> {
    let mut errands: Vec<(Errand, Vec<String>)> = Vec::new();
    for name in names {
        let Some(tenant) = seen.tenant(name) else { continue };
        let errand = Errand::of(tenant);
        match errands.iter_mut().find(|(known, _)| (known.command, known.goal) == (errand.command, errand.goal)) {
            Some((_, together)) => together.push(name.clone()),
            None => errands.push((errand, vec![name.clone()])),
        }
    }
    for (errand, names) in errands {
        let ports = match context.run_ports(config, std::sync::Arc::new(Quiet(Progress::lines(context.terminal)))).await
        {
            Ok(ports) => ports,
            // Whoever else is at work does the same, or something that matters more.
            Err(failure) if is_in_use(&failure) => {
                context.terminal.say("another flowswap is at work on this state; looking again later");
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        look(context, config, ports, &names, errand).await?;
    }
    Ok(())
}

async fn look(
    context: &Context,
    config: &Config,
    (ports, history): (Ports, History),
    names: &[String],
    errand: Errand,
) -> Result<(), Failure> {
    let fleet = Fleet::open(context, config, names, &ports).await?;
    let jobs = started::jobs(config, &fleet, &history, false, errand.goal)?;
    started::carry_out(config, &started::runner(ports), errand.command, jobs).await.map(drop)
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

/// Says only what a look that sees nothing new does not say every time.
struct Quiet(Progress);

impl EventSink for Quiet {
    fn emit(&self, event: Event) {
        let is_routine =
            matches!(event, Event::RunStarted { .. } | Event::StepFailed { .. } | Event::TenantEnded { .. });
        if !is_routine {
            self.0.emit(event);
        }
    }
}

/// Where those that were awaited ended.
fn report(context: &Context, watched: &Watched, history: &History) -> Result<Exit, Failure> {
    let rows = watched.said.keys().filter_map(|name| {
        let tenant = history.tenant(name)?;
        Some(Row { name: name.clone(), state: tenant.state, reason: tenant.reason.clone() })
    });
    let report = Report { tenants: rows.collect() };
    if report.tenants.is_empty() {
        context.terminal.say("nothing is awaited");
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

    /// It is 100 now, and the tenants say from when on more can be seen, where they know.
    fn check(looked: Option<i64>, earliest: &[Option<i64>], every: u64, expect: Option<i64>) {
        let watched = Watched { last_look: looked.map(at), ..Watched::default() };
        let earliest = earliest.iter().map(|second| second.map(at));
        let due = watched.next_look(earliest, at(100), Duration::from_secs(every));
        assert_eq!(due, expect.map(at), "{looked:?} {every}");
    }

    #[test]
    fn looks_are_as_rare_as_they_can_be() {
        // Nothing is awaited.
        check(None, &[], 60, None);
        // The first look is at once, unless all that is awaited needs time.
        check(None, &[None], 60, Some(100));
        check(None, &[Some(500), None], 60, Some(100));
        check(None, &[Some(500), Some(400)], 60, Some(400));
        check(None, &[Some(5)], 60, Some(100));
        // Later ones come regularly, or when the first can show more.
        check(Some(100), &[None, Some(900)], 60, Some(160));
        check(Some(100), &[Some(130), None], 60, Some(130));
        check(Some(100), &[Some(900)], 60, Some(900));
        // But never more often than the least.
        check(Some(100), &[Some(101)], 60, Some(115));
        check(Some(100), &[Some(90)], 60, Some(115));
    }
}
