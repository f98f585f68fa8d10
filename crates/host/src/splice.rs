//! Replaces handles by their secrets in a request that is about to be sent. Pure.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use flowswap_contract::{Auth, Body, Error, ErrorKind, Handle, HttpAsk, Intent};
use flowswap_engine::Secret;
use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

/// The parts of a request that can hold secrets.
pub(crate) struct Spliced {
    /// The `authorization` header.
    pub(crate) authorization: Option<HeaderValue>,
    /// The `content-type` header.
    pub(crate) content_type: Option<&'static str>,
    /// The body.
    pub(crate) body: Bytes,
}

/// Replaces every handle in `ask` by its secret.
pub(crate) fn splice(ask: &HttpAsk, secrets: &BTreeMap<Handle, Secret>) -> Result<Spliced, Error> {
    let authorization = match &ask.auth {
        // The token is added to each attempt.
        None | Some(Auth::Client(_)) => None,
        Some(Auth::WrongSecret { username }) => Some(authorize_wrongly(username, ask.intent)?),
        Some(auth) => Some(authorize(auth, ask.intent, secrets)?),
    };
    let (content_type, body) = match &ask.body {
        None => (None, Bytes::new()),
        Some(Body::Json(value)) => {
            let mut value = value.clone();
            fill(&mut value, secrets)?;
            (Some("application/json"), value.to_string().into())
        }
        Some(Body::Form(fields)) => (Some("application/x-www-form-urlencoded"), form(fields, secrets)?.into()),
    };
    Ok(Spliced { authorization, content_type, body })
}

