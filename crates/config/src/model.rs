//! What a configuration says, once it is read and found to be correct.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use jiff::tz::TimeZone;
use litemap::LiteMap;
use serde_json::Value;

use crate::{
    approvals::Approvals,
    location::Location,
    notify::NotifyTarget,
    reference::SecretRef,
    settings::{Network, PluginEntry, PublicKey, RunLimits},
    side::SideConfig,
    simulation::Simulation,
    source::{Place, Sources},
    vault::Vault,
    waves::WaveRule,
};

/// A configuration with all of its inventories.
#[derive(Debug)]
pub struct Config {
    /// The folder of the journal and of the secrets.
    pub state: PathBuf,
    /// The time zone in which people read times. `None` means the one of the system.
    pub timezone: Option<TimeZone>,
    /// The age identity that opens the secrets, if it is not in its default place.
    pub identity: Option<PathBuf>,
    /// Opens the identity if the identity itself is encrypted.
    pub passphrase: Option<SecretRef>,
    /// Who can open the secrets besides the identity.
    pub recipients: Vec<PublicKey>,
    /// The age from which a client secret should be rotated.
    pub max_secret_age: Option<Duration>,
    /// Where Vault is, for the secrets that are there.
    pub vault: Vault,
    /// How to reach orgs and directories.
    pub network: Network,
    /// The limits of a run.
    pub run: RunLimits,
    /// In which parts plans migrate their tenants. Empty for all at once.
    pub waves: Vec<WaveRule>,
    /// Who must approve plans. `None` if nobody must.
    pub approvals: Option<Approvals>,
    /// Who is told what. Empty if nobody is.
    pub notify: Vec<NotifyTarget>,
    /// The libraries of plugins, by the names of the plugins.
    pub plugins: BTreeMap<String, PluginEntry>,
    /// The simulator that the tenants are in. `None` for real ones.
    pub simulation: Option<Simulation>,
    /// The tenants of the file, then those of its inventories, in the order in which they were written.
    pub tenants: Vec<TenantConfig>,
    /// Where each tenant is in `tenants`.
    pub(crate) by_name: HashMap<String, usize>,
    /// What the tool's own tables say, as they are written.
    pub(crate) settings: Value,
    /// For later errors that point at a place in the configuration.
    pub(crate) sources: Sources,
}

impl Config {
    /// Where a tenant is configured: the file, and the line of its name.
    pub fn place_of(&self, tenant: &TenantConfig) -> Place<'_> {
        self.sources.place(tenant.at)
    }

    /// Where a public key is written.
    pub fn place_of_key(&self, key: &PublicKey) -> Place<'_> {
        self.sources.place(key.at)
    }

    /// The tenant of this name.
    pub fn tenant(&self, name: &str) -> Option<&TenantConfig> {
        self.by_name.get(name).and_then(|index| self.tenants.get(*index))
    }
}

/// A tenant with the defaults merged in.
#[derive(Debug)]
pub struct TenantConfig {
    /// In lower case, and unique.
    pub name: String,
    /// Whether the directory collects enterprise applications.
    pub app_data: bool,
    /// The operator who is asked to carry out run sheets; any operator may if this is absent.
    pub owner: Option<String>,
    /// The ids of findings that do not block the tenant, because a person accepts them.
    pub accept: Vec<String>,
    /// What the tenant can be selected by, such as `region` = `emea`. A label changes nothing of what is done for a tenant.
    pub labels: LiteMap<Arc<str>, String>,
    /// The time zone in which people work on the tenant, if it differs from that of the configuration.
    pub timezone: Option<TimeZone>,
    /// The org that issues the credentials.
    pub provider: Arc<SideConfig>,
    /// The directory that uses them.
    pub directory: Arc<SideConfig>,
    /// Where its name is.
    pub(crate) at: Location,
}
