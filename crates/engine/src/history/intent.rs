//! What runs set out to do for a tenant, and why they did nothing.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Goal, RunId, Time};

/// What a run set out to do for a tenant and has not ended. A run that is still running has it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Intent {
    /// How far the run takes the tenant.
    pub goal: Goal,
    /// The digest of its plan. `None` for a run of format 2 that did not reach the tenant.
    pub plan: Option<String>,
    /// The file of the plan, if it is known.
    pub path: Option<String>,
    /// The run.
    pub run: RunId,
    /// Since when.
    #[schemars(with = "Time")]
    pub at: Timestamp,
    /// The run refused the tenant. So nobody waits for it to happen, but it can be continued.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_refused: bool,
    /// The last plan that was made since a run set out with this plan. Nobody has carried it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer_plan: Option<NewerPlan>,
}

/// A plan that was made while a run was still to carry out another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewerPlan {
    /// When.
    #[schemars(with = "Time")]
    pub at: Timestamp,
    /// The digest of the whole plan.
    pub plan: String,
    /// Where it was written.
    pub path: String,
}

impl Intent {
    /// Whether a run of format 2 had it, which names its tenants only at its start. The records of the tenant do not have it.
    pub(crate) fn is_of_cut_off_run(&self) -> bool {
        self.plan.is_none()
    }

    /// Whether it is a rollback that somebody waits for.
    pub(crate) fn is_unrefused_rollback(&self) -> bool {
        self.goal == Goal::RolledBack && !self.is_refused
    }
}

/// Why a run did nothing for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// When.
    #[schemars(with = "Time")]
    pub at: Timestamp,
    /// How far the run should have taken the tenant.
    pub goal: Goal,
    /// Why, one reason per item.
    pub reasons: Vec<String>,
    /// The run did not get to the tenant, so a later run may.
    pub is_skipped: bool,
    /// Not enough people approved the plan for the tenant. Once they have, the same plan can be carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unapproved: bool,
    /// A side could not be read. Once it can be, the same plan can be carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unread: bool,
}

impl Refusal {
    /// The run refused the tenant, because something is not as the plan needs it.
    pub fn new(at: Timestamp, goal: Goal, reasons: Vec<String>) -> Self {
        Self { at, goal, reasons, is_skipped: false, is_unapproved: false, is_unread: false }
    }

    /// Whether nothing can be done with the same plan any more.
    pub fn is_final(&self) -> bool {
        !(self.is_skipped || self.is_unread)
    }
}
