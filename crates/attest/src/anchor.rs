//! Anchors: what the journal was at some time. With one, an audit finds an old copy, and a rewritten history.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Envelope, EnvelopeError, Predicate, Signer, SignerError, Signers, SshError, Statement, StatementError, ssh,
};

/// How long the journal was, and when. The subject of the statement is the journal, with the hash of its last record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnchorPredicate {
    /// The number of the last record; 0 for an empty journal.
    pub records: u64,
    /// When it was signed, by the clock of the signer's machine. Nothing relies on it.
    pub anchored_at: Timestamp,
}

impl Predicate for AnchorPredicate {
    const TYPE: &'static str = "https://github.com/flowswap/flowswap/anchor/v1";
    const NAMESPACE: &'static str = "flowswap-anchor";
}

/// Why an anchor proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The file is no envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The signature is not good.
    #[error("the signature does not count")]
    Signature(#[from] SshError),
    /// The key does not count.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// It is signed, but it is not an anchor.
    #[error("it is signed, but it is not an anchor that this version of flowswap understands")]
    Foreign(#[from] StatementError),
}

/// Reads an anchor and checks its first signature. Returns also the fingerprint of the key, and whose it is if `signers` say
/// so.
///
/// # Errors
///
/// If it is not an anchor, if its signature is not good, or if there are signers and the key is not one of theirs.
pub fn read_anchor(
    text: &str,
    signers: Option<&Signers>,
    now: Timestamp,
) -> Result<(Statement<AnchorPredicate>, String, Option<Signer>), AnchorError> {
    let envelope = Envelope::read(text)?;
    let signature = envelope.signatures.first().ok_or(EnvelopeError::Unsigned)?;
    let key = ssh::verify(AnchorPredicate::NAMESPACE, &envelope.signed_bytes(), &signature.signature)?;
    let signer = signers.map(|signers| signers.find(&key, AnchorPredicate::NAMESPACE, now)).transpose()?;
    Ok((Statement::read(&envelope)?, ssh::fingerprint(&key), signer))
}
