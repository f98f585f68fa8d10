//! POST /oauth2/access_token: a service account gets a bearer token for one tenant service group. This is its own group,
//! or for the parent's account a group below it (PAN, "Access tokens"). The errors are those of RFC 6749, section 5.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::Refused;
use crate::encoding::parse_pairs;
use crate::lock::lock;
use crate::message::{Reply, Request};
use crate::state::State;
use crate::tenant::ServiceAccount;
use crate::tokens::LIFETIME;

/// Answers one request to the token endpoint's host.
pub(crate) fn handle(state: &State, request: &Request) -> Reply {
    let segments = request.segments();
    // The general documents have the first path, and the description of the directory service has the second.
    if !matches!(segments.as_slice(), ["oauth2", "access_token"] | ["auth", "v1", "oauth2", "access_token"]) {
        return Reply::empty(StatusCode::NOT_FOUND);
    }
    if request.method != http::Method::POST {
        return Reply::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    grant(state, request).unwrap_or_else(|(status, error, description)| {
        let reply = Reply::json(status, &json!({ "error": error, "error_description": description }));
        let unauthorized = status == StatusCode::UNAUTHORIZED;
        if unauthorized { reply.with_header(header::WWW_AUTHENTICATE, "Basic realm=\"simulated\"") } else { reply }
    })
}

type OauthError = (StatusCode, &'static str, &'static str);

fn grant(state: &State, request: &Request) -> Result<Reply, OauthError> {
    let bad = |error, description| (StatusCode::BAD_REQUEST, error, description);
    if !request.has_content_type("application/x-www-form-urlencoded") {
        return Err(bad("invalid_request", "The body must be application/x-www-form-urlencoded."));
    }
    let form = std::str::from_utf8(&request.body).ok().and_then(parse_pairs);
    let form = form.ok_or(bad("invalid_request", "The body is not well-formed."))?;
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    // RFC 6749, section 2.3 allows only one way of authentication. Credentials in the body alone are refused too, because
    // PAN documents only the header.
    if field("client_secret").is_some() {
        return Err(bad("invalid_request", "The client's credentials belong in the Authorization header."));
    }
    let account = find_account(state, request);
    let account = account.ok_or((StatusCode::UNAUTHORIZED, "invalid_client", "Client authentication failed"))?;
    match field("grant_type") {
        None => return Err(bad("invalid_request", "The grant type is missing.")),
        Some("client_credentials") => {}
        Some(_) => return Err(bad("unsupported_grant_type", "The grant type is not supported.")),
    }
    // No public source says what happens without a scope, or with a group for which the account may not act. RFC 6749 has
    // this error for both.
    let scope = field("scope").unwrap_or_default();
    let tsg_id = scope.strip_prefix("tsg_id:").filter(|id| may_act_for(state, account, id));
    let tsg_id = tsg_id.ok_or(bad("invalid_scope", "Unknown or invalid scope"))?;

    let token = lock(&state.cie_tokens).grant(tsg_id, state.clock.now());
    let body = json!({
        "access_token": token,
        "scope": scope,
        "token_type": "Bearer",
        "expires_in": LIFETIME.as_secs(),
    });
    let mut reply = Reply::json(StatusCode::OK, &body);
    reply.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(reply)
}

fn find_account<'a>(state: &'a State, request: &Request) -> Option<&'a ServiceAccount> {
    let decoded = STANDARD.decode(request.credential("Basic")?).ok()?;
    let pair = String::from_utf8(decoded).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let mut all = std::iter::once(&state.parent).chain(state.tenants.iter().map(|tenant| &tenant.account));
    all.find(|account| account.client_id == id && account.client_secret == secret)
}

/// An account acts for its own group and for groups below it, but not for other groups (PAN, "Scope").
fn may_act_for(state: &State, account: &ServiceAccount, tsg_id: &str) -> bool {
    let is_parent = account.client_id == state.parent.client_id;
    account.tsg_id == tsg_id || is_parent && state.tenants.iter().any(|tenant| tenant.account.tsg_id == tsg_id)
}

/// The group of the token in a request.
pub(crate) fn authorize(state: &State, request: &Request) -> Result<String, Refused> {
    let token = request.credential("Bearer");
    let group = token.and_then(|token| lock(&state.cie_tokens).group_of(token, state.clock.now()));
    group.ok_or_else(|| Refused::Plain(StatusCode::UNAUTHORIZED, "The access token is missing or invalid.".to_owned()))
}
