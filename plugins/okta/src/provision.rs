//! Creates the API service integration, or finishes a creation whose answer was lost. Undo deletes the integration.
//!
//! Okta has no idempotency key, and a second create makes a second client (Okta management API documents no 409).
//! So flowswap looks before it creates, and never repeats a create. It adopts a client whose answer was lost: the first
//! secret is lost for good, so flowswap makes a second one and removes the first.

use flowswap_contract::{
    ApplyReply, Body, Error, ErrorKind, Evidence, EvidenceResult, Handle, HttpAnswer, Intent, ObserveReply, Observed,
    StepParams, Values,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    api::{Api, SERVICES, decode, evidence_from},
    detect::{Service, list_services},
    gone::Object,
    origin::Origin,
    plan::ProvisionPayload,
    prove::is_secret_of,
    secrets::{self, Secret},
};

/// Okta may not show an integration everywhere until it is this old.
const MAX_VISIBILITY_DELAY: SignedDuration = SignedDuration::from_mins(15);

/// The `errorCode` of a request with wrong values (Okta management API, ErrorApiValidationFailed).
const VALIDATION_FAILED: &str = "E0000001";

/// Creates the integration. If `observe` found it without a known secret, adds a secret instead.
pub(crate) async fn apply(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let payload: ProvisionPayload = params.payload()?;
    if params.outputs.contains_key("client_id") {
        let id = created_id(params, &payload)?;
        // The integration exists already. Whatever fails from here on, the step must be observed again.
        return adopt(api, id).await.map_err(Error::with_unknown_effect);
    }
    let unexpected = list_new(api, &payload).await?;
    if !unexpected.is_empty() {
        let message = format!(
            "an integration of type `{}` appeared after the plan was made: {}",
            payload.type_key,
            unexpected.join(", ")
        );
        return Err(Error::new(ErrorKind::Conflict, message).with_hint(
            "if an interrupted run created it, run `flowswap stuck`; otherwise find out who did, then write a new plan",
        ));
    }
    create(api, &payload).await
}

async fn create(api: &Api<'_>, payload: &ProvisionPayload) -> Result<ApplyReply, Error> {
    api.host.progress("creating the integration");
    let mut ask = api.ask(Intent::Mutate, "POST", SERVICES);
    ask.body = Some(Body::Json(json!({ "type": payload.type_key, "grantedScopes": payload.scopes })));
    ask.capture = vec![secrets::capture("/clientSecret")];
    let what = "create the integration";
    let answer = api.send(what, ask).await.map_err(|error| name_keys(error, payload))?;
    let created: Service = decode(what, &answer).map_err(Error::with_unknown_effect)?;
    let secret = secrets::captured(&answer, "/clientSecret")?;
    let granted = compare_scopes(&payload.scopes, created.granted_scopes.as_deref().unwrap_or_default(), &answer);
    let detail = format!("integration {} of type {}", created.id, created.type_key);
    let evidence = vec![evidence_from("created", EvidenceResult::Pass, detail, &answer), granted];
    Ok(ApplyReply { outputs: outputs(&created.id, &secret), evidence, ..ApplyReply::default() })
}

/// Names the keys of the configuration that this request is made of. No public source has Okta's words for an unknown type or for
/// scopes that the integration does not have, but this code is the documented one of a bad request.
fn name_keys(error: Error, payload: &ProvisionPayload) -> Error {
    if error.context.get("error_code").is_none_or(|code| code != VALIDATION_FAILED) {
        return error;
    }
    let ProvisionPayload { variant, type_key, .. } = payload;
    error.with_hint(format!(
        "correct `variant_types.{variant}` (now `{type_key}`) or `scopes.{variant}` under the tenant's `provider`. Then run \
         `flowswap rollback TENANT --accept-changes`, and plan the tenant again"
    ))
}

