//! Approvals of plans: what people sign, with which keys, and who counts.
//!
//! An approval is an in-toto statement in a DSSE envelope. A person signs its bytes with an ordinary SSH key, as
//! `ssh-keygen -Y sign` does. [`Signers`] says whose keys count, in OpenSSH's own format. [`judge`] takes an envelope apart and
//! says for each signature whether it counts, or why not. [`count_persons`] counts people, not keys.

mod envelope;
mod judge;
mod persons;
mod signers;
mod ssh;
mod statement;

pub use envelope::{Envelope, EnvelopeError, Signature};
pub use judge::{Approval, Expected, Refusal, count_persons, judge};
pub use signers::{Signer, SignerError, Signers, SignersError};
pub use ssh::{NAMESPACE, SshError, armor, unarmor};
pub use statement::{Digest, PREDICATE_TYPE, Predicate, Statement, Subject};
