//! `flowswap resume`: continues what runs that were interrupted or stopped have not finished, from the journal alone.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    mem,
    path::Path,
    sync::Arc,
};

use flowswap_config::Config;
use flowswap_engine::{Approval, Goal, Intent, Logbook, NewerPlan, Overview, TenantState, short};
use flowswap_host::{chain, quoted};

use super::{
    give_up::give_up,
    plan, standing,
    started::{self, Lost, RunPurpose},
};
use crate::{
    approvals::Approvals,
    args::ResumeArgs,
    context::{Context, cannot_read, read_logbook},
    display::{
        self, causes,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    fleet::Fleet,
    full_command,
    go_on::AtTerminal,
    question::Question,
    selection::{self, Selected},
};

pub(crate) async fn run(context: &Context, args: &ResumeArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    let selected = selection::select(&config, &logbook, &args.select)?;
    // Giving up needs nothing but the journal.
    if !args.give_up {
        selected.refuse_gone(&config, &logbook).await?;
    }
    let mut open: BTreeMap<String, (Overview, Intent)> = BTreeMap::new();
    let has_intent = |name: &&String| logbook.overview(name).is_some_and(|tenant| tenant.intent.is_some());
    for name in selected.names.iter().filter(has_intent) {
        let tenant = logbook.overview_from_records(name).await.map_err(cannot_read)?;
        if let Some((tenant, intent)) = tenant.and_then(|tenant| Some((tenant.clone(), tenant.intent?))) {
            open.insert(name.clone(), (tenant, intent));
        }
    }
    let known = logbook.overviews();
    let known: Vec<_> = selected.names.iter().filter_map(|name| known.get_key_value(name)).collect();
    if open.is_empty() && !args.give_up {
        return report_nothing(context, &selected, &logbook, &known).await;
    }
    if open.is_empty() {
        return started::report_no_tenants(context, nothing_left(&selected));
    }
    if args.give_up {
        // A reader that stays open would keep the writer from tidying up the journal's files.
        drop(logbook);
        return give_up_unreached(context, &config, &selected, open, args.yes).await;
    }
    let mut names: Vec<String> = open.keys().cloned().collect();
    let mut lost: Lost = Vec::new();
    for name in started::take_lost(&config, &mut names, &logbook).await? {
        lost.extend(open.remove(&name).map(|(_, intent)| (name, intent.goal)));
    }
    let question = Question::about(open.len(), format!("Continue {}?", display::tenants(open.len())));
    question.ask(context, &describe(&open).trim_end(), args.yes).await?;
    // A reader that stays open would keep the writer from tidying up the journal's files.
    drop(logbook);
    let held = find_held(&known.iter().filter(|(name, _)| !open.contains_key(*name)).copied().collect::<Vec<_>>());
    let mut exit = if held.is_empty() { Exit::Done } else { Exit::NeedsPerson };
    for goal in [Goal::RolledBack, Goal::Swapped, Goal::Retired, Goal::Purged] {
        let names = open.iter().filter(|(_, (_, intent))| intent.goal == goal).map(|(name, _)| name.clone());
        let names: Vec<String> = names.collect();
        if names.is_empty() {
            continue;
        }
        if context.stop.is_stopped() {
            return Ok(Exit::Interrupted);
        }
        let purpose = RunPurpose { may_ask: !args.yes, ..RunPurpose::to(goal) }.accepting(args.changes);
        exit =
            started::worst(exit, continue_all(context, &config, &names, mem::take(&mut lost), purpose, &open).await?);
    }
    if !held.is_empty() {
        context.terminal.say(describe_held(&held).trim_end());
    }
    let rehearsed = rehearsed(&*read_logbook(&config).await?, open.keys());
    if !rehearsed.is_empty() {
        let (subject, listed) = (causes::subject(&rehearsed), causes::list_names(&rehearsed));
        let next = full_command::of(format!("flowswap rehearse {}", rehearsed.join(" ")));
        context.terminal.say(text!("{}{}: the rehearsal ends with a rollback; next: {}", subject, listed, next));
        exit = started::worst(exit, Exit::NeedsPerson);
    }
    Ok(exit)
}

/// Those that are swapped for a rehearsal. No run that this command continued goes on to the rollback.
fn rehearsed<'a>(logbook: &Logbook, names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let is_left = |name: &&String| logbook.overview(name).is_some_and(|tenant| tenant.is_swapped_for_rehearsal());
    names.filter(is_left).map(String::as_str).collect()
}

