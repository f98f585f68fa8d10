//! The gateway: its answers, its refusals, and the swap and restore of a connection.

use flowswap_sim::{GATEWAY_HOST, Mutation, Scenario, Sim, SimTenant, diff};
use serde_json::{Value, json};

use crate::support::{Answer, ask, create_service, credentials, find, mixed_world};

async fn call(sim: &Sim, line: &str, body: Option<&Value>) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let request = ask(&format!("{method} https://{GATEWAY_HOST}{path}"));
    let request = request.auth(&format!("Bearer {}", sim.gateway_token()));
    match body {
        Some(body) => request.json(body).send(sim).await,
        None => request.send(sim).await,
    }
}

fn test_body(tenant: &SimTenant, id: &str, secret: &str) -> Value {
    json!({ "flow": "client_credentials", "domain": tenant.domain, "client_id": id, "client_secret": secret })
}

/// Tests a connection and returns the body for the submit.
async fn pass_test(sim: &Sim, tenant: &SimTenant, id: &str, secret: &str) -> Value {
    let mut body = test_body(tenant, id, secret);
    let path = format!("POST /v1/directories/{}/test-connection", tenant.directory_id);
    let tested = call(sim, &path, Some(&body)).await;
    assert_eq!(tested.json["result"], "success", "{}", tested.json);
    body["receipt"] = tested.json["receipt"].clone();
    body
}

/// A ready tenant that collects no application data.
fn plain_tenant(sim: &Sim) -> SimTenant {
    sim.tenants().into_iter().find(|tenant| tenant.scenario == Scenario::Ready && !tenant.app_data).unwrap()
}

