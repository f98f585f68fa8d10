//! Exports: a folder that shows what was done without flowswap.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Predicate;

/// What an export has. The subjects of the statement are all other files of its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportPredicate {
    /// The version of flowswap that wrote it.
    pub version: String,
    /// The number of records of the whole journal.
    pub records: u64,
    /// The hash of the last record, hexadecimal.
    pub last_hash: String,
    /// The tenants that somebody selected. Empty for all tenants.
    pub tenants: Vec<String>,
    /// The digests of plans that runs carried out, and that flowswap has no copy of.
    pub missing_plans: Vec<String>,
    /// When it was signed, by the clock of the signer's machine. Nothing relies on it.
    pub exported_at: Timestamp,
}

impl Predicate for ExportPredicate {
    const TYPE: &'static str = "https://github.com/flowswap/flowswap/export/v1";
    const NAMESPACE: &'static str = "flowswap-export";
}
