//! `flowswap apply`: carries out the reviewed plan, and nothing else.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use flowswap_config::Config;
use flowswap_engine::{Approval, Goal, Job, Outline, Overview, Plan, PlanFile, Ports, Verdict};
use flowswap_host::quoted;
use flowswap_store::StateDir;
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    detect::exit_of,
    plan,
    run_report::Report,
    stage::{self, Held, Stage, stages},
    started::{self, Lost},
    status,
};
use crate::{
    approvals::Approvals,
    args::{ApplyArgs, Select},
    context::{Context, NOTHING_DONE, read_logbook},
    display::{self, progress::OutputGate, text::text},
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    fleet::Fleet,
    go_on::AtTerminal,
    interactive::Interactive,
    question::Question,
    selection::{Candidate, Pool},
};

pub(crate) async fn run(context: &Context, args: &ApplyArgs) -> Result<Exit, Failure> {
    if args.interactive {
        Interactive::require_terminal()?;
    }
    let config = context.load_config()?;
    require_file(&args.file.plan)?;
    let plan = plan::read(&args.file.plan)?;
    check_head(&plan, &How::of(args), &config)?;
    let mut names = select(&config, &plan, &args.file.plan, &args.select).await?;
    if names.is_empty() && !args.select.is_empty() {
        let failure = Failure::new(Exit::Usage, "the plan has no steps for these tenants");
        return Err(failure.hint(format!("show the plan: flowswap show {}", quoted(&args.file.plan))));
    }
    if names.is_empty() {
        return report_without_steps(context, &plan, &args.file.plan);
    }
    let lost: Vec<String> = names.extract_if(.., |name| config.tenant(name).is_none()).collect();
    if let (Some(gone), true) = (lost.first(), names.is_empty()) {
        let failure = Failure::new(
            Exit::Refused,
            format!("the plan `{}` has the tenant `{gone}`, but the configuration does not", args.file.plan.display()),
        );
        return Err(failure.hint("add the tenant again, or use the configuration that the plan was made with"));
    }
    let mut lost: Lost = lost.into_iter().map(|name| (name, Goal::Swapped)).collect();
    let stages = stages(plan.head(), &names, args)?;
    let approvals = Approvals::read(&config, &args.file.plan, &plan)?;
    let known = read_logbook(&config).await?.overviews();
    let meant = stage::within_reach(&stages, &plan, &known, args);
    if let (true, true, Some(held)) =
        (meant.is_empty(), lost.is_empty(), stage::find_held(&stages, &plan, &known, args))
    {
        Reports { held: Some(held), ..Reports::default() }.print(context, plan.head())?;
        return Ok(Exit::NeedsPerson);
    }
    let is_whole = args.select.is_empty() && plan.head().waves.is_empty();
    let outlines = plan.outlines().filter(|tenant| is_whole || meant.contains(&tenant.name));
    let mut summary = display::plan::summarize(plan.head(), outlines);
    if let Some(approvals) = &approvals {
        require_any(approvals, args, &config).await?;
        summary += approvals.summarize();
    }
    if !meant.is_empty() {
        let whom = text!("{}{}", display::tenants(meant.len()), stage::name_waves(&stages, &meant));
        let rotates = plan.outlines().any(|tenant| tenant.rotates);
        let what = if rotates { "Rotate the client secrets of" } else { "Migrate" };
        let question = Question::about(meant.len(), format!("{what} {}?", whom.into_string()));
        question.ask(context, &summary, args.yes).await?;
    }
    // Somebody may have withdrawn an approval while the question was open.
    let approvals = if args.yes { approvals } else { Approvals::read(&config, &args.file.plan, &plan)? };

    let ports = context.run_ports(&config, context.progress()).await?;
    keep_copy(&config, &plan)?;
    let how = How::of(args);
    let migration = Migration { context, config: &config, how, plan: &plan, approvals: approvals.as_ref(), ports };
    let (mut exit, mut reports) = (Exit::Done, Reports::default());
    for (index, stage) in stages.iter().enumerate() {
        let known = migration.ports.logbook.overviews();
        if stage.is_done(&known) && lost.is_empty() && stages.len() > 1 {
            continue;
        }
        if let Some(held) = stage.hold(&plan, &stages[..index], &known, args) {
            exit = started::worst(exit, Exit::NeedsPerson);
            reports.held = Some(held);
            break;
        }
        let (report, of_stage) = migration.run(&stage.names, std::mem::take(&mut lost)).await?;
        exit = started::worst(exit, of_stage);
        let stopped_itself = report.has_stopped();
        reports.add(context, stage, report)?;
        if context.stop.is_stopped() {
            if index + 1 < stages.len() {
                exit = started::worst(exit, Exit::Interrupted);
            }
            break;
        }
        // Whatever stopped this wave would meet the next one too.
        if let (true, Some(next)) = (stopped_itself, stages.get(index + 1)) {
            reports.held = next.held_by_stop(plan.head(), stage, args);
            break;
        }
    }
    reports.print(context, plan.head())?;
    Ok(exit)
}