async fn adopt(api: &Api<'_>, id: &str) -> Result<ApplyReply, Error> {
    api.host.progress("making a new secret for the integration");
    let mut lost = secrets::list(api, id).await?;
    // Both places are taken if an earlier adoption was interrupted too. Nobody holds either secret, so remove one. Prefer
    // an inactive one: Okta does not deactivate the only active secret.
    while lost.len() >= secrets::MAX {
        let spare = lost.iter().position(Secret::is_inactive).unwrap_or(0);
        secrets::remove(api, id, &lost.remove(spare)).await?;
    }
    let (secret, answer) = secrets::add(api, id).await?;
    for secret in &lost {
        secrets::remove(api, id, secret).await?;
    }
    let detail = format!("integration {id} from an earlier attempt; removed {} lost secret(s)", lost.len());
    let evidence = vec![evidence_from("adopted", EvidenceResult::Pass, detail, &answer)];
    Ok(ApplyReply { outputs: outputs(id, &secret), evidence, ..ApplyReply::default() })
}

/// Looks for the integration that this step created: one of its type that did not exist when the plan was made.
pub(crate) async fn observe(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let payload: ProvisionPayload = params.payload()?;
    let new = list_new(api, &payload).await?;
    let known = params.outputs.get("client_id").and_then(Value::as_str);
    let secret = params.outputs.get("client_secret").and_then(Handle::from_value);
    let of_type = format!("of type `{}`", payload.type_key);
    let origin = match known {
        Some(known) => match Origin::of_known(&new, known) {
            // Its absence from the list alone does not prove that it is gone.
            Origin::NotFound if find(api, params, known).await?.is_some() => {
                let detail = format!("okta shows the integration {known} by its ID, but does not list it");
                return Ok(reply(Observed::Unknown, Values::new(), detail));
            }
            origin => origin,
        },
        None => match Origin::find(api, params, &new).await? {
            // The log shows what was created, but not whether it still exists.
            Origin::Ours(id) if new.is_empty() && find(api, params, &id).await?.is_none() => Origin::NotFound,
            origin => origin,
        },
    };
    Ok(match (origin, secret) {
        // A secret proves that Okta created an integration, so its absence is unexplained.
        (Origin::NotFound, Some(_)) if known.is_none() => {
            let detail = format!(
                "flowswap received the secret of a new integration {of_type}, but okta shows no such integration"
            );
            reply(Observed::Unknown, Values::new(), detail)
        }
        (Origin::NotFound, _) if new.is_empty() => {
            reply(Observed::NotApplied, Values::new(), format!("no new integration {of_type}"))
        }
        (Origin::NotFound, _) => {
            let detail = format!("no new integration {of_type} except those that others created: {}", new.join(", "));
            reply(Observed::NotApplied, Values::new(), detail)
        }
        (Origin::Ours(id), Some(secret)) => observe_secrets(api, &id, secret, &payload).await?,
        (Origin::Ours(id), None) => {
            let outputs = [("client_id".to_owned(), json!(id))].into();
            let detail = format!("integration {id} {of_type} exists, but flowswap never received its secret");
            reply(Observed::Partial, outputs, detail)
        }
        (Origin::Unclear(ids), _) if ids.is_empty() => {
            let detail =
                format!("okta's log shows that this step created an integration {of_type}, but okta does not list it");
            reply(Observed::Unknown, Values::new(), detail)
        }
        (Origin::Unclear(ids), _) if new.is_empty() => {
            let detail =
                format!("okta's log shows that this step created {}, but okta's list does not", ids.join(", "));
            reply(Observed::Unknown, Values::new(), detail)
        }
        (Origin::Unclear(ids), _) => {
            let detail = format!("okta does not show who created the new integrations {of_type}: {}", ids.join(", "));
            reply(Observed::Unknown, Values::new(), detail)
        }
    })
}

/// An integration whose secret flowswap holds is complete, with two exceptions. It may have a second secret, which nobody
/// holds. Or it may not accept the one that flowswap holds: an interrupted adoption may have removed that secret to make
/// room for one that never arrived.
async fn observe_secrets(
    api: &Api<'_>,
    id: &str,
    secret: Handle,
    payload: &ProvisionPayload,
) -> Result<ObserveReply, Error> {
    let integration = format!("integration {id} of type `{}`", payload.type_key);
    let partial = |detail: String| {
        let outputs = [("client_id".to_owned(), json!(id))].into();
        Ok(reply(Observed::Partial, outputs, format!("{integration}{detail}")))
    };
    let secrets = secrets::list(api, id).await?;
    if secrets.len() > 1 {
        return partial(format!(" has {} secrets", secrets.len()));
    }
    if !is_secret_of(api, id, secret.clone(), &payload.scopes).await? {
        return partial(" does not accept the secret that flowswap holds".to_owned());
    }
    Ok(reply(Observed::Applied, outputs(id, &secret), format!("{integration}; flowswap holds its secret")))
}

