//! Creates the API service integration, or finishes a creation whose answer was lost; and takes it away again.
//!
//! Okta has no idempotency key, and a second create makes a second client (Okta management API documents no 409).
//! So a create is preceded by a look, is never repeated, and a lost one is adopted: the first secret is gone for
//! good, a second one is made and the first one removed.

use flowswap_contract::{
    ApplyReply, Body, Capture, Custody, Error, ErrorKind, Evidence, EvidenceResult, Handle, HttpAnswer, Intent,
    ObserveReply, Observed, StepParams, Values, sdk::encode,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{Api, SERVICES, decode, note, see},
    detect::{Service, list_services},
    gone::{Object, is_not_found},
    origin::Origin,
    plan::ProvisionPayload,
    prove::is_secret_of,
    read_payload,
};

/// What was made no longer ago than this may not be shown everywhere yet.
const NEW: SignedDuration = SignedDuration::from_mins(15);

/// An integration holds two secrets at most (Okta management API).
const MAX_SECRETS: usize = 2;

/// Creates the integration; or, when `observe` found it half made, gives it a secret that we hold.
pub(crate) async fn apply(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let payload: ProvisionPayload = read_payload(params)?;
    if params.outputs.contains_key("client_id") {
        let id = made_id(params, &payload)?;
        // Half made is the least that it was; whatever fails now, it must be observed.
        return adopt(api, id).await.map_err(Error::with_unknown_effect);
    }
    let strangers = list_new(api, &payload).await?;
    if !strangers.is_empty() {
        let message = format!(
            "an integration of type `{}` has appeared since the plan: {}",
            payload.type_key,
            strangers.join(", ")
        );
        return Err(Error::new(ErrorKind::Conflict, message).with_hint(
            "if an earlier run made it, recovering the tenant adopts it; if somebody else did, plan again",
        ));
    }
    create(api, &payload).await
}

async fn create(api: &Api<'_>, payload: &ProvisionPayload) -> Result<ApplyReply, Error> {
    api.host.progress("creating the integration");
    let mut ask = api.ask(Intent::Mutate, "POST", SERVICES);
    ask.body = Some(Body::Json(json!({ "type": payload.type_key, "grantedScopes": payload.scopes })));
    ask.capture = vec![capture_secret("/clientSecret")];
    let what = "create the integration";
    let answer = api.send(what, ask).await?;
    let created: Service = decode(what, &answer).map_err(Error::with_unknown_effect)?;
    let secret = find_secret(&answer, "/clientSecret")?;
    let granted = compare_scopes(&payload.scopes, created.granted_scopes.as_deref().unwrap_or_default(), &answer);
    let detail = format!("integration {} of type {}", created.id, created.type_key);
    let evidence = vec![see("created", EvidenceResult::Pass, detail, &answer), granted];
    Ok(ApplyReply { outputs: outputs(&created.id, &secret), evidence, ..ApplyReply::default() })
}

async fn adopt(api: &Api<'_>, id: &str) -> Result<ApplyReply, Error> {
    api.host.progress("giving the integration a secret that is known");
    let secrets = secrets_of(id);
    let mut lost: Vec<Secret> = api.list("list the integration's secrets", &secrets).await?;
    // Full when an earlier adoption was cut off as well: nobody holds either secret, so one makes room. The only active
    // one cannot be deactivated.
    while lost.len() >= MAX_SECRETS {
        let spare = lost.iter().position(Secret::is_inactive).unwrap_or(0);
        remove_secret(api, &secrets, &lost.remove(spare)).await?;
    }
    let mut ask = api.ask(Intent::Mutate, "POST", &secrets);
    ask.capture = vec![capture_secret("/client_secret")];
    let answer = api.send("add a secret to the integration", ask).await?;
    let secret = find_secret(&answer, "/client_secret")?;
    for secret in &lost {
        remove_secret(api, &secrets, secret).await?;
    }
    let detail = format!("integration {id} of an earlier try; {} lost secret(s) removed", lost.len());
    let evidence = vec![see("adopted", EvidenceResult::Pass, detail, &answer)];
    Ok(ApplyReply { outputs: outputs(id, &secret), evidence, ..ApplyReply::default() })
}

