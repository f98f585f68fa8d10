//! Custody of secrets that Okta shows only once: one age file for each, bound to its handle. The standard `age` tool can also
//! decrypt it.

mod age_file;
mod file_name;
mod identity;
mod identity_id;
mod inventory;
mod recipient;
mod store;

pub use identity::{Identity, IdentityError};
pub use identity_id::IdentityId;
pub(crate) use inventory::has_secrets;
pub use inventory::{FileProblem, Inventory, UnusableFile};
pub use recipient::{Recipient, RecipientError};
pub use store::AgeSecretStore;
