//! The only error type of the contract: what went wrong, and whether the world may have changed.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// Why a call or an ask failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// The class of the failure; decides the exit code.
    pub kind: ErrorKind,
    /// One lower-case sentence without a full stop.
    pub message: String,
    /// Whether the failed operation may have changed the world.
    pub effect: Effect,
    /// What the operator can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Milliseconds after which the same request may succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Facts for the report, such as `request_id` and `error_code`; never a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
}

impl Error {
    /// An error of an operation that changed nothing.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            effect: Effect::None,
            hint: None,
            retry_after_ms: None,
            context: BTreeMap::new(),
        }
    }

    /// The same error, for an operation that may have changed the world.
    #[must_use]
    pub fn with_unknown_effect(mut self) -> Self {
        self.effect = Effect::Unknown;
        self
    }

    /// The same error with a hint for the operator.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with one more fact.
    #[must_use]
    pub fn with_context(mut self, key: &str, value: impl Into<String>) -> Self {
        self.context.insert(key.to_owned(), value.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The closed list of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The configuration of the session is wrong.
    Config,
    /// The credential was refused.
    Auth,
    /// The credential is valid, but does not permit this.
    Permission,
    /// The object does not exist.
    NotFound,
    /// The object is not in the state that the operation needs.
    Conflict,
    /// Refused before any work was done, because of too many requests.
    RateLimited,
    /// The other side did not answer, or something else answered in its place.
    Unavailable,
    /// No server was reached, and a repetition cannot help: an unknown host name, an untrusted certificate, a proxy that
    /// refuses. Repeating could do harm, because proxies lock accounts.
    Unreachable,
    /// The other side cannot do this at all.
    Unsupported,
    /// The other side considers the request malformed, or the plugin the answer.
    Invalid,
    /// The host refused what the plugin asked for.
    Refused,
    /// The operator stopped the run.
    Interrupted,
    /// The plugin panicked, or its process ended.
    Crashed,
    /// No answer within the time limit.
    TimedOut,
    /// The plugin or the host broke the protocol.
    Protocol,
    /// A defect of the plugin or the host.
    Internal,
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Whether a failed operation changed the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It certainly did not.
    None,
    /// It may have: observe before doing anything else.
    #[serde(other)]
    Unknown,
}
