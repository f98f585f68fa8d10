//! A directory connection as the gateway keeps it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::sync::Access;
use crate::clock::{shift, to_rfc3339};
use crate::ids::Mint;
use crate::okta::token::REFRESH_LIFETIME;
use crate::population::Held;

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
    /// The tenant service group that it belongs to.
    pub(crate) tsg_id: String,
    pub(crate) connection: Connection,
    /// The connection that is shown, where it is not the one that syncs.
    pub(crate) shown: Option<Connection>,
    /// The access that is kept from sync to sync, and until when it is good; where tokens are cached.
    pub(crate) access: Option<(Access, Timestamp)>,
    /// What `restore` goes back to.
    pub(crate) previous: Option<Connection>,
    pub(crate) sync: Sync,
    /// How many users and groups every sync loses without a word.
    pub(crate) loses: (usize, usize),
    pub(crate) receipts: Vec<Receipt>,
    /// How many times a connection was submitted.
    pub(crate) submits: u32,
    /// It makes no syncs, whoever asks.
    pub(crate) paused: bool,
    /// The Reconnect form which a person has open in the console.
    pub(crate) draft: Option<Draft>,
    pub(crate) mint: Mint,
}

/// How a directory reaches its org.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) flow: Flow,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) collect_applications: bool,
    /// "Collect authentication logs and forward to Strata Logging Service".
    pub(crate) auth_logs: bool,
    /// When an administrator signed in last; only the authorization-code flow has such a moment.
    pub(crate) last_sign_in: Option<Timestamp>,
}

impl Connection {
    /// When the refresh token of a connection of the authorization-code flow ends, if it is known when it began.
    pub(crate) fn ends(&self) -> Option<Timestamp> {
        self.last_sign_in.filter(|_| self.flow == Flow::AuthorizationCode).map(|at| at + REFRESH_LIFETIME)
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.ends().is_some_and(|end| end <= now)
    }
}

/// What the last sync brought.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    pub(crate) status: SyncStatus,
    pub(crate) last_success: Timestamp,
    pub(crate) attempted: Option<Timestamp>,
    /// The last instant on the directory's own timetable that is done with.
    pub(crate) natural: Timestamp,
    /// When applications were collected last, or tried to be, by the present connection.
    pub(crate) applications_at: Option<Timestamp>,
    /// When everything was collected last at somebody's wish.
    pub(crate) full_at: Option<Timestamp>,
    pub(crate) users: Held,
    /// The groups besides "Everyone"; group 1 is the first of them.
    pub(crate) groups: Held,
    pub(crate) applications: usize,
    /// How many syncs went well, and how many did not.
    pub(crate) good: u64,
    pub(crate) failed: u64,
}

/// A Reconnect form as it is being filled in. The form lives here and not in the page, so that a secret which was
/// entered is never sent back.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) flow: Flow,
    pub(crate) collect_applications: bool,
    pub(crate) auth_logs: bool,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) name: String,
    /// When the person signed in with Okta, and for which client.
    pub(crate) signed_in: Option<(Timestamp, String)>,
    /// What the last test said.
    pub(crate) tested: Option<Result<(), String>>,
    /// Whether any test of this form has succeeded.
    pub(crate) passed: bool,
    /// Why the last press of a button led to nothing.
    pub(crate) refused: Option<String>,
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

/// PAN, "Reconnect Okta Directory": up to 15 lower-case letters, digits, hyphens, periods and underscores.
pub(crate) fn is_directory_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    !name.is_empty() && name.len() <= 15 && name.chars().all(allowed)
}

impl Directory {
    /// Puts a new connection in the place of the present one.
    pub(crate) fn submit(&mut self, new: Connection, name: String) {
        // A second submit for the same client, say with its second secret, must not bury the way back.
        let same_client = self.connection.flow == new.flow && self.connection.client_id == new.client_id;
        let old = std::mem::replace(&mut self.connection, new);
        if !same_client || self.previous.is_none() {
            self.previous = Some(old);
        }
        // The token of the test is not kept either.
        self.access = None;
        self.name = name;
        self.submits += 1;
        self.sync.applications_at = None;
    }

    /// Another directory with the same connection, in a place that is not looked at.
    pub(crate) fn unseen(&self) -> Self {
        Self {
            id: format!("{}-elsewhere", self.id),
            name: self.name.clone(),
            domain: self.domain.clone(),
            tsg_id: self.tsg_id.clone(),
            connection: self.connection.clone(),
            shown: None,
            access: None,
            previous: None,
            sync: self.sync.clone(),
            loses: (0, 0),
            receipts: Vec::new(),
            submits: 0,
            paused: self.paused,
            draft: None,
            mint: self.mint.clone(),
        }
    }

    /// The connection as it is shown.
    pub(crate) fn shown(&self) -> &Connection {
        self.shown.as_ref().unwrap_or(&self.connection)
    }

    /// As the gateway shows it, whose clock is ahead by `skew`.
    pub(crate) fn render(&self, skew: SignedDuration) -> Value {
        let connection = self.shown();
        json!({
            "id": self.id,
            "name": self.name,
            "type": "okta",
            "domain": self.domain,
            "connection": {
                "flow": connection.flow,
                "client_id": connection.client_id,
                "collect_applications": connection.collect_applications,
                "last_sign_in": connection.last_sign_in.map(|at| to_rfc3339(shift(at, skew))),
            },
            "sync": self.render_sync(skew),
        })
    }

    pub(crate) fn render_sync(&self, skew: SignedDuration) -> Value {
        json!({
            "status": self.sync.status,
            "last_success": to_rfc3339(shift(self.sync.last_success, skew)),
            "users": self.sync.users.count(),
            "groups": self.sync.groups.count(),
            "applications": self.sync.applications,
        })
    }
}
