//! `flowswap watch`: continues tenants that soak, wait, or roll back until none is left. It checks only when a check
//! can see something new.

use std::{collections::BTreeMap, time::Duration};

use flowswap_config::Config;
use flowswap_engine::{Clock, Event, EventSink, Goal, Logbook, Overview, TenantState};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    outstanding::Outstanding,
    standing,
    started::{self, RunPurpose},
};
use crate::{
    args::{AcceptChanges, WatchArgs},
    context::{Context, SystemClock, cannot_read, is_in_use, keep_snapshot, read_logbook, read_tenant},
    display::{
        causes,
        progress::Progress,
        table, tenants,
        text::{Text, text},
        times, tone_of_state,
    },
    documents::{Document, DocumentName},
    door::AtWork,
    exit::{Exit, Failure},
    fleet::Fleet,
    selection,
    service::Service,
    terminal::paint,
};

/// Every check costs the other sides requests, and nothing there changes faster than this.
const MIN_INTERVAL: Duration = Duration::from_secs(15);

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The tenants that waited at any time.
    tenants: Vec<Row>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Watch;
}

#[derive(Serialize, JsonSchema)]
struct Row {
    /// The name of the tenant.
    name: String,
    /// Its state at the end.
    state: TenantState,
    /// Why it has this state, in one line.
    reason: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &WatchArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    context.courier.start(&config, &logbook);
    let names = selection::select_configured(&config, &logbook, &args.select).await?;
    drop(logbook);
    let every = args.every.max(MIN_INTERVAL);
    let mut watched = Watched::default();
    let service = Service::ready(context.stop.clone());
    loop {
        let logbook = read_logbook(&config).await?;
        watched.update(context, &names, &logbook).await?;
        if let Some(metrics) = &context.metrics {
            // The next round, or the end of the command, tries again.
            let written = metrics.write_from(context.terminal, &config, &logbook).await;
            written.unwrap_or_else(|failure| context.terminal.show_failure(&failure));
        }
        let Some(next) = watched.next_check(SystemClock.now(), every) else {
            let is_idle = AtWork::find(&config, &context.global).await?.is_none();
            return report(context, &names, &watched, &logbook, is_idle);
        };
        drop(logbook);
        service.status(&watched.status(next));
        // Tell the user about a pause that is longer than `--every`.
        if next > later(SystemClock.now(), every) {
            context.terminal.say(text!("waiting until {} for the next check", next));
        }
        if context.stop.is_stopped() || !wait_until(context, next).await {
            if !context.terminal.is_for_people() {
                report(context, &names, &watched, &*read_logbook(&config).await?, false)?;
            }
            return Ok(Exit::Interrupted);
        }
        let due = watched.take_due(SystemClock.now(), every);
        continue_tenants(context, &config, due, args.changes).await?;
    }
}

/// The tenants that waited at any time.
#[derive(Default)]
struct Watched(BTreeMap<String, WatchedTenant>);

/// A tenant, what was shown about it last, without the times, and when this command checked it last.
struct WatchedTenant {
    overview: Overview,
    shown: Text,
    waits: bool,
    checked_at: Option<Timestamp>,
}

impl Watched {
    /// Shows what changed, and notes which tenants wait now.
    async fn update(&mut self, context: &Context, names: &[String], logbook: &Logbook) -> Result<(), Failure> {
        let mut overviews = logbook.overviews();
        for name in names {
            let Some(overview) = overviews.remove(name) else { continue };
            let waits = must_watch(&overview);
            let known = self.0.get_mut(name);
            if known.as_ref().map_or(!waits, |known| known.overview == overview) {
                continue;
            }
            let line = describe(name, &overview, logbook).await?;
            // Every check looks at another time, and that alone is no news.
            let shown = times::left_out(&line);
            if known.as_ref().is_none_or(|known| known.shown != shown) {
                context.terminal.say(&line);
            }
            let checked_at = known.and_then(|known| known.checked_at);
            self.0.insert(name.clone(), WatchedTenant { overview, shown, waits, checked_at });
        }
        Ok(())
    }

    /// What a service manager shows of this command.
    fn status(&self, next: Timestamp) -> Text {
        let waiting = self.0.values().filter(|tenant| tenant.waits).count();
        text!("{} waiting; next check at {}", tenants(waiting), next)
    }

