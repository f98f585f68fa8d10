//! The guarantees: no leaked secret, no change in a dry run, no edited plan, and no plugin that exceeds its rights.
//!
//! These tests cannot see what plugins receive. The host's own tests search the frames between the host and a plugin
//! for secrets.

/// What a plugin can ask for that attacks through the host.
mod attacks;
/// What a plugin can do that attacks from its own process.
mod cage;
/// Secrets are only in the secret store and in requests to their own side.
mod canary;
/// The same for guided migrations, which must also leave no names.
mod canary_by_hand;
/// Who can read and write flowswap's state and the code that it runs.
mod custody;
/// Read-only commands change nothing.
mod dry_run;
/// A server that repeats secrets, in many encodings.
mod echo;
/// Plans that somebody changed and sealed again.
mod forged_plan;
/// Where the key of the secrets is.
mod identity;
/// Headers and texts that flowswap does not take from a plugin as they are.
mod limits;
/// What is in the memory of a plugin's process.
mod memory;
/// Whose files flowswap trusts.
mod ownership;
/// Runs commands, and searches everything that flowswap leaves behind after each of them.
mod patrol;
/// Plans that were edited, have expired, or were made with other code.
mod plan_file;
/// Programs that print a secret: what they get, and what of their output is shown.
mod programs;
/// A plugin that exceeds its rights or crashes its process.
pub(crate) mod rogue;
/// The search for secrets and names, in every encoding.
mod search;
/// Labs in which the rogue plays some sides.
pub(crate) mod stage;
