//! The simulator as its clients meet it: requests in, answers out.

#![expect(clippy::unwrap_used, reason = "a test ends where its expectation does")]

mod cie;
mod clocks;
mod console;
mod contract;
mod description;
mod faults;
mod gateway;
mod lists;
mod natural;
mod refusals;
mod shapes;
mod strictness;
mod support;
mod wire;
mod world;
