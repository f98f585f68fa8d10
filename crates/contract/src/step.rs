//! One immutable unit of a plan: what a plugin proposes, and the step in the plan.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Json;

/// A step that a plugin proposes. The engine orders proposals by phase and freezes them as steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepProposal {
    /// Its phase in the migration.
    pub phase: Phase,
    /// One line for the reviewer, without a full stop.
    pub title: String,
    /// Who carries it out.
    pub by: By,
    /// The side whose `observe` can tell whether the step was carried out; the step's own side if `None`. If the directory
    /// itself shows the swap, the engine also calls the provider's `observe` before it removes a client. There, applied means
    /// that the legacy client cannot be in use any more; not applied means that the directory uses it again. A provider that
    /// cannot tell answers `unsupported`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<Role>,
    /// The only side that confirms the step, because the other side shows nothing afterwards. If `None`, a swap needs a
    /// confirmation by the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<Role>,
    /// What its rollback needs.
    pub reversibility: Reversibility,
    /// What undoing it does, one line for the reviewer; `None` if there is nothing to undo, or no rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// The names of the values that it takes from earlier steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// The names of the values that it gives to later steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gives: Vec<String>,
    /// Where the step sends secrets that it takes from earlier steps. The host sends them nowhere else, except as client
    /// authentication in a token request (RFC 6749 §2.3.1). `None` is the same as an empty list; only steps that were planned
    /// before protocol 1.3 are not bound to places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sends: Option<Vec<SentSecret>>,
    /// The URLs to which its calls POST a query. The host refuses a query anywhere else, so a reviewer
    /// sees every request that could change something under the name of a read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<String>,
    /// Everything that the plugin needs to carry it out. Nothing is decided later.
    pub payload: Json,
}

/// One place in the requests of a step where a secret may stand. A reviewer sees it in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SentSecret {
    /// The name of the secret among the step's `needs`.
    pub input: String,
    /// The origin that gets it, such as `https://api.example.com`.
    pub to: String,
    /// A JSON pointer (RFC 6901) into the body of the request. In a form, `/` and the name of the field.
    pub at: String,
}

impl SentSecret {
    /// The name of a member or field as one step of [`at`](Self::at), after a `/` (RFC 6901 §3).
    pub fn pointer_step(name: &str) -> String {
        name.replace('~', "~0").replace('/', "~1")
    }
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// Unique within the tenant's plan.
    pub id: String,
    /// The side that carries it out.
    pub role: Role,
    /// What the plugin proposed.
    pub proposal: StepProposal,
}

/// The side of a tenant that a plugin serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Issues the credentials (an Okta org).
    Provider,
    /// Uses them (a CIE directory).
    Directory,
}

/// The phases of a migration, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Create the service client.
    Provision,
    /// Show at the provider that the new credentials work.
    Prove,
    /// Record the state before the swap, to compare it with the state afterwards.
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
    /// Whether steps of this phase are checks: `test` carries them out, and they have nothing to undo.
    pub fn is_check(self) -> bool {
        matches!(self, Self::Prove | Self::Baseline | Self::Test | Self::Confirm)
    }
}

/// Who carries out a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The plugin, without a person.
    Plugin,
    /// A person.
    #[serde(other)]
    Operator,
}

/// What a rollback needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Reversibility {
    /// No person needs to do anything.
    Unattended,
    /// A person must act.
    Attended,
    /// There is no rollback.
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
