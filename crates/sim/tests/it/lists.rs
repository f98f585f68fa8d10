//! Pages, links, filters, and the System Log.

use std::collections::BTreeSet;

use flowswap_sim::{Scenario, Sim, SimConfig};
use serde_json::Value;

use crate::support::{ask, create_service, credentials, find, mixed_world, take_token};

#[tokio::test]
async fn the_legacy_client_is_found_only_by_following_the_pages() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let mut url = format!("https://{}/api/v1/apps?limit=200", tenant.domain);
    let (mut apps, mut pages) = (Vec::new(), 0);
    loop {
        let page = ask(&format!("GET {url}")).ssws(&tenant).send(&sim).await;
        assert_eq!(page.link("self").unwrap(), url);
        let items = page.json.as_array().unwrap();
        assert!(items.len() <= 2, "the page size applies whatever limit says");
        apps.extend(items.clone());
        pages += 1;
        match page.link("next") {
            Some(next) => url = next,
            None => break,
        }
    }
    let ids: BTreeSet<_> = apps.iter().map(|app| app["id"].as_str().unwrap()).collect();
    assert_eq!((apps.len(), ids.len(), pages), (9, 9, 5));
    let redirects = |app: &Value| app["settings"]["oauthClient"]["redirect_uris"].to_string();
    let position = apps.iter().position(|app| redirects(app).contains("directory-sync")).unwrap();
    assert!((2..apps.len() - 2).contains(&position), "neither on the first page nor on the last");
    // Okta's own OIDC apps have no OAuth client to look into.
    let custom = |app: &Value| app["settings"].get("oauthClient").is_some();
    assert!(apps.iter().all(|app| custom(app) == (app["name"] == "oidc_client")));
}

#[tokio::test]
async fn filters_and_prefixes_narrow_the_list() {
    let sim = Sim::in_process(SimConfig::default().page_size(100));
    let tenant = find(&sim, Scenario::Ready);
    for (query, expected) in [
        ("", 9),
        ("filter=name+eq+%22oidc_client%22", 5),
        ("q=okta", 3),
        ("q=palo+alto", 1),
        ("filter=status+eq+%22INACTIVE%22", 0),
        ("filter=name+eq+%22oidc_client%22&limit=2", 2),
    ] {
        let url = format!("GET https://{}/api/v1/apps?{query}", tenant.domain);
        assert_eq!(ask(&url).ssws(&tenant).send(&sim).await.json.as_array().unwrap().len(), expected, "{query}");
    }
}

#[tokio::test]
async fn the_order_of_scopes_changes_between_answers() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let (id, _) = credentials(&create_service(&sim, &tenant).await);
    let url = format!("GET https://{}/integrations/api/v1/api-services/{id}", tenant.domain);
    let mut orders = BTreeSet::new();
    let mut sets = BTreeSet::new();
    for _ in 0..10 {
        let scopes = ask(&url).ssws(&tenant).send(&sim).await.json["grantedScopes"].as_array().unwrap().clone();
        let mut scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str().unwrap().to_owned()).collect();
        orders.insert(scopes.clone());
        scopes.sort();
        sets.insert(scopes);
    }
    assert!(orders.len() > 1);
    assert_eq!(sets.len(), 1);
}

#[tokio::test]
async fn the_log_shows_tokens_and_their_clients_but_no_secret() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let (id, secret) = credentials(&create_service(&sim, &tenant).await);
    take_token(&sim, &tenant.domain, &id, &secret, "okta.users.read").await;
    take_token(&sim, &tenant.domain, &id, "wrong", "okta.users.read").await;
    let logs = format!("https://{}/api/v1/logs", tenant.domain);
    let kinds = ["app.oauth2.token.grant.access_token", "app.oauth2.token.grant"]
        .map(|kind| format!("eventType+eq+%22{kind}%22"));
    let filter = format!("({})+and+target.id+eq+%22{id}%22", kinds.join("+or+"));
    let grants = ask(&format!("GET {logs}?filter={filter}")).ssws(&tenant).send(&sim).await;
    let outcomes: Vec<_> = grants.json.as_array().unwrap().iter().map(|e| e["outcome"]["result"].clone()).collect();
    assert_eq!(outcomes, ["SUCCESS", "FAILURE"]);
    let kinds: Vec<_> = grants.json.as_array().unwrap().iter().map(|e| e["eventType"].clone()).collect();
    assert_eq!(kinds, ["app.oauth2.token.grant.access_token", "app.oauth2.token.grant"]);

    let all = ask(&format!("GET {logs}?limit=1000")).ssws(&tenant).send(&sim).await;
    let text = String::from_utf8(all.body.to_vec()).unwrap();
    assert!(text.contains("integration.api_service.lifecycle.authorize"));
    assert!(!text.contains(&secret));
    // The log also shows the directory's first sync, under its own user agent.
    assert!(text.contains("PaloAltoNetworks-CIE/1.0"));

    // The link for polling is always there and continues from the end.
    let next = all.link("next").unwrap();
    assert_eq!(ask(&format!("GET {next}")).ssws(&tenant).send(&sim).await.json.as_array().unwrap().len(), 0);
    take_token(&sim, &tenant.domain, &id, &secret, "okta.users.read").await;
    assert_eq!(ask(&format!("GET {next}")).ssws(&tenant).send(&sim).await.json.as_array().unwrap().len(), 1);
    let later = sim.clock().now() + jiff::SignedDuration::from_secs(60);
    let none = ask(&format!("GET {logs}?since={later}")).ssws(&tenant).send(&sim).await;
    assert_eq!(none.json.as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn an_org_without_the_feature_answers_e0000015() {
    let sim = mixed_world();
    let mut statuses = BTreeSet::new();
    for tenant in sim.tenants() {
        let url = format!("GET https://{}/api/v1/authorizationServers?limit=1", tenant.domain);
        let answer = ask(&url).ssws(&tenant).send(&sim).await;
        statuses.insert((answer.status, answer.json["errorCode"].as_str().map(str::to_owned)));
    }
    assert_eq!(statuses, BTreeSet::from([(200, None), (401, Some("E0000015".to_owned()))]));
}
