//! Proposes the steps of the Okta side from both inventories. It sends no request and leaves no decision for later.

use flowswap_contract::{
    By, Error, ErrorKind, Json, KnownFrom, LegacyClient, Phase, PlanParams, Reversibility, StepProposal, Variant,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::recognize::is_cie_redirect;

/// The payload of `provision`.
#[derive(Serialize, Deserialize)]
pub(crate) struct ProvisionPayload {
    pub(crate) variant: Variant,
    #[serde(rename = "type")]
    pub(crate) type_key: String,
    pub(crate) scopes: Vec<String>,
    /// The integrations of this type that existed before the plan. The step may change only later ones.
    pub(crate) existing: Vec<String>,
}

/// The payload of `prove`: the scopes that the token must have.
#[derive(Serialize, Deserialize)]
pub(crate) struct ProvePayload {
    pub(crate) scopes: Vec<String>,
    pub(crate) app_data: bool,
}

/// The payload of `confirm`. Plans of earlier versions lack all of its fields.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ConfirmPayload {
    /// The client that must get no more tokens.
    pub(crate) legacy_client_id: Option<String>,
    pub(crate) app_data: bool,
    /// The directory does not show its connection, so only the System Log proves it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) by_log_alone: bool,
}

/// The payload of `retire` and `purge`: the legacy client's app.
#[derive(Serialize, Deserialize)]
pub(crate) struct LegacyPayload {
    pub(crate) app_id: String,
    pub(crate) client_id: String,
    pub(crate) label: String,
    /// Undoing `retire` must not activate an app that was inactive before.
    pub(crate) was_active: bool,
}

/// Proposes provision, prove, test, and confirm. Adds baseline where a person reconnects, and retire and purge where the legacy client is
/// certain.
pub(crate) fn propose(params: &PlanParams) -> Result<Vec<StepProposal>, Error> {
    let mut steps =
        vec![propose_provision(params)?, propose_prove(params)?, propose_test_time(), propose_confirm(params)?];
    // A directory that shows its connection has an interface that reconnects it and tests the client itself. Otherwise a
    // baseline first makes sure that nobody is sent to the console with a client that sees too little.
    if params.directory.known_from != KnownFrom::Directory {
        steps.push(propose_baseline());
    }
    if let Some(legacy) = choose_legacy_client(params) {
        steps.push(propose_retire(legacy)?);
        steps.push(propose_purge(legacy)?);
    }
    Ok(steps)
}

/// The legacy client that the directory uses. `None` if Okta does not show that client: it is worse to retire a client that another
/// directory uses than to leave this one.
fn choose_legacy_client(params: &PlanParams) -> Option<&LegacyClient> {
    let id = params.legacy_client_id()?;
    params.provider.legacy_clients.iter().find(|client| client.client_id == id)
}

fn propose_provision(params: &PlanParams) -> Result<StepProposal, Error> {
    let (type_key, scopes) = find_type(params)?;
    let variant = wanted_variant(params);
    let services = params.provider.service_clients.iter();
    let existing = services.filter(|s| s.type_key == *type_key).map(|s| s.id.clone()).collect();
    let payload = ProvisionPayload { variant, type_key: type_key.to_owned(), scopes: scopes.to_vec(), existing };
    Ok(StepProposal {
        seen_by: None,
        confirmed_by: None,
        phase: Phase::Provision,
        title: format!("create the {variant} API service integration `{type_key}` with {}", scopes.join(", ")),
        by: By::Plugin,
        reversibility: Reversibility::Unattended,
        undo: Some("delete the integration together with its client ID, secret, and grants".to_owned()),
        needs: vec![],
        gives: vec!["client_id".to_owned(), "client_secret".to_owned()],
        sends: Some(vec![]),
        queries: vec![],
        payload: Json::encode(&payload)?,
    })
}

fn propose_prove(params: &PlanParams) -> Result<StepProposal, Error> {
    let (_, scopes) = find_type(params)?;
    propose_prove_with(scopes, params.app_data)
}

/// The same for a client that has these scopes.
pub(crate) fn propose_prove_with(scopes: &[String], app_data: bool) -> Result<StepProposal, Error> {
    let payload = ProvePayload { scopes: scopes.to_vec(), app_data };
    let title =
        "get a token as the new client, compare its scopes, read with each scope, and check what must be refused";
    Ok(check(Phase::Prove, title, &["client_id", "client_secret"], Json::encode(&payload)?))
}

