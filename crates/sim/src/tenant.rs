//! What a user of the simulator needs to know about a tenant.

use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;

/// One tenant of the simulated fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimTenant {
    /// The name of the tenant and of its directory.
    pub name: String,
    /// The host name of its org.
    pub domain: String,
    /// Whether its directory collects application data.
    pub app_data: bool,
    /// The API token (SSWS) of its org's administrator.
    pub admin_token: String,
    /// The service app of its org's administrator, which can be used in place of the token.
    pub service_app: AdminApp,
    /// The condition in which it started.
    pub scenario: Scenario,
    /// The id of its directory at the gateway.
    pub directory_id: String,
    /// The service account of its own tenant service group.
    pub account: ServiceAccount,
    /// The id of its second directory, if the settings request one.
    pub neighbor_id: Option<String>,
}

/// An app for API services with which an administrator acts, and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminApp {
    /// Its client id.
    pub client_id: String,
    /// The id of its public key.
    pub key_id: String,
    /// Its private key, a JWK. Empty if the administrator uses an API token.
    pub private_key: String,
}

/// A service account of a tenant service group. A program gets tokens with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// Its client id, which looks like an email address.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The id of its group, ten digits.
    pub tsg_id: String,
}
