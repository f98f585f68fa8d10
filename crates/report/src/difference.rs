//! How a class differs from the largest one, in sentences.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Members of a shape other than those that have sentences of their own, as a reviewer calls them.
const OTHERS: [(&str, &str); 5] = [
    ("plugins", "It uses other plugins."),
    ("app_data", "It differs in whether enterprise applications are collected."),
    ("origins", "It sends its credentials to other kinds of servers."),
    ("token_paths", "It asks for tokens at other paths."),
    ("rollback", "Its rollback is different."),
];

/// What is different in `shape`. Empty only if the shapes are equal.
pub(crate) fn describe(largest: &Value, shape: &Value) -> Vec<String> {
    let mut sentences = Vec::new();
    let (more, less) = compare_sets(&largest["findings"], &shape["findings"]);
    sentences.extend(list("It also has the finding", more));
    sentences.extend(list("It does not have the finding", less));
    for (side, name) in [("before", "The legacy client"), ("after", "The new client")] {
        let scopes = ["change", side, "scopes"].iter().fold((largest, shape), |(a, b), key| (&a[*key], &b[*key]));
        let (more, less) = compare_sets(scopes.0, scopes.1);
        sentences.extend(list(&format!("{name} also has the scope"), more));
        sentences.extend(list(&format!("{name} does not have the scope"), less));
    }
    compare_steps(&largest["steps"], &shape["steps"], &mut sentences);
    let others = OTHERS.iter().filter(|(member, _)| largest[*member] != shape[*member]);
    sentences.extend(others.map(|(_, sentence)| (*sentence).to_owned()));
    if sentences.is_empty() && largest != shape {
        sentences.push("It has another verdict, or its connection has another flow.".to_owned());
    }
    sentences
}

fn compare_steps(largest: &Value, shape: &Value, sentences: &mut Vec<String>) {
    let steps = |value: &Value| -> Map<String, Value> {
        let steps = value.as_array().into_iter().flatten();
        steps.filter_map(|step| Some((step["id"].as_str()?.to_owned(), step.clone()))).collect()
    };
    let (of_largest, of_shape) = (steps(largest), steps(shape));
    let missing = |from: &Map<String, Value>, other: &Map<String, Value>| {
        from.keys().filter(|id| !other.contains_key(*id)).cloned().collect::<Vec<_>>()
    };
    let (more, less) = (missing(&of_shape, &of_largest), missing(&of_largest, &of_shape));
    let is_other_order = largest != shape && of_largest == of_shape;
    sentences.extend(list("It also has the step", more));
    sentences.extend(list("It does not have the step", less));
    for (id, step) in &of_shape {
        let Some(other) = of_largest.get(id).filter(|other| *other != step) else { continue };
        let members = |step: &Value| step["proposal"].as_object().cloned().unwrap_or_default();
        let (own, other) = (members(step), members(other));
        let names: BTreeSet<&String> = own.keys().chain(other.keys()).collect();
        let different =
            names.into_iter().filter(|name| own.get(*name) != other.get(*name)).cloned().collect::<Vec<_>>();
        let what = if different.is_empty() { "its side".to_owned() } else { different.join(", ") };
        sentences.push(format!("Step `{id}` differs in {what}."));
    }
    if is_other_order {
        sentences.push("Its steps have another order.".to_owned());
    }
}

/// What only the second array has, and what only the first has.
fn compare_sets(first: &Value, second: &Value) -> (Vec<String>, Vec<String>) {
    let set = |value: &Value| -> BTreeSet<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (first, second) = (set(first), set(second));
    (second.difference(&first).cloned().collect(), first.difference(&second).cloned().collect())
}

/// A sentence about names, if there are any.
fn list(start: &str, names: Vec<String>) -> Option<String> {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let plural = if quoted.len() > 1 { "s" } else { "" };
    (!quoted.is_empty()).then(|| format!("{start}{plural} {}.", quoted.join(", ")))
}
