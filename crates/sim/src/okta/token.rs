//! POST /oauth2/v1/token of the org's own authorization server, for the client-credential grant.
//!
//! The order of the checks is form, client, grant, scopes. The texts are those of Okta's list of OAuth 2.0 errors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{StatusCode, header};
use jiff::SignedDuration;
use serde_json::json;

use super::Call;
use super::event::{Outcome, TokenGrant};
use super::logs;
use super::model::{AccessToken, RefreshToken, Status};
use super::refusal::{Answer, Refusal};
use super::service_app::{self, Authenticated};
use crate::encoding::parse_pairs;
use crate::message::Reply;

/// The scopes of the authorization server that matter here.
pub(crate) const KNOWN_SCOPES: &[&str] = &[
    "okta.users.manage",
    "okta.users.read",
    "okta.users.read.self",
    "okta.groups.manage",
    "okta.groups.read",
    "okta.apps.manage",
    "okta.apps.read",
    "okta.appGrants.manage",
    "okta.appGrants.read",
    "okta.authorizationServers.manage",
    "okta.authorizationServers.read",
    "okta.clients.read",
    "okta.events.read",
    "okta.logs.read",
    "okta.oauthIntegrations.manage",
    "okta.oauthIntegrations.read",
    "okta.orgs.read",
    "okta.policies.read",
    "okta.roles.read",
];

/// The event that shows that a client got a token (Okta event types).
pub(crate) const GRANT_EVENT: &str = "app.oauth2.token.grant.access_token";
/// The event that shows that a client was refused a token. It has no suffix (Okta support, "refresh token is invalid or
/// expired"; Events API to System Log migration guide).
const REFUSED_EVENT: &str = "app.oauth2.token.grant";
/// The event that shows that a person signed in for a client: the client got a refresh token (Okta event types).
const REFRESH_EVENT: &str = "app.oauth2.token.grant.refresh_token";
/// How many wrong secrets count as "multiple". No public source has Okta's number.
const WRONG_SECRETS_PER_EVENT: u32 = 3;
const WRONG_SECRET: &str = "The client secret supplied for a confidential client is invalid.";
/// How long an access token of the org's own authorization server lives (Okta, "Token lifetime").
pub(crate) const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// How long a refresh token of the org's own authorization server lives. Use does not extend it (Okta, "Refresh token
/// expiration behavior").
pub(crate) const REFRESH_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The client of a request, after its secret was checked.
struct Client {
    id: String,
    name: &'static str,
    scopes: Vec<String>,
    /// The thumbprint of the key to which its token is bound.
    bound_to: Option<String>,
}

