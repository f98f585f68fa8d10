//! The name of a secret. A plugin gets only the name, never the value.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Names a secret that the host keeps. In JSON it is `{"$secret": "name"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handle(String);

impl Handle {
    const KEY: &'static str = "$secret";

    /// A handle with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
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
    fn handles_are_found_at_any_depth() {
        let body = json!({"a": [1, {"$secret": "x"}], "b": {"c": {"$secret": "y"}}, "$secret": 3});
        let names: Vec<_> = Handle::find_all(&body).iter().map(|h| h.as_str().to_owned()).collect();
        assert_eq!(names, ["x", "y"]);
    }
}
