//! How a class differs from another one, in sentences.

use std::collections::{BTreeMap, BTreeSet};

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
    let flows = (&largest["change"]["before"]["flow"], &shape["change"]["before"]["flow"]);
    if let (Some(_), Some(flow)) = (flows.0.as_str(), flows.1.as_str().filter(|_| flows.0 != flows.1)) {
        sentences.push(format!("Its connection has the flow `{flow}`."));
    }
    compare_steps(&largest["steps"], &shape["steps"], &mut sentences);
    let others = OTHERS.iter().filter(|(member, _)| largest[*member] != shape[*member]);
    sentences.extend(others.map(|(_, sentence)| (*sentence).to_owned()));
    if sentences.is_empty() && largest != shape {
        sentences.push("It has another verdict.".to_owned());
    }
    sentences
}

fn compare_steps(largest: &Value, shape: &Value, sentences: &mut Vec<String>) {
    let (of_largest, of_shape) = (by_id(largest), by_id(shape));
    let missing = |from: &BTreeMap<&str, &Value>, other: &BTreeMap<&str, &Value>| {
        from.keys().filter(|id| !other.contains_key(*id)).map(|id| (*id).to_owned()).collect::<Vec<_>>()
    };
    let (more, less) = (missing(&of_shape, &of_largest), missing(&of_largest, &of_shape));
    let is_other_order = largest != shape && of_largest == of_shape;
    sentences.extend(list("It also has the step", more));
    sentences.extend(list("It does not have the step", less));
    let mut steps_by_members: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for step in shape.as_array().into_iter().flatten() {
        let id = step["id"].as_str().unwrap_or_default();
        let Some(other) = of_largest.get(id).filter(|other| **other != step) else { continue };
        let (own, other) = (members(step), members(other));
        let names: BTreeSet<&String> = own.keys().chain(other.keys()).collect();
        let different = names.into_iter().filter(|name| own.get(*name) != other.get(*name)).cloned().collect();
        match steps_by_members.iter_mut().find(|(members, _)| *members == different) {
            Some((_, ids)) => ids.push(id.to_owned()),
            None => steps_by_members.push((different, vec![id.to_owned()])),
        }
    }
    for (members, ids) in steps_by_members {
        let (subject, differs) = if ids.len() == 1 { ("Step", "differs") } else { ("Steps", "differ") };
        let what = if members.is_empty() { "the side".to_owned() } else { quote(&members) };
        sentences.push(format!("{subject} {} {differs} in {what}.", quote(&ids)));
    }
    if is_other_order {
        sentences.push("Its steps have another order.".to_owned());
    }
}

fn by_id(steps: &Value) -> BTreeMap<&str, &Value> {
    let steps = steps.as_array().into_iter().flatten();
    steps.filter_map(|step| Some((step["id"].as_str()?, step))).collect()
}

/// What a step consists of. The members of its payload count one by one.
fn members(step: &Value) -> Map<String, Value> {
    let mut members = step["proposal"].as_object().cloned().unwrap_or_default();
    let payload = members.remove("payload").unwrap_or_default();
    for (name, value) in payload["members"].as_object().cloned().unwrap_or_default() {
        let name = if members.contains_key(&name) { format!("payload.{name}") } else { name };
        members.insert(name, value);
    }
    members
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
    let plural = if names.len() > 1 { "s" } else { "" };
    (!names.is_empty()).then(|| format!("{start}{plural} {}.", quote(&names)))
}

fn quote(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