/// The value of `client_assertion_type` (RFC 7523 section 2.2).
const BY_JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Grants or refuses an access token. Both leave an event in the log.
pub(crate) fn grant(call: &mut Call<'_>) -> Answer {
    if !call.request.has_content_type("application/x-www-form-urlencoded") {
        return Err(bad_request("invalid_request", "The request body must be 'application/x-www-form-urlencoded'."));
    }
    let form = std::str::from_utf8(&call.request.body).ok().and_then(parse_pairs);
    let form = form.ok_or_else(|| bad_request("invalid_request", "The request body was not well-formed."))?;
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let grant_type = field("grant_type").unwrap_or_default();

    let assertion = field("client_assertion").filter(|_| field("client_assertion_type") == Some(BY_JWT));
    let is_alone = !call.request.headers.contains_key(header::AUTHORIZATION) && field("client_secret").is_none();
    let (id, client) = match assertion.filter(|_| is_alone) {
        Some(assertion) => (call.org.service_app.client_id.clone(), authenticate_app(call, assertion, grant_type)),
        None => {
            let (id, secret) = read_credentials(call, &field)?;
            let client = authenticate(call, &id, &secret, grant_type);
            (id, client)
        }
    };
    let outcome = client.and_then(|client| {
        let scopes = choose_scopes(&client, field("scope").unwrap_or_default())?;
        Ok((client, scopes))
    });
    let (client, scopes) = match outcome {
        Ok(granted) => granted,
        // A client that learns what a proof needs has done nothing wrong.
        Err(refusal @ Refusal::UseNonce { .. }) => return Err(refusal),
        Err(refusal) => {
            let reason = match &refusal {
                Refusal::Oauth { error, .. } => log_reason(error),
                _ => "invalid_request",
            };
            let name = call.org.service(&id).map_or("", |service| service.name);
            let requested = field("scope").map(str::to_owned);
            let grant = TokenGrant { grant_type: grant_type.to_owned(), requested, scopes: Vec::new() };
            logs::record_as_client(call, REFUSED_EVENT, &id, name, Outcome::Failure(reason), grant);
            if is_wrong_secret(&refusal) {
                let count = call.org.wrong_secrets.entry(id.clone()).or_default();
                *count += 1;
                if count.is_multiple_of(WRONG_SECRETS_PER_EVENT) {
                    logs::record_wrong_secrets(call, &id, name);
                }
            }
            return Err(refusal);
        }
    };
    call.org.wrong_secrets.remove(&client.id);
    let token = call.org.mint.token("eyJraWQiOiJzaW0ifQ.");
    let scope = scopes.join(" ");
    let lifetime = call.org.token_lifetime;
    let expires = call.now + lifetime;
    let requested = field("scope").map(str::to_owned);
    let grant = TokenGrant { grant_type: grant_type.to_owned(), requested, scopes: scopes.clone() };
    let token_type = if client.bound_to.is_some() { "DPoP" } else { "Bearer" };
    let issued = AccessToken { client_id: client.id.clone(), scopes, expires, bound_to: client.bound_to };
    call.org.tokens.insert(token.clone(), issued);
    logs::record_as_client(call, GRANT_EVENT, &client.id, client.name, Outcome::Success, grant);
    let body = json!({
        "token_type": token_type,
        "expires_in": lifetime.as_secs(),
        "access_token": token,
        "scope": scope,
    });
    Ok(Reply::json(StatusCode::OK, &body))
}

/// A refresh token of the org's own authorization server, used by a directory.
pub(crate) struct Refresh<'a> {
    pub(crate) client_id: &'a str,
    /// Whether it has expired.
    pub(crate) expired: bool,
    /// The scopes that the directory requires.
    pub(crate) needed: &'a [&'a str],
    /// The scopes that the directory requests.
    pub(crate) requested: &'a [&'a str],
}

/// What the directory of an authorization-code connection does before each sync: it exchanges its refresh token for an
/// access token. This works for 90 days after the sign-in, while the app and its administrator are active. It leaves
/// the same event as any other token. Returns the granted scopes among the requested ones.
pub(crate) fn refresh(call: &mut Call<'_>, refresh: &Refresh<'_>) -> Result<Vec<String>, String> {
    let grant = |scopes: &[String]| TokenGrant {
        grant_type: "refresh_token".to_owned(),
        requested: Some(refresh.requested.join(" ")),
        scopes: scopes.to_vec(),
    };
    let client_id = refresh.client_id;
    let app = call.org.app_of_client(client_id).filter(|app| app.status == Status::Active && app.is_legacy());
    let Some(app) = app else {
        logs::record_as_client(call, REFUSED_EVENT, client_id, "", Outcome::Failure("invalid_client"), grant(&[]));
        return Err("invalid_client: the client is unknown or inactive".to_owned());
    };
    let label = app.label.clone();
    let granted = |scope: &&str| app.grants.iter().any(|grant| grant.scope == **scope);
    if let Some(missing) = refresh.needed.iter().find(|scope| !granted(scope)) {
        let reason = Outcome::Failure("no_matching_scope");
        let refused = format!("insufficient_scope: {missing}");
        logs::record_as_client(call, REFUSED_EVENT, client_id, &label, reason, grant(&[]));
        return Err(refused);
    }
    let scopes: Vec<_> =
        refresh.requested.iter().filter(|scope| granted(scope)).map(|scope| (*scope).to_owned()).collect();
    if refresh.expired || !call.org.sync_admin.active {
        // Okta, "Refresh token expiration behavior" and "Application functionality breaks when an admin is deactivated".
        let reason = Outcome::Failure("invalid_refresh_token");
        logs::record_as_client(call, REFUSED_EVENT, client_id, &label, reason, grant(&[]));
        return Err("invalid_grant: the refresh token is invalid or expired".to_owned());
    }
    logs::record_as_client(call, GRANT_EVENT, client_id, &label, Outcome::Success, grant(&scopes));
    Ok(scopes)
}

