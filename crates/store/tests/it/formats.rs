//! Journals of every past format can be read and continued; later formats are refused.

use std::fs;
use std::path::{Path, PathBuf};

use flowswap_engine::{Draft, Entry, History, JournalError, Record, RunCommand, RunId};
use flowswap_store::{FORMAT, SqliteJournal, verify};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{Simply, journal_path, write_journal};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/journals");

/// A journal that an earlier version wrote. It is copied, because SQLite creates files beside those that it reads.
struct Fixture {
    folder: TempDir,
    format: u32,
    bytes: Vec<u8>,
}

impl Fixture {
    fn all() -> Vec<Self> {
        let mut paths: Vec<_> = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "sqlite"));
        paths.sort();
        paths.iter().map(|path| Self::copy(path)).collect()
    }

    fn copy(path: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes = fs::read(path).unwrap();
        fs::write(folder.path().join("journal.sqlite"), &bytes).unwrap();
        let format = read_format(&bytes);
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("format-{format}")), "{name} has format {format}");
        Self { folder, format, bytes }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal.sqlite")
    }
}

/// Reads `user_version` from the SQLite header: <https://www.sqlite.org/fileformat2.html#the_database_header>.
fn read_format(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[60..64].try_into().unwrap())
}

/// The state of each tenant, and how many records each writer wrote.
fn describe(records: &[Record]) -> String {
    let history = History::fold(records).unwrap();
    let tenants = history.tenants().map(|(name, tenant)| format!("{name} {}", tenant.state));
    let last = records.last().map_or(0, |record| record.epoch);
    let writers = (0..=last).map(|epoch| records.iter().filter(|record| record.epoch == epoch).count());
    format!("{}; records by epoch {:?}", tenants.collect::<Vec<_>>().join(", "), writers.collect::<Vec<_>>())
}

#[tokio::test]
async fn every_past_format_is_read_without_changing_the_file() {
    let mut told = String::new();
    let fixtures = Fixture::all();
    for fixture in &fixtures {
        let path = fixture.path();
        let records = SqliteJournal::open_read_only(&path).unwrap().records().await.unwrap();
        let summary = verify(&path).unwrap();
        assert_eq!(summary.records, records.len() as u64);
        assert_eq!(fs::read(&path).unwrap(), fixture.bytes, "reading changes nothing");
        told += &format!("format {}: head {}\n  {}\n", fixture.format, summary.head, describe(&records));
    }
    insta::assert_snapshot!(told, @r"
    format 1: head 56f1ed9d848b82a76eb609747d4f831cf72552de63a628c52f19e801ff11c7f9
      acme rolled-back, globex retired, initech finalized; records by epoch [135]
    format 2: head d09be075a6627f057e96e6ddccab68d1d1463287a351bf07d3d3f8d8cedf0e28
      acme waiting, globex rolled-back, initech stuck; records by epoch [0, 2, 42, 11, 1, 11]
    format 2: head 10ea1806e5e76ee4e14c8af3220208c0d3b0ef92283cece0f1b36468bf422016
      acme rolled-back, globex retired, initech finalized; records by epoch [0, 3, 32, 47, 13, 12, 12, 12]
    format 3: head 6cc9aba9bdf225cc20125801d70fa6c29d61e333c766a2e6e46fea83801bb0d0
      acme failed, globex rolled-back, initech running; records by epoch [0, 2, 42, 11, 1, 11, 1, 0, 1]
    format 4: head 477078e8565e74633bf1763d752c8f76a9176329d807c17bdf0261f2e0c9976d
      acme rolled-back, globex retired, initech finalized; records by epoch [0, 3, 25, 56, 9, 10, 13, 13, 13]
    ");
    let formats: Vec<_> = fixtures.iter().map(|fixture| fixture.format).collect();
    assert!(
        (1..=FORMAT).all(|format| formats.contains(&format)),
        "every format needs a journal in the fixtures: {formats:?}"
    );
}

#[tokio::test]
async fn every_past_format_can_be_continued() {
    for fixture in Fixture::all() {
        let path = fixture.path();
        let reader = SqliteJournal::open_read_only(&path).unwrap();
        let before = reader.records().await.unwrap();
        let last = before.last().unwrap();
        let (seq, epoch) = (last.seq + 1, last.epoch + 1);
        let entry = Entry::RunStarted {
            command: RunCommand::Apply,
            version: "0.1.0".to_owned(),
            by: None,
            scope: None,
            approvals: Vec::new(),
        };
        let draft = Draft { at: last.draft.at, run: RunId::none(), tenant: None, entry };

        let writer = SqliteJournal::open(&path).unwrap();
        assert_eq!(writer.takeover(), None, "format {}", fixture.format);
        assert_eq!(writer.write(draft.clone()).await.unwrap(), seq);
        // The reader was opened before the tables changed.
        let mut after = reader.records().await.unwrap();
        assert_eq!(after.pop().unwrap(), Record { seq, epoch, draft });
        assert_eq!(after, before);
        drop((reader, writer));
        assert_eq!(verify(&path).unwrap().records, seq);
        assert_eq!(read_format(&fs::read(&path).unwrap()), FORMAT);
    }
}

#[tokio::test]
async fn a_journal_of_a_later_version_is_refused_and_unchanged() {
    let (_folder, path) = journal_path();
    write_journal(&path, 1).await;
    let later = format!("PRAGMA user_version = {}; ALTER TABLE record ADD COLUMN later TEXT", FORMAT + 1);
    Connection::open(&path).unwrap().execute_batch(&later).unwrap();
    let bytes = fs::read(&path).unwrap();
    for attempt in [
        SqliteJournal::open(&path).map(drop),
        SqliteJournal::inline(&path).map(drop),
        SqliteJournal::open_read_only(&path).map(drop),
        verify(&path).map(drop),
    ] {
        let error = attempt.unwrap_err();
        let JournalError::TooNew { found, known } = error else { panic!("{error:?}") };
        assert_eq!((found, known), (FORMAT + 1, FORMAT));
        assert_eq!(
            error.to_string(),
            format!("the journal has format {found}, but this version reads formats up to {known}")
        );
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

/// A process of a later version can migrate the journal while a reader has it open.
#[tokio::test]
async fn a_reader_notices_that_a_later_version_migrated_the_journal() {
    let (_folder, path) = journal_path();
    write_journal(&path, 1).await;
    let reader = SqliteJournal::open_read_only(&path).unwrap();
    assert_eq!(reader.records().await.unwrap().len(), 1);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", FORMAT + 1).unwrap();
    let error = reader.records().await.unwrap_err();
    assert!(matches!(error, JournalError::TooNew { .. }), "{error:?}");
}
