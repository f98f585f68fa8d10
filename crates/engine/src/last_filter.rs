//! Keeps secrets out of what is written for good: the journal and plans.
//!
//! It changes only texts that servers and plugins write for people. A server can choose a secret that is a word of flowswap,
//! such as the id of a step. Cutting it out everywhere would damage the record.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::Backend;

/// The members with texts for people, in records and in plans.
const FREE_TEXTS: &[&str] = &[
    "action",
    "detail",
    "event_id",
    "fix",
    "hint",
    "label",
    "message",
    "note",
    "reason",
    "reasons",
    "request_id",
    "seen",
    "status",
    "title",
    "undo",
];

/// The value without the secrets that a side of its tenant knows.
///
/// # Errors
///
/// If the value cannot be JSON.
pub(crate) fn without_secrets<T: Serialize + DeserializeOwned>(
    value: T,
    side: &dyn Backend,
) -> Result<T, serde_json::Error> {
    let json = serde_json::to_string(&value)?;
    // Within JSON, some characters are escaped. A text without them is found in either form.
    let plain = json.contains('\\').then(|| json.replace("\\\\", "\\").replace("\\\"", "\""));
    if [Some(&json), plain.as_ref()].into_iter().flatten().all(|text| side.redact(text).is_none()) {
        return Ok(value);
    }
    let mut tree = serde_json::from_str(&json)?;
    clean(&mut tree, false, side);
    serde_json::from_value(tree)
}

fn clean(value: &mut Value, is_free: bool, side: &dyn Backend) {
    match value {
        Value::String(text) if is_free => {
            if let Some(clean) = side.redact(text) {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| clean(item, is_free, side)),
        Value::Object(members) => {
            members.iter_mut().for_each(|(name, member)| clean(member, FREE_TEXTS.contains(&name.as_str()), side));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
