//! How a draft stands in a row: its canonical JSON, and four columns taken from it so that people can query.

use flowswap_engine::{Draft, JournalError};
use serde_json::{Map, Value};

/// A draft, ready to be written.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub columns: Columns,
    /// The hashed bytes.
    pub body: String,
}

/// What the body says about itself. The columns are checked against it, never believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    pub at: Option<String>,
    pub run: Option<String>,
    pub tenant: Option<String>,
    pub kind: Option<String>,
}

impl Encoded {
    pub(crate) fn of(draft: &Draft) -> Result<Self, JournalError> {
        let encode = || {
            let value = sort(serde_json::to_value(draft)?);
            Ok(Self { columns: Columns::of(&value), body: serde_json::to_string(&value)? })
        };
        encode().map_err(|error: serde_json::Error| JournalError::Storage {
            doing: "encode a record of the journal",
            source: Box::new(error),
        })
    }
}

impl Columns {
    pub(crate) fn of(body: &Value) -> Self {
        let text = |path: &str| body.pointer(path).and_then(Value::as_str).map(str::to_owned);
        Self { at: text("/at"), run: text("/run"), tenant: text("/tenant"), kind: text("/entry/type") }
    }

    /// The first column that differs.
    pub(crate) fn find_difference(&self, other: &Self) -> Option<&'static str> {
        [
            ("at", self.at != other.at),
            ("run", self.run != other.run),
            ("tenant", self.tenant != other.tenant),
            ("type", self.kind != other.kind),
        ]
        .into_iter()
        .find_map(|(name, differs)| differs.then_some(name))
    }
}

/// The members of every object in order. `serde_json` keeps them so, until any crate of the build asks for insertion
/// order; the same draft must have the same hash in every build.
fn sort(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sort).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().map(|(key, value)| (key, sort(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect::<Map<_, _>>())
        }
        scalar => scalar,
    }
}
