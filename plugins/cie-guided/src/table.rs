//! Reads the configuration. Every error names the key path, such as `record.flow`.

use flowswap_contract::{Error, ErrorKind};
use serde_json::{Map, Value};

/// A table of the configuration and its path.
pub(crate) struct Table<'a> {
    path: &'static str,
    map: &'a Map<String, Value>,
}

impl<'a> Table<'a> {
    pub(crate) fn root(map: &'a Map<String, Value>) -> Self {
        Self { path: "", map }
    }

    /// The table under `key`, which may have only these keys. An unknown key is most likely misspelled.
    pub(crate) fn table(&self, key: &'static str, known: &[&str]) -> Result<Option<Table<'a>>, Error> {
        let Some(value) = self.map.get(key) else { return Ok(None) };
        let map = value.as_object().ok_or_else(|| self.wrong(key, "must be a table"))?;
        let table = Table { path: key, map };
        match map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(table.wrong(key, &format!("is unknown here; the known keys are {}", known.join(", ")))),
            None => Ok(Some(table)),
        }
    }

    /// Makes an error about one of its keys.
    pub(crate) fn wrong(&self, key: &str, why: &str) -> Error {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Error::new(ErrorKind::Config, format!("`{path}` {why}")).with_context("key", path)
    }

    /// A non-empty text.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, Error> {
        self.read(key, "must be a non-empty string", |value| value.as_str().filter(|text| !text.is_empty()))
    }

    pub(crate) fn require_text(&self, key: &str) -> Result<&'a str, Error> {
        self.text(key)?.ok_or_else(|| self.wrong(key, "is missing"))
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        self.read(key, "must be true or false", Value::as_bool)
    }

    /// Converts the key's value with `read`. If that fails, the error is the key followed by `must`.
    pub(crate) fn read<T>(
        &self,
        key: &str,
        must: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.map.get(key).map(|value| read(value).ok_or_else(|| self.wrong(key, must))).transpose()
    }
}
