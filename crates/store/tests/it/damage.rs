//! Whatever is done to the file of a journal is noticed, and the record is named.

use std::fs;
use std::path::{Path, PathBuf};

use flowswap_engine::{Journal, JournalError};
use flowswap_store::{FORMAT, SqliteJournal, verify};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{journal_path, tell, write_journal};

const RECORDS: u64 = 5;

/// Opens the door that the triggers keep shut, and changes the journal behind its back.
fn tamper(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    let triggers = "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = 'trigger'";
    let drop: String = connection.query_row(triggers, [], |row| row.get(0)).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    connection.execute_batch(&format!("PRAGMA ignore_check_constraints = ON; {drop}; {sql}")).unwrap();
}

/// A whole journal, of which each case damages a copy: syncs are slow.
struct Original {
    folder: TempDir,
    path: PathBuf,
}

impl Original {
    async fn write() -> Self {
        let (folder, path) = journal_path();
        write_journal(&path, RECORDS).await;
        Self { folder, path }
    }

    /// What `load`, `verify` and the next writer say of a damaged copy, which must agree on the record.
    async fn check(&self, sql: &str, expected: u64) {
        let copy = tempfile::tempdir_in(self.folder.path()).unwrap();
        let path = copy.path().join("journal.sqlite");
        fs::copy(&self.path, &path).unwrap();
        tamper(&path, sql);
        let loaded = SqliteJournal::open_read_only(&path).unwrap().load().await.unwrap_err();
        let verified = verify(&path).unwrap_err();
        assert_eq!(loaded.to_string(), verified.to_string(), "{sql}");
        let JournalError::Damaged { seq, .. } = verified else { panic!("{sql}: {}", tell(&verified)) };
        assert_eq!(seq, expected, "{sql}: {verified}");
        let resumed = match SqliteJournal::open(&path) {
            Ok(journal) => journal.load().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(resumed, JournalError::Damaged { .. }), "{sql}: {}", tell(&resumed));
    }
}

#[tokio::test]
async fn a_change_of_any_column_of_any_record_is_named() {
    let changes = [
        "at = '2020-01-01T00:00:00Z'",
        "run = run || '0'",
        "tenant = ifnull(tenant, '') || 'x'",
        "tenant = iif(tenant IS NULL, 'x', NULL)",
        "type = 'run-ended'",
        "body = replace(body, 'step-', 'STEP-')",
        "body = body || ' '",
        "body = ''",
        "hash = zeroblob(32)",
        "hash = x'00'",
        "hash = (SELECT hash FROM record AS other WHERE other.seq <> record.seq)",
        "seq = 1000",
    ];
    let original = Original::write().await;
    for change in changes {
        for seq in 1..=RECORDS {
            original.check(&format!("UPDATE record SET {change} WHERE seq = {seq}"), seq).await;
        }
    }
}

#[tokio::test]
async fn a_record_that_is_missing_is_named_also_at_the_end() {
    let original = Original::write().await;
    for seq in 1..=RECORDS {
        original.check(&format!("DELETE FROM record WHERE seq = {seq}"), seq).await;
        original.check(&format!("DELETE FROM record WHERE seq >= {seq}"), seq).await;
    }
}

#[tokio::test]
async fn records_that_changed_places_are_named() {
    let original = Original::write().await;
    for seq in 1..RECORDS {
        let next = seq + 1;
        let swap = format!(
            "UPDATE record SET seq = 1000 WHERE seq = {seq}; UPDATE record SET seq = {seq} WHERE seq = {next};
             UPDATE record SET seq = {next} WHERE seq = 1000;"
        );
        original.check(&swap, seq).await;
    }
}

