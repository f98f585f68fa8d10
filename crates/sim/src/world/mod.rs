//! The whole simulated world: how it is built, how it is shown, and how two states of it differ.

pub(crate) mod build;
pub(crate) mod connection;
pub(crate) mod diff;
pub(crate) mod scenario;
pub(crate) mod snapshot;
pub(crate) mod view;
