//! Recorded answers of the real API (okta/terraform-provider-okta's own recordings) decode and mean the same.
//!
//! The recordings are next to the repository, or in `FLOWSWAP_SHARED`. Without them these tests report `skipped`.

use std::{io::Write, path::PathBuf};

use flowswap_contract::{
    ApplyReply, Error, ErrorKind, EvidenceResult, HttpAnswer, HttpAsk, ObserveReply, Observed, Op, ProviderInventory,
    TestReply,
};
use serde_json::{Value, json};

use crate::{
    driver::{answer, results, step_params},
    open, prepare,
};

/// The recorded exchanges of one file.
fn load(name: &str) -> Option<Vec<Value>> {
    let shared = std::env::var_os("FLOWSWAP_SHARED").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let path = shared.unwrap_or_else(beside).join("recordings/okta").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        // Written directly to the stream, because the test runner hides printed lines of passed tests.
        let mut stderr = std::io::stderr();
        writeln!(stderr, "skipped: no recording {}", path.display()).unwrap();
        return None;
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    Some(file["exchanges"].as_array().unwrap().clone())
}

fn find<'a>(exchanges: &'a [Value], method: &str, path: &str) -> &'a Value {
    let is_it = |e: &&Value| e["request"]["method"] == method && e["request"]["path"].as_str().unwrap().contains(path);
    &exchanges.iter().find(is_it).unwrap_or_else(|| panic!("no recorded {method} {path}"))["response"]
}

fn replay(response: &Value) -> HttpAnswer {
    let headers = response["headers"].as_object().unwrap().iter().flat_map(|(name, values)| {
        values.as_array().unwrap().iter().map(|v| (name.clone(), v.as_str().unwrap().to_owned()))
    });
    let status = response["status"].as_u64().unwrap() as u16;
    HttpAnswer { status, headers: headers.collect(), body: response["body"].clone(), attempts: 1 }
}

fn detect(organization: HttpAnswer, services: Value, apps: HttpAnswer) -> Result<ProviderInventory, Error> {
    let mut world = |ask: &HttpAsk| {
        Ok(match ask.url.as_str() {
            url if url.ends_with("/okta-organization") => organization.clone(),
            url if url.ends_with("/api-services") => answer(200, services.clone()),
            url if url.contains("/grants") || url.contains("/api/v1/logs") => answer(200, json!([])),
            _ => apps.clone(),
        })
    };
    let mut okta = open();
    okta.call::<Value>(&mut world, Op::Detect, json!({})).map(|value| serde_json::from_value(value).unwrap())
}

#[test]
fn organization_and_apps_decode() {
    let (Some(organization), Some(apps)) = (load("org-metadata.json"), load("apps-list.json")) else { return };
    let organization = replay(find(&organization, "GET", "/.well-known/okta-organization"));
    let apps = replay(find(&apps, "GET", "/api/v1/apps"));
    let inventory = detect(organization, json!([]), apps.clone()).unwrap();
    assert_eq!(inventory.domain, "org.okta.example");
    assert_eq!((inventory.legacy_clients.len(), inventory.lookalikes.len()), (0, 0));
    assert_eq!(apps.body.as_array().unwrap().len(), 10);
}

#[test]
fn a_recorded_oidc_app_becomes_a_legacy_client() {
    let (Some(organization), Some(apps)) = (load("org-metadata.json"), load("app-oauth-refresh-token.json")) else {
        return;
    };
    let organization = replay(find(&organization, "GET", "/.well-known/okta-organization"));
    let mut app = find(&apps, "GET", "/api/v1/apps/")["body"].clone();
    let uri = "https://directory-sync.us.paloaltonetworks.com/authorize";
    app["settings"]["oauthClient"]["redirect_uris"] = json!([uri]);
    let inventory = detect(organization, json!([]), answer(200, json!([app]))).unwrap();
    let [legacy] = inventory.legacy_clients.as_slice() else { panic!("{inventory:?}") };
    assert_eq!(app["id"], legacy.id.as_str());
    assert_eq!(app["credentials"]["oauthClient"]["client_id"], legacy.client_id.as_str());
    assert!(legacy.is_active() && legacy.grant_types.contains(&"refresh_token".to_owned()), "{legacy:?}");
}

