//! One side of a tenant: its plugin, its table without the secrets, and the place of every key in the files.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

use crate::{
    location::Location,
    reference::SecretRef,
    tree::{Table, to_json},
};

/// The provider or the directory of a tenant.
#[derive(Clone)]
pub struct SideConfig {
    /// The name of its plugin.
    pub plugin: String,
    /// Its keys and values, without `plugin` and without secrets.
    pub table: Map<String, Value>,
    /// Its references to secrets.
    pub secrets: BTreeMap<String, SecretRef>,
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
        secrets: BTreeMap<String, SecretRef>,
        at: Location,
    ) -> Self {
        let mut table = to_json(&source_table);
        table.retain(|key, _| !secrets.contains_key(key));
        Self { plugin, table, secrets, plugin_at, source_table, at }
    }

    /// Every key except `plugin`, including the keys of secrets.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.source_table.keys().map(String::as_str)
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
            static EMPTY: Table = Table::new();
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
        shown.field("plugin", &self.plugin).field("table", &self.table).field("secrets", &self.secrets).finish()
    }
}
