//! What people sign: approvals of plans, anchors of the journal, and exports of it.
//!
//! Each is an in-toto [`Statement`] in a DSSE [`Envelope`]. A person signs its bytes with an ordinary SSH key, as
//! `ssh-keygen -Y sign` does. [`Signers`] says whose keys count, in OpenSSH's own format. [`judge`] takes the envelope of an
//! approval apart and says for each signature whether it counts, or why not. [`count_persons`] counts people, not keys.
//! [`Signed`] reads an anchor or an export.

mod anchor;
mod approval;
mod envelope;
mod export;
mod judge;
mod persons;
mod signed;
mod signers;
mod ssh;
mod statement;

pub use anchor::AnchorPredicate;
pub use approval::ApprovalPredicate;
pub use envelope::{Envelope, EnvelopeError, Signature};
pub use export::ExportPredicate;
pub use judge::{Approval, Expected, Refusal, count_persons, judge};
pub use signed::{Signed, SignedError};
pub use signers::{Signer, SignerError, Signers, SignersError};
pub use ssh::{SshError, armor, unarmor};
pub use statement::{Digest, Predicate, Statement, StatementError, Subject, Unsigned};
