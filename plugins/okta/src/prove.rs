//! Proves the new credentials against Okta: gets a token, compares its scopes, and makes one read with each scope. Then two things
//! that must not work: a token for a wrong secret, and a read without its scope. A server that permits everything proves nothing.
//!
//! Service clients authenticate by `client_secret_basic` at the org authorization server; `client_secret_post` is
//! refused, and a request for any `.self` scope fails as a whole (Okta OAuth 2.0 error codes).

use std::collections::BTreeSet;

use flowswap_contract::{
    Auth, Body, Capture, Custody, Error, Evidence, EvidenceResult, Handle, HttpAnswer, HttpAsk, Intent, StepParams,
    sdk::join_all,
};
use serde_json::json;

use crate::{
    api::{Api, evidence_from},
    plan::ProvePayload,
    refusal::{self, error_code},
};

pub(crate) const TOKEN: &str = "/oauth2/v1/token";

/// The longest token lifetime that the later checks allow for.
const MAX_LIFETIME_SECS: u64 = 3600;

/// The client is unknown, or the secret is not the client's (RFC 6749 §5.2).
const INVALID_CLIENT: &str = "invalid_client";

/// A new client may not be usable at once; no source says how long that takes.
const PAUSES_MS: [u32; 4] = [500, 1000, 2000, 4000];

/// Collects all evidence that it can get.
pub(crate) async fn prove(api: &Api<'_>, params: &StepParams) -> Result<Vec<Evidence>, Error> {
    let payload: ProvePayload = params.payload()?;
    let client = client_of(params)?;
    let requested = requestable(&payload.scopes);
    let ask = token_ask(api, client.clone(), &requested);
    let (answer, waited) = await_token(api, &ask).await?;
    let (token, mut seen) = find_bearer(&ask, &answer);
    if waited > 0 {
        seen.detail += &format!(", {:.1} s after the first request", f64::from(waited) / 1000.0);
    }
    let mut evidence = vec![seen];
    let own: Vec<&str> = payload.scopes.iter().map(String::as_str).filter(|scope| is_own(scope)).collect();
    evidence.extend(answer.is_success().then(|| compare_scopes(&requested, &own, &answer)));
    let Some(token) = token else { return Ok(evidence) };
    let reads = READS.iter().filter(|read| payload.app_data || !read.only_with_app_data);
    for read in join_all(reads.map(|read| try_read(api, &token, read))).await {
        evidence.push(read?);
    }
    evidence.extend(try_without_scope(api, client, &requested).await?);
    evidence.push(try_wrong_secret(api, params.input("client_id")?).await?);
    Ok(evidence)
}

/// The new client.
pub(crate) fn client_of(params: &StepParams) -> Result<Auth, Error> {
    Ok(Auth::Basic { username: params.input("client_id")?.to_owned(), password: params.secret_input("client_secret")? })
}

/// A read with a token that lacks its scope must be refused. `None` if the client has too few scopes to try that.
async fn try_without_scope(api: &Api<'_>, client: Auth, requested: &BTreeSet<&str>) -> Result<Option<Evidence>, Error> {
    const CHECK: &str = "scope-enforced";
    let mut tried = [USERS, GROUPS, LOGS].into_iter().filter(|read| requested.contains(read.scope));
    let (Some(Read { scope: held, .. }), Some(refused)) = (tried.next(), tried.next()) else { return Ok(None) };
    let ask = token_ask(api, client, &BTreeSet::from([held]));
    let answer = request_token(api, &ask).await?;
    let (Some(token), _) = find_bearer(&ask, &answer) else {
        let detail = format!("okta issues no token for {held} alone, so flowswap cannot see what it refuses");
        return Ok(Some(evidence_from(CHECK, EvidenceResult::Fail, detail, &answer)));
    };
    let auth = Auth::Token { scheme: "Bearer".to_owned(), token };
    let ask = api.ask_as(auth, Intent::Read, "GET", refused.path).keeping(&["/*/id"]);
    let answer = api.http(ask.clone()).await?;
    let needed = refused.scope;
    if answer.is_success() {
        let detail = format!(
            "a token for {held} alone may do what needs {needed}: what answers in place of okta does not check scopes"
        );
        return Ok(Some(evidence_from(CHECK, EvidenceResult::Fail, detail, &answer)));
    }
    if !is_verdict(&ask, &answer) {
        return Err(refusal::explain("read without the scope", &ask, &answer));
    }
    let detail = format!("a token for {held} alone is refused what needs {needed}: {}", answer.status);
    Ok(Some(evidence_from(CHECK, EvidenceResult::Pass, detail, &answer)))
}

