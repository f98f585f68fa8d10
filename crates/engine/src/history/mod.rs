//! The state of every tenant, computed from the journal alone.

mod abandoned;
mod asking;
mod intending;
mod intent;
mod overview;
mod question;
mod rehearsing;
mod rotating;
mod settled;
mod tenant;
mod work;

use std::collections::BTreeMap;

use crate::Record;
pub use intent::{Intent, NewerPlan, Refusal};
pub use overview::Overview;
pub use question::{Claim, Handover, Question};
pub use settled::Settled;
pub use tenant::TenantHistory;
pub use work::{DoneStep, Doubt, LastResult, SentRequest, Work};

/// What the journal records of all tenants. The records of different tenants and runs may be mixed.
#[derive(Debug, Clone, Default)]
pub struct History {
    tenants: BTreeMap<String, TenantHistory>,
}

/// A record that cannot follow the records before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} of the journal cannot follow the records before it: {problem}")]
pub struct IllegalRecord {
    /// The record's number.
    pub seq: u64,
    /// Why not.
    pub problem: String,
}

impl IllegalRecord {
    /// A tenant's record that cannot follow the tenant's records before it.
    pub(crate) fn of_tenant(seq: u64, tenant: &str, problem: &str) -> Self {
        Self { seq, problem: format!("tenant `{tenant}`: {problem}") }
    }
}

impl History {
    /// Computes the state from all records.
    pub fn fold(records: &[Record]) -> Result<Self, IllegalRecord> {
        let mut history = Self::default();
        records.iter().try_for_each(|record| history.add(record))?;
        Ok(history)
    }

    /// Adds the next record.
    pub fn add(&mut self, record: &Record) -> Result<(), IllegalRecord> {
        let (seq, draft) = (record.seq, &record.draft);
        let is_of_run = draft.entry.is_of_run();
        match &draft.tenant {
            None if is_of_run => Ok(()),
            None => Err(IllegalRecord { seq, problem: "it names no tenant".to_owned() }),
            Some(_) if is_of_run => Err(IllegalRecord { seq, problem: "a run's record names a tenant".to_owned() }),
            Some(name) => {
                let tenant = self.tenants.entry(name.clone()).or_insert_with(|| TenantHistory::new(draft.at));
                tenant.add_record(record).map_err(|problem| IllegalRecord::of_tenant(seq, name, &problem))
            }
        }
    }

    /// One tenant's history.
    pub fn tenant(&self, name: &str) -> Option<&TenantHistory> {
        self.tenants.get(name)
    }

    /// All tenants in the journal, by name.
    pub fn tenants(&self) -> impl Iterator<Item = (&str, &TenantHistory)> {
        self.tenants.iter().map(|(name, history)| (name.as_str(), history))
    }
}
