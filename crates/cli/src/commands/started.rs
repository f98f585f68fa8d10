//! What `apply`, `rollback`, and `finalize` share: selecting tenants by their history, running jobs, and reporting
//! outcomes.

use std::{collections::BTreeSet, sync::Arc};

use flowswap_config::Config;
use flowswap_contract::Phase;
use flowswap_engine::{
    Approval, Assignment, Direction, Ending, FleetLimits, Goal, Job, JournalError, Logbook, Outcome, Overview, Ports,
    RunId, Runner, Summary, Tenant, TenantHistory, TenantState, Unreachable, Work,
};
use flowswap_store::StateDir;
use jiff::SignedDuration;
use serde::Serialize;

use super::{
    halted::{self, Stopped},
    status,
};
use crate::{
    args::{AcceptChanges, StartedTenants},
    context::{Context, keep_snapshot, read_tenant},
    display::{
        causes, count, fold_rows,
        progress::{OutputGate, Progress},
        table,
        text::{Text, text},
        tone_of_state,
    },
    exit::{Exit, Failure},
    fleet::{Fleet, refuse_gone},
    full_command,
    go_on::AtTerminal,
    interactive::Interactive,
    selection::{self, Selected},
    terminal::Tone,
};

/// What a run must do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunPurpose {
    /// How far the run takes its tenants.
    pub(crate) goal: Goal,
    /// Whether a person at this terminal carries out the run sheets.
    pub(crate) interactive: bool,
    /// Whether the person at the terminal can be asked while the run goes on.
    pub(crate) may_ask: bool,
    /// Whether it continues with another build of a plugin, or another configuration.
    pub(crate) accept_changes: bool,
}

impl RunPurpose {
    /// The run that continues a tenant in its current direction.
    pub(crate) fn of(tenant: &Overview) -> Self {
        Self::to(match (tenant.direction, tenant.phase) {
            (Direction::Back, _) => Goal::RolledBack,
            (Direction::Forward, Some(Phase::Retire)) => Goal::Retired,
            (Direction::Forward, Some(Phase::Purge)) => Goal::Purged,
            (Direction::Forward, _) => Goal::Swapped,
        })
    }

    /// A run with this goal.
    pub(crate) fn to(goal: Goal) -> Self {
        Self { goal, interactive: false, may_ask: false, accept_changes: false }
    }

    /// The same run, with what the operator accepts.
    pub(crate) fn accepting(self, changes: AcceptChanges) -> Self {
        Self { accept_changes: changes.accept_changes, ..self }
    }
}

/// Who must carry out a run sheet of the tenant, and within what time.
pub(crate) fn assignment(config: &Config, name: &str) -> Assignment {
    let tenant = config.tenant(name);
    Assignment {
        owner: tenant.and_then(|tenant| tenant.owner.clone()),
        due_within: SignedDuration::try_from(config.run.operator_deadline).unwrap_or(SignedDuration::MAX),
    }
}

/// The report; scripts rely on its names.
#[derive(Serialize)]
pub(crate) struct Report {
    /// `None` if there was nothing to do.
    run: Option<RunId>,
    tenants: Vec<Row>,
    /// Why the run did not start all of its tenants, because of what happened to others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stopped: Vec<Stopped>,
}

impl Report {
    /// Prints it.
    pub(crate) fn print(&self, context: &Context) -> Result<(), Failure> {
        context.terminal.report(self, || text(self, context.terminal.verbose > 0))
    }
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// `ended`, `already-done`, `refused`, or `skipped`. The last two have no state.
    outcome: &'static str,
    /// How the tenant counts: [`Ending`] has the table.
    counts_as: Ending,
    state: Option<TenantState>,
    reason: Option<String>,
    changes: Vec<String>,
    /// The command that helps a tenant that was refused, or that continues one that the run left.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The ids of the rules that explain the reason.
    rules: Vec<String>,
}

/// Fails if nothing says which tenants are meant.
pub(crate) fn require_selection(args: &StartedTenants) -> Result<(), Failure> {
    let instead = "name them, select them with an option such as `--label`, or pass `--all`";
    selection::require(&args.select, args.all, instead)
}

