//! The thread that owns the journal. It gathers all waiting appends into one transaction, and so into one sync.
//!
//! While a sync runs, the appends of all other tenants queue up behind it and share the next one. A single append is
//! committed at once; it does not wait for others to join.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use flowswap_engine::JournalError;
use futures::channel::oneshot;

use super::chain::Head;
use super::encoding::Encoded;
use super::log::{Counters, Log, Statistics};
use super::refusal::Refusal;

/// The maximum number of records in one transaction, so that the first of them does not wait forever.
const LARGEST_BATCH: usize = 1024;

/// The handle of the thread. Dropping it waits until the thread has finished all requests.
pub(crate) struct Writer {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
}

enum Request {
    Append(Vec<Encoded>, Reply),
    Read(Box<dyn FnOnce(&Log) + Send>),
}

type Reply = oneshot::Sender<Result<Head, Refusal>>;

impl Writer {
    pub(crate) fn start(log: Log) -> Result<Self, JournalError> {
        let counters = log.counters();
        let (requests, inbox) = mpsc::channel();
        let thread =
            thread::Builder::new().name("journal".to_owned()).spawn(move || serve(log, &inbox)).map_err(|source| {
                JournalError::Storage { doing: "start the journal's thread", source: Box::new(source) }
            })?;
        Ok(Self { requests: Some(requests), thread: Some(thread), counters })
    }

    /// Appends records, which are durable when this returns the head after them. Dropping the future does not cancel the
    /// append.
    pub(crate) async fn append(&self, encoded: Vec<Encoded>) -> Result<Head, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Append(encoded, reply));
        Ok(answer.await.unwrap_or(Err(Refusal::Ended))?)
    }

    /// Runs `read` after all earlier appends.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Log) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Read(Box::new(move |log| {
            // The caller may have stopped waiting.
            let _ = reply.send(read(log));
        })));
        answer.await.unwrap_or_else(|_| {
            Err(JournalError::Storage { doing: "read the journal", source: Box::new(Refusal::Ended) })
        })
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.counters.read()
    }

    /// Sends a request to the thread. If that fails, the request is dropped with its reply channel, and the caller that
    /// waits for the reply gets an error.
    fn send(&self, request: Request) {
        if let Some(requests) = &self.requests {
            let _ = requests.send(request);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already printed where it happened, and a drop must not panic again.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("counters", &self.counters).finish_non_exhaustive()
    }
}

/// Serves requests until all senders are dropped and the inbox is empty.
fn serve(mut log: Log, inbox: &Receiver<Request>) {
    let mut held_back = None;
    while let Some(request) = held_back.take().or_else(|| inbox.recv().ok()) {
        match request {
            Request::Read(read) => read(&log),
            Request::Append(encoded, reply) => {
                // On a single core, this lets the run queue further appends before the transaction begins. With an idle core, it
                // returns at once.
                thread::yield_now();
                let mut batch = Batch { appends: vec![encoded], replies: vec![reply] };
                held_back = batch.gather(inbox);
                batch.commit(&mut log);
            }
        }
    }
}

struct Batch {
    appends: Vec<Vec<Encoded>>,
    replies: Vec<Reply>,
}

impl Batch {
    /// Adds the waiting appends to the batch. Stops at a request of another kind and returns it.
    fn gather(&mut self, inbox: &Receiver<Request>) -> Option<Request> {
        let mut records: usize = self.appends.iter().map(Vec::len).sum();
        while records < LARGEST_BATCH {
            match inbox.try_recv() {
                Ok(Request::Append(encoded, reply)) => {
                    records += encoded.len();
                    self.appends.push(encoded);
                    self.replies.push(reply);
                }
                Ok(other) => return Some(other),
                Err(_) => break,
            }
        }
        None
    }