fn authorize(auth: &Auth, intent: Intent, secrets: &BTreeMap<Handle, Secret>) -> Result<HeaderValue, Error> {
    let (handle, text) = match auth {
        // RFC 7617 does not encode.
        Auth::Basic { username, password } if intent == Intent::Authenticate => {
            (password, client_secret_basic(username, value(password, secrets)?))
        }
        Auth::Basic { username, password } => {
            if username.contains(':') {
                return Err(malformed("the user name of basic authentication contains a colon"));
            }
            (password, basic(&format!("{username}:{}", value(password, secrets)?)))
        }
        Auth::Token { scheme, token } => {
            if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                return Err(malformed("the authorization scheme is not a single word"));
            }
            (token, format!("{scheme} {}", value(token, secrets)?))
        }
        Auth::Client(_) | Auth::WrongSecret { .. } => return Err(malformed("the header needs no secret of a handle")),
    };
    // Does not use the error's own text, because it may contain the secret.
    let mut header = HeaderValue::from_str(&text).map_err(|_| {
        Error::new(ErrorKind::Config, format!("the secret `{handle}` contains characters that a header cannot hold"))
            .with_hint("check the secret for a line break or an accented character")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// The header with a secret that nobody has, in the form of Okta's own.
fn authorize_wrongly(client_id: &str, intent: Intent) -> Result<HeaderValue, Error> {
    if intent != Intent::Authenticate {
        return Err(malformed("a wrong secret belongs into a request for a token"));
    }
    let secret: String = (0..64).map(|_| fastrand::alphanumeric()).collect();
    HeaderValue::from_str(&client_secret_basic(client_id, &secret))
        .map_err(|_| malformed("the client id cannot be sent in a header"))
}

/// The header of `client_secret_basic`, which encodes both parts before it joins them (RFC 6749 §2.3.1).
pub(crate) fn client_secret_basic(id: &str, secret: &str) -> String {
    basic(&format!("{}:{}", encode_sparingly(id), encode_sparingly(secret)))
}

/// Encodes only the characters that decoding would change or that a header cannot hold. RFC 6749 §2.3.1 requires that id
/// and secret are encoded, but some servers do not decode them. Characters that both kinds of server read in the same way
/// stay as they are, such as the `@` in the id of a service account.
pub(crate) fn encode_sparingly(text: &str) -> String {
    const CHANGED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'+').add(b':');
    // In a form, a space is a plus.
    utf8_percent_encode(text, CHANGED).to_string().replace("%20", "+")
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn fill(place: &mut Value, secrets: &BTreeMap<Handle, Secret>) -> Result<(), Error> {
    if let Some(handle) = Handle::from_value(place) {
        *place = value(&handle, secrets)?.into();
        return Ok(());
    }
    match place {
        Value::Array(items) => items.iter_mut().try_for_each(|item| fill(item, secrets)),
        Value::Object(members) => members.values_mut().try_for_each(|member| fill(member, secrets)),
        _ => Ok(()),
    }
}

fn form(fields: &[(String, Value)], secrets: &BTreeMap<Handle, Secret>) -> Result<String, Error> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    for (name, field) in fields {
        let text = match (Handle::from_value(field), field) {
            (Some(handle), _) => value(&handle, secrets)?,
            (None, Value::String(text)) => text,
            _ => return Err(malformed(&format!("the form field `{name}` is neither a string nor a handle"))),
        };
        body.append_pair(name, text);
    }
    Ok(body.finish())
}

fn value<'a>(handle: &Handle, secrets: &'a BTreeMap<Handle, Secret>) -> Result<&'a str, Error> {
    let known = secrets.get(handle).map(Secret::expose);
    known.ok_or_else(|| Error::new(ErrorKind::Internal, format!("the secret `{handle}` was not fetched")))
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the plugin asked for a malformed request: {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn splice_known(ask: &HttpAsk) -> Result<Spliced, Error> {
        let secrets = [("t/s/plain", "s3cret"), ("t/s/odd", "a b:+/é"), ("t/s/line", "a\nb")];
        let secrets = secrets.map(|(name, value)| (Handle::new(name), Secret::new(value))).into();
        splice(ask, &secrets)
    }

    fn ask(intent: Intent, body: Option<Body>, auth: Option<Auth>) -> HttpAsk {
        HttpAsk { body, auth, ..HttpAsk::new(intent, "POST", "https://x.test") }
    }

    fn check_auth(intent: Intent, auth: Auth, expect: Result<&str, &str>) {
        let got = splice_known(&ask(intent, None, Some(auth))).map(|spliced| spliced.authorization.unwrap());
        if let Ok(header) = &got {
            assert!(header.is_sensitive());
        }
        let got = got.as_ref().map(|header| header.to_str().unwrap()).map_err(|e| e.message.as_str());
        assert_eq!(got, expect);
    }

    fn check_body(body: Body, content_type: &str, expect: Result<&str, &str>) {
        let got = splice_known(&ask(Intent::Mutate, Some(body), None));
        if let Ok(spliced) = &got {
            assert_eq!(spliced.content_type, Some(content_type));
        }
        let got = got.map(|spliced| String::from_utf8(spliced.body.into()).unwrap()).map_err(|e| e.message);
        assert_eq!(got.as_ref().map(String::as_str).map_err(String::as_str), expect);
    }

    fn basic(username: &str, name: &str) -> Auth {
        Auth::Basic { username: username.into(), password: Handle::new(format!("t/s/{name}")) }
    }

    fn token(scheme: &str, name: &str) -> Auth {
        Auth::Token { scheme: scheme.into(), token: Handle::new(format!("t/s/{name}")) }
    }

    #[test]
    fn authorization_headers_are_built_from_secrets() {
        check_auth(Intent::Read, token("SSWS", "plain"), Ok("SSWS s3cret"));
        check_auth(Intent::Read, basic("me", "plain"), Ok("Basic bWU6czNjcmV0"));
        // `me%3A+x@y:a+b%3A%2B/%C3%A9`: encodes only what a server that decodes (RFC 6749 §2.3.1) would read differently.
        check_auth(Intent::Authenticate, basic("me: x@y", "odd"), Ok("Basic bWUlM0EreEB5OmErYiUzQSUyQi8lQzMlQTk="));
        check_auth(
            Intent::Read,
            basic("me:x", "plain"),
            Err("the plugin asked for a malformed request: the user name of basic authentication contains a colon"),
        );
        check_auth(
            Intent::Read,
            token("Bearer x\r\ny:", "plain"),
            Err("the plugin asked for a malformed request: the authorization scheme is not a single word"),
        );
        let refused = "the secret `t/s/line` contains characters that a header cannot hold";
        check_auth(Intent::Read, token("Bearer", "line"), Err(refused));
        check_auth(Intent::Read, token("Bearer", "gone"), Err("the secret `t/s/gone` was not fetched"));
    }

    #[test]
    fn handles_in_bodies_become_secrets() {
        let json = "application/json";
        let body = json!({"a": [{"$secret": "t/s/plain"}, {"$secret": "t/s/plain", "more": 1}], "b": "t/s/plain"});
        let spliced = r#"{"a":["s3cret",{"$secret":"t/s/plain","more":1}],"b":"t/s/plain"}"#;
        check_body(Body::Json(body), json, Ok(spliced));
        check_body(Body::Json(json!({"$secret": "t/s/gone"})), json, Err("the secret `t/s/gone` was not fetched"));

        let form = "application/x-www-form-urlencoded";
        let fields = [("grant type", json!("a&b=c")), ("client_secret", json!({"$secret": "t/s/odd"}))];
        let fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
        check_body(Body::Form(fields), form, Ok("grant+type=a%26b%3Dc&client_secret=a+b%3A%2B%2F%C3%A9"));
        check_body(
            Body::Form(vec![("n".into(), json!(1))]),
            form,
            Err("the plugin asked for a malformed request: the form field `n` is neither a string nor a handle"),
        );
    }
}
