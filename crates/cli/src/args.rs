//! The command line: syntax only. What it means is each command's business.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Moves Okta directory connections of Cloud Identity Engine to the client-credential flow.
#[derive(Debug, Parser)]
#[command(name = "flowswap", version, arg_required_else_help = true, max_term_width = 110)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 some tenants failed, \
                        4 tenants remain that need a person or time, 5 interrupted, 6 plan stale or refused.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "migrate.toml",
        env = "FLOWSWAP_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: PathBuf,
    /// A folder to look for plugins in, before the usual ones.
    #[arg(long, global = true, value_name = "DIR", env = "FLOWSWAP_PLUGIN_DIR", hide_env_values = true)]
    pub(crate) plugin_dir: Option<PathBuf>,
    /// How to report on stdout.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Do not colour. NO_COLOR does the same.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Say nothing on stderr but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; twice for every request.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How long a plugin may compute between two messages before its process is ended. Tests do not wait for long.
    #[arg(long, global = true, hide = true, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub(crate) plugin_patience: Duration,
}

/// How to report on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences.
    Human,
    /// One JSON document.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a first configuration and the key that protects secrets.
    Init,
    /// Is everything reachable and permitted? Changes nothing.
    Check(Select),
    /// Which flow does every tenant use, and can it be migrated? Changes nothing.
    Detect(Select),
    /// Write down exactly what would be done, and how it would be taken back. Changes nothing.
    Plan(PlanArgs),
    /// Show a plan file.
    Show(PlanFile),
    /// Carry out a plan, or go on with it.
    Apply(ApplyArgs),
    /// Go on with the run that was cut off or stopped, whichever command it was.
    Resume(ResumeArgs),
    /// Where does every tenant stand, and what is next?
    Status(Select),
    /// What waits for whom?
    Next(NextArgs),
    /// Show the run sheet of what a person is asked to do.
    Sheet(SheetArgs),
    /// Give the secret that a run sheet has you paste to you.
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Say that what was asked is done, and look whether it is seen.
    Confirm(ConfirmArgs),
    /// Say that what was asked will not be done.
    Decline(DeclineArgs),
    /// Look again, at the right times, until nothing is awaited any more.
    Watch(WatchArgs),
    /// What was seen of every step, when and by which request, and what is still missing?
    Evidence(OneTenant),
    /// Which tenants need a decision, why, and what is known?
    Stuck(Select),
    /// Decide what is so of a step that nothing else can settle.
    Resolve(ResolveArgs),
    /// Look through the journal and the custody of secrets.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Take tenants back to the authorization-code flow.
    Rollback(RollbackArgs),
    /// Retire the legacy client of migrated tenants.
    Finalize(FinalizeArgs),
    /// What does a finding mean?
    Explain(ExplainArgs),
    /// Which plugins are there?
    #[command(subcommand)]
    Plugins(PluginsCommand),
    /// Watch a simulated fleet migrate.
    Demo(DemoArgs),
    /// Simulate Okta orgs and CIE directories to try things out on.
    Sim(SimArgs),
    /// Print a completion script.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Which tenants.
