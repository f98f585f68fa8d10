//! Checks every answer of a tour through the API against the official description, if that is beside the workspace.

use std::collections::BTreeSet;

use flowswap_sim::{Fault, FaultKind, Mutation, Scenario, Sim, SimConfig, SimTenant};
use serde_json::{Value, json};

use crate::description::Description;
use crate::support::{ask, create_service, credentials, find, take_token};

/// The answers that the tour must get at least once. Guards against a tour that covers less than before.
const MUST_COVER: &[(&str, &str, u16)] = &[
    ("get", "/.well-known/okta-organization", 200),
    ("get", "/api/v1/apps", 200),
    ("get", "/api/v1/apps", 429),
    ("get", "/api/v1/apps/{appId}", 200),
    ("get", "/api/v1/apps/{appId}", 404),
    ("delete", "/api/v1/apps/{appId}", 204),
    ("delete", "/api/v1/apps/{appId}", 403),
    ("get", "/api/v1/apps/{appId}/credentials/secrets", 200),
    ("get", "/api/v1/apps/{appId}/grants", 200),
    ("get", "/api/v1/apps/{appId}/tokens", 200),
    ("post", "/api/v1/apps/{appId}/lifecycle/activate", 200),
    ("post", "/api/v1/apps/{appId}/lifecycle/deactivate", 200),
    ("get", "/api/v1/authorizationServers", 200),
    ("get", "/api/v1/groups", 200),
    ("get", "/api/v1/logs", 200),
    ("get", "/api/v1/logs", 400),
    ("get", "/api/v1/users", 200),
    ("get", "/api/v1/users", 403),
    ("get", "/integrations/api/v1/api-services", 200),
    ("get", "/integrations/api/v1/api-services", 401),
    ("post", "/integrations/api/v1/api-services", 201),
    ("post", "/integrations/api/v1/api-services", 400),
    ("get", "/integrations/api/v1/api-services/{apiServiceId}", 200),
    ("get", "/integrations/api/v1/api-services/{apiServiceId}", 404),
    ("delete", "/integrations/api/v1/api-services/{apiServiceId}", 204),
    ("get", "/integrations/api/v1/api-services/{apiServiceId}/credentials/secrets", 200),
    ("post", "/integrations/api/v1/api-services/{apiServiceId}/credentials/secrets", 201),
    ("post", "/integrations/api/v1/api-services/{apiServiceId}/credentials/secrets", 400),
    ("delete", "/integrations/api/v1/api-services/{apiServiceId}/credentials/secrets/{secretId}", 204),
    ("post", "/integrations/api/v1/api-services/{apiServiceId}/credentials/secrets/{secretId}/lifecycle/activate", 200),
    (
        "post",
        "/integrations/api/v1/api-services/{apiServiceId}/credentials/secrets/{secretId}/lifecycle/deactivate",
        200,
    ),
    ("post", "/oauth2/v1/token", 200),
    ("post", "/oauth2/v1/token", 400),
    ("post", "/oauth2/v1/token", 401),
];

