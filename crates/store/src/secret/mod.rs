//! Custody of secrets that were shown once: one age file each, which the standard `age` tool can open too.

mod file_name;
mod identity;
mod inventory;
mod store;

pub use identity::{Identity, IdentityError};
pub use inventory::{Inventory, Stray, StrayProblem};
pub use store::AgeSecretStore;
