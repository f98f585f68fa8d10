//! Runs one schedule from start to end, in this thread and on a paused clock.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use tokio::time::timeout;

use super::{
    dice::Dice,
    fate::{Fate, Source},
    machine::Machine,
    schedule::{Fault, Schedule},
};

/// Longer than any run takes; a run that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    /// The hash of the journal's last record.
    pub(crate) head: String,
    pub(crate) violations: Vec<String>,
    /// The faults that occurred: where, and how often.
    pub(crate) fired: Vec<Fault>,
    /// Every point that the run passed.
    pub(crate) trail: Vec<String>,
    pub(crate) requests: u64,
    pub(crate) records: u64,
    /// How often a person had to decide.
    pub(crate) decisions: u32,
}

/// Runs a seed. Also returns the resulting schedule.
pub(crate) fn run_seed(seed: u32) -> (Schedule, Report) {
    let (dice, mut schedule) = Dice::of_seed(seed);
    let report = run(&schedule, Source::Dice(dice));
    schedule.faults = report.fired.clone();
    (schedule, report)
}

/// Runs a schedule.
pub(crate) fn run_schedule(schedule: &Schedule) -> Report {
    run(schedule, Source::Schedule(schedule.faults.clone()))
}

fn run(schedule: &Schedule, source: Source) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let simulation = runtime.block_on(async {
        let machine = Machine::new(schedule.fleet.clone(), Fate::new(schedule.fleet.seed, source));
        // A panic counts as a violation, so that the events that led to it are reported.
        let playing = AssertUnwindSafe(timeout(LONGEST, machine.play(schedule)));
        match futures::FutureExt::catch_unwind(playing).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => machine.watch.fail("the run hangs".to_owned()),
            Err(panic) => machine.watch.fail(format!("it panicked: {}", message(panic.as_ref()))),
        }
        let summary = machine.journal.check().await;
        let (head, records) = summary.map(|summary| (summary.head, summary.records)).unwrap_or_default();
        Report {
            head,
            records,
            violations: machine.watch.violations(),
            fired: machine.fate.fired(),
            trail: machine.fate.trail(),
            requests: machine.watch.requests(),
            decisions: machine.watch.decisions(),
        }
    });
    drop(catch_unwind(AssertUnwindSafe(|| drop(runtime))));
    simulation
}

pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
