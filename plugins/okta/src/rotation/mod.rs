//! Rotates the client secret of an integration. Okta accepts two secrets at a time, so the directory is never without one: the new
//! secret is made and tested, the directory gets it, and only then is the old one deactivated, and deleted once the directory has
//! shown that it does without.
//!
//! Okta does not show with which secret a token was requested. So nothing tells which secret the directory uses while both are active.
//! That shows once one of them is inactive: the directory still gets tokens, or it is refused.

mod confirm;
mod handed;
mod replace;
mod retire;

use flowswap_contract::{
    By, Error, ErrorKind, Flow, Json, Phase, PlanParams, Reversibility, Rotation, ServiceClient, StepProposal,
};
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    confirm::confirm,
    handed::observe as observe_swap,
    replace::{apply, observe, undo},
    retire::{activate, deactivate, delete, observe_deleted, observe_inactive},
};
use crate::plan::{check, propose_prove_with, propose_test_time};

/// The payload of every step of a rotation but `test`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// The integration, by its id, which is its client ID.
    pub(crate) client_id: String,
    /// The scopes that were granted to it.
    pub(crate) scopes: Vec<String>,
    /// The secret that is deleted first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) drop: Option<String>,
    /// The secret that is replaced: the only other one that there is.
    pub(crate) replaced: String,
}

/// Proposes the steps of a rotation.
pub(crate) fn propose(params: &PlanParams, rotation: &Rotation) -> Result<Vec<StepProposal>, Error> {
    let client = find_client(params)?;
    let mut left = client.secrets.iter().filter(|secret| Some(&secret.id) != rotation.drop.as_ref());
    let (Some(replaced), None) = (left.next(), left.next()) else {
        let message = format!("the integration {} must have exactly one secret that is replaced", client.id);
        return Err(Error::new(ErrorKind::Conflict, message));
    };
    let payload = Payload {
        client_id: client.id.clone(),
        scopes: client.scopes.clone(),
        drop: rotation.drop.clone(),
        replaced: replaced.id.clone(),
    };
    let payload = Json::encode(&payload)?;
    let (id, old) = (&client.id, &replaced.id);
    let first =
        rotation.drop.as_ref().map(|drop| format!("delete the secret {drop} for good, and ")).unwrap_or_default();
    let provision = StepProposal {
        gives: ["client_id", "client_secret", "secret_id"].map(str::to_owned).to_vec(),
        undo: Some("deactivate the new secret; it stays in Okta, inactive".to_owned()),
        ..change(
            Phase::Provision,
            format!("{first}make a second client secret for the integration {id}"),
            payload.clone(),
        )
    };
    let confirm = "check in the System Log that the directory gets tokens, and that none is refused";
    let retire = StepProposal {
        undo: Some(format!("activate the secret {old} again")),
        ..change(Phase::Retire, format!("deactivate the previous client secret {old}"), payload.clone())
    };
    let purge = StepProposal {
        reversibility: Reversibility::Irreversible,
        ..change(Phase::Purge, format!("delete the previous client secret {old}"), payload.clone())
    };
    Ok(vec![
        provision,
        propose_prove_with(&client.scopes, params.app_data)?,
        propose_test_time(),
        check(Phase::Confirm, confirm, &["client_id", "tested_at"], payload),
        retire,
        purge,
    ])
}

/// The integration that the directory uses.
fn find_client(params: &PlanParams) -> Result<&ServiceClient, Error> {
    let id = params.directory.client_id.as_ref().filter(|_| params.directory.flow == Flow::ClientCredentials);
    let client = id.and_then(|id| params.provider.service_clients.iter().find(|client| client.id == *id));
    client.ok_or_else(|| Error::new(ErrorKind::Conflict, "okta does not show the integration that the directory uses"))
}

fn change(phase: Phase, title: String, payload: Json) -> StepProposal {
    StepProposal {
        seen_by: None,
        confirmed_by: None,
        phase,
        title,
        by: By::Plugin,
        reversibility: Reversibility::Unattended,
        undo: None,
        needs: vec![],
        gives: vec![],
        sends: Some(vec![]),
        queries: vec![],
        payload,
    }
}
