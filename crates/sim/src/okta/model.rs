//! The objects of one Okta org, as it stores them.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::event::LogEvent;
use super::limits::Limits;
use super::service_app::ServiceApp;
use super::sync_admin::SyncAdmin;
use crate::ids::{Mint, hash_secret};
use crate::population::Population;

/// Names of the two integrations as the Okta Integration Network shows them (PAN, "Deploy Client Credential Flow").
pub(crate) const PLAIN_NAME: &str = "Palo Alto Networks Cloud Identity Engine";
pub(crate) const APPS_NAME: &str = "Palo Alto Networks Cloud Identity Engine (Application-enabled)";

/// Requests that reached an org over the wire, including refused ones. Requests of the directories do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCounts {
    /// GET and HEAD.
    pub read: u64,
    /// Token requests.
    pub authenticate: u64,
    /// All others.
    pub mutate: u64,
}

/// An org: its objects, its settings and its counters.
#[derive(Debug)]
pub(crate) struct Org {
    pub(crate) id: String,
    pub(crate) domain: String,
    pub(crate) admin_token: String,
    pub(crate) admin_user: String,
    /// The role of the API token's owner.
    pub(crate) admin_role: String,
    /// The administrator's own app, which may act in place of the token.
    pub(crate) service_app: ServiceApp,
    pub(crate) sync_admin: SyncAdmin,
    /// Whether the API access management feature is on.
    pub(crate) authorization_servers: bool,
    pub(crate) population: Population,
    pub(crate) page_size: usize,
    pub(crate) apps: Vec<App>,
    pub(crate) services: Vec<ServiceClient>,
    pub(crate) token_lifetime: SignedDuration,
    /// The delay with which an event appears in the log.
    pub(crate) log_delay: SignedDuration,
    /// How far the org's clock is ahead of the world's. Negative if it is behind.
    pub(crate) skew: SignedDuration,
    /// The number of wrong secrets per client since its last correct one.
    pub(crate) wrong_secrets: HashMap<String, u32>,
    /// Live access tokens by value.
    pub(crate) tokens: HashMap<String, AccessToken>,
    pub(crate) events: Vec<LogEvent>,
    pub(crate) counts: RequestCounts,
    pub(crate) limits: Limits,
    /// Ids and secrets of new objects.
    pub(crate) mint: Mint,
    /// Request ids and orders. Separate from `mint`, so that the number of reads does not change the ids of objects.
    pub(crate) noise: Mint,
}

impl Org {
    pub(crate) fn app(&self, id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.id == id)
    }

    pub(crate) fn app_mut(&mut self, id: &str) -> Option<&mut App> {
        self.apps.iter_mut().find(|app| app.id == id)
    }

    /// The app whose OAuth client has this id. The id of the app may differ.
    pub(crate) fn app_of_client(&self, client_id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.oauth.as_ref().is_some_and(|client| client.client_id == client_id))
    }

    /// The id of a numbered object, such as a user.
    pub(crate) fn numbered_id(&self, prefix: &str, number: usize) -> String {
        format!("{prefix}{}{number:09}", self.id_part())
    }

    /// The number in such an id.
    pub(crate) fn number_of(&self, prefix: &str, id: &str) -> Option<usize> {
        id.strip_prefix(prefix)?
            .strip_prefix(self.id_part())
            .filter(|digits| digits.len() == 9 && digits.bytes().all(|byte| byte.is_ascii_digit()))?
            .parse()
            .ok()
    }

    fn id_part(&self) -> &str {
        self.id.get(3..11).unwrap_or_default()
    }

    pub(crate) fn service(&self, id: &str) -> Option<&ServiceClient> {
        self.services.iter().find(|service| service.id == id)
    }

    pub(crate) fn service_mut(&mut self, id: &str) -> Option<&mut ServiceClient> {
        self.services.iter_mut().find(|service| service.id == id)
    }
}

/// The status of an app or a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Active,
    Inactive,
}

impl Status {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// An app of `/api/v1/apps`.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) id: String,
    /// The app key: `oidc_client` for every custom OIDC app.
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) sign_on_mode: &'static str,
    pub(crate) status: Status,
    pub(crate) created: Timestamp,
    pub(crate) last_updated: Timestamp,
    /// Only custom OIDC apps have an OAuth client. Okta's own OIDC apps do not.
    pub(crate) oauth: Option<OauthClient>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) refresh_tokens: Vec<RefreshToken>,
}

impl App {
    /// Whether this is the client of the authorization-code flow: an OIDC app with CIE's redirect URI.
    pub(crate) fn is_legacy(&self) -> bool {
        self.oauth.as_ref().is_some_and(|client| {
            client
                .redirect_uris
                .iter()
                .any(|uri| uri.strip_prefix("https://directory-sync.").is_some_and(|rest| rest.ends_with("/authorize")))
        })
    }
}

/// The OAuth client of a custom OIDC app.
#[derive(Clone, Debug)]
pub(crate) struct OauthClient {
    pub(crate) client_id: String,
    pub(crate) application_type: &'static str,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) grant_types: Vec<&'static str>,
    pub(crate) rotates_refresh_tokens: bool,
    pub(crate) secrets: Vec<Secret>,
}

/// A scope that an administrator granted to an app.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) scope: String,
    pub(crate) created: Timestamp,
}

/// The metadata of a refresh token. Its value is not stored.
#[derive(Clone, Debug)]
pub(crate) struct RefreshToken {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) scopes: Vec<String>,
}

/// An API service integration instance, which is also an OAuth client of the same id.
#[derive(Clone, Debug)]
pub(crate) struct ServiceClient {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) name: &'static str,
    pub(crate) created: Timestamp,
    pub(crate) scopes: Vec<String>,
    pub(crate) secrets: Vec<Secret>,
}

impl ServiceClient {
    pub(crate) fn active_secrets(&self) -> usize {
        self.secrets.iter().filter(|secret| secret.status == Status::Active).count()
    }
}

/// A client secret.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) id: String,
    pub(crate) value: String,
    pub(crate) status: Status,
    pub(crate) created: Timestamp,
    pub(crate) last_updated: Timestamp,
}

impl Secret {
    pub(crate) fn new(mint: &mut Mint, now: Timestamp) -> Self {
        Self { id: mint.id("ocs"), value: mint.secret(), status: Status::Active, created: now, last_updated: now }
    }

    pub(crate) fn hash(&self) -> String {
        hash_secret(&self.value)
    }

    /// The value as later answers show it (Okta management API: three stars and the last four characters).
    pub(crate) fn masked(&self) -> String {
        format!("***{}", self.value.get(self.value.len().saturating_sub(4)..).unwrap_or_default())
    }
}

/// An access token.
#[derive(Clone, Debug)]
pub(crate) struct AccessToken {
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires: Timestamp,
    /// The thumbprint of the key to which it is bound.
    pub(crate) bound_to: Option<String>,
}
