//! Which run sheets are open, and when they are due. No record says that a deadline has passed; only time does.

use std::collections::BTreeMap;

use flowswap_config::Occasion;
use flowswap_engine::{Entry, Journal, JournalError, Overview, Record};
use jiff::Timestamp;

use super::{notification::Notification, tenant::TenantRecords};

/// The last run sheet of each tenant that may have an open one.
#[derive(Debug)]
pub(super) struct OpenSheets(BTreeMap<String, Sheet>);

#[derive(Debug)]
enum Sheet {
    /// The tenant has one, and nobody has looked yet when it is due.
    Unread,
    /// The record that asks for it, unless it was told that it is overdue.
    Due(Box<Record>, Timestamp),
    /// It was told that it is overdue.
    Told(u64),
}

impl OpenSheets {
    pub(super) fn of<'a>(overviews: impl IntoIterator<Item = (&'a String, &'a Overview)>) -> Self {
        let open = overviews.into_iter().filter(|(_, tenant)| tenant.asked.is_some());
        Self(open.map(|(name, _)| (name.clone(), Sheet::Unread)).collect())
    }

    /// Takes note of a record that asks a person.
    pub(super) fn notice(&mut self, record: &Record) {
        if let (Entry::OperatorAsked { deadline, .. }, Some(name)) = (&record.draft.entry, &record.draft.tenant) {
            self.0.insert(name.clone(), Sheet::Due(Box::new(record.clone()), *deadline));
        }
    }

    /// What is overdue now. Everything is told once.
    pub(super) fn overdue(&mut self, journal: &dyn Journal, now: Timestamp) -> Result<Vec<Notification>, JournalError> {
        let mut overdue = Vec::new();
        let mut closed = Vec::new();
        for (name, sheet) in &mut self.0 {
            let is_late = match sheet {
                Sheet::Unread => true,
                Sheet::Due(_, deadline) => *deadline < now,
                Sheet::Told(_) => false,
            };
            if !is_late {
                continue;
            }
            // What was noticed may be answered by now.
            match TenantRecords::read(journal, name)?.open_sheet() {
                None => closed.push(name.clone()),
                Some((record, deadline)) if deadline < now => {
                    *sheet = Sheet::Told(record.seq);
                    overdue.extend(Notification::of_sheet(Occasion::Overdue, &record));
                }
                Some((record, deadline)) => *sheet = Sheet::Due(Box::new(record), deadline),
            }
        }
        for name in closed {
            self.0.remove(&name);
        }
        Ok(overdue)
    }

    /// Whether the run sheet that this record asks for may still be open.
    pub(super) fn may_be_open(&self, record: u64) -> bool {
        self.0.values().any(|sheet| match sheet {
            Sheet::Unread => true,
            Sheet::Due(asked, _) => asked.seq == record,
            Sheet::Told(asked) => *asked == record,
        })
    }
}
