//! Anchors: what the journal was at some time. With one, an audit finds an old copy, and a rewritten history.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Predicate;

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
