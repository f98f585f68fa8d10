//! The parameters and replies of the six verbs. `detect` returns an [`Inventory`](crate::Inventory).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{DirectoryInventory, Error, ErrorKind, Handle, ProviderInventory, RunSheet, Step, StepProposal};

/// Named values that steps pass on to later steps. Secrets among them are handles.
pub type Values = BTreeMap<String, Value>;

/// The parameters of `detect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DetectParams {
    /// Whether the provider also reads which client secrets its service clients have.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secrets: bool,
}

/// A rotation: the service client stays, and gets another client secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rotation {
    /// Which rotation of the tenant it is, from 1.
    pub number: u32,
    /// The client secret that the directory has now, if flowswap keeps it. Steps get it as `previous_secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Handle>,
    /// The id of a client secret that is deleted first, to make room for the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop: Option<String>,
}

impl Rotation {
    /// The name of the input that is the previous client secret.
    pub const PREVIOUS_SECRET: &'static str = "previous_secret";
}

/// The parameters of `plan`.
///
/// Both inventories lack what changes all the time: tokens, sign-ins of clients, counts, and the last sync. Before the first
/// change flowswap plans again from what it sees then, and the steps must be the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanParams {
    /// The tenant's name.
    pub tenant: String,
    /// Whether the directory will collect enterprise applications.
    pub app_data: bool,
    /// What the provider showed.
    pub provider: ProviderInventory,
    /// What the directory showed.
    pub directory: DirectoryInventory,
    /// Plan a rotation, and not a migration. A plugin that does not know this member plans a migration, and its reply shows that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

impl PlanParams {
    /// The client that the directory uses for the authorization-code flow. If the directory does not name it, the provider's
    /// only legacy client.
    pub fn legacy_client_id(&self) -> Option<&str> {
        match (&self.directory.client_id, self.provider.legacy_clients.as_slice()) {
            (Some(id), _) => Some(id),
            (None, [only]) => Some(&only.client_id),
            (None, _) => None,
        }
    }
}

/// The reply of `plan`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanReply {
    /// The proposed steps, in any order.
    pub steps: Vec<StepProposal>,
    /// Whether they are the steps of a rotation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rotation: bool,
}

/// The parameters of `apply`, `undo`, `observe`, and `test` of a step. All of them get the inputs that are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepParams {
    /// The step.
    pub step: Step,
    /// The values that it needs, by name.
    #[serde(default)]
    pub inputs: Values,
    /// The outputs of the step when it was applied, if known. For `apply`: what `observe` found of an earlier attempt. For
    /// `test`: what the check noted the last time, whether it passed or not.
    #[serde(default)]
    pub outputs: Values,
    /// The runs that have started the step, oldest first. A request of any of them may have arrived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// For a step that a person carries out: until when the person may have done it without flowswap seeing it. `None` until
    /// somebody got the step's secrets or confirmed the step. RFC 3339, by the clock of flowswap's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_at: Option<String>,
    /// Which rotation of the tenant the step belongs to, from 1. `None` for a step of a migration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<u32>,
}

impl StepParams {
    /// Decodes the payload that `plan` wrote into the step.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.step.proposal.payload.decode().map_err(|e| {
            Error::new(ErrorKind::Protocol, format!("the payload of step `{}` does not decode: {e}", self.step.id))
        })
    }
}

/// A run that has started a step, forward or back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The token in the `User-Agent` of all requests of the attempt, and of no others. If the other side logs user agents,
    /// it shows what the step itself did.
    pub token: String,
    /// When it started, RFC 3339, by the clock of flowswap's machine.
    pub at: String,
}

impl StepParams {
    /// The string input of this name, or an error that names it.
    pub fn input(&self, name: &str) -> Result<&str, crate::Error> {
        self.inputs.get(name).and_then(Value::as_str).ok_or_else(|| self.missing(name))
    }

    /// The secret input of this name, or an error that names it.
    pub fn secret_input(&self, name: &str) -> Result<crate::Handle, crate::Error> {
        self.inputs.get(name).and_then(crate::Handle::from_value).ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> crate::Error {
        crate::Error::new(
            crate::ErrorKind::Protocol,
            format!("step `{}` was called without its input `{name}`", self.step.id),
        )
    }
}

/// The reply of `apply` and `undo`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ApplyReply {
    /// The outputs of the step; empty for `undo`.
    #[serde(default)]
    pub outputs: Values,
    /// What the call saw.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// What a person must do, if only a person can carry the step out or take it back. The step counts as done, or taken back,
    /// once `observe` sees it, because a call cannot wait as long as a person may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Box<RunSheet>>,
}

/// The reply of `observe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObserveReply {
    /// The state of the step.
    pub state: Observed,
    /// Its outputs, as far as they are visible.
    #[serde(default)]
    pub outputs: Values,
    /// What the call saw, one line.
    pub detail: String,
}

/// The state of a step in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed {
    /// The world is as before the step.
    NotApplied,
    /// The world is as after the step.
    Applied,
    /// The step was started, and `apply` can finish it with the outputs that `observe` saw. If a person carries the step out: nothing
    /// shows whether it was done, so the person's word counts.
    Partial,
    /// The plugin cannot tell.
    #[serde(other)]
    Unknown,
}

/// The parameters of `test`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TestParams {
    /// The check to carry out. `None` tests whether the session can reach and read everything that it needs.
    #[serde(default)]
    pub step: Option<StepParams>,
}

/// The reply of `test`. The test passed if no evidence failed or is inconclusive.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TestReply {
    /// The outputs of a check, such as the receipt of a passed Test Connection. If the check did not pass, they are its notes
    /// for the next time, which finds them in [`StepParams::outputs`].
    #[serde(default)]
    pub outputs: Values,
    /// One item per check.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// If something is inconclusive: how many milliseconds must pass before the check can see more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// What one check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Evidence {
    /// The check, a short name such as `token` or `read-users`.
    pub check: String,
    /// Its result.
    pub result: EvidenceResult,
    /// What it saw, one line without a secret.
    pub detail: String,
    /// The other side's id of the request, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The other side's id of the event that shows it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The id of the rule that matches what the check saw; `flowswap explain ID` explains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

impl Evidence {
    /// What a check saw, without a request or an event.
    pub fn new(check: &str, result: EvidenceResult, detail: impl Into<String>) -> Self {
        Self { check: check.to_owned(), result, detail: detail.into(), request_id: None, event_id: None, rule: None }
    }

    /// The same evidence with the id of the request that saw it.
    #[must_use]
    pub fn by_request(self, id: Option<impl Into<String>>) -> Self {
        Self { request_id: id.map(Into::into), ..self }
    }

    /// The same evidence with the id of the event that shows it.
    #[must_use]
    pub fn by_event(self, id: Option<impl Into<String>>) -> Self {
        Self { event_id: id.map(Into::into), ..self }
    }

    /// The same evidence with the id of the rule that it matches.
    #[must_use]
    pub fn of_rule(self, id: &str) -> Self {
        Self { rule: Some(id.to_owned()), ..self }
    }
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceResult {
    /// As it must be.
    Pass,
    /// Not as it must be.
    Fail,
    /// The check does not apply to this tenant.
    NotApplicable,
    /// The check cannot tell yet.
    #[serde(other)]
    Inconclusive,
}
