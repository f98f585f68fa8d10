//! A directory connection as the gateway keeps it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clock::to_rfc3339;
use crate::ids::Mint;

/// The OAuth flow a connection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Flow {
    AuthorizationCode,
    ClientCredentials,
}

/// The state of the last sync. `in_progress` is in the interface for real gateways; syncs here take no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SyncStatus {
    Success,
    Failed,
}

/// A directory.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) connection: Connection,
    /// What `restore` goes back to.
    pub(crate) previous: Option<Connection>,
    pub(crate) sync: Sync,
    pub(crate) receipts: Vec<Receipt>,
    /// How many times a connection was submitted.
    pub(crate) submits: u32,
    pub(crate) mint: Mint,
}

/// How a directory reaches its org.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) flow: Flow,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) collect_applications: bool,
    /// When an administrator signed in last; only the authorization-code flow has such a moment.
    pub(crate) last_sign_in: Option<Timestamp>,
}

/// What the last sync brought.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    pub(crate) status: SyncStatus,
    pub(crate) last_success: Timestamp,
    pub(crate) attempted: Option<Timestamp>,
    pub(crate) users: usize,
    pub(crate) groups: usize,
    pub(crate) applications: usize,
}

/// The proof of a passed test, for these very credentials and good for one submit.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) value: String,
    pub(crate) credentials: [u8; 32],
    pub(crate) with_applications: bool,
    pub(crate) used: bool,
}

/// What a receipt remembers of the credentials it was given for.
pub(crate) fn digest_credentials(client_id: &str, client_secret: &str) -> [u8; 32] {
    Sha256::digest(format!("{client_id}\n{client_secret}")).into()
}

impl Directory {
    pub(crate) fn render(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "type": "okta",
            "domain": self.domain,
            "connection": {
                "flow": self.connection.flow,
                "client_id": self.connection.client_id,
                "collect_applications": self.connection.collect_applications,
                "last_sign_in": self.connection.last_sign_in.map(to_rfc3339),
            },
            "sync": self.render_sync(),
        })
    }

    pub(crate) fn render_sync(&self) -> Value {
        json!({
            "status": self.sync.status,
            "last_success": to_rfc3339(self.sync.last_success),
            "users": self.sync.users,
            "groups": self.sync.groups,
            "applications": self.sync.applications,
        })
    }
}
