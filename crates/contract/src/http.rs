//! The request that a plugin asks for, and the answer that it gets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Handle, Keep};

/// One HTTPS request that the host makes for the plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpAsk {
    /// What the request does. The host refuses what the mode of the run does not permit.
    pub intent: Intent,
    /// `GET`, `POST`, ….
    pub method: String,
    /// An absolute `https` URL whose origin is one of the session's.
    pub url: String,
    /// Additional headers: `accept`, `if-match`, `if-none-match`, `prefer`, and those that the configuration names in a
    /// table `headers` anywhere in the tenant's table. The host refuses all others. It sets `authorization`, `content-length`,
    /// `content-type`, `host`, and `user-agent` itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body. Without one, the host sends `content-length: 0` for methods that usually have a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// How the request authenticates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The secrets in a successful answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capture: Vec<Capture>,
    /// The parts of a successful answer that the plugin needs; all of it if `None`. A plugin names them wherever an answer is about
    /// people. Since protocol 1.4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Box<Keep>>,
    /// The parts of a successful answer that the plugin sees only as keyed hashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<Box<Blind>>,
    /// Marks a `read` by POST that only asks a question, because the other side has no `GET` for it. The step must name the URL
    /// among its [`queries`](crate::StepProposal::queries). Any other read must be a `GET` or a `HEAD`; in a dry run, every
    /// read must be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub query: bool,
    /// Whether sending the request twice has the same effect as sending it once. If so, the host may repeat a mutation
    /// whose answer was lost.
    #[serde(default)]
    pub idempotent: bool,
    /// The time limit of one attempt in milliseconds; the host's own limit if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl HttpAsk {
    /// A request without a body, authentication, or captures.
    pub fn new(intent: Intent, method: &str, url: impl Into<String>) -> Self {
        Self {
            intent,
            method: method.to_owned(),
            url: url.into(),
            headers: BTreeMap::new(),
            body: None,
            auth: None,
            capture: Vec::new(),
            keep: None,
            blind: None,
            query: false,
            idempotent: false,
            timeout_ms: None,
        }
    }

    /// The same request, of whose answer the plugin needs only these [parts](Self::keep).
    #[must_use]
    pub fn keeping(self, pointers: &[&str]) -> Self {
        let pointers = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
        Self { keep: Some(Box::new(Keep { pointers })), ..self }
    }
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// Changes nothing: a `GET`, a `HEAD`, or, in a step that names the URL, a `POST` that is marked as a
    /// [query](HttpAsk::query).
    Read,
    /// Requests an access token with client credentials (RFC 6749 §4.4.2): a `POST` of a form, without a query and without a
    /// token of its own. The host refuses everything else under this name.
    Authenticate,
    /// Changes the world. Refused in a dry run, and journaled before it is sent.
    Mutate,
}

/// A request body. In both forms, the host replaces a value that is a [`Handle`] by its secret. That may only be the secret of a
/// step, at a place that [`StepProposal::sends`](crate::StepProposal::sends) names, or `client_secret` in the form of a token
/// request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// `application/json`.
    Json(Value),
    /// `application/x-www-form-urlencoded`; values are strings or handles.
    Form(Vec<(String, Value)>),
}

/// The `authorization` header, by handle: a credential of the configuration, or a token that an answer carried. The secret of a
/// step may only be the password of a token request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Auth {
    /// RFC 7617; as client authentication, `client_secret_basic` of RFC 6749 §2.3.1.
    Basic {
        /// The user name or client id, in clear text.
        username: String,
        /// The password or client secret.
        password: Handle,
    },
    /// `<scheme> <token>`, such as `Bearer` (RFC 6750) or Okta's `SSWS`.
    Token {
        /// The scheme, the word before the token: `Bearer`, `SSWS`, or a value of a key `auth_scheme` in the tenant's table. The
        /// host refuses all others, because a server may decode what follows them.
        scheme: String,
        /// The token.
        token: Handle,
    },
    /// Basic authentication with a secret that nobody has: the host makes a new one for each request. Only in a token request, to see
    /// whether the server checks secrets at all. Since protocol 1.6.
    WrongSecret {
        /// The client id, in clear text.
        username: String,
    },
    /// An access token that the host requests as this client, keeps in memory, and renews (RFC 6749 §4.4). The plugin sees
    /// neither the token nor what the client authenticates with. Since protocol 1.5.
    Client(Box<OAuthClient>),
}

