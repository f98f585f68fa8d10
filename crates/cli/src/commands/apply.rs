//! `flowswap apply`: carries out the reviewed plan, and nothing else.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use flowswap_config::Config;
use flowswap_engine::{Approval, Goal, Job, Outline, Overview, PlanFile};
use flowswap_host::quoted;
use flowswap_store::StateDir;
use jiff::SignedDuration;

use super::{plan, started, status};
use crate::{
    approvals::Approvals,
    args::{ApplyArgs, Select},
    context::{Context, NOTHING_DONE, read_logbook},
    display::{self, progress::OutputGate},
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
    check_head(&plan, args, &config)?;
    let mut names = select(&config, &plan, &args.select).await?;
    if names.is_empty() {
        return started::report_no_tenants(context, "the plan has no tenant to migrate");
    }
    let lost: Vec<String> = names.extract_if(.., |name| config.tenant(name).is_none()).collect();
    if let (Some(gone), true) = (lost.first(), names.is_empty()) {
        let failure = Failure::new(
            Exit::Refused,
            format!("the plan `{}` has the tenant `{gone}`, but the configuration does not", args.file.plan.display()),
        );
        return Err(failure.hint("add the tenant again, or use the configuration that the plan was made with"));
    }
    let lost = lost.into_iter().map(|name| (name, Goal::Swapped)).collect();
    let approvals = Approvals::read(&config, &args.file.plan, &plan)?;
    let meant: BTreeSet<&String> = names.iter().collect();
    let outlines = plan.outlines().filter(|tenant| args.select.is_empty() || meant.contains(&tenant.name));
    let mut summary = display::plan::summarize(plan.head(), outlines);
    if let Some(approvals) = &approvals {
        require_any(approvals, args, &config).await?;
        summary += approvals.summarize();
    }
    let question = Question::about(names.len(), format!("Migrate {}?", display::tenants(names.len())));
    question.ask(context.terminal, &summary, args.yes)?;
    // Somebody may have withdrawn an approval while the question was open.
    let approvals = if args.yes { approvals } else { Approvals::read(&config, &args.file.plan, &plan)? };

    let gate = args.interactive.then(OutputGate::default);
    let progress = context.progress_beside(gate.as_ref());
    let ports = context.run_ports(&config, progress.clone()).await?;
    keep_copy(&config, &plan)?;
    let ports = match gate {
        Some(gate) => Interactive::join(context.terminal, gate, ports),
        None => AtTerminal::join(!args.yes, &progress, ports),
    };
    let Fleet { tenants, pins } = Fleet::open(context, &config, &names, &ports).await?;
    // A later command may continue the run from another folder.
    let path = std::path::absolute(&args.file.plan).unwrap_or_else(|_| args.file.plan.clone());
    let path = path.display().to_string();
    let (config, path) = (&config, path.as_str());
    let signed = approvals.as_ref().map(Approvals::signed).unwrap_or_default();
    let jobs = tenants.into_iter().map(move |tenant| Job {
        goal: Goal::Swapped,
        part: plan.part(&tenant.spec.name, path).map(Arc::new),
        plugins: pins.clone(),
        assignment: started::assignment(config, &tenant.spec.name),
        digest_given: args.digest.is_some(),
        approval: approvals.as_ref().map_or(Approval::NotRequired, |all| all.of_tenant(&tenant.spec.name)),
        accept_changes: args.changes.accept_changes,
        tenant,
    });
    let runner = started::runner(ports).approved_by(signed);
    started::execute(context, config, runner, &progress, Goal::Swapped, jobs, lost).await
}

/// The selected tenants for which the plan has steps. One that was written out and has none is an error.
async fn select(config: &Config, plan: &PlanFile, args: &Select) -> Result<Vec<String>, Failure> {
    let known = read_logbook(config).await?.overviews();
    let outlines: Vec<_> = plan.outlines().collect();
    let candidates = outlines.iter().map(|tenant| {
        let candidate = Candidate::of(&tenant.name, config.tenant(&tenant.name), &known);
        candidate.seen(tenant.verdict, tenant.findings.clone()).in_wave(plan.head().wave_of(&tenant.name))
    });
    let selected = Pool::of_plan(candidates).select(args)?;
    let meant: BTreeSet<&String> = selected.names.iter().collect();
    let meant = outlines.iter().filter(|tenant| meant.contains(&tenant.name));
    let (with_steps, without): (Vec<&Outline>, Vec<&Outline>) = meant.partition(|tenant| tenant.steps > 0);
    if let Some(tenant) = without.iter().find(|tenant| selected.is_written(&tenant.name)) {
        let error = format!("the plan has no steps for `{}`: it is {}", tenant.name, tenant.verdict);
        return Err(Failure::new(Exit::Usage, error).hint(format!("see why: flowswap detect {}", tenant.name)));
    }
    Ok(with_steps.into_iter().map(|tenant| tenant.name.clone()).collect())
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
fn check_head(plan: &PlanFile, args: &ApplyArgs, config: &Config) -> Result<(), Failure> {
    let (head, path) = (plan.head(), &args.file.plan);
    if let Some(digest) = args.digest.as_ref().filter(|digest| **digest != head.digest) {
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
