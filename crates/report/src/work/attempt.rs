//! One attempt at a step: what flowswap sent, what it saw, and how the attempt ended.

use flowswap_contract::{Effect, ErrorKind, Evidence, EvidenceResult, Phase};
use flowswap_engine::{Direction, RequestOutcome, RunId, Time};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// An attempt of one run to carry out a step, or to roll it back.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Attempt {
    /// The step.
    pub step: String,
    /// Its phase.
    pub phase: Phase,
    /// Forward or back.
    pub direction: Direction,
    /// The run.
    pub run: RunId,
    /// When it started. `None` if an earlier run started it.
    #[schemars(with = "Option<Time>")]
    pub started_at: Option<Timestamp>,
    /// When its end was recorded. Its evidence is of this time.
    #[schemars(with = "Option<Time>")]
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end: AttemptEnd,
    /// Why it did not succeed.
    pub error: Option<AttemptError>,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// The requests that changed something, or could have.
    pub requests: Vec<RequestLine>,
    /// The person who was asked to act.
    pub asked: Option<Asked>,
    /// When a later attempt succeeded, if this one failed.
    #[schemars(with = "Option<Time>")]
    pub healed_at: Option<Timestamp>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptEnd {
    /// It succeeded.
    Done,
    /// A check could not tell yet. That is no failure.
    NotYet,
    /// It failed.
    Failed,
    /// The operator stopped the run.
    Interrupted,
    /// A person was asked, and the run did not wait.
    Asked,
    /// The journal does not record it.
    Unrecorded,
}

/// Why an attempt did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AttemptError {
    /// The kind of error.
    pub kind: ErrorKind,
    /// What happened.
    pub message: String,
    /// Whether something may have changed.
    pub effect: Effect,
}

/// A request that was to change something. Its body is not in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RequestLine {
    /// Its number within step and run.
    pub number: u32,
    /// When its intent was recorded, before it was sent.
    #[schemars(with = "Time")]
    pub at: Timestamp,
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// What became of it. `None` if the journal does not record that.
    pub outcome: Option<RequestOutcome>,
}

/// A run sheet that a person was to carry out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Asked {
    /// When flowswap asked.
    #[schemars(with = "Time")]
    pub at: Timestamp,
    /// Whom. `None` for any operator.
    pub owner: Option<String>,
    /// When it is due.
    #[schemars(with = "Time")]
    pub deadline: Timestamp,
    /// When flowswap saw it done, or somebody ended the wait.
    #[schemars(with = "Option<Time>")]
    pub until: Option<Timestamp>,
}

impl Attempt {
    /// An attempt without an end.
    pub(crate) fn new(step: &str, phase: Phase, direction: Direction, run: RunId) -> Self {
        Self {
            step: step.to_owned(),
            phase,
            direction,
            run,
            started_at: None,
            ended_at: None,
            end: AttemptEnd::Unrecorded,
            error: None,
            evidence: Vec::new(),
            requests: Vec::new(),
            asked: None,
            healed_at: None,
        }
    }

    /// Whether it is an attempt at this step in this direction.
    pub(crate) fn is_at(&self, step: &str, direction: Direction) -> bool {
        self.step == step && self.direction == direction
    }

    /// How long flowswap itself took, if the attempt succeeded in the run that started it. Waiting for a person does not count.
    pub(crate) fn duration(&self) -> Option<SignedDuration> {
        let is_done = self.end == AttemptEnd::Done && self.asked.is_none();
        is_done.then_some(self.ended_at?.duration_since(self.started_at?))
    }

    /// How long the wait for a person took, if it is over.
    pub(crate) fn wait(&self) -> Option<SignedDuration> {
        let asked = self.asked.as_ref()?;
        Some(asked.until?.duration_since(asked.at))
    }
}

impl AttemptEnd {
    /// The end of an attempt that did not succeed.
    pub(crate) fn of_failure(kind: ErrorKind, evidence: &[Evidence]) -> Self {
        let has_failed = evidence.is_empty() || evidence.iter().any(|found| found.result == EvidenceResult::Fail);
        match kind {
            ErrorKind::Interrupted => Self::Interrupted,
            _ if has_failed => Self::Failed,
            _ => Self::NotYet,
        }
    }
}
