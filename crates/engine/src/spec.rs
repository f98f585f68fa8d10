//! What the engine needs to know of a tenant before it reaches either side.

use std::collections::BTreeMap;

use flowswap_contract::Rotation;

use crate::Packed;

/// What the engine needs to know from a tenant's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantSpec {
    /// The name.
    pub name: String,
    /// The provider's domain.
    pub domain: String,
    /// Whether the directory should collect enterprise applications.
    pub app_data: bool,
    /// The name of the provider's plugin.
    pub provider_plugin: String,
    /// The name of the directory's plugin.
    pub directory_plugin: String,
    /// The ids of findings that the configuration accepts, of those in [`ACCEPTABLE`](crate::ACCEPTABLE).
    pub accepted: Vec<String>,
    /// Whether the journal has work on the tenant that was started and not rolled back.
    pub begun: bool,
    /// The rotation that is planned or carried out. `None` for a migration.
    pub rotation: Option<Rotation>,
    /// Digests of both tables without their secrets ([`digest_config`](crate::digest_config)). A plan is valid only for the
    /// configuration that it was made from.
    pub config: Packed<BTreeMap<String, String>>,
}