/// Only an inactive secret can be deleted (Okta management API).
async fn remove_secret(api: &Api<'_>, secrets: &str, secret: &Secret) -> Result<(), Error> {
    let path = format!("{secrets}/{}", encode(&secret.id));
    if !secret.is_inactive() {
        let mut ask = api.ask(Intent::Mutate, "POST", &format!("{path}/lifecycle/deactivate"));
        ask.idempotent = true;
        api.send("deactivate the lost secret", ask).await?;
    }
    let mut ask = api.ask(Intent::Mutate, "DELETE", &path);
    ask.idempotent = true;
    match api.send("delete the lost secret", ask).await {
        Err(error) if is_not_found(&error) => {
            // The list tells whether it is gone; a 404 alone does not.
            let left: Vec<Secret> = api.list("list the integration's secrets", secrets).await?;
            if left.iter().any(|left| left.id == secret.id) { Err(error) } else { Ok(()) }
        }
        other => other.map(drop),
    }
}

fn secrets_of(id: &str) -> String {
    format!("{SERVICES}/{}/credentials/secrets", encode(id))
}

/// Looks for an integration of the type that was not there at the time of the plan and that the step itself made.
pub(crate) async fn observe(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let payload: ProvisionPayload = read_payload(params)?;
    let new = list_new(api, &payload).await?;
    let known = params.outputs.get("client_id").and_then(Value::as_str);
    let held = params.outputs.get("client_secret").and_then(Handle::from_value);
    let of_type = format!("of type `{}`", payload.type_key);
    let origin = match known {
        Some(known) => match Origin::of_known(&new, known) {
            // That a list lacks it is one sign, and not enough.
            Origin::Nowhere if find(api, params, known).await?.is_some() => {
                let detail = format!("okta shows the integration {known} by its id, and not in its list");
                return Ok(reply(Observed::Unknown, Values::new(), detail));
            }
            origin => origin,
        },
        None => match Origin::find(api, params, &new).await? {
            // The log tells what was made, and not whether it is still there.
            Origin::Ours(id) if new.is_empty() && find(api, params, &id).await?.is_none() => Origin::Nowhere,
            origin => origin,
        },
    };
    Ok(match (origin, held) {
        // A secret is only received from a creation that was carried out; where has its integration gone?
        (Origin::Nowhere, Some(_)) if known.is_none() => {
            let detail = format!("the secret of a new integration {of_type} was received, and okta shows none");
            reply(Observed::Unknown, Values::new(), detail)
        }
        (Origin::Nowhere, _) if new.is_empty() => {
            reply(Observed::NotApplied, Values::new(), format!("no new integration {of_type}"))
        }
        (Origin::Nowhere, _) => {
            let detail = format!("no new integration {of_type} but those that others made: {}", new.join(", "));
            reply(Observed::NotApplied, Values::new(), detail)
        }
        (Origin::Ours(id), Some(held)) => observe_secrets(api, &id, held, &payload).await?,
        (Origin::Ours(id), None) => {
            let outputs = [("client_id".to_owned(), json!(id))].into();
            reply(Observed::Partial, outputs, format!("integration {id} {of_type}, its secret was never received"))
        }
        (Origin::Unclear(ids), _) if ids.is_empty() => {
            let detail =
                format!("okta's log says that the step made an integration {of_type}, and its list shows none");
            reply(Observed::Unknown, Values::new(), detail)
        }
        (Origin::Unclear(ids), _) if new.is_empty() => {
            let detail = format!("okta's log says that the step made {}, and its list shows none", ids.join(", "));
            reply(Observed::Unknown, Values::new(), detail)
        }
        (Origin::Unclear(ids), _) => {
            let detail = format!("okta does not tell who made the new integrations {of_type}: {}", ids.join(", "));
            reply(Observed::Unknown, Values::new(), detail)
        }
    })
}

/// An integration whose secret is held is whole, unless there is a second secret, which nobody holds, or the one that is
/// held is none of its: an adoption that was cut off may have removed it, to make room for one that never came.
async fn observe_secrets(
    api: &Api<'_>,
    id: &str,
    held: Handle,
    payload: &ProvisionPayload,
) -> Result<ObserveReply, Error> {
    let whose = format!("integration {id} of type `{}`", payload.type_key);
    let partial = |detail: String| {
        let outputs = [("client_id".to_owned(), json!(id))].into();
        Ok(reply(Observed::Partial, outputs, format!("{whose}{detail}")))
    };
    let secrets: Vec<Secret> = api.list("list the integration's secrets", &secrets_of(id)).await?;
    if secrets.len() > 1 {
        return partial(format!(" has {} secrets", secrets.len()));
    }
    if !is_secret_of(api, id, held.clone(), &payload.scopes).await? {
        return partial(", the secret that is held is not its".to_owned());
    }
    Ok(reply(Observed::Applied, outputs(id, &held), format!("{whose}, its secret is held")))
}

