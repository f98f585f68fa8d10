//! Appending, loading, group commit, and reading while another process writes.

use flowswap_engine::JournalError;
use flowswap_store::{SqliteJournal, Statistics, Written, verify};
use futures::future::join_all;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use crate::support::{Simply, draft, error_text, journal_path, write_journal};

#[tokio::test]
async fn appended_records_are_loaded_and_a_reopened_journal_continues() {
    let (_folder, path) = journal_path();
    for round in 0..3_u64 {
        let journal = SqliteJournal::open(&path).unwrap();
        let records = journal.records().await.unwrap();
        assert_eq!(records.len() as u64, round * 2);
        for record in records {
            assert_eq!(record.draft, draft(record.seq));
        }
        assert_eq!(journal.write(draft(round * 2 + 1)).await.unwrap(), round * 2 + 1);
        assert_eq!(journal.write(draft(round * 2 + 2)).await.unwrap(), round * 2 + 2);
    }
    assert_eq!(verify(&path).unwrap().records, 6);
}

/// With the bodies and nothing else, anybody computes the same hashes.
#[tokio::test]
async fn records_are_read_as_they_are_written() {
    let (_folder, path) = journal_path();
    let journal = SqliteJournal::open(&path).unwrap();
    for number in 1..=600 {
        journal.write(draft(number)).await.unwrap();
    }
    let (mut before, mut last) = ([0; 32], 0);
    let mut visit = |written: Written| {
        let Written { record, body, body_hash, hash } = written;
        let of_body = Sha256::digest(&body);
        assert_eq!(body_hash, Some(base16ct::lower::encode_string(&of_body)));
        let hasher = Sha256::new().chain_update(before).chain_update(record.seq.to_be_bytes()).chain_update(of_body);
        before = hasher.finalize().into();
        assert_eq!(hash, base16ct::lower::encode_string(&before));
        assert!(body.contains(&serde_json::to_string(&record.draft.entry).unwrap()), "{body}");
        last = record.seq;
        Ok(())
    };
    let end = journal.load_written(&mut visit).await.unwrap();
    assert_eq!((last, end.seq, end.hash), (600, 600, before));
}

#[tokio::test]
async fn the_same_records_give_the_same_head_however_they_are_written() {
    let (_folder, path) = journal_path();
    let threaded = SqliteJournal::open(&path).unwrap();
    let memory = SqliteJournal::in_memory().unwrap();
    for number in 1..=10 {
        threaded.write(draft(number)).await.unwrap();
        memory.write(draft(number)).await.unwrap();
    }
    let summary = memory.check().await.unwrap();
    assert_eq!(threaded.check().await.unwrap(), summary);
    drop(threaded);
    assert_eq!(verify(&path).unwrap(), summary);
    // The same records must have the same hash in every build.
    insta::assert_snapshot!(summary.head, @"1ec9c6bc803a050a9ae1223e50e5cfe2edf7ddefe0dd93ffe2dfe83a6fe407fb");
}

/// While another connection blocks the database, all appends must queue up behind the first.
#[tokio::test]
async fn waiting_appends_share_one_commit() {
    let (_folder, path) = journal_path();
    let journal = SqliteJournal::open(&path).unwrap();
    let blocker = Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();

    let mut appends = Box::pin(join_all((1..=200).map(|number| journal.write(draft(number)))));
    assert!(futures::poll!(&mut appends).is_pending(), "nothing can be durable yet");
    assert_eq!(journal.statistics(), Statistics { records: 0, commits: 0 });
    blocker.execute_batch("COMMIT").unwrap();

    let mut numbers: Vec<_> = appends.await.into_iter().map(Result::unwrap).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=200).collect::<Vec<_>>());
    let statistics = journal.statistics();
    assert_eq!(statistics.records, 200);
    assert!(statistics.commits <= 2, "{statistics:?}");
}

#[tokio::test]
async fn an_inline_journal_commits_each_append() {
    let journal = SqliteJournal::in_memory().unwrap();
    join_all((1..=20).map(|number| journal.write(draft(number)))).await;
    assert_eq!(journal.statistics(), Statistics { records: 20, commits: 20 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_tasks_leave_no_gap() {
    let (_folder, path) = journal_path();
    let journal = std::sync::Arc::new(SqliteJournal::open(&path).unwrap());
    let tasks = (0..200).map(|task| {
        let journal = journal.clone();
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for step in 0..5 {
                numbers.push((journal.write(draft(task * 5 + step)).await.unwrap(), draft(task * 5 + step)));
            }
            numbers
        })
    });
    let mut acknowledged: Vec<_> = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();
    acknowledged.sort_by_key(|(seq, _)| *seq);

    let records = journal.records().await.unwrap();
    assert_eq!(acknowledged.len(), 1000);
    for (number, ((seq, draft), record)) in (1..).zip(acknowledged.iter().zip(&records)) {
        assert_eq!((*seq, record.seq), (number, number));
        assert_eq!(draft, &record.draft, "record {number} is the one that its task appended");
    }
    let statistics = journal.statistics();
    assert_eq!(statistics.records, 1000);
    assert!(statistics.commits < 1000, "{statistics:?}");
}

#[tokio::test]
async fn an_append_whose_future_was_dropped_is_still_written() {
    let (_folder, path) = journal_path();
    let journal = SqliteJournal::open(&path).unwrap();
    let mut append = journal.write(draft(1));
    let _ = futures::poll!(&mut append);
    drop(append);
    drop(journal);
    assert_eq!(verify(&path).unwrap().records, 1);
}

#[tokio::test]
async fn a_reader_sees_what_the_writer_made_durable_and_cannot_append() {
    let (_folder, path) = journal_path();
    let writer = SqliteJournal::open(&path).unwrap();
    let reader = SqliteJournal::open_read_only(&path).unwrap();
    assert_eq!(reader.records().await.unwrap(), []);
    for number in 1..=3 {
        writer.write(draft(number)).await.unwrap();
        assert_eq!(reader.records().await.unwrap().len() as u64, number);
        assert_eq!(verify(&path).unwrap().records, number);
    }
    let message = error_text(&reader.write(draft(4)).await.unwrap_err());
    assert!(message.starts_with("failed to append to the journal: it is open for reading only"), "{message}");
    assert_eq!(writer.write(draft(4)).await.unwrap(), 4);
}

#[tokio::test]
async fn a_reader_needs_no_writer() {
    let (_folder, path) = journal_path();
    write_journal(&path, 2).await;
    assert_eq!(SqliteJournal::open_read_only(&path).unwrap().records().await.unwrap().len(), 2);
}

#[test]
fn reading_a_missing_journal_is_an_error_and_creates_no_file() {
    let (_folder, path) = journal_path();
    let error = SqliteJournal::open_read_only(&path).unwrap_err();
    let JournalError::Storage { doing: "open the journal", source } = error else { panic!("{error:?}") };
    assert_eq!(source.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::NotFound);
    assert!(!path.exists());
}
