//! How two messages of a plugin differ.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A difference lists at most this many places.
const MAX_PLACES: usize = 20;

/// The first message of a process that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Difference {
    /// The line of the recording with what was expected.
    pub line: usize,
    /// What was recorded, in words.
    pub recorded: String,
    /// What the build did instead, in words.
    pub replayed: String,
    /// If both are the same kind of message about the same thing: where they differ.
    pub places: Vec<Place>,
    /// How many more places differ.
    pub more: usize,
}

/// A place where two messages differ. A value that is missing is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Place {
    /// A JSON pointer (RFC 6901); the whole message is empty.
    pub at: String,
    /// The value in the recording.
    pub recorded: Option<Value>,
    /// The value of the build.
    pub replayed: Option<Value>,
}

/// Where two values differ, and how many more such places there are.
pub(crate) fn places(recorded: &Value, replayed: &Value) -> (Vec<Place>, usize) {
    let mut places = Vec::new();
    compare(Some(recorded), Some(replayed), String::new(), &mut places);
    let more = places.len().saturating_sub(MAX_PLACES);
    places.truncate(MAX_PLACES);
    (places, more)
}

fn compare(recorded: Option<&Value>, replayed: Option<&Value>, at: String, places: &mut Vec<Place>) {
    match (recorded, replayed) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let only_in_b = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(only_in_b) {
                let name = key.replace('~', "~0").replace('/', "~1");
                compare(a.get(key), b.get(key), format!("{at}/{name}"), places);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                compare(a.get(index), b.get(index), format!("{at}/{index}"), places);
            }
        }
        _ if recorded == replayed => {}
        _ => places.push(Place { at, recorded: recorded.cloned(), replayed: replayed.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_that_differs_is_listed_with_both_values() {
        let a = json!({"a": 1, "b/c": [1, 2, {"d": null}], "gone": true, "same": {"x": [1]}});
        let b = json!({"a": 2, "b/c": [1, 3, {"d": false}, 4], "new": "n", "same": {"x": [1]}});
        let (places, more) = places(&a, &b);
        let listed: Vec<_> =
            places.iter().map(|place| (place.at.as_str(), place.recorded.clone(), place.replayed.clone())).collect();
        let expected = [
            ("/a", Some(json!(1)), Some(json!(2))),
            ("/b~1c/1", Some(json!(2)), Some(json!(3))),
            ("/b~1c/2/d", Some(json!(null)), Some(json!(false))),
            ("/b~1c/3", None, Some(json!(4))),
            ("/gone", Some(json!(true)), None),
            ("/new", None, Some(json!("n"))),
        ];
        assert_eq!((listed, more), (expected.to_vec(), 0));
    }

    #[test]
    fn only_the_first_places_are_listed() {
        let (places, more) = places(&json!(vec![1; 50]), &json!(vec![2; 50]));
        assert_eq!((places.len(), more), (MAX_PLACES, 30));
        assert_eq!(places[0].at, "/0");
        assert_eq!(places[MAX_PLACES - 1].at, format!("/{}", MAX_PLACES - 1));
    }
}
