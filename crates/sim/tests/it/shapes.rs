//! Compares the shape of the main objects with recordings of the real API, if these are beside the workspace.

use std::collections::BTreeMap;

use flowswap_sim::{Scenario, Sim, SimTenant};
use serde_json::Value;

use crate::description::find_shared;
use crate::support::{ask, create_service, find, mixed_world};

/// The type of every value by its path. All items of an array share one path.
fn list_types(value: &Value) -> BTreeMap<String, &'static str> {
    let mut types = BTreeMap::new();
    collect("", value, &mut types);
    types
}

fn collect(path: &str, value: &Value, types: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    types.insert(path.to_owned(), kind);
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(&format!("{path}/*"), item, types)),
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| collect(&format!("{path}/{name}"), member, types));
        }
        _ => {}
    }
}

/// The first recorded body of a matching exchange. The method `*` matches any method.
fn find_recorded(text: &str, method: &str, fits: impl Fn(&str, &Value) -> bool) -> Value {
    let file: Value = serde_json::from_str(text).unwrap();
    let mut exchanges = file["exchanges"].as_array().unwrap().iter().filter(|exchange| {
        let request = &exchange["request"];
        (method == "*" || request["method"] == method)
            && fits(request["path"].as_str().unwrap(), &exchange["response"]["body"])
    });
    exchanges.next().expect("a recorded exchange")["response"]["body"].clone()
}

/// The differences between two shapes, except below the paths that are known to differ.
fn compare(recorded: &Value, simulated: &Value, known: &[&str]) -> Vec<String> {
    let (recorded, simulated) = (list_types(recorded), list_types(simulated));
    let excused = |path: &String| known.iter().any(|known| path.starts_with(known));
    let mut lines = Vec::new();
    for (path, kind) in recorded.iter().filter(|(path, _)| !excused(path)) {
        match simulated.get(path) {
            None => lines.push(format!("{path} is missing")),
            Some(other) if other != kind => lines.push(format!("{path} is {other}, recorded as {kind}")),
            Some(_) => {}
        }
    }
    let extra = simulated.keys().filter(|path| !excused(path) && !recorded.contains_key(*path));
    lines.extend(extra.map(|path| format!("{path} was never recorded")));
    lines
}

async fn get(sim: &Sim, tenant: &SimTenant, path: &str) -> Value {
    ask(&format!("GET https://{}{path}", tenant.domain)).ssws(tenant).send(sim).await.json
}

fn read_recording(name: &str) -> Option<String> {
    find_shared(&format!("recordings/okta/{name}.json")).map(|file| std::fs::read_to_string(file).unwrap())
}

#[tokio::test]
async fn api_service_integrations_look_as_recorded() {
    let Some(text) = read_recording("api-service-read") else { return };
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let created = create_service(&sim, &tenant).await.json;
    let recorded = find_recorded(&text, "POST", |_, body| body.is_object());
    assert_eq!(compare(&recorded, &created, &[]), Vec::<String>::new());
    let path = format!("/integrations/api/v1/api-services/{}", created["id"].as_str().unwrap());
    let recorded = find_recorded(&text, "GET", |_, body| body.is_object());
    assert_eq!(compare(&recorded, &get(&sim, &tenant, &path).await, &[]), Vec::<String>::new());
}

#[tokio::test]
async fn oidc_apps_look_as_recorded() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let legacy = sim.world().orgs[0].legacy[0].id.clone();
    let Some(text) = read_recording("app-oauth-refresh-token") else { return };
    let recorded = find_recorded(&text, "GET", |path, _| path.starts_with("/api/v1/apps/"));
    let app = get(&sim, &tenant, &format!("/api/v1/apps/{legacy}")).await;
    // The recorded app also uses CIBA, which has additional members.
    let known = ["/settings/oauthClient/backchannel_"];
    assert_eq!(compare(&recorded, &app, &known), Vec::<String>::new());

    let Some(text) = read_recording("app-oauth-read") else { return };
    let recorded = find_recorded(&text, "GET", |path, _| path.ends_with("/credentials/secrets"));
    let secrets = get(&sim, &tenant, &format!("/api/v1/apps/{legacy}/credentials/secrets")).await;
    assert_eq!(compare(&recorded, &secrets, &[]), Vec::<String>::new());

    let Some(text) = read_recording("app-token") else { return };
    let recorded = find_recorded(&text, "GET", |path, _| path.contains("/tokens/"));
    let tokens = get(&sim, &tenant, &format!("/api/v1/apps/{legacy}/tokens")).await;
    // The recorded token belongs to a custom authorization server, and links to it.
    assert_eq!(compare(&recorded, &tokens[0], &["/_links/authorizationServer"]), Vec::<String>::new());
}

#[tokio::test]
async fn oktas_own_apps_and_the_org_look_as_recorded() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let Some(text) = read_recording("apps-list") else { return };
    let recorded = find_recorded(&text, "GET", |path, _| path == "/api/v1/apps");
    let apps = get(&sim, &tenant, "/api/v1/apps").await;
    let link = ["/visibility/appLinks/"];
    assert_eq!(compare(&recorded[0], &apps[0], &link), Vec::<String>::new());

    let Some(text) = read_recording("org-metadata") else { return };
    let recorded = find_recorded(&text, "GET", |_, _| true);
    let org = get(&sim, &tenant, "/.well-known/okta-organization").await;
    // Each org has different settings.
    assert_eq!(compare(&recorded, &org, &["/settings/"]), Vec::<String>::new());

    let Some(text) = read_recording("error-400-404-owners") else { return };
    let recorded = find_recorded(&text, "*", |_, body| body["errorCode"] == "E0000007");
    let error = get(&sim, &tenant, "/api/v1/apps/0oaNone").await;
    assert_eq!(compare(&recorded, &error, &[]), Vec::<String>::new());
}

#[test]
fn the_comparison_finds_each_kind_of_difference() {
    let (a, b) = (serde_json::json!({"x": 1, "y": [{"z": null}]}), serde_json::json!({"x": "1", "y": [{}], "w": 0}));
    assert_eq!(
        compare(&a, &b, &[]),
        ["/x is string, recorded as number", "/y/*/z is missing", "/w was never recorded"]
    );
}
