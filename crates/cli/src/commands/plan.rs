//! `flowswap plan`: the dry run, and the document that `apply` takes.

use std::path::{Path, PathBuf};

use flowswap_engine::{Clock, Draft, Entry, Journal, Plan, PlanError, RunId, plan_tenant};
use futures::{StreamExt, stream};
use jiff::SignedDuration;

use super::detect::exit_of;
use crate::{
    args::PlanArgs,
    config::Config,
    context::{Context, SystemClock, open_journal},
    display,
    exit::{Exit, Failure},
    fleet::Fleet,
};

pub(crate) async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let ports = context.dry_ports(context.progress());
    let fleet = Fleet::open(context, &config, &args.select.tenants, &ports).await?;
    let now = SystemClock.now();
    let planning = fleet.tenants.iter().map(|tenant| plan_tenant(tenant, now));
    let planned: Vec<_> = stream::iter(planning).buffered(config.run.concurrency).collect().await;
    let tenants = planned.into_iter().map(|result| result.map(|(tenant, _)| tenant)).collect::<Result<Vec<_>, _>>();
    let not_after = now + SignedDuration::try_from(config.run.plan_lifetime).map_err(Failure::at("date the plan"))?;
    let plan = tenants.and_then(|tenants| Plan::freeze(now, not_after, fleet.pins, tenants)).map_err(unsound)?;
    context.terminal.report(&plan, || display::plan::show(&plan))?;
    match &args.output {
        Some(path) => {
            write(path, &plan)?;
            note(&config, path, &plan).await?;
            context.terminal.say(&format!("plan written; when it has been read: flowswap apply {}", path.display()));
        }
        None => context.terminal.say("nothing was written; `-o plan.json` writes the plan for `flowswap apply`"),
    }
    Ok(exit_of(plan.tenants.iter().map(|tenant| tenant.verdict)))
}

/// Reads a plan file. A plan that is not as it was written, or is too old, is refused whole.
pub(crate) fn read(path: &Path) -> Result<Plan, Failure> {
    let text = std::fs::read_to_string(path).map_err(Failure::at(format!("read the plan `{}`", path.display())))?;
    Plan::read(&text, SystemClock.now()).map_err(|error| {
        let failure = Failure::new(Exit::Refused, error);
        failure.hint(format!("make a new one: flowswap plan -o {}", path.display()))
    })
}

fn unsound(error: PlanError) -> Failure {
    Failure::new(Exit::Failed, error).hint("this is a defect of a plugin; nothing was written")
}

/// Writes the file whole or not at all.
fn write(path: &Path, plan: &Plan) -> Result<(), Failure> {
    let text = plan.render().map_err(unsound)?;
    let doing = || format!("write the plan `{}`", path.display());
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    let file = tempfile::NamedTempFile::new_in(dir).map_err(Failure::at(doing()))?;
    std::fs::write(file.path(), text).map_err(Failure::at(doing()))?;
    file.as_file().sync_all().map_err(Failure::at(doing()))?;
    file.persist(path).map(drop).map_err(Failure::at(doing()))
}

/// Notes in the journal what the plan says of every tenant, so that `status` can say what is next.
async fn note(config: &Config, path: &Path, plan: &Plan) -> Result<(), Failure> {
    let (journal, _) = open_journal(config).await?;
    let path = path.display().to_string();
    let notes = plan.tenants.iter().map(|tenant| {
        journal.append(Draft {
            at: plan.created_at,
            run: RunId::none(),
            tenant: Some(tenant.name.clone()),
            entry: Entry::Planned { plan: plan.digest.clone(), path: path.clone(), verdict: tenant.verdict },
        })
    });
    for result in futures::future::join_all(notes).await {
        result.map_err(Failure::at("note the plan in the journal"))?;
    }
    Ok(())
}
