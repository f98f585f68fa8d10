//! Compares requests and answers with the official API description. The description must contain every request of the
//! plugin `okta`, and the simulator must answer as described.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_sim::{Exchange, Fault, FaultKind, OKTA_SUFFIX, SimConfig};
use serde_json::{Map, Value};

use crate::support::Lab;

#[path = "../../crates/sim/tests/it/description.rs"]
mod description;

use description::{Description, Operation};

/// The operations of a migration and a rollback. A run that leaves one out would prove less.
const MUST_COVER: &[(&str, &str)] = &[
    ("get", "/.well-known/okta-organization"),
    ("get", "/api/v1/apps"),
    ("get", "/api/v1/apps/{appId}"),
    ("delete", "/api/v1/apps/{appId}"),
    ("get", "/api/v1/apps/{appId}/grants"),
    ("post", "/api/v1/apps/{appId}/lifecycle/activate"),
    ("post", "/api/v1/apps/{appId}/lifecycle/deactivate"),
    ("get", "/api/v1/authorizationServers"),
    ("get", "/api/v1/groups"),
    ("get", "/api/v1/logs"),
    ("get", "/api/v1/users"),
    ("get", "/integrations/api/v1/api-services"),
    ("post", "/integrations/api/v1/api-services"),
    ("get", "/integrations/api/v1/api-services/{apiServiceId}"),
    ("delete", "/integrations/api/v1/api-services/{apiServiceId}"),
    ("get", "/integrations/api/v1/api-services/{apiServiceId}/credentials/secrets"),
    ("post", "/integrations/api/v1/api-services/{apiServiceId}/credentials/secrets"),
    ("delete", "/integrations/api/v1/api-services/{apiServiceId}/credentials/secrets/{secretId}"),
    ("post", "/integrations/api/v1/api-services/{apiServiceId}/credentials/secrets/{secretId}/lifecycle/deactivate"),
    ("post", "/oauth2/v1/token"),
];

/// Operations of the official description that the part of it here leaves out: listApplicationUsers, getUser, and
/// listAssignedRolesForUser.
const ELSEWHERE: [(&str, &str); 3] =
    [("/api/v1/apps/", "/users"), ("/api/v1/users/", "me"), ("/api/v1/users/", "/roles")];

