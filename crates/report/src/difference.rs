//! How a class differs from another one, in sentences.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::own_words::{APP_IN_USE, CLIENT_IN_USE};

/// Members of a shape other than those that have sentences of their own, as a reviewer calls them.
const OTHERS: [(&str, &str); 3] = [
    ("plugins", "It uses other plugins."),
    ("origins", "It sends its credentials to other kinds of servers."),
    ("token_paths", "It asks for tokens at other paths."),
];

/// A cause in words, and the members of steps that differ because of it.
struct Cause {
    sentence: String,
    explains: &'static [&'static str],
}

/// What is different in `shape`: first the causes. What follows from a cause is not said again, because a reviewer would have to
/// find out that it says nothing new. Empty only if the shapes are equal.
pub(crate) fn describe(largest: &Value, shape: &Value) -> Vec<String> {
    let mut sentences = Vec::new();
    let (more, less) = compare_sets(&largest["findings"], &shape["findings"]);
    sentences.extend(list("It also has the finding", more));
    sentences.extend(list("It does not have the finding", less));
    let causes: Vec<Cause> = [find_app_data(largest, shape), find_app_id(largest, shape)]
        .into_iter()
        .flatten()
        .chain(find_scopes(&largest["change"], &shape["change"]))
        .chain(find_flow(largest, shape))
        .chain(find_rollback(&largest["rollback"], &shape["rollback"]))
        .collect();
    let explained: BTreeSet<&str> = causes.iter().flat_map(|cause| cause.explains).copied().collect();
    sentences.extend(causes.into_iter().map(|cause| cause.sentence));
    compare_steps(&largest["steps"], &shape["steps"], &explained, &mut sentences);
    let others = OTHERS.iter().filter(|(member, _)| largest[*member] != shape[*member]);
    sentences.extend(others.map(|(_, sentence)| (*sentence).to_owned()));
    if sentences.is_empty() && largest != shape {
        sentences.push("It has another verdict.".to_owned());
    }
    sentences
}

/// Enterprise applications need another integration, with scopes of its own.
fn find_app_data(largest: &Value, shape: &Value) -> Option<Cause> {
    let (one, other) = (&largest["app_data"], &shape["app_data"]);
    let does = if other == true { "also collects" } else { "does not collect" };
    (one != other).then(|| Cause {
        sentence: format!("It {does} enterprise applications."),
        explains: &["app_data", "scopes", "type", "variant"],
    })
}

/// In most orgs, the ID of an app is its client ID. If it is not, the steps name two ids instead of one.
fn find_app_id(largest: &Value, shape: &Value) -> Option<Cause> {
    let the = |kind: &str| json!([{ "the": kind }]);
    let has = |shape: &Value, id: &Value| {
        let steps = shape["steps"].as_array().into_iter().flatten();
        let mut ids = steps.map(|step| &step["proposal"]["payload"]["members"]["app_id"]).filter(|id| !id.is_null());
        ids.clone().count() > 0 && ids.all(|other| other == id)
    };
    let is_own = |shape: &Value| has(shape, &the(APP_IN_USE)) || has(shape, &the(CLIENT_IN_USE));
    let is = |shape: &Value| has(shape, &the(CLIENT_IN_USE));
    let differs = is_own(largest) && is_own(shape) && is(largest) != is(shape);
    let verb = if is(shape) { "is" } else { "is not" };
    differs
        .then(|| Cause { sentence: format!("The ID of the legacy app {verb} its client ID."), explains: &["app_id"] })
}

/// The scopes of both clients.
fn find_scopes(largest: &Value, shape: &Value) -> Vec<Cause> {
    let compare = |side: &str| compare_sets(&largest[side]["scopes"], &shape[side]["scopes"]);
    let (before, after) = (compare("before"), compare("after"));
    let follows: &[&str] = if after.0.is_empty() && after.1.is_empty() { &[] } else { &["scopes"] };
    let mut sentences = Vec::new();
    for (words, of_before, of_after) in
        [(["also has", "also have"], before.0, after.0), (["does not have", "do not have"], before.1, after.1)]
    {
        let both: Vec<String> = of_before.iter().filter(|scope| of_after.contains(scope)).cloned().collect();
        let only = |scopes: Vec<String>| scopes.into_iter().filter(|scope| !both.contains(scope)).collect();
        sentences.extend(list(&format!("The legacy client {} the scope", words[0]), only(of_before)));
        sentences.extend(list(&format!("The new client {} the scope", words[0]), only(of_after)));
        sentences.extend(list(&format!("Both clients {} the scope", words[1]), both));
    }
    sentences.into_iter().map(|sentence| Cause { sentence, explains: follows }).collect()
}

fn find_flow(largest: &Value, shape: &Value) -> Option<Cause> {
    let flow = |shape: &Value| shape["change"]["before"]["flow"].as_str().map(str::to_owned);
    let (one, other) = (flow(largest)?, flow(shape)?);
    (one != other)
        .then(|| Cause { sentence: format!("Its connection has the flow `{other}`."), explains: &["previous_flow"] })
}

/// The steps whose rollback is another one. A step that only one shape has is named elsewhere.
fn find_rollback(largest: &Value, shape: &Value) -> Option<Cause> {
    let lines = |rollback: &Value| rollback.as_array().cloned().unwrap_or_default();
    let of_largest = lines(largest);
    let is_other = |line: &Value| of_largest.iter().any(|other| other["step"] == line["step"] && other != line);
    let names: Vec<String> = lines(shape)
        .iter()
        .filter(|line| is_other(line))
        .filter_map(|line| line["step"].as_str().map(str::to_owned))
        .collect();
    let sentence = list("It has another rollback of the step", names);
    let sentence = sentence.or_else(|| (largest != shape).then(|| "Its rollback is different.".to_owned()))?;
    Some(Cause { sentence, explains: &["undo", "reversibility"] })
}

fn compare_steps(largest: &Value, shape: &Value, explained: &BTreeSet<&str>, sentences: &mut Vec<String>) {
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
        let different: Vec<String> =
            names.into_iter().filter(|name| own.get(*name) != other.get(*name)).cloned().collect();
        // A title says in words what the other members say.
        let (titles, rest): (Vec<String>, Vec<String>) = different.into_iter().partition(|name| name == "title");
        let is_cause_known = rest.iter().any(|name| explained.contains(name.as_str()));
        let mut left: Vec<String> = rest.into_iter().filter(|name| !explained.contains(name.as_str())).collect();
        if left.is_empty() && is_cause_known {
            continue;
        }
        left.extend(titles);
        match steps_by_members.iter_mut().find(|(members, _)| *members == left) {
            Some((_, ids)) => ids.push(id.to_owned()),
            None => steps_by_members.push((left, vec![id.to_owned()])),
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
