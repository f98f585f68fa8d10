//! The arguments of the commands for a person who acts or decides.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};

use super::{AcceptChanges, SELECTION, Select, parse_duration};
use crate::examples;

#[derive(Debug, Args)]
pub(crate) struct NextArgs {
    #[command(flatten)]
    pub(crate) select: Select,
}

#[derive(Debug, Args)]
pub(crate) struct SheetArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// All tenants that wait for a person.
    #[arg(long, help_heading = SELECTION, conflicts_with_all = ["tenants", "from"])]
    pub(crate) all: bool,
    /// The format of the run sheet.
    #[arg(long = "as", value_enum, value_name = "FORM", default_value_t = SheetForm::Terminal)]
    pub(crate) form: SheetForm,
    /// Write the run sheet to this file instead of stdout; `-` also means stdout. With a folder such as `sheets/`, each tenant gets
    /// a file in it.
    #[arg(short, long, value_name = "FILE|DIR/")]
    pub(crate) output: Option<PathBuf>,
    /// Replace the file even if flowswap did not write it as a run sheet.
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
}

/// The format of a run sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SheetForm {
    /// Text for this terminal.
    Terminal,
    /// A Markdown task list.
    Markdown,
    /// One HTML page with check boxes.
    Html,
}

impl SheetForm {
    /// How the names of such files end.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Terminal => "txt",
            Self::Markdown => "md",
            Self::Html => "html",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Copy the secret to the clipboard for one minute.
    #[command(after_help = examples::SECRET_COPY)]
    Copy {
        #[command(flatten)]
        select: Box<Select>,
        /// Print the secret to this terminal instead; flowswap refuses a file or a pipe.
        #[arg(long)]
        print: bool,
    },
    /// List the client secrets of the integrations in Okta, and their age. Shows no value.
    #[command(after_help = examples::SECRET_LIST)]
    List(ClientSecretsArgs),
    /// Check that Okta accepts the client secrets that flowswap keeps.
    #[command(after_help = examples::SECRET_VERIFY)]
    Verify(ClientSecretsArgs),
    /// List who can open the stored secrets, and how many each can open.
    #[command(after_help = examples::SECRET_RECIPIENTS)]
    Recipients,
    /// Encrypt every stored secret to the identity and to `recipients` of the configuration, and to nobody else.
    #[command(after_help = examples::SECRET_REKEY)]
    Rekey {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ClientSecretsArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Only tenants whose client secret is at least this old, such as `180d`.
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    pub(crate) older_than: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// A note for later readers; the journal keeps it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// Do not ask, even about more than 20 tenants.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) changes: AcceptChanges,
}

#[derive(Debug, Args)]
pub(crate) struct DeclineArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Why nobody will carry it out; the journal keeps the reason.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Do not ask, even about more than 20 tenants.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// How often to check when no better time is known; at least 15 seconds.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub(crate) every: Duration,
    #[command(flatten)]
    pub(crate) changes: AcceptChanges,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Whether the step that the tenant is stuck at took effect.
    #[arg(long = "as", value_enum, value_name = "WHAT")]
    pub(crate) effect: StepEffect,
    /// How you know; the journal keeps the reason.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// A value that the step produced, such as `client_id=0oa…`. Pass the option once for each value.
    #[arg(long = "output", value_name = "NAME=VALUE", value_parser = parse_output)]
    pub(crate) outputs: Vec<(String, String)>,
    /// Do not ask for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Whether a step took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StepEffect {
    /// The change is in place.
    Applied,
    /// The change is not in place, or no longer in place.
    NotApplied,
}

fn parse_output(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as `client_id=0oa1b2c3`".to_owned()),
    }
}
