//! The command line: its syntax and its help. Each command decides what its arguments mean.

mod complete;
mod journal;
mod line;
mod people;
mod plans;
mod plugins;
mod recording;
mod runs;
#[cfg(feature = "sandbox")]
mod sandbox;
mod tenants;
mod values;

use std::{
    path::{self, PathBuf},
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use flowswap_config::Config;

use self::values::{parse_duration, parse_switch, whole_number};
pub(crate) use self::{
    complete::{answer_shell, write_script},
    journal::{AuditCommand, ExportArgs, HistoryArgs, ReportArgs},
    line::{asked_format, read_line},
    people::{
        ClientSecretsArgs, ConfirmArgs, DeclineArgs, NextArgs, ResolveArgs, SecretCommand, SheetArgs, SheetForm,
        StepEffect, WatchArgs,
    },
    plans::{ApproveArgs, DiffArgs, FaceName, PlanArgs, PlanFile, RotateArgs, ShowArgs, SigningKey, Split},
    plugins::{ExplainArgs, PluginsCommand},
    recording::{RecordArgs, Recording, ReplayArgs},
    runs::{ApplyArgs, FinalizeArgs, RehearseArgs, ResumeArgs, RollbackArgs},
    tenants::{AcceptChanges, DetectArgs, SELECTION, Select, StartedTenants, is_pattern},
};
#[cfg(feature = "sandbox")]
pub(crate) use self::{
    plans::Reports,
    sandbox::{Admin, DemoArgs, Directory, FaultyAnswer, FaultyRequest, SimArgs, SimCommand},
};
use crate::{documents::DocumentName, examples, exit::FailOn};

/// Migrate Okta directory connections of Cloud Identity Engine to the client-credential flow.
#[derive(Debug, Parser)]
#[command(name = "flowswap", version, arg_required_else_help = true, max_term_width = 110)]
#[command(after_help = examples::FLOWSWAP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The configuration file, if nobody names another.
pub(crate) const USUAL_CONFIG: &str = "migrate.toml";

/// The variables that have the effect of an option. Other parts of flowswap read them too.
pub(crate) const CONFIG_VARIABLE: &str = "FLOWSWAP_CONFIG";
pub(crate) const FORMAT_VARIABLE: &str = "FLOWSWAP_FORMAT";
pub(crate) const STATE_VARIABLE: &str = "FLOWSWAP_STATE";

/// The options that every command takes. An option wins over its variable, the variable over the configuration, and the
/// configuration over the default.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = USUAL_CONFIG,
        env = CONFIG_VARIABLE,
        hide_env_values = true
    )]
    pub(crate) config: PathBuf,
    /// The state folder, in place of `state` in the configuration.
    #[arg(long, global = true, value_name = "DIR", env = STATE_VARIABLE, hide_env_values = true)]
    pub(crate) state_dir: Option<PathBuf>,
    /// How many tenants to work on at a time, in place of `concurrency` in the configuration.
    #[arg(
        long,
        global = true,
        value_name = "N",
        value_parser = whole_number(1_usize..),
        env = "FLOWSWAP_CONCURRENCY",
        hide_env_values = true
    )]
    pub(crate) concurrency: Option<usize>,
    /// Search this folder for plugins before the usual folders.
    #[arg(long, global = true, value_name = "DIR", env = "FLOWSWAP_PLUGIN_DIR", hide_env_values = true)]
    pub(crate) plugin_dir: Option<PathBuf>,
    /// Your name, which the journal keeps beside the user of the operating system.
    #[arg(long = "user", global = true, value_name = "NAME", env = "FLOWSWAP_USER", hide_env_values = true)]
    pub(crate) actor: Option<String>,
    /// The format of the report on stdout.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Format::Human,
        env = FORMAT_VARIABLE,
        hide_env_values = true
    )]
    pub(crate) format: Format,
    /// Write the state of all tenants to this file as Prometheus metrics, once the command has read it.
    #[arg(long, global = true, value_name = "FILE", env = "FLOWSWAP_METRICS", hide_env_values = true)]
    pub(crate) metrics: Option<PathBuf>,
    /// Append every event to this file, as lines of JSON.
    #[arg(long, global = true, value_name = "FILE", env = "FLOWSWAP_LOG_FILE", hide_env_values = true)]
    pub(crate) log_file: Option<PathBuf>,
    /// Which results end the command with another code than 0 [default: person; for status, next, stuck, and evidence: never]
    #[arg(long, global = true, value_enum, value_name = "WHAT", env = "FLOWSWAP_FAIL_ON", hide_env_values = true)]
    pub(crate) fail_on: Option<FailOn>,
    /// How to show progress on stderr.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "HOW",
        default_value_t = ProgressMode::Auto,
        env = "FLOWSWAP_PROGRESS",
        hide_env_values = true
    )]
    pub(crate) progress: ProgressMode,
    /// Do not use color. Setting NO_COLOR has the same effect.
    #[arg(long, global = true, value_parser = parse_switch, env = "FLOWSWAP_NO_COLOR", hide_env_values = true)]
    pub(crate) no_color: bool,
    /// Write only errors to stderr.
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        value_parser = parse_switch,
        env = "FLOWSWAP_QUIET",
        hide_env_values = true
    )]
    pub(crate) quiet: bool,
    /// Show more detail; `-vv` also shows every request.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, value_parser = whole_number(0..=u8::MAX), env = "FLOWSWAP_VERBOSE", hide_env_values = true)]
    pub(crate) verbose: u8,
    /// How long a plugin may compute between two messages before flowswap ends its process. Tests set a short time.
    #[arg(long, global = true, hide = true, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub(crate) plugin_patience: Duration,
}

