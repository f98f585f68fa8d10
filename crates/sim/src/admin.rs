//! The simulator's own interface, on its own virtual host: shows the world, adds faults, and changes objects.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::faults::Fault;
use crate::gateway::{Refused, schedule};
use crate::lock::lock;
use crate::message::{Reply, Request};
use crate::mutation::{self, Mutation};
use crate::state::State;
use crate::world::{snapshot, view};

/// The body of POST /faults: one fault or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum FaultsBody {
    Many(Vec<Fault>),
    One(Fault),
}

/// Answers one request.
pub(crate) fn handle(state: &State, request: &Request) -> Reply {
    dispatch(state, request).unwrap_or_else(Refused::into_reply)
}

fn dispatch(state: &State, request: &Request) -> Result<Reply, Refused> {
    if request.credential("Bearer") != Some(state.admin_token.as_str()) {
        return Err(Refused::new(StatusCode::UNAUTHORIZED, "unauthorized", "the admin token is missing or wrong"));
    }
    schedule::catch_up(state);
    let faults = || Reply::json(StatusCode::OK, &json!({ "faults": lock(&state.faults).report() }));
    match (&request.method, request.path.as_str()) {
        (&Method::GET, "/world") => Ok(Reply::json(StatusCode::OK, &view::show(state))),
        (&Method::GET, "/snapshot") => Ok(Reply::json(StatusCode::OK, &snapshot::take(state))),
        (&Method::GET, "/faults") => Ok(faults()),
        (&Method::POST, "/faults") => {
            let added = match read_body(request)? {
                FaultsBody::Many(faults) => faults,
                FaultsBody::One(fault) => vec![fault],
            };
            for fault in added {
                lock(&state.faults).add(fault);
            }
            Ok(faults())
        }
        (&Method::DELETE, "/faults") => {
            lock(&state.faults).clear();
            Ok(faults())
        }
        (&Method::POST, "/mutate") => {
            let mutation: Mutation = read_body(request)?;
            let id = mutation::apply(state, mutation)
                .map_err(|reason| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", reason))?;
            Ok(Reply::json(StatusCode::OK, &json!({ "ok": true, "id": id })))
        }
        _ => Err(Refused::new(StatusCode::NOT_FOUND, "not_found", "there is no such path or method")),
    }
}

fn read_body<T: DeserializeOwned>(request: &Request) -> Result<T, Refused> {
    serde_json::from_slice(&request.body).map_err(|error| {
        Refused::new(StatusCode::BAD_REQUEST, "bad_request", format!("the body cannot be read: {error}"))
    })
}
