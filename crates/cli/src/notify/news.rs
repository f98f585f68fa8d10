//! Reads from the journal what a target is to be told of. It opens the journal for each look and only for reading: a reader that
//! stays open would keep the writer from tidying up the journal's files.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_config::Occasion;
use flowswap_engine::{Journal, JournalError, Overview, Position, Record, Records};
use flowswap_store::{SqliteJournal, StateDir};
use futures::executor::block_on;
use jiff::Timestamp;

use super::{notification::Notification, sheets::OpenSheets, waves::WaveWatch};

/// What happened since a place in the journal, as far as one target wants to know.
#[derive(Debug)]
pub(super) struct News {
    state: StateDir,
    on: BTreeSet<Occasion>,
    read_to: Position,
    /// The end of the journal when this process began to deliver.
    start: Position,
    sheets: OpenSheets,
    waves: WaveWatch,
}

impl News {
    /// The news after a position, for a target that is told of these occasions. `start` and the overviews may be later.
    pub(super) fn after(
        position: Position,
        on: &BTreeSet<Occasion>,
        state: StateDir,
        start: Position,
        overviews: &BTreeMap<String, Overview>,
    ) -> Self {
        Self {
            on: on.clone(),
            read_to: position,
            start,
            sheets: OpenSheets::of(overviews),
            waves: WaveWatch::of(state.clone(), overviews),
            state,
        }
    }

    /// Reads what is new since the last call, oldest record first. Blocks.
    ///
    /// In a journal that never had the position after which this reads, such as an old copy, nothing before the start of this
    /// process is news.
    ///
    /// # Errors
    ///
    /// If the journal cannot be read.
    pub(super) fn read(&mut self, now: Timestamp) -> Result<Vec<Notification>, JournalError> {
        let path = self.state.journal();
        if !path.exists() {
            // Nothing has ever happened here.
            return Ok(Vec::new());
        }
        let journal = SqliteJournal::open_read_only(&path)?;
        let mut found = Vec::new();
        let (sheets, waves) = (&mut self.sheets, &mut self.waves);
        let mut visit = |record: Record| {
            sheets.notice(&record);
            waves.notice(&record);
            found.extend(Notification::of(&record));
            Ok(())
        };
        let position = match block_on(journal.load(Records::After(&self.read_to), &mut visit)) {
            Err(JournalError::UnknownPosition(_)) => block_on(journal.load(Records::After(&self.start), &mut visit))?,
            read => read?,
        };
        if self.on.contains(&Occasion::WaveDone) {
            found.extend(self.waves.done(&journal)?);
        }
        if self.on.contains(&Occasion::Overdue) {
            found.extend(self.sheets.overdue(&journal, now)?);
        }
        self.read_to = position;
        found.retain(|news| self.on.iter().any(|occasion| occasion.word() == news.on));
        found.sort_by_key(|news| news.record);
        Ok(found)
    }

    /// Up to where the journal is read.
    pub(super) fn position(&self) -> Position {
        self.read_to
    }

    /// Whether what only time told must be remembered: the run sheet of this record may still be open.
    pub(super) fn may_be_told_again(&self, record: u64) -> bool {
        self.sheets.may_be_open(record)
    }
}
