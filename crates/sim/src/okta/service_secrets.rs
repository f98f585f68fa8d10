//! The client secrets of an API service integration: at most two. Each is shown in clear text once, and masked afterwards.

use http::StatusCode;
use serde_json::{Value, json};

use super::model::{Secret, Status};
use super::refusal::{Answer, Refusal};
use super::services::find;
use super::{Call, logs};
use crate::clock::to_rfc3339;
use crate::message::Reply;

/// Okta management API: an integration has at most two secrets.
const MAX_SECRETS: usize = 2;
/// The subject of the documented refusals, which are those of OIDC apps. It is likely that they apply here too, but no
/// document says so.
const SUBJECT: &str = "OAuth2ClientSecretMediated";

/// GET …/credentials/secrets: all secrets, masked.
pub(crate) fn list(call: &mut Call<'_>, id: &str) -> Answer {
    let (service, base) = (find(call, id)?, call.request.base());
    let secrets: Vec<_> = service.secrets.iter().map(|secret| render(id, secret, &base, false)).collect();
    Ok(Reply::json(StatusCode::OK, &secrets))
}

/// POST …/credentials/secrets: a second secret, active at once, shown in clear text only in this answer.
pub(crate) fn create(call: &mut Call<'_>, id: &str) -> Answer {
    if find(call, id)?.secrets.len() >= MAX_SECRETS {
        return Err(Refusal::invalid(SUBJECT, "You've reached the maximum number of client secrets per client."));
    }
    let secret = Secret::new(&mut call.org.mint, call.now);
    let body = render(id, &secret, &call.request.base(), true);
    if let Some(service) = call.org.service_mut(id) {
        service.secrets.push(secret);
    }
    record(call, "app.oauth2.credentials.lifecycle.create", id);
    Ok(Reply::json(StatusCode::CREATED, &body))
}

/// POST …/{secretId}/lifecycle/activate or deactivate. The only active secret stays active.
pub(crate) fn change_status(call: &mut Call<'_>, id: &str, secret_id: &str, verb: &str) -> Answer {
    let status = find_secret(call, id, secret_id)?.status;
    let wanted = if verb == "activate" { Status::Active } else { Status::Inactive };
    if wanted == Status::Inactive && status == Status::Active && find(call, id)?.active_secrets() == 1 {
        return Err(Refusal::invalid(SUBJECT, "You can't deactivate the only active client secret."));
    }
    let now = call.now;
    if status != wanted {
        let secrets = call.org.service_mut(id).map(|service| service.secrets.as_mut_slice()).unwrap_or_default();
        if let Some(secret) = secrets.iter_mut().find(|secret| secret.id == secret_id) {
            secret.status = wanted;
            secret.last_updated = now;
        }
        record(call, &format!("app.oauth2.credentials.lifecycle.{verb}"), id);
    }
    let body = render(id, find_secret(call, id, secret_id)?, &call.request.base(), false);
    Ok(Reply::json(StatusCode::OK, &body))
}

/// DELETE …/{secretId}: only for an inactive secret.
pub(crate) fn delete(call: &mut Call<'_>, id: &str, secret_id: &str) -> Answer {
    if find_secret(call, id, secret_id)?.status == Status::Active {
        let cause = "You can't delete an active client secret. Deactivate the secret before deleting it.";
        return Err(Refusal::invalid(SUBJECT, cause));
    }
    if let Some(service) = call.org.service_mut(id) {
        service.secrets.retain(|secret| secret.id != secret_id);
    }
    record(call, "app.oauth2.credentials.lifecycle.delete", id);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn find_secret<'a>(call: &'a Call<'_>, id: &str, secret_id: &str) -> Result<&'a Secret, Refusal> {
    let secret = find(call, id)?.secrets.iter().find(|secret| secret.id == secret_id);
    secret.ok_or_else(|| Refusal::not_found(secret_id, "OAuth2ClientSecret"))
}

fn record(call: &mut Call<'_>, event: &str, id: &str) {
    let name = call.org.service(id).map_or("", |service| service.name);
    logs::record(call, event, id, "PublicClientApp", name);
}

fn render(id: &str, secret: &Secret, base: &str, clear: bool) -> Value {
    let own = format!("{base}/integrations/api/v1/api-services/{id}/credentials/secrets/{}", secret.id);
    let post = |verb: &str| json!({ "href": format!("{own}/lifecycle/{verb}"), "hints": { "allow": ["POST"] } });
    let links = match secret.status {
        Status::Active => json!({ "deactivate": post("deactivate") }),
        Status::Inactive => {
            json!({ "activate": post("activate"), "delete": { "href": own, "hints": { "allow": ["DELETE"] } } })
        }
    };
    json!({
        "id": secret.id,
        "status": secret.status.text(),
        "client_secret": if clear { secret.value.clone() } else { secret.masked() },
        "secret_hash": secret.hash(),
        "created": to_rfc3339(secret.created),
        "lastUpdated": to_rfc3339(secret.last_updated),
        "_links": links,
    })
}
