//! The state of every tenant: a fold over the journal, and nothing beside it.

mod abandoned;
mod question;
mod tenant;
mod work;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{Entry, Record, RunCommand, RunId, RunScope};
pub use question::{Claim, HandedOver, Question};
pub use tenant::TenantHistory;
pub use work::{DoneStep, Doubt, Look, SentRequest, Work};

/// What the journal says of all tenants.
#[derive(Debug, Clone, Default)]
pub struct History {
    tenants: BTreeMap<String, TenantHistory>,
    last_run: Option<LastRun>,
}

/// The run that began last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// Its id.
    pub run: RunId,
    /// Its command.
    pub command: RunCommand,
    /// What it was to do; none if it had nothing to do, or was made by a version that did not record it.
    pub scope: Option<RunScope>,
    /// When it began.
    pub at: Timestamp,
    /// How it ended; none if it was cut off, or is still at work.
    pub end: Option<RunEnd>,
}

/// How a run ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It came to its end.
    Whole,
    /// The operator stopped it.
    Interrupted,
}

/// A record that cannot follow those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} of the journal cannot follow those before it: {problem}")]
pub struct IllegalRecord {
    /// The record's number.
    pub seq: u64,
    /// Why not.
    pub problem: String,
}

impl History {
    /// Folds records into the state.
    pub fn fold(records: &[Record]) -> Result<Self, IllegalRecord> {
        let mut history = Self::default();
        for record in records {
            history.take(record).map_err(|problem| IllegalRecord { seq: record.seq, problem })?;
        }
        Ok(history)
    }

    /// One tenant's history.
    pub fn tenant(&self, name: &str) -> Option<&TenantHistory> {
        self.tenants.get(name)
    }

    /// All tenants that the journal knows, by name.
    pub fn tenants(&self) -> impl Iterator<Item = (&str, &TenantHistory)> {
        self.tenants.iter().map(|(name, history)| (name.as_str(), history))
    }

    /// The run that began last; none before the first.
    pub fn last_run(&self) -> Option<&LastRun> {
        self.last_run.as_ref()
    }

    fn take(&mut self, record: &Record) -> Result<(), String> {
        let draft = &record.draft;
        match (&draft.entry, &draft.tenant) {
            (Entry::RunStarted { .. } | Entry::RunEnded { .. }, Some(_)) => {
                Err("a run's record names a tenant".to_owned())
            }
            (Entry::RunStarted { command, scope, .. }, None) => {
                let (command, scope) = (*command, scope.clone());
                self.last_run = Some(LastRun { run: draft.run, command, scope, at: draft.at, end: None });
                Ok(())
            }
            (Entry::RunEnded { interrupted }, None) => self.end_run(draft.run, *interrupted),
            (_, None) => Err("it names no tenant".to_owned()),
            (entry, Some(name)) => {
                if !is_said_between_runs(entry) {
                    self.expect_running(draft.run)?;
                }
                self.tenants
                    .entry(name.clone())
                    .or_insert_with(|| TenantHistory::new(draft.at))
                    .take(entry, draft.run, draft.at)
                    .map_err(|problem| format!("tenant `{name}`: {problem}"))
            }
        }
    }

    fn end_run(&mut self, run: RunId, interrupted: bool) -> Result<(), String> {
        self.expect_running(run)?;
        if let Some(last) = &mut self.last_run {
            last.end = Some(if interrupted { RunEnd::Interrupted } else { RunEnd::Whole });
        }
        Ok(())
    }

    /// One run is at work at a time: what another one records afterwards, or the same one after its end, was not
    /// written by flowswap.
    fn expect_running(&self, run: RunId) -> Result<(), String> {
        match &self.last_run {
            Some(last) if last.run == run && last.end.is_none() => Ok(()),
            Some(last) if last.run == run => Err(format!("run {run} has ended")),
            Some(last) => Err(format!("it belongs to run {run}, and run {} has begun since", last.run)),
            None => Err(format!("run {run} has not begun")),
        }
    }
}

/// What is recorded by commands that are no runs.
fn is_said_between_runs(entry: &Entry) -> bool {
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
