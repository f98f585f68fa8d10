//! Tests, submits, and restores a connection with the rules of the console's Reconnect dialog.

use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Refused, no_directory, sync};
use crate::beliefs::Belief;
use crate::config::GATEWAY_HOST;
use crate::directory::{Connection, Directory, Flow, Receipt, digest_credentials, is_directory_name};
use crate::message::{Reply, Request};
use crate::state::State;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    flow: Flow,
    domain: String,
    client_id: String,
    client_secret: String,
    /// The value that the submit will send. The default is the current value of the directory.
    collect_applications: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submit {
    receipt: String,
    flow: Flow,
    domain: String,
    client_id: String,
    client_secret: String,
    collect_applications: Option<bool>,
    name: Option<String>,
}

/// POST …/test-connection: really gets a token and reads, and returns a receipt if everything worked.
pub(crate) fn test(state: &State, id: &str, request: &Request) -> Result<Reply, Refused> {
    let test: Test = read_body(request)?;
    let mut directory = state.directory(id).ok_or_else(|| no_directory(id))?;
    check_flow(test.flow)?;
    check_domain(&directory, &test.domain)?;
    if !test.client_id.starts_with('0') {
        // PAN, "Deploy Auth Code for Okta Directory": "The Client ID must begin with 0."
        return Ok(Reply::json(
            StatusCode::OK,
            &json!({ "result": "failed", "reason": "the client id must begin with 0" }),
        ));
    }
    let with_applications = test.collect_applications.unwrap_or(directory.connection.collect_applications);
    let credentials = digest_credentials(&test.client_id, &test.client_secret);
    let connection = Connection {
        flow: test.flow,
        client_id: test.client_id,
        client_secret: test.client_secret,
        collect_applications: with_applications,
        auth_logs: directory.connection.auth_logs,
        last_sign_in: None,
    };
    let collected = if state.false_beliefs.takes_effect(Belief::TestGetsAToken) {
        Ok(())
    } else {
        sync::collect(state, &directory.domain, &connection, state.clock.now())
    };
    let body = match collected {
        Err(reason) => json!({ "result": "failed", "reason": reason }),
        Ok(()) => {
            let value = directory.mint.token("rcp_");
            let receipt = Receipt { value: value.clone(), credentials, with_applications, used: false };
            directory.receipts.push(receipt);
            json!({ "result": "success", "receipt": value })
        }
    };
    Ok(Reply::json(StatusCode::OK, &body))
}

/// POST …/reconnect: submits the tested connection. The domain and the directory stay the same.
pub(crate) fn reconnect(state: &State, id: &str, request: &Request) -> Result<Reply, Refused> {
    let submit: Submit = read_body(request)?;
    let mut directory = state.directory(id).ok_or_else(|| no_directory(id))?;
    check_flow(submit.flow)?;
    check_domain(&directory, &submit.domain)?;
    let name = submit.name.unwrap_or_else(|| directory.name.clone());
    check_name(&name)?;
    let collect_applications = submit.collect_applications.unwrap_or(directory.connection.collect_applications);
    let credentials = digest_credentials(&submit.client_id, &submit.client_secret);
    let receipt = directory.receipts.iter_mut().find(|receipt| receipt.value == submit.receipt);
    match receipt {
        Some(receipt) if receipt.used => return Err(conflict("the receipt was already used")),
        Some(receipt) if receipt.credentials != credentials => {
            return Err(conflict("the receipt is for other credentials: test these credentials first"));
        }
        Some(receipt) if collect_applications && !receipt.with_applications => {
            return Err(conflict("the test did not read applications: test with collect_applications first"));
        }
        Some(receipt) => receipt.used = true,
        None => return Err(conflict("the receipt is unknown: test the connection before you submit it")),
    }
    let new = Connection {
        flow: submit.flow,
        client_id: submit.client_id,
        client_secret: submit.client_secret,
        collect_applications,
        auth_logs: directory.connection.auth_logs,
        last_sign_in: None,
    };
    if state.false_beliefs.takes_effect(Belief::SubmitSubmits) {
        let mut answer = directory.render(state.skew_of(GATEWAY_HOST));
        answer["connection"]["flow"] = json!(new.flow);
        answer["connection"]["client_id"] = json!(new.client_id);
        return Ok(Reply::json(StatusCode::OK, &answer));
    }
    if state.false_beliefs.takes_effect(Belief::SubmitIsWhatRuns) {
        directory.shown = Some(new);
        return Ok(Reply::json(StatusCode::OK, &directory.render(state.skew_of(GATEWAY_HOST))));
    }
    let renamed = state.false_beliefs.takes_effect(Belief::NameStays).then(|| "renamed".to_owned());
    directory.submit(new, renamed.unwrap_or(name));
    directory.shown = None;
    if state.false_beliefs.takes_effect(Belief::SyncsLoseNothing) {
        directory.loses = (1, 1);
    }
    sync::run(state, &mut directory, state.clock.now());
    Ok(Reply::json(StatusCode::OK, &directory.render(state.skew_of(GATEWAY_HOST))))
}

