//! Writes values in one canonical form, so that equal values have equal bytes and equal digests.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use base16ct::lower::encode_string as hex;
use serde::{Serialize, Serializer};
use serde_json::{
    Map, Value,
    ser::{Formatter, PrettyFormatter},
};
use sha2::{Digest, Sha256};

use crate::hidden::{escape_json, is_hidden};

/// A value whose members are written in the order of their names. It becomes a tree when it is written, and not before.
pub(crate) struct Sorted<T>(pub(crate) T);

impl<T: Serialize> Serialize for Sorted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = serde_json::to_value(&self.0).map_err(serde::ser::Error::custom)?;
        sort(&mut value);
        value.serialize(serializer)
    }
}

/// SHA-256 of the value's canonical JSON, hexadecimal.
///
/// # Errors
///
/// If the value cannot become JSON.
pub fn digest(value: &impl Serialize) -> Result<String, serde_json::Error> {
    digest_sorted(&Sorted(value))
}

/// SHA-256 of the JSON of a value whose members are sorted already, hexadecimal.
pub(crate) fn digest_sorted(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut hasher = Sha256::new();
    serde_json::to_writer(&mut hasher, value)?;
    Ok(hex(&hasher.finalize()))
}

/// The start of a digest, long enough for a person to tell two apart.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// Writes a value whose members are sorted already as indented JSON with a final line break. Hidden characters are escaped, so
/// a terminal shows everything.
pub(crate) fn render_sorted(value: &impl Serialize, mut out: impl Write) -> Result<(), serde_json::Error> {
    let escaped = Escaped(PrettyFormatter::new());
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, escaped))?;
    out.write_all(b"\n").map_err(serde_json::Error::io)
}

/// Indented JSON with escaped hidden characters. Outside of strings, JSON has none.
struct Escaped(PrettyFormatter<'static>);

impl Formatter for Escaped {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.chars().any(is_hidden) {
            return out.write_all(escape_json(fragment).as_bytes());
        }
        out.write_all(fragment.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

/// Sorts the members of every object. `serde_json` does so by default, but not once any crate of the build enables
/// insertion order.
fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(sort),
        Value::Object(members) => {
            if !members.keys().is_sorted() {
                let mut all: Vec<_> = std::mem::take(members).into_iter().collect();
                all.sort_by(|a, b| a.0.cmp(&b.0));
                *members = all.into_iter().collect::<Map<_, _>>();
            }
            members.values_mut().for_each(sort);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Compares two values. The error lists their differences, one per line: `path: before → after`. It is an error even if it
/// lists none.
pub(crate) fn compare(before: &Value, after: &Value) -> Result<(), Vec<String>> {
    if before == after {
        return Ok(());
    }
    let mut lines = Vec::new();
    collect(String::new(), Some(before), Some(after), &mut lines);
    Err(lines)
}

fn collect(path: String, before: Option<&Value>, after: Option<&Value>, lines: &mut Vec<String>) {
    match (before, after) {
        (Some(a), Some(b)) if a == b => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(path, a.get(key), b.get(key), lines);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => collect_items(&path, a, b, lines),
        (a, b) => lines.push(format!("{path}: {} → {}", show(a), show(b))),
    }
}

/// Matches items by their `id`, so that one new app is one line and does not shift all that follow. Another order is one more
/// line. If an id occurs twice, items are matched by position, because matching by id would hide a difference.
fn collect_items(path: &str, before: &[Value], after: &[Value], lines: &mut Vec<String>) {
    let has_ids = |items: &[Value]| {
        let ids: BTreeSet<_> = items.iter().filter_map(|item| item.get("id").and_then(Value::as_str)).collect();
        ids.len() == items.len()
    };
    let by_id = has_ids(before) && has_ids(after);
    let id = |item: &Value, index: usize| match item.get("id").and_then(Value::as_str).filter(|_| by_id) {
        Some(id) => id.to_owned(),
        None => index.to_string(),
    };
    let keyed = |items: &[Value]| -> Vec<(String, Value)> {
        items.iter().enumerate().map(|(i, item)| (id(item, i), item.clone())).collect()
    };
    let (before, after) = (keyed(before), keyed(after));
    let find = |items: &[(String, Value)], key: &str| items.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    for (key, old) in &before {
        collect(format!("{path}[{key}]"), Some(old), find(&after, key).as_ref(), lines);
    }
    for (key, new) in after.iter().filter(|(key, _)| find(&before, key).is_none()) {
        collect(format!("{path}[{key}]"), None, Some(new), lines);
    }
    let common = |items: &[(String, Value)], others: &[(String, Value)]| -> Vec<String> {
        items.iter().map(|(key, _)| key.clone()).filter(|key| find(others, key).is_some()).collect()
    };
    let (old, new) = (common(&before, &after), common(&after, &before));
    if old != new {
        lines.push(format!("{path}: the order {} → {}", old.join(", "), new.join(", ")));
    }
}

fn show(value: Option<&Value>) -> String {
    match value {
        None => "absent".to_owned(),
        Some(Value::Object(_)) => "present".to_owned(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(before: &Value, after: &Value) -> Vec<String> {
        compare(before, after).unwrap_err()
    }

    #[test]
    fn changes_name_the_path_and_both_values() {
        let before = json!({"flow": "a", "apps": [{"id": "1", "on": true}, {"id": "2", "on": true}], "same": [1]});
        let after = json!({"flow": "b", "apps": [{"id": "2", "on": false}, {"id": "3"}], "same": [1], "new": 1});
        assert_eq!(
            differences(&before, &after),
            [
                "apps[1]: present → absent",
                "apps[2].on: true → false",
                "apps[3]: absent → present",
                "flow: \"a\" → \"b\"",
                "new: absent → 1",
            ]
        );
    }

    #[test]
    fn another_order_is_a_change() {
        let items = |ids: &[&str]| json!({"steps": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()});
        let differences = |before: &[&str], after: &[&str]| differences(&items(before), &items(after));
        assert_eq!(differences(&["a", "b", "c"], &["b", "a", "c"]), ["steps: the order a, b, c → b, a, c"]);
        assert_eq!(differences(&["a", "b"], &["new", "a", "b"]), ["steps[new]: absent → present"]);
        assert_eq!(
            differences(&["gone", "a", "b"], &["b", "a"]),
            ["steps[gone]: present → absent", "steps: the order a, b → b, a"]
        );
    }

    #[test]
    fn an_id_that_occurs_twice_hides_nothing() {
        let item = |on: bool| json!({"id": "1", "on": on});
        assert_eq!(differences(&json!([item(true)]), &json!([item(true), item(false)])), ["[1]: absent → present"]);
        assert_eq!(
            differences(&json!([item(true), item(true)]), &json!([item(true), item(false)])),
            ["[1].on: true → false"]
        );
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let a: Value = serde_json::from_str(r#"{"b":{"d":1,"c":2},"a":[{"y":1,"x":2}]}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a":[{"x":2,"y":1}],"b":{"c":2,"d":1}}"#).unwrap();
        assert_eq!(digest(&a).unwrap(), digest(&b).unwrap());
        assert_ne!(digest(&a).unwrap(), digest(&json!({"a": [], "b": {}})).unwrap());
    }
}
