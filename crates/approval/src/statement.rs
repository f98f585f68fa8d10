//! What an approval says: an in-toto statement about a plan.
//!
//! The outer members are those of in-toto's Statement, version 1 (in-toto/attestation, `spec/v1/statement.md`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Envelope, Signature, envelope::signed_bytes};

/// The media type of an in-toto statement (in-toto/attestation, `spec/v1/envelope.md`).
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The type of every statement of in-toto, version 1.
pub(crate) const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The type of what flowswap's approvals say.
pub const PREDICATE_TYPE: &str = "https://github.com/flowswap/flowswap/approval/v1";

/// What a person signs. A member that this version does not know is an error, because it may be a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    /// The version of in-toto's statement.
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// The plan.
    pub subject: [Subject; 1],
    /// [`PREDICATE_TYPE`].
    pub predicate_type: String,
    /// The approval.
    pub predicate: Predicate,
}

/// The plan that is approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The name of its file, for a reader.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
}

/// The digest of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// SHA-256 of the plan's canonical form, as the plan itself states it, hexadecimal.
    pub sha256: String,
}

/// What is approved, and on which conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Predicate {
    /// The ids of the shape classes whose tenants may be migrated.
    pub classes: BTreeSet<String>,
    /// Why; never empty.
    pub reason: String,
    /// When it was signed, by the clock of the signer's machine. Nothing relies on it.
    pub approved_at: Timestamp,
    /// After this time the approval starts no tenant.
    pub not_after: Timestamp,
    /// SHA-256 of what the configuration means for the plan, hexadecimal.
    pub configuration: String,
    /// SHA-256 of each plugin's library, hexadecimal, by its name.
    pub plugins: BTreeMap<String, String>,
}

impl Statement {
    /// The statement that a plan is approved.
    pub fn new(plan_name: String, plan_digest: String, predicate: Predicate) -> Self {
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: [Subject { name: plan_name, digest: Digest { sha256: plan_digest } }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate,
        }
    }

    /// The bytes of the statement, and the bytes that a person signs: these with their type and length.
    pub fn to_sign(&self) -> (Vec<u8>, Vec<u8>) {
        // Strings, times, and maps with names of text always become JSON.
        let payload = serde_json::to_vec(self).unwrap_or_default();
        let bytes = signed_bytes(PAYLOAD_TYPE, &payload);
        (payload, bytes)
    }

    /// The envelope of a signed statement. `payload` is what [`Self::to_sign`] returned.
    pub fn seal(payload: Vec<u8>, signature: Signature) -> Envelope {
        Envelope { payload_type: PAYLOAD_TYPE.to_owned(), payload, signatures: vec![signature] }
    }
}
