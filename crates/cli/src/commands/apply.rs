//! `flowswap apply`: carries out the reviewed plan, and nothing else.

use std::{path::Path, sync::Arc};

use flowswap_engine::{Goal, Job};

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
    let mut names: Vec<String> =
        plan.outlines().filter(|tenant| tenant.steps > 0).map(|tenant| tenant.name.clone()).collect();
    if names.is_empty() {
        return started::report_no_tenants(context, "the plan has no tenant to migrate");
    }
    let lost: Vec<String> = names.extract_if(.., |name| config.tenant(name).is_none()).collect();
    if let (Some(gone), true) = (lost.first(), names.is_empty()) {
        let failure =
            Failure::new(Exit::Refused, format!("the plan has the tenant `{gone}`, but the configuration does not"));
        return Err(failure.hint("plan again, or use the configuration that the plan was made with"));
    }
    let lost = lost.into_iter().map(|name| (name, Goal::Swapped)).collect();
    let question = format!("Migrate {}?", display::tenants(names.len()));
    context.terminal.confirm(&display::plan::summarize(plan.head(), plan.outlines()), &question, args.yes)?;

    let gate = args.interactive.then(OutputGate::default);
    let progress = context.progress_beside(gate.as_ref());
    let ports = context.run_ports(&config, progress.clone()).await?;
    let ports = match gate {
        Some(gate) => Interactive::join(context.terminal, gate, ports),
        None => ports,
    };
    let Fleet { tenants, pins } = Fleet::open(context, &config, &names, &ports).await?;
    // A later command may continue the run from another folder.
    let path = std::path::absolute(&args.file.plan).unwrap_or_else(|_| args.file.plan.clone());
    let path = path.display().to_string();
    let (config, path) = (&config, path.as_str());
    let jobs = tenants.into_iter().map(move |tenant| Job {
        goal: Goal::Swapped,
        part: plan.part(&tenant.spec.name, path).map(Arc::new),
        plugins: pins.clone(),
        assignment: started::assignment(config, &tenant.spec.name),
        accept_changes: args.changes.accept_changes,
        tenant,
    });
    started::execute(context, config, ports, &progress, Goal::Swapped, jobs, lost).await
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
