//! Replaces personal data by keyed hashes. A plugin can compare people without knowing who they are. Pure.

use base16ct::lower::encode_string as hex;
use flowswap_contract::Blind;
use flowswap_engine::Secret;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

/// Hashes every value in `body` that one of `pointers` (RFC 6901, with `*` for every child) leads to.
pub(crate) fn blind(body: &mut Value, pointers: &[String], key: &Secret) {
    for pointer in pointers {
        let segments: Vec<String> =
            pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
        blind_below(body, &segments, key);
    }
}

fn blind_below(place: &mut Value, segments: &[String], key: &Secret) {
    let Some((first, rest)) = segments.split_first() else {
        return blind_place(place, key);
    };
    match (place, first.as_str()) {
        (Value::Array(items), "*") => items.iter_mut().for_each(|item| blind_below(item, rest, key)),
        (Value::Object(members), "*") => members.values_mut().for_each(|member| blind_below(member, rest, key)),
        (Value::Array(items), index) => {
            let item = index.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            item.into_iter().for_each(|item| blind_below(item, rest, key));
        }
        (Value::Object(members), name) => {
            members.get_mut(name).into_iter().for_each(|member| blind_below(member, rest, key));
        }
        _ => {}
    }
}

/// Also hashes everything below the place that the pointer leads to: it is personal data as well.
fn blind_place(place: &mut Value, key: &Secret) {
    match place {
        Value::String(text) => *place = hash(text, key).into(),
        Value::Number(number) => *place = hash(&number.to_string(), key).into(),
        Value::Array(items) => items.iter_mut().for_each(|item| blind_place(item, key)),
        Value::Object(members) => members.values_mut().for_each(|member| blind_place(member, key)),
        Value::Null | Value::Bool(_) => {}
    }
}

fn hash(text: &str, key: &Secret) -> String {
    // Cannot fail: RFC 2104 accepts keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else { return String::new() };
    mac.update(text.trim().to_lowercase().as_bytes());
    let mut digits = hex(&mac.finalize().into_bytes());
    digits.truncate(Blind::DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn blinded(mut body: Value, pointers: &[&str], key: &str) -> Value {
        let pointers: Vec<String> = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
        blind(&mut body, &pointers, &Secret::new(key));
        body
    }

    #[test]
    fn only_the_named_places_are_hashed() {
        let body = json!({"users": [{"login": "Ann@acme.test ", "id": 7, "on": true}, {"id": 8}], "a/b": {"x": "y"}});
        // printf %s 'ann@acme.test' | openssl dgst -sha256 -hmac key, and so on.
        let expected = json!({
            "users": [{"login": "61098ee37db3", "id": 7, "on": true}, {"id": 8}],
            "a/b": {"x": "48d63ed1b4f2"},
        });
        let got = blinded(body.clone(), &["/users/*/login", "/users/9/login", "/nowhere/*", "/a~1b/x"], "key");
        assert_eq!(got, expected);
        assert_eq!(blinded(body.clone(), &["/users/0/on"], "key"), body, "a flag is not personal data");
    }

    #[test]
    fn values_below_a_named_place_are_hashed_as_well() {
        let got = blinded(json!([{"name": {"first": "Ann"}}]), &["/*/name"], "key");
        assert_eq!(got[0]["name"]["first"].as_str().unwrap().len(), Blind::DIGITS);
    }

    #[test]
    fn the_hash_ignores_case_and_space_and_depends_on_the_key() {
        let one = |text: &str, key: &str| blinded(json!([text]), &["/*"], key);
        assert_eq!(one("Ann", "k"), one(" ann\n", "k"));
        assert_ne!(one("Ann", "k"), one("Anna", "k"));
        assert_ne!(one("Ann", "k"), one("Ann", "l"));
    }
}
