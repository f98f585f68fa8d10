//! The simulator from the outside: requests and their answers.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod cie;
mod clocks;
mod console;
mod contract;
mod description;
mod faults;
mod gateway;
mod lists;
mod refusals;
mod schedule;
mod shapes;
mod strictness;
mod support;
mod wire;
mod world;
