//! Which values differ between two plans of one tenant. Nothing that differs is left out, except what follows from another
//! value that differs: a new client ID is also in the titles of steps.

use flowswap_engine::{NO_ROLLBACK, PlannedTenant, Seen, short};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::names::name;
use crate::{own_words::OwnWords, shape::TEXTS};

/// A value that differs between two plans.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct ValueChange {
    /// What it is, such as `client ID in use`.
    pub what: String,
    /// The value in the old plan. `None` if it has none.
    pub old: Option<String>,
    /// The value in the new plan. `None` if it has none.
    pub new: Option<String>,
}

/// A value that differs, with what it is called without ids. Tenants with the same kinds of changes form a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) kind: String,
    pub(super) change: ValueChange,
    /// The same with what each of the tenant's own names and ids is, as `[domain]`. `None` if only such a word differs.
    pub(super) general: Option<ValueChange>,
}

/// One tenant in one of two plans.
pub(super) struct Side {
    json: Value,
    own: OwnWords,
    /// The app of the client in use, if the org has it.
    app_in_use: Option<String>,
}

impl Side {
    pub(super) fn of(tenant: &PlannedTenant, seen: Option<&Seen>) -> Self {
        let own = OwnWords::of(tenant, seen).only_unique();
        let app_in_use = seen.and_then(|Seen { provider, directory, .. }| {
            let is_used = |client_id: &String| directory.client_id.as_ref() == Some(client_id);
            provider.legacy_clients.iter().find(|client| is_used(&client.client_id)).map(|client| client.id.clone())
        });
        Self { json: json!(tenant), own, app_in_use }
    }

    /// Whether it has a finding of the same rule.
    fn has_finding(&self, finding: &Value) -> bool {
        self.json["findings"].as_array().into_iter().flatten().any(|other| other["id"] == finding["id"])
    }

    fn has_steps(&self) -> bool {
        OF_STEPS.iter().any(|member| match &self.json[*member] {
            Value::Array(items) => !items.is_empty(),
            other => !other.is_null(),
        })
    }
}

/// The members of a tenant's part of a plan, in the order in which a reviewer reads them. Verdicts are compared elsewhere.
const MEMBERS: [&str; 9] = [
    "seen",
    "provider_plugin",
    "directory_plugin",
    "app_data",
    "origins",
    "token_paths",
    "findings",
    "steps",
    "way_back",
];
/// Those that only a tenant with steps has.
const OF_STEPS: [&str; 4] = ["origins", "token_paths", "steps", "way_back"];

/// Lists what is not the same.
pub(super) fn compare(old: &Side, new: &Side) -> Vec<Found> {
    let mut walk = Walk { old, new, found: Vec::new() };
    let is_one_without = old.has_steps() != new.has_steps();
    for member in MEMBERS.iter().filter(|member| !is_one_without || !OF_STEPS.contains(member)) {
        let place =
            Place { path: vec![(*member).to_owned()], kind: vec![(*member).to_owned()], is_text: is_text(member) };
        walk.compare(&place, old.json.get(member), new.json.get(member));
    }
    if is_one_without {
        let count = |side: &Side| side.json["steps"].as_array().map_or(0, Vec::len);
        let change = ValueChange {
            what: "number of steps".to_owned(),
            old: Some(count(old).to_string()),
            new: Some(count(new).to_string()),
        };
        walk.found.push(Found { kind: "steps".to_owned(), change, general: None });
    }
    walk.found
}

/// Where a value is in a tenant's part of a plan.
#[derive(Clone)]
struct Place {
    path: Vec<String>,
    /// The path without ids.
    kind: Vec<String>,
    /// Whether it is text in which the tenant's own names and ids can be.
    is_text: bool,
}

fn is_text(member: &str) -> bool {
    TEXTS.contains(&member) || ["origins", "token_paths", "message", "fix"].contains(&member)
}

impl Place {
    fn member(&self, name: &str) -> Self {
        let mut inner = self.clone();
        inner.path.push(name.to_owned());
        inner.kind.push(name.to_owned());
        inner.is_text |= is_text(name);
        inner
    }

    fn is_finding(&self) -> bool {
        self.path.len() == 2 && self.path[0] == "findings"
    }

    fn item(&self, id: &str) -> Self {
        let mut inner = self.clone();
        inner.path.push(id.to_owned());
        // Steps and findings have the same ids in all tenants.
        inner.kind.push(if self.path.len() == 1 { id.to_owned() } else { "*".to_owned() });
        inner
    }
}

