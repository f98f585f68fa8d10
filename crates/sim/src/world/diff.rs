//! The differences between two snapshots, object by object, in readable lines.

use serde_json::Value;

/// One line for every value that was added, removed, or changed, with its path.
pub fn diff(before: &Value, after: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", before, after, &mut lines);
    lines
}

fn compare(path: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                let path = format!("{path}/{key}");
                match new.get(key) {
                    Some(other) => compare(&path, value, other, lines),
                    None => lines.push(format!("{path}: removed, was {value}")),
                }
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                lines.push(format!("{path}/{key}: added, is {value}"));
            }
        }
        (old, new) if old == new => {}
        (old, new) => lines.push(format!("{path}: {old} became {new}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_change_gives_a_line() {
        let lines = diff(&json!({"a": {"x": 1, "y": [1]}, "b": 2}), &json!({"a": {"x": 1, "y": [2]}, "c": 3}));
        assert_eq!(lines, ["/a/y: [1] became [2]", "/b: removed, was 2", "/c: added, is 3"]);
        assert!(diff(&json!({"a": 1}), &json!({"a": 1})).is_empty());
    }
}
