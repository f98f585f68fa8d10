//! Reports of plans that the engine made from recorded answers, and of work on their tenants; and run sheets.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod classes;
mod difference;
mod eventful;
mod faces;
mod fleet;
mod hostile;
mod journal;
mod review;
mod run_sheet;
mod sheet;
mod work;

/// GitHub refuses longer ones.
const MOST_CHARACTERS_OF_A_COMMENT: usize = 65_536;
