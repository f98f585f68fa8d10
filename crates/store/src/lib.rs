//! What outlives the process: the journal in SQLite, and the custody of secrets in age files.
//!
//! [`SqliteJournal`] and [`AgeSecretStore`] implement the engine's ports. Both keep one promise: what they have
//! acknowledged survives a power cut, and what they could not make durable they never acknowledge. Files are readable
//! by their owner alone. [`StateDir`] says where they live.

mod durable;
mod journal;
mod secret;
mod state_dir;

pub use durable::FileError;
pub use journal::{FORMAT, Holder, SqliteJournal, Statistics, Summary, Takeover, verify};
pub use secret::{AgeSecretStore, Identity, IdentityError, Inventory, Stray, StrayProblem};
pub use state_dir::StateDir;
