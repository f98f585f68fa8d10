//! `flowswap plan`: lists every step without a change, and writes the file that `apply` reads.

use std::path::{Path, PathBuf};

use flowswap_config::Config;
use flowswap_engine::{
    Clock, Entry, Intent, Logbook, Overview, Plan, PlanError, PlanFile, Recording, RunId, hold_back_shared_orgs,
    plan_tenant,
};
use flowswap_host::quoted;
use flowswap_report::{PlanReport, ReportKind};
use jiff::SignedDuration;

use super::{detect::exit_of, rotate};
use crate::{
    approvals::people,
    args::{PlanArgs, RotateArgs, Select, Split},
    context::{Context, SystemClock, keep_snapshot, write_logbook},
    display::{self, causes, text::text},
    exit::{Exit, Failure},
    fleet::Fleet,
    output::{Kind, NEW_PLAN, NOT_A_PLAN, Output, read_plan, read_regular},
    report_files::ReportFiles,
    selection,
    terminal::{Tone, paint},
    waves::plan_in_waves,
};

pub(crate) async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let making = Making {
        select: &args.select,
        output: args.output.as_deref(),
        reports: &args.reports.reports,
        split: args.split,
        force: args.force,
        rotation: None,
    };
    make(context, &making).await
}

/// How a plan is made.
pub(super) struct Making<'a> {
    pub(super) select: &'a Select,
    /// Where it goes, beside the terminal.
    pub(super) output: Option<&'a Path>,
    pub(super) reports: &'a [PathBuf],
    pub(super) split: Split,
    /// Whether files are replaced that flowswap did not write.
    pub(super) force: bool,
    /// What is rotated. `None` for a migration.
    pub(super) rotation: Option<&'a RotateArgs>,
}

/// Makes a plan, shows it, and writes it.
pub(super) async fn make(context: &Context, making: &Making<'_>) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let progress = context.progress();
    let ports = context.read_ports(&config, progress.clone()).await?;
    let output = making.output.map(|path| Output::prepare(path, Kind::Plan, making.force)).transpose()?;
    let reports = ReportFiles::prepare(ReportKind::Plan, making.reports, making.output, making.force)?;
    if let (Some(path), true) = (making.output, output.as_ref().is_some_and(Output::is_file)) {
        refuse_plan_in_use(path, &ports.logbook)?;
    }
    let (before, after) = making.select.split_by_look();
    let names = selection::select_configured(&config, &ports.logbook, &before).await?;
    let mut fleet = Fleet::open(context, &config, &names, &ports).await?;
    if let Some(args) = making.rotation {
        rotate::prepare(&mut fleet.tenants, args, &ports.logbook).await?;
    }
    let now = SystemClock.now();
    let planned = fleet.each(&config, &progress, |tenant| async move { plan_tenant(&tenant, now).await }).await;
    context.fail_if_stopped()?;
    let mut tenants = planned.into_iter().collect::<Result<Vec<_>, _>>().map_err(plugin_defect)?;
    selection::keep_seen(&mut tenants, &after, |tenant| (&tenant.name, tenant.verdict, &tenant.findings))?;
    if let Some(args) = making.rotation {
        rotate::keep_old(&mut tenants, args, now, context.terminal);
        if tenants.is_empty() {
            context.terminal.say("no tenant is left, so there is nothing to plan");
            return Ok(Exit::Done);
        }
    }
    hold_back_shared_orgs(&mut tenants, &ports.logbook.busy_orgs());
    // A reader that stays open would keep the writer from tidying up the journal's files.
    drop(ports);
    let not_after = now
        + SignedDuration::try_from(config.run.plan_lifetime).map_err(Failure::at("compute when the plan expires"))?;
    let plan = Plan::freeze(now, not_after, Some(context.actor()), fleet.pins, tenants).map_err(plugin_defect)?;
    let plan = plan_in_waves(plan, &config, making.split)?;
    match (making.output, &output) {
        (Some(path), Some(output)) => write(context, &config, path, output, &plan).await?,
        _ => {
            let each = context.terminal.verbose > 0;
            context.terminal.report(&plan, || display::review::show_plan(&plan, each))?;
            context.terminal.say("nothing was written; to write the plan for `flowswap apply`, pass `-o plan.json`");
        }
    }
    reports.write(context.terminal, || PlanReport::of(&plan))?;
    Ok(exit_of(plan.tenants.iter().map(|tenant| tenant.verdict)))
}

/// Reads a plan. Refuses the whole plan if anybody changed it. To name a file that is no plan is a mistake of the command line.
pub(crate) fn read(path: &Path) -> Result<PlanFile, Failure> {
    let text = read_plan(path)?;
    let kind = Kind::of_text(&text);
    if let Some(kind) = kind.filter(|kind| *kind != Kind::Plan) {
        let failure = Failure::new(Exit::Usage, format!("`{}` is a {}, not a plan", path.display(), kind.name()));
        return Err(failure.hint("name the file that `flowswap plan -o` wrote"));
    }
    PlanFile::read(text).map_err(|error| {
        let is_plan = kind.is_some() || !matches!(error, PlanError::Malformed(_));
        let (exit, hint) = if is_plan { (Exit::Refused, NEW_PLAN) } else { (Exit::Usage, NOT_A_PLAN) };
        let failure = Failure::at(format!("read the plan `{}`", path.display()))(error);
        Failure { exit, ..failure }.hint(hint)
    })
}

