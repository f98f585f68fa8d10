//! A directory and its connection, as the world stores them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clock::{shift, to_rfc3339};
use crate::ids::Mint;
use crate::okta::token::REFRESH_LIFETIME;
use crate::population::Collected;

/// The OAuth flow of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Flow {
    AuthorizationCode,
    ClientCredentials,
}

/// The state of the last sync. Syncs here take no time, so the state `in_progress` of real gateways does not occur.
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
    /// The connection that is shown, if another connection syncs.
    pub(crate) shown: Option<Connection>,
    /// If tokens are cached: the access for all syncs, and when it expires.
    pub(crate) access: Option<(Access, Timestamp)>,
    /// The connection that `restore` restores.
    pub(crate) previous: Option<Connection>,
    pub(crate) sync: Sync,
    /// How many users and groups every sync loses silently.
    pub(crate) loses: (usize, usize),
    pub(crate) receipts: Vec<Receipt>,
    /// How many times a connection was submitted.
    pub(crate) submits: u32,
    /// Whether it makes no syncs at all.
    pub(crate) paused: bool,
    /// The Reconnect form that a person has open in the console.
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
    /// When an administrator last signed in. Only the authorization-code flow has a sign-in.
    pub(crate) last_sign_in: Option<Timestamp>,
}

impl Connection {
    /// When the refresh token of the authorization-code flow expires, if the time of the sign-in is known.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        self.last_sign_in.filter(|_| self.flow == Flow::AuthorizationCode).map(|at| at + REFRESH_LIFETIME)
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires().is_some_and(|end| end <= now)
    }
}

/// The access that a directory got from its org.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// A service client's token.
    Token(String),
    /// The scopes of a token of the authorization-code flow. The token itself has no value here.
    Scopes(Vec<String>),
}

/// The results of the syncs.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    pub(crate) status: SyncStatus,
    pub(crate) last_success: Timestamp,
    pub(crate) attempted: Option<Timestamp>,
    /// The time of the last scheduled sync that was handled.
    pub(crate) scheduled_until: Timestamp,
    /// When the current connection last collected applications, or tried to.
    pub(crate) applications_at: Option<Timestamp>,
    /// When a person last started a full sync.
    pub(crate) full_at: Option<Timestamp>,
    pub(crate) users: Collected,
    /// The groups without "Everyone". Group 1 is the first.
    pub(crate) groups: Collected,
    pub(crate) applications: usize,
    /// The number of successful syncs.
    pub(crate) good: u64,
    /// The number of failed syncs.
    pub(crate) failed: u64,
}

/// A Reconnect form that a person is filling in. The server stores the form, so that no page contains a secret that was
/// entered.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) flow: Flow,
    pub(crate) collect_applications: bool,
    pub(crate) auth_logs: bool,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) name: String,
    /// When the person signed in with Okta, and the client.
    pub(crate) signed_in: Option<(Timestamp, String)>,
    /// The result of the last test.
    pub(crate) tested: Option<Result<(), String>>,
    /// Whether any test of this form has succeeded.
    pub(crate) passed: bool,
    /// Why the last button had no effect.
    pub(crate) refused: Option<String>,
}

/// The receipt of a passed test. It is valid for these credentials and for one submit.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) value: String,
    pub(crate) credentials: [u8; 32],
    pub(crate) with_applications: bool,
    pub(crate) used: bool,
}

/// The digest by which a receipt recognizes its credentials.
pub(crate) fn digest_credentials(client_id: &str, client_secret: &str) -> [u8; 32] {
    Sha256::digest(format!("{client_id}\n{client_secret}")).into()
}

/// PAN, "Reconnect Okta Directory": up to 15 lower-case letters, digits, hyphens, periods, and underscores.
pub(crate) fn is_directory_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    !name.is_empty() && name.len() <= 15 && name.chars().all(allowed)
}

impl Directory {
    /// Replaces the current connection.
    pub(crate) fn submit(&mut self, new: Connection, name: String) {
        // Keep the earlier connection if the same client is submitted again, for example with its second secret.
        let same_client = self.connection.flow == new.flow && self.connection.client_id == new.client_id;
        let old = std::mem::replace(&mut self.connection, new);
        if !same_client || self.previous.is_none() {
            self.previous = Some(old);
        }
        // The new connection gets a new token.
        self.access = None;
        self.name = name;
        self.submits += 1;
        self.sync.applications_at = None;
    }

    /// Another directory with the same connection, which no interface shows.
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

    /// The directory as the gateway shows it. The clock of the gateway is ahead by `skew`.
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