/// The tenants that were selected. One that was written out and that the configuration no longer has is an error.
pub(crate) async fn select(config: &Config, args: &StartedTenants, logbook: &Logbook) -> Result<Selected, Failure> {
    let selected = selection::select(config, logbook, &args.select)?;
    selected.refuse_gone(config, logbook).await?;
    Ok(selected)
}

/// Of the selected tenants, those that were written out and those that the command applies to, with their histories. One that was
/// written out and was never started is an error.
pub(crate) async fn choose(
    selected: &Selected,
    logbook: &Logbook,
    applies: impl Fn(&TenantHistory, &Work) -> bool,
) -> Result<Vec<(String, TenantHistory)>, Failure> {
    let mut chosen = Vec::new();
    for name in &selected.names {
        let known = logbook.overview(name);
        let is_started = known.as_ref().is_some_and(|tenant| tenant.plan.is_some());
        if !is_started && selected.is_written(name) {
            let state = known.map_or(TenantState::Unplanned, |tenant| tenant.state);
            let error = format!("flowswap has not started to migrate the tenant `{name}`: it is {state}");
            return Err(Failure::new(Exit::Usage, error).hint("show the state of every tenant: flowswap status"));
        }
        let history = if is_started { read_tenant(logbook, name).await? } else { None };
        let Some(tenant) = history else { continue };
        if selected.is_written(name) || tenant.work.as_ref().is_some_and(|work| applies(&tenant, work)) {
            chosen.push((name.clone(), tenant));
        }
    }
    Ok(chosen)
}

/// Takes the tenants that the configuration no longer has out of `names`. Their absence does not stop the others, unless there
/// are no others.
pub(crate) async fn take_lost(
    config: &Config,
    names: &mut Vec<String>,
    logbook: &Logbook,
) -> Result<Vec<String>, Failure> {
    let lost: Vec<String> = names.extract_if(.., |name| config.tenant(name).is_none()).collect();
    if names.is_empty() {
        refuse_gone(config, &lost, logbook).await?;
    }
    Ok(lost)
}

/// Reports that the command applies to no tenant.
pub(crate) fn report_no_tenants(context: &Context, why: impl Into<Text>) -> Result<Exit, Failure> {
    context.terminal.say(why);
    context.terminal.report(&Report { run: None, tenants: Vec::new(), stopped: Vec::new() }, Text::default)?;
    Ok(Exit::Done)
}

/// Continues the work on these tenants, or rolls it back.
pub(crate) async fn continue_tenants(
    context: &Context,
    config: &Config,
    names: &[String],
    lost: Lost,
    purpose: RunPurpose,
) -> Result<Exit, Failure> {
    let gate = purpose.interactive.then(OutputGate::default);
    let progress = context.progress_beside(gate.as_ref());
    let ports = context.run_ports(config, progress.clone()).await?;
    let ports = match gate {
        Some(gate) => Interactive::join(context.terminal, gate, ports),
        None => AtTerminal::join(purpose.may_ask, &progress, ports),
    };
    let fleet = Fleet::open(context, config, names, &ports).await?;
    let jobs = jobs(config, fleet, purpose);
    execute(context, config, runner(ports), &progress, purpose.goal, jobs, lost).await
}

/// The jobs that continue started work.
pub(crate) fn jobs(config: &Config, fleet: Fleet, purpose: RunPurpose) -> Vec<Job> {
    let Fleet { tenants, pins } = fleet;
    // Work that was started needs none, and only `apply` and `resume` start any.
    let approval = match config.approvals {
        Some(_) => Approval::Missing(NOT_APPROVED.to_owned()),
        None => Approval::NotRequired,
    };
    let job = |tenant: Tenant| Job {
        goal: purpose.goal,
        part: None,
        plugins: pins.clone(),
        assignment: assignment(config, &tenant.spec.name),
        digest_given: false,
        approval: approval.clone(),
        accept_changes: purpose.accept_changes,
        tenant,
    };
    tenants.into_iter().map(job).collect()
}

const NOT_APPROVED: &str = "nobody looked at the approvals of its plan: carry it out with `flowswap apply`";

