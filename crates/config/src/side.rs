//! One side of a tenant: its plugin, its table without the secrets, and the place of every key in the files.

use std::{fmt, sync::Arc};

use litemap::LiteMap;
use serde_json::{Map, Value};

use crate::{
    location::Location,
    reference::SecretRef,
    tree::{EMPTY, Entry, Table},
};

/// The provider or the directory of a tenant.
#[derive(Clone)]
pub struct SideConfig {
    /// The name of its plugin.
    pub plugin: String,
    /// Its references to secrets.
    pub secrets: LiteMap<String, SecretRef>,
    plugin_at: Location,
    /// The table as read, with places and secrets.
    source_table: Table,
    at: Location,
}

impl SideConfig {
    pub(crate) fn new(
        plugin: String,
        plugin_at: Location,
        source_table: Table,
        secrets: LiteMap<String, SecretRef>,
        at: Location,
    ) -> Self {
        Self { plugin, secrets, plugin_at, source_table, at }
    }

    /// Its keys and values, without `plugin` and without secrets.
    pub fn table(&self) -> Map<String, Value> {
        let is_plain = |(key, _): &(&Arc<str>, &Entry)| !self.secrets.contains_key(key.as_ref());
        self.source_table.iter().filter(is_plain).map(|(key, entry)| (key.to_string(), entry.node.to_json())).collect()
    }

    /// Its keys and values as they are written, with the references to secrets.
    pub(crate) fn written(&self) -> Map<String, Value> {
        self.source_table.iter().map(|(key, entry)| (key.to_string(), entry.node.to_json())).collect()
    }

    /// Whether it has a key that is no secret.
    pub(crate) fn has_plain(&self, key: &str) -> bool {
        self.source_table.contains_key(key) && !self.secrets.contains_key(key)
    }

    /// Every key except `plugin`, including the keys of secrets.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.source_table.keys().map(AsRef::as_ref)
    }

    /// The place of a key in the files; `read.path` is the key `path` in the table `read`.
    pub(crate) fn locate(&self, key: &str) -> Option<Location> {
        if key == "plugin" {
            return Some(self.plugin_at);
        }
        let mut table = &self.source_table;
        let mut found = None;
        for part in key.split('.') {
            let entry = table.get(part)?;
            found = Some(entry.key_at);
            table = entry.node.as_table().unwrap_or(&EMPTY);
        }
        found
    }

    /// The place of a key's value in the files.
    pub(crate) fn locate_value(&self, key: &str) -> Option<Location> {
        self.source_table.get(key).map(|entry| entry.node.at)
    }

    /// The place of the side's table, where a missing key belongs.
    pub(crate) fn location(&self) -> Location {
        self.at
    }
}

impl fmt::Debug for SideConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SideConfig");
        shown.field("plugin", &self.plugin).field("table", &self.table()).field("secrets", &self.secrets).finish()
    }
}