struct Walk<'a> {
    old: &'a Side,
    new: &'a Side,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn compare(&mut self, at: &Place, old: Option<&Value>, new: Option<&Value>) {
        if old == new {
            return;
        }
        match (old, new) {
            (Some(Value::Object(of_old)), Some(Value::Object(of_new))) => {
                let only_new = of_new.keys().filter(|name| !of_old.contains_key(*name));
                for name in of_old.keys().chain(only_new) {
                    self.compare(&at.member(name), of_old.get(name), of_new.get(name));
                }
            }
            (Some(Value::Array(of_old)), Some(Value::Array(of_new))) if has_ids(of_old) && has_ids(of_new) => {
                self.compare_items(at, of_old, of_new);
            }
            (old, new) if at.path == ["seen"] => {
                // Without an answer, nothing of the other plan's tenant can be compared.
                let answered = |value: Option<&Value>| {
                    Value::from(if value.is_some_and(Value::is_object) { "both sides answered" } else { "no answer" })
                };
                self.add(at, Some(&answered(old)), Some(&answered(new)));
            }
            // The ids of these are listed elsewhere.
            (None, Some(item)) if at.is_finding() && !self.old.has_finding(item) => {}
            (Some(item), None) if at.is_finding() && !self.new.has_finding(item) => {}
            _ if at.is_text && self.is_implied(old, new) => {}
            _ => self.add(at, old, new),
        }
    }

    /// Compares lists of things with ids, whatever their order. Another order is a change of its own.
    fn compare_items(&mut self, at: &Place, old: &[Value], new: &[Value]) {
        let (of_old, of_new) = (by_id(old), by_id(new));
        let find = |items: &[(String, &Value)], id: &str| {
            items.iter().find(|(known, _)| known == id).map(|(_, item)| (*item).clone())
        };
        let only_new = of_new.iter().filter(|(id, _)| find(&of_old, id).is_none());
        for (id, _) in of_old.iter().chain(only_new) {
            self.compare(&at.item(id), find(&of_old, id).as_ref(), find(&of_new, id).as_ref());
        }
        let shared = |items: &[(String, &Value)], other: &[(String, &Value)]| -> Vec<Value> {
            let ids = items.iter().map(|(id, _)| id).filter(|id| find(other, id).is_some());
            ids.map(|id| id.as_str().into()).collect()
        };
        let (old_order, new_order) = (shared(&of_old, &of_new), shared(&of_new, &of_old));
        if old_order != new_order {
            self.add(&at.member("order"), Some(&old_order.into()), Some(&new_order.into()));
        }
    }

    /// Whether two texts differ only in words of the tenant that are themselves among the values that differ.
    fn is_implied(&self, old: Option<&Value>, new: Option<&Value>) -> bool {
        let (Some(old), Some(new)) = (old, new) else { return false };
        self.old.own.generalize(old) == self.new.own.generalize(new)
    }

    fn add(&mut self, at: &Place, old: Option<&Value>, new: Option<&Value>) {
        let is_digest = at.path.starts_with(&["seen".to_owned(), "config".to_owned()]);
        let text = |value: Option<&Value>| {
            let text = value.and_then(show)?;
            Some(match text.as_str() {
                NO_ROLLBACK => "no rollback is possible".to_owned(),
                digest if is_digest => short(digest).to_owned(),
                _ => text,
            })
        };
        let general = (
            old.and_then(|value| show_general(&self.old.own.generalize(value))),
            new.and_then(|value| show_general(&self.new.own.generalize(value))),
        );
        let (shown_old, shown_new) = (text(old), text(new));
        let (old, new) = if shown_old == shown_new {
            // They look alike, but one is a text and the other is not.
            (old.map(Value::to_string), new.map(Value::to_string))
        } else {
            (shown_old, shown_new)
        };
        let what = name(&at.path, &[self.old.app_in_use.as_ref(), self.new.app_in_use.as_ref()]);
        let general = (at.is_text && general.0 != general.1).then(|| ValueChange {
            what: what.clone(),
            old: general.0,
            new: general.1,
        });
        self.found.push(Found { kind: at.kind.join("."), change: ValueChange { what, old, new }, general });
    }
}

/// The members that identify an item of a list, in the order in which they are looked for.
const IDS: [&str; 4] = ["id", "step", "type", "input"];

fn id_of(item: &Value) -> Option<&str> {
    IDS.iter().find_map(|member| item.get(member)?.as_str())
}

fn has_ids(items: &[Value]) -> bool {
    items.iter().all(|item| id_of(item).is_some())
}

/// The items with their ids. The second one of an id gets a number.
fn by_id(items: &[Value]) -> Vec<(String, &Value)> {
    let mut named: Vec<(String, &Value)> = Vec::new();
    for item in items {
        let id = id_of(item).unwrap_or_default();
        let known = named.iter().filter(|(_, other)| id_of(other) == Some(id)).count();
        named.push((if known == 0 { id.to_owned() } else { format!("{id} ({})", known + 1) }, item));
    }
    named
}

/// A value as a reviewer reads it. `None` if it says nothing.
fn show(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) => {
            let title =
                ["title", "proposal", "label", "name", "action", "message"].iter().find_map(|name| members.get(*name));
            title.and_then(show).or_else(|| Some(value.to_string()))
        }
        other => Some(other.to_string()),
    }
}

/// A generalized value as a reviewer reads it: each of the tenant's own words is what it is, as `[domain]`. `None` if it says
/// nothing, or is neither a text nor a list of texts.
fn show_general(value: &Value) -> Option<String> {
    let show = |part: &Value| match part["the"].as_str() {
        Some(kind) => format!("[{kind}]"),
        None => part.as_str().unwrap_or_default().to_owned(),
    };
    if let Value::Array(parts) = value {
        return Some(parts.iter().map(show).collect());
    }
    let items = value["items"].as_array().filter(|items| !items.is_empty())?;
    let items: Option<Vec<String>> = items.iter().map(show_general).collect();
    Some(items?.join(", "))
}
