//! The state of every tenant, computed from the journal alone.

mod abandoned;
mod question;
mod tenant;
mod work;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{Entry, Record, RunCommand, RunId, RunScope};
pub use question::{Claim, Handover, Question};
pub use tenant::TenantHistory;
pub use work::{DoneStep, Doubt, LastResult, SentRequest, Work};

/// What the journal records of all tenants.
#[derive(Debug, Clone, Default)]
pub struct History {
    tenants: BTreeMap<String, TenantHistory>,
    last_run: Option<LastRun>,
}

/// The run that started last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// Its id.
    pub run: RunId,
    /// Its command.
    pub command: RunCommand,
    /// What it had to do. `None` if it had no tenants, or if its version did not record it.
    pub scope: Option<RunScope>,
    /// When it started.
    pub at: Timestamp,
    /// How it ended. `None` if it crashed, or if it is still running.
    pub end: Option<RunEnd>,
}

/// How a run ended normally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It worked on all its tenants.
    Completed,
    /// The operator stopped it.
    Interrupted,
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

impl History {
    /// Computes the state from all records.
    pub fn fold(records: &[Record]) -> Result<Self, IllegalRecord> {
        let mut history = Self::default();
        for record in records {
            history.add(record).map_err(|problem| IllegalRecord { seq: record.seq, problem })?;
        }
        Ok(history)
    }

    /// One tenant's history.
    pub fn tenant(&self, name: &str) -> Option<&TenantHistory> {
        self.tenants.get(name)
    }

    /// All tenants in the journal, by name.
    pub fn tenants(&self) -> impl Iterator<Item = (&str, &TenantHistory)> {
        self.tenants.iter().map(|(name, history)| (name.as_str(), history))
    }

    /// The run that started last. `None` before the first run.
    pub fn last_run(&self) -> Option<&LastRun> {
        self.last_run.as_ref()
    }

    fn add(&mut self, record: &Record) -> Result<(), String> {
        let draft = &record.draft;
        match (&draft.entry, &draft.tenant) {
            (Entry::RunStarted { .. } | Entry::RunEnded { .. }, Some(_)) => {
                Err("a run's record names a tenant".to_owned())
            }
            (Entry::RunStarted { command, scope, .. }, None) => {
                self.last_run =
                    Some(LastRun { run: draft.run, command: *command, scope: scope.clone(), at: draft.at, end: None });
                Ok(())
            }
            (Entry::RunEnded { interrupted }, None) => self.end_run(draft.run, *interrupted),
            (_, None) => Err("it names no tenant".to_owned()),
            (entry, Some(name)) => {
                if !is_written_between_runs(entry) {
                    self.expect_running(draft.run)?;
                }
                self.tenants
                    .entry(name.clone())
                    .or_insert_with(|| TenantHistory::new(draft.at))
                    .add(entry, draft.run, draft.at)
                    .map_err(|problem| format!("tenant `{name}`: {problem}"))
            }
        }
    }

    fn end_run(&mut self, run: RunId, interrupted: bool) -> Result<(), String> {
        self.expect_running(run)?;
        if let Some(last) = &mut self.last_run {
            last.end = Some(if interrupted { RunEnd::Interrupted } else { RunEnd::Completed });
        }
        Ok(())
    }

    /// Only one run works at a time. flowswap never writes a record of an earlier run after a later run has started, or of a
    /// run that has ended.
    fn expect_running(&self, run: RunId) -> Result<(), String> {
        match &self.last_run {
            Some(last) if last.run == run && last.end.is_none() => Ok(()),
            Some(last) if last.run == run => Err(format!("run {run} has ended")),
            Some(last) => Err(format!("it belongs to run {run}, but run {} has started since", last.run)),
            None => Err(format!("run {run} has not started")),
        }
    }
}

/// Whether commands that are not runs write this record.
fn is_written_between_runs(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::Planned { .. }
            | Entry::Resolved { .. }
            | Entry::Abandoned { .. }
            | Entry::Confirmed { .. }
            | Entry::Declined { .. }
            | Entry::SecretHandedOver { .. }
    )
}