/// A client of an OAuth authorization server, and what a request needs of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuthClient {
    /// The token endpoint: an absolute `https` URL whose origin is one of the session's, at a path that the plugin declares.
    pub token_url: String,
    /// The client id, in clear text.
    pub client_id: String,
    /// How the client authenticates.
    pub proof: ClientProof,
    /// The scopes that the request needs. The token has these and no others.
    pub scopes: Vec<String>,
    /// Whether the token must be bound to a key of the host (DPoP, RFC 9449). `None` for what the server wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop: Option<bool>,
}

/// How a client authenticates at the token endpoint. The names are those of the registry of OAuth (RFC 7591 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum ClientProof {
    /// The host signs a new assertion for each attempt (RFC 7523 §2.2).
    PrivateKeyJwt {
        /// The private key: PEM (PKCS #1, PKCS #8, SEC 1) or a JWK.
        key: Handle,
        /// The `kid`, the id that the server gave to the public key. The JWK's own if `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_id: Option<String>,
        /// The `alg`, such as `RS256`. The JWK's own, or the usual one of the kind of key, if `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        algorithm: Option<String>,
    },
    /// RFC 6749 §2.3.1.
    ClientSecretBasic {
        /// The client secret.
        secret: Handle,
    },
}

impl ClientProof {
    /// The credential of the configuration.
    pub fn credential(&self) -> &Handle {
        match self {
            Self::PrivateKeyJwt { key, .. } => key,
            Self::ClientSecretBasic { secret } => secret,
        }
    }
}

/// A secret in an answer. The host keeps it and puts its handle in its place before the plugin sees the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// A JSON pointer (RFC 6901) into the answer's body. A successful answer without it is an error.
    pub pointer: String,
    /// The last part of the handle's name, different for each capture of a request. The host refuses a durable secret whose
    /// name is taken, before it sends anything. The exception is an `apply` that got the handle in its `outputs`: it may
    /// replace the secret once.
    pub name: String,
    /// How long it is kept.
    pub custody: Custody,
}

/// Personal data in an answer, which the plugin may compare but not see. Before the plugin sees the answer, the host
/// replaces each text by the first [`Blind::DIGITS`] hexadecimal digits of its HMAC-SHA-256 (RFC 2104) under the key. White
/// space around the text and the case of its letters do not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blind {
    /// A secret that the host made for this purpose ([`Ask::Mint`](crate::Ask::Mint)). Hashes under the same key can be compared.
    pub key: Handle,
    /// JSON pointers (RFC 6901) into the answer's body, where `*` stands for every item of a list or member of an
    /// object, such as `/*/profile/login`. Missing places, and values without text or numbers, stay as they are.
    pub pointers: Vec<String>,
}

impl Blind {
    /// The length of a hash: 48 bits. With 200,000 people, one comparison in 14,000 takes two of them for the same person.
    pub const DIGITS: usize = 12;
}

/// How long a captured secret is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Custody {
    /// In memory, as long as the session; for access tokens.
    Session,
    /// In the secret store, written and synced before the plugin sees the answer; for client secrets. The host refuses a text that
    /// somebody could guess (RFC 6749 §10.10): it has at least 16 characters, among the first 16 a digit or a capital letter. Only a
    /// provider's plugin may store one.
    Durable,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// All header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The decoded JSON; a string if it is something else; null if it is empty. In the answer to a token request, texts of 16 or more
    /// characters are hidden, except `token_type`, `scope`, and those of an error (RFC 6749 §5).
    pub body: Value,
    /// How many times the host sent the request.
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

    /// Whether the status is 2xx. A partial answer (206) does not count, because no request asks for a range (RFC 9110 §15.3.7).
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && self.status != 206
    }
}
