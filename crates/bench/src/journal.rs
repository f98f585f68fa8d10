//! What the journal of a run shows: how long each step took, and how often it was committed.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::Failure;

/// The median and the 99th percentile of a step's time in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepTime {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// The time of every step over all tenants. From the record of its start to the record of its end.
pub(crate) fn step_times(state: &Path) -> Result<Vec<(String, StepTime)>, Failure> {
    let journal = Connection::open_with_flags(state.join("journal.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // A step runs once for each tenant here, so its records are a pair.
    let mut query = journal.prepare(
        "SELECT json_extract(body, '$.entry.step') AS step, min(seq),
                (julianday(max(at)) - julianday(min(at))) * 86400000.0
         FROM record WHERE type IN ('step-started', 'step-ended') GROUP BY step, tenant ORDER BY min(seq)",
    )?;
    let mut times: BTreeMap<String, (i64, Vec<f64>)> = BTreeMap::new();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for row in rows {
        let (step, seq, time): (String, i64, f64) = row?;
        let (_, of_step) = times.entry(step).or_insert((seq, Vec::new()));
        of_step.push(time);
    }
    let mut steps: Vec<_> = times.into_iter().collect();
    steps.sort_by_key(|(_, (first, _))| *first);
    Ok(steps.into_iter().map(|(step, (_, mut times))| (step, percentiles(&mut times))).collect())
}

/// The time from the start of the last run until all tenants but these have ended.
pub(crate) fn last_end(state: &Path, without: &[&str; 3]) -> Result<Duration, Failure> {
    let journal = Connection::open_with_flags(state.join("journal.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let seconds: f64 = journal.query_row(
        "SELECT (julianday((SELECT max(at) FROM record WHERE type = 'tenant-ended' AND tenant NOT IN (?1, ?2, ?3)))
                 - julianday((SELECT max(at) FROM record WHERE type = 'run-started'))) * 86400.0",
        without,
        |row| row.get(0),
    )?;
    Ok(Duration::from_secs_f64(seconds))
}

fn percentiles(times: &mut [f64]) -> StepTime {
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get(times.len().saturating_sub(1) * part / 100).copied().unwrap_or_default();
    StepTime { p50: at(50), p99: at(99) }
}

/// Counts the commits of a journal while it is written, from the frames of its write-ahead log (SQLite, "Database File
/// Format", §4.1). A commit between the last look and the moment at which the log starts over is not counted.
pub(crate) struct Commits {
    path: PathBuf,
    file: Option<File>,
    header: [u8; 32],
    next: u64,
    /// How many there were so far.
    pub(crate) count: u64,
}

impl Commits {
    pub(crate) fn of(state: &Path) -> Self {
        Self { path: state.join("journal.sqlite-wal"), file: None, header: [0; 32], next: 0, count: 0 }
    }

    /// Counts the frames since the last look.
    pub(crate) fn look(&mut self) {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &self.file else { return };
        let mut header = [0; 32];
        if file.read_exact_at(&mut header, 0).is_err() {
            return;
        }
        if header != self.header {
            (self.header, self.next) = (header, 0);
        }
        let page = u64::from(word(&header, 8));
        let mut frame = [0; 24];
        while file.read_exact_at(&mut frame, 32 + self.next * (24 + page)).is_ok() && frame[8..16] == header[16..24] {
            // Only the last frame of a commit has the size of the database.
            self.count += u64::from(word(&frame, 4) != 0);
            self.next += 1;
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|i| bytes[at + i]))
}
