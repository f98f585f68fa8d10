//! What an approval says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Predicate;

/// What is approved, and on which conditions. The subject of the statement is the plan, with the digest that it states itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalPredicate {
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

impl Predicate for ApprovalPredicate {
    const TYPE: &'static str = "https://github.com/flowswap/flowswap/approval/v1";
    const NAMESPACE: &'static str = "flowswap-approval";
}
