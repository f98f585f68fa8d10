//! Shortens a failing schedule as far as possible, and saves it.

use std::{fs, io, path::PathBuf};

use super::{
    run::{Report, run_schedule},
    schedule::Schedule,
};
use crate::support::repository;

/// Leaves out moves and faults one by one while the schedule still fails.
pub(crate) fn shrink(schedule: &Schedule) -> (Schedule, Report) {
    let mut best = (schedule.clone(), run_schedule(schedule));
    loop {
        let (current, _) = &best;
        let fewer_moves = (1..current.moves.len()).rev().map(|index| current.without_move(index));
        let fewer_faults = (0..current.faults.len()).rev().map(|index| current.without_fault(index));
        let fewer_tenants = current.fleet.tenants.len().checked_sub(1).filter(|left| *left > 0).map(|left| {
            let mut less = current.clone();
            less.fleet.tenants.truncate(left);
            less
        });
        let shorter = fewer_tenants.into_iter().chain(fewer_moves).chain(fewer_faults).find_map(|shorter| {
            let report = run_schedule(&shorter);
            (!report.violations.is_empty()).then_some((shorter, report))
        });
        match shorter {
            Some(shorter) => best = shorter,
            None => break,
        }
    }
    // Faults that no longer occur are dropped.
    best.0.faults = best.1.fired.clone();
    best.0.about = best.1.violations.first().cloned().unwrap_or_default();
    best
}

/// The folder of the schedules that once failed.
pub(crate) fn folder() -> PathBuf {
    repository().join("fixtures/schedules")
}

/// Saves the schedule in the folder whose files every later test run replays, once they are committed.
pub(crate) fn keep(schedule: &Schedule) -> io::Result<PathBuf> {
    fs::create_dir_all(folder())?;
    let path = folder().join(format!("seed-{}.toml", schedule.fleet.seed));
    fs::write(&path, schedule.render())?;
    Ok(path)
}
