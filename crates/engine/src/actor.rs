//! Who did something, as the journal records it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A user of this machine, and the name that the user goes by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Written")]
pub struct Actor {
    /// The user of the operating system.
    pub user: String,
    /// The name of the machine. `None` in records up to format 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The name that the user passed with `--user` or `FLOWSWAP_USER`. Nobody checks it, so it never stands alone.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Actor {
    /// A user of an unnamed machine.
    pub fn user(user: impl Into<String>) -> Self {
        Self { user: user.into(), host: None, name: None }
    }
}

impl fmt::Display for Actor {
    /// `Dana (svc-ops)`, or `dana` without another name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) if *name != self.user => write!(f, "{name} ({})", self.user),
            _ => f.write_str(&self.user),
        }
    }
}

/// An actor as the journal has it. Up to format 2 that is only the name of the user.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    User(String),
    Actor {
        user: String,
        #[serde(default)]
        host: Option<String>,
        #[serde(default, rename = "as")]
        name: Option<String>,
    },
}

impl From<Written> for Actor {
    fn from(written: Written) -> Self {
        match written {
            Written::User(user) => Self::user(user),
            Written::Actor { user, host, name } => Self { user, host, name },
        }
    }
}