/// The administrator signs in for a client of the authorization-code flow, and the client gets its first tokens. The steps
/// in the browser are not simulated. The log shows the grants of both tokens.
pub(crate) fn sign_in(call: &mut Call<'_>, client_id: &str, secret: &str) -> Result<(), String> {
    let app = call.org.app_of_client(client_id).filter(|app| app.status == Status::Active && app.is_legacy());
    let app = app.ok_or("invalid_client: the client is unknown or inactive")?;
    let secrets = app.oauth.as_ref().map(|client| client.secrets.as_slice()).unwrap_or_default();
    if !secrets.iter().any(|known| known.status == Status::Active && known.value == secret) {
        return Err("invalid_client: the client secret is invalid".to_owned());
    }
    if !call.org.sync_admin.active {
        return Err("access_denied: the administrator is deactivated".to_owned());
    }
    let (id, label) = (app.id.clone(), app.label.clone());
    let scopes: Vec<_> = app.grants.iter().map(|grant| grant.scope.clone()).collect();
    let (created, expires) = (call.now, call.now + REFRESH_LIFETIME);
    let token = RefreshToken { id: call.org.mint.id("oar"), created, expires, scopes: scopes.clone() };
    if let Some(app) = call.org.app_mut(&id) {
        app.refresh_tokens.push(token);
    }
    for event in [REFRESH_EVENT, GRANT_EVENT] {
        let grant = TokenGrant { grant_type: "authorization_code".to_owned(), requested: None, scopes: scopes.clone() };
        logs::record_as_client(call, event, client_id, &label, Outcome::Success, grant);
    }
    Ok(())
}

fn is_wrong_secret(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Oauth { description, .. } if description == WRONG_SECRET)
}

/// The reason of a refusal in the log, which may differ from the error in the answer (seen: `no_matching_scope`,
/// `invalid_refresh_token`).
fn log_reason(error: &'static str) -> &'static str {
    match error {
        "consent_required" => "no_matching_scope",
        other => other,
    }
}

/// The client's id and secret, from the place that the endpoint requires.
fn read_credentials<'f>(
    call: &Call<'_>,
    field: &impl Fn(&str) -> Option<&'f str>,
) -> Result<(String, String), Refusal> {
    let in_header = call.request.headers.contains_key(header::AUTHORIZATION);
    let in_body = field("client_secret").is_some() || field("client_assertion").is_some();
    if in_header && in_body {
        let text = "Can't supply multiple client credentials. Use one of the following: credentials in the \
                    Authorization header, credentials in the post body, or a `client_assertion` in the post body.";
        return Err(bad_request("invalid_request", text));
    }
    if in_body && call.org.service(field("client_id").unwrap_or_default()).is_some() {
        let text = "OAuth Integration Client Credentials requests to the Org Authorization Server must use either \
                    private_key_jwt or client_secret_basic as the token_endpoint_auth_method.";
        return Err(unauthenticated(text));
    }
    if in_body {
        return Err(unauthenticated("The client is not allowed to use this token_endpoint_auth_method."));
    }
    if !in_header {
        return Err(unauthenticated("No client credentials found"));
    }
    let decoded = call.request.credential("Basic").and_then(|text| STANDARD.decode(text).ok());
    let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    pair.and_then(|pair| pair.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned())))
        .ok_or_else(|| unauthenticated("Invalid 'Authorization' header: it must be Basic with a client id and secret."))
}

