//! The contract between flowswap and its plugins.
//!
//! A plugin is a dynamic library that does no I/O. The host delivers a [`ToPlugin`] message, and the plugin emits
//! [`FromPlugin`] messages and returns. For everything outside itself, the plugin *asks* the host ([`Ask`]).
//! Only borrowed bytes cross the boundary, one JSON object per message; [`abi`] is the whole C surface.
//!
//! A plugin never gets a secret. It names a [`Handle`], and the host puts the value into the request, and only in requests
//! to the origins of the session. The host captures a secret in an answer before the plugin sees the answer.
//!
//! Compatibility has three layers: the symbol's name, [`abi::ABI_VERSION`] with the struct sizes, and
//! [`Protocol`]. Unknown fields are ignored; unknown enum values become a catch-all variant.
//!
//! The module [`sdk`] (feature `sdk`) is for plugin authors.

pub mod abi;
mod decode;
mod error;
mod http;
mod inventory;
mod json;
mod keep;
mod message;
mod operation;
mod secret;
mod sheet;
mod step;

#[cfg(feature = "sdk")]
pub mod sdk;

pub use error::{Effect, Error, ErrorKind};
pub use http::{Auth, Blind, Body, Capture, ClientProof, Custody, HttpAnswer, HttpAsk, Intent, OAuthClient};
pub use inventory::{
    AssignedUser, ClientSecret, Counts, DirectoryInventory, Flow, Inventory, KnownFrom, LegacyClient, Lookalike,
    ProviderInventory, ScopeNeed, ServiceClient, Tokens, Variant, VariantType,
};
pub use json::Json;
pub use keep::Keep;
pub use message::{
    Answer, Ask, Call, ConfigKey, FromPlugin, HeaderDialect, Level, Op, Open, Outcome, PROTOCOL, PluginEvent,
    PluginHello, Protocol, ToPlugin,
};
pub use operation::{
    ApplyReply, Attempt, DetectParams, Evidence, EvidenceResult, ObserveReply, Observed, PlanParams, PlanReply,
    Rotation, StepParams, TestParams, TestReply, Values,
};
pub use secret::Handle;
pub use sheet::{RunSheet, SheetAct, SheetLine};
pub use step::{By, Phase, Reversibility, Role, SentSecret, Step, StepProposal};
