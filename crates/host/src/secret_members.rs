//! Members whose values are secrets, in whatever form an answer has them. Pure.

use std::{collections::BTreeSet, sync::LazyLock};

use aho_corasick::AhoCorasick;
use flowswap_contract::Handle;
use serde_json::Value;

/// What stands for a secret, or for a text with a secret in it.
pub(crate) const REDACTED: &str = "[redacted]";

/// Members whose value is always a secret, without case and separators.
const SECRET_MEMBERS: &[&str] = &["accesstoken", "refreshtoken", "idtoken", "clientsecret"];

/// How each of them ends.
const ENDS: [&str; 2] = ["token", "secret"];

/// Finds these. Almost no text has one, and a closer look is slow.
static WORDS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(ENDS).ok());

/// Characters that another side leaves visible of a secret that it has masked.
const VISIBLE: usize = 8;

/// Members of a token (RFC 6749 §5.1, §5.2) whose values are not secret.
const FACTS_OF_TOKEN: &[&str] = &["token_type", "scope", "error", "error_description", "error_uri"];

/// A secret and a token have at least this many characters: 128 bits, which nobody guesses (RFC 6749 §10.10), take more.
pub(crate) const SHORTEST_SECRET: usize = 16;

/// Hides the texts of a token that could be its secret, whatever their members are called. Handles stay.
pub(crate) fn hide_texts_of_token(body: &mut Value, handles: &BTreeSet<&Handle>) {
    if Handle::from_value(body).is_some_and(|handle| handles.contains(&handle)) {
        return;
    }
    match body {
        Value::String(text) if text.len() >= SHORTEST_SECRET => *body = REDACTED.into(),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_texts_of_token(item, handles)),
        Value::Object(members) => {
            let others = members.iter_mut().filter(|(name, _)| !FACTS_OF_TOKEN.contains(&name.as_str()));
            others.for_each(|(_, member)| hide_texts_of_token(member, handles));
        }
        _ => {}
    }
}

/// Hides what is below a member with a secret, and each text that has such a member in it: an answer that is not JSON, or JSON within
/// JSON. Handles stay.
pub(crate) fn hide_members(value: &mut Value, handles: &BTreeSet<&Handle>) {
    match value {
        Value::String(text) if has_secret_member(text) => *text = REDACTED.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_members(item, handles)),
        Value::Object(members) => {
            for (name, member) in members {
                if Handle::from_value(member).is_some_and(|handle| handles.contains(&handle)) {
                    continue;
                }
                if is_secret_member(name) { hide(member) } else { hide_members(member, handles) }
            }
        }
        _ => {}
    }
}

/// Whether a text names a secret member and gives it a value, as JSON, a form, XML, YAML, or a table do.
fn has_secret_member(text: &str) -> bool {
    if WORDS.as_ref().is_some_and(|words| !words.is_match(text)) {
        return false;
    }
    let plain = text.replace("%5F", "_").replace("%5f", "_").replace("%3D", "=").replace("%3d", "=");
    let folded = fold(&plain);
    // A table has the names in one line, and the values in others.
    let separators: &[char] =
        if folded.contains('\n') { &[':', '=', '>', '\t', ',', ';', '\r', '\n'] } else { &[':', '=', '>'] };
    SECRET_MEMBERS.iter().any(|name| {
        folded.match_indices(name).any(|(at, _)| {
            let rest = folded[at + name.len()..].trim_start_matches(['"', '\'', '\\', ' ']);
            rest.starts_with(separators)
        })
    })
}

/// Whether the value of a member with this name is always a secret.
pub(crate) fn is_secret_member(name: &str) -> bool {
    let ends = |end: &&str| name.len().checked_sub(end.len()).and_then(|at| name.get(at..));
    let may_be = ENDS.iter().any(|end| ends(end).is_some_and(|tail| tail.eq_ignore_ascii_case(end)));
    may_be && SECRET_MEMBERS.contains(&fold(name).as_str())
}

/// Without case and separators: `client_secret`, `clientSecret`, and `Client-Secret` are one name.
fn fold(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

/// Hides every text and number below a secret member. A text of stars stays: the other side has masked it, and its visible end helps
/// to tell secrets apart. So does a constant in an object: Okta describes how refresh tokens rotate in a member `refresh_token`.
pub(crate) fn hide(value: &mut Value) {
    match value {
        Value::String(text) if text.contains("***") && text.chars().filter(|c| *c != '*').count() <= VISIBLE => {}
        Value::String(_) | Value::Number(_) => *value = REDACTED.into(),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(members) => members.values_mut().filter(|member| !is_constant(member)).for_each(hide),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Whether a value is one of a few that a description lists, such as `STATIC`. No secret is that short.
fn is_constant(value: &Value) -> bool {
    let is_letter = |c: char| c.is_ascii_uppercase() || c == '_';
    value.as_str().is_some_and(|text| text.len() < SHORTEST_SECRET && text.chars().all(is_letter))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_below_a_member_with_a_secret_is_hidden() {
        let captured = Handle::new("acme/create/client_secret");
        let mut answer = json!({
            "client_secret": {"$secret": "acme/create/client_secret"}, "clientSecret": {"$secret": "only like a handle"},
            "Client-Secret": ["s", {"value": "s"}, 1, null], "CLIENT_SECRET": "***YDSk", "note": "client_secret: s", "id": "1",
            "refresh_token": {"rotation_type": "STATIC", "value": "ABCDEFGHIJKLMNOP", "leeway": 0}, "access_token": "STATIC",
        });
        hide_members(&mut answer, &[&captured].into());
        let expect = json!({
            "client_secret": {"$secret": "acme/create/client_secret"}, "clientSecret": {"$secret": "[redacted]"},
            "Client-Secret": ["[redacted]", {"value": "[redacted]"}, "[redacted]", null], "CLIENT_SECRET": "***YDSk",
            "note": "[redacted]", "id": "1",
            "refresh_token": {"rotation_type": "STATIC", "value": "[redacted]", "leeway": "[redacted]"},
            "access_token": "[redacted]",
        });
        assert_eq!(answer, expect);
    }
}
