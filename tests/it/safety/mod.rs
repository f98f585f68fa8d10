//! What is guaranteed: no secret anywhere, no change in a dry run, plans that cannot be edited, plugins that cannot do
//! what they may not.
//!
//! What plugins are told is not seen from here: the frames between the host and a plugin are looked through for
//! secrets by the host's own tests.

/// No secret anywhere but in custody, and on the wire to its own side.
mod canary;
/// The same of swaps by hand; and nobody's name anywhere.
mod canary_by_hand;
/// Who can read and write what flowswap keeps, and the code it runs.
mod custody;
/// What changes nothing changes nothing.
mod dry_run;
/// Plans that were edited, are too old, or were made by other code.
mod plan_file;
/// A plugin that asks for what it may not have, or takes its process down.
pub(crate) mod rogue;
