//! `flowswap apply`: carries out the reviewed plan, and nothing else.

use std::{collections::BTreeMap, path::Path};

use flowswap_engine::{Goal, Job, Plan, RunCommand};

use super::{plan, started};
use crate::{
    args::ApplyArgs,
    context::Context,
    display::{self, progress::OutputGate},
    exit::{Exit, Failure},
    fleet::Fleet,
    interactive::Interactive,
};

pub(crate) async fn run(context: &Context, args: &ApplyArgs) -> Result<Exit, Failure> {
    if args.interactive {
        Interactive::require_terminal()?;
    }
    let config = context.load_config()?;
    require_file(&args.file.plan)?;
    let plan = plan::read(&args.file.plan)?;
    let names: Vec<String> = plan.ready().map(|tenant| tenant.name.clone()).collect();
    if names.is_empty() {
        return started::report_no_tenants(context, "the plan has no tenant to migrate");
    }
    if let Some(gone) = names.iter().find(|name| !config.tenants.iter().any(|tenant| tenant.name == **name)) {
        let failure =
            Failure::new(Exit::Refused, format!("the plan has the tenant `{gone}`, but the configuration does not"));
        return Err(failure.hint("plan again, or use the configuration that the plan was made with"));
    }
    let question = format!("Migrate {}?", display::tenants(names.len()));
    context.terminal.confirm(&display::plan::summarize(&plan), &question, args.yes)?;

    let gate = args.interactive.then(OutputGate::default);
    let progress = context.progress_beside(gate.as_ref());
    let (ports, history) = context.run_ports(&config, progress.clone()).await?;
    let ports = match gate {
        Some(gate) => Interactive::join(context.terminal, gate, ports),
        None => ports,
    };
    let fleet = Fleet::open(context, &config, &names, &ports).await?;
    check_plugins(&plan, &fleet)?;
    let planned: BTreeMap<&str, _> = plan.ready().map(|tenant| (tenant.name.as_str(), tenant)).collect();
    let jobs = fleet.tenants.iter().filter_map(|tenant| {
        let planned = *planned.get(tenant.spec.name.as_str())?;
        Some(Job {
            tenant: tenant.clone(),
            plan: plan.digest.clone(),
            planned: planned.clone(),
            plugins: plan.plugins.clone(),
            history: history.tenant(&planned.name).cloned(),
            goal: Goal::Swapped,
            not_after: Some(plan.not_after),
            assignment: started::assignment(&config, &planned.name),
            accept_changes: args.accept_changes,
        })
    });
    // A later command may continue the run from another folder.
    let path = std::path::absolute(&args.file.plan).unwrap_or_else(|_| args.file.plan.clone());
    let runner = started::runner(ports).with_plan_path(path.display().to_string()).with_plan_made_at(plan.created_at);
    started::execute(context, &config, runner, &progress, RunCommand::Apply, jobs.collect()).await
}

/// Continuing the run reads the plan again, so it must be a file.
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

/// Another build of a plugin may do something else than what the reviewer saw.
fn check_plugins(plan: &Plan, fleet: &Fleet) -> Result<(), Failure> {
    let changed = fleet
        .pins
        .iter()
        .find(|(name, pin)| plan.plugins.get(*name).is_none_or(|planned| planned.sha256 != pin.sha256));
    match changed {
        None => Ok(()),
        Some((name, _)) => {
            let failure =
                Failure::new(Exit::Refused, format!("plugin `{name}` is not the build that the plan was made with"));
            Err(failure.hint("write a new plan with this build: flowswap plan -o NEW.json"))
        }
    }
}
