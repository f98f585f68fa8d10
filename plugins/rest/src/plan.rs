//! Proposes the steps of the directory side: test, swap, and confirm. It sends no request and leaves no decision for later.

use flowswap_contract::{
    By, Counts, DirectoryInventory, Error, Flow, Json, Phase, PlanParams, Reversibility, SentSecret, StepProposal,
};
use serde::{Deserialize, Serialize};

use crate::{
    config::{Config, Operation},
    template::Variable,
    test_connection,
};

/// The payload of `test` and `swap`: the connection as the plan saw it.
#[derive(Serialize, Deserialize)]
pub(crate) struct ConnectionPayload {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) app_data: bool,
    pub(crate) previous_flow: Flow,
    pub(crate) previous_client_id: Option<String>,
}

/// The payload of `confirm`.
#[derive(Serialize, Deserialize)]
pub(crate) struct ConfirmPayload {
    pub(crate) id: String,
    pub(crate) app_data: bool,
    /// The counts before the swap, in plans of earlier versions. Now `test` reads them.
    #[serde(default, skip_serializing)]
    pub(crate) baseline: Option<Counts>,
    /// Whether the directory was healthy, in plans of earlier versions.
    #[serde(default, skip_serializing)]
    pub(crate) was_healthy: Option<bool>,
}

/// The state of a directory before the swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    pub(crate) counts: Counts,
    pub(crate) was_healthy: Option<bool>,
}

/// Proposes test, swap and confirm.
pub(crate) fn propose(params: &PlanParams, config: &Config) -> Result<Vec<StepProposal>, Error> {
    let directory = &params.directory;
    let can_restore = config.restore.is_some();
    let connection = ConnectionPayload {
        id: directory.id.clone(),
        name: directory.name.clone(),
        domain: directory.domain.clone(),
        app_data: params.app_data,
        previous_flow: directory.flow,
        previous_client_id: params.legacy_client_id().map(str::to_owned),
    };
    let query = test_connection::query(config, &connection)?;
    let connection = Json::encode(&connection)?;
    let (id, app_data) = (directory.id.clone(), params.app_data);
    let confirm = Json::encode(&ConfirmPayload { id, app_data, baseline: None, was_healthy: None })?;
    let name = &directory.name;
    let apps = if params.app_data { "with" } else { "without" };
    Ok(vec![
        StepProposal {
            gives: own(&["receipt", "baseline"]),
            sends: Some(sent_by(config, &config.test.operation)),
            queries: query.into_iter().collect(),
            ..step(Phase::Test, format!("test the connection of `{name}` with the new credentials"), connection.clone())
        },
        StepProposal {
            needs: own(&["client_id", "client_secret", "receipt"]),
            gives: own(&["swapped_at"]),
            sends: Some(sent_by(config, &config.submit)),
            reversibility: if can_restore { Reversibility::Unattended } else { Reversibility::Attended },
            undo: Some(describe_rollback(directory, can_restore)),
            ..step(
                Phase::Swap,
                format!("reconnect `{name}` with the client-credential flow, {apps} enterprise applications"),
                connection,
            )
        },
        StepProposal {
            needs: own(&["client_id", "swapped_at", "baseline"]),
            ..step(
                Phase::Confirm,
                format!("check that `{name}` synchronizes with the new client and that nothing is missing"),
                confirm,
            )
        },
    ])
}

/// Describes the rollback of the swap. Without `restore`, it instructs a person.
pub(crate) fn describe_rollback(directory: &DirectoryInventory, can_restore: bool) -> String {
    let name = &directory.name;
    let client = directory.client_id.as_deref().map(|id| format!(" of client {id}")).unwrap_or_default();
    if can_restore {
        return format!("restore the previous connection{client} through the interface's `restore`");
    }
    instruct_person(name, &client)
}

/// The vendor's own procedure for the authorization-code flow (Reconnect Okta Directory).
pub(crate) fn instruct_person(name: &str, client: &str) -> String {
    format!(
        "in the Cloud Identity Engine console: open Directories and choose Actions > Reconnect for `{name}`. Choose Auth Code \
         Flow, and enter the Client ID and Client Secret{client}. Press Sign in with Okta, then Test Connection, then Submit"
    )
}

pub(crate) fn step(phase: Phase, title: String, payload: Json) -> StepProposal {
    StepProposal {
        seen_by: None,
        confirmed_by: None,
        phase,
        title,
        by: By::Plugin,
        reversibility: Reversibility::Unattended,
        undo: None,
        needs: own(&["client_id", "client_secret"]),
        gives: vec![],
        sends: Some(vec![]),
        queries: vec![],
        payload,
    }
}

/// Where the operation sends the new client's secret: the description of the interface says that.
fn sent_by(config: &Config, operation: &Operation) -> Vec<SentSecret> {
    sent_as("client_secret", config, operation)
}

/// The same for a secret with another name among the step's inputs.
pub(crate) fn sent_as(input: &str, config: &Config, operation: &Operation) -> Vec<SentSecret> {
    let pointers = operation.body.iter().flat_map(|body| body.pointers_to(Variable::ClientSecret));
    let sent = |at| SentSecret { input: input.to_owned(), to: config.base_url.clone(), at };
    pointers.map(sent).collect()
}

pub(crate) fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