/// A runner for a new run.
pub(crate) fn runner(ports: Ports) -> Runner {
    Runner::new(ports, RunId::generate())
}

/// Tenants that the configuration no longer has, and what should have been done for them.
pub(crate) type Lost = Vec<(String, Goal)>;

/// Runs the jobs and reports their outcomes, and those of the lost tenants, which are refused.
pub(crate) async fn execute(
    context: &Context,
    config: &Config,
    runner: Runner,
    progress: &Progress,
    goal: Goal,
    jobs: impl IntoIterator<Item = Job, IntoIter: ExactSizeIterator>,
    lost: Lost,
) -> Result<Exit, Failure> {
    let (report, exit) = run_jobs(config, runner, progress, goal, jobs, lost).await?;
    report.print(context)?;
    Ok(exit)
}

/// Runs the jobs and reports their outcomes, and those of the lost tenants, which are refused. Prints nothing.
pub(crate) async fn run_jobs(
    config: &Config,
    runner: Runner,
    progress: &Progress,
    goal: Goal,
    jobs: impl IntoIterator<Item = Job, IntoIter: ExactSizeIterator>,
    lost: Lost,
) -> Result<(Report, Exit), Failure> {
    let logbook = Arc::clone(runner.logbook());
    let runner = runner.refusing(lost.into_iter().map(unreachable).collect());
    let summary = carry_out(config, &runner, goal, jobs).await;
    progress.clear();
    keep_snapshot(config, &logbook);
    let summary = summary?;
    let mut report = Report {
        run: Some(runner.id()),
        tenants: summary.outcomes.iter().zip(&summary.endings).map(row).collect(),
        stopped: halted::of(&summary, config.run.max_failures, goal),
    };
    // The engine's reasons do not name rules; only the evidence has them.
    for row in report.tenants.iter_mut().filter(|row| row.state.is_some_and(may_have_rules)) {
        row.rules = read_tenant(&logbook, &row.name).await?.as_ref().map(open_rules).unwrap_or_default();
    }
    let refused =
        report.tenants.iter_mut().filter(|row| row.outcome == "refused" && config.tenant(&row.name).is_some());
    // The same plan can be carried out once the side can be read.
    let is_unread = |row: &Row| row.changes.iter().any(|change| change.starts_with("could not read the "));
    for row in refused.filter(|row| goal == Goal::Swapped && !is_unread(row)) {
        row.next = logbook.overview(&row.name).and_then(|tenant| way_on(&row.name, &tenant)).map(full_command::of);
    }
    // What a stopped run left, or what it did not get to.
    let rows = report.tenants.iter_mut().filter(|row| matches!(row.outcome, "skipped" | "ended"));
    for row in rows.filter(|row| row.outcome == "skipped" || summary.interrupted) {
        let is_left = logbook.overview(&row.name).is_some_and(|tenant| tenant.intent.is_some());
        row.next = is_left.then(|| full_command::of(format!("{RESUME} {}", row.name)));
    }
    Ok((report, exit_of(&summary)))
}

const RESUME: &str = "flowswap resume";

/// What helps a tenant that a run refused to take forward. Work that was started continues with the same command.
fn way_on(name: &str, tenant: &Overview) -> Option<String> {
    let is_started = tenant.plan.is_some() && tenant.direction == Direction::Forward && !tenant.waits_for_rollback();
    status::next_command(name, tenant).filter(|_| !is_started)
}

fn unreachable((tenant, goal): (String, Goal)) -> Unreachable {
    let reason = "the configuration no longer has the tenant: add it again to continue it".to_owned();
    Unreachable { tenant, goal, reason }
}

/// Runs the jobs.
pub(crate) async fn carry_out(
    config: &Config,
    runner: &Runner,
    goal: Goal,
    jobs: impl IntoIterator<Item = Job, IntoIter: ExactSizeIterator>,
) -> Result<Summary, Failure> {
    let limits = FleetLimits { concurrency: config.run.concurrency, max_failures: config.run.max_failures };
    runner.run(goal.command(), jobs, limits).await.map_err(|error| {
        let hint = match &error {
            JournalError::WriterReplaced(_) => {
                "another flowswap process has taken over this state; see what it does: flowswap status".to_owned()
            }
            _ => format!(
                "flowswap reports only what is in `{}`; once that file can be written again, run the same command again",
                StateDir::at(&config.state).journal().display()
            ),
        };
        Failure::new(Exit::Failed, error).hint(hint)
    })
}

