//! Decodes messages from bytes, without a detour.
//!
//! The derived `Deserialize` of an enum that is tagged by a member first copies the whole message into a tree, because the
//! tag may come last. These functions read the tag first, and then decode the bytes once, directly.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Result, Value, value::RawValue};

use crate::{Answer, Ask, FromPlugin, Outcome, ToPlugin};

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(rename = "type", borrow)]
    name: Cow<'a, str>,
}

/// An ask or the answer to one.
#[derive(Deserialize)]
struct Numbered<'a> {
    id: u64,
    n: u32,
    #[serde(borrow)]
    ask: Option<&'a RawValue>,
    #[serde(borrow)]
    outcome: Option<Outcome<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Reply {
    id: u64,
    outcome: Outcome<Value>,
}

/// [`Call`](crate::Call) with parameters that are not decoded yet. The SDK decodes them once it knows their type.
#[cfg(feature = "sdk")]
#[derive(Deserialize)]
pub(crate) struct RawCall {
    pub(crate) id: u64,
    pub(crate) session: u64,
    pub(crate) op: crate::Op,
    pub(crate) now: String,
    #[serde(default = "null")]
    pub(crate) params: Box<RawValue>,
}

#[cfg(feature = "sdk")]
fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

#[cfg(feature = "sdk")]
impl RawCall {
    /// Decodes a message, if it is a call.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let tag: Tag<'_> = serde_json::from_slice(bytes).ok()?;
        if tag.name == "call" { serde_json::from_slice(bytes).ok() } else { None }
    }
}

impl ToPlugin {
    /// Decodes a message.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        let tag: Tag<'_> = serde_json::from_slice(bytes)?;
        match tag.name.as_ref() {
            "open" => serde_json::from_slice(bytes).map(Self::Open),
            "call" => serde_json::from_slice(bytes).map(Self::Call),
            "answer" => match serde_json::from_slice(bytes)? {
                Numbered { id, n, outcome: Some(Outcome::Ok(answer)), .. } => {
                    Ok(Self::Answer { id, n, outcome: Outcome::Ok(decode_answer(answer)?) })
                }
                Numbered { id, n, outcome: Some(Outcome::Error(error)), .. } => {
                    Ok(Self::Answer { id, n, outcome: Outcome::Error(error) })
                }
                Numbered { outcome: None, .. } => serde_json::from_slice(bytes),
            },
            _ => serde_json::from_slice(bytes),
        }
    }
}

impl FromPlugin {
    /// Whether a message is an ask. Needs no memory, however long the message is.
    pub fn is_ask(bytes: &[u8]) -> bool {
        serde_json::from_slice(bytes).is_ok_and(|tag: Tag<'_>| tag.name == "ask")
    }

    /// Decodes a message.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        let tag: Tag<'_> = serde_json::from_slice(bytes)?;
        match tag.name.as_ref() {
            "ask" => match serde_json::from_slice(bytes)? {
                Numbered { id, n, ask: Some(ask), .. } => Ok(Self::Ask { id, n, ask: decode_ask(ask)? }),
                Numbered { ask: None, .. } => serde_json::from_slice(bytes),
            },
            "reply" => {
                let Reply { id, outcome } = serde_json::from_slice(bytes)?;
                Ok(Self::Reply { id, outcome })
            }
            _ => serde_json::from_slice(bytes),
        }
    }
}

fn decode_answer(answer: &RawValue) -> Result<Answer> {
    let tag: Tag<'_> = serde_json::from_str(answer.get())?;
    match tag.name.as_ref() {
        "http" => serde_json::from_str(answer.get()).map(Answer::Http),
        _ => serde_json::from_str(answer.get()),
    }
}

fn decode_ask(ask: &RawValue) -> Result<Ask> {
    let tag: Tag<'_> = serde_json::from_str(ask.get())?;
    match tag.name.as_ref() {
        "http" => serde_json::from_str(ask.get()).map(Ask::Http),
        _ => serde_json::from_str(ask.get()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Error, ErrorKind, HttpAnswer, HttpAsk, Intent, PROTOCOL};

    #[test]
    fn a_message_decodes_like_the_derived_type() {
        let answer = HttpAnswer { status: 200, headers: vec![], body: json!({"a": [1, null]}), attempts: 1 };
        let outcomes = [
            Outcome::Ok(Answer::Http(answer)),
            Outcome::Ok(Answer::Slept),
            Outcome::Error(Error::new(ErrorKind::Refused, "no")),
        ];
        let answers = outcomes.map(|outcome| ToPlugin::Answer { id: 1, n: 2, outcome });
        let others = [ToPlugin::Hello { protocol: PROTOCOL, features: vec![] }, ToPlugin::Close { session: 3 }];
        for message in answers.into_iter().chain(others) {
            let bytes = serde_json::to_vec(&message).unwrap();
            assert_eq!(ToPlugin::from_slice(&bytes).unwrap(), message);
        }
        let asks = [Ask::Http(HttpAsk::new(Intent::Read, "GET", "https://x.test")), Ask::Sleep { ms: 5 }];
        let asks = asks.map(|ask| FromPlugin::Ask { id: 1, n: 0, ask });
        let replies = [Outcome::Ok(json!({"x": 1})), Outcome::Error(Error::new(ErrorKind::Config, "no"))];
        let replies = replies.map(|outcome| FromPlugin::Reply { id: 1, outcome });
        for message in asks.into_iter().chain(replies) {
            let bytes = serde_json::to_vec(&message).unwrap();
            assert_eq!(FromPlugin::from_slice(&bytes).unwrap(), message);
        }
    }

    #[test]
    fn a_tag_may_come_last_and_unknown_members_do_not_matter() {
        let text = br#"{"n":0,"later":{"type":"x"},"ask":{"ms":5,"type":"sleep"},"id":1,"type":"ask"}"#;
        let ask = FromPlugin::Ask { id: 1, n: 0, ask: Ask::Sleep { ms: 5 } };
        assert_eq!(FromPlugin::from_slice(text).unwrap(), ask);
        for bad in
            [&b"{}"[..], br#"{"type":"ask","id":1,"n":0}"#, br#"{"type":"new"}"#, br#"{"type":"ask","id":1}"#, b"7"]
        {
            assert!(FromPlugin::from_slice(bad).is_err());
        }
    }
}
