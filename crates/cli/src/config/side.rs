//! One side of a tenant: the plugin's name, its table without the secrets, and where every key was written.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

use super::{
    secret::SecretRef,
    source::Location,
    tree::{Table, to_json},
};

/// The provider or the directory of a tenant.
#[derive(Clone)]
pub(crate) struct SideConfig {
    /// The plugin that serves it.
    pub(crate) plugin: String,
    /// Its keys and values, without `plugin` and without secrets.
    pub(crate) table: Map<String, Value>,
    /// Its references to secrets.
    pub(crate) secrets: BTreeMap<String, SecretRef>,
    plugin_at: Location,
    written: Table,
    at: Location,
}

impl SideConfig {
    pub(super) fn new(
        plugin: String,
        plugin_at: Location,
        written: Table,
        secrets: BTreeMap<String, SecretRef>,
        at: Location,
    ) -> Self {
        let mut table = to_json(&written);
        table.retain(|key, _| !secrets.contains_key(key));
        Self { plugin, table, secrets, plugin_at, written, at }
    }

    /// Every key but `plugin`, those of secrets among them.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.written.keys().map(String::as_str)
    }

    /// Where a key was written; `read.path` is the key `path` in the table `read`.
    pub(crate) fn locate(&self, key: &str) -> Option<Location> {
        if key == "plugin" {
            return Some(self.plugin_at);
        }
        let mut table = &self.written;
        let mut found = None;
        for word in key.split('.') {
            let entry = table.get(word)?;
            found = Some(entry.key_at);
            static EMPTY: Table = Table::new();
            table = entry.node.as_table().unwrap_or(&EMPTY);
        }
        found
    }

    /// Where the value of a key was written.
    pub(super) fn locate_value(&self, key: &str) -> Option<Location> {
        self.written.get(key).map(|entry| entry.node.at)
    }

    /// Where the side as a whole was written: the place to add what is missing.
    pub(super) fn location(&self) -> Location {
        self.at
    }
}

impl fmt::Debug for SideConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SideConfig");
        shown.field("plugin", &self.plugin).field("table", &self.table).field("secrets", &self.secrets).finish()
    }
}
