//! Every kind of damage to a journal file is detected, and the error names the record.

use std::fs;
use std::path::{Path, PathBuf};

use flowswap_engine::JournalError;
use flowswap_store::{SqliteJournal, verify};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{Simply, draft, error_text, journal_path, write_journal};

const RECORDS: u64 = 5;
/// The first record of the second writer.
const SECOND_WRITER: u64 = 4;

/// Drops the triggers that protect the journal, and runs SQL that they would refuse.
fn tamper(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    let triggers = "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = 'trigger'";
    let drop: String = connection.query_row(triggers, [], |row| row.get(0)).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    connection.execute_batch(&format!("PRAGMA ignore_check_constraints = ON; {drop}; {sql}")).unwrap();
}

/// Changes the epoch of a record and recomputes all hashes, as somebody who knows the hash rule could.
fn forge_epoch(path: &Path, seq: u64, epoch: u64) {
    let change =
        format!("UPDATE record SET epoch = {epoch}, body = json_set(body, '$.epoch', {epoch}) WHERE seq = {seq}");
    tamper(path, &change);
    let connection = Connection::open(path).unwrap();
    let mut hash = vec![0; 32];
    for seq in 1..=RECORDS {
        let body: String = connection
            .query_row("SELECT body FROM record WHERE seq = ?1", [seq.cast_signed()], |row| row.get(0))
            .unwrap();
        let body_hash = Sha256::digest(body);
        let digest = Sha256::new().chain_update(&hash).chain_update(seq.to_be_bytes()).chain_update(body_hash);
        hash = digest.finalize().to_vec();
        connection.execute("UPDATE record SET hash = ?1 WHERE seq = ?2", (&hash, seq.cast_signed())).unwrap();
    }
}

/// An undamaged journal of two writers. Each case damages a copy of it, because writing a new one needs slow syncs.
struct Original {
    folder: TempDir,
    path: PathBuf,
}

impl Original {
    async fn write() -> Self {
        let (folder, path) = journal_path();
        write_journal(&path, SECOND_WRITER - 1).await;
        let second = SqliteJournal::inline(&path).unwrap();
        for number in SECOND_WRITER..=RECORDS {
            assert_eq!(second.write(draft(number)).await.unwrap(), number);
        }
        Self { folder, path }
    }

    /// Like [`check_damage`](Self::check_damage), for damage by SQL.
    async fn check(&self, sql: &str, expected: u64, problem: &str) {
        self.check_damage(sql, |path| tamper(path, sql), expected, problem).await;
    }

    /// Damages a copy, and checks that `load`, `verify`, and the next writer report it. `load` and `verify` must name
    /// the same record.
    async fn check_damage(&self, what: &str, damage: impl FnOnce(&Path), expected: u64, problem: &str) {
        let copy = tempfile::tempdir_in(self.folder.path()).unwrap();
        let path = copy.path().join("journal.sqlite");
        fs::copy(&self.path, &path).unwrap();
        damage(&path);
        let loaded = SqliteJournal::open_read_only(&path).unwrap().records().await.unwrap_err();
        let verified = verify(&path).unwrap_err();
        assert_eq!(loaded.to_string(), verified.to_string(), "{what}");
        let JournalError::Damaged { seq, .. } = verified else { panic!("{what}: {}", error_text(&verified)) };
        assert_eq!(seq, expected, "{what}: {verified}");
        let expected = format!("record {seq} of the journal is damaged: {problem}");
        assert!(verified.to_string().starts_with(&expected), "{what}: {verified}");
        let resumed = match SqliteJournal::open(&path) {
            Ok(journal) => journal.records().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(resumed, JournalError::Damaged { .. }), "{what}: {}", error_text(&resumed));
    }
}

const HASH: &str = "its hash does not match its body and the record before it";