/// POST …/restore: restores the previous connection. The simulated gateway kept the refresh token, so nobody must sign
/// in. It works as long as the legacy client does.
pub(crate) fn restore(state: &State, id: &str, request: &Request) -> Result<Reply, Refused> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RestoreBody {}
    let RestoreBody {} = read_body(request)?;
    let mut directory = state.directory(id).ok_or_else(|| no_directory(id))?;
    if state.false_beliefs.takes_effect(Belief::RestoreRestores) {
        return Ok(Reply::json(StatusCode::OK, &directory.render(state.skew_of(GATEWAY_HOST))));
    }
    // If the shown connection never ran, show the real connection again.
    if directory.shown.take().is_some() {
        return Ok(Reply::json(StatusCode::OK, &directory.render(state.skew_of(GATEWAY_HOST))));
    }
    let previous = directory.previous.clone().ok_or_else(|| conflict("there is no earlier connection to restore"))?;
    let now = state.clock.now();
    if previous.flow == Flow::AuthorizationCode
        && let Err(reason) = sync::collect(state, &directory.domain, &previous, now)
    {
        return Err(conflict(&format!("the earlier connection no longer works: {reason}")));
    }
    if state.false_beliefs.takes_effect(Belief::RestoreIsWhatRuns) {
        directory.shown = Some(previous);
        return Ok(Reply::json(StatusCode::OK, &directory.render(state.skew_of(GATEWAY_HOST))));
    }
    directory.connection = previous;
    directory.previous = None;
    directory.receipts.clear();
    sync::run(state, &mut directory, now);
    Ok(Reply::json(StatusCode::OK, &directory.render(state.skew_of(GATEWAY_HOST))))
}

fn read_body<T: DeserializeOwned>(request: &Request) -> Result<T, Refused> {
    if !request.has_content_type("application/json") {
        let text = "the body must be application/json";
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", text));
    }
    serde_json::from_slice(&request.body).map_err(|error| {
        Refused::new(StatusCode::BAD_REQUEST, "bad_request", format!("the body cannot be read: {error}"))
    })
}

fn check_flow(flow: Flow) -> Result<(), Refused> {
    match flow {
        Flow::ClientCredentials => Ok(()),
        Flow::AuthorizationCode => Err(unprocessable("the authorization-code flow needs a person to sign in")),
    }
}

/// PAN, "Reconnect Okta Directory": "You cannot change the Domain."
fn check_domain(directory: &Directory, domain: &str) -> Result<(), Refused> {
    if domain.contains("://") || domain.contains('/') {
        return Err(unprocessable("the domain must have no scheme and no path"));
    }
    if domain != directory.domain {
        return Err(unprocessable("the domain of a directory cannot be changed"));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Refused> {
    if !is_directory_name(name) {
        return Err(unprocessable(
            "the directory name must have at most 15 lower-case letters, digits, hyphens, periods, or underscores",
        ));
    }
    Ok(())
}

fn unprocessable(message: &str) -> Refused {
    Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
}

fn conflict(message: &str) -> Refused {
    Refused::new(StatusCode::CONFLICT, "conflict", message)
}
