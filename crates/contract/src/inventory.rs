//! What the two sides of a tenant show of themselves: the answers of `detect`.

use serde::{Deserialize, Serialize};

/// The answer of `detect`, by role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub enum Inventory {
    /// What the provider shows.
    Provider(ProviderInventory),
    /// What the directory shows.
    Directory(DirectoryInventory),
}

/// What the provider shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProviderInventory {
    /// The canonical host name of the org, as it says itself.
    pub domain: String,
    /// The OIDC web apps that look like CIE's of the authorization-code flow.
    pub legacy_clients: Vec<LegacyClient>,
    /// The API service integrations of CIE's types.
    pub service_clients: Vec<ServiceClient>,
    /// Apps that have CIE's name and are something else.
    pub lookalikes: Vec<Lookalike>,
    /// The integrations that could be created, and where their type is known from.
    pub variants: Vec<VariantType>,
}

/// The OIDC web app of the authorization-code flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyClient {
    /// The app's id.
    pub id: String,
    /// The OAuth client id; usually, not always, the app's id.
    pub client_id: String,
    /// Its name as admins see it.
    pub label: String,
    /// `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// The OAuth grant types it may use.
    pub grant_types: Vec<String>,
    /// Where it may send codes to; these tell which CIE region uses it.
    pub redirect_uris: Vec<String>,
    /// The scopes that an admin granted it, sorted.
    pub scopes: Vec<String>,
    /// When a person last signed in through it, RFC 3339, as far as the provider's log reaches back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign_in: Option<String>,
    /// When somebody other than flowswap last got a token as it, or was refused one.
    #[serde(default, skip_serializing_if = "Tokens::is_unknown")]
    pub tokens: Tokens,
}

/// Token requests in a client's name, as the provider's log shows them; none where it may not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// When the last one was granted, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<String>,
    /// When the last one was refused, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<String>,
}

impl Tokens {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl LegacyClient {
    /// Whether it can be used at all.
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }
}

/// An API service integration of the client-credential flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceClient {
    /// The integration's id, which is also its OAuth client id.
    pub id: String,
    /// Its OIN type key.
    #[serde(rename = "type")]
    pub type_key: String,
    /// Its name in the catalogue.
    pub name: String,
    /// Which of the two it is.
    pub variant: Variant,
    /// The scopes granted to it, sorted: the provider answers them in changing order.
    pub scopes: Vec<String>,
    /// When it was made, as the provider writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When somebody other than flowswap last got a token as it, or was refused one.
    #[serde(default, skip_serializing_if = "Tokens::is_unknown")]
    pub tokens: Tokens,
}

/// The two integrations that Palo Alto Networks publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Users and groups.
    Plain,
    /// Users, groups and enterprise applications.
    ApplicationEnabled,
    /// Neither, as far as this side knows.
    #[serde(other)]
    Unknown,
}

/// A variant that could be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantType {
    /// Which of the two it is.
    pub variant: Variant,
    /// Its OIN type key, which cannot be computed from the name.
    #[serde(rename = "type")]
    pub type_key: String,
    /// The scopes to ask for when creating it, sorted.
    pub scopes: Vec<String>,
    /// `config`, or the id of the instance that it was learnt from.
    pub source: String,
}

/// An app of the same name that is not the object in question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookalike {
    /// The app's id.
    pub id: String,
    /// Its OAuth client id, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its name as admins see it.
    pub label: String,
    /// What it is: the sign-on mode.
    pub kind: String,
}

/// What the directory shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DirectoryInventory {
    /// The directory's id.
    pub id: String,
    /// Its name, which is part of every group's distinguished name.
    pub name: String,
    /// The provider's domain that it is connected to.
    pub domain: String,
    /// The flow of the connection.
    pub flow: Flow,
    /// The client that it connects as, where that is known.
    pub client_id: Option<String>,
    /// Who says which flow and client it is.
    #[serde(default, skip_serializing_if = "KnownFrom::is_directory")]
    pub known_from: KnownFrom,
    /// Whether enterprise applications are collected, where the directory shows it.
    pub app_data: Option<bool>,
    /// Whether it collects authentication logs for the Strata Logging Service, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_logs: Option<bool>,
    /// Whether the last sync was good, where the directory shows it.
    pub healthy: Option<bool>,
    /// The directory's own word for its status.
    pub status: Option<String>,
    /// When it last synchronized, RFC 3339.
    pub last_success: Option<String>,
    /// When a person last signed in for it, RFC 3339; the authorization-code flow dies 90 days later.
    pub last_sign_in: Option<String>,
    /// How many objects it holds.
    pub counts: Counts,
    /// Whether the interface can put the previous connection back by itself.
    pub can_restore: bool,
}

/// Who says by which flow and as which client a directory is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownFrom {
    /// The directory shows it.
    #[default]
    Directory,
    /// The operator wrote it down, in the configuration.
    Record,
    /// The provider shows which client gets tokens.
    Provider,
    /// Nobody says it.
    #[serde(other)]
    Nobody,
}

impl KnownFrom {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_directory(&self) -> bool {
        *self == Self::Directory
    }
}

/// How many objects a directory holds; none where it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Users.
    pub users: Option<u64>,
    /// Groups.
    pub groups: Option<u64>,
    /// Enterprise applications.
    pub applications: Option<u64>,
}

/// The OAuth flow of a directory's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// RFC 6749 §4.1 with a refresh token of 90 days.
    AuthorizationCode,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// The directory is not one of Okta: nothing to migrate.
    NotOkta,
    /// Neither could be told.
    #[default]
    #[serde(other)]
    Unknown,
}

impl std::fmt::Display for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::AuthorizationCode => "authorization-code",
            Self::ClientCredentials => "client-credentials",
            Self::NotOkta => "not-okta",
            Self::Unknown => "unknown",
        })
    }
}

impl std::fmt::Display for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Plain => "plain",
            Self::ApplicationEnabled => "application-enabled",
            Self::Unknown => "unknown",
        })
    }
}
