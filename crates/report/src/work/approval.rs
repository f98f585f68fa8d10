//! Who approved what was done.

use flowswap_engine::SignedApproval;
use jiff::Timestamp;
use serde::Serialize;

/// An approval that counted when a run started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalLine {
    /// The names of the person in the file of signers.
    pub by: Vec<String>,
    /// The fingerprint of the person's key.
    pub key: String,
    /// Why the person approved.
    pub reason: String,
    /// The digest of the signed envelope, which the journal has.
    pub digest: String,
}

/// The approvals of a plan that cover the start of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approved {
    /// When a run set out to start the tenant.
    pub at: Timestamp,
    /// The digest of the plan.
    pub plan: String,
    /// The names of the people.
    pub by: Vec<String>,
}

impl ApprovalLine {
    pub(crate) fn of(approval: &SignedApproval) -> Self {
        let SignedApproval { digest, by, key, reason, envelope: _ } = approval.clone();
        Self { by, key, reason, digest }
    }
}
