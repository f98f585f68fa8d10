//! What `apply`, `rollback`, and `finalize` share: selecting tenants by their history, running jobs, and reporting
//! outcomes.

use std::collections::BTreeSet;

use flowswap_config::Config;
use flowswap_contract::Phase;
use flowswap_engine::{
    Assignment, Direction, FleetLimits, Goal, History, Job, JournalError, Outcome, Ports, RunCommand, RunId, Runner,
    Summary, TenantHistory, TenantState, Work,
};
use flowswap_store::StateDir;
use jiff::SignedDuration;
use serde::Serialize;

use crate::{
    args::StartedTenants,
    context::{Context, read_history},
    display::{
        causes, count, fold_rows,
        progress::{OutputGate, Progress},
        table,
        text::{Text, text},
        tone_of_state,
    },
    exit::{Exit, Failure},
    fleet::Fleet,
    interactive::Interactive,
    terminal::Tone,
};

/// What a run must do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunPurpose {
    /// The command that the journal records for the run.
    pub(crate) command: RunCommand,
    /// How far the run takes its tenants.
    pub(crate) goal: Goal,
    /// Whether a person at this terminal carries out the run sheets.
    pub(crate) interactive: bool,
}

impl RunPurpose {
    /// The run that continues a tenant in its current direction.
    pub(crate) fn of(tenant: &TenantHistory) -> Self {
        let step = tenant.work.as_ref().zip(tenant.step.as_ref()).and_then(|(work, step)| work.tenant.step(step));
        let (command, goal) = match (tenant.direction, step.map(|step| step.proposal.phase)) {
            (Direction::Back, _) => (RunCommand::Rollback, Goal::RolledBack),
            (Direction::Forward, Some(Phase::Retire)) => (RunCommand::Finalize, Goal::Retired),
            (Direction::Forward, Some(Phase::Purge)) => (RunCommand::Finalize, Goal::Purged),
            (Direction::Forward, _) => (RunCommand::Apply, Goal::Swapped),
        };
        Self { command, goal, interactive: false }
    }
}

/// Who must carry out a run sheet of the tenant, and within what time.
pub(crate) fn assignment(config: &Config, name: &str) -> Assignment {
    let tenant = config.tenants.iter().find(|tenant| tenant.name == name);
    Assignment {
        owner: tenant.and_then(|tenant| tenant.owner.clone()),
        due_within: SignedDuration::try_from(config.run.operator_deadline).unwrap_or(SignedDuration::MAX),
    }
}

/// The report; scripts rely on its names.
#[derive(Serialize)]
struct Report {
    /// `None` if there was nothing to do.
    run: Option<RunId>,
    tenants: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// `ended`, `refused`, or `skipped`. Only a tenant that ended has a state.
    outcome: &'static str,
    state: Option<TenantState>,
    reason: Option<String>,
    changes: Vec<String>,
    /// The ids of the rules that explain the reason.
    rules: Vec<String>,
}

/// The named tenants or, with `--all`, those that the command applies to.
pub(crate) fn choose(
    args: &StartedTenants,
    history: &History,
    applies: impl Fn(&TenantHistory, &Work) -> bool,
) -> Result<Vec<String>, Failure> {
    if args.all {
        let all =
            history.tenants().filter(|(_, tenant)| tenant.work.as_ref().is_some_and(|work| applies(tenant, work)));
        return Ok(all.map(|(name, _)| name.to_owned()).collect());
    }
    let has_started = |name: &str| history.tenant(name).is_some_and(|tenant| tenant.work.is_some());
    match args.tenants.iter().find(|name| !has_started(name)) {
        None => Ok(args.tenants.clone()),
        Some(name) => {
            let state = history.tenant(name).map_or(TenantState::Unplanned, |tenant| tenant.state);
            let error = format!("flowswap has not started to migrate the tenant `{name}`: it is {state}");
            Err(Failure::new(Exit::Usage, error).hint("show the state of every tenant: flowswap status"))
        }
    }
}

/// Reports that the command applies to no tenant.
pub(crate) fn report_no_tenants(context: &Context, why: impl Into<Text>) -> Result<Exit, Failure> {
    context.terminal.say(why);
    context.terminal.report(&Report { run: None, tenants: Vec::new() }, Text::default)?;
    Ok(Exit::Done)
}

/// Continues the work on these tenants, or rolls it back.
pub(crate) async fn continue_tenants(
    context: &Context,
    config: &Config,
    names: &[String],
    accept_changes: bool,
    purpose: RunPurpose,
) -> Result<Exit, Failure> {
    let gate = purpose.interactive.then(OutputGate::default);
    let progress = context.progress_beside(gate.as_ref());
    let (ports, history) = context.run_ports(config, progress.clone()).await?;
    let ports = match gate {
        Some(gate) => Interactive::join(context.terminal, gate, ports),
        None => ports,
    };
    let fleet = Fleet::open(context, config, names, &ports).await?;
    let jobs = jobs(config, &fleet, &history, accept_changes, purpose.goal)?;
    execute(context, config, runner(ports), &progress, purpose.command, jobs).await
}

/// A runner for a new run.
pub(crate) fn runner(ports: Ports) -> Runner {
    Runner::new(ports, RunId::generate())
}

