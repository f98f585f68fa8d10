//! Tests of the store on real files, as the engine and the CLI use it.

#[cfg(test)]
mod custody;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod files;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod recipients;
#[cfg(test)]
mod writers;

#[cfg(test)]
mod support {
    use std::path::{Path, PathBuf};

    use flowswap_engine::{Direction, Draft, Entry, Journal, JournalError, Record, Records, RunId};
    use flowswap_store::SqliteJournal;
    use futures::future::BoxFuture;
    use tempfile::TempDir;

    /// A journal as most tests use it.
    pub(crate) trait Simply {
        /// Writes one record.
        fn write(&self, draft: Draft) -> BoxFuture<'_, Result<u64, JournalError>>;

        /// Reads all records.
        fn records(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>>;
    }

    impl Simply for SqliteJournal {
        fn write(&self, draft: Draft) -> BoxFuture<'_, Result<u64, JournalError>> {
            let append = self.append(vec![draft]);
            Box::pin(async { append.await.map(|position| position.seq) })
        }

        fn records(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
            Box::pin(async {
                let mut records = Vec::new();
                let mut visit = |record| {
                    records.push(record);
                    Ok(())
                };
                self.load(Records::All, &mut visit).await?;
                Ok(records)
            })
        }
    }

    /// A temporary folder, and the path of a journal in it that does not exist yet.
    pub(crate) fn journal_path() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/journal.sqlite");
        (folder, path)
    }

    /// A draft that differs for each number. Every third draft has no tenant.
    pub(crate) fn draft(number: u64) -> Draft {
        Draft {
            at: jiff::Timestamp::from_second(1_800_000_000 + i64::try_from(number).unwrap()).unwrap(),
            run: RunId::none(),
            tenant: (!number.is_multiple_of(3)).then(|| format!("tenant-{number}")),
            entry: Entry::StepStarted { step: format!("step-{number}"), direction: Direction::Forward },
        }
    }

    /// Writes a journal of `count` records and closes it.
    pub(crate) async fn write_journal(path: &Path, count: u64) {
        let journal = SqliteJournal::inline(path).unwrap();
        for number in 1..=count {
            assert_eq!(journal.write(draft(number)).await.unwrap(), number);
        }
    }

    /// The error, its sources, and its `Debug` text: everything that could ever be shown of it.
    pub(crate) fn error_text(error: &dyn std::error::Error) -> String {
        let chain = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
        format!("{} [{error:?}]", chain.collect::<Vec<_>>().join(": "))
    }
}
