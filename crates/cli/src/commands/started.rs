//! What `apply`, `rollback` and `finalize` share: choosing tenants by their history, running jobs, reporting outcomes.

use flowswap_engine::{
    FleetLimits, Goal, History, Job, JournalError, Outcome, Ports, RunCommand, RunId, Runner, Summary, TenantHistory,
    TenantState, Terms, Work,
};
use flowswap_store::StateDir;
use serde::Serialize;

use crate::{
    args::Started,
    config::Config,
    context::Context,
    display::{count, progress::Progress, table, tone_of_state},
    exit::{Exit, Failure},
    fleet::Fleet,
    terminal::Tone,
};

/// The report; scripts rely on its names.
#[derive(Serialize)]
struct Report {
    /// None if nothing was to be done.
    run: Option<RunId>,
    tenants: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// `ended`, `refused` or `skipped`; where a tenant ended is its state.
    outcome: &'static str,
    state: Option<TenantState>,
    reason: Option<String>,
    changes: Vec<String>,
}

/// The tenants that are named, or all to which the command applies.
pub(crate) fn choose(
    args: &Started,
    history: &History,
    applies: impl Fn(&TenantHistory, &Work) -> bool,
) -> Result<Vec<String>, Failure> {
    if args.all {
        let all =
            history.tenants().filter(|(_, tenant)| tenant.work.as_ref().is_some_and(|work| applies(tenant, work)));
        return Ok(all.map(|(name, _)| name.to_owned()).collect());
    }
    let is_begun = |name: &str| history.tenant(name).is_some_and(|tenant| tenant.work.is_some());
    match args.tenants.iter().find(|name| !is_begun(name)) {
        None => Ok(args.tenants.clone()),
        Some(name) => {
            let state = history.tenant(name).map_or(TenantState::Unplanned, |tenant| tenant.state);
            let error = format!("the tenant `{name}` is {state}: there is nothing to go on with, or back from");
            Err(Failure::new(Exit::Usage, error).hint("`flowswap status` shows where every tenant stands"))
        }
    }
}

/// Reports that no tenant is concerned.
pub(crate) fn report_none(context: &Context, why: &str) -> Result<Exit, Failure> {
    context.terminal.say(why);
    context.terminal.report(&Report { run: None, tenants: Vec::new() }, String::new)?;
    Ok(Exit::Done)
}

/// Goes on with, or back from, what was begun with these tenants.
pub(crate) async fn go_on(
    context: &Context,
    config: &Config,
    names: &[String],
    args: &Started,
    command: RunCommand,
    goal: Goal,
) -> Result<Exit, Failure> {
    let progress = context.progress();
    let (ports, history) = context.run_ports(config, progress.clone()).await?;
    let fleet = Fleet::open(context, config, names, &ports).await?;
    let jobs = jobs(&fleet, &history, args, goal)?;
    execute(context, config, runner(ports), &progress, command, jobs).await
}

/// A runner for a new run.
pub(crate) fn runner(ports: Ports) -> Runner {
    Runner::new(ports, RunId::generate())
}

/// Jobs that go on with what was begun.
fn jobs(fleet: &Fleet, history: &History, args: &Started, goal: Goal) -> Result<Vec<Job>, Failure> {
    let mut jobs = Vec::new();
    for tenant in &fleet.tenants {
        let Some(started) = history.tenant(&tenant.spec.name) else { continue };
        let Some(work) = &started.work else { continue };
        let used = [&work.tenant.provider_plugin, &work.tenant.directory_plugin];
        let changed = used.into_iter().find(|name| {
            let sha256 = |pin: Option<&flowswap_engine::PluginPin>| pin.map(|pin| pin.sha256.clone());
            sha256(work.plugins.get(*name)) != sha256(fleet.pins.get(*name))
        });
        if let (Some(name), false) = (changed, args.accept_changes) {
            let error = format!("tenant `{}` was begun with another build of plugin `{name}`", tenant.spec.name);
            let failure = Failure::new(Exit::Refused, error);
            return Err(failure.hint("use that build, or pass `--accept-changes` if this one is known to be fit"));
        }
        jobs.push(Job {
            tenant: tenant.clone(),
            plan: work.plan.clone(),
            planned: work.tenant.clone(),
            plugins: work.plugins.clone(),
            history: Some(started.clone()),
            goal,
            not_after: None,
            terms: Terms::default(),
            accept_changes: args.accept_changes,
        });
    }
    Ok(jobs)
}

/// Runs the jobs and reports what became of them.
pub(crate) async fn execute(
    context: &Context,
    config: &Config,
    runner: Runner,
    progress: &Progress,
    command: RunCommand,
    jobs: Vec<Job>,
) -> Result<Exit, Failure> {
    let limits = FleetLimits { concurrency: config.run.concurrency, max_failures: config.run.max_failures };
    let summary = runner.run(command, jobs, limits).await;
    progress.clear();
    let summary = summary.map_err(|error| {
        let hint = match &error {
            JournalError::Fenced(_) => {
                "another flowswap is at work on this state; `flowswap status` shows what it does".to_owned()
            }
            _ => format!(
                "nothing is claimed that is not in `{}`; once that can be written, run the same command again",
                StateDir::at(&config.state).journal().display()
            ),
        };
        Failure::new(Exit::Failed, error).hint(hint)
    })?;
    let report = Report { run: Some(runner.id()), tenants: summary.outcomes.iter().map(row).collect() };
    context.terminal.report(&report, || text(&report))?;
    Ok(exit_of(&summary))
}

fn row((name, outcome): &(String, Outcome)) -> Row {
    let name = name.clone();
    match outcome.clone() {
        Outcome::Ended { state, reason } => {
            Row { name, outcome: "ended", state: Some(state), reason, changes: Vec::new() }
        }
        Outcome::Refused { changes } => Row { name, outcome: "refused", state: None, reason: None, changes },
        Outcome::Skipped { reason } => {
            Row { name, outcome: "skipped", state: None, reason: Some(reason), changes: Vec::new() }
        }
    }
}

fn text(report: &Report) -> String {
    let word = |row: &Row| row.state.map_or_else(|| row.outcome.to_owned(), |state| state.to_string());
    let rows = report.tenants.iter().map(|row| {
        let tone = row.state.map_or(Tone::Care, tone_of_state);
        let note = row.reason.clone().unwrap_or_else(|| row.changes.join("; "));
        [table::plain(&row.name), table::toned(tone, word(row)), table::plain(note)]
    });
    table::render(["tenant", "state", ""], rows) + &format!("\n{}\n", count(report.tenants.iter().map(word)))
}

fn exit_of(summary: &Summary) -> Exit {
    use TenantState as S;
    let any = |matches: fn(&Outcome) -> bool| summary.outcomes.iter().any(|(_, outcome)| matches(outcome));
    if summary.interrupted {
        Exit::Interrupted
    } else if any(|o| matches!(o, Outcome::Skipped { .. } | Outcome::Ended { state: S::Failed | S::Stuck, .. })) {
        Exit::SomeFailed
    } else if any(|o| matches!(o, Outcome::Refused { .. })) {
        Exit::Refused
    } else if any(|o| matches!(o, Outcome::Ended { state: S::Waiting, .. })) {
        Exit::NeedsPerson
    } else {
        Exit::Done
    }
}