/// A token request with a wrong secret must be refused. The right one worked just before, so the client is known.
async fn try_wrong_secret(api: &Api<'_>, client_id: &str) -> Result<Evidence, Error> {
    const CHECK: &str = "wrong-secret";
    let client = Auth::WrongSecret { username: client_id.to_owned() };
    let ask = token_ask(api, client, &BTreeSet::from(["okta.users.read"]));
    let answer = api.http(ask.clone()).await?;
    if answer.is_success() {
        let detail = "a wrong secret gets a token: what answers in place of okta does not check secrets";
        return Ok(evidence_from(CHECK, EvidenceResult::Fail, detail, &answer));
    }
    match error_code(&answer) {
        Some(INVALID_CLIENT) if is_verdict(&ask, &answer) => {
            Ok(evidence_from(CHECK, EvidenceResult::Pass, "a wrong secret gets no token", &answer))
        }
        _ => Err(refusal::explain("check a wrong secret", &ask, &answer)),
    }
}

/// Requests a token with these scopes. Returns the token, if Okta issues one, and the evidence.
pub(crate) async fn get_token(
    api: &Api<'_>,
    client: Auth,
    scopes: &[&str],
) -> Result<(Option<Handle>, Evidence), Error> {
    let ask = token_ask(api, client, &scopes.iter().copied().collect());
    Ok(find_bearer(&ask, &request_token(api, &ask).await?))
}

fn find_bearer(ask: &HttpAsk, answer: &HttpAnswer) -> (Option<Handle>, Evidence) {
    let evidence = |result, detail: String| evidence_from("token", result, detail, answer);
    if !answer.is_success() {
        return (None, evidence(EvidenceResult::Fail, refusal::explain("issue a token", ask, answer).message));
    }
    let token_type = answer.body["token_type"].as_str().unwrap_or_default();
    let token = answer.body.pointer("/access_token").and_then(Handle::from_value);
    // A directory that sends bearer tokens cannot use a DPoP-bound one (RFC 9449).
    let token = token.filter(|_| token_type.eq_ignore_ascii_case("bearer"));
    let (result, detail) = match token {
        Some(_) => check_lifetime(answer),
        None => (EvidenceResult::Fail, format!("the token's type is `{token_type}`, not Bearer")),
    };
    (token, evidence(result, detail))
}

/// Whether Okta accepts the secret as the client's. The secret store may hold one that has been removed since.
pub(crate) async fn is_secret_of(api: &Api<'_>, id: &str, secret: Handle, scopes: &[String]) -> Result<bool, Error> {
    let ask = token_ask(api, Auth::Basic { username: id.to_owned(), password: secret }, &requestable(scopes));
    let answer = request_token(api, &ask).await?;
    match error_code(&answer) {
        _ if answer.is_success() => Ok(true),
        // Okta checks the scopes only after it has authenticated the client.
        Some("invalid_scope") => Ok(true),
        Some(INVALID_CLIENT) => Ok(false),
        // Any other answer says nothing about the secret. Replacing a secret that is in use would disconnect the directory.
        _ => Err(refusal::explain("check the secret that flowswap holds", &ask, &answer)),
    }
}

/// The scopes that a service client may request, sorted, so that the request is the same every time.
fn requestable(scopes: &[String]) -> BTreeSet<&str> {
    scopes.iter().map(String::as_str).filter(|scope| !is_own(scope)).collect()
}

/// Whether no service client can request the scope.
fn is_own(scope: &str) -> bool {
    scope.ends_with(".self")
}

fn token_ask(api: &Api<'_>, client: Auth, scopes: &BTreeSet<&str>) -> HttpAsk {
    let scope = scopes.iter().copied().collect::<Vec<_>>().join(" ");
    let mut ask = api.ask_as(client, Intent::Authenticate, "POST", TOKEN);
    ask.body = Some(Body::Form(vec![
        ("grant_type".to_owned(), json!("client_credentials")),
        ("scope".to_owned(), json!(scope)),
    ]));
    let name = "access_token".to_owned();
    ask.capture = vec![Capture { pointer: "/access_token".to_owned(), name, custody: Custody::Session }];
    ask
}

/// Requests a token until an answer says something about the credentials.
async fn request_token(api: &Api<'_>, ask: &HttpAsk) -> Result<HttpAnswer, Error> {
    await_token(api, ask).await.map(|(answer, _)| answer)
}

/// The same, and for how many milliseconds it waited until the client was usable.
async fn await_token(api: &Api<'_>, ask: &HttpAsk) -> Result<(HttpAnswer, u32), Error> {
    let mut pauses = PAUSES_MS.into_iter();
    let mut waited = 0;
    loop {
        let answer = api.http(ask.clone()).await?;
        let is_too_early = answer.status == 401 && error_code(&answer) == Some(INVALID_CLIENT);
        match pauses.next() {
            Some(ms) if is_too_early => {
                api.host.progress("waiting for the new client to become usable");
                api.host.sleep(ms.into()).await?;
                waited += ms;
            }
            _ if is_verdict(ask, &answer) => return Ok((answer, waited)),
            _ => return Err(refusal::explain("issue a token", ask, &answer)),
        }
    }
}

