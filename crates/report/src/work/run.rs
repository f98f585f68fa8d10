//! The runs that did the work.

use std::collections::BTreeMap;

use flowswap_engine::{Actor, OutcomeCount, RunCommand, RunId, RunOutcome, TenantState, Time};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::approval::{ApprovalLine, Approver};
use crate::number::number;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunLine {
    /// Its id. Every request of the run carries it in its `User-Agent`.
    pub id: RunId,
    /// Its command.
    pub command: RunCommand,
    /// The version of flowswap.
    pub version: String,
    /// Who started it. `None` if the journal does not record that.
    pub by: Option<Actor>,
    /// The approvals of its plan that counted when it started.
    pub approvals: Vec<ApprovalLine>,
    /// When it started.
    #[schemars(with = "Time")]
    pub started_at: Timestamp,
    /// When its end was recorded.
    #[schemars(with = "Option<Time>")]
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end: RunEnd,
    /// How many tenants of the report it worked on, refused, or skipped.
    pub tenants: usize,
    /// How many tenants it had, by what became of them, also those that are not in the report. Empty if the journal does not
    /// record that.
    pub outcomes: Vec<OutcomeCount>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunEnd {
    /// Normally.
    Finished,
    /// The operator stopped it.
    Interrupted,
    /// Another process has written to the journal since, so it was cut off.
    CutOff,
    /// The journal does not record its end: it was cut off, or it still runs.
    Unrecorded,
}

impl RunLine {
    /// A run that has just started.
    pub(crate) fn new(
        id: RunId,
        command: RunCommand,
        version: String,
        by: Option<Actor>,
        approvals: Vec<ApprovalLine>,
        started_at: Timestamp,
    ) -> Self {
        let (ended_at, end, tenants, outcomes) = (None, RunEnd::Unrecorded, 0, Vec::new());
        Self { id, command, version, by, approvals, started_at, ended_at, end, tenants, outcomes }
    }

    /// `270 tenants: 36 swapped (4 of them before), 234 skipped`, as the run itself said. `None` if the journal does not record
    /// that.
    pub fn became(&self) -> Option<String> {
        let mut states: BTreeMap<TenantState, (usize, usize)> = BTreeMap::new();
        let mut others = Vec::new();
        for OutcomeCount { outcome, state, tenants } in &self.outcomes {
            match (outcome, state) {
                (RunOutcome::Ended, Some(state)) => states.entry(*state).or_default().0 += tenants,
                (RunOutcome::DoneBefore, Some(state)) => states.entry(*state).or_default().1 += tenants,
                (RunOutcome::Skipped, _) => others.push(format!("{tenants} skipped")),
                (RunOutcome::Unread, _) => others.push(format!("{tenants} inconclusive")),
                (RunOutcome::Refused, _) => others.push(format!("{tenants} refused")),
                (RunOutcome::Ended | RunOutcome::DoneBefore, None) => {}
            }
        }
        let all: usize = self.outcomes.iter().map(|count| count.tenants).sum();
        let of_state = |(state, (ended, before)): (TenantState, (usize, usize))| match (ended, before) {
            (_, 0) => format!("{ended} {state}"),
            (0, _) => format!("{before} {state} before"),
            _ => format!("{} {state} ({before} of them before)", ended + before),
        };
        let parts: Vec<String> = states.into_iter().map(of_state).chain(others).collect();
        (all > 0).then(|| format!("{}: {}", number(all, "tenant", "tenants"), parts.join(", ")))
    }

    /// The people who approved its plan, each once.
    pub fn approvers(&self) -> Vec<Approver> {
        Approver::all(&self.approvals)
    }

    /// Adds its end.
    pub(crate) fn finish(&mut self, at: Timestamp, interrupted: bool, outcomes: Vec<OutcomeCount>) {
        (self.ended_at, self.outcomes) = (Some(at), outcomes);
        self.end = if interrupted { RunEnd::Interrupted } else { RunEnd::Finished };
    }
}
