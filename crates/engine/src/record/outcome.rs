//! How many tenants a run had, by what became of them. The records of a run name only the tenants that it has news of, so without
//! these numbers nobody could tell how many it had.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TenantState;

/// The tenants of a run with the same outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeCount {
    /// What became of them.
    pub outcome: RunOutcome,
    /// Their state at the end. `None` if the run did nothing for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TenantState>,
    /// How many they are.
    pub tenants: usize,
}

/// What became of a tenant in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// The run worked on it, or looked at it.
    Ended,
    /// It had reached the goal before the run.
    DoneBefore,
    /// The run refused it.
    Refused,
    /// The run could not read one of its sides.
    Unread,
    /// The run did not get to it.
    Skipped,
}
