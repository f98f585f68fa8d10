//! Keeps secrets out of what is written for good: the journal and plans.

use serde::{Serialize, de::DeserializeOwned};

use crate::Backend;

/// The value without the secrets that a side of its tenant knows.
///
/// # Errors
///
/// If a secret stands where only something else can, so that nothing is left to write.
pub(crate) fn without_secrets<T: Serialize + DeserializeOwned>(
    value: T,
    side: &dyn Backend,
) -> Result<T, serde_json::Error> {
    match side.redact(&serde_json::to_string(&value)?) {
        None => Ok(value),
        Some(clean) => serde_json::from_value(clean),
    }
}
