//! What a plugin needs of an answer. The rest is left out, such as data about people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the plugin needs of an answer. The host leaves out everything else, but for the lists and objects around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// JSON pointers (RFC 6901) into the answer's body, where `*` stands for every item of a list or member of an object, such as
    /// `/*/profile/login`.
    pub pointers: Vec<String>,
}

impl Keep {
    /// Leaves out what is not needed, as the host does. A plugin's tests can do the same to their answers.
    pub fn prune(&self, body: &mut Value) {
        let mut needed = Needed::default();
        for pointer in &self.pointers {
            let segments = pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~"));
            let place = segments.fold(&mut needed, |place, segment| place.below.entry(segment).or_default());
            place.whole = true;
        }
        prune(body, &needed);
    }
}

/// What stands for a text where a list or an object was expected. An error of the plugin then says that it is a text.
const LEFT_OUT: &str = "[left out]";

/// The places that are needed, as a tree.
#[derive(Debug, Default)]
struct Needed {
    whole: bool,
    below: BTreeMap<String, Needed>,
}

fn prune(place: &mut Value, needed: &Needed) {
    if needed.whole {
        return;
    }
    let all = needed.below.get("*");
    match place {
        Value::Array(items) => match all {
            Some(needed) => items.iter_mut().for_each(|item| prune(item, needed)),
            None => items.clear(),
        },
        Value::Object(members) => members.retain(|name, member| match needed.below.get(name).or(all) {
            Some(needed) => {
                prune(member, needed);
                true
            }
            None => false,
        }),
        // Something else is where a list or an object was expected.
        Value::String(text) => LEFT_OUT.clone_into(text),
        other => *other = Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_needed_stays() {
        let body = json!([
            {"id": 1, "profile": {"login": "ann", "email": "a@b"}, "tags": ["x"], "more": [{"id": 2, "name": "n"}]},
            {"id": null, "profile": "ann", "more": {"y": {"id": 3}}},
            "bob",
        ]);
        let kept = |pointers: &[&str]| {
            let mut body = body.clone();
            Keep { pointers: pointers.iter().map(|&pointer| pointer.to_owned()).collect() }.prune(&mut body);
            body
        };
        assert_eq!(
            kept(&["/*/profile/login", "/*/id", "/*/more/*/id"]),
            json!([
                {"id": 1, "profile": {"login": "ann"}, "more": [{"id": 2}]},
                {"id": null, "profile": LEFT_OUT, "more": {"y": {"id": 3}}},
                LEFT_OUT,
            ])
        );
        assert_eq!(kept(&["/*/profile", "/*/profile/login"])[0], json!({"profile": {"login": "ann", "email": "a@b"}}));
        assert_eq!(kept(&["/nowhere"]), json!([]));
        assert_eq!(kept(&[""]), body, "the pointer to the whole answer");
        for (mut body, left) in [(json!("a person"), json!(LEFT_OUT)), (json!(4711), json!(null))] {
            Keep { pointers: vec!["/*/id".to_owned()] }.prune(&mut body);
            assert_eq!(body, left);
        }
    }
}
