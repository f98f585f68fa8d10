//! What the records of one tenant say, for what no single record tells.

use flowswap_engine::{Entry, History, Journal, JournalError, Record, Records, TenantState};
use futures::executor::block_on;
use jiff::Timestamp;

/// The state of a tenant, and its last records of two kinds.
pub(super) struct TenantRecords {
    history: History,
    name: String,
    /// The last record that asks a person.
    asked: Option<Record>,
    /// The number and the time of the last record that says that it is swapped.
    swapped: Option<(u64, Timestamp)>,
}

impl TenantRecords {
    /// Reads all records of a tenant. Blocks.
    pub(super) fn read(journal: &dyn Journal, name: &str) -> Result<Self, JournalError> {
        let mut read = Self { history: History::default(), name: name.to_owned(), asked: None, swapped: None };
        let mut visit = |record: Record| {
            read.history.add(&record)?;
            match &record.draft.entry {
                Entry::OperatorAsked { .. } => read.asked = Some(record),
                Entry::TenantEnded { state: TenantState::Swapped, .. } => {
                    read.swapped = Some((record.seq, record.draft.at));
                }
                _ => {}
            }
            Ok(())
        };
        block_on(journal.load(Records::OfTenant(name), &mut visit))?;
        Ok(read)
    }

    /// The record that asks for the open run sheet, and when that is due. `None` if no run sheet is open.
    pub(super) fn open_sheet(self) -> Option<(Record, Timestamp)> {
        let question = self.history.tenant(&self.name)?.work.as_ref()?.question.as_ref()?;
        Some((self.asked?, question.deadline))
    }

    /// Since which record it is swapped for good. `None` if it is not.
    pub(super) fn swapped_since(&self) -> Option<(u64, Timestamp)> {
        self.history.tenant(&self.name)?.overview().is_swapped_for_good().then_some(self.swapped)?
    }
}