#[tokio::test]
async fn the_triggers_keep_the_door_shut() {
    let (_folder, path) = journal_path();
    write_journal(&path, 2).await;
    let connection = Connection::open(&path).unwrap();
    let columns = "at, run, tenant, type, body, hash";
    for (sql, expected) in [
        ("UPDATE record SET at = 'x'".to_owned(), "the journal is append-only"),
        ("DELETE FROM record".to_owned(), "the journal is append-only"),
        (format!("INSERT OR REPLACE INTO record SELECT 1, {columns} FROM record WHERE seq = 2"), "without gaps"),
        (format!("INSERT INTO record SELECT 4, {columns} FROM record WHERE seq = 2"), "without gaps"),
        (format!("INSERT INTO record ({columns}) SELECT {columns} FROM record WHERE seq = 2"), "without gaps"),
    ] {
        let error = connection.execute(&sql, []).unwrap_err().to_string();
        assert!(error.contains(expected), "{sql}: {error}");
    }
    assert_eq!(verify(&path).unwrap().records, 2);
}

#[tokio::test]
async fn a_file_that_was_cut_short_never_passes() {
    let (_folder, path) = journal_path();
    write_journal(&path, 40).await;
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(512) {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(verify(&path).is_err(), "{length} of {} bytes", whole.len());
        assert!(SqliteJournal::open(&path).is_err() || verify(&path).is_err(), "a writer made good of {length} bytes");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(verify(&path).unwrap().records, 40);
}

/// A flipped bit either does not matter, or it is noticed; it never makes another journal.
#[tokio::test]
async fn a_flipped_bit_never_changes_what_is_loaded() {
    let (_folder, path) = journal_path();
    write_journal(&path, 40).await;
    let (whole, summary) = (fs::read(&path).unwrap(), verify(&path).unwrap());
    let records = SqliteJournal::open_read_only(&path).unwrap().load().await.unwrap();
    let mut noticed = 0;
    for position in (0..whole.len()).step_by(23) {
        let mut flipped = whole.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(&path, &flipped).unwrap();
        match verify(&path) {
            Ok(found) => assert_eq!(found, summary, "byte {position}"),
            Err(_) => noticed += 1,
        }
        if let Ok(journal) = SqliteJournal::open_read_only(&path)
            && let Ok(loaded) = journal.load().await
        {
            assert_eq!(loaded, records, "byte {position}");
        }
    }
    assert!(noticed > 100, "only {noticed} flips were noticed");
}

#[tokio::test]
async fn a_journal_of_a_later_version_is_refused_and_left_alone() {
    let (_folder, path) = journal_path();
    write_journal(&path, 1).await;
    tamper(&path, &format!("PRAGMA user_version = {}", FORMAT + 1));
    for error in [
        SqliteJournal::open(&path).unwrap_err(),
        SqliteJournal::inline(&path).unwrap_err(),
        SqliteJournal::open_read_only(&path).unwrap_err(),
        verify(&path).unwrap_err(),
    ] {
        let JournalError::TooNew { found, known } = error else { panic!("{error:?}") };
        assert_eq!((found, known), (FORMAT + 1, FORMAT));
    }
}

#[test]
fn a_file_that_is_no_journal_is_refused_and_left_alone() {
    let (folder, path) = journal_path();
    fs::create_dir(path.parent().unwrap()).unwrap();
    let other = folder.path().join("other.sqlite");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    for content in [Vec::new(), b"[[tenant]]\nname = \"acme\"\n".repeat(100), fs::read(&other).unwrap()] {
        fs::write(&path, &content).unwrap();
        for error in [SqliteJournal::open(&path).unwrap_err(), verify(&path).unwrap_err()] {
            let told = tell(&error);
            assert!(told.contains("failed to open the journal: the file is empty or damaged, or is not"), "{told}");
        }
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_journal_without_its_main_file_is_not_begun_anew() {
    let (_folder, path) = journal_path();
    let blocker = {
        write_journal(&path, 1).await;
        // Keeps SQLite from moving the latest records into the main file when the journal is closed.
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM record").unwrap();
        reader
    };
    drop(SqliteJournal::open(&path).unwrap());
    fs::remove_file(&path).unwrap();
    let told = tell(&SqliteJournal::open(&path).unwrap_err());
    assert!(told.contains("the journal is missing, but its latest records are there"), "{told}");
    drop(blocker);
}
