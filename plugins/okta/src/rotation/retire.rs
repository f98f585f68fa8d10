//! Deactivates the replaced secret, activates it again, or deletes it for good.

use flowswap_contract::{
    ApplyReply, Error, ErrorKind, Evidence, EvidenceResult, ObserveReply, Observed, StepParams, Values,
};

use super::Payload;
use crate::{
    api::{Api, evidence_from},
    secrets::{self, Secret},
};

/// Deactivates the secret.
pub(crate) async fn deactivate(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let payload: Payload = params.payload()?;
    let replaced = &payload.replaced;
    let found = secrets::list(api, &payload.client_id).await?;
    let is_replaced = |secret: &&Secret| secret.id == *replaced;
    if found.iter().find(is_replaced).ok_or_else(|| gone(&payload))?.is_inactive() {
        return Ok(done("status", format!("secret {replaced} was already inactive")));
    }
    // Okta may refuse to deactivate the only active secret; no source says so of integrations.
    if !found.iter().any(|secret| !is_replaced(&secret) && !secret.is_inactive()) {
        let message = format!("{replaced} is the only active secret of the integration {}", payload.client_id);
        return Err(Error::new(ErrorKind::Conflict, message)
            .with_hint("find out who deactivated the new one; then roll the tenant back: flowswap rollback TENANT"));
    }
    let answer = secrets::deactivate(api, &payload.client_id, replaced).await?;
    if !expect(api, &payload).await.map_err(Error::with_unknown_effect)?.is_inactive() {
        let message = format!("okta agreed to deactivate the secret {replaced}, but shows it as active");
        return Err(Error::new(ErrorKind::Conflict, message).with_unknown_effect());
    }
    let evidence = evidence_from("status", EvidenceResult::Pass, format!("secret {replaced} is inactive"), &answer);
    Ok(ApplyReply { evidence: vec![evidence], ..ApplyReply::default() })
}

/// Activates the secret again.
pub(crate) async fn activate(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let payload: Payload = params.payload()?;
    let replaced = &payload.replaced;
    if !expect(api, &payload).await?.is_inactive() {
        return Ok(done("status", format!("secret {replaced} was already active")));
    }
    let answer = secrets::activate(api, &payload.client_id, replaced).await?;
    let evidence = evidence_from("status", EvidenceResult::Pass, format!("secret {replaced} is active"), &answer);
    Ok(ApplyReply { evidence: vec![evidence], ..ApplyReply::default() })
}

/// Deletes the secret, which must be inactive.
pub(crate) async fn delete(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let payload: Payload = params.payload()?;
    let replaced = &payload.replaced;
    let Some(secret) = find(api, &payload).await? else {
        return Ok(done("deleted", format!("secret {replaced} was already gone")));
    };
    if !secret.is_inactive() {
        let message = format!("somebody has activated the secret {replaced} again");
        return Err(Error::new(ErrorKind::Conflict, message)
            .with_hint("find out who did; then roll the tenant back: flowswap rollback TENANT"));
    }
    secrets::delete(api, &payload.client_id, replaced).await?;
    Ok(done("deleted", format!("secret {replaced} is gone")))
}

/// Whether the secret is inactive.
pub(crate) async fn observe_inactive(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let payload: Payload = params.payload()?;
    let (state, how) = match find(api, &payload).await? {
        None => (Observed::Unknown, "gone"),
        Some(secret) if secret.is_inactive() => (Observed::Applied, "inactive"),
        Some(_) => (Observed::NotApplied, "active"),
    };
    Ok(observed(state, format!("secret {} is {how}", payload.replaced)))
}

/// Whether the secret is gone.
pub(crate) async fn observe_deleted(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let payload: Payload = params.payload()?;
    let (state, how) = match find(api, &payload).await? {
        None => (Observed::Applied, "gone"),
        Some(_) => (Observed::NotApplied, "still there"),
    };
    Ok(observed(state, format!("secret {} is {how}", payload.replaced)))
}

/// The replaced secret, which must be there.
async fn expect(api: &Api<'_>, payload: &Payload) -> Result<Secret, Error> {
    find(api, payload).await?.ok_or_else(|| gone(payload))
}

fn gone(payload: &Payload) -> Error {
    Error::new(ErrorKind::NotFound, format!("the secret {} of the plan no longer exists", payload.replaced))
}

async fn find(api: &Api<'_>, payload: &Payload) -> Result<Option<Secret>, Error> {
    let found = secrets::list(api, &payload.client_id).await?;
    Ok(found.into_iter().find(|secret| secret.id == payload.replaced))
}

fn done(check: &str, detail: String) -> ApplyReply {
    ApplyReply { evidence: vec![Evidence::new(check, EvidenceResult::Pass, detail)], ..ApplyReply::default() }
}

fn observed(state: Observed, detail: String) -> ObserveReply {
    ObserveReply { state, outputs: Values::new(), detail }
}
