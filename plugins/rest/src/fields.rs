//! Reads a directory from an answer through JSON pointers.

use std::collections::BTreeMap;

use flowswap_contract::{Counts, Error, ErrorKind, Flow};
use serde_json::Value;

use crate::{config::Config, shown_time::ShownTime, table::Table};

/// The fields that a description can point at.
const NAMES: [&str; 13] = [
    "id",
    "name",
    "domain",
    "kind",
    "flow",
    "client_id",
    "app_data",
    "status",
    "last_success",
    "last_sign_in",
    "users",
    "groups",
    "applications",
];

/// JSON pointers by name.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    /// The key path of the table, for messages.
    path: String,
    pointers: BTreeMap<&'static str, String>,
}

/// A directory as one answer shows it. A field that the answer does not show is `None`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Directory {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) flow: Option<Flow>,
    pub(crate) client_id: Option<String>,
    pub(crate) app_data: Option<bool>,
    pub(crate) status: Option<String>,
    pub(crate) last_success: Option<ShownTime>,
    pub(crate) last_sign_in: Option<ShownTime>,
    pub(crate) counts: Counts,
}

impl Fields {
    pub(crate) fn read(table: &Table<'_>, required: &[&str]) -> Result<Self, Error> {
        table.allow(&NAMES)?;
        let mut pointers = BTreeMap::new();
        for name in NAMES {
            if let Some(pointer) = table.pointer(name)? {
                pointers.insert(name, pointer);
            }
        }
        if let Some(name) = required.iter().find(|name| !pointers.contains_key(**name)) {
            return Err(table.wrong(name, "is missing"));
        }
        let path = table.path_of("");
        Ok(Self { path, pointers })
    }

    /// Whether the description says where the answer shows this field.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pointers.contains_key(name)
    }

    /// Decodes the directory in `answer`.
    pub(crate) fn decode(&self, answer: &Value, config: &Config) -> Result<Directory, Error> {
        Ok(Directory {
            id: self.text(answer, "id")?,
            name: self.text(answer, "name")?,
            domain: self.text(answer, "domain")?,
            kind: self.text(answer, "kind")?,
            flow: self.text(answer, "flow")?.map(|word| config.flows.get(&word).copied().unwrap_or_default()),
            client_id: self.text(answer, "client_id")?,
            app_data: self.get(answer, "app_data", "a boolean", Value::as_bool)?,
            status: self.text(answer, "status")?,
            last_success: self.time(answer, "last_success")?,
            last_sign_in: self.time(answer, "last_sign_in")?,
            counts: Counts {
                users: self.get(answer, "users", "a count", Value::as_u64)?,
                groups: self.get(answer, "groups", "a count", Value::as_u64)?,
                applications: self.get(answer, "applications", "a count", Value::as_u64)?,
            },
        })
    }

    /// Makes the error for a required field that the answer does not show.
    pub(crate) fn missing(&self, name: &str) -> Error {
        let pointer = self.pointers.get(name).map(String::as_str).unwrap_or_default();
        let message = format!("`{}{name}`: the directory's answer has nothing at {pointer}", self.path);
        Error::new(ErrorKind::Invalid, message).with_context("key", format!("{}{name}", self.path))
    }

    fn text(&self, answer: &Value, name: &str) -> Result<Option<String>, Error> {
        self.get(answer, name, "a string", |value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    /// Keeps a text or number that is not a time as it is: an empty column would hide it.
    fn time(&self, answer: &Value, name: &str) -> Result<Option<ShownTime>, Error> {
        self.get(answer, name, "a time (RFC 3339, or seconds since 1970)", ShownTime::read)
    }

    /// An absent value and a null mean the same: the directory does not show the field.
    fn get<T>(
        &self,
        answer: &Value,
        name: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(pointer) = self.pointers.get(name) else { return Ok(None) };
        let Some(value) = answer.pointer(pointer).filter(|value| !value.is_null()) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| {
            let key = format!("{}{name}", self.path);
            let message = format!("`{key}`: the directory's answer has no {} at {pointer}", without_article(expected));
            Error::new(ErrorKind::Invalid, message).with_context("key", key)
        })
    }
}

fn without_article(noun: &str) -> &str {
    noun.strip_prefix("a ").unwrap_or(noun)
}
