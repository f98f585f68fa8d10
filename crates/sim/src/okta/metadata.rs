//! The two documents that need no authentication: one about the org, and one about its authorization server.

use http::StatusCode;
use serde_json::json;

use super::Call;
use super::token::KNOWN_SCOPES;
use crate::message::Reply;

/// GET /.well-known/okta-organization: the org's id and its canonical address.
pub(crate) fn show_org(call: &Call<'_>) -> Reply {
    let body = json!({
        "id": call.org.id,
        "cell": "sim1",
        "_links": { "organization": { "href": call.request.base() } },
        "pipeline": "idx",
        "settings": {
            "analyticsCollectionEnabled": false,
            "bugReportingEnabled": true,
            "omEnabled": false,
            "pssoEnabled": false,
            "desktopMFAEnabled": false,
            "itpEnabled": false,
        },
    });
    Reply::json(StatusCode::OK, &body)
}

/// GET /.well-known/oauth-authorization-server: the org's own authorization server, the only one with `okta.*` scopes.
pub(crate) fn show_server(call: &Call<'_>) -> Reply {
    let base = call.request.base();
    let methods = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"];
    let body = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/oauth2/v1/authorize"),
        "token_endpoint": format!("{base}/oauth2/v1/token"),
        "registration_endpoint": format!("{base}/oauth2/v1/clients"),
        "response_types_supported": ["code", "token", "id_token", "code id_token", "code token", "id_token token"],
        "response_modes_supported": ["query", "fragment", "form_post", "okta_post_message"],
        "grant_types_supported": ["authorization_code", "implicit", "refresh_token", "password", "client_credentials"],
        "subject_types_supported": ["public"],
        "scopes_supported": KNOWN_SCOPES,
        "token_endpoint_auth_methods_supported": methods,
        "claims_supported": ["ver", "jti", "iss", "aud", "iat", "exp", "cid", "uid", "scp", "sub"],
        "code_challenge_methods_supported": ["S256"],
        "introspection_endpoint": format!("{base}/oauth2/v1/introspect"),
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint": format!("{base}/oauth2/v1/revoke"),
        "revocation_endpoint_auth_methods_supported": methods,
        "end_session_endpoint": format!("{base}/oauth2/v1/logout"),
        "request_parameter_supported": true,
        "dpop_signing_alg_values_supported": ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"],
    });
    Reply::json(StatusCode::OK, &body)
}
