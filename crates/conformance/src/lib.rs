//! Checks a plugin against the contract:
//!
//! - It greets correctly and withstands messages that break the protocol.
//! - Calls that must not change anything change nothing.
//! - Every step can be repeated and taken back.
//! - The plugin recovers when an answer is lost.
//!
//! The plugin runs in its own process behind the real host, in a [`World`] that its author supplies.
//!
//! # In a plugin's own repository
//!
//! The crates of flowswap are not published, so depend on its repository or on a checkout of it. The library of the
//! plugin `mine` is called `flowswap_mine`. Cargo builds it for the tests of the package, and [`built_library`] finds
//! it.
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
//! This crate re-exports what a world needs: [`bytes`], [`http`], [`serde_json`], [`Secret`], [`SessionConfig`], and
//! [`HttpService`]. All other types are in the contract. The inventory of [`World::other_side`], together with the
//! plugin's own, must lead to the verdict `ready`. If it does not, `plan.sound` fails and says why.
//!
//! A complete test, `tests/conformance.rs`, for the directory plugin `mine`, whose product stores one JSON object:
//!
//! ```no_run
#![doc = include_str!("../tests/it/gateway.rs")]
//!
//! flowswap_conformance::conformance!("mine", || Box::new(Gateway::new()));
//! ```
//!
//! Every group of checks becomes a `#[test]`. The plugin's process is the test binary itself, started again to run one
//! test that [`conformance!`] defines for that, so nothing needs to be installed. A check without cases, for example
//! because the plan has no step of that kind, is skipped with a reason. `flowswap plugins conformance` runs the same
//! checks on a library that is already built, in the simulator's world.

mod bench;
mod candidate;
mod checks;
mod findings;
mod kit;
mod launch;
mod list;
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

pub use kit::Kit;
pub use launch::{assert_conforms, built_library, launcher, serve_if_asked, world_maker};
pub use list::Group;
pub use report::{Check, Failure, Outcome, Report};
pub use world::{MakeWorld, StepOutput, World, http_from};
