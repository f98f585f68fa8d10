//! Reports of plans that the engine made from recorded answers.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod classes;
mod difference;
mod faces;
mod fleet;
mod hostile;
