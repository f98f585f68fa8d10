//! Tests of the engine with in-memory worlds that are stricter than the real ones, with every fault at every point.

#![expect(clippy::unwrap_used, reason = "a test ends where its expectation does")]

mod abandon;
mod approval;
mod backend;
mod budget;
mod causes;
mod clocks;
mod compare;
mod crash;
mod environment;
mod fault;
mod fleet;
mod fold;
mod forged;
mod forward;
mod journal_failure;
mod last_filter;
mod laws;
mod logbook;
mod operator;
mod org;
mod pause;
mod person;
mod plan_file;
mod plan_lint;
mod proof;
mod propose;
mod recovery;
mod refuse;
mod rehearsal;
mod removal;
mod resolve;
mod rules;
mod steps;
mod test_fleet;
mod tree;
mod world;
