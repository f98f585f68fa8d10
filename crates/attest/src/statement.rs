//! What people sign: an in-toto statement about one thing, or about several.
//!
//! The outer members are those of in-toto's Statement, version 1 (in-toto/attestation, `spec/v1/statement.md`).

use std::io::{self, Read};

use base16ct::lower::encode_string as hex;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use crate::{Envelope, Signature, envelope::signed_bytes};

/// The media type of an in-toto statement (in-toto/attestation, `spec/v1/envelope.md`).
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The type of every statement of in-toto, version 1.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What a statement can say about its subject.
pub trait Predicate: Serialize + DeserializeOwned {
    /// The URI that names what it means.
    const TYPE: &'static str;
    /// The namespace of its SSH signatures. A signature that was made for anything else does not count.
    const NAMESPACE: &'static str;
}

/// What a person signs. A member that this version does not know is an error, because it may be a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement<P> {
    /// The version of in-toto's statement.
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What it is about.
    pub subject: Vec<Subject>,
    /// What the predicate means: a URI such as [`Predicate::TYPE`].
    pub predicate_type: String,
    /// What it says.
    pub predicate: P,
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its name, for a reader.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
}

/// The digest of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// SHA-256, hexadecimal. Of a plan, it is the digest that the plan states; of a journal, the hash of its last record.
    pub sha256: String,
}

impl Subject {
    /// The subject with this name and SHA-256.
    pub fn new(name: String, sha256: String) -> Self {
        Self { name, digest: Digest { sha256 } }
    }

    /// The subject with this name and the SHA-256 of this content.
    ///
    /// # Errors
    ///
    /// If the content cannot be read to its end.
    pub fn read(name: String, mut content: impl Read) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        io::copy(&mut content, &mut hasher)?;
        Ok(Self::new(name, hex(&hasher.finalize())))
    }
}

/// A statement that nobody has signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// The namespace for its SSH signature.
    pub namespace: &'static str,
    payload: Vec<u8>,
}

impl Unsigned {
    /// The bytes that a person signs: the statement, with its type and length.
    pub fn bytes(&self) -> Vec<u8> {
        signed_bytes(PAYLOAD_TYPE, &self.payload)
    }

    /// The envelope of the statement.
    pub fn seal(self, signature: Signature) -> Envelope {
        Envelope { payload_type: PAYLOAD_TYPE.to_owned(), payload: self.payload, signatures: vec![signature] }
    }
}

/// Why an envelope does not have the statement that is expected.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Its payload, its statement, or its predicate is of another type.
    #[error("it is of type `{0}`")]
    OtherType(String),
    /// It is not about exactly one thing.
    #[error("it is about {0} things, and not about one")]
    Subjects(usize),
    /// It does not decode. It may have a member that this version does not know.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
}

impl<P> Statement<P> {
    /// A statement that nobody signs on its own.
    pub fn of_type(predicate_type: &str, subject: Vec<Subject>, predicate: P) -> Self {
        let (statement_type, predicate_type) = (STATEMENT_TYPE.to_owned(), predicate_type.to_owned());
        Self { statement_type, subject, predicate_type, predicate }
    }

    /// The only subject, and what the statement says of it.
    ///
    /// # Errors
    ///
    /// If the statement has no subject, or several.
    pub fn into_one(self) -> Result<(Subject, P), StatementError> {
        let [subject] = <[Subject; 1]>::try_from(self.subject).map_err(|all| StatementError::Subjects(all.len()))?;
        Ok((subject, self.predicate))
    }
}

impl<P: Predicate> Statement<P> {
    /// The statement about these subjects.
    pub fn about(subject: Vec<Subject>, predicate: P) -> Self {
        Self::of_type(P::TYPE, subject, predicate)
    }

    /// The statement about a subject with this name and SHA-256.
    pub fn new(name: String, sha256: String, predicate: P) -> Self {
        Self::about(vec![Subject::new(name, sha256)], predicate)
    }

    /// The statement as bytes, for a person to sign.
    pub fn to_sign(&self) -> Unsigned {
        // Strings, numbers, times, and maps with names of text always become JSON.
        Unsigned { namespace: P::NAMESPACE, payload: serde_json::to_vec(self).unwrap_or_default() }
    }

    /// The statement of an envelope whose signature is good.
    pub(crate) fn read(envelope: &Envelope) -> Result<Self, StatementError> {
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(StatementError::OtherType(envelope.payload_type.clone()));
        }
        let statement: Statement<serde_json::Value> = serde_json::from_slice(&envelope.payload)?;
        for (found, known) in [(&statement.statement_type, STATEMENT_TYPE), (&statement.predicate_type, P::TYPE)] {
            if found != known {
                return Err(StatementError::OtherType(found.clone()));
            }
        }
        Ok(serde_json::from_slice(&envelope.payload)?)
    }
}
