//! The request that a plugin asks for, and the answer it gets to see.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Handle;

/// One HTTPS request that the host makes for the plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpAsk {
    /// What the request means to do. The host refuses what the mode of the run does not permit.
    pub intent: Intent,
    /// `GET`, `POST`, ….
    pub method: String,
    /// An absolute `https` URL whose origin is one of the session's.
    pub url: String,
    /// Further headers. The host sets `authorization`, `content-length`, `content-type`, `host` and `user-agent`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body; none is sent as `content-length: 0` where the method usually has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// How the request authenticates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The secrets that a successful answer carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capture: Vec<Capture>,
    /// What of a successful answer the plugin is to see only as keyed hashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<Box<Blind>>,
    /// A `read` by POST that only asks a question, where the other side has no `GET` for it. Without it, a read is a `GET` or a
    /// `HEAD`; in a dry run it is in any case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub query: bool,
    /// Sending the same request twice leaves the world as sending it once. Lets the host repeat a mutation
    /// whose answer was lost.
    #[serde(default)]
    pub idempotent: bool,
    /// Milliseconds for one attempt; the host's own limit where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl HttpAsk {
    /// A request without body, authentication or capture.
    pub fn new(intent: Intent, method: &str, url: impl Into<String>) -> Self {
        Self {
            intent,
            method: method.to_owned(),
            url: url.into(),
            headers: BTreeMap::new(),
            body: None,
            auth: None,
            capture: Vec::new(),
            blind: None,
            query: false,
            idempotent: false,
            timeout_ms: None,
        }
    }
}

/// What a request means to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// Changes nothing: a `GET`, a `HEAD`, or outside of a dry run a `POST` that says that it is a [query](HttpAsk::query).
    Read,
    /// Asks for an access token (RFC 6749 §4.4). In a dry run it must be a form with a `grant_type`.
    Authenticate,
    /// Changes the world. Refused in a dry run, journaled before it leaves.
    Mutate,
}

/// A request body. In both forms a [`Handle`] as a value is replaced on the wire by its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// `application/json`.
    Json(Value),
    /// `application/x-www-form-urlencoded`; values are strings or handles.
    Form(Vec<(String, Value)>),
}

/// The `authorization` header, by handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Auth {
    /// RFC 7617; as client authentication, `client_secret_basic` of RFC 6749 §2.3.1.
    Basic {
        /// The user name or client id, in clear.
        username: String,
        /// The password or client secret.
        password: Handle,
    },
    /// `<scheme> <token>`, such as `Bearer` (RFC 6750) or Okta's `SSWS`.
    Token {
        /// The word before the token.
        scheme: String,
        /// The token.
        token: Handle,
    },
}

/// A secret in an answer. The host keeps it and puts its handle where it stood, before the plugin sees the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// A JSON pointer (RFC 6901) into the answer's body. A successful answer without it is an error.
    pub pointer: String,
    /// The last part of the handle's name.
    pub name: String,
    /// How long it is kept.
    pub custody: Custody,
}

/// Personal data in an answer, to be compared and not to be known. The host puts in the place of each text the first
/// [`Blind::DIGITS`] hexadecimal digits of its HMAC-SHA-256 (RFC 2104) under the key, before the plugin sees the answer;
/// white space around the text and the case of its letters do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blind {
    /// A secret that the host made for this ([`Ask::Mint`](crate::Ask::Mint)). Hashes under the same key can be compared.
    pub key: Handle,
    /// JSON pointers (RFC 6901) into the answer's body, in which `*` stands for every item of a list or member of an
    /// object, such as `/*/profile/login`. A place that is not there, or holds neither text nor number, is left alone.
    pub pointers: Vec<String>,
}

impl Blind {
    /// The length of a hash: 48 bits, by which two of 200,000 people are taken for one in one comparison of 14,000.
    pub const DIGITS: usize = 12;
}

/// How long a captured secret is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Custody {
    /// In memory, for the session; for access tokens.
    Session,
    /// In the secret store, written and synced before the plugin sees the answer; for client secrets.
    Durable,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// All header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The decoded JSON; a string where it is something else; null where it is empty.
    pub body: Value,
    /// How many times the request was sent.
    pub attempts: u32,
}

impl HttpAnswer {
    /// The values of all header lines of this (lower-case) name.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The value of the first header line of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The status is 2xx. A part of an answer (206) is no answer to what was asked: nobody asks for parts (RFC 9110 §15.3.7).
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && self.status != 206
    }
}
