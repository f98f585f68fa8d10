//! What a directory does with its org: it takes a token and reads. A connection test does the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;

use super::model::{Connection, Directory, Flow, SyncStatus};
use crate::encoding::write_pairs;
use crate::message::{Reply, Request};
use crate::okta::Call;
use crate::okta::token::{self, Refresh};
use crate::population::Held;
use crate::state::State;

/// How the directories name themselves to the orgs; their token grants in the System Log are known by it.
pub(crate) const USER_AGENT: &str = "PaloAltoNetworks-CIE/1.0";

/// A scope, and the path that it opens.
type Read = (&'static str, &'static str);

/// What each collection needs, and where it reads; users and groups come first.
const READS: [Read; 4] = [
    ("okta.users.read", "/api/v1/users"),
    ("okta.groups.read", "/api/v1/groups"),
    ("okta.authorizationServers.read", "/api/v1/authorizationServers"),
    ("okta.logs.read", "/api/v1/logs"),
];
const APPS_READ: Read = ("okta.apps.read", "/api/v1/apps");
/// The scopes without which the gateway calls a connection of the authorization-code flow broken.
const NEEDED: [&str; 3] = ["okta.users.read", "okta.groups.read", "okta.apps.read"];

/// What a connection may read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub(crate) users: bool,
    pub(crate) groups: bool,
    pub(crate) applications: bool,
}

/// What a directory got from its org to read with.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// A service client's token.
    Token(String),
    /// The scopes of a token of the authorization-code flow, which has no value here.
    Scopes(Vec<String>),
}

/// Syncs a directory through its current connection and notes how it went. A refused sync leaves the last counts: what
/// was collected stays in use, which is why a broken connection is seen late.
pub(crate) fn run(state: &State, directory: &mut Directory, now: Timestamp) {
    if directory.paused {
        return;
    }
    directory.sync.attempted = Some(now);
    match collect(state, &directory.domain, &directory.connection, now) {
        Ok(()) => {
            let applications = directory.connection.collect_applications;
            take_over(state, directory, Reach { users: true, groups: true, applications }, now);
        }
        Err(_) => fail(directory),
    }
}

/// Notes what a sync could read as what the directory holds from now on.
pub(crate) fn take_over(state: &State, directory: &mut Directory, reach: Reach, now: Timestamp) {
    let found = state.org(&directory.domain).map(|org| (org.population, org.apps.len()));
    let Some((population, apps)) = found else { return };
    let ((lost_users, lost_groups), sync) = (directory.loses, &mut directory.sync);
    let held = |readable: bool, lost: usize, of: usize| Held::all_but(if readable { lost } else { of }, of);
    (sync.status, sync.last_success, sync.good) = (SyncStatus::Success, now, sync.good + 1);
    sync.users = held(reach.users, lost_users, population.users);
    // Cloud Identity Engine leaves out Okta's default group "Everyone" (PAN, "Configure Okta Directory").
    sync.groups = held(reach.groups, lost_groups, population.own_groups());
    sync.applications = if reach.applications { apps } else { 0 };
}

/// Notes that a sync failed; everything else stays as it was.
pub(crate) fn fail(directory: &mut Directory) {
    directory.sync.status = SyncStatus::Failed;
    directory.sync.failed += 1;
}

/// Reads everything the connection is to collect; the error says in one line what was refused.
pub(crate) fn collect(state: &State, domain: &str, connection: &Connection, now: Timestamp) -> Result<(), String> {
    let reads = list_reads(connection.collect_applications);
    match connection.flow {
        Flow::AuthorizationCode => {
            let needed: Vec<_> = reads.iter().map(|(scope, _)| *scope).filter(|scope| NEEDED.contains(scope)).collect();
            refresh(state, domain, connection, &needed, &reads, now).map(drop)
        }
        Flow::ClientCredentials => {
            let token = fetch_token(state, domain, connection, &reads, now)?;
            reads.iter().try_for_each(|(scope, path)| read(state, domain, &token, scope, path, now))
        }
    }
}

/// Finds out what the connection may read. Other than [`collect`] it takes what it gets, and fails only without a token.
/// That Cloud Identity Engine does so too is an inference: its manual has syncs that are green and lack something.
pub(crate) fn probe(
    state: &State,
    domain: &str,
    connection: &Connection,
    applications: bool,
    now: Timestamp,
) -> Result<Reach, String> {
    let access = authorize(state, domain, connection, applications, now)?;
    Ok(find_reach(state, domain, &access, applications, now))
}

/// Gets a token.
pub(crate) fn authorize(
    state: &State,
    domain: &str,
    connection: &Connection,
    applications: bool,
    now: Timestamp,
) -> Result<Access, String> {
    let reads = list_reads(applications);
    match connection.flow {
        Flow::AuthorizationCode => refresh(state, domain, connection, &[], &reads, now).map(Access::Scopes),
        Flow::ClientCredentials => fetch_token(state, domain, connection, &reads, now).map(Access::Token),
    }
}

/// Tries what the token may read.
pub(crate) fn find_reach(state: &State, domain: &str, access: &Access, applications: bool, now: Timestamp) -> Reach {
    let reads = list_reads(applications);
    let may = |wanted: &str| match access {
        Access::Scopes(scopes) => scopes.iter().any(|scope| scope == wanted),
        Access::Token(token) => reads
            .iter()
            .find(|(scope, _)| *scope == wanted)
            .is_some_and(|(scope, path)| read(state, domain, token, scope, path, now).is_ok()),
    };
    Reach { users: may(READS[0].0), groups: may(READS[1].0), applications: may(APPS_READ.0) }
}

fn list_reads(applications: bool) -> Vec<Read> {
    READS.into_iter().chain(applications.then_some(APPS_READ)).collect()
}

fn refresh(
    state: &State,
    domain: &str,
    connection: &Connection,
    needed: &[&str],
    reads: &[Read],
    now: Timestamp,
) -> Result<Vec<String>, String> {
    let asked: Vec<_> = reads.iter().map(|(scope, _)| *scope).collect();
    let refresh =
        Refresh { client_id: &connection.client_id, expired: connection.is_expired(now), needed, asked: &asked };
    at_token_endpoint(state, domain, now, |call| token::refresh(call, &refresh))
}

/// A person signs in for a client of the authorization-code flow.
pub(crate) fn sign_in(
    state: &State,
    domain: &str,
    client_id: &str,
    secret: &str,
    now: Timestamp,
) -> Result<(), String> {
    at_token_endpoint(state, domain, now, |call| token::sign_in(call, client_id, secret))
}

/// Does what has no request of its own here as a directory's request to the token endpoint.
fn at_token_endpoint<T>(
    state: &State,
    domain: &str,
    now: Timestamp,
    work: impl FnOnce(&mut Call<'_>) -> Result<T, String>,
) -> Result<T, String> {
    let request = make_request(domain, Method::POST, "/oauth2/v1/token", HeaderMap::new(), Bytes::new());
    let mut org = state.org(domain).ok_or("the domain does not answer")?;
    work(&mut Call::new(&mut org, &request, now))
}

fn fetch_token(
    state: &State,
    domain: &str,
    connection: &Connection,
    reads: &[Read],
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
