//! Checks exchanges against the official description of Okta's API, if that is beside the workspace. The tests of the
//! simulator and of the binary include this file.

use std::{io::Write as _, path::PathBuf};

use flowswap_sim::Exchange;
use serde_json::{Map, Value, json};

/// The description.
pub(crate) struct Description {
    spec: Value,
    components: Value,
}

/// The description of one operation.
#[derive(Clone, Copy)]
pub(crate) struct Operation<'a> {
    /// The path with its parameters in braces.
    pub(crate) template: &'a str,
    /// The method, in lower case.
    pub(crate) method: &'a str,
    /// The operation object.
    pub(crate) object: &'a Value,
}

impl Description {
    /// Reads the description. Reports if it is missing.
    pub(crate) fn load() -> Option<Self> {
        let file = find_shared("spec/okta-subset.yaml")?;
        Some(Self::new(serde_yaml_ng::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()))
    }

    pub(crate) fn new(spec: Value) -> Self {
        let components = to_json_schema(&spec["components"]);
        Self { spec, components }
    }

    /// The operation with the exchange's path and method, if there is one.
    pub(crate) fn find_operation(&self, exchange: &Exchange) -> Option<Operation<'_>> {
        let path = exchange.path_and_query.split('?').next()?;
        let parts: Vec<_> = path.split('/').collect();
        let fits = |template: &str| {
            let wanted: Vec<_> = template.split('/').collect();
            wanted.len() == parts.len() && wanted.iter().zip(&parts).all(|(w, p)| w.starts_with('{') || w == p)
        };
        let (template, item) = self.spec["paths"].as_object()?.iter().find(|(template, _)| fits(template))?;
        let method = exchange.method.to_lowercase();
        let (method, object) = item.as_object()?.iter().find(|(name, _)| **name == method)?;
        Some(Operation { template, method, object })
    }

    /// The errors of an answer. `None` if the description does not have its status.
    pub(crate) fn check_answer(&self, operation: Operation<'_>, exchange: &Exchange) -> Option<Vec<String>> {
        let response = operation.object["responses"].get(exchange.status?.to_string())?;
        let schema = &self.resolve(response)["content"]["application/json"]["schema"];
        // The 403 without a body, for a missing scope, comes from public reports. The description only has one with a body.
        if exchange.response_body.is_empty() {
            let expected = schema.is_null() || exchange.status == Some(403);
            return Some(if expected { Vec::new() } else { vec!["the body is missing".to_owned()] });
        }
        let body: Value = serde_json::from_slice(&exchange.response_body).unwrap();
        if schema.is_null() {
            // Lifecycle answers are described without a schema and recorded as `{}`.
            let wrong = (body != json!({})).then(|| format!("a body where none is described: {body}"));
            return Some(wrong.into_iter().collect());
        }
        let mut errors = self.check(schema, &without_nulls(&body));
        let apps = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
        // The description distinguishes kinds of apps by a discriminator, which JSON Schema does not support.
        for app in apps.iter().filter(|app| app["name"] == "oidc_client") {
            let schema = json!({ "$ref": "#/components/schemas/OpenIdConnectApplication" });
            errors.extend(self.check(&schema, &without_nulls(app)));
        }
        Some(errors)
    }

    /// The errors of a value according to a schema of the description.
    pub(crate) fn check(&self, schema: &Value, value: &Value) -> Vec<String> {
        let root = json!({ "allOf": [to_json_schema(schema)], "components": self.components });
        let validator = jsonschema::validator_for(&root).unwrap();
        validator.iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect()
    }

    /// The object itself, or the object to which it refers.
    pub(crate) fn resolve<'a>(&'a self, object: &'a Value) -> &'a Value {
        object["$ref"].as_str().map_or(object, |reference| self.resolve_reference(reference))
    }

    /// The object behind a reference such as `#/components/schemas/User`.
    pub(crate) fn resolve_reference(&self, reference: &str) -> &Value {
        self.spec.pointer(reference.trim_start_matches('#')).unwrap()
    }
}

/// Converts OpenAPI 3.0 to JSON Schema, as far as the description needs it. `nullable` becomes an alternative, and texts
/// are left out.
fn to_json_schema(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(to_json_schema).collect(),
        Value::Object(members) => {
            let nullable = members.get("nullable") == Some(&Value::Bool(true));
            let mut converted = Map::new();
            for (name, member) in members {
                let member = match (name.as_str(), member) {
                    ("nullable" | "discriminator" | "example" | "examples" | "description", _) => continue,
                    // These names are properties of the object, and may equal the keywords above.
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

/// Removes members that are null. Okta sends null for members that its description does not call nullable. The examples
/// of apps and log events in the description do the same.
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

/// A file of the references beside the workspace. Reports if they are missing.
pub(crate) fn find_shared(path: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let file = std::env::var_os("FLOWSWAP_SHARED").map_or_else(beside, PathBuf::from).join(path);
    if file.exists() {
        return Some(file);
    }
    // Write to the stream directly: the test runner hides the printed lines of a passed test.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "skipped: {path} is not beside the workspace; FLOWSWAP_SHARED may name its folder").unwrap();
    None
}
