//! What a configuration means for some tenants, as one digest. Comments, order, and the folder of the file do not count.

use flowswap_engine::digest;
use serde_json::{Map, Value, json};

use crate::{Config, TenantConfig, tree::Table};

/// The tables that decide how a plan is carried out. The others say where this machine keeps things.
const TABLES: [&str; 4] = ["network", "run", "approvals", "plugins"];

/// What these tables say, as they are written.
pub(crate) fn settings(root: &Table) -> Value {
    let written = TABLES.iter().filter_map(|name| Some((*name, root.get(*name)?.node.to_json())));
    let mut settings: Map<String, Value> = written.map(|(name, table)| (name.to_owned(), table)).collect();
    // A plan pins the build of each plugin, and every machine may keep it somewhere else.
    let plugins = settings.get_mut("plugins").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
    for plugin in plugins {
        plugin.as_object_mut().map(|plugin| plugin.remove("path"));
    }
    settings.into()
}

impl Config {
    /// SHA-256 of what the configuration means for these tenants, hexadecimal. It is the same on every machine.
    pub fn meaning_for<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> String {
        let tenants =
            names.into_iter().map(|name| (name.to_owned(), self.tenant(name).map(meaning).unwrap_or_default()));
        let tenants: Map<String, Value> = tenants.collect();
        // Values of JSON always become JSON.
        digest(&json!({ "settings": self.settings, "tenants": tenants })).unwrap_or_default()
    }
}

/// The time zone only says how a person reads times.
fn meaning(tenant: &TenantConfig) -> Value {
    let side = |side: &crate::SideConfig| json!({ "plugin": side.plugin, "table": side.written() });
    // Labels only select tenants.
    let TenantConfig { name: _, timezone: _, app_data, owner, accept, labels: _, provider, directory, at: _ } = tenant;
    let mut meaning =
        json!({ "app_data": app_data, "owner": owner, "provider": side(provider), "directory": side(directory) });
    // Without the key, the digest is that of versions before it, and what was approved then still counts.
    if let (Some(meaning), false) = (meaning.as_object_mut(), accept.is_empty()) {
        meaning.insert("accept".to_owned(), json!(accept));
    }
    meaning
}