#[tokio::test]
async fn after_a_swap_and_a_restore_everything_is_as_before() {
    let sim = mixed_world();
    let tenant = plain_tenant(&sim);
    let before = sim.snapshot();
    let (id, secret) = credentials(&create_service(&sim, &tenant).await);
    let submit = pass_test(&sim, &tenant, &id, &secret).await;
    let directory = format!("/v1/directories/{}", tenant.directory_id);
    let swapped = call(&sim, &format!("POST {directory}/reconnect"), Some(&submit)).await;
    assert_eq!(swapped.status, 200);
    assert_eq!(swapped.json["connection"]["flow"], "client_credentials");
    assert_eq!(swapped.json["connection"]["client_id"], id.as_str());
    assert_eq!(swapped.json["sync"]["status"], "success");
    assert!(!String::from_utf8(swapped.body.to_vec()).unwrap().contains(&secret));
    assert!(!diff(&before, &sim.snapshot()).is_empty());
    // The log of the org shows the new client.
    let filter = format!("filter=target.id+eq+%22{id}%22");
    let logs = ask(&format!("GET https://{}/api/v1/logs?{filter}", tenant.domain)).ssws(&tenant).send(&sim).await;
    assert!(logs.json.to_string().contains("PaloAltoNetworks-CIE/1.0"));

    let again = call(&sim, &format!("POST {directory}/reconnect"), Some(&submit)).await;
    assert_eq!(again.status, 409, "a receipt is valid for one submit");
    let restored = call(&sim, &format!("POST {directory}/restore"), Some(&json!({}))).await;
    assert_eq!(restored.json["connection"]["flow"], "authorization_code");
    assert_eq!(call(&sim, &format!("POST {directory}/restore"), Some(&json!({}))).await.status, 409);
    let url = format!("DELETE https://{}/integrations/api/v1/api-services/{id}", tenant.domain);
    ask(&url).ssws(&tenant).send(&sim).await;
    assert_eq!(diff(&before, &sim.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn a_submit_needs_a_test_of_the_same_connection() {
    let sim = mixed_world();
    let tenant = plain_tenant(&sim);
    let before = sim.snapshot();
    let (id, secret) = credentials(&create_service(&sim, &tenant).await);
    let (other, other_secret) = credentials(&create_service(&sim, &tenant).await);
    let tested = pass_test(&sim, &tenant, &id, &secret).await;
    let with = |changes: Value| {
        let mut body = tested.clone();
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let url = format!("POST /v1/directories/{}/reconnect", tenant.directory_id);
    for (changes, status) in [
        (json!({ "receipt": "rcp_none" }), 409),
        (json!({ "client_id": other, "client_secret": other_secret }), 409),
        (json!({ "client_secret": "wrong" }), 409),
        (json!({ "collect_applications": true }), 409),
        (json!({ "domain": "globex.okta.test" }), 422),
        (json!({ "domain": format!("https://{}", tenant.domain) }), 422),
        (json!({ "flow": "authorization_code" }), 422),
        (json!({ "flow": "magic" }), 400),
        (json!({ "name": "a-name-that-is-too-long" }), 422),
        (json!({ "name": "Capital" }), 422),
        (json!({ "surplus": 1 }), 400),
    ] {
        assert_eq!(call(&sim, &url, Some(&with(changes.clone()))).await.status, status, "{changes}");
    }
    let directories = |snapshot: &Value| snapshot["directories"].clone();
    assert_eq!(diff(&directories(&before), &directories(&sim.snapshot())), Vec::<String>::new());
    assert_eq!(call(&sim, &url, Some(&tested)).await.status, 200, "the receipt is still valid");
}

#[tokio::test]
async fn a_long_name_must_be_shortened_on_submit() {
    let sim = mixed_world();
    let tenant = plain_tenant(&sim);
    let long =
        Mutation::RenameDirectory { directory: tenant.directory_id.clone(), name: "acme.okta.test-long".to_owned() };
    sim.mutate(long).unwrap();
    let (id, secret) = credentials(&create_service(&sim, &tenant).await);
    let mut submit = pass_test(&sim, &tenant, &id, &secret).await;
    let url = format!("POST /v1/directories/{}/reconnect", tenant.directory_id);
    assert_eq!(call(&sim, &url, Some(&submit)).await.status, 422);
    submit["name"] = json!("acme-short");
    assert_eq!(call(&sim, &url, Some(&submit)).await.json["name"], "acme-short");
}

#[tokio::test]
async fn a_test_says_what_the_org_refused() {
    let sim = mixed_world();
    let apps_tenant =
        sim.tenants().into_iter().find(|tenant| tenant.scenario == Scenario::Ready && tenant.app_data).unwrap();
    let (id, secret) = credentials(&create_service(&sim, &apps_tenant).await);
    let url = format!("POST /v1/directories/{}/test-connection", apps_tenant.directory_id);
    for (id, secret, expected) in [
        (id.as_str(), secret.as_str(), "/api/v1/apps"),
        (id.as_str(), "wrong", "invalid_client"),
        ("0oaNobody", "x", "invalid_client"),
        ("1oaOther", "x", "must begin with 0"),
    ] {
        let answer = call(&sim, &url, Some(&test_body(&apps_tenant, id, secret))).await;
        assert_eq!((answer.status, &answer.json["result"]), (200, &json!("failed")));
        let reason = answer.json["reason"].as_str().unwrap();
        assert!(reason.contains(expected), "{reason}");
    }
    let mut without = test_body(&apps_tenant, &id, &secret);
    without["collect_applications"] = json!(false);
    assert_eq!(call(&sim, &url, Some(&without)).await.json["result"], "success");
}

#[tokio::test]
async fn a_restore_needs_the_legacy_app() {
    let sim = mixed_world();
    let tenant = plain_tenant(&sim);
    let legacy = sim.world().orgs.iter().find(|org| org.domain == tenant.domain).unwrap().legacy[0].id.clone();
    let (id, secret) = credentials(&create_service(&sim, &tenant).await);
    let submit = pass_test(&sim, &tenant, &id, &secret).await;
    let directory = format!("/v1/directories/{}", tenant.directory_id);
    call(&sim, &format!("POST {directory}/reconnect"), Some(&submit)).await;
    let (org, app) = (tenant.domain.clone(), legacy);
    sim.mutate(Mutation::SetAppActive { org: org.clone(), app: app.clone(), active: false }).unwrap();
    assert_eq!(call(&sim, &format!("POST {directory}/restore"), Some(&json!({}))).await.status, 409);
    sim.mutate(Mutation::SetAppActive { org: org.clone(), app: app.clone(), active: true }).unwrap();
    // After a second submit for the same client, a restore still gives the first connection.
    let submit = pass_test(&sim, &tenant, &id, &secret).await;
    assert_eq!(call(&sim, &format!("POST {directory}/reconnect"), Some(&submit)).await.status, 200);
    let restored = call(&sim, &format!("POST {directory}/restore"), Some(&json!({}))).await;
    assert_eq!(restored.json["connection"]["flow"], "authorization_code");
}

#[tokio::test]
async fn a_status_read_makes_a_sync_that_is_due() {
    let sim = mixed_world();
    let tenant = plain_tenant(&sim);
    let status = format!("GET /v1/directories/{}/status", tenant.directory_id);
    let first = call(&sim, &status, None).await.json;
    let legacy = sim.world().orgs.iter().find(|org| org.domain == tenant.domain).unwrap().legacy[0].id.clone();
    sim.clock().advance(std::time::Duration::from_secs(1));
    let second = call(&sim, &status, None).await.json;
    assert_ne!(first["sync"]["last_success"], second["sync"]["last_success"]);
    sim.mutate(Mutation::SetAppActive { org: tenant.domain.clone(), app: legacy, active: false }).unwrap();
    sim.clock().advance(std::time::Duration::from_secs(1));
    let third = call(&sim, &status, None).await.json;
    assert_eq!(third["sync"]["status"], "failed");
    assert_eq!(third["sync"]["last_success"], second["sync"]["last_success"]);
    assert_eq!(third["sync"]["users"], second["sync"]["users"], "the collected data stays in use");
}

#[tokio::test]
async fn the_list_has_pages_with_every_directory_once() {
    let sim = mixed_world();
    let (mut names, mut pages, mut path) = (Vec::new(), 0, "/v1/directories".to_owned());
    loop {
        let page = call(&sim, &format!("GET {path}"), None).await.json;
        names.extend(page["directories"].as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap().to_owned()));
        pages += 1;
        match page["next"].as_str() {
            Some(cursor) => path = format!("/v1/directories?cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(names, sim.tenants().into_iter().map(|tenant| tenant.name).collect::<Vec<_>>());
    assert!(pages > 1);
}

#[tokio::test]
async fn the_gateway_refuses_unknown_requests() {
    let sim = mixed_world();
    let id = find(&sim, Scenario::Ready).directory_id;
    for (line, status) in [
        ("GET /v1/directories?cursor=x".to_owned(), 400),
        ("GET /v1/directories/none".to_owned(), 404),
        ("GET /v2".to_owned(), 404),
        (format!("DELETE /v1/directories/{id}"), 405),
        (format!("POST /v1/directories/{id}/restore"), 415),
    ] {
        let answer = call(&sim, &line, None).await;
        assert_eq!(answer.status, status, "{line}");
        assert!(answer.json["error"]["code"].is_string() && answer.json["error"]["message"].is_string());
    }
    let url = format!("https://{GATEWAY_HOST}/v1/directories");
    for auth in ["Bearer wrong", "SSWS 00x"] {
        assert_eq!(ask(&format!("GET {url}")).auth(auth).send(&sim).await.status, 401);
    }
    let restore = ask(&format!("POST {url}/{id}/restore")).auth(&format!("Bearer {}", sim.gateway_token()));
    assert_eq!(restore.without_length().send(&sim).await.status, 411);
}