/// Deletes the integration that this step created, and no other.
pub(crate) async fn undo(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let payload: ProvisionPayload = params.payload()?;
    let id = created_id(params, &payload)?;
    let integration = Object::Integration(id);
    let mut ask = api.ask(Intent::Mutate, "DELETE", &integration.path());
    ask.idempotent = true;
    let deleted = api.send("delete the integration", ask).await;
    let deleted = integration.deleted(api, deleted).await?;
    // Reading it back costs one request, and guards against a client that survives its deletion unnoticed.
    let left = match deleted {
        Some(_) => integration.read(api).await,
        None => find(api, params, id).await,
    };
    let left: Option<Service> = left.map_err(Error::with_unknown_effect)?;
    if left.is_some() {
        let message = format!("okta still shows the integration {id} after its deletion");
        return Err(Error::new(ErrorKind::Conflict, message).with_unknown_effect());
    }
    let evidence = match deleted {
        Some(answer) => evidence_from("deleted", EvidenceResult::Pass, format!("integration {id} is gone"), &answer),
        None => Evidence::new("deleted", EvidenceResult::Pass, format!("integration {id} was already gone")),
    };
    Ok(ApplyReply { outputs: Values::new(), evidence: vec![evidence], ..ApplyReply::default() })
}

/// Looks for an integration by its id.
async fn find(api: &Api<'_>, params: &StepParams, id: &str) -> Result<Option<Service>, Error> {
    let integration = Object::Integration(id);
    if is_new(api, params)? { integration.read_new(api).await } else { integration.read(api).await }
}

/// Whether the step started a short time ago. Both times are by this machine's clock.
fn is_new(api: &Api<'_>, params: &StepParams) -> Result<bool, Error> {
    let started = params.attempts.last().and_then(|attempt| attempt.at.parse::<Timestamp>().ok());
    let now = api.host_now()?;
    Ok(started.is_some_and(|started| now.duration_since(started) < MAX_VISIBILITY_DELAY))
}

async fn list_new(api: &Api<'_>, payload: &ProvisionPayload) -> Result<Vec<String>, Error> {
    let of_type = list_services(api).await?.into_iter().filter(|service| service.type_key == payload.type_key);
    Ok(of_type.map(|service| service.id).filter(|id| !payload.existing.contains(id)).collect())
}

/// The id of the integration that the step created. An integration that existed before the plan belongs to somebody else
/// and is never changed.
fn created_id<'a>(params: &'a StepParams, payload: &ProvisionPayload) -> Result<&'a str, Error> {
    let id = params.outputs.get("client_id").and_then(Value::as_str);
    let id = id.ok_or_else(|| {
        Error::new(ErrorKind::Internal, format!("step `{}` does not know which integration it created", params.step.id))
            .with_hint("observe the step first")
    })?;
    if payload.existing.iter().any(|existing| existing == id) {
        let message = format!("integration {id} existed before the plan, so this step must not change it");
        return Err(Error::new(ErrorKind::Internal, message));
    }
    Ok(id)
}

fn compare_scopes(requested: &[String], granted: &[String], answer: &HttpAnswer) -> Evidence {
    let mut granted = granted.to_vec();
    granted.sort();
    if granted == requested {
        return evidence_from("granted-scopes", EvidenceResult::Pass, granted.join(" "), answer);
    }
    let detail = format!("requested {}, granted {}", requested.join(" "), granted.join(" "));
    evidence_from("granted-scopes", EvidenceResult::Fail, detail, answer)
}

fn outputs(id: &str, secret: &Handle) -> Values {
    [("client_id".to_owned(), json!(id)), ("client_secret".to_owned(), secret.to_value())].into()
}

fn reply(state: Observed, outputs: Values, detail: String) -> ObserveReply {
    ObserveReply { state, outputs, detail }
}