/// Deletes the integration that the step made, and no other.
pub(crate) async fn undo(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let payload: ProvisionPayload = read_payload(params)?;
    let id = made_id(params, &payload)?;
    let integration = Object::Integration(id);
    let mut ask = api.ask(Intent::Mutate, "DELETE", &integration.path());
    ask.idempotent = true;
    let deleted = api.send("delete the integration", ask).await;
    let deleted = integration.deleted(api, deleted).await?;
    // Reading back costs a request; a client that lives on unseen would cost more.
    let left = match deleted {
        Some(_) => integration.read(api).await,
        None => find(api, params, id).await,
    };
    let left: Option<Service> = left.map_err(Error::with_unknown_effect)?;
    if left.is_some() {
        let message = format!("okta still shows the integration {id} after its deletion");
        return Err(Error::new(ErrorKind::Conflict, message).with_unknown_effect());
    }
    let detail = format!("integration {id} is gone");
    let evidence = match deleted {
        Some(answer) => see("deleted", EvidenceResult::Pass, detail, &answer),
        None => note("deleted", EvidenceResult::Pass, format!("{detail}, and was before")),
    };
    Ok(ApplyReply { outputs: Values::new(), evidence: vec![evidence], ..ApplyReply::default() })
}

/// Looks for an integration by its id.
async fn find(api: &Api<'_>, params: &StepParams, id: &str) -> Result<Option<Service>, Error> {
    let integration = Object::Integration(id);
    if is_new(api, params)? { integration.read_new(api).await } else { integration.read(api).await }
}

/// Whether the step was begun just now, both by this machine's clock.
fn is_new(api: &Api<'_>, params: &StepParams) -> Result<bool, Error> {
    let begun = params.attempts.last().and_then(|attempt| attempt.at.parse::<Timestamp>().ok());
    let now = api.host_now()?;
    Ok(begun.is_some_and(|begun| now.duration_since(begun) < NEW))
}

async fn list_new(api: &Api<'_>, payload: &ProvisionPayload) -> Result<Vec<String>, Error> {
    let of_type = list_services(api).await?.into_iter().filter(|service| service.type_key == payload.type_key);
    Ok(of_type.map(|service| service.id).filter(|id| !payload.existing.contains(id)).collect())
}

/// The id that the step made. One that was there before the plan is somebody else's and never touched.
fn made_id<'a>(params: &'a StepParams, payload: &ProvisionPayload) -> Result<&'a str, Error> {
    let id = params.outputs.get("client_id").and_then(Value::as_str);
    let id = id.ok_or_else(|| {
        Error::new(ErrorKind::Internal, format!("step `{}` does not know which integration it made", params.step.id))
            .with_hint("observe the step first")
    })?;
    if payload.existing.iter().any(|existing| existing == id) {
        let message = format!("integration {id} was there before the plan and is not the step's to change");
        return Err(Error::new(ErrorKind::Internal, message));
    }
    Ok(id)
}

fn capture_secret(pointer: &str) -> Capture {
    Capture { pointer: pointer.to_owned(), name: "client_secret".to_owned(), custody: Custody::Durable }
}

fn find_secret(answer: &HttpAnswer, pointer: &str) -> Result<Handle, Error> {
    answer.body.pointer(pointer).and_then(Handle::from_value).ok_or_else(|| {
        Error::new(ErrorKind::Protocol, "the host did not capture the client secret").with_unknown_effect()
    })
}

fn compare_scopes(asked: &[String], granted: &[String], answer: &HttpAnswer) -> Evidence {
    let mut granted = granted.to_vec();
    granted.sort();
    if granted == asked {
        return see("granted-scopes", EvidenceResult::Pass, granted.join(" "), answer);
    }
    let detail = format!("asked for {}, granted {}", asked.join(" "), granted.join(" "));
    see("granted-scopes", EvidenceResult::Fail, detail, answer)
}

fn outputs(id: &str, secret: &Handle) -> Values {
    [("client_id".to_owned(), json!(id)), ("client_secret".to_owned(), secret.to_value())].into()
}

fn reply(state: Observed, outputs: Values, detail: String) -> ObserveReply {
    ObserveReply { state, outputs, detail }
}

/// A secret of an integration; its value is masked in lists and is not decoded at all.
#[derive(Deserialize)]
struct Secret {
    id: String,
    #[serde(default)]
    status: String,
}

impl Secret {
    fn is_inactive(&self) -> bool {
        self.status == "INACTIVE"
    }
}