#[tokio::test]
async fn a_changed_column_is_reported_with_its_record() {
    let changes = [
        ("at = '2020-01-01T00:00:00Z'", "its column `at` differs from its body"),
        ("run = run || '0'", "its column `run` differs from its body"),
        ("tenant = ifnull(tenant, '') || 'x'", "its column `tenant` differs from its body"),
        ("tenant = iif(tenant IS NULL, 'x', NULL)", "its column `tenant` differs from its body"),
        ("type = 'run-ended'", "its column `type` differs from its body"),
        ("epoch = 0", "its column `epoch` differs from its body"),
        ("epoch = epoch + 1", "its column `epoch` differs from its body"),
        ("epoch = -1", "its column `epoch` differs from its body"),
        ("body = replace(body, 'step-', 'STEP-')", HASH),
        ("body = json_set(body, '$.epoch', epoch + 1)", HASH),
        ("body = json_remove(body, '$.epoch')", HASH),
        ("body = body || ' '", HASH),
        ("body = ''", HASH),
        ("hash = zeroblob(32)", HASH),
        ("hash = x'00'", HASH),
        ("hash = (SELECT hash FROM record AS other WHERE other.seq <> record.seq)", HASH),
        ("seq = 1000", "it is missing; the next record is "),
    ];
    let original = Original::write().await;
    for (change, problem) in changes {
        for seq in 1..=RECORDS {
            original.check(&format!("UPDATE record SET {change} WHERE seq = {seq}"), seq, problem).await;
        }
    }
}

