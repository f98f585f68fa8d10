//! Reads the configuration, `migrate.toml` and its inventories, into a [`Config`].
//!
//! Entry point: [`load`]. It reads everything and reports all errors together, so a person fixes a file once. It contacts
//! nothing and fetches no secret: a [`SecretRef`] only says where the secret is. Once the plugins run,
//! [`Config::check_plugin_keys`] compares the tables of the tenants with the keys that the plugins declare.

mod approvals;
mod diagnostic;
mod draft;
mod hidden;
mod inventory;
mod load;
mod location;
mod mask;
mod meaning;
mod model;
mod notify;
mod plugin_keys;
mod reader;
mod reference;
mod row;
mod settings;
mod side;
mod simulation;
mod source;
mod suggest;
mod syntax;
mod template;
mod tenants;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod vault;
mod waves;

pub use approvals::Approvals;
pub use diagnostic::{ConfigErrors, Problem};
pub use load::load;
pub use model::{Config, TenantConfig};
pub use notify::{Channel, MessageForm, NotifyTarget, Occasion, WebhookUrl};
pub use reference::{ProgramCall, SecretRef, VaultField};
pub use settings::{Network, PluginEntry, PublicKey, RunLimits};
pub use side::SideConfig;
pub use simulation::Simulation;
pub use source::Place;
pub use suggest::find_nearest;
pub use vault::{Vault, VaultLogin};
pub use waves::{Pick, REST, Selector, WaveOrder, WaveRule};
