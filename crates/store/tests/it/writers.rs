//! Only one process can write at a time, and its lock ends with it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use flowswap_engine::JournalError;
use flowswap_store::{SqliteJournal, verify};

use crate::support::{Simply, draft, journal_path, write_journal};

const PATH: &str = "FLOWSWAP_TEST_HELD_JOURNAL";

#[tokio::test]
async fn a_second_writer_in_another_process_is_told_who_writes() {
    let (_folder, path) = journal_path();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writers::hold_the_journal", "--nocapture"])
        .env(PATH, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(holder.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap().contains("holding")), "the other process never held the journal");

    for attempt in [SqliteJournal::open(&path), SqliteJournal::inline(&path)] {
        let error = attempt.unwrap_err();
        let JournalError::InUse { holder: text } = &error else { panic!("{error:?}") };
        assert!(text.starts_with(&format!("process {}, user ", holder.id())), "{text}");
        assert!(text.contains(", since 20"), "{text}");
    }
    let reader = SqliteJournal::open_read_only(&path).unwrap();
    assert_eq!(reader.records().await.unwrap().len(), 1);

    // `kill` sends SIGKILL, so no destructor runs. The acknowledged record must survive that.
    holder.kill().unwrap();
    holder.wait().unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    let takeover = journal.takeover().unwrap();
    assert_eq!((takeover.epoch, takeover.holder.process), (1, holder.id()));
    assert_eq!(takeover.last.as_ref().unwrap().draft, draft(1));
    assert_eq!(journal.write(draft(2)).await.unwrap(), 2);
    assert_eq!(verify(&path).unwrap().records, 2);
}

/// The child process of the test above. Does nothing in an ordinary run.
#[tokio::test]
async fn hold_the_journal() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let journal = SqliteJournal::open(path.as_ref()).unwrap();
    journal.write(draft(1)).await.unwrap();
    println!("holding");
    // Waits until it is killed, or until the test that started it ends.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
}

#[tokio::test]
async fn a_second_writer_in_this_process_is_refused_until_the_first_is_dropped() {
    let (_folder, path) = journal_path();
    let journal = SqliteJournal::open(&path).unwrap();
    let message = SqliteJournal::open(&path).unwrap_err().to_string();
    let expected = format!("the journal is in use by another flowswap process (process {}, user ", std::process::id());
    assert!(message.starts_with(&expected), "{message}");
    drop(journal);
    write_journal(&path, 1).await;
}
