//! The binary as users run it, over the simulator.
//!
//! One target, a module an area. What belongs where:

#![expect(clippy::unwrap_used, reason = "a test may panic")]

/// Starts simulators and runs the binary in a clean environment.
mod support;

mod approvals;
/// Another terminal reaches the command that is at work.
mod at_work;
/// The beliefs about the outside on which the proofs rely, made false alone and in pairs.
mod beliefs;
/// The simulator in one terminal and the commands in another, as in `try-it.md`.
mod by_hand;
/// Help texts, exit codes, and wrong command lines and configurations.
mod cli;
/// `flowswap plugins conformance`: the conformance kit on flowswap's own plugins.
mod conformance;
/// The binary is killed at every point of its work, and the same command must then recover.
mod crash;
/// `cargo demo` and the command behind it.
mod demo;
mod discovery;
/// The README and `crates/cli/docs`: tests run every block of commands and compare its output.
mod documents;
/// What each command ends with in the situations that a pipeline meets.
mod exit_codes;
/// Text from outside, in every output.
mod faces;
/// Faults of the network and of the other sides, injected by the simulator.
mod faults;
/// The main commands on a whole fleet: detect, plan, apply, status, rollback, and finalize.
mod fleet;
mod guided;
/// What programs read and write: JSON documents and their schemas, errors, events, and variables.
mod machine;
mod mistakes;
/// Orgs that other clients use too: flowswap keeps to its share of their rate limits.
mod neighbors;
/// People are told what happened, by webhooks and programs.
mod notify;
/// Requests and answers are compared with the official API description.
mod official;
/// Where `-o` writes, and what it never touches.
mod outputs;
/// Unexpected answers from outside, one row each: what flowswap reports, and what it leaves unchanged.
mod outside;
/// What people read: phrases, the length of sentences, and help.
mod plain;
/// `flowswap plugins list` and `inspect`, and libraries that do not start.
mod plugins;
/// The progress of a fleet on terminals, and in pipes.
mod progress;
/// What a person can do at a question besides answering it.
mod questions;
/// Several people open the captured secrets.
mod recipients;
/// `flowswap record` and `flowswap replay`.
mod recording;
/// Recovery: `resume`, decisions about stuck tenants, and `audit verify`.
mod recovery;
/// One tenant shows that others like it can be migrated and rolled back.
mod rehearsal;
mod reports;
/// The guarantees: no leaked secret, no change in a dry run, and no edited plan.
mod rotation;
mod safety;
/// Names, patterns, labels, and files: which tenants a command is about.
mod selection;
mod service_app;
/// Random faults from seeds, in one process on a paused clock.
mod simulation;
/// A disk that is full, broken, or read-only: flowswap reports only what is stored, and the same command recovers.
mod storage;
/// The repository itself: dependencies, `unsafe`, printing, and file headers.
mod tidy;
/// Secrets that are in HashiCorp Vault or OpenBao.
mod vault;
/// Tenants that wait for a person or for time: run sheets, confirmations, secrets, and evidence.
mod waiting;
/// Waves: which tenants are in each, and when it begins.
mod waves;
