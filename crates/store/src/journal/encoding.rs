//! How a row stores a record: the canonical JSON of its draft and epoch, and five columns copied from it so that people
//! can query the journal.

use flowswap_engine::{Draft, JournalError};
use serde_json::{Map, Value};

/// A draft and the epoch of its writer, ready to be written.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub columns: Columns,
    /// The text that the hash covers.
    pub body: String,
}

/// The values that the columns repeat from the body. On reading, the columns are compared with the body and never
/// trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    pub at: Option<String>,
    pub run: Option<String>,
    pub tenant: Option<String>,
    pub kind: Option<String>,
    /// 0 if the body has no epoch; bodies have one since format 2.
    pub epoch: u64,
}

impl Encoded {
    pub(crate) fn of(draft: &Draft, epoch: u64) -> Result<Self, JournalError> {
        let encode = || {
            let mut value = serde_json::to_value(draft)?;
            value["epoch"] = epoch.into();
            let value = sort(value);
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
        let epoch = body.get("epoch").and_then(Value::as_u64).unwrap_or(0);
        Self { at: text("/at"), run: text("/run"), tenant: text("/tenant"), kind: text("/entry/type"), epoch }
    }

    /// The name of the first column that differs.
    pub(crate) fn find_difference(&self, other: &Self) -> Option<&'static str> {
        [
            ("at", self.at != other.at),
            ("run", self.run != other.run),
            ("tenant", self.tenant != other.tenant),
            ("type", self.kind != other.kind),
            ("epoch", self.epoch != other.epoch),
        ]
        .into_iter()
        .find_map(|(name, differs)| differs.then_some(name))
    }
}

/// Sorts the members of every object. `serde_json` sorts them too, unless any crate in the build enables insertion
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
