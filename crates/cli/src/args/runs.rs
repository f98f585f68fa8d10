//! The arguments of the commands that change tenants.

use std::path::PathBuf;

use clap::Args;

use super::{AcceptChanges, PlanFile, Select, StartedTenants, complete};

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) file: PlanFile,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Stop after this wave of the plan.
    #[arg(long, value_name = "NAME", conflicts_with = "waves", add = complete::waves())]
    pub(crate) hold_after: Option<String>,
    /// Show run sheets at this terminal, one after the other, and ask whether each is done.
    #[arg(long)]
    pub(crate) interactive: bool,
    /// The whole digest of the plan, as `flowswap show` prints it. Needed only for a plan that was made with another state
    /// folder, for example on another machine.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) digest: Option<String>,
    /// Do not ask for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) changes: AcceptChanges,
}

#[derive(Debug, Args)]
pub(crate) struct RehearseArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// The plan to carry out. Without it, the last one that was made for these tenants.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Do not ask for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) changes: AcceptChanges,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Give up instead what was interrupted, for tenants that it did not reach. They stay as they are.
    #[arg(long, conflicts_with = "accept_changes")]
    pub(crate) give_up: bool,
    /// Do not ask for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) changes: AcceptChanges,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) started: StartedTenants,
    /// Show run sheets at this terminal, one after the other, and ask whether each is done.
    #[arg(long, conflicts_with = "abandon")]
    pub(crate) interactive: bool,
    /// End a stuck rollback. The tenant stays migrated if flowswap sees the directory use the new client.
    #[arg(long, requires = "reason", conflicts_with = "all")]
    pub(crate) abandon: bool,
    /// Why you end the rollback; the journal keeps the reason.
    #[arg(long, value_name = "TEXT", requires = "abandon")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct FinalizeArgs {
    #[command(flatten)]
    pub(crate) started: StartedTenants,
    /// Delete the retired legacy client. This is irreversible.
    #[arg(long)]
    pub(crate) purge: bool,
}
