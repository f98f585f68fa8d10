//! Makes the second secret, or finishes that if the answer was lost. Undo deactivates it.
//!
//! A secret whose answer was lost is lost for good, so flowswap deletes it and makes another. It does so only if the System Log shows that
//! flowswap itself made it: a person may have made one meanwhile, and may have connected the directory with it.

use flowswap_contract::{
    ApplyReply, Error, ErrorKind, Evidence, EvidenceResult, Handle, ObserveReply, Observed, StepParams, Values,
};
use serde_json::{Value, json};

use super::Payload;
use crate::{
    api::{Api, a_day_before, evidence_from},
    origin::is_own,
    prove::is_secret_of,
    secrets::{self, Secret},
    system_log::{Order, search},
};

/// A client secret was made (Okta event types; no source says that it is written for integrations too).
const CREATED: &str = "app.oauth2.credentials.lifecycle.create";

/// The output of `observe` that names a secret whose answer was lost.
const LOST: &str = "lost_secret_id";

/// Makes the secret. Deletes the one that must make room, and one of an earlier attempt that was lost.
pub(crate) async fn apply(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let payload: Payload = params.payload()?;
    let client = &payload.client_id;
    let found = secrets::list(api, client).await?;
    let lost = params.outputs.get(LOST).and_then(Value::as_str);
    let has_left =
        |secret: &&Secret| [Some(payload.replaced.as_str()), payload.drop.as_deref(), lost].contains(&Some(&secret.id));
    if let Some(other) = found.iter().find(|secret| !has_left(secret)) {
        let message =
            format!("the integration {client} has a secret {} that it did not have when the plan was made", other.id);
        return Err(
            Error::new(ErrorKind::Conflict, message).with_hint("find out who made it; then plan the rotation again")
        );
    }
    if !found.iter().any(|secret| secret.id == payload.replaced) {
        let message = format!("the integration {client} no longer has the secret {}", payload.replaced);
        return Err(
            Error::new(ErrorKind::Conflict, message).with_hint("find out who deleted it; then plan the rotation again")
        );
    }
    for secret in found.iter().filter(|secret| secret.id != payload.replaced) {
        secrets::remove(api, client, secret).await.map_err(Error::with_unknown_effect)?;
    }
    let (secret, answer) = secrets::add(api, client).await?;
    let Some(id) = answer.body["id"].as_str() else {
        return Err(Error::new(ErrorKind::Invalid, "okta does not name the new secret").with_unknown_effect());
    };
    let detail = format!("secret {id} of the integration {client}");
    let evidence = vec![evidence_from("created", EvidenceResult::Pass, detail, &answer)];
    Ok(ApplyReply { outputs: outputs(client, &secret, id), evidence, ..ApplyReply::default() })
}

/// Looks for the secret that this step made.
pub(crate) async fn observe(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let payload: Payload = params.payload()?;
    let client = &payload.client_id;
    let known = [Some(payload.replaced.as_str()), payload.drop.as_deref()];
    let found = secrets::list(api, client).await?;
    let mut new = found.into_iter().filter(|secret| !known.contains(&Some(&secret.id)));
    let held = params.outputs.get("client_secret").and_then(Handle::from_value);
    let (new, held) = match (new.next(), held) {
        (None, None) => return reply(Observed::NotApplied, Values::new(), "the integration has no new secret"),
        (None, Some(_)) if params.outputs.contains_key("secret_id") => {
            return reply(Observed::NotApplied, Values::new(), "the new secret is gone");
        }
        (None, Some(_)) => {
            let detail = "flowswap received a new secret, but okta shows none";
            return reply(Observed::Unknown, Values::new(), detail);
        }
        (Some(new), held) => (new, held),
    };
    if new.is_inactive() {
        let is_it = params.outputs.get("secret_id").and_then(Value::as_str) == Some(&new.id);
        let state = if is_it { Observed::NotApplied } else { Observed::Unknown };
        return reply(state, Values::new(), &format!("the new secret {} is inactive", new.id));
    }
    let lost = || [(LOST.to_owned(), json!(new.id))].into();
    match held {
        Some(held) if is_secret_of(api, client, held.clone(), &payload.scopes).await? => {
            let detail = format!("the integration has the new secret {}, and flowswap holds it", new.id);
            reply(Observed::Applied, outputs(client, &held, &new.id), &detail)
        }
        _ if is_made_by(api, client, params).await? => {
            let detail = format!("flowswap made the secret {}, but does not hold it", new.id);
            reply(Observed::Partial, lost(), &detail)
        }
        _ => {
            let detail = format!("okta does not show who made the new secret {}", new.id);
            reply(Observed::Unknown, Values::new(), &detail)
        }
    }
}

/// Whether the log shows that an attempt of this step made a secret.
async fn is_made_by(api: &Api<'_>, client: &str, params: &StepParams) -> Result<bool, Error> {
    let Some(first) = params.attempts.first() else { return Ok(false) };
    let filter = format!("eventType eq \"{CREATED}\" and target.id eq \"{client}\"");
    match search(api, &a_day_before(&first.at)?, &filter, Order::NewestFirst).await {
        Ok((events, _)) => {
            let made = events.iter().filter(|event| event.is(CREATED) && event.concerns(client));
            Ok(made.into_iter().next().is_some_and(|newest| is_own(newest, &params.attempts)))
        }
        Err(error) if error.kind == ErrorKind::Permission => Ok(false),
        Err(error) => Err(error),
    }
}

/// Deactivates the secret. It is not deleted: nothing shows that nobody uses it.
pub(crate) async fn undo(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let payload: Payload = params.payload()?;
    let id = params.outputs.get("secret_id").or(params.outputs.get(LOST)).and_then(Value::as_str).ok_or_else(|| {
        Error::new(ErrorKind::Internal, format!("step `{}` does not know which secret it made", params.step.id))
            .with_hint("observe the step first")
    })?;
    let found = secrets::list(api, &payload.client_id).await?;
    let evidence = match found.iter().find(|secret| secret.id == id) {
        None => Evidence::new("deactivated", EvidenceResult::Pass, format!("secret {id} is already gone")),
        Some(secret) if secret.is_inactive() => {
            Evidence::new("deactivated", EvidenceResult::Pass, format!("secret {id} was already inactive"))
        }
        Some(_) if !found.iter().any(|secret| secret.id == payload.replaced && !secret.is_inactive()) => {
            let message =
                format!("the previous secret {} is not active, so {id} is the only one that works", payload.replaced);
            return Err(Error::new(ErrorKind::Conflict, message)
                .with_hint("find out who changed the previous secret; activate it, or keep the new one"));
        }
        Some(_) => {
            let answer = secrets::deactivate(api, &payload.client_id, id).await?;
            let detail = format!("secret {id} is inactive; it stays until the next rotation drops it");
            evidence_from("deactivated", EvidenceResult::Pass, detail, &answer)
        }
    };
    Ok(ApplyReply { evidence: vec![evidence], ..ApplyReply::default() })
}

fn outputs(client: &str, secret: &Handle, id: &str) -> Values {
    [
        ("client_id".to_owned(), json!(client)),
        ("client_secret".to_owned(), secret.to_value()),
        ("secret_id".to_owned(), json!(id)),
    ]
    .into()
}

#[expect(clippy::unnecessary_wraps, reason = "every caller returns it")]
fn reply(state: Observed, outputs: Values, detail: &str) -> Result<ObserveReply, Error> {
    Ok(ObserveReply { state, outputs, detail: detail.to_owned() })
}
