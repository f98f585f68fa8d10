//! Faults of the network and of the other sides, injected by the simulator; and those that a person causes.
//!
//! Where faults can strike is not written down by hand: a run without faults is recorded, and each of its requests is a
//! point. A sweep gives every combination of point and fault a tenant of its own, so that one run of the binary meets
//! all of them at once.

mod conflicts;
mod interrupts;
pub(crate) mod points;
mod sweeps;
