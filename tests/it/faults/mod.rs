//! Faults of the network and of the other sides, injected by the simulator, and faults that a person causes.
//!
//! The points for faults are not listed by hand: a run without faults is recorded, and each of its requests is a point.
//! A sweep gives every combination of point and fault its own tenant, so that one run of the binary meets all of them.

mod conflicts;
mod interrupts;
pub(crate) mod points;
mod stops;
pub(crate) mod sweeps;
