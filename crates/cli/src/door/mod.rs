//! The door of a command that is at work: a socket in the state folder, at which the same user can pause or cancel the command,
//! and say what a person did meanwhile. The journal has one writer, so others ask the writer.
//!
//! One request and one answer per connection, each a line of JSON. No secret passes the
//! door: a visitor who wants one reads the secret store, and the door only records that.

mod at_work;
mod server;
mod socket;

use flowswap_engine::HandoverChannel;
use flowswap_store::StateDir;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::{
    at_work::AtWork,
    server::{Door, Porter},
};
use crate::exit::Exit;

/// Removes the socket that a process left when it was killed. Only the writer of the journal may.
pub(crate) fn remove_leftover(state: &StateDir) {
    // One that stays leads nowhere.
    let _ = socket::remove(state);
}

/// The longest request or answer, in bytes.
const MOST: u64 = 16 * 1024 * 1024;

/// A request.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    /// The version of flowswap that asks. Another version may mean something else.
    version: String,
    /// What the person calls themselves, beside the user of the operating system.
    name: Option<String>,
    ask: Ask,
}

/// What somebody asks a command that is at work.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// What it is doing.
    Look,
    /// Change nothing more until somebody lets it go on.
    Pause,
    /// Go on.
    Unpause,
    /// Stop, as after Ctrl-C.
    Cancel,
    /// Record that the person carried out the run sheets of these tenants.
    Confirm {
        /// Their names.
        tenants: Vec<String>,
        /// A note of the person.
        note: Option<String>,
    },
    /// Continue these tenants.
    Continue {
        /// Their names.
        tenants: Vec<String>,
        /// Also if the configuration or a plugin has changed.
        accept_changes: bool,
    },
    /// Record that nobody will carry out the run sheets of these tenants.
    Decline {
        /// Their names.
        tenants: Vec<String>,
        /// Why.
        reason: String,
    },
    /// Record that the person gets the secret of a tenant's run sheet.
    HandOver {
        /// Its name.
        tenant: String,
        /// How.
        way: HandoverChannel,
    },
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// It is done. The ask says what the value is.
    Done(Value),
    /// It is not.
    Failed { exit: Exit, error: String, hint: Option<String> },
}