#[test]
fn a_recorded_integration_is_created_and_recognized() {
    for file in ["api-service-crd.json", "api-service-read.json"] {
        let Some(exchanges) = load(file) else { return };
        let created = replay(find(&exchanges, "POST", "/api-services"));
        let (mut okta, _, mut params) = prepare("provision", json!({}), json!({}));
        params["step"]["proposal"]["payload"]["type"] = created.body["type"].clone();
        params["step"]["proposal"]["payload"]["scopes"] =
            json!(["okta.groups.read", "okta.logs.read", "okta.users.read"]);
        let mut world = |ask: &HttpAsk| Ok(if ask.method == "POST" { created.clone() } else { answer(200, json!([])) });
        let made: ApplyReply = okta.call(&mut world, Op::Apply, &params).unwrap();
        assert_eq!(results(&made.evidence), ["created: Pass", "granted-scopes: Pass"], "{file}");
        assert_eq!(made.outputs["client_id"], created.body["id"]);

        let read = replay(find(&exchanges, "GET", "/api-services/"));
        // The recording does not show whether the secret is the client's.
        let token = json!({"access_token": "CANARY-token", "token_type": "Bearer", "expires_in": 3600, "scope": ""});
        let mut world = |ask: &HttpAsk| match ask.method.as_str() {
            "POST" => Ok(answer(200, token.clone())),
            _ => Ok(answer(200, json!([read.body]))),
        };
        params["outputs"] = serde_json::to_value(made.outputs).unwrap();
        let seen: ObserveReply = okta.call(&mut world, Op::Observe, &params).unwrap();
        assert_eq!(seen.state, Observed::Applied, "{file}");
    }
}

#[test]
fn a_recorded_app_is_deactivated_activated_and_deleted() {
    let Some(exchanges) = load("app-oauth-lifecycle.json") else { return };
    let states: Vec<_> = exchanges
        .iter()
        .filter(|e| {
            e["request"]["method"] == "GET" && e["request"]["path"].as_str().unwrap().starts_with("/api/v1/apps/")
        })
        .map(|e| replay(&e["response"]))
        .collect();
    let app = |status: &str| states.iter().find(|a| a.body["status"] == status).expect("a recorded status").clone();
    let (mut okta, _, params) = prepare("retire", json!({}), json!({}));
    let active = app("ACTIVE");
    let payload = json!({"app_id": active.body["id"], "label": active.body["label"], "was_active": true,
                         "client_id": active.body["credentials"]["oauthClient"]["client_id"]});
    let mut proposal = params["step"]["proposal"].clone();
    proposal["payload"] = payload;
    let params = step_params(flowswap_contract::Role::Provider, &proposal, json!({}), json!({}));
    for (op, verb, before, after) in
        [(Op::Apply, "deactivate", "ACTIVE", "INACTIVE"), (Op::Undo, "activate", "INACTIVE", "ACTIVE")]
    {
        let mut changed = false;
        let agreed = replay(find(&exchanges, "POST", &format!("/lifecycle/{verb}")));
        let mut world = |ask: &HttpAsk| {
            changed |= ask.method == "POST";
            if ask.url.contains("/api/v1/logs") {
                return Ok(answer(200, json!([])));
            }
            Ok(if ask.method == "POST" { agreed.clone() } else { app(if changed { after } else { before }) })
        };
        let reply: ApplyReply = okta.call(&mut world, op, &params).unwrap();
        assert_eq!(reply.evidence[0].result, EvidenceResult::Pass, "{verb}");
        assert!(changed, "{verb}");
    }
}

#[test]
fn a_recorded_missing_feature_is_not_a_credential_error() {
    let Some(exchanges) = load("error-401-feature.json") else { return };
    let refusal = exchanges.iter().find(|e| e["response"]["status"] == 401).map(|e| replay(&e["response"])).unwrap();
    let inputs = json!({"client_id": "0oaNEW", "client_secret": {"$secret": "held"}});
    let (mut okta, _, params) = prepare("prove", inputs, json!({}));
    let scope = "okta.authorizationServers.read okta.groups.read okta.logs.read okta.users.read";
    let mut world = |ask: &HttpAsk| {
        Ok(match ask.url.as_str() {
            url if url.contains("/token") => answer(
                200,
                json!({"access_token": "CANARY-t", "token_type": "Bearer", "expires_in": 3600, "scope": scope}),
            ),
            url if url.contains("/authorizationServers") => refusal.clone(),
            _ => answer(200, json!([])),
        })
    };
    let reply: TestReply = okta.call(&mut world, Op::Test, json!({ "step": params })).unwrap();
    assert_eq!(reply.evidence[4].result, EvidenceResult::NotApplicable, "{:?}", reply.evidence);
}

#[test]
fn recorded_refusals_have_their_kind() {
    for (file, status, kind) in [
        ("error-400-validation.json", 400, ErrorKind::Invalid),
        ("error-401-feature.json", 401, ErrorKind::Unsupported),
        ("error-400-404-owners.json", 404, ErrorKind::NotFound),
        ("error-423-locked.json", 423, ErrorKind::Conflict),
        ("error-500-delete.json", 500, ErrorKind::Unavailable),
    ] {
        let Some(exchanges) = load(file) else { return };
        let recorded = exchanges.iter().find(|e| e["response"]["status"] == status);
        let refusal = replay(&recorded.unwrap_or_else(|| panic!("{file} has no {status}"))["response"]);
        let error = detect(refusal.clone(), json!([]), answer(200, json!([]))).unwrap_err();
        assert_eq!(error.kind, kind, "{file}: {}", error.message);
        assert_eq!(error.context["error_code"], refusal.body["errorCode"].as_str().unwrap(), "{file}");
    }
}