    fn commit(self, log: &mut Log) {
        match log.append(&self.appends) {
            Ok(heads) => {
                for (reply, head) in self.replies.into_iter().zip(heads) {
                    let _ = reply.send(Ok(head));
                }
            }
            Err(refusal) => {
                for reply in self.replies {
                    let _ = reply.send(Err(refusal.clone()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use flowswap_engine::{Draft, Entry, RunId};
    use futures::future::join_all;
    use jiff::Timestamp;
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::verify;

    /// A record of epoch 1 that fills about two SQLite pages.
    fn large() -> Encoded {
        large_in_epoch(1)
    }

    fn large_in_epoch(epoch: u64) -> Encoded {
        let entry = Entry::Planned {
            plan: "p".repeat(8_000),
            path: "plan.json".to_owned(),
            verdict: flowswap_engine::Verdict::Ready,
            findings: Vec::new(),
            wave: None,
            by: None,
        };
        Encoded::of(&Draft { at: Timestamp::UNIX_EPOCH, run: RunId::none(), tenant: None, entry }, epoch).unwrap()
    }

    async fn append(writer: &Writer) -> Result<u64, JournalError> {
        writer.append(vec![large()]).await.map(|head| head.seq)
    }

    fn open() -> (TempDir, PathBuf, Log) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.sqlite");
        let (log, _) = Log::open(&path).unwrap();
        (folder, path, log)
    }

    fn error_chain(error: &JournalError) -> String {
        let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }

    #[tokio::test]
    async fn a_full_disk_fails_every_append_until_the_journal_is_reopened() {
        let (_folder, path, mut log) = open();
        log.append(&[vec![large()]]).unwrap();
        let connection = log.connection();
        let pages: u32 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        let writer = Writer::start(log).unwrap();

        let blocker = Connection::open(&path).unwrap();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut appends = Box::pin(join_all((0..20).map(|_| append(&writer))));
        assert!(futures::poll!(&mut appends).is_pending());
        blocker.execute_batch("COMMIT").unwrap();

        let messages: Vec<_> = appends.await.into_iter().map(|result| error_chain(&result.unwrap_err())).collect();
        let cause = "database or disk is full";
        for text in messages {
            let first =
                format!("nothing was written; the journal refuses further records until it is reopened: {cause}");
            let later = format!("nothing was written because an earlier write failed; reopen the journal: {cause}");
            let expected = [first, later].map(|reason| format!("failed to append to the journal: {reason}"));
            assert!(expected.iter().any(|expected| text.starts_with(expected)), "{text}");
        }
        assert_eq!(writer.statistics(), Statistics { records: 1, commits: 1 });
        assert!(error_chain(&append(&writer).await.unwrap_err()).contains("an earlier write failed"));
        assert_eq!(writer.read(Log::check).await.unwrap().records, 1, "reading still works");
        drop(writer);
        assert_eq!(verify(&path).unwrap().records, 1);
        let (mut log, takeover) = Log::open(&path).unwrap();
        assert_eq!(takeover.unwrap().last.unwrap().seq, 1, "the failed writer did not release its lease");
        assert_eq!(log.append(&[vec![large_in_epoch(2)]]).unwrap()[0].seq, 2, "a new writer continues");
    }

    #[tokio::test]
    async fn a_failed_commit_leaves_its_records_in_doubt_and_stops_the_journal() {
        let (_folder, path, log) = open();
        // This constraint is checked only at commit.
        log.connection()
            .execute_batch(
                "CREATE TEMP TABLE parent (id INTEGER PRIMARY KEY);
                 CREATE TEMP TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
                 CREATE TEMP TRIGGER fail AFTER INSERT ON main.record WHEN NEW.seq > 2
                 BEGIN INSERT INTO child VALUES (1); END;",
            )
            .unwrap();
        let writer = Writer::start(log).unwrap();
        assert_eq!(append(&writer).await.unwrap(), 1);
        assert_eq!(append(&writer).await.unwrap(), 2);
        let failed = error_chain(&append(&writer).await.unwrap_err());
        assert!(
            failed.contains("the commit failed; reopening the journal will show whether the records were written"),
            "{failed}"
        );
        let refused = error_chain(&append(&writer).await.unwrap_err());
        assert!(refused.contains("an earlier write failed") && refused.contains("FOREIGN KEY"), "{refused}");
        drop(writer);
        assert_eq!(verify(&path).unwrap().records, 2);
    }

    #[tokio::test]
    async fn a_transaction_that_could_not_start_does_not_stop_the_journal() {
        let (_folder, path, log) = open();
        log.connection().busy_timeout(Duration::ZERO).unwrap();
        let writer = Writer::start(log).unwrap();
        let blocker = Connection::open(&path).unwrap();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        let message = error_chain(&append(&writer).await.unwrap_err());
        assert!(
            message.contains("could not start a transaction; nothing was written: database is locked"),
            "{message}"
        );
        blocker.execute_batch("COMMIT").unwrap();
        assert_eq!(append(&writer).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn callers_get_an_error_when_the_thread_has_died() {
        let (_folder, path, log) = open();
        let writer = Writer::start(log).unwrap();
        let message = error_chain(&writer.read::<()>(|_| panic!("on purpose, by a test")).await.unwrap_err());
        assert_eq!(message, "failed to read the journal: its thread has ended");
        let message = error_chain(&append(&writer).await.unwrap_err());
        assert_eq!(message, "failed to append to the journal: its thread has ended");
        drop(writer);
        assert!(Log::open(&path).unwrap().1.is_some(), "the dead thread did not release its lease");
    }

    #[test]
    fn a_batch_ends_at_a_read_and_at_its_limit() {
        for (before_read, expected, is_held_back) in
            [(0, 1, true), (3, 4, true), (LARGEST_BATCH - 1, LARGEST_BATCH, false), (2_000, LARGEST_BATCH, false)]
        {
            let (requests, inbox) = mpsc::channel();
            let append = || Request::Append(vec![large()], oneshot::channel().0);
            (0..before_read).for_each(|_| requests.send(append()).unwrap());
            requests.send(Request::Read(Box::new(|_| {}))).unwrap();
            requests.send(append()).unwrap();
            let mut batch = Batch { appends: vec![vec![large()]], replies: vec![oneshot::channel().0] };
            assert_eq!(batch.gather(&inbox).is_some(), is_held_back, "{before_read}");
            assert_eq!((batch.appends.len(), batch.replies.len()), (expected, expected), "{before_read}");
        }
    }
}
