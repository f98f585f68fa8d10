//! What people sign: approvals of plans, and anchors of the journal.
//!
//! Each is an in-toto [`Statement`] in a DSSE [`Envelope`]. A person signs its bytes with an ordinary SSH key, as
//! `ssh-keygen -Y sign` does. [`Signers`] says whose keys count, in OpenSSH's own format. [`judge`] takes the envelope of an
//! approval apart and says for each signature whether it counts, or why not. [`count_persons`] counts people, not keys.

mod anchor;
mod approval;
mod envelope;
mod judge;
mod persons;
mod signers;
mod ssh;
mod statement;

pub use anchor::{AnchorError, AnchorPredicate, read_anchor};
pub use approval::ApprovalPredicate;
pub use envelope::{Envelope, EnvelopeError, Signature};
pub use judge::{Approval, Expected, Refusal, count_persons, judge};
pub use signers::{Signer, SignerError, Signers, SignersError};
pub use ssh::{SshError, armor, unarmor};
pub use statement::{Digest, Predicate, Statement, StatementError, Subject, Unsigned};
