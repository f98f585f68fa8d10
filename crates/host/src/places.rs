//! Where in a request a secret may stand. Pure.
//!
//! | secret | places |
//! | --- | --- |
//! | a credential of the configuration | the `authorization` header, and the authentication of a client for which the host requests a token |
//! | a token that lives as long as the session | the `authorization` header, after a scheme |
//! | a secret of a step | client authentication in a token request, the key of a [`Blind`](flowswap_contract::Blind), and the places of the body that the plan names for the step ([`SentSecret`](flowswap_contract::SentSecret)) |
//!
//! So no plugin can send a secret to a place where a server would store it, search for it, or send it back.

use std::fmt;

use flowswap_contract::{Auth, Body, Handle, HttpAsk, Intent, SentSecret};
use serde_json::Value;

use crate::origin::Origin;

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A credential of the configuration.
    Configured,
    /// A token that an answer carried, kept as long as the session.
    Token,
    /// A secret that a step stored.
    OfStep,
}

/// One place of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The password of HTTP Basic.
    Password,
    /// After the scheme in the `authorization` header.
    Token,
    /// What an OAuth client authenticates with. The host sends it only to the token endpoint, or signs with it.
    Client,
    /// In the body: a JSON pointer, or `/` and the name of a form's field.
    Body(String),
    /// The key of keyed hashes, which is not sent.
    BlindingKey,
}

/// A place of the body that the plan names for a secret of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) handle: Handle,
    /// `None` if the plan names something that is no origin. Then the secret goes nowhere.
    pub(crate) origin: Option<Origin>,
    pub(crate) pointer: String,
}

/// Every secret that the request names, with its place.
pub(crate) fn secrets_in(ask: &HttpAsk) -> Vec<(Handle, Place)> {
    let mut found = Vec::new();
    match &ask.auth {
        Some(Auth::Basic { password, .. }) => found.push((password.clone(), Place::Password)),
        Some(Auth::Token { token, .. }) => found.push((token.clone(), Place::Token)),
        Some(Auth::WrongSecret { .. }) => {}
        Some(Auth::Client(client)) => found.push((client.proof.credential().clone(), Place::Client)),
        None => {}
    }
    match &ask.body {
        Some(Body::Json(value)) => secrets_below(value, &mut String::new(), &mut found),
        Some(Body::Form(fields)) => found.extend(fields.iter().filter_map(|(name, value)| {
            let pointer = format!("/{}", SentSecret::pointer_step(name));
            Some((Handle::from_value(value)?, Place::Body(pointer)))
        })),
        None => {}
    }
    found.extend(ask.blind.iter().map(|blind| (blind.key.clone(), Place::BlindingKey)));
    found
}

/// Whether a secret may stand at this place of a request to `origin`. `named` has the places that the plan names for the step;
/// `None` if the plan is older than such places.
pub(crate) fn may_stand(
    (handle, kind): (&Handle, Kind),
    place: &Place,
    intent: Intent,
    origin: &Origin,
    named: Option<&[Named]>,
) -> bool {
    match (kind, place) {
        (Kind::Configured | Kind::Token, Place::Token) | (Kind::Configured, Place::Password | Place::Client) => true,
        (Kind::OfStep, Place::BlindingKey) => true,
        (Kind::OfStep, Place::Password) => intent == Intent::Authenticate,
        (Kind::OfStep, Place::Body(at)) if intent == Intent::Authenticate => at == "/client_secret",
        (Kind::OfStep, Place::Body(at)) => named.is_none_or(|named| {
            let is_here = |place: &Named| place.origin.as_ref() == Some(origin) && place.pointer == *at;
            named.iter().any(|place| place.handle == *handle && is_here(place))
        }),
        _ => false,
    }
}

/// `pointer` leads to `value`.
fn secrets_below(value: &Value, pointer: &mut String, found: &mut Vec<(Handle, Place)>) {
    if let Some(handle) = Handle::from_value(value) {
        found.push((handle, Place::Body(pointer.clone())));
        return;
    }
    let length = pointer.len();
    let mut below = |name: &str, value: &Value| {
        pointer.push('/');
        pointer.push_str(name);
        secrets_below(value, pointer, found);
        pointer.truncate(length);
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| below(&at.to_string(), item)),
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| below(&SentSecret::pointer_step(name), member))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password => f.write_str("as a password"),
            Self::Token => f.write_str("as a token"),
            Self::Client => f.write_str("as the credential of a client"),
            Self::Body(at) if at.is_empty() => f.write_str("as the body"),
            Self::Body(at) => write!(f, "in the body at `{at}`"),
            Self::BlindingKey => f.write_str("as the key of hashes"),
        }
    }
}

#[cfg(test)]
mod tests;
