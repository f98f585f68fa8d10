//! The kit on the rogue: what behaves passes, and every seeded misbehaviour is caught.

#![expect(clippy::unwrap_used, reason = "a test ends where its expectation does")]

/// The macro, as an author uses it.
mod author;
/// The world of the crate's documentation.
mod gateway;
/// The kit catches what misbehaves.
mod seeded;
/// What is not checked is said, and never counts as kept.
mod unmade;
/// A small world for the rogue.
mod world;
