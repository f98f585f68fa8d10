//! Faults, added over the admin host like in the tests of other crates.

use flowswap_sim::{ADMIN_HOST, RateLimits, Scenario, Sim, SimConfig};
use serde_json::{Value, json};

use crate::support::{Answer, ask, create_service, find, mixed_world};

async fn admin(sim: &Sim, line: &str, body: Option<&Value>) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let request = ask(&format!("{method} https://{ADMIN_HOST}{path}")).auth(&format!("Bearer {}", sim.admin_token()));
    match body {
        Some(body) => request.json(body).send(sim).await,
        None => request.send(sim).await,
    }
}

#[tokio::test]
async fn faults_fire_the_requested_number_of_times_and_are_counted() {
    let sim = mixed_world();
    let (tenant, other) = (sim.tenants()[0].clone(), sim.tenants()[1].clone());
    let order = json!([
        { "host": tenant.domain, "method": "GET", "path": "/api/v1/apps", "kind": "429", "reset_seconds": 2 },
        { "host": tenant.domain, "path": "/api/v1", "kind": "status", "status": 503 },
        { "host": tenant.domain, "path": "/api/v1/users", "kind": "drop_before" },
    ]);
    assert_eq!(admin(&sim, "POST /faults", Some(&order)).await.status, 200);
    let apps = |domain: &str| format!("GET https://{domain}/api/v1/apps");
    assert_eq!(
        ask(&apps(&other.domain)).ssws(&other).send(&sim).await.status,
        200,
        "the fault does not affect another org"
    );

    let limited = ask(&apps(&tenant.domain)).ssws(&tenant).send(&sim).await;
    assert_eq!((limited.status, limited.json["errorCode"].as_str()), (429, Some("E0000047")));
    assert_eq!(limited.header("x-rate-limit-remaining"), "0");
    let reset: i64 = limited.header("x-rate-limit-reset").parse().unwrap();
    assert!((1..=3).contains(&(reset - sim.clock().now().as_second())), "{reset}");
    assert!(limited.header("date").ends_with(" GMT"));

    let failed = ask(&apps(&tenant.domain)).ssws(&tenant).send(&sim).await;
    assert_eq!((failed.status, failed.json["errorCode"].as_str()), (503, Some("E0000010")));
    assert_eq!(ask(&apps(&tenant.domain)).ssws(&tenant).send(&sim).await.status, 200);
    let users = format!("GET https://{}/api/v1/users", tenant.domain);
    assert!(ask(&users).ssws(&tenant).try_send(&sim).await.is_none());

    let report = admin(&sim, "GET /faults", None).await.json;
    let fired: Vec<_> = report["faults"].as_array().unwrap().iter().map(|fault| fault["fired"].clone()).collect();
    assert_eq!(fired, [1, 1, 1]);
    assert_eq!(report["faults"][0]["kind"], "429");
    assert_eq!(admin(&sim, "DELETE /faults", None).await.json["faults"], json!([]));
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_was_carried_out_and_one_dropped_before_was_not() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    for (kind, made) in [("drop_before", 0), ("drop_after_commit", 1), ("cut_body", 2)] {
        let order = json!({ "host": tenant.domain, "method": "POST", "path": "/integrations", "kind": kind });
        admin(&sim, "POST /faults", Some(&order)).await;
        let body = json!({ "type": sim.variant_types().plain, "grantedScopes": crate::support::PLAIN });
        let line = format!("POST https://{}/integrations/api/v1/api-services", tenant.domain);
        assert!(ask(&line).ssws(&tenant).json(&body).try_send(&sim).await.is_none(), "{kind}");
        assert_eq!(sim.world().orgs[0].service_clients.len(), made, "{kind}");
    }
    let lost: Vec<_> = sim.traffic().into_iter().filter(|exchange| exchange.status.is_none()).collect();
    assert_eq!(lost.len(), 3);
    // A repeated request makes another client, like at Okta as far as is known.
    assert_eq!(create_service(&sim, &tenant).await.status, 201);
    assert_eq!(sim.world().orgs[0].service_clients.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_answer_after_a_commit_can_be_wrong_or_late() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    for (kind, status, made, wait) in [
        (json!({ "kind": "status_after_commit", "status": 500 }), 500, 1, 0),
        (json!({ "kind": "delay_after_commit", "milliseconds": 300 }), 201, 2, 300),
    ] {
        let mut order = json!({ "host": tenant.domain, "method": "POST", "path": "/integrations" });
        order.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
        admin(&sim, "POST /faults", Some(&order)).await;
        let before = tokio::time::Instant::now();
        assert_eq!(create_service(&sim, &tenant).await.status, status, "{kind}");
        assert_eq!(before.elapsed().as_millis(), wait, "{kind}");
        assert_eq!(sim.world().orgs[0].service_clients.len(), made, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_and_the_latency_are_added() {
    let latency = std::time::Duration::from_millis(20);
    let sim = Sim::in_process(SimConfig::default().latency(latency));
    let tenant = find(&sim, Scenario::Ready);
    let line = format!("GET https://{}/.well-known/okta-organization", tenant.domain);
    let order = json!({ "host": "*", "kind": "delay", "milliseconds": 500 });
    admin(&sim, "POST /faults", Some(&order)).await;
    for expected in [520, 20] {
        let before = tokio::time::Instant::now();
        assert_eq!(ask(&line).send(&sim).await.status, 200);
        assert_eq!(before.elapsed().as_millis(), expected);
    }
}

#[tokio::test]
async fn a_rate_limit_refuses_until_the_window_ends() {
    let sim = Sim::in_process(SimConfig::default().rate_limits(RateLimits::Each(20)));
    let tenant = find(&sim, Scenario::Ready);
    let users = format!("GET https://{}/api/v1/users?limit=1", tenant.domain);
    let mut left = None;
    let refused = loop {
        let answer = ask(&users).ssws(&tenant).send(&sim).await;
        if answer.status == 429 {
            break answer;
        }
        let remaining: u32 = answer.header("x-rate-limit-remaining").parse().unwrap();
        assert!(left.is_none_or(|before| remaining + 1 == before));
        left = Some(remaining);
    };
    assert_eq!(left, Some(0));
    assert_eq!(refused.json["errorCode"], "E0000047");
    sim.clock().advance(std::time::Duration::from_secs(60));
    assert_eq!(ask(&users).ssws(&tenant).send(&sim).await.status, 200);
}

#[tokio::test]
async fn the_admin_host_requires_its_token_and_refuses_unknown_input() {
    let sim = mixed_world();
    assert_eq!(ask(&format!("GET https://{ADMIN_HOST}/world")).send(&sim).await.status, 401);
    assert_eq!(admin(&sim, "POST /faults", Some(&json!({ "host": "*", "kind": "earthquake" }))).await.status, 400);
    assert_eq!(admin(&sim, "POST /mutate", Some(&json!({ "op": "explode" }))).await.status, 400);
    assert_eq!(admin(&sim, "GET /nothing", None).await.status, 404);
    assert_eq!(ask("GET https://elsewhere.test/").send(&sim).await.status, 421);
}
