//! The state that outlives the process: the journal in SQLite, the secret store in age files, and the plans that runs carry out.
//!
//! [`SqliteJournal`] and [`AgeSecretStore`] implement the engine's ports. Both keep one promise: what they acknowledged
//! survives a power failure, and they never acknowledge what they could not make durable. Only the owner can read the
//! files. [`StateDir`] defines their paths.

mod durable;
mod journal;
mod notified;
mod secret;
mod state_dir;

pub use durable::FileError;
pub use journal::{
    FORMAT, Holder, SqliteJournal, Statistics, Summary, Takeover, Written, read_snapshot, remains_of_lost_journal,
    snapshot_path, verify, write_snapshot,
};
pub use notified::{Notified, Told};
pub use secret::{
    AgeSecretStore, FileProblem, Identity, IdentityError, IdentityId, Inventory, Recipient, RecipientError,
    UnusableFile,
};
pub use state_dir::StateDir;
