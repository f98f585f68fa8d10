//! One immutable unit of a plan, as plugins propose it and as it is carried out.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a plugin proposes; the engine orders proposals by phase and freezes them as [`Step`]s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepProposal {
    /// Where in the migration it belongs.
    pub phase: Phase,
    /// One line for the reviewer, without a full stop.
    pub title: String,
    /// Who does it.
    pub by: By,
    /// The side whose `observe` can tell whether it is carried out; its own where none is named. Of a swap that the directory shows
    /// itself, the provider's `observe` is asked as well before a client is removed: applied means that nobody can be using the legacy
    /// client, not applied that the directory is back on it. A provider that cannot tell answers `unsupported`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<Role>,
    /// The side that alone confirms it, where the other shows nothing of itself after it; without it, a swap needs a confirmation
    /// by the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<Role>,
    /// What going back takes.
    pub reversibility: Reversibility,
    /// What undoing it does, one line for the reviewer; none where there is nothing to undo or no way to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// Names of the values that it takes from earlier steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Names of the values that it leaves for later steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gives: Vec<String>,
    /// All that the plugin needs to carry it out; nothing is decided later.
    pub payload: Value,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique within the tenant's plan.
    pub id: String,
    /// Which of the two sides carries it out.
    pub role: Role,
    /// What the plugin proposed.
    pub proposal: StepProposal,
}

/// The side of a tenant that a plugin serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Issues the credentials (Okta).
    Provider,
    /// Consumes them (a CIE directory).
    Directory,
}

/// The phases of a migration, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Create the service client.
    Provision,
    /// Show at the provider that the new credentials work.
    Prove,
    /// Take note of what there is, to compare it with after the swap.
    Baseline,
    /// Let the directory test the new credentials.
    Test,
    /// Submit them to the directory.
    Swap,
    /// Show that the directory uses them.
    Confirm,
    /// Deactivate the legacy client.
    Retire,
    /// Delete the legacy client.
    Purge,
}

impl Phase {
    /// Whether steps of this phase only look: they are carried out by `test` and have nothing to undo.
    pub fn is_check(self) -> bool {
        matches!(self, Self::Prove | Self::Baseline | Self::Test | Self::Confirm)
    }
}

/// Who carries a step out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The plugin, unattended.
    Plugin,
    /// A person.
    #[serde(other)]
    Operator,
}

/// What going back takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reversibility {
    /// Nobody has to do anything.
    Unattended,
    /// A person must act.
    Attended,
    /// There is no way back.
    #[serde(other)]
    Irreversible,
}

macro_rules! display_as_word {
    ($type:ty { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }
    };
}

display_as_word!(Role { Provider => "provider", Directory => "directory" });
display_as_word!(By { Plugin => "plugin", Operator => "operator" });
display_as_word!(Reversibility { Unattended => "unattended", Attended => "attended", Irreversible => "irreversible" });
display_as_word!(Phase {
    Provision => "provision",
    Prove => "prove",
    Baseline => "baseline",
    Test => "test",
    Swap => "swap",
    Confirm => "confirm",
    Retire => "retire",
    Purge => "purge",
});