#[test]
fn requests_and_answers_match_the_official_description() {
    let Some(description) = Description::load() else { return };
    let (mut covered, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for exchange in record_everything().iter().filter(|exchange| exchange.host.ends_with(OKTA_SUFFIX)) {
        let line = format!("{} {}", exchange.method, exchange.path_and_query);
        let Some(operation) = description.find_operation(exchange) else {
            let path = exchange.path_and_query.split('?').next().unwrap_or_default();
            if ELSEWHERE.iter().any(|(start, end)| path.starts_with(start) && path.ends_with(end)) {
                continue;
            }
            wrong.insert(format!("{line}: there is no such operation"));
            continue;
        };
        covered.insert((operation.method.to_owned(), operation.template.to_owned()));
        let mut errors = check_request(&description, operation, exchange);
        // A connection that was closed on purpose has no answer. An error that the description lacks has no schema.
        errors.extend(description.check_answer(operation, exchange).unwrap_or_default());
        wrong.extend(errors.into_iter().map(|error| format!("{line} → {:?}: {error}", exchange.status)));
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    let is_missing = |(method, path): &&(&str, &str)| !covered.contains(&((*method).to_owned(), (*path).to_owned()));
    let missing: Vec<_> = MUST_COVER.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "never asked: {missing:?}\nasked: {covered:#?}");
}

#[test]
fn requests_that_do_not_match_the_description_are_found() {
    let Some(description) = Description::load() else { return };
    let good = Exchange {
        host: "acme.okta.test".to_owned(),
        method: "POST".to_owned(),
        path_and_query: "/integrations/api/v1/api-services".to_owned(),
        request_headers: header("SSWS x", "application/json"),
        request_body: br#"{"type":"t","grantedScopes":["okta.users.read"]}"#.to_vec().into(),
        status: None,
        response_headers: vec![],
        response_body: Default::default(),
        began: std::time::Instant::now(),
        ended: std::time::Instant::now(),
    };
    let token = Exchange {
        path_and_query: "/oauth2/v1/token".to_owned(),
        request_headers: header("Basic x", "application/x-www-form-urlencoded"),
        request_body: b"grant_type=client_credentials&scope=okta.users.read".to_vec().into(),
        ..good.clone()
    };
    let body = |text: &str| text.as_bytes().to_vec().into();
    let table: [(Exchange, usize); 9] = [
        (good.clone(), 0),
        (token.clone(), 0),
        (Exchange { request_headers: header("Basic x", "application/json"), ..good.clone() }, 1),
        (Exchange { request_headers: header("SSWS x", "text/plain"), ..good.clone() }, 1),
        (Exchange { request_body: body(r#"{"grantedScopes":[]}"#), ..good.clone() }, 1),
        (Exchange { request_body: body(r#"{"type":"t","grantedScopes":[],"secret":1}"#), ..good.clone() }, 1),
        (Exchange { path_and_query: format!("{}?limit=1", good.path_and_query), ..good.clone() }, 1),
        (Exchange { request_headers: header("SSWS x", "application/x-www-form-urlencoded"), ..token.clone() }, 1),
        (Exchange { request_body: body("grant_type=nonsense"), ..token.clone() }, 1),
    ];
    for (exchange, expected) in table {
        let operation = description.find_operation(&exchange).unwrap();
        let errors = check_request(&description, operation, &exchange);
        assert_eq!(errors.len(), expected, "{exchange:?}: {errors:#?}");
    }
}

/// Migrates, rolls back, and finalizes tenants. The answer to one creation is lost, so its secret must be created
/// again.
fn record_everything() -> Vec<Exchange> {
    let lab = Lab::new(SimConfig::default().tenants(5).record(true));
    let org = lab.sim.tenants()[0].domain.clone();
    let path = "/integrations/api/v1/api-services".to_owned();
    let (method, kind) = (Some("POST".to_owned()), FaultKind::DropAfterCommit);
    lab.run(&["check"]).expect(0);
    lab.plan().expect(0);
    lab.sim.add_fault(Fault { host: org, method, path, query: String::new(), kind, times: 1, skip: 0 });
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab.run(&["finalize", "--all", "--yes"]).expect(0);
    lab.run(&["finalize", "globex", "--purge", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    assert_eq!(lab.sim.faults()[0].fired, 1);
    lab.sim.traffic()
}

fn header(authorization: &str, content_type: &str) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![pair("authorization", authorization), pair("content-type", content_type)]
}

/// What is wrong with a request.
fn check_request(description: &Description, operation: Operation<'_>, exchange: &Exchange) -> Vec<String> {
    let mut errors = check_query(description, operation, exchange);
    errors.extend(check_authorization(operation, exchange));
    errors.extend(check_body(description, operation, exchange));
    errors
}

fn check_query(description: &Description, operation: Operation<'_>, exchange: &Exchange) -> Vec<String> {
    let Some((_, query)) = exchange.path_and_query.split_once('?') else { return Vec::new() };
    let parameters = operation.object["parameters"].as_array().cloned().unwrap_or_default();
    let known: BTreeMap<String, Value> = parameters
        .iter()
        .map(|parameter| description.resolve(parameter))
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| (parameter["name"].as_str().unwrap().to_owned(), parameter["schema"].clone()))
        .collect();
    let mut errors = Vec::new();
    for (name, value) in decode_form(query) {
        match known.get(&name) {
            None => errors.push(format!("there is no query parameter `{name}`")),
            Some(schema) if schema["type"] == "integer" => match value.parse::<i64>() {
                Ok(number) => errors.extend(description.check(schema, &number.into())),
                Err(_) => errors.push(format!("`{name}` is no number: {value}")),
            },
            Some(schema) => errors.extend(description.check(schema, &value.into())),
        }
    }
    errors
}

/// Checks that the scheme of `Authorization` is permitted by the operation, or is missing if the operation permits
/// none.
fn check_authorization(operation: Operation<'_>, exchange: &Exchange) -> Option<String> {
    let sent = find_header(exchange, "authorization").map(|value| value.split(' ').next().unwrap_or_default());
    let permitted = operation.object["security"].as_array().cloned().unwrap_or_default();
    let words: Vec<&str> = permitted
        .iter()
        .flat_map(|alternative| alternative.as_object().unwrap().keys())
        .filter_map(|scheme| match scheme.as_str() {
            "apiToken" => Some("SSWS"),
            "oauth2" => Some("Bearer"),
            "Client_authentication_client_secret_basic" => Some("Basic"),
            // The other schemes send the credentials in the body, and flowswap does not use them.
            _ => None,
        })
        .collect();
    let fits = sent.map_or(words.is_empty(), |sent| words.contains(&sent));
    (!fits).then(|| format!("authorized by {sent:?}, and not by one of {words:?}"))
}

fn check_body(description: &Description, operation: Operation<'_>, exchange: &Exchange) -> Vec<String> {
    let content = &operation.object["requestBody"]["content"];
    let Some(content) = content.as_object() else {
        let surplus = (!exchange.request_body.is_empty()).then(|| "a body where none is described".to_owned());
        return surplus.into_iter().collect();
    };
    let kind = find_header(exchange, "content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    let Some(schema) = content.get(kind).map(|media| &media["schema"]) else {
        return vec![format!("a body of type `{kind}`")];
    };
    let body: Value = match kind {
        "application/json" => serde_json::from_slice(&exchange.request_body).unwrap(),
        _ => {
            let fields = decode_form(std::str::from_utf8(&exchange.request_body).unwrap());
            Value::Object(fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect::<Map<_, _>>())
        }
    };
    let schema = specialize(description, schema, &body);
    let mut errors = description.check(schema, &body);
    // Okta ignores unknown members, so a request that sends one would not do what it intends.
    let known = list_members(description, schema);
    let unknown = body.as_object().unwrap().keys().filter(|name| !known.contains(*name));
    errors.extend(unknown.map(|name| format!("there is no member `{name}`")));
    errors
}

/// The schema that the body's discriminator leads to, if there is one.
fn specialize<'a>(description: &'a Description, schema: &'a Value, body: &Value) -> &'a Value {
    let schema = description.resolve(schema);
    let discriminator = &schema["discriminator"];
    let word = discriminator["propertyName"].as_str().and_then(|name| body[name].as_str());
    let mapped = word.map(|word| &discriminator["mapping"][word]).filter(|mapped| mapped.is_string());
    match mapped {
        Some(reference) => description.resolve_reference(reference.as_str().unwrap()),
        None => schema,
    }
}

fn list_members(description: &Description, schema: &Value) -> BTreeSet<String> {
    let schema = description.resolve(schema);
    let own = schema["properties"].as_object().into_iter().flat_map(|members| members.keys().cloned());
    let inherited = schema["allOf"].as_array().into_iter().flatten();
    own.chain(inherited.flat_map(|part| list_members(description, part))).collect()
}

fn find_header<'a>(exchange: &'a Exchange, name: &str) -> Option<&'a str> {
    exchange.request_headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn decode_form(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| (decode(k), decode(v))).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}
