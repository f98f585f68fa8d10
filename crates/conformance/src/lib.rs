//! Checks a plugin against the contract: what it greets with, how it bears messages that break the protocol, whether what
//! must not change anything changes nothing, whether every step can be repeated and taken back, and whether it heals when
//! an answer is lost. The plugin runs in a process of its own behind the real host, in a [`World`] that its author supplies.
//!
//! In a plugin's repository, a test is all that it takes:
//!
//! ```text
//! // tests/conformance.rs
//! flowswap_conformance::conformance!("mine", || Box::new(MyWorld::new()));
//! ```
//!
//! Every group of checks becomes a `#[test]`. Cargo builds the library of the package for its tests, and
//! [`built_library`] finds it. The plugin's process is the test binary itself, started again to run the one test that
//! [`conformance!`] makes for that; so nothing needs to be installed. `flowswap plugins conformance` does the same for a
//! library that is already built.

mod bench;
mod checks;
mod kit;
mod launch;
mod memory;
mod raw;
mod report;
mod wire;
mod world;

pub use checks::Group;
pub use kit::Kit;
pub use launch::{built_library, judge, launcher, make, serve_if_asked};
pub use report::{Check, Failure, Outcome, Report};
pub use world::{Given, MakeWorld, World};
