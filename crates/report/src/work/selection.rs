//! Which records a report of work is about.

use std::collections::BTreeSet;

use flowswap_engine::{Draft, RunId, Time};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// What somebody asked for. The default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Selection {
    /// Only these tenants. Empty for all tenants.
    pub tenants: BTreeSet<String>,
    /// Only what this run did.
    pub run: Option<RunId>,
    /// Only what happened since this time.
    #[schemars(with = "Option<Time>")]
    pub since: Option<Timestamp>,
}

impl Selection {
    /// Whether the report shows this record.
    pub fn includes(&self, draft: &Draft) -> bool {
        draft.tenant.as_ref().is_none_or(|name| self.is_about(name)) && self.is_in_range(draft)
    }

    /// Whether the report is about this tenant, as far as its name goes.
    pub fn is_about(&self, tenant: &str) -> bool {
        self.tenants.is_empty() || self.tenants.contains(tenant)
    }

    fn is_in_range(&self, draft: &Draft) -> bool {
        self.run.is_none_or(|run| draft.run == run) && self.since.is_none_or(|since| draft.at >= since)
    }
}