#[derive(Debug, Args)]
pub(crate) struct Select {
    /// These tenants only.
    #[arg(value_name = "TENANT")]
    pub(crate) tenants: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OneTenant {
    /// The tenant.
    #[arg(value_name = "TENANT")]
    pub(crate) tenant: String,
}

#[derive(Debug, Args)]
pub(crate) struct NextArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Only what this person is asked for.
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SheetArgs {
    #[command(flatten)]
    pub(crate) tenant: OneTenant,
    /// The form of the sheet.
    #[arg(long = "as", value_enum, value_name = "FORM", default_value_t = SheetForm::Terminal)]
    pub(crate) form: SheetForm,
    /// Where to write it, instead of stdout; `-` is stdout, too.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace what is there, even if it is not a run sheet of flowswap's.
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
}

/// The form of a run sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SheetForm {
    /// To be read here.
    Terminal,
    /// A task list.
    Markdown,
    /// One page with boxes to tick.
    Html,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Put it on the clipboard for a minute.
    Copy {
        #[command(flatten)]
        tenant: OneTenant,
        /// Print it to this terminal instead; never into a file or a pipe.
        #[arg(long)]
        print: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmArgs {
    #[command(flatten)]
    pub(crate) tenant: OneTenant,
    /// What else is worth knowing; it is kept in the journal.
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DeclineArgs {
    #[command(flatten)]
    pub(crate) tenant: OneTenant,
    /// Why; it is kept in the journal.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// How often to look where nothing says when more can be seen; never more often than every 15 seconds.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub(crate) every: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Where to write the plan; `-` is stdout. Without it the plan is only shown.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace what is there, even if it is not a plan of flowswap's.
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanFile {
    /// The plan.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) file: PlanFile,
    /// Have what only a person can do done at this terminal, one run sheet after the other.
    #[arg(long)]
    pub(crate) interactive: bool,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Go on with what was begun even though the configuration is not the one that the plan was made with.
    #[arg(long)]
    pub(crate) accept_changes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// The tenant.
    #[arg(value_name = "TENANT")]
    pub(crate) tenant: String,
    /// Whether the change of the step that it is stuck at is in place.
    #[arg(long = "as", value_enum, value_name = "WHAT")]
    pub(crate) stands: Stands,
    /// How you know; it is kept in the journal.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// A value that the step gave, such as `client_id=0oa…`, where it is in place. May be given several times.
    #[arg(long = "output", value_name = "NAME=VALUE", value_parser = parse_output)]
    pub(crate) outputs: Vec<(String, String)>,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Whether a step's change is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stands {
    /// It is in place.
    Applied,
    /// It is not, or not any more.
    NotApplied,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Is every record as it was written, may each follow those before it, and is every secret there?
    Verify {
        /// Also look whether both sides of every tenant are as the journal says.
        #[arg(long)]
        online: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Started {
    /// The tenants, if not `--all`.
    #[arg(value_name = "TENANT", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) tenants: Vec<String>,
    /// Every tenant to which it applies.
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Go on even though the plugins or the configuration are not those that the work was begun with.
    #[arg(long)]
    pub(crate) accept_changes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) started: Started,
    /// Have what only a person can do done at this terminal, one run sheet after the other.
    #[arg(long, conflicts_with = "abandon")]
    pub(crate) interactive: bool,
    /// End a way back that is stuck: the tenant stays migrated, if the directory is seen to be on the new client.
    #[arg(long, requires = "reason", conflicts_with = "all")]
    pub(crate) abandon: bool,
    /// Why the way back is ended; it is kept in the journal.
    #[arg(long, value_name = "TEXT", requires = "abandon")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct FinalizeArgs {
    #[command(flatten)]
    pub(crate) started: Started,
    /// Delete the legacy client for good, once it is retired. There is no way back from this.
    #[arg(long)]
    pub(crate) purge: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The finding; all of them if none is given.
    pub(crate) id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginsCommand {
    /// Every plugin that can be found.
    List,
    /// What a plugin says of itself.
    Inspect {
        /// Its name, or the path of a library.
        plugin: String,
    },
    /// Does a plugin keep the contract? Tries it against a simulator; exit code 3 if it fails a check.
    Conformance {
        /// Its name, or the path of a library.
        plugin: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// How many tenants.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) tenants: u32,
    /// Keep configuration, plan, journal and secrets in this folder, which must be new or empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SimArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SimCommand>,
    /// How many tenants.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) tenants: u32,
    /// What the configuration is written for.
    #[arg(long, value_enum, value_name = "PLUGIN", default_value_t = Directory::Rest)]
    pub(crate) directory: Directory,
    /// How often every directory syncs by itself. Cloud Identity Engine collects what has changed every five minutes.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub(crate) sync_every: Duration,
    /// The same seed gives the same world.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long every answer takes.
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = parse_duration)]
    pub(crate) latency: Duration,
    /// Where to write what a client needs.
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) dir: Option<PathBuf>,
    /// The port on 127.0.0.1; any free one if none is given.
    #[arg(long, value_name = "P", default_value_t = 0)]
    pub(crate) port: u16,
}

/// How a client of the simulator reaches the directories, by the name of the plugin for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Directory {
    /// By an automation gateway, with nobody at a console.
    Rest,
    /// By Cloud Identity Engine's own interface and a person at the console.
    CieGuided,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Print the running world as JSON.
    World {
        /// The folder that the simulator was given.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Move the running world's clock forward, with all that happens meanwhile.
    Advance {
        /// The folder that the simulator was given.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// How far, such as `10m`.
        #[arg(value_name = "TIME", value_parser = parse_duration)]
        by: Duration,
    },
}

fn parse_output(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as `client_id=0oa1b2c3`".to_owned()),
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| "expected a duration such as `20ms` or `1s`".to_owned())?;
    Duration::try_from(span).map_err(|_| "a duration cannot be negative".to_owned())
}
