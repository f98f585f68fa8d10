//! The part of Cloud Identity Engine's public interface that concerns directories: a token endpoint and four operations.
//! It shows neither the flow of a connection nor its client. It answers `success: true` even for some failures.
//!
//! The source is the published description "CIE Directory Sync Service APIs" of May 2026 (PAN). If it does not say
//! something, a comment marks the choice.

mod cache;
mod query;
pub(crate) mod token;
mod update_secret;

use http::{HeaderValue, StatusCode, header};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::beliefs::Belief;
use crate::clock::shift;
use crate::config::CIE_API_HOST;
use crate::directory::Directory;
use crate::lock::lock;
use crate::message::{Reply, Request};
use crate::state::State;

/// A refusal of the interface.
#[derive(Debug)]
pub(crate) enum Refused {
    /// `{statusCode, error, message}`, as documented for 400.
    Plain(StatusCode, String),
    /// `{success, result: {error: {error-message}}}`, as documented for 404, 421 and 500.
    InResult(StatusCode, String),
}

impl Refused {
    /// 400 and what is wrong with the request.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::Plain(StatusCode::BAD_REQUEST, message.into())
    }

    pub(crate) fn into_reply(self) -> Reply {
        match self {
            Self::Plain(status, message) => {
                let error = status.canonical_reason().unwrap_or_default();
                Reply::json(status, &json!({ "statusCode": status.as_u16(), "error": error, "message": message }))
            }
            Self::InResult(status, message) => {
                let success = !status.is_server_error();
                let result = json!({ "error": { "error-message": message } });
                Reply::json(status, &json!({ "success": success, "result": result }))
            }
        }
    }
}

/// Answers one request to the operations.
pub(crate) fn handle(state: &State, request: &Request) -> Reply {
    dispatch(state, request).unwrap_or_else(Refused::into_reply)
}

/// A general failure of the service, or of something in front of it. No public source has the form of any status but
/// 500.
pub(crate) fn refuse(status: StatusCode) -> Reply {
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => Refused::InResult(status, "Internal Server Error".to_owned()).into_reply(),
        status => Refused::Plain(status, "The request was not carried out.".to_owned()).into_reply(),
    }
}

/// 429. It is an inference that `Retry-After` says how long to wait: no public source has limits for this interface.
pub(crate) fn refuse_for_rate(seconds: u32) -> Reply {
    let mut reply = refuse(StatusCode::TOO_MANY_REQUESTS);
    reply.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    reply
}

/// 200 with an error in it. The description has this for no operation, but its form allows it.
pub(crate) fn fail_in_result() -> Reply {
    Refused::InResult(StatusCode::OK, "The request could not be carried out".to_owned()).into_reply()
}

fn dispatch(state: &State, request: &Request) -> Result<Reply, Refused> {
    let segments = request.segments();
    let operation = match segments.as_slice() {
        ["cie", "directory-sync", "v1", rest @ ..] => rest,
        _ => return Err(Refused::Plain(StatusCode::NOT_FOUND, "There is no such path.".to_owned())),
    };
    let tsg_id = token::authorize(state, request)?;
    match (request.method.as_str(), operation) {
        ("GET", ["domains"]) => Ok(list_domains(state, &tsg_id)),
        ("POST", ["cache-users"]) => cache::list_users(state, &tsg_id, &read_body(request)?),
        ("POST", ["cache-groups"]) => cache::list_groups(state, &tsg_id, &read_body(request)?),
        ("POST", ["connection", "update-secret"]) => update_secret::update(state, &tsg_id, &read_body(request)?),
        (_, ["domains" | "cache-users" | "cache-groups"] | ["connection", "update-secret"]) => {
            Err(Refused::Plain(StatusCode::METHOD_NOT_ALLOWED, "The path has no such method.".to_owned()))
        }
        _ => Err(Refused::Plain(StatusCode::NOT_FOUND, "There is no such path.".to_owned())),
    }
}

/// GET …/domains. Only times that do not change show a failing sync: no public source has a status of failure, and PAN's
/// manual has only statuses of success.
fn list_domains(state: &State, tsg_id: &str) -> Reply {
    let skew = state.skew_of(CIE_API_HOST);
    let all = state.directories.iter().map(lock).filter(|directory| directory.tsg_id == tsg_id);
    let domains: Vec<_> = all.map(|directory| render_domain(state, &directory, skew)).collect();
    Reply::json(StatusCode::OK, &json!({ "success": true, "result": domains }))
}

fn render_domain(state: &State, directory: &Directory, skew: SignedDuration) -> Value {
    let sync = &directory.sync;
    let is_false = state.false_beliefs.takes_effect(Belief::LastSuccessIsASync);
    let last = if is_false { state.clock.now() } else { sync.last_success };
    let last = shift(last, skew).as_second();
    json!({
        "count": {
            "computer": 0,
            "container": 0,
            "group": sync.groups.count(),
            "ou": 0,
            "user": sync.users.count(),
        },
        "domain": directory.name,
        "log": [],
        "netbios": netbios(directory),
        "status": { "description": "cache_applied", "lastSuccessUpdatedOn": last, "statusUpdatedOn": last },
        // No public source has the unit.
        "sync_duration": 1200,
        // The only documented example is "Active Directory". The value for Okta is an inference.
        "type": "Okta",
    })
}

/// The first label of the name, as in the documented examples.
fn netbios(directory: &Directory) -> &str {
    directory.name.split('.').next().unwrap_or_default()
}

/// The body, which must be a JSON object. No public source says how the service answers another body.
fn read_body(request: &Request) -> Result<Value, Refused> {
    if !request.states_length() {
        return Err(Refused::Plain(StatusCode::LENGTH_REQUIRED, "A POST must state its length.".to_owned()));
    }
    if !request.has_content_type("application/json") {
        let message = "The body must be application/json.".to_owned();
        return Err(Refused::Plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let body = serde_json::from_slice::<Value>(&request.body).ok().filter(Value::is_object);
    body.ok_or_else(|| Refused::bad("The body is not a JSON object."))
}
