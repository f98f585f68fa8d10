//! How a tenant counts once a run is through with it. Exit codes, the failure budget, and reports all go by this one table.

use std::fmt;

use flowswap_contract::EvidenceResult;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outcome, cause::Cause};
use crate::TenantState;

/// How a tenant counts at the end of a run.
// `crates/cli/docs/automation.md` has the same table, and a test compares the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It is at the goal.
    Done,
    /// Nothing failed, but it is not at the goal.
    Waiting,
    /// flowswap could not tell.
    Inconclusive,
    /// It failed.
    Failed,
    /// It was refused.
    Refused,
    /// The run did not start on it.
    Skipped,
}

impl Ending {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 6] =
        [Self::Done, Self::Waiting, Self::Inconclusive, Self::Failed, Self::Refused, Self::Skipped];

    /// How a tenant with this outcome counts. The cause is that of the failure or of the refusal, if it is known.
    ///
    /// A stuck tenant has failed whatever the cause: something may have changed there, and a person must decide.
    pub(super) fn of(outcome: &Outcome, cause: Option<&Cause>) -> Self {
        let is_inconclusive = cause.is_some_and(|cause| cause.inconclusive);
        match outcome {
            Outcome::Ended { state: TenantState::Failed, .. } if is_inconclusive => Self::Inconclusive,
            Outcome::Unread { .. } => Self::Inconclusive,
            Outcome::Ended { state: TenantState::Failed | TenantState::Stuck, .. } => Self::Failed,
            Outcome::Ended {
                state: TenantState::Waiting | TenantState::Soaking | TenantState::RollingBack, ..
            }
            | Outcome::Ended { reason: Some(_), .. } => Self::Waiting,
            Outcome::Ended { .. } | Outcome::Unneeded { .. } => Self::Done,
            Outcome::Refused { .. } | Outcome::Unapproved { .. } => Self::Refused,
            Outcome::Skipped { .. } => Self::Skipped,
        }
    }

    /// When a tenant counts as this, in one sentence.
    pub fn when(self) -> &'static str {
        match self {
            Self::Done => "It is at the goal, or was there before.",
            Self::Waiting => {
                "Nothing failed, but it waits for a person, for evidence, or for time, or the run was stopped."
            }
            Self::Inconclusive => {
                "flowswap could not tell: a side could not be read, or a step that changed nothing got no answer, too late an \
                 answer, or too little evidence."
            }
            Self::Failed => "A step failed or was declined, or the tenant is stuck.",
            Self::Refused => "Something is not as the plan needs it, or approvals are missing. Nothing was done.",
            Self::Skipped => "The run was stopped before it started on the tenant.",
        }
    }

    /// The verdict about the tenant. `None` if there is no verdict yet.
    pub fn verdict(self) -> Option<EvidenceResult> {
        match self {
            Self::Done => Some(EvidenceResult::Pass),
            Self::Failed => Some(EvidenceResult::Fail),
            Self::Inconclusive => Some(EvidenceResult::Inconclusive),
            Self::Waiting | Self::Refused | Self::Skipped => None,
        }
    }

    /// Whether it counts against `max_failures`.
    pub fn counts_against_budget(self) -> bool {
        self == Self::Failed
    }
}

/// The word for it, as in reports and in the table.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Inconclusive => "inconclusive",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Skipped => "skipped",
        })
    }
}
