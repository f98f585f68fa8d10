//! Deactivates the legacy client, activates it again, or deletes it for good. Each function first makes sure that the app
//! is still the one in the plan.

use flowswap_contract::{
    ApplyReply, Error, ErrorKind, Evidence, EvidenceResult, Intent, ObserveReply, Observed, StepParams, Values,
};

use crate::{
    api::{Api, a_day_before, evidence_from},
    apps::App,
    gone::Object,
    plan::LegacyPayload,
    tokens::TokenLog,
};

/// Deactivates the app.
pub(crate) async fn deactivate(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let legacy = params.payload()?;
    expect_unused(api, &legacy).await?;
    change_status(api, &legacy, "INACTIVE", "deactivate").await.map(reply)
}

/// Activates the app again, if it was active at the time of the plan.
pub(crate) async fn activate(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let legacy: LegacyPayload = params.payload()?;
    if !legacy.was_active {
        let detail = format!("app {} was inactive before the plan and stays inactive", legacy.app_id);
        return Ok(reply(Evidence::new("status", EvidenceResult::NotApplicable, detail)));
    }
    change_status(api, &legacy, "ACTIVE", "activate").await.map(reply)
}

/// Deletes the app, which must be inactive.
pub(crate) async fn delete(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let legacy: LegacyPayload = params.payload()?;
    let Some(app) = find_same(api, &legacy).await? else {
        return Ok(reply(Evidence::new(
            "deleted",
            EvidenceResult::Pass,
            format!("app {} was already gone", legacy.app_id),
        )));
    };
    if app.label.as_deref() != Some(legacy.label.as_str()) {
        return Err(conflict(&legacy, "has a different label than in the plan"));
    }
    if app.status() != "INACTIVE" {
        return Err(conflict(&legacy, &format!("is {}", app.status()))
            .with_hint("let flowswap retire it first, because that checks who uses it: flowswap finalize TENANT"));
    }
    let mut ask = api.ask(Intent::Mutate, "DELETE", &path(&legacy));
    ask.idempotent = true;
    let deleted = api.send("delete the app", ask).await;
    let deleted = object(&legacy).deleted(api, deleted).await?;
    if find(api, &legacy).await.map_err(Error::with_unknown_effect)?.is_some() {
        return Err(conflict(&legacy, "is still there after its deletion").with_unknown_effect());
    }
    let detail = format!("app {} is gone", legacy.app_id);
    Ok(reply(match deleted {
        Some(answer) => evidence_from("deleted", EvidenceResult::Pass, detail, &answer),
        None => Evidence::new("deleted", EvidenceResult::Pass, detail),
    }))
}

/// Whether the app is inactive.
pub(crate) async fn observe_retired(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let legacy: LegacyPayload = params.payload()?;
    let Some(app) = find_same(api, &legacy).await? else {
        return Ok(observed(Observed::Unknown, format!("app {} is gone", legacy.app_id)));
    };
    let state = match app.status() {
        "INACTIVE" => Observed::Applied,
        "ACTIVE" => Observed::NotApplied,
        _ => Observed::Unknown,
    };
    Ok(observed(state, format!("app {} is {}", legacy.app_id, app.status())))
}

/// Whether the app is gone.
pub(crate) async fn observe_purged(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let legacy: LegacyPayload = params.payload()?;
    Ok(match find_same(api, &legacy).await? {
        None => observed(Observed::Applied, format!("app {} is gone", legacy.app_id)),
        Some(app) if app.status() == "DELETED" => {
            observed(Observed::Applied, format!("app {} is deleted", legacy.app_id))
        }
        Some(app) => observed(Observed::NotApplied, format!("app {} is {}", legacy.app_id, app.status())),
    })
}

/// Refuses while a token of the client may be in use, by this directory or by another one that uses the same client.
async fn expect_unused(api: &Api<'_>, legacy: &LegacyPayload) -> Result<(), Error> {
    let (log, _) = TokenLog::read(api, &legacy.client_id, &a_day_before(api.host.now())?).await?;
    let (Some(last), Some(now)) = (log.granted.first(), api.org_now()) else { return Ok(()) };
    let until = last.unused_from();
    if until < now {
        return Ok(());
    }
    let what = format!("gave {} a token at {last}, which may be in use until {until}", last.agent());
    Err(conflict(legacy, &what).with_hint("after that time, run `flowswap finalize TENANT` again"))
}

async fn change_status(api: &Api<'_>, legacy: &LegacyPayload, wanted: &str, verb: &str) -> Result<Evidence, Error> {
    let gone = || Error::new(ErrorKind::NotFound, format!("app {} of the plan no longer exists", legacy.app_id));
    let app = find_same(api, legacy).await?.ok_or_else(gone)?;
    if app.status() == wanted {
        let detail = format!("app {} was already {wanted}", legacy.app_id);
        return Ok(Evidence::new("status", EvidenceResult::Pass, detail));
    }
    let mut ask = api.ask(Intent::Mutate, "POST", &format!("{}/lifecycle/{verb}", path(legacy)));
    ask.idempotent = true;
    let answer = api.send(&format!("{verb} the app"), ask).await?;
    let after = find(api, legacy).await.and_then(|app| app.ok_or_else(gone)).map_err(Error::with_unknown_effect)?;
    if after.status() != wanted {
        let what = format!("is {} after okta agreed to {verb} it", after.status());
        return Err(conflict(legacy, &what).with_unknown_effect());
    }
    Ok(evidence_from("status", EvidenceResult::Pass, format!("app {} is {wanted}", legacy.app_id), &answer))
}

/// Finds the app of the plan. An app with the same id but another client id is an error.
async fn find_same(api: &Api<'_>, legacy: &LegacyPayload) -> Result<Option<App>, Error> {
    let app = find(api, legacy).await?;
    match &app {
        Some(app) if app.client_id() != Some(legacy.client_id.as_str()) => {
            Err(conflict(legacy, "has a different client ID than in the plan"))
        }
        _ => Ok(app),
    }
}

async fn find(api: &Api<'_>, legacy: &LegacyPayload) -> Result<Option<App>, Error> {
    object(legacy).read(api).await
}

fn object(legacy: &LegacyPayload) -> Object<'_> {
    Object::App(&legacy.app_id)
}

fn path(legacy: &LegacyPayload) -> String {
    object(legacy).path()
}

fn conflict(legacy: &LegacyPayload, what: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("app {} {what}", legacy.app_id))
}

fn reply(evidence: Evidence) -> ApplyReply {
    ApplyReply { outputs: Values::new(), evidence: vec![evidence], ..ApplyReply::default() }
}

fn observed(state: Observed, detail: String) -> ObserveReply {
    ObserveReply { state, outputs: Values::new(), detail }
}
