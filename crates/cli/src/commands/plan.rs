//! `flowswap plan`: the dry run, and the document that `apply` takes.

use std::{io::Write, path::Path};

use flowswap_engine::{
    Clock, Draft, Entry, History, Journal, Plan, PlanError, RunId, TenantHistory, hold_back_neighbours, plan_tenant,
};
use jiff::SignedDuration;

use super::detect::exit_of;
use crate::{
    args::PlanArgs,
    config::Config,
    context::{Context, SystemClock, open_journal, read_history},
    display,
    exit::{Exit, Failure},
    fleet::Fleet,
    terminal::{Tone, paint},
};

pub(crate) async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let history = read_history(&config).await?;
    let progress = context.progress();
    let mut fleet = Fleet::open(context, &config, &args.select.tenants, &context.dry_ports(progress.clone())).await?;
    fleet.recall(&history);
    if let Some(path) = &args.output {
        refuse_plan_in_use(path, &history)?;
    }
    let now = SystemClock.now();
    let planned = fleet.each(&config, &progress, async |tenant| plan_tenant(&tenant, now).await).await;
    context.heed_stop()?;
    let mut tenants = planned.into_iter().collect::<Result<Vec<_>, _>>().map_err(unsound)?;
    hold_back_neighbours(&mut tenants, &history);
    let not_after = now + SignedDuration::try_from(config.run.plan_lifetime).map_err(Failure::at("date the plan"))?;
    let plan = Plan::freeze(now, not_after, fleet.pins, tenants).map_err(unsound)?;
    match &args.output {
        Some(path) => {
            write(path, &plan)?;
            context.terminal.report(&plan, || display::plan::list(&plan))?;
            // The plan is good without the note; only `status` would not know of it.
            if let Err(failure) = note(context, &config, path, &plan).await {
                context.terminal.say(&format!(
                    "{} the plan is not noted in the journal: {}",
                    paint(Tone::Care, "warning:"),
                    failure.error
                ));
            }
            context.terminal.say(&format!(
                "every step: flowswap show {0}\nwhen it has been read: flowswap apply {0}",
                path.display()
            ));
        }
        None => {
            context.terminal.report(&plan, || display::plan::show(&plan))?;
            context.terminal.say("nothing was written; `-o plan.json` writes the plan for `flowswap apply`");
        }
    }
    Ok(exit_of(plan.tenants.iter().map(|tenant| tenant.verdict)))
}

/// Reads a plan file. One that is not as it was written is refused whole.
pub(crate) fn read(path: &Path) -> Result<Plan, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let failure = Failure::at(format!("read the plan `{}`", path.display()))(error);
        Failure { exit: Exit::Usage, ..failure }.hint(format!("`flowswap plan -o {}` makes one", path.display()))
    })?;
    Plan::read(&text).map_err(|error| {
        let failure = Failure::new(Exit::Refused, error);
        failure.hint(format!("make a new one: flowswap plan -o {}", path.display()))
    })
}

/// A plan that was begun is needed to go on; writing over it would leave only the way back.
fn refuse_plan_in_use(path: &Path, history: &History) -> Result<(), Failure> {
    let Some(plan) = std::fs::read_to_string(path).ok().and_then(|text| Plan::read(&text).ok()) else { return Ok(()) };
    let unfinished = |tenant: &TenantHistory| {
        !tenant.state.is_swapped_or_later() && tenant.work.as_ref().is_some_and(|work| work.plan == plan.digest)
    };
    match history.tenants().find(|(_, tenant)| unfinished(tenant)) {
        None => Ok(()),
        Some((name, tenant)) => {
            let error = format!("`{}` is the plan with which `{name}` is {}", path.display(), tenant.state);
            Err(Failure::new(Exit::Refused, error).hint("go on with it, or name another file"))
        }
    }
}

fn unsound(error: PlanError) -> Failure {
    Failure::new(Exit::Failed, error).hint("this is a defect of a plugin; nothing was written")
}

/// Writes the file whole or not at all.
fn write(path: &Path, plan: &Plan) -> Result<(), Failure> {
    let text = plan.render().map_err(unsound)?;
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        Ok(file.persist(path).map(drop)?)
    };
    write().map_err(|error| {
        let failure = Failure::at(format!("write the plan `{}`", path.display()))(error);
        failure.hint("no plan was written; name a place that can be written with `-o`")
    })
}

/// Notes in the journal what the plan says of every tenant, so that `status` can say what is next.
async fn note(context: &Context, config: &Config, path: &Path, plan: &Plan) -> Result<(), Failure> {
    let (journal, _) = open_journal(context.terminal, config).await?;
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