#[tokio::test]
async fn answers_match_the_official_description() {
    let Some(description) = Description::load() else { return };
    let sim = Sim::in_process(SimConfig::default().record(true).page_size(20));
    tour(&sim).await;
    let (mut covered, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for exchange in sim.traffic() {
        let (Some(operation), Some(status)) = (description.find_operation(&exchange), exchange.status) else {
            continue;
        };
        let Some(errors) = description.check_answer(operation, &exchange) else { continue };
        let (method, path) = (operation.method, operation.template);
        covered.insert((method.to_owned(), path.to_owned(), status));
        wrong.extend(errors.into_iter().map(|error| format!("{method} {path} {status}: {error}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    let missing: Vec<_> = MUST_COVER
        .iter()
        .filter(|(method, path, status)| !covered.contains(&((*method).to_owned(), (*path).to_owned(), *status)))
        .collect();
    assert!(missing.is_empty(), "the tour leaves out {missing:?}");
}

#[test]
fn the_validation_finds_errors() {
    let description = Description::new(json!({ "components": { "schemas": { "A": {
        "type": "object", "required": ["id"], "properties": {
            "id": { "type": "string" }, "kind": { "type": "string", "nullable": true, "enum": ["x"] },
        },
    } } } }));
    let errors = |body: Value| description.check(&json!({ "$ref": "#/components/schemas/A" }), &body).len();
    assert_eq!(errors(json!({ "id": "a", "kind": "x" })), 0);
    assert_eq!(errors(json!({ "id": "a", "kind": null })), 0);
    assert_eq!(errors(json!({ "kind": "y" })), 2);
    assert_eq!(errors(json!({ "id": 1 })), 1);
}

/// Uses every operation once, correctly and incorrectly.
async fn tour(sim: &Sim) {
    let tenant = find(sim, Scenario::Ready);
    let send = |line: String| {
        let (method, path) = line.split_once(' ').unwrap();
        let request = ask(&format!("{method} https://{}{path}", tenant.domain)).ssws(&tenant);
        async move { request.send(sim).await }
    };
    let (id, secret) = credentials(&create_service(sim, &tenant).await);
    let services = "/integrations/api/v1/api-services";
    let secrets = format!("{services}/{id}/credentials/secrets");
    let legacy = sim.world().orgs[0].legacy[0].id.clone();
    for path in ["/.well-known/okta-organization", "/.well-known/oauth-authorization-server"] {
        send(format!("GET {path}")).await;
    }
    for path in ["apps", "users", "groups", "authorizationServers", "logs", "logs?limit=5000", "apps/0oaNone"] {
        send(format!("GET /api/v1/{path}")).await;
    }
    for path in ["", "/grants", "/credentials/secrets", "/tokens"] {
        send(format!("GET /api/v1/apps/{legacy}{path}")).await;
    }
    for path in [services.to_owned(), format!("{services}/{id}"), format!("{services}/none"), secrets.clone()] {
        send(format!("GET {path}")).await;
    }
    take_token(sim, &tenant.domain, &id, &secret, "okta.users.read okta.groups.read").await;
    take_token(sim, &tenant.domain, &id, "wrong", "okta.users.read").await;
    take_token(sim, &tenant.domain, &id, &secret, "").await;
    send(format!("GET /api/v1/logs?filter=target.id+eq+%22{id}%22")).await;

    let second = send(format!("POST {secrets}")).await.json["id"].as_str().unwrap().to_owned();
    send(format!("POST {secrets}")).await;
    for verb in ["deactivate", "activate", "deactivate"] {
        send(format!("POST {secrets}/{second}/lifecycle/{verb}")).await;
    }
    send(format!("GET {secrets}")).await;
    send(format!("DELETE {secrets}/{second}")).await;
    send(format!("DELETE {services}/{id}")).await;
    refusals(sim, &tenant).await;

    send(format!("DELETE /api/v1/apps/{legacy}")).await;
    for verb in ["deactivate", "activate", "deactivate"] {
        send(format!("POST /api/v1/apps/{legacy}/lifecycle/{verb}")).await;
    }
    send(format!("GET /api/v1/apps/{legacy}")).await;
    send(format!("DELETE /api/v1/apps/{legacy}")).await;
    sim.mutate(Mutation::SetAuthorizationServers { org: tenant.domain.clone(), enabled: false }).unwrap();
    send("GET /api/v1/authorizationServers".to_owned()).await;
}

async fn refusals(sim: &Sim, tenant: &SimTenant) {
    let url = |path: &str| format!("https://{}{path}", tenant.domain);
    ask(&format!("GET {}", url("/integrations/api/v1/api-services"))).auth("SSWS 00x").send(sim).await;
    ask(&format!("GET {}", url("/api/v1/users"))).send(sim).await;
    let body = json!({ "type": "none", "grantedScopes": [] });
    ask(&format!("POST {}", url("/integrations/api/v1/api-services"))).ssws(tenant).json(&body).send(sim).await;
    let kind = FaultKind::TooManyRequests { reset_seconds: 1 };
    let host = tenant.domain.clone();
    sim.add_fault(Fault {
        host,
        method: None,
        path: "/api/v1/apps".to_owned(),
        query: String::new(),
        kind,
        times: 1,
        skip: 0,
    });
    ask(&format!("GET {}", url("/api/v1/apps"))).ssws(tenant).send(sim).await;
}
