//! Answers that a test dictates, and answers of the simulator that a test changes in part.

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::message::Reply;

/// An answer without the headers of the simulator.
pub(crate) fn reply(status: u16, body: String) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Reply { body: body.into(), ..Reply::empty(status) }
}

/// Adds header lines in their order. A `date` replaces the existing one, and an empty one removes it. A line that is not
/// valid in HTTP is left out.
pub(crate) fn set_headers(mut reply: Reply, lines: &[(String, String)]) -> Reply {
    for (name, value) in lines {
        let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()));
        let (Ok(name), Ok(value)) = parsed else { continue };
        if name == header::DATE {
            reply.headers.remove(&name);
        }
        if name != header::DATE || !value.is_empty() {
            reply.headers.append(name, value);
        }
    }
    reply
}

/// Changes or removes the members at a JSON pointer (RFC 6901, with `*` for every item). A body that is not JSON, or has
/// no such member, does not change.
pub(crate) fn edit(reply: Reply, pointer: &str, value: Option<&Value>) -> Reply {
    let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else { return reply };
    let steps: Vec<String> =
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    change(&mut body, &steps, value);
    Reply { body: serde_json::to_vec(&body).unwrap_or_default().into(), ..reply }
}

fn change(at: &mut Value, steps: &[String], value: Option<&Value>) {
    let Some((step, rest)) = steps.split_first() else {
        *at = value.cloned().unwrap_or_default();
        return;
    };
    match at {
        Value::Array(items) if step == "*" => {
            for item in items {
                change(item, rest, value);
            }
        }
        Value::Array(items) => {
            if let Some(item) = step.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                change(item, rest, value);
            }
        }
        Value::Object(members) if rest.is_empty() => {
            match value {
                Some(value) => members.insert(step.clone(), value.clone()),
                None => members.remove(step),
            };
        }
        Value::Object(members) => {
            if let Some(member) = members.get_mut(step) {
                change(member, rest, value);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_changed_added_and_removed() {
        let before = json!([{"a": {"b": 1}}, {"a": {"b": 2, "c": 3}}, {}]);
        let check = |pointer: &str, value: Option<Value>, expect: Value| {
            let reply = Reply::json(StatusCode::OK, &before);
            let after: Value = serde_json::from_slice(&edit(reply, pointer, value.as_ref()).body).unwrap();
            assert_eq!(after, expect, "{pointer}");
        };
        check("/*/a/b", None, json!([{"a": {}}, {"a": {"c": 3}}, {}]));
        check("/*/x", Some(json!(7)), json!([{"a": {"b": 1}, "x": 7}, {"a": {"b": 2, "c": 3}, "x": 7}, {"x": 7}]));
        check("/1", Some(json!(null)), json!([{"a": {"b": 1}}, null, {}]));
        check("", Some(json!([])), json!([]));
    }

    #[test]
    fn a_date_replaces_the_existing_date() {
        let dated = || reply(200, String::new()).with_header(header::DATE, "Mon, 23 Nov 2026 10:00:00 GMT");
        let line = |value: &str| [("Date".to_owned(), value.to_owned())];
        assert_eq!(set_headers(dated(), &line("x")).headers.get(header::DATE).unwrap(), "x");
        assert!(!set_headers(dated(), &line("")).headers.contains_key(header::DATE));
    }
}
