//! Runs the kit on the rogue plugin. A well-behaved rogue passes, and every seeded misbehavior is caught.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

/// The macro as an author uses it.
mod author;
/// The world from the crate's documentation.
mod gateway;
/// Seeded misbehavior is caught.
mod seeded;
/// Skipped checks are reported and never count as passed.
mod skipped;
/// A small world for the rogue.
mod world;
