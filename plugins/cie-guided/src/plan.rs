//! Proposes the steps of the directory side: baseline, test, swap, and confirm. It sends no request and leaves no decision
//! for later.

use flowswap_contract::{By, Error, Json, Phase, PlanParams, Reversibility, Role, StepProposal};
use serde::{Deserialize, Serialize};

use crate::{config::Config, people};

/// The payload of `baseline`.
#[derive(Serialize, Deserialize)]
pub(crate) struct BaselinePayload {
    pub(crate) directory: String,
    pub(crate) sample_groups: usize,
}

/// The payload of `test` and `swap`: the connection as the plan saw it, with everything that the run sheets need.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConnectionPayload {
    pub(crate) directory: String,
    pub(crate) domain: String,
    pub(crate) console_url: Option<String>,
    /// Whether the directory collects enterprise applications after the swap.
    pub(crate) app_data: bool,
    /// Whether it did before. `None` if unknown.
    pub(crate) previous_app_data: Option<bool>,
    /// Whether it collects authentication logs, before and after. `None` if unknown.
    pub(crate) auth_logs: Option<bool>,
    /// The legacy client. The provider reads this key too, to look for the client's tokens.
    pub(crate) previous_client_id: Option<String>,
    /// The label of its app in Okta. `None` if Okta does not show it.
    pub(crate) previous_client_label: Option<String>,
}

/// The payload of `confirm`.
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
            queries: people::queries(config),
            ..step(Phase::Baseline, format!("record who is in `{name}`, as keyed hashes"), Json::encode(&baseline)?)
        },
        StepProposal {
            needs: own(&["client_id", "client_secret"]),
            gives: own(&["receipt"]),
            ..step(
                Phase::Test,
                format!("check that `{name}` is unchanged, before a person acts"),
                Json::encode(&connection)?,
            )
        },
        StepProposal {
            by: By::Operator,
            seen_by: Some(Role::Provider),
            confirmed_by: None,
            needs: own(&["client_id", "client_secret", "receipt"]),
            gives: own(&["swapped_at"]),
            reversibility: Reversibility::Attended,
            undo: Some(describe_rollback(&connection)),
            ..step(
                Phase::Swap,
                format!(
                    "reconnect `{name}` with the client-credential flow in the console, {apps} enterprise applications"
                ),
                Json::encode(&connection)?,
            )
        },
        StepProposal {
            needs: own(&["client_id", "swapped_at", "blinding_key", "baseline"]),
            queries: people::queries(config),
            ..step(
                Phase::Confirm,
                format!("check that `{name}` synchronizes by itself and that nobody is missing"),
                Json::encode(&confirm)?,
            )
        },
    ])
}

/// The client that the directory uses, and the label of its app. If unknown, the org's only legacy client.
fn find_legacy(params: &PlanParams) -> (Option<String>, Option<String>) {
    let id = params.legacy_client_id();
    let app = params.provider.legacy_clients.iter().find(|client| Some(client.client_id.as_str()) == id);
    (id.map(str::to_owned), app.map(|client| client.label.clone()))
}

/// The vendor's own procedure for the authorization-code flow (Reconnect Okta Directory).
fn describe_rollback(connection: &ConnectionPayload) -> String {
    let client = connection.previous_client_id.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
    format!(
        "a person reconnects `{}` in the console with the Auth Code Flow and the client{client}, and signs in with Okta",
        connection.directory
    )
}

pub(crate) fn step(phase: Phase, title: String, payload: Json) -> StepProposal {
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
        sends: Some(vec![]),
        queries: vec![],
        payload,
    }
}

pub(crate) fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