/// Whether a rule may say more about why a tenant ended in this state.
fn may_have_rules(state: TenantState) -> bool {
    matches!(state, TenantState::Failed | TenantState::Stuck | TenantState::Soaking | TenantState::Waiting)
}

/// The rules of a tenant's last evidence that did not pass.
fn open_rules(tenant: &TenantHistory) -> Vec<String> {
    let looks = tenant.work.iter().flat_map(|work| work.last_results.values()).filter(|look| !look.passed);
    let rules: BTreeSet<_> = looks.flat_map(|look| &look.evidence).filter_map(|seen| seen.rule.clone()).collect();
    rules.into_iter().collect()
}

fn row(((name, outcome), ending): (&(String, Outcome), &Ending)) -> Row {
    let (name, counts_as) = (name.clone(), *ending);
    match outcome.clone() {
        Outcome::Ended { state, reason } => Row {
            name,
            outcome: "ended",
            counts_as,
            state: Some(state),
            reason,
            changes: Vec::new(),
            next: None,
            rules: Vec::new(),
        },
        Outcome::Unneeded { state, reason } => Row {
            name,
            outcome: "already-done",
            counts_as,
            state: Some(state),
            reason: Some(reason),
            changes: Vec::new(),
            next: None,
            rules: Vec::new(),
        },
        Outcome::Unapproved { reason } => {
            let changes = vec![reason];
            Row {
                name,
                outcome: "refused",
                counts_as,
                state: None,
                reason: None,
                changes,
                next: None,
                rules: Vec::new(),
            }
        }
        Outcome::Refused { changes } => Row {
            name,
            outcome: "refused",
            counts_as,
            state: None,
            reason: None,
            changes,
            next: None,
            rules: Vec::new(),
        },
        Outcome::Skipped { reason } => Row {
            name,
            outcome: "skipped",
            counts_as,
            state: None,
            reason: Some(reason),
            changes: Vec::new(),
            next: None,
            rules: Vec::new(),
        },
    }
}

/// A line for each tenant, or one for many tenants with the same outcome and reason. With `each`, always a line for
/// each.
fn text(report: &Report, each: bool) -> Text {
    let word = |row: &Row| row.state.map_or_else(|| row.outcome.to_owned(), |state| state.to_string());
    let note = |row: &Row| {
        let mut note = row.reason.clone().unwrap_or_else(|| row.changes.join("; "));
        note.extend(row.rules.iter().map(|rule| format!(" (`flowswap explain {rule}`)")));
        note
    };
    let groups = causes::group(0..report.tenants.len(), |index| {
        let row = &report.tenants[*index];
        // Tenants with different outcomes stay apart even if their notes are equal.
        (format!("{}\n{}", word(row), note(row)), vec![row.name.as_str()])
    });
    let mut keys = vec![None; report.tenants.len()];
    for (cause, group) in groups.iter().enumerate() {
        for index in &group.items {
            keys[*index] = Some(cause).filter(|_| !note(&report.tenants[*index]).is_empty());
        }
    }
    let causes = keys.clone();
    let folded = fold_rows(keys, each);
    let rows = folded.iter().map(|indices| {
        let row = &report.tenants[indices[0]];
        let names: Vec<&str> = indices.iter().map(|index| report.tenants[*index].name.as_str()).collect();
        let common = causes[indices[0]].and_then(|cause| groups[cause].text.split_once('\n'));
        let note = match common {
            Some((_, common)) if indices.len() > 1 => common.to_owned(),
            _ => note(row),
        };
        let note = text!("{}{}", note, causes::list_names(&names));
        [
            table::plain(causes::subject(&names)),
            table::toned(row.state.map_or(Tone::Care, tone_of_state), word(row)),
            table::plain(note),
        ]
    });
    let mut text = table::render(["tenant", "state", ""], rows);
    text += text!("\n{}\n", count(report.tenants.iter().map(word)));
    text += halted::show(&report.stopped);
    for next in ways_on(&report.tenants) {
        text += text!("next: {}\n", next);
    }
    text
}

