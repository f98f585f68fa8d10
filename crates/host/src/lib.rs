//! The host's side of the contract: it runs plugins in processes of their own and does what they ask for.
//!
//! A [`PluginFile`] is read once, checked and pinned; a [`PluginProcess`] runs a private copy of it; a [`Session`]
//! is one side of one tenant in that process and implements the engine's port [`Backend`](flowswap_engine::Backend).
//! What a plugin asks for is carried out with the [`Effects`] of its session, or refused: nothing that changes the
//! world in a dry run, no request to a foreign origin, no secret into the plugin.
//!
//! The process that calls [`PluginProcess::start`] never loads a plugin. It starts itself again with an argument
//! that leads to [`serve`], which calls the loader. The only other caller is [`PluginProcess::inline`], for simulations.

mod blind;
mod capture;
mod child;
mod effects;
mod frame;
mod gate;
mod guard;
mod inline;
mod library;
mod life;
mod origin;
mod outage;
mod plugin_file;
mod process;
mod provenance;
mod proxy;
mod redact;
mod relay;
mod request;
mod resolve;
mod retry;
mod revival;
mod routes;
mod scope;
mod session;
mod skew;
mod spawn;
mod splice;
#[cfg(test)]
mod testing;
mod transport;
mod vault;

pub use child::serve;
pub use effects::Effects;
pub use gate::Gate;
pub use outage::Outage;
pub use plugin_file::{PluginFile, PluginFileError, locate};
pub use process::{PluginProcess, StartError};
pub use resolve::{HostPattern, HostPatternError};
pub use revival::MAX_RESTARTS;
pub use scope::chain;
pub use session::{Session, SessionConfig};
pub use skew::Skews;
pub use spawn::{Launcher, Limits, Tap, Traffic};
pub use transport::{HttpService, Network, NetworkError, Sent, TransportError, build};