#[tokio::test]
async fn a_missing_changed_or_extra_trigger_or_table_is_reported() {
    let cases = [
        ("DROP TRIGGER record_is_never_changed", "trigger `record_is_never_changed`"),
        ("DROP TRIGGER record_is_of_the_holder", "trigger `record_is_of_the_holder`"),
        ("CREATE TRIGGER other AFTER INSERT ON record BEGIN SELECT 1; END", "trigger `other`"),
        ("CREATE TABLE other (a)", "table `other`"),
        (
            "DROP TRIGGER record_is_never_deleted;
             CREATE TRIGGER record_is_never_deleted BEFORE DELETE ON record BEGIN SELECT 1; END",
            "trigger `record_is_never_deleted`",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (index, (change, what)) in cases.into_iter().enumerate() {
        let path = folder.path().join(format!("{index}.sqlite"));
        drop(SqliteJournal::open(&path).unwrap());
        verify(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        let message = error_text(&verify(&path).unwrap_err());
        assert!(
            message.starts_with(&format!("the journal's {what} was changed after it was created")),
            "{change}: {message}"
        );
    }
}

#[tokio::test]
async fn a_missing_record_is_reported_even_at_the_end() {
    let original = Original::write().await;
    let rest = format!("it is missing, and so is every record up to {RECORDS}");
    for seq in 1..=RECORDS {
        let middle = format!("it is missing; the next record is {}", seq + 1);
        let problem = if seq < RECORDS { &middle } else { &rest };
        original.check(&format!("DELETE FROM record WHERE seq = {seq}"), seq, problem).await;
        original.check(&format!("DELETE FROM record WHERE seq >= {seq}"), seq, &rest).await;
    }
}

#[tokio::test]
async fn swapped_records_are_reported() {
    let original = Original::write().await;
    for seq in 1..RECORDS {
        let next = seq + 1;
        let swap = format!(
            "UPDATE record SET seq = 1000 WHERE seq = {seq}; UPDATE record SET seq = {seq} WHERE seq = {next};
             UPDATE record SET seq = {next} WHERE seq = 1000;"
        );
        original.check(&swap, seq, HASH).await;
    }
}

#[tokio::test]
async fn an_impossible_epoch_is_reported() {
    let original = Original::write().await;
    for (seq, epoch, named, problem) in [
        (5, 1, 5, "its epoch is 1, but the record before it has epoch 2"),
        (2, 0, 2, "its epoch is 0, but the record before it has epoch 1"),
        (2, 2, 3, "its epoch is 1, but the record before it has epoch 2"),
        (5, 3, 5, "its epoch is 3, but no writer ever had an epoch above 2"),
        (1, 9, 1, "its epoch is 9, but no writer ever had an epoch above 2"),
    ] {
        let what = format!("record {seq} gets epoch {epoch}");
        original.check_damage(&what, |path| forge_epoch(path, seq, epoch), named, problem).await;
    }
    let problem = "its epoch is 2, but no writer ever had an epoch above 1";
    original.check("UPDATE lease SET epoch = 1", SECOND_WRITER, problem).await;
    original.check("DELETE FROM lease", 1, "its epoch is 1, but no writer ever had an epoch above 0").await;
}

#[tokio::test]
async fn the_triggers_keep_the_journal_append_only() {
    let (_folder, path) = journal_path();
    // This writer holds the lease; otherwise the trigger that guards the lease could refuse the insert first.
    let journal = SqliteJournal::inline(&path).unwrap();
    journal.write(draft(1)).await.unwrap();
    journal.write(draft(2)).await.unwrap();
    let connection = Connection::open(&path).unwrap();
    let columns = "at, run, tenant, type, body, hash, epoch";
    for (sql, expected) in [
        ("UPDATE record SET at = 'x'".to_owned(), "the journal is append-only"),
        ("DELETE FROM record".to_owned(), "the journal is append-only"),
        (format!("INSERT OR REPLACE INTO record ({columns}, seq) SELECT {columns}, 1 FROM record"), "without gaps"),
        (format!("INSERT INTO record ({columns}, seq) SELECT {columns}, 4 FROM record"), "without gaps"),
        (format!("INSERT INTO record ({columns}) SELECT {columns} FROM record"), "without gaps"),
    ] {
        let error = connection.execute(&sql, []).unwrap_err().to_string();
        assert!(error.contains(expected), "{sql}: {error}");
    }
    assert_eq!(verify(&path).unwrap().records, 2);
}

#[tokio::test]
async fn a_truncated_file_is_reported_with_the_record_where_it_ends() {
    let (_folder, path) = journal_path();
    write_journal(&path, 40).await;
    let whole = fs::read(&path).unwrap();
    let mut named = Vec::new();
    for length in (0..whole.len()).step_by(512) {
        fs::write(&path, &whole[..length]).unwrap();
        match verify(&path) {
            Err(JournalError::Damaged { seq, .. }) => named.push(seq),
            Err(error) => assert!(length == 0, "{length} of {} bytes: {}", whole.len(), error_text(&error)),
            Ok(summary) => panic!("{length} of {} bytes: {summary:?}", whole.len()),
        }
        assert!(SqliteJournal::open(&path).is_err() || verify(&path).is_err(), "a writer accepted {length} bytes");
    }
    assert!(named.is_sorted(), "a longer file must end at a later record: {named:?}");
    named.dedup();
    assert!(named.len() > 2 && named.starts_with(&[1]) && named.ends_with(&[40]), "{named:?}");
    fs::write(&path, &whole).unwrap();
    assert_eq!(verify(&path).unwrap().records, 40);
}

/// A flipped bit is either harmless or detected. It never yields a different journal.
#[tokio::test]
async fn a_flipped_bit_never_changes_what_is_loaded() {
    let (_folder, path) = journal_path();
    write_journal(&path, 40).await;
    let whole = fs::read(&path).unwrap();
    let summary = verify(&path).unwrap();
    let records = SqliteJournal::open_read_only(&path).unwrap().records().await.unwrap();
    let mut detected = 0;
    for position in (0..whole.len()).step_by(23) {
        let mut flipped = whole.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(&path, &flipped).unwrap();
        match verify(&path) {
            Ok(found) => assert_eq!(found, summary, "byte {position}"),
            Err(_) => detected += 1,
        }
        if let Ok(journal) = SqliteJournal::open_read_only(&path)
            && let Ok(loaded) = journal.records().await
        {
            assert_eq!(loaded, records, "byte {position}");
        }
    }
    assert!(detected > 100, "only {detected} flips were detected");
}

#[test]
fn a_file_that_is_not_a_journal_is_refused_and_unchanged() {
    let (folder, path) = journal_path();
    fs::create_dir(path.parent().unwrap()).unwrap();
    let other = folder.path().join("other.sqlite");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    for content in [Vec::new(), b"[[tenant]]\nname = \"acme\"\n".repeat(100), fs::read(&other).unwrap()] {
        fs::write(&path, &content).unwrap();
        for error in [SqliteJournal::open(&path).unwrap_err(), verify(&path).unwrap_err()] {
            let message = error_text(&error);
            assert!(message.contains("the file is empty, damaged, or not a flowswap journal"), "{message}");
        }
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_journal_whose_main_file_is_missing_is_not_recreated() {
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
    let message = error_text(&SqliteJournal::open(&path).unwrap_err());
    assert!(message.contains("the journal's main file is missing, but its latest records are still in"), "{message}");
    drop(blocker);
}
