//! What a directory does with its org: it takes a token and reads. A connection test does the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;

use super::model::{Connection, Directory, Flow, SyncStatus};
use crate::encoding::write_pairs;
use crate::message::{Reply, Request};
use crate::okta::{self, Call};
use crate::state::State;

/// How the directories name themselves to the orgs; their token grants in the System Log are known by it.
pub(crate) const USER_AGENT: &str = "PaloAltoNetworks-CIE/1.0";

/// What each collection needs, and where it reads.
const READS: [(&str, &str); 4] = [
    ("okta.users.read", "/api/v1/users"),
    ("okta.groups.read", "/api/v1/groups"),
    ("okta.authorizationServers.read", "/api/v1/authorizationServers"),
    ("okta.logs.read", "/api/v1/logs"),
];
const APPS_READ: (&str, &str) = ("okta.apps.read", "/api/v1/apps");

/// Syncs a directory through its current connection and notes how it went. A refused sync leaves the last counts: what
/// was collected stays in use, which is why a broken connection is seen late.
pub(crate) fn run(state: &State, directory: &mut Directory, now: Timestamp) {
    directory.sync.attempted = Some(now);
    match collect(state, &directory.domain, &directory.connection, now) {
        Ok(()) => {
            let counts = state.org(&directory.domain).map(|org| (org.users, org.groups, org.apps.len()));
            let (users, groups, apps) = counts.unwrap_or_default();
            let sync = &mut directory.sync;
            (sync.status, sync.last_success, sync.users) = (SyncStatus::Success, now, users);
            // Cloud Identity Engine leaves out Okta's default group "Everyone" (PAN, "Configure Okta Directory").
            sync.groups = groups.saturating_sub(1);
            sync.applications = if directory.connection.collect_applications { apps } else { 0 };
        }
        Err(_) => directory.sync.status = SyncStatus::Failed,
    }
}

/// Reads everything the connection is to collect; the error says in one line what was refused.
pub(crate) fn collect(state: &State, domain: &str, connection: &Connection, now: Timestamp) -> Result<(), String> {
    let apps = connection.collect_applications.then_some(APPS_READ);
    match connection.flow {
        Flow::AuthorizationCode => {
            let request = make_request(domain, Method::POST, "/oauth2/v1/token", HeaderMap::new(), Bytes::new());
            let mut org = state.org(domain).ok_or("the domain does not answer")?;
            let request_id = org.noise.id("req");
            let needed: Vec<_> = READS[..2].iter().copied().chain(apps).map(|(scope, _)| scope).collect();
            let mut call = Call { org: &mut org, request: &request, now, request_id };
            okta::token::refresh(&mut call, &connection.client_id, &needed)
        }
        Flow::ClientCredentials => {
            let reads: Vec<_> = READS.into_iter().chain(apps).collect();
            let token = fetch_token(state, domain, connection, &reads, now)?;
            reads.iter().try_for_each(|(scope, path)| read(state, domain, &token, scope, path, now))
        }
    }
}

fn fetch_token(
    state: &State,
    domain: &str,
    connection: &Connection,
    reads: &[(&str, &str)],
    now: Timestamp,
) -> Result<String, String> {
    let scopes: Vec<_> = reads.iter().map(|(scope, _)| *scope).collect();
    let body = write_pairs([("grant_type", "client_credentials"), ("scope", &scopes.join(" "))]);
    let pair = STANDARD.encode(format!("{}:{}", connection.client_id, connection.client_secret));
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    insert(&mut headers, header::CONTENT_LENGTH, &body.len().to_string());
    insert(&mut headers, header::AUTHORIZATION, &format!("Basic {pair}"));
    let request = make_request(domain, Method::POST, "/oauth2/v1/token", headers, body.into());
    let reply = state.ask_org(&request, now).ok_or("the domain does not answer")?;
    let value = reply.value();
    match value["access_token"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => Err(format!("the token request was refused: {}", explain(&reply))),
    }
}

fn read(state: &State, domain: &str, token: &str, scope: &str, path: &str, now: Timestamp) -> Result<(), String> {
    let mut headers = HeaderMap::new();
    insert(&mut headers, header::AUTHORIZATION, &format!("Bearer {token}"));
    let mut request = make_request(domain, Method::GET, path, headers, Bytes::new());
    request.query = "limit=1".to_owned();
    let reply = state.ask_org(&request, now).ok_or("the domain does not answer")?;
    let no_feature = reply.status == StatusCode::UNAUTHORIZED && reply.value()["errorCode"] == "E0000015";
    if reply.status.is_success() || no_feature {
        Ok(())
    } else {
        Err(format!("reading {path} with {scope} was refused: {}", explain(&reply)))
    }
}

fn explain(reply: &Reply) -> String {
    let value = reply.value();
    let code = [&value["error"], &value["errorCode"]].into_iter().find_map(|code| code.as_str());
    format!("{} {}", reply.status.as_u16(), code.unwrap_or("insufficient_scope"))
}

fn make_request(domain: &str, method: Method, path: &str, mut headers: HeaderMap, body: Bytes) -> Request {
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let (authority, path) = (domain.to_owned(), path.to_owned());
    Request { authority, method, path, query: String::new(), headers, body }
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
