//! What the two sides of a tenant show about themselves: the replies to `detect`.

use serde::{Deserialize, Serialize};

/// The reply to `detect`, by role.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProviderInventory {
    /// The canonical host name of the org, as the org states it.
    pub domain: String,
    /// Other host names of the org, such as a custom domain, as the org states them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The OIDC web apps that look like CIE's app for the authorization-code flow.
    pub legacy_clients: Vec<LegacyClient>,
    /// The API service integrations of CIE's types.
    pub service_clients: Vec<ServiceClient>,
    /// Apps that have CIE's name, but are something else.
    pub lookalikes: Vec<Lookalike>,
    /// The integrations that could be created, and the source of their types.
    pub variants: Vec<VariantType>,
    /// What the directory needs of a client, for each variant that it may need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<ScopeNeed>,
}

/// The OIDC web app of the authorization-code flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LegacyClient {
    /// The app's id.
    pub id: String,
    /// The OAuth client id; usually, but not always, the app's id.
    pub client_id: String,
    /// Its name as admins see it.
    pub label: String,
    /// `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// The OAuth grant types it may use.
    pub grant_types: Vec<String>,
    /// Where it may send codes; these URIs tell which CIE region uses it.
    pub redirect_uris: Vec<String>,
    /// The scopes that an admin granted to it, sorted.
    pub scopes: Vec<String>,
    /// What becomes of a refresh token that is used, as the provider writes it: `STATIC` (it stays valid) or `ROTATE` (a new one
    /// takes its place).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_rotation: Option<String>,
    /// The people who may sign in through it, without who they are. `None` if the provider does not show them, or has too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<Vec<AssignedUser>>,
    /// When a person last signed in through it, RFC 3339, as far as the provider's log goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign_in: Option<String>,
    /// When a program other than flowswap last got a token with it, or was refused one.
    #[serde(default, skip_serializing_if = "Tokens::is_unknown")]
    pub tokens: Tokens,
}

/// A person who may sign in through a legacy client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AssignedUser {
    /// The status of the account, as the provider writes it, such as `ACTIVE` or `SUSPENDED`.
    pub status: String,
    /// Whether the account has an administrator role, if the provider shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_admin: Option<bool>,
}

/// Token requests of a client in the provider's log; empty if flowswap may not read the log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Whether the app is active; an inactive one cannot be used.
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }
}

/// An API service integration of the client-credential flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceClient {
    /// The integration's id, which is also its OAuth client id.
    pub id: String,
    /// Its OIN type key.
    #[serde(rename = "type")]
    pub type_key: String,
    /// Its name in the catalog.
    pub name: String,
    /// Which of the two integrations it is.
    pub variant: Variant,
    /// The scopes granted to it, sorted, because the provider returns them in varying order.
    pub scopes: Vec<String>,
    /// When it was created, as the provider writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When a program other than flowswap last got a token with it, or was refused one.
    #[serde(default, skip_serializing_if = "Tokens::is_unknown")]
    pub tokens: Tokens,
    /// Its client secrets, oldest first. Empty unless `detect` was asked for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<ClientSecret>,
}

/// A client secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientSecret {
    /// Its id.
    pub id: String,
    /// `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// The first 16 bytes of the SHA-256 of its value, base64url, if the provider shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

impl ClientSecret {
    /// Whether the provider accepts it.
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }
}

/// The two integrations that Palo Alto Networks publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Users and groups.
    Plain,
    /// Users, groups, and enterprise applications.
    ApplicationEnabled,
    /// One that this version does not know.
    #[serde(other)]
    Unknown,
}

/// A variant that could be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VariantType {
    /// Which of the two integrations it is.
    pub variant: Variant,
    /// Its OIN type key, which cannot be computed from the name.
    #[serde(rename = "type")]
    pub type_key: String,
    /// The scopes to request when creating it, sorted.
    pub scopes: Vec<String>,
    /// `config`, or the id of the instance that showed the type key.
    pub source: String,
}

/// The scopes that the directory uses with a variant, as the vendor documents them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScopeNeed {
    /// Which of the two integrations it is.
    pub variant: Variant,
    /// The scopes without which data is missing, sorted.
    pub required: Vec<String>,
    /// The scopes that some orgs need, sorted.
    pub optional: Vec<String>,
}

/// An app that has CIE's name, but is something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lookalike {
    /// The app's id.
    pub id: String,
    /// Its OAuth client id, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its name as admins see it.
    pub label: String,
    /// Its sign-on mode, which shows what it is.
    pub kind: String,
}

/// What the directory shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DirectoryInventory {
    /// The directory's id.
    pub id: String,
    /// Its name, which is part of every group's distinguished name.
    pub name: String,
    /// The provider's domain that it is connected to.
    pub domain: String,
    /// The flow of the connection.
    pub flow: Flow,
    /// The client that the connection uses, if known.
    pub client_id: Option<String>,
    /// The source of `flow` and `client_id`.
    #[serde(default, skip_serializing_if = "KnownFrom::is_directory")]
    pub known_from: KnownFrom,
    /// Whether it collects enterprise applications, if the directory shows it.
    pub app_data: Option<bool>,
    /// Whether it collects authentication logs for the Strata Logging Service, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_logs: Option<bool>,
    /// Whether the last sync succeeded, if the directory shows it.
    pub healthy: Option<bool>,
    /// The status in the directory's own words.
    pub status: Option<String>,
    /// When it last synchronized, RFC 3339.
    pub last_success: Option<String>,
    /// When a person last signed in for it, RFC 3339; the authorization-code flow stops working 90 days later.
    pub last_sign_in: Option<String>,
    /// How many objects it holds.
    pub counts: Counts,
    /// Whether the interface itself can restore the previous connection.
    pub can_restore: bool,
}

/// Where the flow and the client of a directory's connection are known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum KnownFrom {
    /// The directory shows it.
    #[default]
    Directory,
    /// The operator recorded it in the configuration.
    Record,
    /// The provider shows which client gets tokens.
    Provider,
    /// They are not known.
    #[serde(other, rename = "nobody")]
    Unknown,
}

impl KnownFrom {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_directory(&self) -> bool {
        *self == Self::Directory
    }
}

/// How many objects a directory holds; `None` if it does not show the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// RFC 6749 §4.1, with a refresh token that lives 90 days.
    AuthorizationCode,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// The directory is not connected to Okta, so there is nothing to migrate.
    NotOkta,
    /// The flow is not known.
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