    /// When to check next, or `None` if no tenant waits.
    fn next_check(&self, now: Timestamp, every: Duration) -> Option<Timestamp> {
        self.0.values().filter_map(|tenant| tenant.due(now, every)).min()
    }

    /// The tenants that are due, each with the run that continues it. They count as checked now.
    fn take_due(&mut self, now: Timestamp, every: Duration) -> BTreeMap<Goal, Vec<String>> {
        let mut due: BTreeMap<Goal, Vec<String>> = BTreeMap::new();
        for (name, tenant) in &mut self.0 {
            if tenant.due(now, every).is_some_and(|at| at <= now) {
                tenant.checked_at = Some(now);
                due.entry(RunPurpose::of(&tenant.overview).goal).or_default().push(name.clone());
            }
        }
        due
    }
}

impl WatchedTenant {
    /// When a check can see something new. The first check is immediate, unless the tenant needs time.
    fn due(&self, now: Timestamp, every: Duration) -> Option<Timestamp> {
        let Some(checked_at) = self.checked_at else {
            return self.waits.then(|| self.overview.earliest.unwrap_or(now));
        };
        let known = self.overview.earliest.filter(|earliest| *earliest > checked_at);
        let due = known.unwrap_or_else(|| later(checked_at, every)).max(later(checked_at, MIN_INTERVAL));
        self.waits.then_some(due)
    }
}