/// Reports that no run left anything. What it began may still need a person or time, and a later wave may not have begun.
async fn report_nothing(
    context: &Context,
    selected: &Selected,
    logbook: &Logbook,
    known: &[(&String, &Overview)],
) -> Result<Exit, Failure> {
    let held = find_held(known);
    let mut under_way = Vec::new();
    for (name, _) in known.iter().filter(|(_, it)| it.plan.is_some() && standing::exit_of(it) != Exit::Done) {
        // The overview may come from a snapshot, which proves nothing.
        let tenant = logbook.overview_from_records(name).await.map_err(cannot_read)?;
        under_way.extend(tenant.filter(|it| standing::exit_of(it) != Exit::Done).map(|tenant| (name.as_str(), tenant)));
    }
    let all = if held.is_empty() && under_way.is_empty() {
        nothing_left(selected)
    } else {
        text!("no run was cut off\n") + describe_held(&held) + describe_under_way(&under_way)
    };
    started::report_no_tenants(context, all.trim_end())?;
    let of_held = if held.is_empty() { Exit::Done } else { Exit::NeedsPerson };
    Ok(started::worst(of_held, standing::exit_of_all(under_way.iter().map(|(_, tenant)| tenant))))
}

/// The tenants that a run began and ended without getting them to their goal, one line for each state.
fn describe_under_way(tenants: &[(&str, Overview)]) -> Text {
    let mut by_state: BTreeMap<TenantState, Vec<&str>> = BTreeMap::new();
    for (name, tenant) in tenants {
        by_state.entry(tenant.state).or_default().push(name);
    }
    let line = |(state, names): (TenantState, Vec<&str>)| {
        let (subject, listed) = (causes::subject(&names), causes::list_names(&names));
        text!("{}{}: {}; for the next command, run `flowswap status`\n", subject, listed, state)
    };
    by_state.into_iter().map(line).collect()
}

fn nothing_left(selected: &Selected) -> Text {
    let whose = if selected.is_narrowed { "these tenants" } else { "its tenants" };
    text!(
        "every run has finished {}, so there is nothing to continue; for the next command, run `flowswap status`",
        whose
    )
}

/// The tenants in waves that have not begun, although others of the same plan have, by the place of the plan.
fn find_held<'a>(known: &[(&'a String, &'a Overview)]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let begun: BTreeSet<_> =
        known.iter().filter_map(|(_, it)| it.plan_path.as_deref().filter(|_| it.plan.is_some())).collect();
    let mut held: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, tenant) in known.iter().filter(|(_, it)| it.state == TenantState::Planned && it.wave.is_some()) {
        if let Some(path) = tenant.plan_path.as_deref().filter(|path| begun.contains(path)) {
            held.entry(path).or_default().push(name);
        }
    }
    held
}

/// The waves that have not begun, one line for each plan.
fn describe_held(held: &BTreeMap<&str, Vec<&str>>) -> Text {
    let line = |(path, names): (&&str, &Vec<&str>)| {
        let (subject, names) = (causes::subject(names), causes::list_names(names));
        let path = quoted(Path::new(*path));
        text!("not begun yet: {}{}; go on, or see what they wait for: flowswap apply {}\n", subject, names, path)
    };
    held.iter().map(line).collect()
}

/// Gives up what the interrupted runs have not begun. Refuses a named tenant for which they have.
async fn give_up_unreached(
    context: &Context,
    config: &Config,
    selected: &Selected,
    mut open: BTreeMap<String, (Overview, Intent)>,
    yes: bool,
) -> Result<Exit, Failure> {
    let has_begun = |(tenant, intent): &(Overview, Intent)| tenant.has_begun(intent);
    if let Some((name, (_, intent))) = open.iter().find(|(name, it)| has_begun(it) && selected.is_written(name)) {
        let error = format!("`{name}` cannot be given up: `{}` has changed it already", name_of(intent));
        let way_back = if intent.goal == Goal::RolledBack { "" } else { ", or roll it back" };
        return Err(Failure::new(Exit::Refused, error).hint(format!("continue it: flowswap resume {name}{way_back}")));
    }
    let begun: Vec<String> = open.extract_if(.., |_, it| has_begun(it)).map(|(name, _)| name).collect();
    if !begun.is_empty() {
        let begun = begun.join(" ");
        context
            .terminal
            .say(text!("these have begun and cannot be given up; continue them: flowswap resume {}", begun));
    }
    if open.is_empty() {
        return started::report_no_tenants(context, "there is nothing else to give up");
    }
    let question = Question::about(open.len(), format!("Give this up for {}?", display::tenants(open.len())));
    question.ask(context, &describe(&open).trim_end(), yes).await?;
    let unreached: Vec<_> = open.into_iter().map(|(name, (_, intent))| (name, intent.goal)).collect();
    give_up(context, config, &unreached).await?;
    let names: Vec<&str> = unreached.iter().map(|(name, _)| name.as_str()).collect();
    let (subject, names) = (causes::subject(&names), causes::list_names(&names));
    started::report_no_tenants(context, text!("given up for {}{}; nothing was changed there", subject, names))
}