impl Global {
    /// Puts the options that have a value in the place of what the configuration says.
    pub(crate) fn override_in(&self, config: &mut Config) {
        if let Some(state) = &self.state_dir {
            config.state = path::absolute(state).unwrap_or_else(|_| state.clone());
        }
        if let Some(concurrency) = self.concurrency {
            config.run.concurrency = concurrency;
        }
    }
}

/// The format of the report on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences, for a person.
    Human,
    /// One JSON document, for a script.
    Json,
    /// A line of JSON for each event as it happens, and then one with the document.
    Jsonl,
}

/// How to show progress on stderr. What fails is printed in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar on a terminal, and lines elsewhere.
    Auto,
    /// A bar; lines where none can be drawn.
    Bar,
    /// A line at the beginning, at every 10 %, and at the end.
    Lines,
    /// Only what fails.
    None,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a first configuration and the key that protects secrets.
    #[command(after_help = examples::INIT)]
    Init,
    /// Check that everything is reachable and permitted. Changes nothing.
    #[command(after_help = examples::CHECK)]
    Check(Select),
    /// Show which flow every tenant uses and whether it can be migrated. Changes nothing.
    #[command(after_help = examples::DETECT)]
    Detect(DetectArgs),
    /// List every step of the migration and its rollback. Changes nothing.
    #[command(after_help = examples::PLAN)]
    Plan(PlanArgs),
    /// Show a plan file to its reviewer.
    #[command(after_help = examples::SHOW)]
    Show(ShowArgs),
    /// Show what differs between two plan files
    ///
    /// Exits with code 0 whatever differs.
    #[command(after_help = examples::DIFF)]
    Diff(DiffArgs),
    /// Approve a plan: sign it with your SSH key.
    #[command(after_help = examples::APPROVE)]
    Approve(ApproveArgs),
    /// Show who approved a plan, and what is still missing.
    #[command(after_help = examples::APPROVALS)]
    Approvals(PlanFile),
    /// Carry out a plan, or continue it.
    #[command(after_help = examples::APPLY)]
    Apply(ApplyArgs),
    /// Continue what runs that were interrupted or stopped have not finished.
    #[command(after_help = examples::RESUME)]
    Resume(ResumeArgs),
    /// Migrate tenants, prove it, and roll them back
    ///
    /// The tenants are migrated with their plan, and proven. Then they are rolled back, and that is proven too. The journal keeps the
    /// receipt. Afterwards the same plan can be carried out for good.
    #[command(after_help = examples::REHEARSE)]
    Rehearse(RehearseArgs),
    /// Pause the command that is at work
    ///
    /// Run it in another terminal. The steps that have begun are done first. After that, the command changes nothing until
    /// `flowswap unpause`.
    #[command(after_help = examples::PAUSE)]
    Pause,
    /// Let a paused command go on.
    #[command(after_help = examples::UNPAUSE)]
    Unpause,
    /// Stop the command that is at work
    ///
    /// Run it in another terminal. The steps that have begun are done first, as after Ctrl-C. Returns once the command has ended.
    #[command(after_help = examples::CANCEL)]
    Cancel,
    /// Show the state of every tenant and the command to run next.
    #[command(after_help = examples::STATUS)]
    Status(Select),
    /// List everything in which a person must do something.
    #[command(after_help = examples::NEXT)]
    Next(NextArgs),
    /// Show the run sheet that a person must carry out.
    #[command(after_help = examples::SHEET)]
    Sheet(SheetArgs),
    /// Copy a secret, list who can open the stored ones, or encrypt them again.
    #[command(subcommand, after_help = examples::SECRET)]
    Secret(SecretCommand),
    /// Confirm that you carried out the run sheet, then check that flowswap sees it.
    #[command(after_help = examples::CONFIRM)]
    Confirm(ConfirmArgs),
    /// Decline a run sheet: tell flowswap that nobody will carry it out.
    #[command(after_help = examples::DECLINE)]
    Decline(DeclineArgs),
    /// Check again at the right times until no tenant waits.
    #[command(after_help = examples::WATCH)]
    Watch(WatchArgs),
    /// Deliver the notifications that are left
    ///
    /// Every command that changes something delivers them too. Run this one from cron, so that people learn of deadlines that pass
    /// meanwhile.
    #[command(after_help = examples::NOTIFY)]
    Notify {
        /// Only send a test message to each target. Exits with code 3 if one does not take it.
        #[arg(long)]
        test: bool,
    },
    /// Show what each step proved, and what is still missing.
    #[command(after_help = examples::EVIDENCE)]
    Evidence(Select),
    /// Show everything that was ever done for tenants, and who did it.
    #[command(after_help = examples::HISTORY)]
    History(HistoryArgs),
    /// Report what was done, to a reviewer or an auditor.
    #[command(after_help = examples::REPORT)]
    Report(ReportArgs),
    /// List the tenants that need a decision, and what flowswap knows about them.
    #[command(after_help = examples::STUCK)]
    Stuck(Select),
    /// Decide whether a step in doubt took effect.
    #[command(after_help = examples::RESOLVE)]
    Resolve(ResolveArgs),
    /// Verify the journal and the secret store.
    #[command(subcommand, after_help = examples::AUDIT)]
    Audit(AuditCommand),
    /// Roll tenants back to the authorization-code flow.
    #[command(after_help = examples::ROLLBACK)]
    Rollback(RollbackArgs),
    /// Retire the legacy client of migrated tenants.
    #[command(after_help = examples::FINALIZE)]
    Finalize(FinalizeArgs),
    /// Plan another client secret for migrated tenants. Changes nothing.
    #[command(after_help = examples::ROTATE)]
    Rotate(RotateArgs),
    /// Explain what a finding means and how to fix it.
    #[command(after_help = examples::EXPLAIN)]
    Explain(ExplainArgs),
    /// List, inspect, and check plugins.
    #[command(subcommand, after_help = examples::PLUGINS)]
    Plugins(PluginsCommand),
    /// Record what flowswap and its plugins say to each other in a command
    ///
    /// For a bug report: the recording has no secret. Exits with the code of the command.
    #[command(after_help = examples::RECORD)]
    Record(RecordArgs),
    /// Replay a recording to a build of its plugins
    ///
    /// Shows the first message of the build that differs, and then exits with code 3. Makes no request.
    #[command(after_help = examples::REPLAY)]
    Replay(ReplayArgs),
    /// Demonstrate a migration and a rollback on a simulated fleet.
    #[cfg(feature = "sandbox")]
    #[command(after_help = examples::sandbox::DEMO)]
    Demo(DemoArgs),
    /// Simulate Okta orgs and CIE directories for practice.
    #[cfg(feature = "sandbox")]
    #[command(after_help = examples::sandbox::SIM)]
    Sim(SimArgs),
    /// Print the JSON Schema of a document that flowswap prints with `--format json`
    ///
    /// Without a name, it lists the documents.
    #[command(after_help = examples::SCHEMA)]
    Schema {
        /// The name of the document.
        #[arg(value_name = "DOCUMENT", hide_possible_values = true)]
        document: Option<DocumentName>,
    },
    /// Print a completion script for a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell that will run the script.
        shell: Shell,
    },
}

impl Command {
    /// Whether it reads what metrics tell: it looks at tenants, or works on them.
    pub(crate) fn is_measured(&self) -> bool {
        matches!(
            self,
            Self::Status(_)
                | Self::Detect(_)
                | Self::Plan(_)
                | Self::Rotate(_)
                | Self::Apply(_)
                | Self::Resume(_)
                | Self::Rehearse(_)
                | Self::Rollback(_)
                | Self::Finalize(_)
                | Self::Confirm(_)
                | Self::Watch(_)
        )
    }

    /// What ends it with another code than 0, if the command line does not say it. A report that was shown is done, whatever it
    /// shows.
    pub(crate) fn fails_on(&self) -> FailOn {
        match self {
            Self::Status(_) | Self::Next(_) | Self::Stuck(_) | Self::Evidence(_) => FailOn::Never,
            _ => FailOn::Person,
        }
    }
}
