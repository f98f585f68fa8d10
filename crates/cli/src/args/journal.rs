//! The arguments of the commands that read the journal.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{FaceName, Select, SigningKey};
use crate::examples;

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Only what happened since this time, such as `2026-03-01T08:00:00Z`, or within this time, such as `7d`.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub(crate) since: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Only what this run did: its id, the start of its id, or `last`.
    #[arg(long, value_name = "RUN", conflicts_with = "since")]
    pub(crate) run: Option<String>,
    /// Only what happened since this time, such as `2026-03-01T08:00:00Z`, or within this time, such as `7d`.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub(crate) since: Option<Timestamp>,
    /// Write the report to this file. The ending of the name decides what it is: `.html`, `.md`, `.json`, or `.xml` (JUnit).
    /// Repeat it for several reports.
    #[arg(short, long = "output", value_name = "FILE")]
    pub(crate) outputs: Vec<PathBuf>,
    /// Print the report in this form.
    #[arg(long = "as", value_enum, value_name = "REPORT")]
    pub(crate) face: Option<FaceName>,
    /// Replace files even if flowswap did not write them as a report.
    #[arg(long, requires = "outputs")]
    pub(crate) force: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Verify that the journal is intact and that every secret that a tenant needs is there.
    #[command(after_help = examples::AUDIT_VERIFY)]
    Verify {
        /// Also compare both sides of every tenant with the journal.
        #[arg(long)]
        online: bool,
        /// Also check that the journal goes on from this anchor, which `flowswap audit anchor` wrote. Repeat it for several.
        #[arg(long = "anchor", value_name = "FILE")]
        anchors: Vec<PathBuf>,
    },
    /// Sign the last record of the journal for later audits.
    #[command(after_help = examples::AUDIT_ANCHOR)]
    Anchor {
        /// Write the anchor to this file; `-` means stdout. Keep it where nobody with access to the journal can change it.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        key: SigningKey,
    },
    /// Export what was done to a signed folder, which an auditor verifies without flowswap.
    #[command(after_help = examples::AUDIT_EXPORT)]
    Export(Box<ExportArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Write the export to this folder, which must not exist or must be empty. `VERIFY.md` in it says how to verify it.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) key: SigningKey,
}

/// A time, or how long ago it was.
fn parse_since(text: &str) -> Result<Timestamp, String> {
    let expected = "expected a time such as `2026-03-01T08:00:00Z`, or a duration such as `7d` or `12h`";
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago = flowswap_engine::parse_duration(text).ok_or_else(|| expected.to_owned())?;
    Timestamp::now().checked_sub(ago).map_err(|_| expected.to_owned())
}
