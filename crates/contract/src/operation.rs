//! What the six verbs take and return. `detect` takes nothing and returns an [`Inventory`](crate::Inventory).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{DirectoryInventory, ProviderInventory, RunSheet, Step, StepProposal};

/// Values that steps pass on by name; secrets among them as handles.
pub type Values = BTreeMap<String, Value>;

/// What `plan` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanParams {
    /// The tenant's name.
    pub tenant: String,
    /// Whether enterprise applications are to be collected.
    pub app_data: bool,
    /// What the provider showed.
    pub provider: ProviderInventory,
    /// What the directory showed.
    pub directory: DirectoryInventory,
}

impl PlanParams {
    /// The client that the directory is connected as by the authorization-code flow. Where the directory names none, the only one
    /// there is.
    pub fn legacy_client_id(&self) -> Option<&str> {
        match (&self.directory.client_id, self.provider.legacy_clients.as_slice()) {
            (Some(id), _) => Some(id),
            (None, [only]) => Some(&only.client_id),
            (None, _) => None,
        }
    }
}

/// What `plan` returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanReply {
    /// In any order.
    pub steps: Vec<StepProposal>,
}

/// What `apply`, `undo` and `observe` take, and `test` of a step. All of them get the inputs, as far as they are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepParams {
    /// The step.
    pub step: Step,
    /// The values that it needs, by name.
    #[serde(default)]
    pub inputs: Values,
    /// What it gave when it was applied, as far as known. For `apply`: what `observe` found of an earlier try. For `test`:
    /// what the check noted at its last look, whether it passed or not.
    #[serde(default)]
    pub outputs: Values,
    /// The runs that have begun the step, oldest first; a request of any of them may have arrived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Of a step that a person carries out: until when the person may have done so without that being seen. None while
    /// nobody was given the secrets that it takes, nor said that it is done. RFC 3339, by the clock of flowswap's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_at: Option<String>,
}

/// A run that has begun a step, forward or back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What all requests of the attempt bear in their `User-Agent`, and no others. Where the other side keeps a log with
    /// user agents, this tells what the step itself did.
    pub token: String,
    /// When it was begun, RFC 3339, by the clock of flowswap's machine.
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

/// What `apply` and `undo` return.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ApplyReply {
    /// The values that the step gives; empty for `undo`.
    #[serde(default)]
    pub outputs: Values,
    /// What was seen on the way.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// What a person is to do, where only a person can. The step then counts as carried out, or taken back, once `observe`
    /// sees it: a call cannot wait for as long as a person may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Box<RunSheet>>,
}

/// What `observe` returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObserveReply {
    /// Where the step stands.
    pub state: Observed,
    /// Its outputs, as far as they can be seen.
    #[serde(default)]
    pub outputs: Values,
    /// What was seen, one line.
    pub detail: String,
}

/// Where a step stands in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed {
    /// The world is as before the step.
    NotApplied,
    /// The world is as after the step.
    Applied,
    /// The step was begun and `apply` can finish it, given the outputs that were seen.
    Partial,
    /// It cannot be told.
    #[serde(other)]
    Unknown,
}

/// What `test` takes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TestParams {
    /// The check step to carry out; none tests whether the session can reach and read all that it needs.
    #[serde(default)]
    pub step: Option<StepParams>,
}

/// What `test` returns. The test passed when no evidence fails and none is inconclusive.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TestReply {
    /// The values that a check step gives, such as the receipt of a passed Test Connection. Those of one that did not pass
    /// are its notes for the next look, which finds them in [`StepParams::outputs`].
    #[serde(default)]
    pub outputs: Values,
    /// One item per check.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// Milliseconds before which another look cannot see more, where something is inconclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// What one check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The check, a short name such as `token` or `read-users`.
    pub check: String,
    /// What came of it.
    pub result: EvidenceResult,
    /// What was seen, one line without a secret.
    pub detail: String,
    /// The other side's id of the request, where it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The other side's id of the event that shows it, where an event does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The id of the rule that what was seen is a case of; `flowswap explain ID` tells more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

impl Evidence {
    /// What a check saw, without saying by which request.
    pub fn new(check: &str, result: EvidenceResult, detail: impl Into<String>) -> Self {
        Self { check: check.to_owned(), result, detail: detail.into(), request_id: None, event_id: None, rule: None }
    }

    /// The same, seen by the request of this id.
    #[must_use]
    pub fn by_request(self, id: Option<impl Into<String>>) -> Self {
        Self { request_id: id.map(Into::into), ..self }
    }

    /// The same, shown by the event of this id.
    #[must_use]
    pub fn by_event(self, id: Option<impl Into<String>>) -> Self {
        Self { event_id: id.map(Into::into), ..self }
    }

    /// The same, as a case of this rule.
    #[must_use]
    pub fn of_rule(self, id: &str) -> Self {
        Self { rule: Some(id.to_owned()), ..self }
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceResult {
    /// As it must be.
    Pass,
    /// Not as it must be.
    Fail,
    /// The check does not apply to this tenant.
    NotApplicable,
    /// Cannot be told yet.
    #[serde(other)]
    Inconclusive,
}
