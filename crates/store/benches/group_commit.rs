//! What group commit gains: records per second of many tasks that share syncs, and of one that awaits each.
//!
//! Both are measured in turns in one run on one disk, because syncs cost a hundred times more on one machine than on
//! another, and the ratio says more than either figure. It measures; it judges nothing.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and has nobody to report to")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowswap_engine::{Direction, Draft, Entry, Journal, RunId};
use flowswap_store::{SqliteJournal, Statistics};
use futures::future::join_all;

/// As many tenants as a large fleet works on at a time.
const TASKS: u64 = 256;
const ROUNDS: u32 = 4;
const TURN: Duration = Duration::from_millis(1_100);

#[tokio::main]
async fn main() {
    // Without the word, as in `cargo test --benches`, it only shows that it runs.
    let turn = if std::env::args().any(|arg| arg == "--bench") { TURN } else { Duration::from_millis(10) };
    // In the build's folder: the system's for temporary files may be in memory, where a sync costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (mut shared, mut alone) = (Measured::default(), Measured::default());
    for _ in 0..ROUNDS {
        shared.add(&folder.path().join("shared.sqlite"), TASKS, turn).await;
        alone.add(&folder.path().join("alone.sqlite"), 1, turn).await;
    }
    println!(
        "records per second: {:.0} of {TASKS} tasks, {:.1} to a sync; {:.0} of one task, {:.1} to a sync; ratio {:.1}",
        shared.rate(),
        shared.group(),
        alone.rate(),
        alone.group(),
        shared.rate() / alone.rate(),
    );
}

#[derive(Default)]
struct Measured {
    records: u64,
    commits: u64,
    time: Duration,
}

impl Measured {
    /// Lets so many tasks append for a while, each awaiting every record before the next. Opening is not counted.
    async fn add(&mut self, path: &Path, tasks: u64, turn: Duration) {
        let journal = Arc::new(SqliteJournal::open(path).unwrap());
        let start = Instant::now();
        join_all((0..tasks).map(|task| tokio::spawn(append(journal.clone(), task, start + turn)))).await;
        self.time += start.elapsed();
        let Statistics { records, commits } = journal.statistics();
        self.records += records;
        self.commits += commits;
        assert_eq!(journal.check().await.unwrap().records, self.records, "every one of them is there");
    }

    fn rate(&self) -> f64 {
        self.records as f64 / self.time.as_secs_f64()
    }

    fn group(&self) -> f64 {
        self.records as f64 / self.commits as f64
    }
}

async fn append(journal: Arc<SqliteJournal>, task: u64, end: Instant) {
    for number in 0.. {
        if Instant::now() >= end {
            break;
        }
        let entry = Entry::StepStarted { step: format!("step-{number}"), direction: Direction::Forward };
        let tenant = Some(format!("tenant-{task}"));
        journal.append(Draft { at: jiff::Timestamp::now(), run: RunId::none(), tenant, entry }).await.unwrap();
    }
}
