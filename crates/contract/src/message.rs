//! The messages, one JSON object each, tagged by `type`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Handle, HttpAnswer, HttpAsk, Role};

/// The version of the messages. Majors must be equal; the lower minor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocol {
    /// Changes when a message changes its meaning.
    pub major: u32,
    /// Grows with every addition.
    pub minor: u32,
}

/// What this crate speaks.
pub const PROTOCOL: Protocol = Protocol { major: 1, minor: 2 };

/// A message to the plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToPlugin {
    /// The first message; the plugin answers with its own `hello`.
    Hello {
        /// What the host speaks.
        protocol: Protocol,
        /// Named additions that the host offers.
        #[serde(default)]
        features: Vec<String>,
    },
    /// Opens a session for one side of one tenant; answered by `opened`.
    Open(Open),
    /// Starts an operation; answered by `reply`, after any number of asks.
    Call(Call),
    /// Answers an ask.
    Answer {
        /// The call that asked.
        id: u64,
        /// The ask's number within the call.
        n: u32,
        /// What came of it.
        outcome: Outcome<Answer>,
    },
    /// Drops the call: it gets no more answers, and its reply is ignored.
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
    /// The tenant's table of this side, without its secrets.
    pub config: Map<String, Value>,
    /// The secrets of the table: key → handle.
    #[serde(default)]
    pub secrets: BTreeMap<String, Handle>,
}

/// Starts an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Chosen by the host, never used again.
    pub id: u64,
    /// The session.
    pub session: u64,
    /// The verb.
    pub op: Op,
    /// Names the run and the step; the same when an operation is repeated.
    pub key: String,
    /// The host's time, RFC 3339; a plugin has no clock.
    pub now: String,
    /// What the verb takes.
    #[serde(default)]
    pub params: Value,
}

/// The six verbs, the same for both roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// Read what is there.
    Detect,
    /// Propose steps from two inventories; asks nothing.
    Plan,
    /// Find out whether a step was carried out.
    Observe,
    /// Carry a step out. Repeating it must do no harm.
    Apply,
    /// Take a step back. Repeating it must do no harm.
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
        /// Why the plugin does not open it.
        outcome: Outcome<()>,
    },
    /// Wants something of the world; answered by `answer`.
    Ask {
        /// The call.
        id: u64,
        /// Counts the asks of the call from 0.
        n: u32,
        /// What it wants.
        ask: Ask,
    },
    /// Ends a call.
    Reply {
        /// The call.
        id: u64,
        /// What the verb returns.
        outcome: Outcome<Value>,
    },
    /// Something to tell the operator; never answered.
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
    /// Why there is none.
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

/// What a plugin can ask of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Ask {
    /// Make an HTTPS request.
    Http(HttpAsk),
    /// Wait.
    Sleep {
        /// Milliseconds.
        ms: u64,
    },
    /// Make a random secret and keep it: a key for [`Blind`](crate::Blind).
    Mint {
        /// The last part of the handle's name.
        name: String,
    },
}

/// What the host answers, by kind of ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Answer {
    /// The answer to the request.
    Http(HttpAnswer),
    /// The time has passed.
    Slept,
    /// The secret is in custody.
    Minted {
        /// Its name.
        handle: Handle,
    },
}

/// Something to tell the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum PluginEvent {
    /// What the call is doing now; replaces the last progress of the call.
    Progress {
        /// A few words.
        message: String,
    },
    /// A line for the log.
    Log {
        /// How much it matters.
        level: Level,
        /// One line.
        message: String,
    },
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Something is wrong and the call goes on.
    Warn,
    /// Shown with `-v`.
    Info,
    /// Shown with `-vv`.
    #[serde(other)]
    Debug,
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginHello {
    /// The word that stands as `plugin` in the configuration.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// What it speaks.
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
    /// What the other side tells in its headers, beyond `retry-after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<HeaderDialect>,
}

/// A key of a plugin's table in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigKey {
    /// The key.
    pub name: String,
    /// Whether a session cannot be opened without it.
    pub required: bool,
    /// Whether its value is a reference to a secret.
    pub secret: bool,
    /// One line about it.
    pub about: String,
}

/// The response headers, in lower case, with which the other side tells about limits and names requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderDialect {
    /// Header with the number of requests left.
    pub remaining: String,
    /// Header with the time at which the window ends, in seconds since 1970 by the server's clock.
    pub reset: String,
    /// Header with the other side's id of the request.
    pub request_id: String,
}
