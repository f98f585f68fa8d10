//! The binary as users run it, over the simulator.
//!
//! One target, a module an area. What belongs where:

#![expect(clippy::unwrap_used, reason = "a test ends where its expectation does")]

/// Starts simulators and runs the binary in a clean environment.
mod support;

/// What the proofs assume of the outside: listed, and played false alone and in pairs.
mod beliefs;
/// The simulator in one terminal and the commands in another, as the README has it.
mod by_hand;
/// Help texts, exit codes, wrong command lines and configurations: what a person sees before anything runs.
mod cli;
/// `flowswap plugins conformance`: the kit on the plugins that come with it.
mod conformance;
/// The binary killed at every point of its work: whatever it was doing, the same command again brings all to a good end.
mod crash;
/// The demo, from the outside.
mod demo;
/// Text from outside, in everything that is shown.
mod faces;
/// Faults of the network and of the other sides, injected by the simulator.
mod faults;
/// The main line: detect, plan, apply, status, rollback, finalize of a whole fleet.
mod fleet;
mod guided;
/// The official API description as judge over requests and answers.
mod official;
/// Where `-o` writes, and what it never touches.
mod outputs;
/// Wrong turns of the outside, a row each: what answers, and what the tool says and leaves alone.
mod outside;
/// Getting over what went wrong: going on by name, deciding, looking through what was recorded.
mod recovery;
/// What is guaranteed: no secret anywhere, no change in a dry run, plans that cannot be edited.
mod safety;
/// Seeds of trouble, in one process on a paused clock.
mod simulation;
/// A disk that is full, broken or closed: nothing is claimed that is not kept, and the same command heals.
mod storage;
/// The repository itself: arrows, `unsafe`, printing, headers.
mod tidy;
/// What waits for a person or for time: run sheets, claims, secrets handed over, evidence.
mod waiting;
