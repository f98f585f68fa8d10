//! Makes the reports of five thousand tenants in each of their faces: of their plan, and of work on all of them. Planning is not
//! measured.

use std::{
    error::Error,
    io::{self, Write},
    time::{Duration, Instant},
};

use flowswap_contract::Phase;
use flowswap_engine::{Goal, RunCommand, TenantState};
use flowswap_report::{Face, PlanReport, Report, Selection};

use crate::journal::Journal;

#[path = "../tests/it/fleet.rs"]
#[expect(clippy::unwrap_used, reason = "the fleet is the one of the tests")]
mod fleet;
#[path = "../tests/it/journal.rs"]
#[expect(clippy::unwrap_used, dead_code, reason = "the journal is the one of the tests, which tell more")]
mod journal;

const TENANTS: usize = 5_000;

fn main() -> Result<(), Box<dyn Error>> {
    let plan = fleet::plan(TENANTS - 5);
    let (report, time) = measure(|| PlanReport::of(&plan));
    writeln!(io::stdout(), "plan of {TENANTS} tenants, {} classes: {time:.2?}", report.classes.len())?;
    show((&report).into())?;

    let journal = journal();
    let records = journal.records.len();
    let (report, time) = measure(|| journal.report(Selection::default()));
    writeln!(io::stdout(), "work on {} tenants, {records} records: {time:.2?}", report.tenants.len())?;
    show((&report).into())
}

/// A run that swaps all tenants.
fn journal() -> Journal {
    let names: Vec<String> = (1..=TENANTS).map(|number| format!("tenant-{number}")).collect();
    let mut journal = Journal::new(names.iter().map(String::as_str));
    journal.run(RunCommand::Apply);
    for name in &names {
        journal.begin(name, Goal::Swapped);
        journal.steps_until(name, Phase::Confirm);
        journal.finish(name, TenantState::Swapped, None);
    }
    journal.end(false);
    journal
}

/// Prints the size and the time of each face.
fn show(report: Report<'_>) -> Result<(), Box<dyn Error>> {
    for (ending, face) in Face::ENDINGS {
        let (text, time) = measure(|| face.show(report));
        writeln!(io::stdout(), "  {ending}: {:.1} MB, {time:.2?}", text?.len() as f64 / 1e6)?;
    }
    Ok(())
}

fn measure<T>(make: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (make(), start.elapsed())
}