/// The reports of all waves.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Reports {
    /// The waves that the command worked on.
    waves: Vec<OfWave>,
    /// The wave that did not begin.
    held: Option<Held>,
}

impl Document for Reports {
    const NAME: DocumentName = DocumentName::Waves;
}

#[derive(Serialize, JsonSchema)]
struct OfWave {
    /// The name of the wave.
    wave: String,
    #[serde(flatten)]
    report: Report,
}

impl Reports {
    /// Prints the report of a stage. JSON is one document, so that of a plan with waves is printed at the end.
    fn add(&mut self, context: &Context, stage: &Stage<'_>, report: Report) -> Result<(), Failure> {
        match stage.wave {
            Some((_, wave)) => {
                if context.terminal.is_for_people() {
                    context.terminal.write_out(&text!("wave {}:\n", wave.name))?;
                    report.print(context)?;
                }
                self.waves.push(OfWave { wave: wave.name.clone(), report });
                Ok(())
            }
            None => report.print(context),
        }
    }

    /// Prints what comes after the last report of a plan with waves.
    fn print(&self, context: &Context, plan: &Plan) -> Result<(), Failure> {
        if plan.waves.is_empty() {
            return Ok(());
        }
        if self.waves.is_empty() && self.held.is_none() {
            context.terminal.say("all of these tenants are swapped already");
        }
        context.terminal.report(self, || self.held.as_ref().map(Held::show).unwrap_or_default())
    }
}

/// How a plan is carried out.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    /// The file of the plan.
    pub(super) path: &'a Path,
    /// The whole digest of the plan, if the operator gave it.
    pub(super) digest: Option<&'a str>,
    /// Whether a person at this terminal carries out the run sheets.
    pub(super) interactive: bool,
    /// Whether the person at the terminal can be asked while the run goes on.
    pub(super) may_ask: bool,
    pub(super) accept_changes: bool,
    /// Whether the tenants are rolled back afterwards.
    pub(super) rehearsal: bool,
}

impl<'a> How<'a> {
    fn of(args: &'a ApplyArgs) -> Self {
        Self {
            path: &args.file.plan,
            digest: args.digest.as_deref(),
            interactive: args.interactive,
            may_ask: !args.yes,
            accept_changes: args.changes.accept_changes,
            rehearsal: false,
        }
    }
}

/// Carries out a plan for some of its tenants, in one run and whatever their waves are. Prints nothing.
pub(super) async fn carry_out(
    context: &Context,
    config: &Config,
    plan: &PlanFile,
    how: How<'_>,
    names: &[String],
) -> Result<(Report, Exit), Failure> {
    check_head(plan, &how, config)?;
    let approvals = Approvals::read(config, how.path, plan)?;
    let ports = context.run_ports(config, context.progress()).await?;
    keep_copy(config, plan)?;
    let migration = Migration { context, config, how, plan, approvals: approvals.as_ref(), ports };
    migration.run(names, Vec::new()).await
}

/// Carries out parts of a plan.
struct Migration<'a> {
    context: &'a Context,
    config: &'a Config,
    how: How<'a>,
    plan: &'a PlanFile,
    approvals: Option<&'a Approvals>,
    ports: Ports,
}

impl Migration<'_> {
    /// Migrates some tenants in a run of their own, so that their failures are counted alone.
    async fn run(&self, names: &[String], lost: Lost) -> Result<(Report, Exit), Failure> {
        let Self { context, config, how, plan, approvals, .. } = *self;
        let gate = how.interactive.then(OutputGate::default);
        let progress = context.progress_beside(gate.as_ref());
        let ports = Ports { events: context.overheard(progress.clone()), ..self.ports.clone() };
        let ports = match gate {
            Some(gate) => Interactive::join(context.terminal, gate, ports),
            None => AtTerminal::join(how.may_ask, &progress, ports),
        };
        let Fleet { tenants, pins } = Fleet::open(context, config, names, &ports).await?;
        // A later command may continue the run from another folder.
        let path = std::path::absolute(how.path).unwrap_or_else(|_| how.path.to_owned());
        let path = path.display().to_string();
        let jobs = tenants.into_iter().map(|tenant| Job {
            goal: Goal::Swapped,
            part: plan.part(&tenant.spec.name, &path).map(Arc::new),
            plugins: pins.clone(),
            assignment: started::assignment(config, &tenant.spec.name),
            digest_given: how.digest.is_some(),
            approval: approvals.map_or(Approval::NotRequired, |all| all.of_tenant(&tenant.spec.name)),
            accept_changes: how.accept_changes,
            rehearsal: how.rehearsal,
            tenant,
        });
        let signed = approvals.map(Approvals::signed).unwrap_or_default();
        let runner = started::runner(ports).approved_by(signed);
        started::run_jobs(context, config, runner, &progress, Goal::Swapped, jobs, lost).await
    }
}

