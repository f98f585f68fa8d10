//! The arguments of `plugins` and `explain`.

use clap::{Args, Subcommand};

use super::complete;
use crate::examples;

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The id of the finding; without it, all findings.
    #[arg(add = complete::findings())]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginsCommand {
    /// List every plugin that flowswap finds.
    #[command(after_help = examples::PLUGINS_LIST)]
    List,
    /// Show what a plugin declares: its roles, origins, and configuration keys.
    #[command(after_help = examples::PLUGINS_INSPECT)]
    Inspect {
        /// The name of the plugin, or the path of its library.
        plugin: String,
    },
    /// Check a plugin against the contract in a simulator
    ///
    /// Exits with code 3 if a check fails.
    #[cfg(feature = "sandbox")]
    #[command(after_help = examples::sandbox::PLUGINS_CONFORMANCE)]
    Conformance {
        /// The name of the plugin, or the path of its library.
        plugin: String,
    },
}