fn must_watch(tenant: &Overview) -> bool {
    match tenant.state {
        // Only `resume` continues the rollback, or gives it up.
        _ if tenant.waits_for_rollback() => false,
        TenantState::Soaking | TenantState::Waiting => true,
        // The directory is back on the legacy client, and the new client is not deleted yet.
        TenantState::RollingBack => tenant.is_restored,
        _ => false,
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

async fn describe(name: &str, tenant: &Overview, logbook: &Logbook) -> Result<Text, Failure> {
    let state = paint(tone_of_state(tenant.state), tenant.state);
    let missing = match tenant.state {
        TenantState::Soaking => read_tenant(logbook, name).await?.and_then(|history| Outstanding::of(&history).line()),
        _ => None,
    };
    let reason = missing.or_else(|| tenant.reason.clone()).map(|reason| text!(": {}", reason)).unwrap_or_default();
    Ok(text!("{}: {}{}", name, state, reason))
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

/// Continues the tenants, with one run for each goal.
async fn continue_tenants(
    context: &Context,
    config: &Config,
    due: BTreeMap<Goal, Vec<String>>,
    changes: AcceptChanges,
) -> Result<(), Failure> {
    for (goal, names) in due {
        let events = std::sync::Arc::new(ChangesOnly(Progress::without_bars(context.terminal)));
        let ports = match context.run_ports(config, events).await {
            Ok(ports) => ports,
            // The other process does the same work, or more important work.
            Err(failure) if is_in_use(&failure) => {
                context.terminal.say("another flowswap process uses this state; checking again later");
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        let logbook = std::sync::Arc::clone(&ports.logbook);
        // Somebody may have decided otherwise since this command read the journal.
        let mut waiting = Vec::new();
        for name in names {
            let now = logbook.overview_from_records(&name).await.map_err(cannot_read)?;
            if now.is_some_and(|now| must_watch(&now) && RunPurpose::of(&now).goal == goal) {
                waiting.push(name);
            }
        }
        if waiting.is_empty() {
            continue;
        }
        let fleet = Fleet::open(context, config, &waiting, &ports).await?;
        let jobs = started::jobs(config, fleet, RunPurpose::to(goal).accepting(changes));
        started::carry_out_openly(context, config, &started::runner(ports), goal, jobs).await?;
        keep_snapshot(config, &logbook);
    }
    Ok(())
}

/// Shows only the events that do not repeat at every check. A program gets them all.
struct ChangesOnly(Progress);

impl EventSink for ChangesOnly {
    fn emit(&self, event: Event) {
        let is_routine =
            matches!(event, Event::RunStarted { .. } | Event::StepFailed { .. } | Event::TenantEnded { .. });
        if is_routine { self.0.stream(&event) } else { self.0.emit(event) }
    }
}

/// Reports the final state of every tenant that waited. If no command is at work (`is_idle`), nobody works on what a run began.
fn report(
    context: &Context,
    names: &[String],
    watched: &Watched,
    logbook: &Logbook,
    is_idle: bool,
) -> Result<Exit, Failure> {
    let known: Vec<_> = names.iter().filter_map(|name| Some((name, logbook.overview(name)?))).collect();
    let (waited, others): (Vec<_>, Vec<_>) = known.into_iter().partition(|(name, _)| watched.0.contains_key(*name));
    let row = |(name, tenant): &(&String, Overview)| Row {
        name: (*name).clone(),
        state: tenant.state,
        reason: tenant.reason.clone(),
    };
    let report = Report { tenants: waited.iter().map(row).collect() };
    // Only `resume` continues what a run left there.
    let is_unread = |tenant: &Overview| tenant.refusal.as_ref().is_some_and(|refusal| refusal.is_unread);
    let is_open = |tenant: &Overview| tenant.intent.is_some() && (is_idle || is_unread(tenant));
    let is_left = |tenant: &Overview| tenant.waits_for_rollback() || is_open(tenant);
    let unreached: Vec<_> = others.into_iter().filter(|(_, tenant)| is_left(tenant)).collect();
    if report.tenants.is_empty() && unreached.is_empty() {
        context.terminal.say("no tenant waits");
    }
    if !unreached.is_empty() {
        let names: Vec<&str> = unreached.iter().map(|(name, _)| name.as_str()).collect();
        let (subject, listed) = (causes::subject(&names), causes::list_names(&names));
        let why = "a run has not done what it set out to do for";
        context.terminal.say(text!("{} {}{}; continue it: flowswap resume", why, subject, listed));
    }
    context.terminal.report(&report, || text(&report))?;
    let of_others = if unreached.is_empty() { Exit::Done } else { Exit::NeedsPerson };
    Ok(started::worst(standing::exit_of_all(waited.iter().map(|(_, tenant)| tenant)), of_others))
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

    fn tenant(checked: Option<i64>, earliest: Option<i64>) -> WatchedTenant {
        let mut overview: Overview = serde_json::from_value(serde_json::json!({
            "state": "soaking", "since": "1970-01-01T00:00:00Z", "direction": "forward",
            "is_swapped": false, "is_restored": false, "can_abandon": false,
        }))
        .unwrap();
        overview.earliest = earliest.map(at);
        WatchedTenant { overview, shown: Text::default(), waits: true, checked_at: checked.map(at) }
    }

    /// The time is 100. Each tenant has the time of its last check and that of the next useful one, where they are known.
    fn check(tenants: &[(Option<i64>, Option<i64>)], every: u64, expect: Option<i64>, due: usize) {
        let tenants =
            tenants.iter().enumerate().map(|(n, (checked, earliest))| (n.to_string(), tenant(*checked, *earliest)));
        let mut watched = Watched(tenants.collect());
        let every = Duration::from_secs(every);
        let next = watched.next_check(at(100), every);
        assert_eq!(next, expect.map(at));
        let taken = watched.take_due(next.map_or(at(100), |next| next.max(at(100))), every);
        assert_eq!(taken.values().map(Vec::len).sum::<usize>(), due, "only those that are due are checked");
    }

    #[test]
    fn checks_are_as_rare_as_possible() {
        // No tenant waits.
        check(&[], 60, None, 0);
        // The first check is immediate, unless every tenant needs time.
        check(&[(None, None)], 60, Some(100), 1);
        check(&[(None, Some(500)), (None, None)], 60, Some(100), 1);
        check(&[(None, Some(500)), (None, Some(400))], 60, Some(400), 1);
        check(&[(None, Some(5))], 60, Some(5), 1);
        // Later checks are regular, or at the first useful time.
        check(&[(Some(100), None), (Some(100), Some(900))], 60, Some(160), 1);
        check(&[(Some(100), Some(130)), (Some(100), None)], 60, Some(130), 1);
        check(&[(Some(100), Some(900))], 60, Some(900), 1);
        // A useful time that has passed without news is no longer one.
        check(&[(Some(100), Some(90))], 60, Some(160), 1);
        // But never more often than the minimum interval.
        check(&[(Some(100), Some(101))], 60, Some(115), 1);
        check(&[(Some(90), None), (Some(95), None)], 15, Some(105), 1);
    }
}
