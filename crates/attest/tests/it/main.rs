//! What flowswap says of approvals, against what `ssh-keygen` says of them.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod anchors;
mod keys;
mod refusals;
mod security_key;
mod signers;
mod ssh_keygen;
