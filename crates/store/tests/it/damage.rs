//! Whatever is done to the file of a journal is noticed, and the record is named.

use std::fs;
use std::path::{Path, PathBuf};

use flowswap_engine::{Journal, JournalError};
use flowswap_store::{SqliteJournal, verify};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{draft, journal_path, tell, write_journal};

const RECORDS: u64 = 5;
/// The first record of a second writer.
const SECOND_WRITER: u64 = 4;

/// Opens the door that the triggers keep shut, and changes the journal behind its back.
fn tamper(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    let triggers = "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = 'trigger'";
    let drop: String = connection.query_row(triggers, [], |row| row.get(0)).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    connection.execute_batch(&format!("PRAGMA ignore_check_constraints = ON; {drop}; {sql}")).unwrap();
}

/// Gives a record another epoch, and all records from it on hashes that fit: the work of somebody who knows the rule.
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
        let digest = Sha256::new().chain_update(&hash).chain_update(seq.to_be_bytes()).chain_update(body).finalize();
        hash = digest.to_vec();
        connection.execute("UPDATE record SET hash = ?1 WHERE seq = ?2", (&hash, seq.cast_signed())).unwrap();
    }
}

/// A whole journal of two writers, of which each case damages a copy: syncs are slow.
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
            assert_eq!(second.append(draft(number)).await.unwrap(), number);
        }
        Self { folder, path }
    }

    /// As [`check_damage`](Self::check_damage), of what SQL does.
    async fn check(&self, sql: &str, expected: u64, problem: &str) {
        self.check_damage(sql, |path| tamper(path, sql), expected, problem).await;
    }

    /// What `load`, `verify` and the next writer say of a damaged copy, which must agree on the record.
    async fn check_damage(&self, what: &str, damage: impl FnOnce(&Path), expected: u64, problem: &str) {
        let copy = tempfile::tempdir_in(self.folder.path()).unwrap();
        let path = copy.path().join("journal.sqlite");
        fs::copy(&self.path, &path).unwrap();
        damage(&path);
        let loaded = SqliteJournal::open_read_only(&path).unwrap().load().await.unwrap_err();
        let verified = verify(&path).unwrap_err();
        assert_eq!(loaded.to_string(), verified.to_string(), "{what}");
        let JournalError::Damaged { seq, .. } = verified else { panic!("{what}: {}", tell(&verified)) };
        assert_eq!(seq, expected, "{what}: {verified}");
        let expected = format!("record {seq} of the journal is damaged: {problem}");
        assert!(verified.to_string().starts_with(&expected), "{what}: {verified}");
        let resumed = match SqliteJournal::open(&path) {
            Ok(journal) => journal.load().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(resumed, JournalError::Damaged { .. }), "{what}: {}", tell(&resumed));
    }
}

const HASH: &str = "its hash does not follow from its body and the record before";

#[tokio::test]
async fn a_change_of_any_column_of_any_record_is_named() {
    let changes = [
        ("at = '2020-01-01T00:00:00Z'", "its column `at` is not what its body says"),
        ("run = run || '0'", "its column `run` is not what its body says"),
        ("tenant = ifnull(tenant, '') || 'x'", "its column `tenant` is not what its body says"),
        ("tenant = iif(tenant IS NULL, 'x', NULL)", "its column `tenant` is not what its body says"),
        ("type = 'run-ended'", "its column `type` is not what its body says"),
        ("epoch = 0", "its column `epoch` is not what its body says"),
        ("epoch = epoch + 1", "its column `epoch` is not what its body says"),
        ("epoch = -1", "its column `epoch` is not what its body says"),
        ("body = replace(body, 'step-', 'STEP-')", HASH),
        ("body = json_set(body, '$.epoch', epoch + 1)", HASH),
        ("body = json_remove(body, '$.epoch')", HASH),
        ("body = body || ' '", HASH),
        ("body = ''", HASH),
        ("hash = zeroblob(32)", HASH),
        ("hash = x'00'", HASH),
        ("hash = (SELECT hash FROM record AS other WHERE other.seq <> record.seq)", HASH),
        ("seq = 1000", "it is missing, and the next one is record "),
    ];
    let original = Original::write().await;
    for (change, problem) in changes {
        for seq in 1..=RECORDS {
            original.check(&format!("UPDATE record SET {change} WHERE seq = {seq}"), seq, problem).await;
        }
    }
}

