//! The contract between flowswap and its plugins.
//!
//! A plugin is a dynamic library that does no I/O. The host delivers a [`ToPlugin`] message, the plugin emits
//! [`FromPlugin`] messages and returns; whatever it wants from the world it *asks* the host for ([`Ask`]).
//! Across the boundary go borrowed bytes only, each one JSON object; [`abi`] is the whole C surface.
//!
//! A plugin never holds a secret. It names a [`Handle`], and the host puts the value on the wire, only toward the
//! origins of the session. What an answer brings as a secret is captured by the host before the plugin sees it.
//!
//! Compatibility has three layers: the symbol's name, [`abi::ABI_VERSION`] with the struct sizes, and
//! [`Protocol`]. Unknown fields are ignored; unknown enum values land in a catch-all variant.
//!
//! With the feature `sdk`, [`sdk`] holds what a plugin author uses.

pub mod abi;
mod error;
mod http;
mod inventory;
mod message;
mod operation;
mod secret;
mod sheet;
mod step;

#[cfg(feature = "sdk")]
pub mod sdk;

pub use error::{Effect, Error, ErrorKind};
pub use http::{Auth, Blind, Body, Capture, Custody, HttpAnswer, HttpAsk, Intent};
pub use inventory::{
    Counts, DirectoryInventory, Flow, Inventory, KnownFrom, LegacyClient, Lookalike, ProviderInventory, ServiceClient,
    Tokens, Variant, VariantType,
};
pub use message::{
    Answer, Ask, Call, ConfigKey, FromPlugin, HeaderDialect, Level, Op, Open, Outcome, PROTOCOL, PluginEvent,
    PluginHello, Protocol, ToPlugin,
};
pub use operation::{
    ApplyReply, Attempt, Evidence, EvidenceResult, ObserveReply, Observed, PlanParams, PlanReply, StepParams,
    TestParams, TestReply, Values,
};
pub use secret::Handle;
pub use sheet::{RunSheet, SheetAct, SheetLine};
pub use step::{By, Phase, Reversibility, Role, Step, StepProposal};