/// The selected tenants for which the plan has steps. One that was written out and has none is an error.
async fn select(config: &Config, plan: &PlanFile, path: &Path, args: &Select) -> Result<Vec<String>, Failure> {
    let known = read_logbook(config).await?.overviews();
    let outlines: Vec<_> = plan.outlines().collect();
    let candidates = outlines.iter().map(|tenant| {
        let candidate = Candidate::of(&tenant.name, config.tenant(&tenant.name), &known);
        candidate.seen(tenant.verdict, tenant.findings.clone()).in_wave(plan.wave_of(&tenant.name))
    });
    let selected = Pool::of_plan(candidates, path).select(args)?;
    let meant: BTreeSet<&String> = selected.names.iter().collect();
    let meant = outlines.iter().filter(|tenant| meant.contains(&tenant.name));
    let (with_steps, without): (Vec<&Outline>, Vec<&Outline>) = meant.partition(|tenant| tenant.steps > 0);
    if let Some(tenant) = without.iter().find(|tenant| selected.is_written(&tenant.name)) {
        return Err(no_steps(tenant));
    }
    Ok(with_steps.into_iter().map(|tenant| tenant.name.clone()).collect())
}

/// Reports that the plan migrates nobody. Its blocked and unknown tenants need a person, as when the plan was made.
fn report_without_steps(context: &Context, plan: &PlanFile, path: &Path) -> Result<Exit, Failure> {
    let verdicts: Vec<Verdict> = plan.outlines().map(|tenant| tenant.verdict).collect();
    let mut why = text!("the plan has no tenant to migrate: {}", display::count(&verdicts));
    let exit = exit_of(verdicts);
    if exit != Exit::Done {
        why += text!("\nsee why: flowswap show {}", quoted(path));
    }
    started::report_no_tenants(context, why)?;
    Ok(exit)
}

/// The failure for a tenant that was written out and that the plan does not migrate.
pub(super) fn no_steps(tenant: &Outline) -> Failure {
    let error = format!("the plan has no steps for `{}`: it is {}", tenant.name, tenant.verdict);
    Failure::new(Exit::Usage, error).hint(format!("see why: flowswap detect {}", tenant.name))
}

/// Fails early if nobody could be migrated: no tenant has enough approvals, and none was started with this plan.
async fn require_any(approvals: &Approvals, args: &ApplyArgs, config: &Config) -> Result<(), Failure> {
    let plan = &approvals.requirement.expected.plan;
    let is_started = |tenant: &Overview| tenant.plan.as_ref() == Some(plan);
    if approvals.split().0 > 0 || read_logbook(config).await?.overviews().values().any(is_started) {
        return Ok(());
    }
    let path = &args.file.plan;
    let error = format!("nobody may carry out the plan `{}` yet: no class has enough approvals", path.display());
    Err(Failure::new(Exit::Refused, error).hint(format!("see what is missing: flowswap approvals {}", quoted(path))))
}

/// Refuses a plan that is not the one with the given digest, or that is valid longer than the configuration allows.
fn check_head(plan: &PlanFile, how: &How<'_>, config: &Config) -> Result<(), Failure> {
    let (head, path) = (plan.head(), how.path);
    if let Some(digest) = how.digest.filter(|digest| *digest != head.digest) {
        let error = format!("`{}` is not the plan with the digest {digest}", path.display());
        let hint =
            format!("pass the whole digest that the reviewer saw; compare it with: flowswap show {}", quoted(path));
        return Err(Failure::new(Exit::Refused, error).hint(hint));
    }
    let lifetime = config.run.plan_lifetime;
    if head.not_after.duration_since(head.created_at).unsigned_abs() > lifetime {
        let error = format!(
            "the plan `{}` of {} is valid until {}, but `run.plan_lifetime` allows only {}",
            path.display(),
            head.created_at,
            head.not_after,
            SignedDuration::try_from(lifetime).map(|lifetime| format!("{lifetime:#}")).unwrap_or_default()
        );
        let names: Vec<&str> = plan.outlines().filter(|it| it.steps > 0).map(|it| it.name.as_str()).collect();
        // The file chooses these names, and the hint is to be pasted into a shell.
        let names = if names.iter().all(|name| config.tenant(name).is_some()) { names } else { Vec::new() };
        let hint = format!("write a new plan to another file: {}", status::plan_again(&names));
        return Err(Failure::new(Exit::Refused, error).hint(hint));
    }
    Ok(())
}

/// Keeps the whole plan for auditors. The journal has only the parts of tenants.
fn keep_copy(config: &Config, plan: &PlanFile) -> Result<(), Failure> {
    let kept = StateDir::at(&config.state).keep_plan(&plan.head().digest, plan.text());
    kept.map_err(Failure::at("keep a copy of the plan")).map_err(|failure| failure.hint(NOTHING_DONE))
}

/// A later `apply` of a tenant that failed or waits reads the plan again, so it must be a file.
fn require_file(path: &Path) -> Result<(), Failure> {
    let is_stream = path == Path::new("-") || path.metadata().is_ok_and(|it| !it.is_file() && !it.is_dir());
    if !is_stream {
        return Ok(());
    }
    let error =
        format!("`{}` is not a file, but flowswap must read the plan again to continue the run", path.display());
    Err(Failure::new(Exit::Usage, error)
        .hint("write the plan to a file, and pass that file; `flowswap show -` can show a plan from stdin"))
}
