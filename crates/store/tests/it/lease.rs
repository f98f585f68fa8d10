//! The lease: the database itself refuses a replaced writer, and the next writer names an interrupted one.

use std::fs;
use std::path::Path;
use std::process;

use flowswap_engine::{JournalError, Record, WriterReplaced};
use flowswap_store::{Holder, SqliteJournal, Takeover, verify};
use futures::future::join_all;
use jiff::Timestamp;
use rusqlite::Connection;

use crate::support::{Simply, draft, journal_path, write_journal};

/// Opens the journal a second time while another writer has it, as if somebody had removed the lock file.
fn open_without_the_lock(path: &Path) -> SqliteJournal {
    fs::remove_file(path.with_extension("sqlite.lock")).unwrap();
    SqliteJournal::open(path).unwrap()
}

#[tokio::test]
async fn a_writer_that_was_replaced_is_refused_by_the_database() {
    for open in [SqliteJournal::open, SqliteJournal::inline] {
        let (_folder, path) = journal_path();
        let late = open(&path).unwrap();
        assert_eq!(late.write(draft(1)).await.unwrap(), 1);
        let writer = open_without_the_lock(&path);

        // A batch before the new writer has written, and single appends after.
        let mut refused = join_all((0..20).map(|number| late.write(draft(number)))).await;
        assert_eq!(writer.write(draft(2)).await.unwrap(), 2);
        refused.push(late.write(draft(3)).await);
        refused.push(late.write(draft(4)).await);
        for result in refused {
            let error = result.unwrap_err();
            let JournalError::WriterReplaced(WriterReplaced { epoch: 1, current: 2, holder }) = &error else {
                panic!("{error:?}")
            };
            let text = format!(
                "another process took over the journal: epoch 1 of this process was replaced by epoch 2 ({holder}); this \
                 record was not written"
            );
            assert_eq!(error.to_string(), text);
            assert!(holder.starts_with(&format!("process {}, user ", process::id())), "{holder}");
        }
        assert_eq!(verify(&path).unwrap().records, 2);
        assert_eq!(late.records().await.unwrap(), writer.records().await.unwrap(), "it can still read");

        drop(late);
        assert_eq!(
            writer.write(draft(3)).await.unwrap(),
            3,
            "dropping the replaced writer does not release the new lease"
        );
        drop(writer);
        assert_eq!(SqliteJournal::open(&path).unwrap().takeover(), None);
    }
}

#[tokio::test]
async fn dropping_a_writer_that_did_not_notice_its_replacement_releases_nothing() {
    let (_folder, path) = journal_path();
    let late = SqliteJournal::open(&path).unwrap();
    let writer = open_without_the_lock(&path);
    drop(late);
    assert_eq!(writer.write(draft(1)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_released_journal_is_opened_without_a_takeover() {
    let (_folder, path) = journal_path();
    for epoch in 1..4 {
        let journal = SqliteJournal::open(&path).unwrap();
        assert_eq!(journal.takeover(), None);
        journal.write(draft(epoch)).await.unwrap();
        assert_eq!(journal.records().await.unwrap().last().unwrap().epoch, epoch);
    }
}

#[tokio::test]
async fn a_writer_that_did_not_release_the_journal_is_named_with_its_last_record() {
    let (_folder, path) = journal_path();
    write_journal(&path, 3).await;
    for records in [0, 2] {
        let before = verify(&path).unwrap().records;
        let interrupted = SqliteJournal::inline(&path).unwrap();
        for number in 0..records {
            interrupted.write(draft(before + number)).await.unwrap();
        }
        let next = open_without_the_lock(&path);
        let Takeover { epoch, holder, last } = next.takeover().unwrap();
        assert_eq!((holder.process, holder.version.as_str()), (process::id(), env!("CARGO_PKG_VERSION")));
        assert!((Timestamp::now().as_second() - holder.since.as_second()).abs() < 3600, "{holder}");
        assert!(!holder.host.is_empty());
        let expected = (records > 0).then(|| before + records);
        assert_eq!(last.as_ref().map(|record| record.seq), expected);
        assert!(last.iter().all(|record| record.epoch == *epoch && record.draft == draft(record.seq - 1)));
    }
}

#[test]
fn a_takeover_is_described_in_two_lines() {
    let holder = Holder {
        process: 4242,
        user: 1000,
        host: "laptop".to_owned(),
        version: "0.1.0".to_owned(),
        since: "2026-03-01T09:30:00Z".parse().unwrap(),
    };
    let takeover = |last| Takeover { epoch: 7, holder: holder.clone(), last };
    let record = |number| Some(Record { seq: 12, epoch: 7, draft: draft(number) });
    let text = [None, record(1), record(3)].map(|last| takeover(last).to_string());
    insta::assert_snapshot!(text.join("\n\n"), @"
    the last flowswap process was interrupted, so this one takes over the journal. The last process: process 4242, user 1000 on laptop, flowswap 0.1.0, since 2026-03-01T09:30:00Z
    that process wrote no records

    the last flowswap process was interrupted, so this one takes over the journal. The last process: process 4242, user 1000 on laptop, flowswap 0.1.0, since 2026-03-01T09:30:00Z
    the last record of that process is 12, written at 2027-01-15T08:00:01Z: step-started of tenant-1, in run 00000000-0000-0000-0000-000000000000

    the last flowswap process was interrupted, so this one takes over the journal. The last process: process 4242, user 1000 on laptop, flowswap 0.1.0, since 2026-03-01T09:30:00Z
    the last record of that process is 12, written at 2027-01-15T08:00:03Z: step-started, in run 00000000-0000-0000-0000-000000000000
    ");
}

#[tokio::test]
async fn the_triggers_guard_the_lease() {
    let (_folder, path) = journal_path();
    write_journal(&path, 1).await;
    let journal = SqliteJournal::open(&path).unwrap();
    let connection = Connection::open(&path).unwrap();
    let row = "1, 1, 0, 1, 1, 'h', 'v', 's'";
    let record = "INSERT INTO record SELECT 2, at, run, tenant, type, body, hash";
    let check = |sql: &str, expected: &str| {
        let error = connection.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains(expected), "{sql}: {error}");
    };
    for change in ["epoch = 1", "epoch = 4", "process = 1", "host = 'h'", "since = ''", "version = NULL", "user = 1"] {
        check(&format!("UPDATE lease SET {change}"), "an epoch is given once");
    }
    check("UPDATE lease SET id = 2, epoch = 3", "CHECK constraint");
    check("DELETE FROM lease", "there is one lease");
    check(&format!("INSERT INTO lease VALUES ({row})"), "there is one lease");
    check(&format!("INSERT OR REPLACE INTO lease VALUES ({row})"), "there is one lease");
    for epoch in [-1, 0, 1, 3] {
        check(&format!("{record}, {epoch} FROM record"), "the lease is not held in the epoch of the record");
    }
    drop(journal);
    check(&format!("{record}, 2 FROM record"), "the lease is not held in the epoch of the record");
    check("UPDATE lease SET released = 0", "an epoch is given once");
    assert_eq!(verify(&path).unwrap().records, 1);
}