/// Whether the answer is about the credentials, and not about a passing problem or from a proxy or portal.
fn is_verdict(ask: &HttpAsk, answer: &HttpAnswer) -> bool {
    let is_lasting = answer.status < 500 && !matches!(answer.status, 408 | 429);
    answer.is_success() || (is_lasting && refusal::is_from_okta(ask, answer))
}

/// Later checks require a client to be silent for longer than its tokens live. So tokens must not live longer than one hour
/// (Okta, "Implement OAuth for Okta with a service app"). The answer says how long (`expires_in`, RFC 6749 §5.1).
fn check_lifetime(answer: &HttpAnswer) -> (EvidenceResult, String) {
    match answer.body["expires_in"].as_u64() {
        Some(seconds) if seconds <= MAX_LIFETIME_SECS => {
            (EvidenceResult::Pass, format!("okta issued a bearer token for {seconds} s"))
        }
        Some(seconds) => (
            EvidenceResult::Fail,
            format!("the token lives {seconds} s, but the later checks rely on one hour at most"),
        ),
        None => (
            EvidenceResult::Fail,
            "the answer does not state the token's lifetime in seconds (`expires_in`)".to_owned(),
        ),
    }
}

/// A 200 does not prove all scopes: Okta leaves out scopes that were not granted and issues the rest.
/// `own` are scopes of the client that nobody can request.
fn compare_scopes(requested: &BTreeSet<&str>, own: &[&str], answer: &HttpAnswer) -> Evidence {
    let Some(scope) = answer.body["scope"].as_str() else {
        return evidence_from(
            "scopes",
            EvidenceResult::Fail,
            "the answer does not say which scopes the token has",
            answer,
        );
    };
    let granted: BTreeSet<&str> = scope.split_ascii_whitespace().collect();
    let list = |scopes: Vec<&&str>| scopes.into_iter().copied().collect::<Vec<_>>().join(" ");
    let missing = list(requested.difference(&granted).collect());
    let excess = list(granted.difference(requested).collect());
    match (missing.as_str(), excess.as_str()) {
        ("", "") => {
            let mut detail = list(granted.iter().collect());
            if !own.is_empty() {
                detail += &format!("; without {}, because a service client cannot request that", own.join(" "));
            }
            evidence_from("scopes", EvidenceResult::Pass, detail, answer)
        }
        (missing, "") => evidence_from("scopes", EvidenceResult::Fail, format!("missing: {missing}"), answer),
        ("", excess) => evidence_from("scopes", EvidenceResult::Fail, format!("not requested: {excess}"), answer),
        (missing, excess) => evidence_from(
            "scopes",
            EvidenceResult::Fail,
            format!("missing: {missing}; not requested: {excess}"),
            answer,
        ),
    }
}

/// A read that CIE makes too.
struct Read {
    check: &'static str,
    path: &'static str,
    scope: &'static str,
    only_with_app_data: bool,
}

const USERS: Read = read("read-users", "/api/v1/users?limit=1", "okta.users.read");
const GROUPS: Read = read("read-groups", "/api/v1/groups?limit=1", "okta.groups.read");
const LOGS: Read = read("read-logs", "/api/v1/logs?limit=1", "okta.logs.read");

const READS: [Read; 5] = [
    USERS,
    GROUPS,
    read("read-authorization-servers", "/api/v1/authorizationServers?limit=1", "okta.authorizationServers.read"),
    LOGS,
    Read { only_with_app_data: true, ..read("read-apps", "/api/v1/apps?limit=1", "okta.apps.read") },
];

const fn read(check: &'static str, path: &'static str, scope: &'static str) -> Read {
    Read { check, path, scope, only_with_app_data: false }
}

async fn try_read(api: &Api<'_>, token: &Handle, read: &Read) -> Result<Evidence, Error> {
    let auth = Auth::Token { scheme: "Bearer".to_owned(), token: token.clone() };
    let ask = api.ask_as(auth, Intent::Read, "GET", read.path).keeping(&["/*/id"]);
    let answer = api.http(ask.clone()).await?;
    if answer.is_success() {
        return Ok(match answer.body.as_array() {
            // An empty list is a pass: the read was permitted.
            Some(_) => evidence_from(read.check, EvidenceResult::Pass, format!("{} works", read.scope), &answer),
            None => evidence_from(read.check, EvidenceResult::Fail, "the answer is not a list", &answer),
        });
    }
    let error = refusal::explain("read with the new token", &ask, &answer);
    if !is_verdict(&ask, &answer) {
        return Err(error);
    }
    // An org may lack the feature of custom authorization servers. Then there is nothing to read.
    if read.check == "read-authorization-servers" && error_code(&answer) == Some("E0000015") {
        let detail = "the org has no custom authorization servers (E0000015)";
        return Ok(evidence_from(read.check, EvidenceResult::NotApplicable, detail, &answer));
    }
    let mut evidence = Evidence::new(read.check, EvidenceResult::Fail, error.message);
    evidence.request_id = error.context.get("request_id").cloned();
    Ok(evidence)
}
