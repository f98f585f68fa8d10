//! What was done for one tenant.

use flowswap_engine::{Direction, RunId, TenantState, Time, Verdict};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    approval::Approved,
    attempt::{Attempt, AttemptEnd},
    statement::{EndLine, RefusalLine, SecretLine, Statement},
};

/// What was done for one tenant, from the oldest record to the newest.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WorkedTenant {
    /// Its name.
    pub name: String,
    /// Its state after the last record of the report.
    pub state: TenantState,
    /// Since when.
    #[schemars(with = "Time")]
    pub since: Timestamp,
    /// Why, if the state alone does not say it.
    pub reason: Option<String>,
    /// Its verdict in the last plan before any work.
    pub verdict: Option<Verdict>,
    /// Whether the last run did nothing for it. `refusals` says why.
    pub is_refused: bool,
    /// Its state now, if records after those of the report have changed it.
    pub state_now: Option<TenantState>,
    /// The digest of the plan that a run set out to carry out last. `None` if no run did.
    pub plan: Option<String>,
    /// The last plan that was made of it, if no run set out to carry that one out.
    pub planned: Option<Planned>,
    /// Who approved that it is started, once for each plan. Empty if the configuration asked for no approvals.
    pub approved: Vec<Approved>,
    /// Whether work on it began before the first record of the report.
    pub began_before: bool,
    /// The runs that worked on it, refused it, or skipped it.
    pub runs: Vec<RunId>,
    /// The attempts at its steps.
    pub attempts: Vec<Attempt>,
    /// What people said and decided.
    pub statements: Vec<Statement>,
    /// What happened to its secrets.
    pub secrets: Vec<SecretLine>,
    /// The runs that did nothing for it.
    pub refusals: Vec<RefusalLine>,
    /// How each run ended its work on it.
    pub ends: Vec<EndLine>,
}

/// How much a tenant needs the attention of a reader, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attention {
    /// It failed or is stuck.
    Failed,
    /// The last run refused it.
    Refused,
    /// It waits, or no run has ended its work on it.
    Unfinished,
    /// Something failed on the way, and did not last.
    Healed,
    /// Something was changed.
    Changed,
    /// It is done, and nothing was changed in this report.
    Done,
    /// The last run did not get to it.
    Skipped,
    /// Nothing was done.
    Untouched,
}

/// A plan that was made, and that no run set out to carry out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Planned {
    /// When.
    #[schemars(with = "Time")]
    pub at: Timestamp,
    /// The digest of the whole plan.
    pub plan: String,
}

impl WorkedTenant {
    /// A tenant without records.
    pub(crate) fn new(name: &str, at: Timestamp, began_before: bool) -> Self {
        Self {
            name: name.to_owned(),
            state: TenantState::Unplanned,
            since: at,
            reason: None,
            verdict: None,
            is_refused: false,
            state_now: None,
            plan: None,
            planned: None,
            approved: Vec::new(),
            began_before,
            runs: Vec::new(),
            attempts: Vec::new(),
            statements: Vec::new(),
            secrets: Vec::new(),
            refusals: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// How many requests were to change something.
    pub fn changes(&self) -> usize {
        self.attempts.iter().map(|attempt| attempt.requests.len()).sum()
    }

    /// Why it is in its state, or why the last run did nothing for it.
    pub fn why(&self) -> Option<String> {
        let verdict = self.verdict.filter(|_| self.state == TenantState::Unplanned);
        let verdict = || verdict.map(|verdict| format!("its verdict in the last plan was {verdict}"));
        self.refusal().map(RefusalLine::sentence).or_else(|| self.reason.clone()).or_else(verdict)
    }

    /// Why the last run did nothing for it, if so.
    fn refusal(&self) -> Option<&RefusalLine> {
        self.refusals.last().filter(|_| self.is_refused)
    }

    /// How much it needs the attention of a reader.
    pub fn attention(&self) -> Attention {
        use TenantState as S;
        let has_failed = self.attempts.iter().any(|attempt| attempt.end == AttemptEnd::Failed);
        match self.state {
            S::Failed | S::Stuck => Attention::Failed,
            _ if self.refusal().is_some_and(|refusal| refusal.is_unread) => Attention::Unfinished,
            _ if self.refusal().is_some_and(|refusal| !refusal.is_skipped) => Attention::Refused,
            S::Running | S::Waiting | S::Soaking | S::RollingBack => Attention::Unfinished,
            _ if has_failed => Attention::Healed,
            _ if self.changes() > 0 => Attention::Changed,
            S::Swapped | S::Retired | S::Finalized | S::RolledBack => Attention::Done,
            S::Planned | S::Unplanned if self.is_refused => Attention::Skipped,
            S::Planned | S::Unplanned => Attention::Untouched,
        }
    }

    /// Takes note that a step succeeded: earlier attempts that failed are healed, and nobody waits for a person any more.
    pub(crate) fn note_success(&mut self, step: &str, direction: Direction, at: Timestamp) {
        let same = self.attempts.iter_mut().filter(|attempt| attempt.is_at(step, direction));
        for attempt in same.filter(|attempt| attempt.end == AttemptEnd::Failed) {
            attempt.healed_at.get_or_insert(at);
        }
        self.end_wait(step, Some(direction), at);
    }

    /// Takes note that a wait for a person is over. Without a direction, it is over in both.
    pub(crate) fn end_wait(&mut self, step: &str, direction: Option<Direction>, at: Timestamp) {
        let is_it = |attempt: &&mut Attempt| {
            attempt.step == step && direction.is_none_or(|direction| attempt.direction == direction)
        };
        for asked in self.attempts.iter_mut().filter(is_it).filter_map(|attempt| attempt.asked.as_mut()) {
            asked.until.get_or_insert(at);
        }
    }
}
