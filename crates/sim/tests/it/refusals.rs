//! Log events about refused token requests, wrong secrets, and rate limits.

use flowswap_sim::{Mutation, RateLimits, Scenario, Sim, SimConfig, SimTenant};
use serde_json::Value;

use crate::support::{ask, create_service, credentials, find};

async fn events(sim: &Sim, tenant: &SimTenant, filter: &str) -> Vec<Value> {
    let filter: String =
        filter.chars().map(|c| if c.is_alphanumeric() { c.into() } else { format!("%{:02X}", c as u32) }).collect();
    let url = format!("GET https://{}/api/v1/logs?filter={filter}&limit=1000", tenant.domain);
    let answer = ask(&url).ssws(tenant).send(sim).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json.as_array().unwrap().clone()
}

async fn request_token(sim: &Sim, tenant: &SimTenant, id: &str, secret: &str) -> u16 {
    let url = format!("POST https://{}/oauth2/v1/token", tenant.domain);
    let form = "grant_type=client_credentials&scope=okta.users.read";
    ask(&url).basic(id, secret).form(form).send(sim).await.status
}

#[tokio::test]
async fn several_wrong_secrets_leave_an_event_and_a_correct_one_restarts_the_count() {
    let sim = Sim::in_process(SimConfig::default());
    let tenant = find(&sim, Scenario::Ready);
    let (id, secret) = credentials(&create_service(&sim, &tenant).await);
    let mut seen = Vec::new();
    for sent in ["x", "x", secret.as_str(), "x", "x", "x", "x"] {
        request_token(&sim, &tenant, &id, sent).await;
        seen.push(events(&sim, &tenant, "eventType eq \"app.oauth2.invalid_client_credentials\"").await.len());
    }
    assert_eq!(seen, [0, 0, 0, 0, 0, 1, 1]);
    let refused =
        format!("actor.id eq \"{id}\" and (outcome.reason eq \"invalid_client\" or outcome.result eq \"SUCCESS\")");
    let refused = events(&sim, &tenant, &refused).await;
    let kinds: Vec<_> = refused.iter().map(|event| event["eventType"].as_str().unwrap()).collect();
    let of = |kind: &str| kinds.iter().filter(|known| **known == kind).count();
    assert_eq!(of("app.oauth2.token.grant"), 6, "{kinds:?}");
    assert_eq!(of("app.oauth2.token.grant.access_token"), 1, "{kinds:?}");
}

/// A refresh that lacks a scope is refused, and the log has the reason.
#[tokio::test(start_paused = true)]
async fn the_log_shows_a_refresh_without_its_scope() {
    let sim = Sim::in_process(SimConfig::default());
    let tenant = find(&sim, Scenario::Ready);
    let org = sim.world().orgs.into_iter().find(|org| org.domain == tenant.domain).unwrap();
    let (app, scope) = (org.legacy[0].id.clone(), "okta.groups.read".to_owned());
    sim.mutate(Mutation::RemoveGrant { org: tenant.domain.clone(), app, scope }).unwrap();
    let status = format!("GET https://{}/v1/directories/{}/status", sim.gateway_host(), tenant.directory_id);
    sim.clock().advance(std::time::Duration::from_secs(60));
    let status = ask(&status).auth(&format!("Bearer {}", sim.gateway_token())).send(&sim).await;
    assert_eq!(status.json["sync"]["status"], "failed");
    let refused = events(
        &sim,
        &tenant,
        "debugContext.debugData.grantType eq \"refresh_token\" and outcome.result eq \"FAILURE\"",
    )
    .await;
    let shape = |event: &Value| {
        let debug = &event["debugContext"]["debugData"];
        [
            &event["eventType"],
            &event["outcome"]["reason"],
            &event["actor"]["type"],
            &debug["requestedScopes"],
            &debug["requestUri"],
        ]
        .map(|text| text.as_str().unwrap().to_owned())
    };
    let expected = ["app.oauth2.token.grant", "no_matching_scope", "PublicClientApp", "", "/oauth2/v1/token"];
    assert_eq!(refused.iter().map(shape).collect::<Vec<_>>(), [expected.map(str::to_owned)]);
}

/// An exceeded limit leaves two events per window: one for the org, and one for the operation.
#[tokio::test(start_paused = true)]
async fn an_exceeded_limit_leaves_events() {
    let sim = Sim::in_process(SimConfig::default().rate_limits(RateLimits::Each(3)));
    let tenant = find(&sim, Scenario::Ready);
    sim.clock().advance(std::time::Duration::from_secs(60));
    let apps = format!("GET https://{}/api/v1/apps", tenant.domain);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(ask(&apps).ssws(&tenant).send(&sim).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    sim.clock().advance(std::time::Duration::from_secs(60));
    let kinds =
        "eventType eq \"system.org.rate_limit.violation\" or eventType eq \"system.operation.rate_limit.violation\"";
    assert_eq!(events(&sim, &tenant, kinds).await.len(), 2);
    assert_eq!(events(&sim, &tenant, "eventType eq \"system.client.rate_limit.violation\"").await.len(), 0);
}
