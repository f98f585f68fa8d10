//! Every answer to a tour through the API against the official description, where it lies beside the workspace.

use std::collections::BTreeSet;

use flowswap_sim::{Exchange, Fault, FaultKind, Mutation, Scenario, Sim, SimConfig, SimTenant};
use serde_json::{Map, Value, json};

use crate::support::{ask, create_service, credentials, find, find_shared, take_token};

/// What the tour must have been answered with at least once; a tour that shrinks would prove nothing.
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
async fn answers_are_what_the_official_description_promises() {
    let Some(file) = find_shared("spec/okta-subset.yaml") else { return };
    let spec: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let components = to_json_schema(&spec["components"]);
    let sim = Sim::in_process(SimConfig::default().record(true).page_size(20));
    tour(&sim).await;
    let (mut covered, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for exchange in sim.traffic() {
        let Some((path, method, response)) = find_response(&spec, &exchange) else { continue };
        covered.insert((method.clone(), path.clone(), exchange.status.unwrap()));
        for error in validate(&components, &response, &exchange) {
            wrong.insert(format!("{method} {path} {}: {error}", exchange.status.unwrap()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    let missing: Vec<_> = MUST_COVER
        .iter()
        .filter(|(method, path, status)| !covered.contains(&((*method).to_owned(), (*path).to_owned(), *status)))
        .collect();
    assert!(missing.is_empty(), "the tour leaves out {missing:?}");
}

#[test]
fn the_validation_finds_what_is_wrong() {
    let schemas = json!({ "schemas": { "A": {
        "type": "object", "required": ["id"], "properties": {
            "id": { "type": "string" }, "kind": { "type": "string", "nullable": true, "enum": ["x"] },
        },
    } } });
    let components = to_json_schema(&schemas);
    let errors = |body: Value| check(&components, &json!({ "$ref": "#/components/schemas/A" }), &body).len();
    assert_eq!(errors(json!({ "id": "a", "kind": "x" })), 0);
    assert_eq!(errors(json!({ "id": "a", "kind": null })), 0);
    assert_eq!(errors(json!({ "kind": "y" })), 2);
    assert_eq!(errors(json!({ "id": 1 })), 1);
}

/// Uses everything once, right and wrong.
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
    sim.add_fault(Fault { host, method: None, path: "/api/v1/apps".to_owned(), kind, times: 1, skip: 0 });
    ask(&format!("GET {}", url("/api/v1/apps"))).ssws(tenant).send(sim).await;
}

/// The path template, method and response object which describe an exchange, if any do.
fn find_response(spec: &Value, exchange: &Exchange) -> Option<(String, String, Value)> {
    let path = exchange.path_and_query.split('?').next()?;
    let parts: Vec<_> = path.split('/').collect();
    let fits = |template: &str| {
        let wanted: Vec<_> = template.split('/').collect();
        wanted.len() == parts.len() && wanted.iter().zip(&parts).all(|(w, p)| w.starts_with('{') || w == p)
    };
    let method = exchange.method.to_lowercase();
    let (template, item) = spec["paths"].as_object()?.iter().find(|(template, _)| fits(template))?;
    let response = item.get(&method)?["responses"].get(exchange.status?.to_string())?;
    let response = match response["$ref"].as_str() {
        Some(reference) => spec.pointer(reference.trim_start_matches('#'))?.clone(),
        None => response.clone(),
    };
    Some((template.clone(), method, response))
}

fn validate(components: &Value, response: &Value, exchange: &Exchange) -> Vec<String> {
    let schema = &response["content"]["application/json"]["schema"];
    // The bare 403 for a missing scope is as public reports have it; the description knows only the one with a body.
    if exchange.response_body.is_empty() {
        let expected = schema.is_null() || exchange.status == Some(403);
        return if expected { Vec::new() } else { vec!["the body is missing".to_owned()] };
    }
    let body: Value = serde_json::from_slice(&exchange.response_body).unwrap();
    if schema.is_null() {
        // Lifecycle answers are described without a schema and recorded as `{}`.
        return if body == json!({}) { Vec::new() } else { vec![format!("a body where none is described: {body}")] };
    }
    let mut errors = check(components, &to_json_schema(schema), &without_nulls(&body));
    let apps = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
    // The description tells kinds of apps apart by a discriminator, which JSON Schema does not know.
    for app in apps.iter().filter(|app| app["name"] == "oidc_client") {
        let schema = json!({ "$ref": "#/components/schemas/OpenIdConnectApplication" });
        errors.extend(check(components, &schema, &without_nulls(app)));
    }
    errors
}

fn check(components: &Value, schema: &Value, body: &Value) -> Vec<String> {
    let root = json!({ "allOf": [schema], "components": components });
    let validator = jsonschema::validator_for(&root).unwrap();
    validator.iter_errors(body).map(|error| format!("{} at {}", error, error.instance_path())).collect()
}

/// OpenAPI 3.0 to JSON Schema, as far as the description needs it: `nullable` becomes an alternative, and what only
/// explains is left out.
fn to_json_schema(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(to_json_schema).collect(),
        Value::Object(members) => {
            let nullable = members.get("nullable") == Some(&Value::Bool(true));
            let mut converted = Map::new();
            for (name, member) in members {
                let member = match (name.as_str(), member) {
                    ("nullable" | "discriminator" | "example" | "examples" | "description", _) => continue,
                    // Here the names are the object's own, and may be any of those above.
                    ("properties" | "schemas", Value::Object(named)) => {
                        named.iter().map(|(name, schema)| (name.clone(), to_json_schema(schema))).collect()
                    }
                    _ => to_json_schema(member),
                };
                converted.insert(name.clone(), member);
            }
            if nullable { json!({ "anyOf": [converted, { "type": "null" }] }) } else { Value::Object(converted) }
        }
        other => other.clone(),
    }
}

/// Without members that are null: Okta sends null for members which its description does not call nullable, and so do
/// the description's own examples of apps and log events.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, member)| !member.is_null());
            Value::Object(kept.map(|(name, member)| (name.clone(), without_nulls(member))).collect())
        }
        other => other.clone(),
    }
}
