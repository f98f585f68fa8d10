//! `flowswap plan`: the dry run, and the document that `apply` takes.

use std::path::Path;

use flowswap_engine::{
    Clock, Draft, Entry, History, Journal, Plan, PlanError, RunId, TenantHistory, hold_back_neighbours, plan_tenant,
};
use jiff::SignedDuration;

use super::detect::exit_of;
use crate::{
    args::PlanArgs,
    config::Config,
    context::{Context, SystemClock, open_journal, read_history},
    display::{
        self,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    fleet::Fleet,
    output::{Kind, NEW_PLAN, Output, read_plan, read_regular},
    terminal::{Tone, paint},
};

pub(crate) async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let history = read_history(&config).await?;
    let output = args.output.as_deref().map(|path| Output::prepare(path, Kind::Plan, args.force)).transpose()?;
    if let (Some(path), true) = (&args.output, output.as_ref().is_some_and(Output::is_file)) {
        refuse_plan_in_use(path, &history)?;
    }
    let progress = context.progress();
    let mut fleet = Fleet::open(context, &config, &args.select.tenants, &context.dry_ports(progress.clone())).await?;
    fleet.recall(&history);
    let now = SystemClock.now();
    let planned = fleet.each(&config, &progress, async |tenant| plan_tenant(&tenant, now).await).await;
    context.heed_stop()?;
    let mut tenants = planned.into_iter().collect::<Result<Vec<_>, _>>().map_err(unsound)?;
    hold_back_neighbours(&mut tenants, &history);
    let not_after = now + SignedDuration::try_from(config.run.plan_lifetime).map_err(Failure::at("date the plan"))?;
    let plan = Plan::freeze(now, not_after, fleet.pins, tenants).map_err(unsound)?;
    match (&args.output, &output) {
        (Some(path), Some(output)) => write(context, &config, path, output, &plan).await?,
        _ => {
            context.terminal.report(&plan, || display::plan::show(&plan))?;
            context.terminal.say("nothing was written; `-o plan.json` writes the plan for `flowswap apply`");
        }
    }
    Ok(exit_of(plan.tenants.iter().map(|tenant| tenant.verdict)))
}

/// Reads a plan. One that is not as it was written is refused whole.
pub(crate) fn read(path: &Path) -> Result<Plan, Failure> {
    Plan::read(&read_plan(path)?).map_err(|error| Failure::new(Exit::Refused, error).hint(NEW_PLAN))
}

/// A plan that was begun is needed to go on; writing over it would leave only the way back.
fn refuse_plan_in_use(path: &Path, history: &History) -> Result<(), Failure> {
    let Some(plan) = read_regular(path).and_then(|text| Plan::read(&text).ok()) else { return Ok(()) };
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

/// Writes the plan to where it was asked for, and says what is next.
async fn write(context: &Context, config: &Config, path: &Path, output: &Output, plan: &Plan) -> Result<(), Failure> {
    let terminal = context.terminal;
    let each = terminal.verbose > 0;
    output.write(terminal, &Text::rendered(plan.render().map_err(unsound)?))?;
    if output.is_stdout() {
        terminal.say(display::plan::list(plan, each).trim_end());
    } else {
        terminal.report(plan, || display::plan::list(plan, each))?;
    }
    if !output.is_file() {
        terminal.say("the plan is not noted in the journal, because it is in no file");
        return Ok(());
    }
    // The plan is good without the note; only `status` would not know of it.
    if let Err(failure) = note(context, config, path, plan).await {
        let warning = paint(Tone::Care, "warning:");
        terminal.say(text!("{} the plan is not noted in the journal: {}", warning, failure.error));
    }
    terminal.say(text!("every step: flowswap show {0}\nwhen it has been read: flowswap apply {0}", path.display()));
    Ok(())
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