/// The jobs that continue started work.
pub(crate) fn jobs(
    config: &Config,
    fleet: &Fleet,
    history: &History,
    accept_changes: bool,
    goal: Goal,
) -> Result<Vec<Job>, Failure> {
    let mut jobs = Vec::new();
    for tenant in &fleet.tenants {
        let Some(started) = history.tenant(&tenant.spec.name) else { continue };
        let Some(work) = &started.work else { continue };
        let used = [&work.tenant.provider_plugin, &work.tenant.directory_plugin];
        let changed = used.into_iter().find(|name| {
            let sha256 = |pin: Option<&flowswap_engine::PluginPin>| pin.map(|pin| pin.sha256.clone());
            sha256(work.plugins.get(*name)) != sha256(fleet.pins.get(*name))
        });
        if let (Some(name), false) = (changed, accept_changes) {
            let error = format!("tenant `{}` was started with another build of plugin `{name}`", tenant.spec.name);
            let failure = Failure::new(Exit::Refused, error);
            return Err(failure.hint("use that build, or pass `--accept-changes` if you trust this one"));
        }
        jobs.push(Job {
            tenant: tenant.clone(),
            plan: work.plan.clone(),
            planned: work.tenant.clone(),
            plugins: work.plugins.clone(),
            history: Some(started.clone()),
            goal,
            not_after: None,
            assignment: assignment(config, &tenant.spec.name),
            accept_changes,
        });
    }
    Ok(jobs)
}

/// Runs the jobs and reports their outcomes.
pub(crate) async fn execute(
    context: &Context,
    config: &Config,
    runner: Runner,
    progress: &Progress,
    command: RunCommand,
    jobs: Vec<Job>,
) -> Result<Exit, Failure> {
    let summary = carry_out(config, &runner, command, jobs).await;
    progress.clear();
    let summary = summary?;
    let mut report = Report { run: Some(runner.id()), tenants: summary.outcomes.iter().map(row).collect() };
    if report.tenants.iter().any(|row| row.state.is_some_and(may_have_rules)) {
        add_rules(&mut report, &read_history(config).await?);
    }
    context.terminal.report(&report, || text(&report, context.terminal.verbose > 0))?;
    Ok(exit_of(&summary))
}

/// Runs the jobs.
pub(crate) async fn carry_out(
    config: &Config,
    runner: &Runner,
    command: RunCommand,
    jobs: Vec<Job>,
) -> Result<Summary, Failure> {
    let limits = FleetLimits { concurrency: config.run.concurrency, max_failures: config.run.max_failures };
    runner.run(command, jobs, limits).await.map_err(|error| {
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

/// Adds the ids of the rules to the engine's reasons; only the evidence has them.
fn add_rules(report: &mut Report, history: &History) {
    for row in report.tenants.iter_mut().filter(|row| row.state.is_some_and(may_have_rules)) {
        row.rules = history.tenant(&row.name).map(open_rules).unwrap_or_default();
    }
}

/// The rules of a tenant's last evidence that did not pass.
fn open_rules(tenant: &TenantHistory) -> Vec<String> {
    let looks = tenant.work.iter().flat_map(|work| work.last_results.values()).filter(|look| !look.passed);
    let rules: BTreeSet<_> = looks.flat_map(|look| &look.evidence).filter_map(|seen| seen.rule.clone()).collect();
    rules.into_iter().collect()
}

fn row((name, outcome): &(String, Outcome)) -> Row {
    let name = name.clone();
    match outcome.clone() {
        Outcome::Ended { state, reason } => {
            Row { name, outcome: "ended", state: Some(state), reason, changes: Vec::new(), rules: Vec::new() }
        }
        Outcome::Refused { changes } => {
            Row { name, outcome: "refused", state: None, reason: None, changes, rules: Vec::new() }
        }
        Outcome::Skipped { reason } => {
            Row { name, outcome: "skipped", state: None, reason: Some(reason), changes: Vec::new(), rules: Vec::new() }
        }
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
    text
}

pub(crate) fn exit_of(summary: &Summary) -> Exit {
    use TenantState as S;
    let any = |matches: fn(&Outcome) -> bool| summary.outcomes.iter().any(|(_, outcome)| matches(outcome));
    if summary.interrupted {
        Exit::Interrupted
    } else if any(|o| matches!(o, Outcome::Skipped { .. } | Outcome::Ended { state: S::Failed | S::Stuck, .. })) {
        Exit::SomeFailed
    } else if any(|o| matches!(o, Outcome::Refused { .. })) {
        Exit::Refused
    } else if any(is_unfinished) {
        Exit::NeedsPerson
    } else {
        Exit::Done
    }
}

/// Whether the tenant has not failed and has not reached the command's goal: it waits for a person, for evidence, or
/// for time, or it cannot get there.
fn is_unfinished(outcome: &Outcome) -> bool {
    use TenantState as S;
    match outcome {
        Outcome::Ended { state: S::Waiting | S::Soaking | S::RollingBack, .. } => true,
        Outcome::Ended { reason, .. } => reason.is_some(),
        Outcome::Refused { .. } | Outcome::Skipped { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_the_rules_that_explain_it() {
        let row = Row {
            name: "acme".to_owned(),
            outcome: "ended",
            state: Some(TenantState::Failed),
            reason: Some("step `confirm` failed".to_owned()),
            changes: Vec::new(),
            rules: vec!["users-lost".to_owned()],
        };
        let text = text(&Report { run: None, tenants: vec![row] }, false);
        let line = text.plain().lines().nth(1).unwrap().to_owned();
        assert_eq!(line, "acme    failed  step `confirm` failed (`flowswap explain users-lost`)");
    }
}
