//! Checks a plugin against the contract: what it greets with, how it bears messages that break the protocol, whether what
//! must not change anything changes nothing, whether every step can be repeated and taken back, and whether it heals when
//! an answer is lost. The plugin runs in a process of its own behind the real host, in a [`World`] that its author supplies.
//!
//! # In a plugin's own repository
//!
//! The crates of flowswap are not published: depend on its repository, or on a checkout of it. The library of the plugin
//! `mine` is called `flowswap_mine`; Cargo builds it for the tests of the package, where [`built_library`] finds it.
//!
//! ```toml
//! [lib]
//! name = "flowswap_mine"
//! crate-type = ["lib", "cdylib"]
//!
//! [dependencies]
//! flowswap-contract = { git = "…", features = ["sdk"] } # or { path = "../flowswap/crates/contract", … }
//!
//! [dev-dependencies]
//! flowswap-conformance = { git = "…" } # or { path = "../flowswap/crates/conformance" }
//! ```
//!
//! What a world is made of is named by this crate: [`bytes`], [`http`] and [`serde_json`], [`Secret`], [`SessionConfig`] and
//! [`HttpService`]. The rest is the contract's. What [`World::other_side`] shows must, with the plugin's own side, make the
//! engine's verdict `ready`; where it does not, `plan.sound` fails and says what is amiss.
//!
//! A whole test, `tests/conformance.rs`, for the directory plugin `mine`, whose product keeps one JSON object:
//!
//! ```no_run
#![doc = include_str!("../tests/it/gateway.rs")]
//!
//! flowswap_conformance::conformance!("mine", || Box::new(Gateway::new()));
//! ```
//!
//! Every group of checks becomes a `#[test]`. The plugin's process is the test binary itself, started again to run the one
//! test that [`conformance!`] makes for that; so nothing needs to be installed. A check that had no case, because no step of
//! the plan is of its kind, is skipped and says why. `flowswap plugins conformance` does the same for a library that is
//! already built, in the simulator's world.

mod bench;
mod checks;
mod kit;
mod launch;
mod memory;
mod raw;
mod report;
mod wire;
mod world;

pub use bytes;
pub use flowswap_engine::Secret;
pub use flowswap_host::{HttpService, SessionConfig};
pub use http;
pub use serde_json;

pub use checks::Group;
pub use kit::Kit;
pub use launch::{built_library, judge, launcher, make, serve_if_asked};
pub use report::{Check, Failure, Outcome, Report};
pub use world::{Given, MakeWorld, World, http_from};
