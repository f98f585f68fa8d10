//! The tenants that a command is about.

use clap::Args;

/// The tenants that a command is about.
#[derive(Debug, Args)]
pub(crate) struct Select {
    /// Only these tenants; without a name, all tenants.
    #[arg(value_name = "TENANT")]
    pub(crate) tenants: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OneTenant {
    /// The name of the tenant.
    #[arg(value_name = "TENANT")]
    pub(crate) tenant: String,
}

/// Tenants whose migration has started.
#[derive(Debug, Clone, Args)]
pub(crate) struct StartedTenants {
    /// The tenants; required without `--all`.
    #[arg(value_name = "TENANT", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) tenants: Vec<String>,
    /// All tenants that the command applies to.
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not ask for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) changes: AcceptChanges,
}

/// What a command that continues work may accept.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct AcceptChanges {
    /// Continue tenants that have started, even if a plugin or the configuration has changed since then.
    #[arg(long)]
    pub(crate) accept_changes: bool,
}
