//! The steps that the directory side takes: baseline, test, swap, confirm. Nothing is asked and nothing is decided later.

use flowswap_contract::{By, Error, ErrorKind, Phase, PlanParams, Reversibility, Role, StepProposal};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Config;

/// What `baseline` reads.
#[derive(Serialize, Deserialize)]
pub(crate) struct BaselinePayload {
    pub(crate) directory: String,
    pub(crate) sample_groups: usize,
}

/// The connection that `test` and `swap` are about, as the plan saw it, and all that the run sheets say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConnectionPayload {
    pub(crate) directory: String,
    pub(crate) domain: String,
    pub(crate) console_url: Option<String>,
    /// Whether enterprise applications are to be collected.
    pub(crate) app_data: bool,
    /// Whether they were; none where nobody knows.
    pub(crate) previous_app_data: Option<bool>,
    /// Whether authentication logs are collected, before and after; none where nobody knows.
    pub(crate) auth_logs: Option<bool>,
    /// The client of the authorization-code flow; the provider reads by this key whose tokens to look for.
    pub(crate) previous_client_id: Option<String>,
    /// What its app is called in Okta; none where Okta does not show it.
    pub(crate) previous_client_label: Option<String>,
}

/// What `confirm` compares with.
#[derive(Serialize, Deserialize)]
pub(crate) struct ConfirmPayload {
    pub(crate) directory: String,
    pub(crate) app_data: bool,
}

/// Proposes baseline, test, swap and confirm.
pub(crate) fn propose(params: &PlanParams, config: &Config) -> Result<Vec<StepProposal>, Error> {
    let directory = &params.directory;
    let name = &directory.name;
    let (previous_client_id, previous_client_label) = find_legacy(params);
    let connection = ConnectionPayload {
        directory: name.clone(),
        domain: directory.domain.clone(),
        console_url: config.console_url.clone(),
        app_data: params.app_data,
        previous_app_data: directory.app_data,
        auth_logs: directory.auth_logs,
        previous_client_id,
        previous_client_label,
    };
    let baseline = BaselinePayload { directory: name.clone(), sample_groups: config.sample_groups };
    let confirm = ConfirmPayload { directory: name.clone(), app_data: params.app_data };
    let apps = if params.app_data { "with" } else { "without" };
    Ok(vec![
        StepProposal {
            gives: own(&["blinding_key", "baseline"]),
            ..step(Phase::Baseline, format!("take note of who is in `{name}`, as keyed hashes"), encode(&baseline)?)
        },
        StepProposal {
            needs: own(&["client_id", "client_secret"]),
            gives: own(&["receipt"]),
            ..step(
                Phase::Test,
                format!("see that `{name}` is still what it was, before a person acts"),
                encode(&connection)?,
            )
        },
        StepProposal {
            by: By::Operator,
            seen_by: Some(Role::Provider),
            confirmed_by: None,
            needs: own(&["client_id", "client_secret", "receipt"]),
            gives: own(&["swapped_at"]),
            reversibility: Reversibility::Attended,
            undo: Some(way_back(&connection)),
            ..step(
                Phase::Swap,
                format!(
                    "reconnect `{name}` by the client-credential flow in the console, {apps} enterprise applications"
                ),
                encode(&connection)?,
            )
        },
        StepProposal {
            needs: own(&["client_id", "swapped_at", "blinding_key", "baseline"]),
            ..step(
                Phase::Confirm,
                format!("see that `{name}` synchronizes by itself and lost nobody"),
                encode(&confirm)?,
            )
        },
    ])
}

/// The client that the directory is connected as, and its app's name. Where nobody says it, the only one there is.
fn find_legacy(params: &PlanParams) -> (Option<String>, Option<String>) {
    let id = params.legacy_client_id();
    let app = params.provider.legacy_clients.iter().find(|client| Some(client.client_id.as_str()) == id);
    (id.map(str::to_owned), app.map(|client| client.label.clone()))
}

/// The vendor's own procedure for the authorization-code flow (Reconnect Okta Directory).
fn way_back(connection: &ConnectionPayload) -> String {
    let client = connection.previous_client_id.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
    format!(
        "a person reconnects `{}` in the console by the Auth Code Flow as client{client} and signs in with Okta",
        connection.directory
    )
}

fn step(phase: Phase, title: String, payload: Value) -> StepProposal {
    StepProposal {
        phase,
        title,
        by: By::Plugin,
        seen_by: None,
        confirmed_by: None,
        reversibility: Reversibility::Unattended,
        undo: None,
        needs: vec![],
        gives: vec![],
        payload,
    }
}

fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// A value that goes into a plan, or from step to step.
pub(crate) fn encode(payload: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(payload).map_err(|e| Error::new(ErrorKind::Internal, format!("payload does not encode: {e}")))
}