fn propose_baseline() -> StepProposal {
    let title = "compare what the new client sees with what the directory holds";
    let needs = ["blinding_key", "baseline", "client_id", "client_secret"];
    StepProposal {
        gives: vec!["provider_baseline".to_owned()],
        ..check(Phase::Baseline, title, &needs, json!({}).into())
    }
}

/// Tokens later than the noted time do not come from the connection test.
pub(crate) fn propose_test_time() -> StepProposal {
    let title = "note the org's time after the connection test, so that the test's token does not count as a sync";
    StepProposal { gives: vec!["tested_at".to_owned()], ..check(Phase::Test, title, &["client_id"], json!({}).into()) }
}

fn propose_confirm(params: &PlanParams) -> Result<StepProposal, Error> {
    let legacy_client_id = params.legacy_client_id().map(str::to_owned);
    let by_log_alone = params.directory.known_from != KnownFrom::Directory;
    let payload = ConfirmPayload { legacy_client_id, app_data: params.app_data, by_log_alone };
    let title =
        "check in the System Log that the directory gets tokens as the new client and no longer as the legacy client";
    // Where only the log shows the swap, its time is an event's. Otherwise it is by the directory's clock, which is never compared with
    // the org's.
    let needs: &[&str] =
        if by_log_alone { &["client_id", "tested_at", "swapped_at"] } else { &["client_id", "tested_at"] };
    Ok(check(Phase::Confirm, title, needs, Json::encode(&payload)?))
}

fn propose_retire(legacy: &LegacyClient) -> Result<StepProposal, Error> {
    let regions = legacy.redirect_uris.iter().filter(|uri| is_cie_redirect(uri)).count();
    let others = if regions > 1 { format!("; it serves {regions} CIE regions") } else { String::new() };
    let undo = if legacy.is_active() { "activate the app again" } else { "nothing to do: the app was inactive before" };
    Ok(StepProposal {
        seen_by: None,
        confirmed_by: None,
        phase: Phase::Retire,
        title: format!("deactivate the app `{}` ({}) of the authorization-code flow{others}", legacy.label, legacy.id),
        by: By::Plugin,
        reversibility: Reversibility::Unattended,
        undo: Some(undo.to_owned()),
        needs: vec![],
        gives: vec![],
        sends: Some(vec![]),
        queries: vec![],
        payload: Json::encode(&describe(legacy))?,
    })
}

fn propose_purge(legacy: &LegacyClient) -> Result<StepProposal, Error> {
    Ok(StepProposal {
        seen_by: None,
        confirmed_by: None,
        phase: Phase::Purge,
        title: format!("delete the app `{}` ({}) of the authorization-code flow", legacy.label, legacy.id),
        by: By::Plugin,
        reversibility: Reversibility::Irreversible,
        undo: None,
        needs: vec![],
        gives: vec![],
        sends: Some(vec![]),
        queries: vec![],
        payload: Json::encode(&describe(legacy))?,
    })
}

pub(crate) fn check(phase: Phase, title: &str, needs: &[&str], payload: Json) -> StepProposal {
    StepProposal {
        seen_by: None,
        confirmed_by: None,
        phase,
        title: title.to_owned(),
        by: By::Plugin,
        reversibility: Reversibility::Unattended,
        undo: None,
        needs: needs.iter().map(|&name| name.to_owned()).collect(),
        gives: vec![],
        sends: Some(vec![]),
        queries: vec![],
        payload,
    }
}

fn describe(legacy: &LegacyClient) -> LegacyPayload {
    LegacyPayload {
        app_id: legacy.id.clone(),
        client_id: legacy.client_id.clone(),
        label: legacy.label.clone(),
        was_active: legacy.is_active(),
    }
}

fn wanted_variant(params: &PlanParams) -> Variant {
    if params.app_data { Variant::ApplicationEnabled } else { Variant::Plain }
}

fn find_type(params: &PlanParams) -> Result<(&str, &[String]), Error> {
    let variant = wanted_variant(params);
    let known = params.provider.variants.iter().find(|known| known.variant == variant);
    known.map(|known| (known.type_key.as_str(), known.scopes.as_slice())).ok_or_else(|| {
        let message = format!("the type key of the {variant} integration is unknown for {}", params.provider.domain);
        Error::new(ErrorKind::Config, message).with_hint(format!(
            "set `variant_types.{variant}`, or install the integration once by hand, so that flowswap learns the key from it"
        ))
    })
}
