//! How a row stores a record: the JSON of its draft and epoch, and five columns copied from it so that people can query the
//! journal.

use flowswap_engine::{Draft, Entry, JournalError, RunId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A draft and the epoch of its writer, ready to be written.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub columns: Columns,
    /// The text that the hash covers.
    pub body: String,
}

/// The values that the columns repeat from the body. On reading, the columns are compared with the body and never
/// trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    pub at: String,
    pub run: String,
    pub tenant: Option<String>,
    pub kind: String,
    /// 0 if the body has no epoch; bodies have one since format 2.
    pub epoch: u64,
}

/// The body.
#[derive(Serialize)]
struct Body<'a> {
    at: Timestamp,
    entry: &'a Entry,
    epoch: u64,
    run: RunId,
    tenant: Option<&'a str>,
}

/// The body of any format.
#[derive(Deserialize)]
struct Written {
    at: Timestamp,
    entry: Entry,
    #[serde(default)]
    epoch: u64,
    run: RunId,
    tenant: Option<String>,
}

impl Encoded {
    pub(crate) fn of(draft: &Draft, epoch: u64) -> Result<Self, JournalError> {
        let Draft { at, run, tenant, entry } = draft;
        let body = Body { at: *at, entry, epoch, run: *run, tenant: tenant.as_deref() };
        let body = serde_json::to_string(&body).map_err(|error| JournalError::Storage {
            doing: "encode a record of the journal",
            source: Box::new(error),
        })?;
        Ok(Self { columns: Columns::of(draft, epoch), body })
    }
}

/// Decodes a body into its draft and epoch.
pub(crate) fn decode(body: &str) -> serde_json::Result<(Draft, u64)> {
    let Written { at, entry, epoch, run, tenant } = serde_json::from_str(body)?;
    Ok((Draft { at, run, tenant, entry }, epoch))
}

impl Columns {
    pub(crate) fn of(draft: &Draft, epoch: u64) -> Self {
        let Draft { at, run, tenant, entry } = draft;
        Self { at: at.to_string(), run: run.to_string(), tenant: tenant.clone(), kind: entry.kind().to_owned(), epoch }
    }

    /// The name of the first column that differs.
    pub(crate) fn find_difference(&self, other: &Self) -> Option<&'static str> {
        [
            ("at", self.at != other.at),
            ("run", self.run != other.run),
            ("tenant", self.tenant != other.tenant),
            ("type", self.kind != other.kind),
            ("epoch", self.epoch != other.epoch),
        ]
        .into_iter()
        .find_map(|(name, differs)| differs.then_some(name))
    }
}
