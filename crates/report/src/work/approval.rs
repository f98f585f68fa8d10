//! Who approved what was done.

use std::collections::BTreeSet;

use flowswap_engine::{SignedApproval, Time};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// An approval that counted when a run started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Approved {
    /// When a run set out to start the tenant.
    #[schemars(with = "Time")]
    pub at: Timestamp,
    /// The digest of the plan.
    pub plan: String,
    /// The names of the people.
    pub by: Vec<String>,
}

/// A person who approved the plan of a run, however often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Approver {
    /// The names of the person in the file of signers.
    pub by: Vec<String>,
    /// The fingerprints of the keys.
    pub keys: BTreeSet<String>,
    /// Why the person approved.
    pub reasons: BTreeSet<String>,
}

impl Approver {
    /// The people who gave these approvals, each once.
    pub(crate) fn all(approvals: &[ApprovalLine]) -> Vec<Self> {
        let mut approvers: Vec<Self> = Vec::new();
        for ApprovalLine { by, key, reason, .. } in approvals {
            let known = approvers.iter().position(|approver| approver.by == *by);
            let index = known.unwrap_or_else(|| {
                approvers.push(Self { by: by.clone(), keys: BTreeSet::new(), reasons: BTreeSet::new() });
                approvers.len() - 1
            });
            approvers[index].keys.insert(key.clone());
            approvers[index].reasons.insert(reason.clone());
        }
        approvers
    }
}

impl ApprovalLine {
    pub(crate) fn of(approval: &SignedApproval) -> Self {
        let SignedApproval { digest, by, key, reason, envelope: _ } = approval.clone();
        Self { by, key, reason, digest }
    }
}
