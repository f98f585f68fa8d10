//! The name of a secret. A plugin gets only the name, never the value.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Json, Role};

/// Names a secret that the host keeps: the tenant, the step or side that it belongs to, and its own name, such as
/// `acme/provision/client_secret`. In JSON it is `{"$secret": "name"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Handle(String);

impl Handle {
    /// The only member of the object that stands for a secret in JSON.
    pub const KEY: &'static str = "$secret";

    /// A handle with this name, as something else wrote it.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The secret that is this output of a tenant's step.
    pub fn of_step(tenant: &str, step: &str, output: &str) -> Self {
        Self(format!("{tenant}/{step}/{output}"))
    }

    /// The secret under this key of the configuration of a tenant's side.
    pub fn of_side(tenant: &str, role: Role, key: &str) -> Self {
        Self(format!("{tenant}/{role}/{key}"))
    }

    /// A secret that a side has only as long as its session lives. It is never that of a step or of the configuration.
    pub fn of_session(tenant: &str, role: Role, name: &str) -> Self {
        Self(format!("{tenant}/{role}/session/{name}"))
    }

    /// Whether the secret belongs to the tenant.
    pub fn is_of(&self, tenant: &str) -> bool {
        self.0.strip_prefix(tenant).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether the secret is an output of the tenant's step.
    pub fn is_of_step(&self, tenant: &str, step: &str) -> bool {
        *self == Self::of_step(tenant, step, self.output())
    }

    /// Its own name: the output of the step, or the key of the configuration.
    pub fn output(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The handle as a JSON value for a body, an input, or an output.
    pub fn to_value(&self) -> Value {
        json!({ Self::KEY: self.0 })
    }

    /// The handle that `value` represents, if it is one.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value.as_object() {
            Some(object) if object.len() == 1 => object.get(Self::KEY)?.as_str().map(Self::new),
            _ => None,
        }
    }

    /// Every handle anywhere in the parameters of a call.
    pub fn find_in(json: &Json) -> Vec<Self> {
        if json.as_str().contains(Self::KEY) { Self::find_all(&json.to_value()) } else { Vec::new() }
    }

    /// Every handle anywhere in `value`.
    pub fn find_all(value: &Value) -> Vec<Self> {
        if let Some(handle) = Self::from_value(value) {
            return vec![handle];
        }
        match value {
            Value::Array(items) => items.iter().flat_map(Self::find_all).collect(),
            Value::Object(fields) => fields.values().flat_map(Self::find_all).collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_belongs_to_one_tenant_and_one_step() {
        let handle = Handle::of_step("acme", "provision", "client_secret");
        assert_eq!((handle.as_str(), handle.output()), ("acme/provision/client_secret", "client_secret"));
        assert!(handle.is_of("acme") && !handle.is_of("acm") && !handle.is_of("acme2"));
        assert!(handle.is_of_step("acme", "provision") && !handle.is_of_step("acme", "prov"));
        let (side, session) =
            (Handle::of_side("acme", Role::Provider, "k"), Handle::of_session("acme", Role::Provider, "k"));
        assert!(side != session && side.is_of("acme") && session.is_of("acme"));
        assert!(!session.is_of_step("acme", "provider"), "{session}");
    }

    #[test]
    fn handles_are_found_at_any_depth() {
        let body = json!({"a": [1, {"$secret": "x"}], "b": {"c": {"$secret": "y"}}, "$secret": 3});
        let names: Vec<_> = Handle::find_all(&body).iter().map(|h| h.as_str().to_owned()).collect();
        assert_eq!(names, ["x", "y"]);
        assert_eq!(Handle::find_in(&body.clone().into()), Handle::find_all(&body));
        assert_eq!(Handle::find_in(&json!({"a": "$"}).into()), []);
    }
}