#[tokio::test]
async fn what_keeps_the_door_shut_is_missed_when_it_is_gone_or_another() {
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
        let told = tell(&verify(&path).unwrap_err());
        assert!(told.starts_with(&format!("the journal's {what} is not as it was made")), "{change}: {told}");
    }
}

#[tokio::test]
async fn a_record_that_is_missing_is_named_also_at_the_end() {
    let original = Original::write().await;
    let rest = format!("it is missing, and so is all up to record {RECORDS}");
    for seq in 1..=RECORDS {
        let middle = format!("it is missing, and the next one is record {}", seq + 1);
        let problem = if seq < RECORDS { &middle } else { &rest };
        original.check(&format!("DELETE FROM record WHERE seq = {seq}"), seq, problem).await;
        original.check(&format!("DELETE FROM record WHERE seq >= {seq}"), seq, &rest).await;
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
        original.check(&swap, seq, HASH).await;
    }
}

#[tokio::test]
async fn an_epoch_that_no_writer_can_have_had_is_named() {
    let original = Original::write().await;
    for (seq, epoch, named, problem) in [
        (5, 1, 5, "its epoch is 1, and that of the record before it 2"),
        (2, 0, 2, "its epoch is 0, and that of the record before it 1"),
        (2, 2, 3, "its epoch is 1, and that of the record before it 2"),
        (5, 3, 5, "its epoch is 3, and no writer was ever given one above 2"),
        (1, 9, 1, "its epoch is 9, and no writer was ever given one above 2"),
    ] {
        let what = format!("record {seq} gets epoch {epoch}");
        original.check_damage(&what, |path| forge_epoch(path, seq, epoch), named, problem).await;
    }
    let problem = "its epoch is 2, and no writer was ever given one above 1";
    original.check("UPDATE lease SET epoch = 1", SECOND_WRITER, problem).await;
    original.check("DELETE FROM lease", 1, "its epoch is 1, and no writer was ever given one above 0").await;
}

#[tokio::test]
async fn the_triggers_keep_the_door_shut() {
    let (_folder, path) = journal_path();
    // It holds the lease, or the trigger that guards that could be the one that speaks.
    let journal = SqliteJournal::inline(&path).unwrap();
    journal.append(draft(1)).await.unwrap();
    journal.append(draft(2)).await.unwrap();
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
async fn a_file_that_was_cut_short_is_named_by_the_record_at_which_it_ends() {
    let (_folder, path) = journal_path();
    write_journal(&path, 40).await;
    let whole = fs::read(&path).unwrap();
    let mut named = Vec::new();
    for length in (0..whole.len()).step_by(512) {
        fs::write(&path, &whole[..length]).unwrap();
        match verify(&path) {
            Err(JournalError::Damaged { seq, .. }) => named.push(seq),
            Err(error) => assert!(length == 0, "{length} of {} bytes: {}", whole.len(), tell(&error)),
            Ok(summary) => panic!("{length} of {} bytes: {summary:?}", whole.len()),
        }
        assert!(SqliteJournal::open(&path).is_err() || verify(&path).is_err(), "a writer made good of {length} bytes");
    }
    assert!(named.is_sorted(), "the longer the file, the later the record at which it ends: {named:?}");
    named.dedup();
    assert!(named.len() > 2 && named.starts_with(&[1]) && named.ends_with(&[40]), "{named:?}");
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
            assert!(told.contains("the file is empty or damaged, or is not"), "{told}");
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
