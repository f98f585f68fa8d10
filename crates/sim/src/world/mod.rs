//! The whole simulated world: how it is built and started, how it is shown, and how two states of it differ.

pub(crate) mod build;
pub(crate) mod connection;
pub(crate) mod diff;
pub(crate) mod snapshot;
pub(crate) mod start;
pub(crate) mod view;
