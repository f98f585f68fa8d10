//! The ways in which the credential of a service app fails, and what `check` says about each.
//!
//! The answers are in one snapshot. Read its differences as the administrator would who has just set the app up.

use std::{collections::BTreeSet, fmt::Write, fs};

use flowswap_sim::{AdminCredential, Fault, FaultKind, Mutation, ServiceAppChange};
use serde_json::{Value, json};

use super::{BOUND, KEY, PLAIN, change_app, configure, lab};
use crate::support::Lab;

/// One way to fail.
struct Row {
    name: &'static str,
    admin: AdminCredential,
    wrong: Wrong,
}

/// What is wrong.
enum Wrong {
    /// The key file has this text.
    Key(String),
    /// The tenants' table has these lines too.
    Lines(&'static str),
    /// The app is different.
    App(ServiceAppChange),
    /// The token endpoint answers so.
    Token(FaultKind),
    /// The API answers so.
    Api(FaultKind),
    /// The administrator or the world did something else.
    Other(fn(&Lab)),
}

fn row(name: &'static str, wrong: Wrong) -> Row {
    Row { name, admin: PLAIN, wrong }
}

fn bound(name: &'static str, wrong: Wrong) -> Row {
    Row { name, admin: BOUND, wrong }
}

fn script(status: u16, headers: &[(&str, &str)], body: &str) -> FaultKind {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    FaultKind::Script { status, headers, body: body.to_owned(), after_commit: false, milliseconds: 0 }
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// Okta's refusal of a token. All texts are those of its list of OAuth 2.0 errors.
fn refusal(status: u16, error: &str, description: &str) -> Wrong {
    let body = json!({ "error": error, "error_description": description });
    Wrong::Token(script(status, &[JSON], &body.to_string()))
}

fn unauthenticated(description: &str) -> Wrong {
    refusal(401, "invalid_client", description)
}

fn unproven(description: &str) -> Wrong {
    refusal(400, "invalid_dpop_proof", description)
}

/// An answer with a token, changed.
fn grant(change: fn(&mut Value)) -> Wrong {
    let mut body = json!({ "token_type": "Bearer", "access_token": "canary-7d1f", "expires_in": 3600 });
    change(&mut body);
    Wrong::Token(script(200, &[JSON], &body.to_string()))
}

fn fixture(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/keys");
    serde_json::from_str(&fs::read_to_string(format!("{folder}/{name}.jwk")).unwrap()).unwrap()
}

fn jwk(name: &str, change: fn(&mut Value)) -> Wrong {
    let mut jwk = fixture(name);
    change(&mut jwk);
    Wrong::Key(jwk.to_string())
}

fn pem(label: &str, content: &str) -> Wrong {
    Wrong::Key(format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n"))
}

fn skew(lab: &Lab, minutes: i64) {
    let host = lab.sim.tenants()[0].domain.clone();
    lab.sim.mutate(Mutation::SkewClock { host, milliseconds: minutes * 60_000 }).unwrap();
}

fn keys() -> Vec<Row> {
    vec![
        row(
            "the key of another app",
            Wrong::Other(|lab| {
                let key = lab.sim.tenants()[1].service_app.private_key.replace("\"kid\"", "\"other\"");
                fs::write(lab.path("tokens/acme.jwk"), key).unwrap();
            }),
        ),
        row("the key file is missing", Wrong::Other(|lab| fs::remove_file(lab.path("tokens/acme.jwk")).unwrap())),
        row("the key file is empty", Wrong::Key(String::new())),
        row("the file has the API token", Wrong::Key("00Canary-7d1f".to_owned())),
        row("the public key", pem("PUBLIC KEY", "AAAA")),
        row("a certificate", pem("CERTIFICATE", "AAAA")),
        row("a key with a passphrase", pem("ENCRYPTED PRIVATE KEY", "AAAA")),
        row("a key of ssh-keygen", pem("OPENSSH PRIVATE KEY", "AAAA")),
        row("half of a PEM file", Wrong::Key("-----BEGIN PRIVATE KEY-----\ncanary-7d1f".to_owned())),
        // RFC 8410, section 7: a key of Ed25519.
        row("a key of Ed25519", pem("PRIVATE KEY", "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC")),
        row("a JWK that is cut off", Wrong::Key("{\"kty\":\"RSA\",\"n\":\"canary-7d1f".to_owned())),
        row("a set of JWKs", Wrong::Key(json!({ "keys": [fixture("p256")] }).to_string())),
        row("the public JWK", jwk("rsa", |jwk| drop(jwk.as_object_mut().unwrap().remove("d")))),
        row("a JWK without its primes", jwk("rsa", |jwk| drop(jwk.as_object_mut().unwrap().remove("p")))),
        row("a JWK for encryption", jwk("rsa", |jwk| jwk["alg"] = "RSA-OAEP".into())),
        row("a symmetric JWK", Wrong::Key(json!({ "kty": "oct", "k": "canary-7d1f", "d": "AA" }).to_string())),
        row("an algorithm for another key", Wrong::Lines("algorithm = \"RS256\"")),
        row("an algorithm of a shared secret", Wrong::Lines("algorithm = \"HS256\"")),
    ]
}

fn configurations() -> Vec<Row> {
    vec![
        row("an API token and a key", Wrong::Lines("credential = { file = \"tokens/acme.jwk\" }")),
        row("a key and a secret", Wrong::Lines("client_secret = { file = \"tokens/acme.jwk\" }")),
        row("`dpop` is a text", Wrong::Lines("dpop = \"yes\"")),
        row("`key_id` is empty", Wrong::Lines("key_id = \"\"")),
        row(
            "no client ID",
            Wrong::Other(|lab| {
                let id = lab.sim.tenants()[0].service_app.client_id.clone();
                lab.edit_config(|text| text.replace(&format!(", client_id = \"{id}\""), ""));
            }),
        ),
        row(
            "an API token with a client ID",
            Wrong::Other(|lab| {
                lab.edit_config(|text| text.replace("private_key =", "credential ="));
            }),
        ),
        row(
            "a client secret with an algorithm",
            Wrong::Other(|lab| {
                lab.edit_config(|text| {
                    text.replace(KEY, "client_secret = { file = \"tokens/acme.jwk\" }\nalgorithm = \"ES256\"")
                });
            }),
        ),
    ]
}

fn apps() -> Vec<Row> {
    vec![
        row("another `key_id`", Wrong::Lines("key_id = \"kid-of-another\"")),
        row(
            "another client ID",
            Wrong::Other(|lab| {
                let id = lab.sim.tenants()[0].service_app.client_id.clone();
                lab.edit_config(|text| text.replace(&id, "0oaNOBODY"));
            }),
        ),
        row(
            "an app that was deactivated",
            Wrong::App(ServiceAppChange { is_active: Some(false), ..Default::default() }),
        ),
        row(
            "a network outside of its zones",
            Wrong::App(ServiceAppChange { is_in_zone: Some(false), ..Default::default() }),
        ),
        row("an app without a role", Wrong::App(ServiceAppChange { has_role: Some(false), ..Default::default() })),
        row(
            "an app without a scope",
            Wrong::Other(|lab| {
                let (org, client) =
                    (lab.sim.tenants()[0].domain.clone(), lab.sim.tenants()[0].service_app.client_id.clone());
                lab.sim.mutate(Mutation::RemoveScope { org, client, scope: "okta.logs.read".to_owned() }).unwrap();
            }),
        ),
        row(
            "an app that may look and not change",
            Wrong::Other(|lab| {
                let (org, client) =
                    (lab.sim.tenants()[0].domain.clone(), lab.sim.tenants()[0].service_app.client_id.clone());
                for scope in ["okta.apps.manage", "okta.oauthIntegrations.manage"] {
                    let (org, client, scope) = (org.clone(), client.clone(), scope.to_owned());
                    lab.sim.mutate(Mutation::RemoveScope { org, client, scope }).unwrap();
                }
            }),
        ),
        row("this clock is 20 minutes behind", Wrong::Other(|lab| skew(lab, 20))),
        row("this clock is 20 minutes ahead", Wrong::Other(|lab| skew(lab, -20))),
        bound("an app that requires DPoP, and `dpop = false`", Wrong::Lines("dpop = false")),
        row("an app without DPoP, and `dpop = true`", Wrong::Lines("dpop = true")),
        row(
            "an app with a secret in place of a key",
            Wrong::Other(|lab| {
                lab.edit_config(|text| text.replace(KEY, "client_secret = { file = \"tokens/acme.jwk\" }"));
                fs::write(lab.path("tokens/acme.jwk"), "canary-7d1f").unwrap();
            }),
        ),
    ]
}

fn refusals() -> Vec<Row> {
    vec![
        row(
            "an app without a public key",
            unauthenticated("The client does not have a JWKSet configured, but the client_assertion requires one."),
        ),
        row(
            "a public key for encryption",
            unauthenticated(
                "The public key being used for client assertion has an invalid 'use' parameter. Valid values for the 'use' parameter are sig.",
            ),
        ),
        row(
            "keys at a URL that Okta cannot read",
            unauthenticated("Error retrieving the client JWKSet from jwks_uri."),
        ),
        row(
            "an algorithm that Okta does not take",
            unauthenticated("The client_assertion JWT signature algorithm is invalid."),
        ),
        row(
            "an assertion for another name of the org",
            unauthenticated("The audience claim for client_assertion must be the endpoint invoked for the request."),
        ),
        row(
            "an assertion that lives too long",
            unauthenticated("The client_assertion token has an expiration too far into the future."),
        ),
        row(
            "an assertion that a proxy sent twice",
            unauthenticated("The client_assertion token has already been used."),
        ),
        row("an assertion that a proxy changed", unauthenticated("The parsing of the client_assertion failed.")),
        row(
            "an app that uses a secret",
            unauthenticated("Client authentication failed. Either the client or the client credentials are invalid."),
        ),
        row(
            "an org that takes no secrets",
            unauthenticated(
                "Client Credentials requests to the Org Authorization Server must use the private_key_jwt token_endpoint_auth_method.",
            ),
        ),
        row(
            "a web app",
            unauthenticated(
                "Only clients with 'application_type' of 'service' may use the client_credentials 'grant_type' with the Org Authorization Server.",
            ),
        ),
        row(
            "an app without the grant type",
            refusal(
                400,
                "unauthorized_client",
                "The client is not authorized to use the provided grant type. Configured grant types: [authorization_code].",
            ),
        ),
        row(
            "a scope that the org does not have",
            refusal(
                400,
                "invalid_scope",
                "One or more scopes are not configured for the authorization server resource.",
            ),
        ),
        row(
            "a policy that denies access",
            refusal(
                403,
                "access_denied",
                "Policy evaluation failed for this request, please check the policy configurations.",
            ),
        ),
        bound("a proof for another name of the org", unproven("'htu' claim in the DPoP proof JWT is invalid.")),
        bound("a proof from the past", unproven("The DPoP proof JWT is issued more than five minutes in the past.")),
        bound("a proof that a proxy sent twice", unproven("The DPoP proof JWT has already been used.")),
        bound(
            "a proof whose algorithm Okta does not take",
            unproven("The DPoP proof JWT signature algorithm is invalid."),
        ),
        bound(
            "another nonce for each proof",
            Wrong::Token(script(
                400,
                &[JSON, ("dpop-nonce", "endless")],
                r#"{"error":"use_dpop_nonce","error_description":"Authorization server requires nonce in DPoP proof."}"#,
            )),
        ),
        bound(
            "a nonce that is wanted and not given",
            refusal(400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof."),
        ),
    ]
}

fn answers() -> Vec<Row> {
    vec![
        row(
            "a captive portal",
            Wrong::Token(script(200, &[("content-type", "text/html")], "<html><title>Welcome</title></html>")),
        ),
        row("a redirect to a portal", Wrong::Token(script(302, &[("location", "https://portal.example/")], ""))),
        row("no token in the answer", grant(|body| drop(body.as_object_mut().unwrap().remove("access_token")))),
        row("a token with a line break", grant(|body| body["access_token"] = "canary-7d1f\r\nx: y".into())),
        row("an empty token", grant(|body| body["access_token"] = "".into())),
        row("a token of another type", grant(|body| body["token_type"] = "mac".into())),
        row("a bound token that nobody asked for", grant(|body| body["token_type"] = "DPoP".into())),
        row("a token with other scopes", grant(|body| body["scope"] = "okta.users.read".into())),
        row("a lifetime that is no number", grant(|body| body["expires_in"] = "canary-7d1f".into())),
        row(
            "a host that is no org",
            Wrong::Token(script(404, &[("content-type", "text/html")], "<html>nothing here</html>")),
        ),
        row(
            "a proxy that denies access",
            Wrong::Token(script(403, &[("content-type", "text/html")], "<html>denied</html>")),
        ),
        row("a token that the API does not take", grant(|_| {})),
        row(
            "an API that wants another scope",
            Wrong::Api(script(
                403,
                &[("www-authenticate", "Bearer error=\"insufficient_scope\", scope=\"okta.apps.read\"")],
                "",
            )),
        ),
        bound(
            "an API that does not take the proof",
            Wrong::Api(script(
                400,
                &[JSON],
                r#"{"error":"invalid_dpop_proof","error_description":"The DPoP proof JWT signature is invalid."}"#,
            )),
        ),
    ]
}

/// What `check` says about the org, without what passed, and each thing once.
fn say(row: &Row) -> String {
    let lab = lab(row.admin);
    let tenant = &lab.sim.tenants()[0];
    let fault = |path: &str, kind: &FaultKind| Fault {
        host: tenant.domain.split(':').next().unwrap().to_owned(),
        method: None,
        path: path.to_owned(),
        query: String::new(),
        kind: kind.clone(),
        times: 0,
        skip: 0,
    };
    match &row.wrong {
        Wrong::Key(text) => fs::write(lab.path("tokens/acme.jwk"), text).unwrap(),
        Wrong::Lines(lines) => configure(&lab, lines),
        Wrong::App(change) => change_app(&lab, change.clone()),
        Wrong::Token(kind) => lab.sim.add_fault(fault("/oauth2/v1/token", kind)),
        Wrong::Api(kind) => lab.sim.add_fault(fault("/api/v1/apps", kind)),
        Wrong::Other(change) => change(&lab),
    }
    let output = lab.run(&["check", "acme", "--format", "json"]);
    assert!(lab.sim.faults().iter().all(|fault| fault.fired > 0), "{}", row.name);
    let shown = output.show();
    assert!(!shown.contains("canary-7d1f") && !shown.contains("eyJ"), "{}: {shown}", row.name);
    let key: Value = serde_json::from_str(&tenant.service_app.private_key).unwrap();
    assert!(!shown.contains(key["d"].as_str().unwrap()));
    let told: Value = serde_json::from_str(&output.stdout).unwrap();
    let mut said = format!("{}:\n", row.name);
    if let Some(message) = told["error"]["message"].as_str() {
        let hint = told["error"]["hint"].as_str().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        write!(said, "  {message}{hint}").unwrap();
    }
    let checks = told["checks"].as_array().into_iter().flatten();
    let is_open = |check: &&Value| matches!(check["result"].as_str(), Some("fail" | "inconclusive"));
    let failed = checks.filter(|check| check["role"] == "provider").filter(is_open);
    let mut known = BTreeSet::new();
    for check in failed {
        let detail = check["detail"].as_str().unwrap().to_owned();
        if known.insert(detail.clone()) {
            let hint = check["hint"].as_str().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
            writeln!(said, "  {}: {detail}{hint}", check["check"].as_str().unwrap()).unwrap();
        }
    }
    let port = lab.sim.addr().port().to_string();
    assert!(said.lines().count() > 1, "{}: {shown}", row.name);
    said.replace(&port, "PORT")
        .replace(&lab.dir().display().to_string(), "DIR")
        .replace(&tenant.service_app.client_id, "CLIENT")
}

fn say_all(rows: &[Row]) -> String {
    rows.iter().map(say).collect::<Vec<_>>().join("\n")
}

#[test]
fn keys_that_cannot_sign() {
    insta::assert_snapshot!(say_all(&keys()));
}

#[test]
fn configurations_of_an_app() {
    insta::assert_snapshot!(say_all(&configurations()));
}

#[test]
fn apps_that_are_not_set_up() {
    insta::assert_snapshot!(say_all(&apps()));
}

#[test]
fn refusals_in_the_words_of_okta() {
    insta::assert_snapshot!(say_all(&refusals()));
}

#[test]
fn answers_that_are_no_grant() {
    insta::assert_snapshot!(say_all(&answers()));
}
