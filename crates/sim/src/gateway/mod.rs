//! The automation gateway in front of the directories. It is a JSON interface that an owner may put before the console,
//! because Cloud Identity Engine has no public operation that switches the flow of a connection.

mod connection;
pub(crate) mod schedule;
pub(crate) mod sync;

use http::{Method, StatusCode};
use serde_json::json;

use crate::config::GATEWAY_HOST;
use crate::lock::lock;
use crate::message::{Reply, Request};
use crate::state::State;

/// A refusal of the gateway.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(crate) fn into_reply(self) -> Reply {
        Reply::json(self.status, &json!({ "error": { "code": self.code, "message": self.message } }))
    }
}

/// Answers one request.
pub(crate) fn handle(state: &State, request: &Request) -> Reply {
    dispatch(state, request).unwrap_or_else(Refused::into_reply)
}

fn dispatch(state: &State, request: &Request) -> Result<Reply, Refused> {
    if request.credential("Bearer") != Some(state.gateway_token.as_str()) {
        return Err(Refused::new(StatusCode::UNAUTHORIZED, "unauthorized", "the gateway token is missing or wrong"));
    }
    let (segments, method) = (request.segments(), &request.method);
    let known = matches!(
        segments.as_slice(),
        ["v1", "directories"]
            | ["v1", "directories", _]
            | ["v1", "directories", _, "status" | "test-connection" | "reconnect" | "restore"]
    );
    if !known {
        return Err(Refused::new(StatusCode::NOT_FOUND, "not_found", "there is no such path"));
    }
    if *method == Method::POST && !request.states_length() {
        return Err(Refused::new(StatusCode::LENGTH_REQUIRED, "length_required", "a POST must state its length"));
    }
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["v1", "directories"]) => list(state, request),
        ("GET", ["v1", "directories", id]) => show(state, id),
        ("GET", ["v1", "directories", id, "status"]) => show_status(state, id),
        ("POST", ["v1", "directories", id, "test-connection"]) => connection::test(state, id, request),
        ("POST", ["v1", "directories", id, "reconnect"]) => connection::reconnect(state, id, request),
        ("POST", ["v1", "directories", id, "restore"]) => connection::restore(state, id, request),
        _ => Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the path has no such method")),
    }
}

/// GET /v1/directories: a quarter of the directories per page, so that small and large fleets have several pages.
fn list(state: &State, request: &Request) -> Result<Reply, Refused> {
    let start = match request.parameter("cursor") {
        None => 0,
        Some(cursor) => cursor
            .strip_prefix("at-")
            .and_then(|position| position.parse::<usize>().ok())
            .filter(|position| *position <= state.directories.len())
            .ok_or_else(|| Refused::new(StatusCode::BAD_REQUEST, "bad_request", "the cursor is unknown"))?,
    };
    let size = (state.directories.len() / 4).clamp(state.config.page_size.max(1), 100.max(state.config.page_size));
    let end = start.saturating_add(size).min(state.directories.len());
    let page = state.directories.get(start..end).unwrap_or_default();
    let skew = state.skew_of(GATEWAY_HOST);
    let directories: Vec<_> = page.iter().map(|directory| lock(directory).render(skew)).collect();
    let next = (end < state.directories.len()).then(|| format!("at-{end}"));
    Ok(Reply::json(StatusCode::OK, &json!({ "directories": directories, "next": next })))
}

fn show(state: &State, id: &str) -> Result<Reply, Refused> {
    let directory = state.directory(id).ok_or_else(|| no_directory(id))?;
    Ok(Reply::json(StatusCode::OK, &directory.render(state.skew_of(GATEWAY_HOST))))
}

/// GET /v1/directories/{id}/status. First makes a sync if one is due.
fn show_status(state: &State, id: &str) -> Result<Reply, Refused> {
    let mut directory = state.directory(id).ok_or_else(|| no_directory(id))?;
    let now = state.clock.now();
    let interval = jiff::SignedDuration::try_from(state.config.sync_interval).unwrap_or(jiff::SignedDuration::MAX);
    if directory.sync.attempted.is_none_or(|attempted| now.duration_since(attempted) >= interval) {
        sync::run(state, &mut directory, now);
    }
    let body = json!({
        "flow": directory.shown().flow,
        "client_id": directory.shown().client_id,
        "sync": directory.render_sync(state.skew_of(GATEWAY_HOST)),
    });
    Ok(Reply::json(StatusCode::OK, &body))
}

pub(crate) fn no_directory(id: &str) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "not_found", format!("there is no directory {id}"))
}