/// A later `apply` of a tenant that failed or waits needs the file of its plan.
fn refuse_plan_in_use(path: &Path, logbook: &Logbook) -> Result<(), Failure> {
    let Some(plan) = read_regular(path).and_then(|text| PlanFile::read(text).ok()) else { return Ok(()) };
    let unfinished =
        |tenant: &Overview| !tenant.state.is_swapped_or_later() && tenant.plan.as_ref() == Some(&plan.head().digest);
    match logbook.overviews().into_iter().find(|(_, tenant)| unfinished(tenant)) {
        None => Ok(()),
        Some((name, tenant)) => {
            let error = format!("`{}` is still in use for `{name}` (state: {})", path.display(), tenant.state);
            Err(Failure::new(Exit::Refused, error)
                .hint(format!("continue that plan: flowswap apply {}; or name another file with `-o`", quoted(path))))
        }
    }
}

fn plugin_defect(error: PlanError) -> Failure {
    Failure::new(Exit::Failed, error).hint("nothing was written; this is a defect of a plugin")
}

/// Writes the plan and shows the next command.
async fn write(context: &Context, config: &Config, path: &Path, output: &Output, plan: &Plan) -> Result<(), Failure> {
    let terminal = context.terminal;
    let each = terminal.verbose > 0;
    output.stream(terminal, |out| plan.write(out))?;
    if output.is_stdout() {
        terminal.say(display::plan::list(plan, each).trim_end());
    } else {
        terminal.report(plan, || display::plan::list(plan, each))?;
    }
    if !output.is_file() {
        terminal.say("the journal does not record this plan: it was not written to a file");
        return Ok(());
    }
    // A plan without a record can only be carried out by its whole digest.
    match record_plan(context, config, path, plan).await {
        Ok(left) if left.is_empty() => {}
        Ok(left) => {
            let names: Vec<&str> = left.iter().map(String::as_str).collect();
            let verb = if names.len() == 1 { "was" } else { "were" };
            let (subject, names) = (causes::subject(&names), causes::list_names(&names));
            let what = "left by a run that was stopped; `flowswap resume` continues that run with its own plan";
            terminal.say(text!("{}{} {} {}", subject, names, verb, what));
        }
        Err(failure) => {
            let warning = paint(Tone::Care, "warning:");
            terminal.say(text!("{} the journal does not record this plan: {}", warning, failure.error));
            terminal.say("so `flowswap apply` will refuse it; make the plan again once the journal can be written");
            return Ok(());
        }
    }
    let path = quoted(path);
    terminal.say(text!("review it: flowswap show {}", path));
    if plan.tenants.iter().all(|tenant| tenant.steps.is_empty()) {
        terminal.say("it has nothing to carry out");
        return Ok(());
    }
    if let Some(approvals) = &config.approvals {
        let people = people(approvals.required);
        terminal.say(text!("{} must approve it: flowswap approve {} --reason REASON", people, path));
    }
    terminal.say(text!("then carry it out: flowswap apply {}", path));
    Ok(())
}

/// Records the verdict of every tenant in the journal, so that `status` can show the next command. Returns the tenants that a run
/// with another plan left.
async fn record_plan(context: &Context, config: &Config, path: &Path, plan: &Plan) -> Result<Vec<String>, Failure> {
    let logbook = write_logbook(context.terminal, config).await?;
    context.courier.start(config, &logbook);
    let (path, by) = (path.display().to_string(), context.actor());
    let waves = plan.wave_by_tenant();
    let notes = plan.tenants.iter().map(|tenant| async {
        let recorder = logbook.recorder(&tenant.name, RunId::none()).await?;
        let (plan, path, by) = (plan.digest.clone(), path.clone(), Some(by.clone()));
        let wave = waves.get(tenant.name.as_str()).map(|wave| (*wave).to_owned());
        let findings = tenant.findings.iter().map(|finding| finding.id.clone()).collect();
        recorder.record(Entry::Planned { plan, path, verdict: tenant.verdict, findings, wave, by }).await
    });
    for result in futures::future::join_all(notes).await {
        result.map_err(Failure::at("record the plan in the journal"))?;
    }
    keep_snapshot(config, &logbook);
    let is_newer = |intent: &Intent| intent.newer_plan.as_ref().is_some_and(|newer| newer.plan == plan.digest);
    let left = logbook.overviews().into_iter().filter(|(_, tenant)| tenant.intent.as_ref().is_some_and(is_newer));
    Ok(left.map(|(name, _)| name).collect())
}
