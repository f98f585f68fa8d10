//! What `apply`, `rollback`, and `finalize` share: selecting tenants by their history, running jobs, and reporting
//! outcomes.

use std::{collections::BTreeSet, sync::Arc};

use flowswap_config::Config;
use flowswap_contract::Phase;
use flowswap_engine::{
    Approval, Assignment, Direction, Ending, FleetLimits, Goal, Job, JournalError, Logbook, Overview, Ports, RunId,
    Runner, Summary, Tenant, TenantHistory, TenantState, Unreachable, Work,
};
use flowswap_store::StateDir;
use jiff::SignedDuration;

use super::{desk, run_report::Report};
use crate::{
    args::{AcceptChanges, StartedTenants},
    context::{Context, keep_snapshot, read_tenant},
    display::{
        progress::{OutputGate, Progress},
        text::Text,
    },
    exit::{Exit, Failure},
    fleet::{Fleet, refuse_gone},
    go_on::AtTerminal,
    interactive::Interactive,
    selection::{self, Selected},
    usage,
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

/// Fails if nothing says which tenants are meant.
pub(crate) fn require_selection(args: &StartedTenants) -> Result<(), Failure> {
    selection::require(&args.select, args.all, &selection::name_or_all(&args.select))
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

/// Fails if tenants were selected and the command applies to none of them. With `--all`, that is no mistake.
pub(crate) fn refuse_empty(selected: &Selected, why: &str) -> Result<(), Failure> {
    if !selected.is_narrowed {
        return Ok(());
    }
    let failure = Failure::new(Exit::Usage, format!("{why}: it applies to none of these tenants"));
    Err(failure.hint("show the state of every tenant: flowswap status"))
}

/// Reports that the command applies to no tenant.
pub(crate) fn report_no_tenants(context: &Context, why: impl Into<Text>) -> Result<Exit, Failure> {
    context.terminal.say(why);
    context.terminal.report(&Report::default(), Text::default)?;
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
    let (report, exit) = continue_silently(context, config, names, lost, purpose).await?;
    report.print(context)?;
    Ok(exit)
}

/// The same, and prints nothing.
pub(crate) async fn continue_silently(
    context: &Context,
    config: &Config,
    names: &[String],
    lost: Lost,
    purpose: RunPurpose,
) -> Result<(Report, Exit), Failure> {
    let gate = purpose.interactive.then(OutputGate::default);
    let progress = context.progress_beside(gate.as_ref());
    let ports = context.run_ports(config, progress.clone()).await?;
    let ports = match gate {
        Some(gate) => Interactive::join(context.terminal, gate, ports),
        None => AtTerminal::join(purpose.may_ask, &progress, ports),
    };
    let fleet = Fleet::open(context, config, names, &ports).await?;
    let jobs = jobs(config, fleet, purpose);
    run_jobs(context, config, runner(ports), &progress, purpose.goal, jobs, lost).await
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
        rehearsal: false,
        tenant,
    };
    tenants.into_iter().map(job).collect()
}

const NOT_APPROVED: &str = "nobody looked at the approvals of its plan: carry it out with `flowswap apply PLAN`";

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
    let (report, exit) = run_jobs(context, config, runner, progress, goal, jobs, lost).await?;
    report.print(context)?;
    Ok(exit)
}

/// Runs the jobs and reports their outcomes, and those of the lost tenants, which are refused. Prints nothing.
pub(crate) async fn run_jobs(
    context: &Context,
    config: &Config,
    runner: Runner,
    progress: &Progress,
    goal: Goal,
    jobs: impl IntoIterator<Item = Job, IntoIter: ExactSizeIterator>,
    lost: Lost,
) -> Result<(Report, Exit), Failure> {
    let logbook = Arc::clone(runner.logbook());
    let runner = runner.refusing(lost.into_iter().map(unreachable).collect());
    let summary = carry_out_openly(context, config, &runner, goal, jobs).await;
    progress.clear();
    keep_snapshot(config, &logbook);
    let summary = summary?;
    let mut report = report_on(config, &logbook, runner.id(), &summary, goal).await?;
    report.hosts = usage::list(&context.gate(config));
    Ok((report, exit_of(&summary)))
}

/// The report on a run.
pub(crate) async fn report_on(
    config: &Config,
    logbook: &Logbook,
    run: RunId,
    summary: &Summary,
    goal: Goal,
) -> Result<Report, Failure> {
    let mut report = Report::of(run, summary, config.run.max_failures, goal);
    // The engine's reasons do not name rules; only the evidence has them.
    for row in report.tenants.iter_mut().filter(|row| row.state.is_some_and(may_have_rules)) {
        row.rules = read_tenant(logbook, &row.name).await?.as_ref().map(open_rules).unwrap_or_default();
    }
    let is_configured = |name: &str| config.tenant(name).is_some();
    for row in &mut report.tenants {
        row.find_next(goal, logbook.overview(&row.name).as_ref(), is_configured(&row.name), summary.interrupted);
    }
    Ok(report)
}

fn unreachable((tenant, goal): (String, Goal)) -> Unreachable {
    let reason = "the configuration no longer has the tenant: add it again to continue it".to_owned();
    Unreachable { tenant, goal, reason }
}

/// Runs the jobs. Meanwhile, the same user can reach the run from other terminals.
pub(crate) async fn carry_out_openly(
    context: &Context,
    config: &Config,
    runner: &Runner,
    goal: Goal,
    jobs: impl IntoIterator<Item = Job, IntoIter: ExactSizeIterator>,
) -> Result<Summary, Failure> {
    let door = desk::open(context, config, runner, goal);
    let measured = context.metrics.as_ref().map(|metrics| metrics.begin_run(goal.command()));
    let summary = carry_out(config, runner, goal, jobs).await;
    if let (Some(measured), Ok(summary)) = (measured, &summary) {
        measured.end(summary);
    }
    if let Some(door) = door {
        door.close().await;
    }
    summary
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
