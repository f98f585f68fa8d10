//! Reads what one person signed: an anchor, or an export.

use jiff::Timestamp;

use crate::{
    Envelope, EnvelopeError, Predicate, Signer, SignerError, Signers, SshError, Statement, StatementError, ssh,
};

/// A statement whose signature is good.
#[derive(Debug)]
pub struct Signed<P> {
    /// What was signed.
    pub statement: Statement<P>,
    /// The fingerprint of the key.
    pub fingerprint: String,
    /// Whose key it is, if there is a file of signers.
    pub signer: Option<Signer>,
}

/// Why a signed statement proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum SignedError {
    /// The file is no envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The signature is not good.
    #[error("the signature does not count")]
    Signature(#[from] SshError),
    /// The key does not count.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// It is signed, but it says something else.
    #[error("it is signed, but it is nothing that this version of flowswap expects here")]
    Foreign(#[from] StatementError),
}

impl<P: Predicate> Signed<P> {
    /// Reads an envelope and checks its first signature.
    ///
    /// # Errors
    ///
    /// If it says something else, if its signature is not good, or if there are signers and the key is not one of theirs.
    pub fn read(text: &str, signers: Option<&Signers>, now: Timestamp) -> Result<Self, SignedError> {
        let envelope = Envelope::read(text)?;
        let signature = envelope.signatures.first().ok_or(EnvelopeError::Unsigned)?;
        let key = ssh::verify(P::NAMESPACE, &envelope.signed_bytes(), &signature.signature)?;
        let signer = signers.map(|signers| signers.find(&key, P::NAMESPACE, now)).transpose()?;
        Ok(Self { statement: Statement::read(&envelope)?, fingerprint: ssh::fingerprint(&key), signer })
    }
}