/// The commands that help tenants that were refused or left. The tenants that need a new plan share one, and so do those that a run
/// left.
fn ways_on(rows: &[Row]) -> Vec<String> {
    const MOST: usize = 5;
    let ways = rows.iter().filter_map(|row| Some((row.name.as_str(), row.next.as_deref()?)));
    let (left, ways): (Vec<_>, Vec<_>) =
        ways.partition(|(name, next)| *next == full_command::of(format!("{RESUME} {name}")));
    let resume = match left.as_slice() {
        [] => None,
        [(name, _)] => Some(format!("{RESUME} {name}")),
        _ => Some(RESUME.to_owned()),
    };
    let (again, others): (Vec<_>, Vec<_>) =
        ways.into_iter().partition(|(name, next)| *next == full_command::of(status::plan_again(&[name])));
    let again: Vec<&str> = again.into_iter().map(|(name, _)| name).collect();
    let again = (!again.is_empty()).then(|| status::plan_again(&again));
    let others = others.into_iter().map(|(_, next)| next.to_owned());
    let ways: BTreeSet<String> = resume.into_iter().chain(again).chain(others).collect();
    if ways.len() > MOST { vec!["flowswap status".to_owned()] } else { ways.into_iter().collect() }
}

/// The exit code of a run: that of the tenant that needs most attention.
pub(crate) fn exit_of(summary: &Summary) -> Exit {
    let of_tenants = summary.endings.iter().map(|ending| exit_of_tenant(*ending));
    if summary.interrupted { Exit::Interrupted } else { of_tenants.fold(Exit::Done, worst) }
}

/// The exit code of a run in which all tenants count as this.
fn exit_of_tenant(ending: Ending) -> Exit {
    match ending {
        Ending::Done => Exit::Done,
        Ending::Waiting | Ending::Inconclusive | Ending::Skipped => Exit::NeedsPerson,
        Ending::Failed => Exit::SomeFailed,
        Ending::Refused => Exit::Refused,
    }
}

/// The exit code of several runs: that of the one that needs most attention.
pub(crate) fn worst(one: Exit, other: Exit) -> Exit {
    let order = [Exit::Failed, Exit::Interrupted, Exit::SomeFailed, Exit::Refused, Exit::NeedsPerson];
    order.into_iter().find(|exit| [one, other].contains(exit)).unwrap_or(one.max(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_the_rules_that_explain_it() {
        let row = Row {
            name: "acme".to_owned(),
            outcome: "ended",
            counts_as: Ending::Failed,
            state: Some(TenantState::Failed),
            reason: Some("step `confirm` failed".to_owned()),
            changes: Vec::new(),
            next: None,
            rules: vec!["users-lost".to_owned()],
        };
        let text = text(&Report { run: None, tenants: vec![row], stopped: Vec::new() }, false);
        let line = text.plain().lines().nth(1).unwrap().to_owned();
        assert_eq!(line, "acme    failed  step `confirm` failed (`flowswap explain users-lost`)");
    }

    #[test]
    fn the_documented_endings_are_those_of_the_code() {
        let word = |value: serde_json::Value| value.as_str().map_or_else(|| "–".to_owned(), str::to_owned);
        let expect = Ending::ALL.map(|ending| {
            let counts = if ending.counts_against_budget() { "yes" } else { "no" };
            format!(
                "| `{}` | {} | {} | {counts} | `{}` |",
                word(serde_json::json!(ending)),
                ending.when(),
                word(serde_json::json!(ending.verdict())),
                exit_of_tenant(ending) as u8,
            )
        });
        let document = include_str!("../../docs/automation.md");
        let table = document.lines().skip_while(|line| !line.starts_with("| a tenant counts as ")).skip(2);
        let documented: Vec<&str> = table.take_while(|line| line.starts_with('|')).collect();
        assert_eq!(documented, expect);
    }
}
