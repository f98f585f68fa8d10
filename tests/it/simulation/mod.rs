//! Deterministic simulation: engine, host, plugins, journal, and simulator in one process on a paused clock.
//!
//! A seed determines the fleet, what its operator does, and everything that goes wrong: latencies, faults of the
//! network, of the other sides, and of the disk, crashes, and other people. The same seed gives the same journal,
//! record for record. After any fault, repeating the same commands must recover. The invariants are checked after every
//! request.
//!
//! `FLOWSWAP_SEEDS` sets how many seeds run, and `FLOWSWAP_SEED` the first of them. A failing seed is shortened as far as
//! possible and written to `fixtures/schedules`; every test run replays all files there. With `FLOWSWAP_TRAIL` every
//! point that it passes is also printed.

mod decide;
pub(crate) mod dice;
pub(crate) mod fate;
mod invariants;
pub(crate) mod machine;
mod network;
pub(crate) mod operator;
pub(crate) mod run;
pub(crate) mod schedule;
mod shrink;
mod storage;
pub(crate) mod watch;

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Instant,
};

use run::{Report, run_schedule, run_seed};
use schedule::{FaultKind, Schedule};

use crate::support::print;

/// The default number of seeds.
const SEEDS: u32 = 600;

/// The sums over all seeds.
#[derive(Default)]
struct Totals {
    tenants: usize,
    requests: u64,
    records: u64,
    faults: u32,
    crashes: usize,
    decisions: u32,
    by_kind: BTreeMap<FaultKind, u32>,
    /// The points at which something was changed or stored, and whether a fault ever occurred there.
    at_stake: BTreeMap<String, bool>,
}

#[test]
fn whatever_goes_wrong_the_same_commands_heal_it() {
    let first = number("FLOWSWAP_SEED").unwrap_or(1);
    let count = number("FLOWSWAP_SEEDS").unwrap_or(SEEDS);
    let (next, failed) = (AtomicU32::new(first), AtomicBool::new(false));
    let (totals, failure) = (Mutex::new(Totals::default()), Mutex::new(None));
    let begin = Instant::now();
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed - first >= count {
                return;
            }
            let (schedule, report) = run_seed(seed);
            totals.lock().unwrap().add(&schedule, &report);
            if !report.violations.is_empty() {
                failed.store(true, Ordering::Relaxed);
                failure.lock().unwrap().get_or_insert((seed, schedule, report));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    if let Some((seed, schedule, report)) = failure.into_inner().unwrap() {
        panic!("{}", tell(seed, &schedule, &report));
    }
    let totals = totals.into_inner().unwrap();
    if count >= SEEDS {
        totals.assert_broad();
    }
    print(&totals.tell(first, count, begin.elapsed().as_secs_f64()));
}

/// Shortens and saves a failing seed, and describes it.
fn tell(seed: u32, schedule: &Schedule, report: &Report) -> String {
    let (short, short_report) = shrink::shrink(schedule);
    let kept = match shrink::keep(&short) {
        Ok(path) => format!("written to {}: commit it to keep it", path.display()),
        Err(error) => format!("not saved: {error}"),
    };
    format!(
        "seed {seed} fails: {}\n\nthe shortest schedule that fails: {}\n\n{}\n\n{kept}\n{}",
        report.violations.join("; "),
        short_report.violations.join("; "),
        short.render(),
        if number("FLOWSWAP_TRAIL").is_some() { short_report.trail.join("\n") } else { String::new() },
    )
}

impl Totals {
    fn add(&mut self, schedule: &Schedule, report: &Report) {
        self.tenants += schedule.fleet.tenants.len();
        self.requests += report.requests;
        self.records += report.records;
        self.decisions += report.decisions;
        for fault in &report.fired {
            self.faults += fault.times;
            self.crashes += usize::from(fault.what.is_crash());
            *self.by_kind.entry(fault.what).or_default() += fault.times;
        }
        for line in &report.trail {
            let (point, struck) = line.split_once(" <- ").map_or((line.as_str(), false), |(point, _)| (point, true));
            let Some(at) = point.splitn(3, ' ').nth(2).filter(|at| dice::stakes(at) >= 6.0) else { continue };
            *self.at_stake.entry(at.to_owned()).or_default() |= struck;
        }
    }

    /// Asserts that every kind of fault occurred, and that a fault occurred at every point that changes something.
    fn assert_broad(&self) {
        let kinds: Vec<_> = FaultKind::ALL.into_iter().filter(|what| !self.by_kind.contains_key(what)).collect();
        assert!(kinds.is_empty(), "these faults never occurred: {kinds:?}");
        let spared: Vec<_> = self.at_stake.iter().filter(|(_, struck)| !**struck).map(|(point, _)| point).collect();
        assert!(spared.is_empty(), "no fault ever occurred at {spared:#?}");
    }

    fn tell(&self, first: u32, count: u32, seconds: f64) -> String {
        let mean = |total: f64| total / f64::from(count);
        format!(
            "simulation: {count} seeds (from {first}), {:.0} seeds/s, per seed on average {:.1} tenants, {:.0} requests, \
             {:.0} records, {:.1} faults, {:.1} crashes; each of {} faults struck, and each of {} points at stake was struck; \
             {} decisions by a person; 0 violations",
            f64::from(count) / seconds,
            mean(self.tenants as f64),
            mean(self.requests as f64),
            mean(self.records as f64),
            mean(f64::from(self.faults)),
            mean(self.crashes as f64),
            self.by_kind.len(),
            self.at_stake.values().filter(|struck| **struck).count(),
            self.decisions,
        )
    }
}

/// Runs each seed twice, and then its recorded schedule.
#[test]
fn the_same_seed_gives_the_same_journal() {
    let mut faults = 0;
    for seed in 1..=20 {
        let (schedule, report) = run_seed(seed);
        let (_, again) = run_seed(seed);
        assert_eq!(report.head, again.head, "seed {seed}");
        assert_eq!(report, again, "seed {seed}");
        let read = Schedule::parse(&schedule.render()).unwrap();
        assert_eq!(read, schedule);
        assert_eq!(run_schedule(&read), report, "seed {seed}, from its schedule");
        faults += report.fired.len();
    }
    assert!(faults > 20, "{faults}");
}

/// Replays every schedule that once failed.
#[test]
fn schedules_that_once_failed_do_not_fail_again() {
    let files: Vec<_> = fs::read_dir(shrink::folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty(), "there is no saved schedule");
    for path in files {
        let schedule = Schedule::parse(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let report = run_schedule(&schedule);
        match &schedule.violates {
            None => assert_eq!(report.violations, [""; 0], "{}", path.display()),
            Some(known) => {
                let is_seen = report.violations.iter().any(|violation| violation.contains(known));
                assert!(is_seen, "{}: solved, so remove `violates`: {:?}", path.display(), report.violations);
            }
        }
        let missed: Vec<_> = schedule.faults.iter().filter(|fault| !report.fired.contains(fault)).collect();
        assert!(
            missed.is_empty(),
            "{}: these faults no longer occur; change where they are placed: {missed:#?}",
            path.display()
        );
    }
}

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{variable}: {e}")))
}
