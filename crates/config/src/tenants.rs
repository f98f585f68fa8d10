//! Turns drafts into tenants: merges the defaults in, fills in fields, and separates the secrets.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use flowswap_engine::{ACCEPTABLE, all_rules};
use litemap::LiteMap;
use serde_json::Value;

use crate::{
    diagnostic::Diagnostic,
    draft::Draft,
    location::Location,
    model::TenantConfig,
    reader::Reader,
    reference,
    side::SideConfig,
    suggest::suggest,
    template::{self, Fields, Part},
    tree::{EMPTY, Entry, Node, Shape, Table},
};

/// The keys of `[defaults]` that flowswap itself reads; all others are fields.
const DEFAULT_KEYS: [&str; 7] = ["app_data", "owner", "accept", "labels", "timezone", "provider", "directory"];

impl Reader {
    /// Checks the strings of `[defaults]` once, and returns the fields that they use.
    pub(crate) fn find_used_fields(&mut self, defaults: &Table) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for entry in defaults.values() {
            self.collect_fields(&entry.node, &mut used);
        }
        self.check_fields(defaults, &DEFAULT_KEYS, &used, "`[defaults]`");
        used
    }

    fn collect_fields(&mut self, node: &Node, used: &mut BTreeSet<String>) {
        match &node.shape {
            Shape::Scalar(Value::String(text)) => {
                let template = template::parse(text);
                used.extend(template.parts.iter().filter_map(|part| match part {
                    Part::Field(name, _) => Some((*name).to_owned()),
                    Part::Text(_) => None,
                }));
                if let Some(brace) = template.stray_brace {
                    let error = Diagnostic::new("a brace in a default is not part of a `{field}`");
                    let at = self.narrow_location(node, text, brace..brace + 1);
                    let error = error.at(at, "expected a field such as `{name}`");
                    self.refuse(error.help("write `{{` or `}}` for a literal brace"));
                }
            }
            Shape::Scalar(_) => {}
            Shape::List(items) => {
                for item in items {
                    self.collect_fields(item, used);
                }
            }
            Shape::Table(table) => {
                for entry in table.values() {
                    self.collect_fields(&entry.node, used);
                }
            }
        }
    }

    /// The place in the file of a span of a string's value; the place of the whole string if it contains escapes.
    fn narrow_location(&self, node: &Node, text: &str, span: Range<usize>) -> Location {
        let raw = &self.sources.text(node.at.source())[node.at.span()];
        let is_literal = raw.len() == text.len() + 2 && raw.get(1..raw.len() - 1) == Some(text);
        if is_literal { node.at.within_quotes(span) } else { node.at }
    }

    /// Turns a draft into a tenant. Returns `None` if an error leaves no usable tenant.
    pub(crate) fn build_tenant(&mut self, mut draft: Draft, defaults: &Table) -> Option<TenantConfig> {
        self.add_default_fields(&mut draft, defaults);
        let app_data = self.read_app_data(&draft, defaults);
        let owner = self.read_owner(&draft, defaults);
        let accept = self.read_accept(&draft, defaults);
        let labels = self.read_labels(&draft, defaults);
        let timezone = match draft.table.get("timezone") {
            Some(own) => Some(own.node.clone()),
            None => defaults.get("timezone").map(|default| self.fill(&default.node, &draft)),
        };
        let timezone = timezone.and_then(|node| self.time_zone(&node));
        let provider = self.read_side(&draft, defaults, "provider").map(Arc::new);
        let directory = self.read_side(&draft, defaults, "directory").map(Arc::new);
        let (app_data, provider, directory) = (app_data?, provider?, directory?);
        Some(TenantConfig {
            app_data,
            owner,
            accept,
            labels,
            timezone,
            provider,
            directory,
            at: draft.name_at,
            name: draft.name,
        })
    }

    /// Adds every scalar of `[defaults]` as a field, unless the tenant has a field of that name.
    fn add_default_fields(&mut self, draft: &mut Draft, defaults: &Table) {
        let mut added = Fields::new();
        for (key, entry) in defaults.iter().filter(|(key, _)| !DEFAULT_KEYS.contains(&key.as_ref())) {
            if !draft.fields.contains_key(key.as_ref())
                && let Some(text) = self.fill(&entry.node, draft).as_plain_text()
            {
                added.insert(key.to_string(), text);
            }
        }
        draft.fields.extend(added);
    }

    fn read_app_data(&mut self, draft: &Draft, defaults: &Table) -> Option<bool> {
        let Some(entry) = draft.table.get("app_data").or_else(|| defaults.get("app_data")) else { return Some(false) };
        let flag = entry.node.to_json().as_bool();
        if flag.is_none() {
            self.refuse_kind("app_data", &entry.node, "`true` or `false`");
        }
        flag
    }

    fn read_owner(&mut self, draft: &Draft, defaults: &Table) -> Option<String> {
        let node = match draft.table.get("owner") {
            Some(own) => own.node.clone(),
            None => self.fill(&defaults.get("owner")?.node, draft),
        };
        let Some(owner) = node.as_text().map(str::trim) else {
            self.refuse_kind("owner", &node, "the name of the operator in quotes");
            return None;
        };
        if owner.is_empty() {
            let error = Diagnostic::new("`owner` is empty").for_tenant(&draft.name);
            self.refuse(error.at(node.at, "expected a name").help("leave `owner` out if any operator can do the work"));
        }
        Some(owner.to_owned())
    }

    /// Reads `accept`. The tenant's own list replaces that of `[defaults]`. In an inventory, spaces separate the ids.
    fn read_accept(&mut self, draft: &Draft, defaults: &Table) -> Vec<String> {
        let Some(node) = draft.table.get("accept").or_else(|| defaults.get("accept")).map(|entry| entry.node.clone())
        else {
            return Vec::new();
        };
        let nodes = node.as_list().unwrap_or(std::slice::from_ref(&node));
        let mut accepted = Vec::new();
        for node in nodes {
            let Some(text) = node.as_text() else {
                self.refuse_kind("accept", node, "a list of findings such as `[\"deadline-passed\"]`");
                continue;
            };
            for id in text.split_whitespace() {
                self.check_acceptable(id, node, draft);
                accepted.push(id.to_owned());
            }
        }
        accepted
    }

    fn check_acceptable(&mut self, id: &str, node: &Node, draft: &Draft) {
        if ACCEPTABLE.contains(&id) {
            return;
        }
        let is_known = all_rules().any(|rule| rule.id == id);
        let what = if is_known { "cannot be accepted" } else { "does not exist" };
        let error = Diagnostic::new(format!("the finding `{id}` in `accept` {what}")).for_tenant(&draft.name);
        self.refuse(error.at(node.at, "").help(suggest(id, ACCEPTABLE)));
    }

    /// Reads `labels`. The tenant's own labels are added to those of `[defaults]`, and replace those of the same name.
    fn read_labels(&mut self, draft: &Draft, defaults: &Table) -> LiteMap<Arc<str>, String> {
        let (own, default) = (draft.table.get("labels"), defaults.get("labels"));
        let mut written = [own, default].into_iter().flatten();
        if let Some(wrong) = written.find(|entry| entry.node.as_table().is_none()) {
            self.refuse_kind("labels", &wrong.node, "a table such as `{ region = \"emea\" }`");
            return LiteMap::new();
        }
        let table = self.merge(draft, table_of(own), table_of(default), false);
        table
            .into_iter()
            .filter_map(|(name, entry)| Some((Arc::clone(&name), self.read_label(&name, &entry)?)))
            .collect()
    }

    fn read_label(&mut self, name: &str, entry: &Entry) -> Option<String> {
        if name.is_empty() || name.contains([',', '=']) || name.contains(char::is_whitespace) {
            let error = Diagnostic::new(format!("`{name}` cannot be the name of a label"));
            let error = error.at(entry.key_at, "expected a name without spaces, `,`, and `=`");
            self.refuse(error.help("use a name such as `region`, so that `--label region=emea` selects tenants"));
        }
        let value = entry.node.as_plain_text().map(|value| value.trim().to_owned());
        if value.as_ref().is_none_or(|value| value.is_empty() || value.contains(',')) {
            let error = Diagnostic::new(format!("the label `{name}` has no valid value"));
            let error = error.at(entry.node.at, "expected a text without `,`, such as \"emea\"");
            self.refuse(error.help("leave the label out for tenants that do not have it"));
        }
        value
    }

    fn read_side(&mut self, draft: &Draft, defaults: &Table, side: &'static str) -> Option<SideConfig> {
        let own = draft.table.get(side);
        let default = defaults.get(side);
        let mut written = [own, default].into_iter().flatten();
        if let Some(wrong) = written.find(|entry| entry.node.as_table().is_none()) {
            self.refuse_kind(side, &wrong.node, "a table with `plugin` and its keys");
            return None;
        }
        let Some(at) = own.filter(|_| !draft.is_row).or(default).or(own).map(|entry| entry.node.at) else {
            self.refuse_missing(draft, side, draft.at, format!("a tenant has no `{side}`"));
            return None;
        };
        let mut table = self.merge_side(draft, table_of(own), table_of(default));
        let Some(entry) = table.remove("plugin") else {
            let is_bare_row = draft.is_row && default.is_none();
            let at = if is_bare_row { draft.at } else { at };
            self.refuse_missing(draft, side, at, format!("`{side}` names no plugin"));
            return None;
        };
        let plugin = entry.node.as_text().filter(|name| !name.is_empty()).map(str::to_owned);
        if plugin.is_none() {
            self.refuse_kind("plugin", &entry.node, "the name of a plugin in quotes");
        }
        self.split_secrets(plugin?, entry, table, at)
    }

    /// Refuses a side without a plugin, and says where to name one.
    fn refuse_missing(&mut self, draft: &Draft, side: &str, at: Location, message: String) {
        let error = Diagnostic::new(message).for_tenant(&draft.name);
        self.refuse(if draft.is_row {
            error.at(at, "").help(format!("write `plugin = \"…\"` once in `[defaults.{side}]`"))
        } else {
            error
                .at(at, format!("expected a plugin for `{side}`"))
                .help(format!("write `{side} = {{ plugin = \"…\" }}` in every tenant, or once in `[defaults]`"))
        });
    }

    fn split_secrets(&mut self, plugin: String, plugin_entry: Entry, table: Table, at: Location) -> Option<SideConfig> {
        let is_secret = |(key, entry): &(&Arc<str>, &Entry)| reference::is_reference(key, &entry.node);
        let mut secrets = LiteMap::new();
        let mut is_complete = true;
        for (key, entry) in table.iter().filter(is_secret) {
            match self.read_reference(key, entry) {
                Some(secret) => {
                    secrets.insert(key.to_string(), secret);
                }
                None => is_complete = false,
            }
        }
        is_complete.then(|| SideConfig::new(plugin, plugin_entry.node.at, table, secrets, at))
    }

    /// Defaults belong to their plugin, so a tenant that names another plugin takes none of them.
    fn merge_side(&mut self, draft: &Draft, own: &Table, default: &Table) -> Table {
        let default_plugin = default.get("plugin").map(|entry| self.fill(&entry.node, draft).to_json());
        let own_plugin = own.get("plugin").map(|entry| entry.node.to_json());
        if own_plugin.is_some() && default_plugin.is_some() && own_plugin != default_plugin {
            return own.clone();
        }
        self.merge(draft, own, default, true)
    }

    /// The tenant's own value replaces the default, key by key. A reference to a secret is replaced as a whole, because
    /// parts of two references do not make a valid one.
    fn merge(&mut self, draft: &Draft, own: &Table, default: &Table, is_side: bool) -> Table {
        // Exactly large enough, because every tenant keeps its table.
        let mut merged = Table::with_capacity(own.len() + default.len());
        merged.extend(own.clone());
        for (key, entry) in default {
            let Some(kept) = own.get(key) else {
                merged.insert(key.clone(), Entry { key_at: entry.key_at, node: self.fill(&entry.node, draft) });
                continue;
            };
            let is_whole = is_side && [&kept.node, &entry.node].into_iter().any(|n| reference::is_reference(key, n));
            if let (Some(inner), Some(default)) = (kept.node.as_table(), entry.node.as_table())
                && !is_whole
            {
                let shape = Shape::Table(self.merge(draft, inner, default, false));
                merged.insert(key.clone(), Entry::new(kept.key_at, Node { shape, at: kept.node.at }));
            }
        }
        merged
    }

    fn fill(&mut self, node: &Arc<Node>, draft: &Draft) -> Arc<Node> {
        if node.may_have_fields() { Arc::new(self.fill_node(node, draft)) } else { Arc::clone(node) }
    }

    fn fill_node(&mut self, node: &Node, draft: &Draft) -> Node {
        let shape = match &node.shape {
            Shape::Scalar(Value::String(text)) if node.may_have_fields() => {
                let (filled, unknown) = template::fill(text, &draft.fields);
                for (name, span) in unknown {
                    let at = self.narrow_location(node, text, span);
                    self.refuse_field(&name, at, draft);
                }
                Shape::Scalar(Value::String(filled))
            }
            Shape::Scalar(value) => Shape::Scalar(value.clone()),
            Shape::List(items) => Shape::List(items.iter().map(|item| self.fill_node(item, draft)).collect()),
            Shape::Table(table) => {
                let fill = |(key, entry): (&Arc<str>, &Entry)| {
                    (key.clone(), Entry { key_at: entry.key_at, node: self.fill(&entry.node, draft) })
                };
                Shape::Table(table.iter().map(fill).collect())
            }
        };
        Node { shape, at: node.at }
    }

    fn refuse_field(&mut self, name: &str, at: Location, draft: &Draft) {
        if draft.empty_columns.contains(name) {
            let error = Diagnostic::new(format!("the field `{{{name}}}` is empty")).for_tenant(&draft.name);
            let error = error.at(at, "used here").at(draft.name_at, format!("`{name}` is empty here"));
            self.refuse(error.help("fill in the cell"));
            return;
        }
        let error = Diagnostic::new(format!("unknown field `{{{name}}}`")).for_tenant(&draft.name);
        let error = error.at(at, "the tenant has no field with this name");
        self.refuse(error.help(suggest(name, draft.fields.keys().map(String::as_str))));
    }
}

fn table_of(entry: Option<&Entry>) -> &Table {
    entry.and_then(|entry| entry.node.as_table()).unwrap_or(&EMPTY)
}
