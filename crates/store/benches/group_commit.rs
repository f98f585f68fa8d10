//! What group commit gains: records per second of many tasks that share syncs, and of one task that waits for each
//! sync.
//!
//! One run measures both in turns on one disk. Syncs can cost a hundred times more on one machine than on another, so
//! the ratio says more than either figure. The benchmark only measures; it has no threshold.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints its result and panics on errors")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowswap_engine::{Direction, Draft, Entry, Journal, RunId};
use flowswap_store::{SqliteJournal, Statistics};
use futures::future::join_all;

/// How many tenants a large fleet works on at a time.
const TASKS: u64 = 256;
const ROUNDS: u32 = 4;
const TURN: Duration = Duration::from_millis(1_100);

#[tokio::main]
async fn main() {
    // Without `--bench`, as in `cargo test --benches`, a short run only shows that the benchmark works.
    let turn = if std::env::args().any(|arg| arg == "--bench") { TURN } else { Duration::from_millis(10) };
    // In the build folder, because the system's temporary folder may be in memory, where a sync costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut shared = Measured::default();
    let mut alone = Measured::default();
    for _ in 0..ROUNDS {
        shared.add(&folder.path().join("shared.sqlite"), TASKS, turn).await;
        alone.add(&folder.path().join("alone.sqlite"), 1, turn).await;
    }
    println!(
        "records per second: {:.0} from {TASKS} tasks, {:.1} per sync; {:.0} from one task, {:.1} per sync; ratio {:.1}",
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
    /// Lets `tasks` tasks append for the time of `turn`. Each waits for its record before it appends the next one. The
    /// time to open the journal is not counted.
    async fn add(&mut self, path: &Path, tasks: u64, turn: Duration) {
        let journal = Arc::new(SqliteJournal::open(path).unwrap());
        let start = Instant::now();
        join_all((0..tasks).map(|task| tokio::spawn(append(journal.clone(), task, start + turn)))).await;
        self.time += start.elapsed();
        let Statistics { records, commits } = journal.statistics();
        self.records += records;
        self.commits += commits;
        assert_eq!(journal.check().await.unwrap().records, self.records, "every record is in the journal");
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
        journal.append(vec![Draft { at: jiff::Timestamp::now(), run: RunId::none(), tenant, entry }]).await.unwrap();
    }
}
