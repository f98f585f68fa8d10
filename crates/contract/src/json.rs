//! What only its addressee reads.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::{Error, ErrorKind};

/// JSON text that only its addressee reads: the payload of a step, and the parameters of a call.
///
/// On its way it is only copied. As a tree, it would need ten times the memory.
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

impl Json {
    /// The JSON of a value.
    pub fn encode(value: &impl Serialize) -> Result<Self, Error> {
        let text = to_raw_value(value);
        let text =
            text.map_err(|e| Error::new(ErrorKind::Internal, format!("a value does not encode as JSON: {e}")))?;
        Ok(Self(text.into()))
    }

    /// Reads it.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0.get())
    }

    /// The text. It was written by `serde_json`, which escapes only what it must.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// As a tree.
    pub fn to_value(&self) -> Value {
        // It was made from a value.
        self.decode().unwrap_or_default()
    }
}

impl Default for Json {
    /// `null`.
    fn default() -> Self {
        Self(RawValue::NULL.to_owned().into())
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        to_raw_value(&value).map(|text| Self(text.into())).unwrap_or_default()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get() || self.to_value() == other.to_value()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Any value.
#[cfg(feature = "schema")]
impl schemars::JsonSchema for Json {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Json".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_keeps_the_value() {
        let value = json!({ "inputs": [{ "x": 1.5 }], "text": "a \"b\" \\", "none": null });
        let json = Json::from(value.clone());
        assert_eq!(json.to_value(), value);
        assert_eq!(serde_json::to_string(&json).unwrap(), value.to_string());
        assert_eq!(serde_json::from_value::<Json>(value).unwrap(), json);
        assert_eq!(Json::default().to_value(), Value::Null);
    }

    #[test]
    fn the_order_of_members_does_not_matter() {
        #[derive(Serialize)]
        struct Backwards {
            b: u8,
            a: u8,
        }
        assert_eq!(Json::encode(&Backwards { b: 1, a: 2 }).unwrap(), json!({ "a": 2, "b": 1 }).into());
        assert_ne!(Json::encode(&Backwards { b: 1, a: 2 }).unwrap(), json!({ "a": 2, "b": 2 }).into());
    }
}