/// Checks the client, its secret, and whether it may use the grant type.
fn authenticate(call: &Call<'_>, id: &str, secret: &str, grant_type: &str) -> Result<Client, Refusal> {
    let held = match (call.org.service(id), call.org.app_of_client(id)) {
        (Some(service), _) => service.secrets.as_slice(),
        (None, Some(app)) if app.status == Status::Active => {
            app.oauth.as_ref().map(|client| client.secrets.as_slice()).unwrap_or_default()
        }
        // Okta's list of OAuth 2.0 errors, `unsupported_auth_method_client_creds`.
        _ if id == call.org.service_app.client_id => {
            let text = "Client Credentials requests to the Org Authorization Server must use the private_key_jwt \
                        token_endpoint_auth_method.";
            return Err(unauthenticated(text));
        }
        _ => return Err(unauthenticated("Invalid value for 'client_id' parameter.")),
    };
    if !held.iter().any(|known| known.status == Status::Active && known.value == secret) {
        return Err(unauthenticated(WRONG_SECRET));
    }
    if !matches!(grant_type, "client_credentials" | "authorization_code" | "refresh_token") {
        return Err(bad_request("unsupported_grant_type", "The grant type in the request isn't supported."));
    }
    let Some(service) = call.org.service(id) else {
        // The OIDC web app of the authorization-code flow ends here: its credentials are correct but not allowed.
        let grants = call.org.app_of_client(id).and_then(|app| app.oauth.as_ref());
        let grants = grants.map(|client| client.grant_types.join(", ")).unwrap_or_default();
        let text =
            format!("The client is not authorized to use the provided grant type. Configured grant types: [{grants}].");
        return Err(bad_request("unauthorized_client", text));
    };
    if grant_type != "client_credentials" {
        let text = "The client is not authorized to use the provided grant type. Configured grant types: \
                    [client_credentials].";
        return Err(bad_request("unauthorized_client", text));
    }
    Ok(Client { id: service.id.clone(), name: service.name, scopes: service.scopes.clone(), bound_to: None })
}

/// Checks the assertion of the administrator's service app.
fn authenticate_app(call: &mut Call<'_>, assertion: &str, grant_type: &str) -> Result<Client, Refusal> {
    let Authenticated { client_id, scopes, bound_to } = service_app::authenticate(call, assertion)?;
    if grant_type != "client_credentials" {
        let text = "The client is not authorized to use the provided grant type. Configured grant types: \
                    [client_credentials].";
        return Err(bad_request("unauthorized_client", text));
    }
    Ok(Client { id: client_id, name: "flowswap", scopes, bound_to })
}

/// The requested scopes that the client has. The others are dropped silently, as long as one remains.
fn choose_scopes(client: &Client, requested: &str) -> Result<Vec<String>, Refusal> {
    let requested: Vec<_> = requested.split_whitespace().collect();
    if requested.is_empty() {
        return Err(bad_request("invalid_scope", "No scopes were requested."));
    }
    if requested.iter().any(|scope| scope.ends_with(".self")) {
        let text = "The 'client_credentials' grant type may not request .self scopes.";
        return Err(bad_request("client_credentials_self_scope_requested", text));
    }
    if requested.iter().any(|scope| !KNOWN_SCOPES.contains(scope)) {
        let text = "One or more scopes are not configured for the authorization server resource.";
        return Err(bad_request("invalid_scope", text));
    }
    let mut granted: Vec<String> = Vec::new();
    for scope in requested {
        if client.scopes.iter().any(|held| held == scope) && !granted.iter().any(|given| given == scope) {
            granted.push(scope.to_owned());
        }
    }
    if granted.is_empty() {
        return Err(bad_request("consent_required", "You are not allowed any of the requested scopes."));
    }
    Ok(granted)
}

fn bad_request(error: &'static str, description: impl Into<String>) -> Refusal {
    Refusal::oauth(StatusCode::BAD_REQUEST, error, description)
}

fn unauthenticated(description: &str) -> Refusal {
    Refusal::oauth(StatusCode::UNAUTHORIZED, "invalid_client", description)
}
