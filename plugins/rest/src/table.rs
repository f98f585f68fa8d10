//! Reads the configuration. Every error names the key path, such as `test.passed.pointer`.

use flowswap_contract::{Error, ErrorKind};
use serde_json::{Map, Value};

/// A table of the configuration and its path.
pub(crate) struct Table<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Table<'a> {
    pub(crate) fn root(map: &'a Map<String, Value>) -> Self {
        Self { path: String::new(), map }
    }

    /// The full path of one of its keys.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Makes an error about one of its keys.
    pub(crate) fn wrong(&self, key: &str, why: &str) -> Error {
        wrong(&self.path_of(key), why)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        self.map.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Refuses unknown keys, which are most likely misspelled.
    pub(crate) fn allow(&self, keys: &[&str]) -> Result<(), Error> {
        match self.map.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(key) => Err(self.wrong(key, &format!("is unknown here; the known keys are {}", keys.join(", ")))),
            None => Ok(()),
        }
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, Error> {
        self.get(key).map(|value| value.as_str().ok_or_else(|| self.wrong(key, "must be a string"))).transpose()
    }

    pub(crate) fn require_text(&self, key: &str) -> Result<&'a str, Error> {
        self.text(key)?.ok_or_else(|| self.wrong(key, "is missing"))
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, Error> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let items = value.as_array().and_then(|items| items.iter().map(|v| v.as_str().map(str::to_owned)).collect());
        items.ok_or_else(|| self.wrong(key, "must be a list of strings"))
    }

    pub(crate) fn table(&self, key: &str) -> Result<Option<Table<'a>>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let map = value.as_object().ok_or_else(|| self.wrong(key, "must be a table"))?;
        Ok(Some(Table { path: self.path_of(key), map }))
    }

    pub(crate) fn require_table(&self, key: &str) -> Result<Table<'a>, Error> {
        self.table(key)?.ok_or_else(|| self.wrong(key, "is missing"))
    }

    /// A JSON pointer (RFC 6901).
    pub(crate) fn pointer(&self, key: &str) -> Result<Option<String>, Error> {
        match self.text(key)? {
            Some(text) if !text.is_empty() && !text.starts_with('/') => {
                Err(self.wrong(key, &format!("must be a JSON pointer such as /{text}")))
            }
            text => Ok(text.map(str::to_owned)),
        }
    }
}

/// Makes an error about the key at `path`.
pub(crate) fn wrong(path: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, format!("`{path}` {why}")).with_context("key", path)
}
