//! The report of work: what was done, by whom, what each check saw, how long it took, what failed, and what is not known.

mod approval;
mod attempt;
mod duration;
mod failure;
mod gap;
mod reader;
mod run;
mod selection;
mod statement;
mod stop;
mod summary;
mod telling;
mod tenant;

use std::collections::BTreeMap;

use flowswap_engine::{TenantState, Time};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::unknown::Unknown;

pub use approval::{ApprovalLine, Approved, Approver};
pub use attempt::{Asked, Attempt, AttemptEnd, AttemptError, RequestLine};
pub use duration::Durations;
pub use failure::Failure;
pub use reader::WorkReader;
pub use run::{RunEnd, RunLine};
pub use selection::Selection;
pub use statement::{EndLine, RefusalLine, SecretEvent, SecretLine, Statement, StatementKind};
pub use tenant::{Attention, Planned, WorkedTenant};

/// The format of reports of work as JSON.
pub const WORK_REPORT_FORMAT: u32 = 1;

/// What a reviewer or an auditor reads of the work that was done. It has neither secrets nor bodies of requests, because the
/// journal has none.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WorkReport {
    /// The format of the document.
    #[schemars(extend("const" = WORK_REPORT_FORMAT))]
    pub format: u32,
    /// What somebody asked for.
    pub selection: Selection,
    /// The end of the journal that it was made from.
    pub journal: Head,
    /// The time of its first record.
    #[schemars(with = "Option<Time>")]
    pub from: Option<Timestamp>,
    /// The time of its last record.
    #[schemars(with = "Option<Time>")]
    pub to: Option<Timestamp>,
    /// What was done, in sentences.
    pub summary: Vec<String>,
    /// How many tenants have each state.
    pub states: BTreeMap<TenantState, usize>,
    /// The runs, oldest first.
    pub runs: Vec<RunLine>,
    /// How long the phases took.
    pub durations: Vec<Durations>,
    /// What failed, the most frequent cause first.
    pub failures: Vec<Failure>,
    /// What is not known.
    pub unknowns: Vec<Unknown>,
    /// The tenants, by name.
    pub tenants: Vec<WorkedTenant>,
}

/// The end of a journal, as `flowswap audit verify` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Head {
    /// The number of records.
    pub records: u64,
    /// The hash of the last one, hexadecimal. It covers all records.
    pub hash: String,
}

impl WorkReport {
    /// The tenants, those that need attention first.
    pub fn by_attention(&self) -> Vec<&WorkedTenant> {
        let mut tenants: Vec<&WorkedTenant> = self.tenants.iter().collect();
        // The sort is stable, so equals stay in the order of their names.
        tenants.sort_by_key(|tenant| tenant.attention());
        tenants
    }

    /// Whether the journal has nothing that was asked for.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.tenants.is_empty()
    }
}
