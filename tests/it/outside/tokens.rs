//! Rows in which the token endpoint gives an unexpected answer when flowswap tries the new client's credentials.

use serde_json::{Value, json};

use super::{
    answers::{answer, balancer, edit, oauth, okta, portal, proxy, raw, script, without},
    row::{Row, Stage::Planned, at, row},
    writes::only_a_client,
};

const TOKEN: &str = "{org} /oauth2/v1/token";

/// The directory is still unchanged in these rows, and nothing must be swapped.
pub(super) fn rows() -> Vec<Row> {
    let refused = |name, why, fault| {
        row(name, why, Planned, &["apply", "{tenant}.json", "--yes"])
            .fault(at("POST", TOKEN, fault))
            .code(3)
            .allowing(only_a_client)
            .never_says(&["{tenant}: swapped"])
    };
    let token = |body: Value| answer(200, &body);
    vec![
        refused("prove: 200 without a token", "a gateway that filters secrets", without("/access_token"))
            .says(&["token"]),
        refused("prove: a token that is null", "a gateway that filters secrets", edit("/access_token", json!(null)))
            .says(&["token"]),
        refused("prove: a DPoP-bound token", "okta-sdk-nodejs#453", edit("/token_type", json!("DPoP"))).says(&["DPoP"]),
        refused("prove: no scope member", "RFC 6749 §5.1", without("/scope")).says(&["scopes"]),
        refused("prove: an empty scope", "nothing was granted", edit("/scope", json!(""))).says(&["missing"]),
        refused("prove: a scope too few", "okta issues the rest", edit("/scope", json!("okta.users.read")))
            .says(&["missing"]),
        refused(
            "prove: a scope that nobody asked for",
            "an integration that was widened",
            edit(
                "/scope",
                json!(
                    "okta.users.read okta.groups.read okta.logs.read okta.authorizationServers.read okta.apps.manage"
                ),
            ),
        )
        .says(&["okta.apps.manage"]),
        refused(
            "prove: invalid_scope",
            "okta OAuth error codes",
            oauth(400, "invalid_scope", "Un ou plusieurs scopes"),
        )
        .says(&["invalid_scope", "Un ou plusieurs scopes"]),
        refused("prove: invalid_client", "okta OAuth error codes", oauth(401, "invalid_client", "Client inconnu"))
            .says(&["invalid_client"]),
        refused("prove: consent_required", "okta OAuth error codes", oauth(400, "consent_required", "consent"))
            .says(&["consent_required"]),
        refused(
            "prove: access_denied",
            "a policy of the server",
            oauth(403, "access_denied", "Policy evaluation failed"),
        )
        .says(&["access_denied", "Policy evaluation failed"]),
        refused(
            "prove: a scope of the client's own self",
            "okta OAuth error codes",
            oauth(400, "client_credentials_self_scope_requested", "self scopes"),
        )
        .says(&["client_credentials_self_scope_requested"]),
        refused(
            "prove: use_dpop_nonce",
            "RFC 9449 §8",
            oauth(400, "use_dpop_nonce", "Authorization server requires nonce"),
        )
        .says(&["use_dpop_nonce"]),
        refused(
            "prove: invalid_dpop_proof",
            "the org enforces DPoP",
            oauth(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing."),
        )
        .says(&["invalid_dpop_proof", "The DPoP proof JWT header is missing."]),
        refused("prove: a portal", "okta/okta-sdk-java#82", portal())
            .code(4)
            .says(&["something between this machine and {org} answered", "titled `Network login`"]),
        refused("prove: a filtering proxy", "netsuite-suitecloud-sdk#862", proxy())
            .code(4)
            .says(&["something between this machine and {org} answered"])
            .never_says(&["okta refused"]),
        refused("prove: a balancer's 404", "cloud-provider-azure#933", balancer())
            .code(4)
            .says(&["something between this machine and {org} answered"])
            .never_says(&["okta refused"]),
        refused("prove: a gateway's JSON 403", "AWS WAF", answer(403, &json!({"message": "Forbidden"})))
            .code(4)
            .says(&["something between this machine and okta answered"])
            .never_says(&["okta refused"]),
        refused("prove: an empty 200", "a cut connection that ends well", raw(200, "")).says(&["token"]),
        refused("prove: a list in place of a token", "a stubbed gateway", token(json!([]))).says(&["token"]),
        refused(
            "prove: 302 to a sign-in",
            "an org that moved",
            script(302, &[("location", "https://sso.corp.test/")], ""),
        )
        .code(4)
        .says(&["sso.corp.test"]),
        refused("prove: a lasting 429", "rate limits", okta(429, "E0000047", "Limite atteinte", &[]))
            .code(4)
            .says(&["E0000047"]),
        row("prove: a read is refused", "a role that was not given", Planned, &["apply", "{tenant}.json", "--yes"])
            .fault(at("GET", "{org} /api/v1/groups", okta(403, "E0000006", "Droits insuffisants", &[])))
            .code(3)
            .allowing(only_a_client)
            .says(&["read-groups", "E0000006"]),
    ]
}
