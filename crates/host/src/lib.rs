//! The host's side of the contract: it runs each plugin in a separate process and does what the plugin asks for.
//!
//! A [`PluginFile`] is read once, checked, and pinned. A [`PluginProcess`] runs its sealed bytes in a [`Cage`]. A [`Session`] is
//! one side of one tenant in that process and implements the engine's port [`Backend`](flowswap_engine::Backend). The host does
//! what a plugin asks for with the [`Effects`] of its session, or refuses. It refuses changes in a dry run, requests to a
//! foreign origin, and secrets for the plugin.
//!
//! The process that calls [`PluginProcess::start`] never loads a plugin. It starts itself again with an argument
//! that leads to [`serve`], which calls the loader. The only other caller is [`PluginProcess::inline`], for simulations.

mod blind;
mod brought;
mod budget;
mod ca_file;
mod cage;
mod capture;
mod cause;
mod child;
mod clients;
mod connection;
mod custody;
mod decode;
mod density;
mod effects;
mod encodings;
mod frame;
mod gate;
mod governor;
mod guard;
mod hardening;
mod inline;
mod jose;
mod lent;
mod library;
mod nearby;
mod oauth;
mod of_table;
mod origin;
mod outage;
mod ownership;
mod places;
mod plugin_file;
mod process;
mod provenance;
mod proxy;
mod raw;
mod redact;
mod relay;
mod request;
mod resolve;
mod retry;
mod room;
mod routes;
mod scope;
mod sealed;
mod secret_members;
mod sending;
mod session;
mod shown;
mod skew;
mod spawn;
mod splice;
mod start_error;
mod supervisor;
#[cfg(test)]
mod testing;
mod tokens;
mod transport;
mod vault;
mod webhook;

pub use ca_file::CaProblem;
pub use cage::{Cage, UnknownCage};
pub use child::serve;
pub use clients::{Connect, build};
pub use effects::Effects;
pub use flowswap_engine::chain;
pub use gate::Gate;
pub use governor::{Share, Usage};
pub use hardening::harden;
pub use nearby::{NearbyError, connect_nearby, is_nearby_origin};
pub use origin::{is_allowed, is_origin};
pub use ownership::{
    TrustError, is_foreign_link, open_trusted, quoted, read_trusted, require_private_folder, require_trusted,
    require_trusted_folder, trusted_temp_dir,
};
pub use plugin_file::{PluginFile, PluginFileError, locate};
pub use process::PluginProcess;
pub use raw::RawPlugin;
pub use resolve::{HostPattern, HostPatternError};
pub use session::{Session, SessionConfig};
pub use spawn::{Launcher, Limits, Listen, Tap, Traffic};
pub use start_error::StartError;
pub use transport::{HttpService, Network, NetworkError, Sent, TransportError};
pub use vault::KnownSecrets;
pub use webhook::{Webhook, WebhookAnswer, WebhookError};
