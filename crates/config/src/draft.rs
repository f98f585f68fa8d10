//! A tenant as written in a `[[tenant]]` table or in a row of an inventory, before the defaults are merged in.

use std::collections::BTreeSet;

use crate::{
    diagnostic::Diagnostic,
    location::Location,
    mask::is_secret_key,
    reader::Reader,
    reference::REFERENCE_HELP,
    suggest::{find_nearest, suggest},
    template::Fields,
    tree::{Entry, Node, Table},
};

/// The keys of a tenant that flowswap itself reads; all others are fields for the defaults.
pub(crate) const TENANT_KEYS: [&str; 8] =
    ["name", "app_data", "owner", "accept", "labels", "timezone", "provider", "directory"];

/// A tenant whose name is checked and whose other keys are not.
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) name_at: Location,
    /// Where errors about a missing key point: at the `[[tenant]]`, or at the inventory's name.
    pub(crate) at: Location,
    pub(crate) table: Table,
    /// The values that replace `{field}` in a default.
    pub(crate) fields: Fields,
    /// Columns that exist but are empty for this tenant.
    pub(crate) empty_columns: BTreeSet<String>,
    pub(crate) is_row: bool,
}

impl Reader {
    /// Reads the `[[tenant]]` tables. `used` holds the fields that the defaults use.
    pub(crate) fn read_tenant_tables(&mut self, root: &Table, used: &BTreeSet<String>) -> Vec<Draft> {
        let Some(entry) = root.get("tenant") else { return vec![] };
        let tables = entry.node.as_list().filter(|items| items.iter().all(|item| item.as_table().is_some()));
        let Some(tables) = tables else {
            let error = Diagnostic::new("`tenant` is not a list of tables");
            self.refuse(error.at(entry.key_at, "").help("start every tenant with `[[tenant]]`, in double brackets"));
            return vec![];
        };
        tables.iter().filter_map(|node| self.read_draft(node, used)).collect()
    }

    fn read_draft(&mut self, node: &Node, used: &BTreeSet<String>) -> Option<Draft> {
        let table = node.as_table()?;
        self.check_fields(table, &TENANT_KEYS, used, "a tenant");
        let Some(entry) = table.get("name") else {
            let error = Diagnostic::new("a tenant has no `name`");
            self.refuse(error.at(node.at, "expected `name = \"…\"` below").help("add a short name, such as `acme`"));
            return None;
        };
        let Some(name) = entry.node.as_text() else {
            self.refuse_kind("name", &entry.node, "a short name in quotes");
            return None;
        };
        self.check_name(name, entry.node.at);
        let scalars = table.iter().filter_map(|(key, entry)| Some((key.to_string(), entry.node.as_plain_text()?)));
        Some(Draft {
            name: name.to_owned(),
            name_at: entry.node.at,
            at: node.at,
            table: table.clone(),
            fields: scalars.collect(),
            empty_columns: BTreeSet::new(),
            is_row: false,
        })
    }

    /// Refuses fields that hold a secret, and keys that are neither known nor a field that a default uses.
    pub(crate) fn check_fields(&mut self, table: &Table, known: &[&str], used: &BTreeSet<String>, section: &str) {
        for (key, entry) in table.iter().filter(|(key, _)| !known.contains(&key.as_ref())) {
            if is_secret_key(key) {
                self.refuse_plain_secret(key, entry);
            } else if !used.contains(key.as_ref()) || entry.node.as_plain_text().is_none() {
                let nearest = find_nearest(key, used.iter().map(String::as_str));
                let help = nearest.map(|meant| format!("did you mean `{meant}`?"));
                let help = help.unwrap_or_else(|| suggest(key, known.iter().copied()));
                let error = Diagnostic::new(format!("unknown key `{key}`")).help(help);
                self.refuse(error.at(entry.key_at, format!("not a key of {section}, and no default uses it")));
            }
        }
    }

    fn refuse_plain_secret(&mut self, key: &str, entry: &Entry) {
        let at = entry.key_at;
        self.refuse(if entry.node.as_table().is_some() {
            let error = Diagnostic::new(format!("`{key}` is in the wrong place"));
            error.at(at, "belongs to the provider or the directory").help("move it into `provider` or `directory`")
        } else {
            let error = Diagnostic::new(format!("`{key}` holds a plain-text secret"));
            error.at(at, "belongs in `provider` or `directory`, as a reference").help(REFERENCE_HELP)
        });
    }

    /// Checks the characters strictly: a tenant's name becomes part of the names of files and secrets.
    pub(crate) fn check_name(&mut self, name: &str, at: Location) {
        if is_plain_name(name) && name.len() <= 63 {
            return;
        }
        let error = Diagnostic::new(format!("`{name}` cannot be the name of a tenant"));
        let error = error.at(at, "expected lowercase letters, digits, `.`, `_`, and `-`");
        self.refuse(match propose_name(name) {
            Some(proposal) => error.help(format!("use a name such as `{proposal}`")),
            None => error.help("start with a letter or a digit, and use at most 63 characters"),
        });
    }

    /// Refuses the second tenant with the same name, across the file and all inventories.
    pub(crate) fn refuse_duplicate_names(&mut self, drafts: &[Draft]) {
        let mut known = std::collections::BTreeMap::new();
        for draft in drafts {
            if let Some(first) = known.insert(&draft.name, draft.name_at) {
                let error = Diagnostic::new(format!("two tenants have the name `{}`", draft.name));
                let error = error.at(draft.name_at, "second use").at(first, "first use");
                self.refuse(error.help("give each tenant a unique name"));
            }
        }
    }
}

/// Whether it has only lowercase letters, digits, `.`, `_`, and `-`, and begins with a letter or a digit: it may follow an option,
/// where a dash begins another.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(is_plain) && name.chars().all(|c| is_plain(c) || matches!(c, '.' | '_' | '-'))
}

/// The valid name that is nearest to `name`.
fn propose_name(name: &str) -> Option<String> {
    let lower = name.trim().to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let proposal: String = lower.chars().map(plain).skip_while(|c| !c.is_ascii_alphanumeric()).take(63).collect();
    (!proposal.is_empty()).then_some(proposal)
}