/// Continues tenants with the same goal. A run of an earlier version left no plan in the journal for the tenants that it did
/// not reach, so their plan is read from its file.
async fn continue_all(
    context: &Context,
    config: &Config,
    names: &[String],
    lost: Lost,
    purpose: RunPurpose,
    open: &BTreeMap<String, (Overview, Intent)>,
) -> Result<Exit, Failure> {
    let progress = context.progress();
    let ports = context.run_ports(config, progress.clone()).await?;
    let ports = AtTerminal::join(purpose.may_ask, &progress, ports);
    let fleet = Fleet::open(context, config, names, &ports).await?;
    let mut jobs = started::jobs(config, fleet, purpose);
    let mut plans = BTreeMap::new();
    let (mut approvals, mut signed) = (BTreeMap::new(), Vec::new());
    for job in &mut jobs {
        if let Some((_, intent)) = open.get(&job.tenant.spec.name).filter(|(tenant, _)| tenant.plan.is_none())
            && config.approvals.is_some()
            && purpose.goal == Goal::Swapped
        {
            let read = approvals.entry(intent.path.clone()).or_insert_with(|| read_approvals(config, intent));
            job.approval = match read {
                Ok(approvals) => approvals.of_tenant(&job.tenant.spec.name),
                Err(why) => Approval::Missing(why.clone()),
            };
        }
        if let Some((tenant, intent)) = open.get(&job.tenant.spec.name)
            && let (None, None, Some(path)) = (&tenant.plan, &intent.plan, &intent.path)
        {
            let plan = match plans.entry(path) {
                Entry::Occupied(read) => read.into_mut(),
                Entry::Vacant(place) => place.insert(plan::read(path.as_ref())?),
            };
            job.part = plan.part(&job.tenant.spec.name, path).map(Arc::new);
        }
    }
    for approvals in approvals.into_values().flatten() {
        signed.extend(approvals.signed());
    }
    let runner = started::runner(ports).approved_by(signed);
    started::execute(context, config, runner, &progress, purpose.goal, jobs, lost).await
}

/// Reads the approvals of a plan again: what counted when the interrupted run began may not count any more.
fn read_approvals(config: &Config, intent: &Intent) -> Result<Approvals, String> {
    let Some(path) = intent.path.as_ref().map(Path::new) else {
        return Err("the journal does not say where its plan is, so flowswap cannot look for approvals".to_owned());
    };
    let read = || {
        let plan = plan::read(path)?;
        let is_same = intent.plan.as_ref() == Some(&plan.head().digest);
        Ok::<_, Failure>((Approvals::read(config, path, &plan)?, is_same))
    };
    match read() {
        Ok((Some(approvals), true)) => Ok(approvals),
        Ok(_) => Err(format!("`{}` is another plan now, so its approvals do not count", path.display())),
        Err(failure) => Err(format!("its approvals cannot be checked: {}", chain(failure.error.as_ref()))),
    }
}

/// What was cut off, one line for each command and run.
fn describe(open: &BTreeMap<String, (Overview, Intent)>) -> Text {
    let mut runs: BTreeMap<_, (&Intent, Vec<&str>, usize)> = BTreeMap::new();
    for (name, (tenant, intent)) in open {
        let (_, names, begun) = runs.entry((intent.run, intent.goal)).or_insert_with(|| (intent, Vec::new(), 0));
        names.push(name);
        *begun += usize::from(tenant.has_begun(intent));
    }
    let line = |(intent, names, begun): (&Intent, Vec<&str>, usize)| {
        let (subject, listed) = (causes::subject(&names), causes::list_names(&names));
        let begun = match (begun, names.len()) {
            (0, 1) => "; it had not begun".into(),
            (0, _) => "; it had begun none of them".into(),
            (_, 1) => Text::default(),
            (begun, _) => text!("; it had begun {} of them", begun),
        };
        text!("`{}` of {} left {}{} unfinished{}\n", name_of(intent), intent.at, subject, listed, begun)
    };
    let text: Text = runs.into_values().map(line).collect();
    text + describe_newer(open)
}

/// The plans that were made since, one line for each.
fn describe_newer(open: &BTreeMap<String, (Overview, Intent)>) -> Text {
    let mut plans: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for (name, (_, intent)) in open {
        if let Some(NewerPlan { plan, path, .. }) = &intent.newer_plan {
            plans.entry((path, plan)).or_default().push(name);
        }
    }
    let line = |((path, plan), names): ((&String, &String), Vec<&str>)| {
        let is_one = names.len() == 1;
        let (subject, names) = (causes::subject(&names), causes::list_names(&names));
        let (verb, path) = (if is_one { "does not get" } else { "do not get" }, quoted(path.as_ref()));
        let what = text!("the newer plan {}, but the plan of that run; to carry out the newer one", short(plan));
        text!("{}{} {} {}: flowswap apply {}\n", subject, names, verb, what, path)
    };
    plans.into_iter().map(line).collect()
}

/// The command that set out to do it.
fn name_of(intent: &Intent) -> String {
    match (intent.goal, &intent.path) {
        (Goal::Swapped, Some(path)) => format!("flowswap apply {}", quoted(path.as_ref())),
        (goal, _) => format!("flowswap {}", goal.entered_as()),
    }
}
