//! The command line: its syntax and its help. Each command decides what its arguments mean.

mod recording;
#[cfg(feature = "sandbox")]
mod sandbox;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::Timestamp;

pub(crate) use self::recording::{RecordArgs, ReplayArgs};
#[cfg(feature = "sandbox")]
pub(crate) use self::sandbox::{DemoArgs, Directory, SimArgs, SimCommand};
use crate::examples;

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

/// The options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = USUAL_CONFIG,
        env = "FLOWSWAP_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: PathBuf,
    /// Search this folder for plugins before the usual folders.
    #[arg(long, global = true, value_name = "DIR", env = "FLOWSWAP_PLUGIN_DIR", hide_env_values = true)]
    pub(crate) plugin_dir: Option<PathBuf>,
    /// Your name, which the journal keeps beside the user of the operating system.
    #[arg(long = "user", global = true, value_name = "NAME", env = "FLOWSWAP_USER", hide_env_values = true)]
    pub(crate) actor: Option<String>,
    /// The format of the report on stdout.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Do not use color. Setting NO_COLOR has the same effect.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Write only errors to stderr.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Show more detail; `-vv` also shows every request.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How long a plugin may compute between two messages before flowswap ends its process. Tests set a short time.
    #[arg(long, global = true, hide = true, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub(crate) plugin_patience: Duration,
}

/// The format of the report on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences, for a person.
    Human,
    /// One JSON document, for a script.
    Json,
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
    Detect(Select),
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
    /// Show the state of every tenant and the command to run next.
    #[command(after_help = examples::STATUS)]
    Status(Select),
    /// List the tenants that wait for a person.
    #[command(after_help = examples::NEXT)]
    Next(NextArgs),
    /// Show the run sheet that a person must carry out.
    #[command(after_help = examples::SHEET)]
    Sheet(SheetArgs),
    /// Copy the secret that a run sheet asks you to paste.
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
    /// Show what each step proved, and what is still missing.
    #[command(after_help = examples::EVIDENCE)]
    Evidence(OneTenant),
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
    /// Print a completion script for a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell that will run the script.
        shell: Shell,
    },
}

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

#[derive(Debug, Args)]
pub(crate) struct NextArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Only the tenants that wait for this owner.
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SheetArgs {
    #[command(flatten)]
    pub(crate) tenant: OneTenant,
    /// The format of the run sheet.
    #[arg(long = "as", value_enum, value_name = "FORM", default_value_t = SheetForm::Terminal)]
    pub(crate) form: SheetForm,
    /// Write the run sheet to this file instead of stdout; `-` also means stdout.
    #[arg(short, long, value_name = "FILE")]
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

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Copy the secret to the clipboard for one minute.
    #[command(after_help = examples::SECRET_COPY)]
    Copy {
        #[command(flatten)]
        tenant: OneTenant,
        /// Print the secret to this terminal instead; flowswap refuses a file or a pipe.
        #[arg(long)]
        print: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmArgs {
    #[command(flatten)]
    pub(crate) tenant: OneTenant,
    /// A note for later readers; the journal keeps it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    #[command(flatten)]
    pub(crate) changes: AcceptChanges,
}

#[derive(Debug, Args)]
pub(crate) struct DeclineArgs {
    #[command(flatten)]
    pub(crate) tenant: OneTenant,
    /// Why nobody will carry it out; the journal keeps the reason.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
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
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    /// Write the plan to this file; `-` means stdout. Without it, flowswap only shows the plan.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reports: Reports,
    /// Replace files even if flowswap did not write them as a plan or a report.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reports {
    /// Also write a report for a reviewer. The ending of the name decides what it is: `.html`, `.md`, `.json`, or `.xml` (JUnit).
    /// Repeat it for several reports.
    #[arg(long = "report", value_name = "FILE")]
    pub(crate) reports: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) file: PlanFile,
    /// Show each step of these tenants. Without a name, flowswap shows what tenants have in common only once; `-v` shows each step
    /// of each tenant.
    #[arg(value_name = "TENANT", conflicts_with_all = ["face", "reports"])]
    pub(crate) tenants: Vec<String>,
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
pub(crate) struct DiffArgs {
    /// The old plan file, such as the one that was approved; `-` means stdin.
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// The new plan file; `-` means stdin.
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    #[command(flatten)]
    pub(crate) reports: Reports,
    /// Print a report for another place than this terminal.
    #[arg(long = "as", value_enum, value_name = "REPORT")]
    pub(crate) face: Option<FaceName>,
    /// Replace files even if flowswap did not write them as a report.
    #[arg(long)]
    pub(crate) force: bool,
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
    #[arg(value_name = "PLAN")]
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

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) file: PlanFile,
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

/// What a command that continues work may accept.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct AcceptChanges {
    /// Continue tenants that have started, even if a plugin or the configuration has changed since then.
    #[arg(long)]
    pub(crate) accept_changes: bool,
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

#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// The name of the tenant.
    #[arg(value_name = "TENANT")]
    pub(crate) tenant: String,
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
    Export(ExportArgs),
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

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The id of the finding; without it, all findings.
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

fn parse_output(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as `client_id=0oa1b2c3`".to_owned()),
    }
}

/// A time, or how long ago it was.
fn parse_since(text: &str) -> Result<Timestamp, String> {
    let expected = "expected a time such as `2026-03-01T08:00:00Z`, or a duration such as `7d` or `12h`";
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let span: jiff::Span = text.parse().map_err(|_| expected.to_owned())?;
    let span = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| expected.to_owned())?;
    Timestamp::now().checked_sub(span).map_err(|_| expected.to_owned())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| "expected a duration such as `20ms` or `1s`".to_owned())?;
    Duration::try_from(span).map_err(|_| "a duration cannot be negative".to_owned())
}
