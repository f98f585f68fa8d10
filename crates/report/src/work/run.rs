//! The runs that did the work.

use flowswap_engine::{Actor, RunCommand, RunId};
use jiff::Timestamp;
use serde::Serialize;

use super::approval::ApprovalLine;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    pub started_at: Timestamp,
    /// When its end was recorded.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end: RunEnd,
    /// How many tenants of the report it worked on, refused, or skipped.
    pub tenants: usize,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
        Self { id, command, version, by, approvals, started_at, ended_at: None, end: RunEnd::Unrecorded, tenants: 0 }
    }

    /// Adds its end.
    pub(crate) fn finish(&mut self, at: Timestamp, interrupted: bool) {
        self.ended_at = Some(at);
        self.end = if interrupted { RunEnd::Interrupted } else { RunEnd::Finished };
    }
}
