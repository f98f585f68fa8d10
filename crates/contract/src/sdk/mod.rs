//! The SDK for plugin authors: a trait with the six verbs, a [`Host`] to ask, and [`export_plugin!`](crate::export_plugin).
//!
//! ```
//! use flowswap_contract::{sdk::{Host, Plugin}, *};
//!
//! struct Demo { base_url: String }
//!
//! impl Plugin for Demo {
//!     fn hello() -> PluginHello {
//!         PluginHello {
//!             name: "demo".into(),
//!             version: env!("CARGO_PKG_VERSION").into(),
//!             protocol: PROTOCOL,
//!             features: vec![],
//!             roles: vec![Role::Directory],
//!             config: vec![],
//!             origins: vec!["{base_url}".into()],
//!             token_paths: vec![],
//!             headers: None,
//!         }
//!     }
//!
//!     fn open(open: Open) -> Result<Self, Error> {
//!         let base_url = open.config["base_url"].as_str().unwrap_or_default().to_owned();
//!         Ok(Self { base_url })
//!     }
//!
//!     async fn detect(&self, host: &Host) -> Result<Inventory, Error> {
//!         let answer = host.get(format!("{}/directory", self.base_url)).await?;
//!         let name = answer.body["name"].as_str().unwrap_or_default().to_owned();
//!         Ok(Inventory::Directory(DirectoryInventory { name, ..Default::default() }))
//!     }
//!
//!     fn plan(&self, _: PlanParams) -> Result<Vec<StepProposal>, Error> { Ok(vec![]) }
//!     async fn observe(&self, _: &Host, _: StepParams) -> Result<ObserveReply, Error> { Err(sdk::unsupported("observe")) }
//!     async fn apply(&self, _: &Host, _: StepParams) -> Result<ApplyReply, Error> { Err(sdk::unsupported("apply")) }
//!     async fn undo(&self, _: &Host, _: StepParams) -> Result<ApplyReply, Error> { Err(sdk::unsupported("undo")) }
//!     async fn test(&self, _: &Host, _: TestParams) -> Result<TestReply, Error> { Err(sdk::unsupported("test")) }
//! }
//!
//! flowswap_contract::export_plugin!(Demo);
//! ```

mod crowd;
pub mod export;
mod host;
mod join;
mod runtime;
mod url;

pub use crowd::{Crowd, CrowdBuilder};
pub use host::Host;
pub use join::{join, join_all};
pub use runtime::Runtime;
pub use url::encode;

use crate::{
    ApplyReply, Error, ErrorKind, Inventory, ObserveReply, Open, PlanParams, PluginHello, Rotation, StepParams,
    StepProposal, TestParams, TestReply,
};

/// One open session of a plugin, for one side of one tenant.
///
/// The futures run on one thread, so they need no `Send`, no locks, and no `Arc`. They may wait only for the [`Host`]; no
/// other future would ever be woken. To wait for several answers at once, use [`join`] and [`join_all`].
#[expect(async_fn_in_trait, reason = "the runtime is single-threaded and calls the methods on the concrete type")]
pub trait Plugin: Sized + 'static {
    /// Describes the plugin and its configuration.
    fn hello() -> PluginHello;

    /// Opens a session. An error of kind [`ErrorKind::Config`] names the wrong key.
    fn open(open: Open) -> Result<Self, Error>;

    /// Reads the current state of the side.
    async fn detect(&self, host: &Host) -> Result<Inventory, Error>;

    /// The same, with the client secrets of the service clients ([`DetectParams::secrets`](crate::DetectParams)). Only a provider
    /// that can rotate them needs it.
    async fn detect_with_secrets(&self, host: &Host) -> Result<Inventory, Error> {
        self.detect(host).await
    }

    /// Proposes the steps of a migration. It is not async, because it must not ask for anything.
    fn plan(&self, params: PlanParams) -> Result<Vec<StepProposal>, Error>;

    /// Proposes the steps of a rotation.
    fn plan_rotation(&self, _params: PlanParams, _rotation: Rotation) -> Result<Vec<StepProposal>, Error> {
        Err(unsupported("rotation of client secrets"))
    }

    /// Finds out whether a step was carried out.
    async fn observe(&self, host: &Host, params: StepParams) -> Result<ObserveReply, Error>;

    /// Carries out a step.
    async fn apply(&self, host: &Host, params: StepParams) -> Result<ApplyReply, Error>;

    /// Takes back a step.
    async fn undo(&self, host: &Host, params: StepParams) -> Result<ApplyReply, Error>;

    /// Runs a check step, or tests the session's access, without changing anything.
    async fn test(&self, host: &Host, params: TestParams) -> Result<TestReply, Error>;
}

/// The error for a verb or a step that the plugin does not support.
pub fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("this plugin has no `{what}`"))
}
