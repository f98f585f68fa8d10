//! `flowswap apply`: carries out what was reviewed, and nothing else.

use std::{collections::BTreeMap, path::Path};

use flowswap_engine::{Goal, Job, Plan, RunCommand};

use super::{plan, started};
use crate::{
    args::ApplyArgs,
    context::Context,
    display::{self, progress::Floor},
    exit::{Exit, Failure},
    fleet::Fleet,
    interactive::Interactive,
};

pub(crate) async fn run(context: &Context, args: &ApplyArgs) -> Result<Exit, Failure> {
    if args.interactive {
        Interactive::expect_person()?;
    }
    let config = context.load_config()?;
    expect_file(&args.file.plan)?;
    let plan = plan::read(&args.file.plan)?;
    let names: Vec<String> = plan.ready().map(|tenant| tenant.name.clone()).collect();
    if names.is_empty() {
        return started::report_none(context, "the plan has nothing to do");
    }
    if let Some(gone) = names.iter().find(|name| !config.tenants.iter().any(|tenant| tenant.name == **name)) {
        let failure =
            Failure::new(Exit::Refused, format!("the plan has the tenant `{gone}`, and the configuration does not"));
        return Err(failure.hint("plan again, or use the configuration that the plan was made with"));
    }
    let question = format!("Migrate {}?", display::tenants(names.len()));
    context.terminal.confirm(&display::plan::summarize(&plan), &question, args.yes)?;

    let floor = args.interactive.then(Floor::default);
    let progress = context.progress_beside(floor.as_ref());
    let (ports, history) = context.run_ports(&config, progress.clone()).await?;
    let ports = match floor {
        Some(floor) => Interactive::join(context.terminal, floor, ports),
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
            terms: started::terms(&config, &planned.name),
            accept_changes: args.accept_changes,
        })
    });
    // Whoever goes on with the run may do so from another folder.
    let path = std::path::absolute(&args.file.plan).unwrap_or_else(|_| args.file.plan.clone());
    let runner = started::runner(ports).with_plan_path(path.display().to_string()).with_plan_made_at(plan.created_at);
    started::execute(context, &config, runner, &progress, RunCommand::Apply, jobs.collect()).await
}

/// Whoever goes on with the run reads the plan again.
fn expect_file(path: &Path) -> Result<(), Failure> {
    let is_stream = path == Path::new("-") || path.metadata().is_ok_and(|it| !it.is_file() && !it.is_dir());
    if !is_stream {
        return Ok(());
    }
    let error = format!("`{}` is not a file, and going on with a plan reads it again", path.display());
    Err(Failure::new(Exit::Usage, error).hint("write the plan into a file, and name that; `flowswap show -` reads one"))
}

/// What was reviewed was made by certain code; other code may do something else with it.
fn check_plugins(plan: &Plan, fleet: &Fleet) -> Result<(), Failure> {
    let changed = fleet
        .pins
        .iter()
        .find(|(name, pin)| plan.plugins.get(*name).is_none_or(|planned| planned.sha256 != pin.sha256));
    match changed {
        None => Ok(()),
        Some((name, _)) => {
            let failure =
                Failure::new(Exit::Refused, format!("plugin `{name}` is not the one that the plan was made with"));
            Err(failure.hint("plan again with this plugin"))
        }
    }
}
