//! How a directory reads from its org: it gets a token and reads. A connection test does the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;

use crate::directory::{Access, Connection, Directory, Flow, SyncStatus};
use crate::encoding::write_pairs;
use crate::message::{Reply, Request};
use crate::okta::Call;
use crate::okta::token::{self, Refresh};
use crate::population::Collected;
use crate::state::State;

/// The user agent of the directories. It identifies their token grants in the System Log.
pub(crate) const USER_AGENT: &str = "PaloAltoNetworks-CIE/1.0";

/// A scope, and a path that requires it.
type Read = (&'static str, &'static str);

/// The scopes and paths that each sync reads. Users and groups come first.
const READS: [Read; 4] = [
    ("okta.users.read", "/api/v1/users"),
    ("okta.groups.read", "/api/v1/groups"),
    ("okta.authorizationServers.read", "/api/v1/authorizationServers"),
    ("okta.logs.read", "/api/v1/logs"),
];
const APPS_READ: Read = ("okta.apps.read", "/api/v1/apps");
/// The scopes that a connection of the authorization-code flow needs at the gateway.
const NEEDED: [&str; 3] = ["okta.users.read", "okta.groups.read", "okta.apps.read"];

/// What a connection may read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readable {
    pub(crate) users: bool,
    pub(crate) groups: bool,
    pub(crate) applications: bool,
}

/// Syncs a directory with its current connection and records the result. A refused sync keeps the last counts, because the
/// collected data stays in use. That is why a broken connection is noticed late.
pub(crate) fn run(state: &State, directory: &mut Directory, now: Timestamp) {
    if directory.paused {
        return;
    }
    directory.sync.attempted = Some(now);
    match collect(state, &directory.domain, &directory.connection, now) {
        Ok(()) => {
            let applications = directory.connection.collect_applications;
            record_success(state, directory, Readable { users: true, groups: true, applications }, now);
        }
        Err(_) => record_failure(directory),
    }
}

/// Records a successful sync: from now on the directory holds what this sync could read.
pub(crate) fn record_success(state: &State, directory: &mut Directory, readable: Readable, now: Timestamp) {
    let found = state.org(&directory.domain).map(|org| (org.population, org.apps.len()));
    let Some((population, apps)) = found else { return };
    let (lost_users, lost_groups) = directory.loses;
    let sync = &mut directory.sync;
    sync.status = SyncStatus::Success;
    sync.last_success = now;
    sync.good += 1;
    let collected = |readable: bool, lost: usize, total: usize| {
        let missing = if readable { lost } else { total };
        Collected::all_but(missing, total)
    };
    sync.users = collected(readable.users, lost_users, population.users);
    // Cloud Identity Engine leaves out Okta's default group "Everyone" (PAN, "Configure Okta Directory").
    sync.groups = collected(readable.groups, lost_groups, population.own_groups());
    sync.applications = if readable.applications { apps } else { 0 };
}

/// Records a failed sync. Nothing else changes.
pub(crate) fn record_failure(directory: &mut Directory) {
    directory.sync.status = SyncStatus::Failed;
    directory.sync.failed += 1;
}

/// Reads everything that the connection must collect. The error says in one line what was refused.
pub(crate) fn collect(state: &State, domain: &str, connection: &Connection, now: Timestamp) -> Result<(), String> {
    let reads = list_reads(connection.collect_applications);
    match connection.flow {
        Flow::AuthorizationCode => {
            let needed: Vec<_> = reads.iter().map(|(scope, _)| *scope).filter(|scope| NEEDED.contains(scope)).collect();
            refresh(state, domain, connection, &needed, &reads, now)?;
            Ok(())
        }
        Flow::ClientCredentials => {
            let token = fetch_token(state, domain, connection, &reads, now)?;
            reads.iter().try_for_each(|(scope, path)| read(state, domain, &token, scope, path, now))
        }
    }
}

/// Finds out what the connection may read. Unlike [`collect`], it accepts less, and fails only without a token. It is an
/// inference that Cloud Identity Engine does the same: its manual has green syncs that lack something.
pub(crate) fn probe(
    state: &State,
    domain: &str,
    connection: &Connection,
    applications: bool,
    now: Timestamp,
) -> Result<Readable, String> {
    let access = authorize(state, domain, connection, applications, now)?;
    Ok(find_readable(state, domain, &access, applications, now))
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

/// Tries every path with the token.
pub(crate) fn find_readable(
    state: &State,
    domain: &str,
    access: &Access,
    applications: bool,
    now: Timestamp,
) -> Readable {
    let reads = list_reads(applications);
    let may = |wanted: &str| match access {
        Access::Scopes(scopes) => scopes.iter().any(|scope| scope == wanted),
        Access::Token(token) => reads
            .iter()
            .find(|(scope, _)| *scope == wanted)
            .is_some_and(|(scope, path)| read(state, domain, token, scope, path, now).is_ok()),
    };
    Readable { users: may(READS[0].0), groups: may(READS[1].0), applications: may(APPS_READ.0) }
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
    let requested: Vec<_> = reads.iter().map(|(scope, _)| *scope).collect();
    let refresh = Refresh {
        client_id: &connection.client_id,
        expired: connection.is_expired(now),
        needed,
        requested: &requested,
    };
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

/// Makes a simulated request of a directory to the token endpoint, for operations that have no HTTP form here.
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
