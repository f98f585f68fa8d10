//! The engine over worlds in memory that are stricter than the real ones, with every fault at every point.

#![expect(clippy::unwrap_used, reason = "a test ends where its expectation does")]

mod abandon;
mod backend;
mod clocks;
mod compare;
mod crash;
mod fault;
mod fleet;
mod fold;
mod forward;
mod journal_failure;
mod laws;
mod mishap;
mod operator;
mod org;
mod person;
mod plan_file;
mod plan_lint;
mod proof;
mod propose;
mod reality;
mod refuse;
mod removal;
mod resolve;
mod rules;
mod scene;
mod steps;
mod tree;
mod world;
