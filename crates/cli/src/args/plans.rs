//! The arguments of the commands that make, show, and approve plans.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::{Select, complete, values::parse_duration};

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Write the plan to this file; `-` means stdout. Without it, flowswap only shows the plan.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// How to split the plan into waves.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Split::Configured)]
    pub(crate) split: Split,
    #[command(flatten)]
    pub(crate) reports: Reports,
    /// Replace files even if flowswap did not write them as a plan or a report.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Write the plan to this file; `-` means stdout. Without it, flowswap only shows the plan.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only tenants whose client secret is at least this old, such as `180d`.
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    pub(crate) older_than: Option<Duration>,
    /// Delete this client secret first, if both places are taken. You cannot undo this.
    #[arg(long, value_name = "ID")]
    pub(crate) drop: Option<String>,
    #[command(flatten)]
    pub(crate) reports: Reports,
    /// Replace files even if flowswap did not write them as a plan or a report.
    #[arg(long)]
    pub(crate) force: bool,
}

/// How to split a plan into waves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Split {
    /// Those of the configuration. Without any, all tenants at once.
    Configured,
    /// One tenant of each class, then a tenth of all, then the rest.
    Auto,
    /// All tenants at once.
    None,
}

#[derive(Debug, Args)]
pub(crate) struct Reports {
    /// Also write a report for a reviewer. The ending of the name decides what it is: `.html`, `.md`, `.json`, or `.xml` (JUnit).
    /// Repeat it for several reports.
    #[arg(long = "report", value_name = "FILE")]
    pub(crate) reports: Vec<PathBuf>,
}

/// Where a report goes, beside the terminal.
#[derive(Debug, Args)]
pub(crate) struct Faces {
    #[command(flatten)]
    pub(crate) reports: Reports,
    /// Print a report for another place than this terminal.
    #[arg(long = "as", value_enum, value_name = "REPORT")]
    pub(crate) face: Option<FaceName>,
    /// Replace files even if flowswap did not write them as a report.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) file: PlanFile,
    #[command(flatten)]
    pub(crate) select: Select,
    #[command(flatten)]
    pub(crate) faces: Faces,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The old plan file, such as the one that was approved; `-` means stdin.
    #[arg(value_name = "OLD", add = complete::plans())]
    pub(crate) old: PathBuf,
    /// The new plan file; `-` means stdin.
    #[arg(value_name = "NEW", add = complete::plans())]
    pub(crate) new: PathBuf,
    #[command(flatten)]
    pub(crate) faces: Faces,
}

/// What a report on stdout looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FaceName {
    /// One page that needs no network.
    Html,
    /// For a change ticket or a pull request.
    Markdown,
    /// For a script.
    Json,
    /// JUnit XML, for CI.
    Junit,
}

#[derive(Debug, Args)]
pub(crate) struct PlanFile {
    /// The plan file.
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(crate) plan: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    pub(crate) file: PlanFile,
    /// Approve only the tenants of this class; the start of its id will do. Repeat it for several classes. Without it, you
    /// approve all classes.
    #[arg(long = "class", value_name = "ID")]
    pub(crate) classes: Vec<String>,
    /// Why you approve, for example the number of a change ticket. It is signed as well.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) key: SigningKey,
    /// Write the approval to this file. Without it, the file is beside the plan, where `flowswap apply` looks.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Do not ask for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// The key of a person who signs.
#[derive(Debug, Args)]
pub(crate) struct SigningKey {
    /// Your SSH key: the private key, or the public key if an agent or a security key has the private one. Without it, flowswap
    /// takes the only key in `~/.ssh` that is in `approvals.signers`.
    #[arg(long, value_name = "FILE", env = "FLOWSWAP_SIGNING_KEY", hide_env_values = true)]
    pub(crate) key: Option<PathBuf>,
}
