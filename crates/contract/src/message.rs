//! The messages. Each is one JSON object, tagged by `type`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Handle, HttpAnswer, HttpAsk, Json, Role};

/// The version of the messages. The majors must be equal; the lower minor applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Protocol {
    /// Changes when a message changes its meaning.
    pub major: u32,
    /// Grows with every addition.
    pub minor: u32,
}

/// The version that this crate uses.
pub const PROTOCOL: Protocol = Protocol { major: 1, minor: 8 };

/// A message to the plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToPlugin {
    /// The first message; the plugin answers with its own `hello`.
    Hello {
        /// The host's version.
        protocol: Protocol,
        /// Named additions that the host offers.
        #[serde(default)]
        features: Vec<String>,
    },
    /// Opens a session for one side of one tenant; answered by `opened`.
    Open(Open),
    /// Starts an operation; answered by `reply` after any number of asks.
    Call(Call),
    /// Answers an ask.
    Answer {
        /// The call that asked.
        id: u64,
        /// The ask's number within the call.
        n: u32,
        /// The result.
        outcome: Outcome<Answer>,
    },
    /// Cancels the call: it gets no more answers, and its reply is ignored.
    Cancel {
        /// The call.
        id: u64,
    },
    /// Ends a session.
    Close {
        /// The session.
        session: u64,
    },
}

/// Opens a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// Chosen by the host.
    pub session: u64,
    /// The side that the session serves.
    pub role: Role,
    /// The tenant's configuration table for this side, without its secrets.
    pub config: Map<String, Value>,
    /// The secrets of that table: key → handle.
    #[serde(default)]
    pub secrets: BTreeMap<String, Handle>,
}

/// Starts an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Chosen by the host, and never reused.
    pub id: u64,
    /// The session.
    pub session: u64,
    /// The verb.
    pub op: Op,
    /// Names the run and the step; stays the same if the operation is repeated.
    pub key: String,
    /// The host's time, RFC 3339, because a plugin has no clock.
    pub now: String,
    /// The parameters of the verb.
    #[serde(default)]
    pub params: Json,
}

/// The six verbs, the same for both roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// Read what is there.
    Detect,
    /// Propose steps based on the two inventories; must not ask for anything.
    Plan,
    /// Find out whether a step was carried out.
    Observe,
    /// Carry out a step. Repeating it must do no harm.
    Apply,
    /// Take back a step. Repeating it must do no harm.
    Undo,
    /// Check something without changing it.
    Test,
}

impl std::fmt::Display for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Detect => "detect",
            Self::Plan => "plan",
            Self::Observe => "observe",
            Self::Apply => "apply",
            Self::Undo => "undo",
            Self::Test => "test",
        })
    }
}

/// A message from the plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromPlugin {
    /// Answers `hello`.
    Hello(PluginHello),
    /// Answers `open`.
    Opened {
        /// The session.
        session: u64,
        /// Success, or why the plugin does not open it.
        outcome: Outcome<()>,
    },
    /// Asks the host for something; answered by `answer`.
    Ask {
        /// The call.
        id: u64,
        /// Counts the asks of the call from 0.
        n: u32,
        /// What it asks for.
        ask: Ask,
    },
    /// Ends a call.
    Reply {
        /// The call.
        id: u64,
        /// The result of the verb.
        outcome: Outcome<Value>,
    },
    /// A message for the operator; never answered.
    Event {
        /// The call it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// What happened.
        event: PluginEvent,
    },
}

/// Success or failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome<T> {
    /// The result.
    Ok(T),
    /// Why there is no result.
    Error(Error),
}

impl<T> From<Result<T, Error>> for Outcome<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(value) => Self::Ok(value),
            Err(error) => Self::Error(error),
        }
    }
}

impl<T> From<Outcome<T>> for Result<T, Error> {
    fn from(outcome: Outcome<T>) -> Self {
        match outcome {
            Outcome::Ok(value) => Ok(value),
            Outcome::Error(error) => Err(error),
        }
    }
}

/// What a plugin can ask the host for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Ask {
    /// Make an HTTPS request.
    Http(HttpAsk),
    /// Wait.
    Sleep {
        /// Milliseconds, at most ten minutes.
        ms: u64,
    },
    /// Make and store a random secret, as a key for [`Blind`](crate::Blind).
    Mint {
        /// The last part of the handle's name.
        name: String,
    },
}

/// The host's answer, by kind of ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Answer {
    /// The answer to the request.
    Http(HttpAnswer),
    /// The time has passed.
    Slept,
    /// The secret is stored.
    Minted {
        /// Its handle.
        handle: Handle,
    },
}

/// A message for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum PluginEvent {
    /// What the call is doing now; replaces the call's previous progress.
    Progress {
        /// A short phrase.
        message: String,
    },
    /// A line for the log.
    Log {
        /// Its level.
        level: Level,
        /// One line.
        message: String,
    },
}

/// The level of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Something is wrong, but the call continues.
    Warn,
    /// Shown with `-v`.
    Info,
    /// Shown with `-vv`.
    #[serde(other)]
    Debug,
}

/// A plugin's description of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PluginHello {
    /// Its name, the value of `plugin` in the configuration.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The protocol version that it uses.
    pub protocol: Protocol,
    /// Named additions that it uses.
    #[serde(default)]
    pub features: Vec<String>,
    /// The sides that it can serve.
    pub roles: Vec<Role>,
    /// The keys of its table in the configuration.
    pub config: Vec<ConfigKey>,
    /// The origins that its sessions may talk to, with `{key}` for values of the configuration,
    /// such as `https://{domain}`.
    pub origins: Vec<String>,
    /// The paths of the token endpoints on those origins (RFC 6749 §3.2), such as `/oauth2/v1/token`. The host sends an
    /// `authenticate` request to no other path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_paths: Vec<String>,
    /// Headers of the other side that the host understands, in addition to `retry-after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<HeaderDialect>,
}

/// A key of a plugin's table in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfigKey {
    /// The key.
    pub name: String,
    /// Whether a session needs it to open.
    pub required: bool,
    /// Whether its value is a reference to a secret.
    pub secret: bool,
    /// Its description, one line.
    pub about: String,
}

/// The response headers, in lower case, that state rate limits and request ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeaderDialect {
    /// The header with the number of requests left.
    pub remaining: String,
    /// The header with the end of the rate limit window, in seconds since 1970 by the server's clock.
    pub reset: String,
    /// The header with the other side's id of the request.
    pub request_id: String,
    /// The header with the number of requests that all clients together may send in one window. Without it, the host cannot leave a
    /// share to others. Since protocol 1.6.
    #[serde(default)]
    pub limit: Option<String>,
    /// The paths that have limits of their own, such as `/api/v1/apps/*`, where `*` is one segment and `**` all that follow. A request
    /// counts in the first that fits. Since protocol 1.6.
    #[serde(default)]
    pub buckets: Vec<String>,
}
