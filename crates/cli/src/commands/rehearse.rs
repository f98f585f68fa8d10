//! `flowswap rehearse`: migrates tenants and proves it, then rolls them back and proves that. The journal keeps the receipt. What a
//! person must do ends it for now, and the same command goes on.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use flowswap_config::Config;
use flowswap_engine::{Direction, Goal, Logbook, Overview, Rehearsed, TenantState, short};
use flowswap_host::quoted;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    apply::{self, How},
    plan,
    run_report::Report,
    started::{self, RunPurpose},
    status,
};
use crate::{
    args::{Format, RehearseArgs},
    context::{Context, read_logbook},
    display::{
        self,
        text::{Text, text},
    },
    documents::{Document, DocumentName, OfTenants},
    exit::{Exit, Failure},
    full_command,
    question::Question,
    selection,
};

/// How far the rehearsal of a tenant is.
#[derive(Serialize, JsonSchema)]
pub(super) struct Row {
    /// The name of the tenant.
    name: String,
    /// Its state.
    state: TenantState,
    /// Why, if the state alone does not say it.
    reason: Option<String>,
    /// The receipt. `None` if the rehearsal is not over.
    rehearsed: Option<Rehearsed>,
    /// The command that goes on.
    next: Option<String>,
}

impl Document for OfTenants<'_, Row> {
    const NAME: DocumentName = DocumentName::Rehearse;
}

pub(crate) async fn run(context: &Context, args: &RehearseArgs) -> Result<Exit, Failure> {
    selection::require(&args.select, false, "name the tenant that you want to rehearse")?;
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    let names = selection::select_configured(&config, &logbook, &args.select).await?;
    let parts = Parts::of(&names, &logbook)?;
    let mut what = Text::default();
    let path = if parts.new.is_empty() { None } else { Some(find_plan(args, &parts.new, &logbook)?) };
    let plan = path.map(|path| plan::read(&path).map(|plan| (path, plan))).transpose()?;
    if let Some((_, plan)) = &plan {
        let new: BTreeSet<&String> = parts.new.iter().collect();
        let outlines = || plan.outlines().filter(|it| new.contains(&it.name));
        if let Some(tenant) = outlines().find(|tenant| tenant.steps == 0) {
            return Err(apply::no_steps(tenant));
        }
        what += display::plan::summarize(plan.head(), outlines());
    }
    if parts.is_over(&names, &logbook) {
        context.terminal.say("these tenants are rehearsed; to rehearse one again, plan it again");
        report(context, &names, &logbook)?;
        return Ok(Exit::Done);
    }
    what += "flowswap migrates each of them and proves it. Then it rolls each back and proves that.\n";
    let question = Question::about(names.len(), format!("Rehearse {}?", display::tenants(names.len())));
    question.ask(context, &what.trim_end(), args.yes).await?;
    // A reader that stays open would keep the writer from tidying up the journal's files.
    drop(logbook);

    let mut exit = Exit::Done;
    if let Some((path, plan)) = &plan {
        let accept_changes = args.changes.accept_changes;
        let how = How { path, digest: None, interactive: false, may_ask: !args.yes, accept_changes, rehearsal: true };
        exit = note(context, exit, apply::carry_out(context, &config, plan, how, &parts.new).await?)?;
    }
    if !parts.begun.is_empty() && !context.stop.is_stopped() {
        exit = note(context, exit, go_on(context, &config, &parts.begun, Goal::Swapped, args).await?)?;
    }
    let back = proven(&names, &*read_logbook(&config).await?);
    if !back.is_empty() && !context.stop.is_stopped() {
        exit = note(context, exit, go_on(context, &config, &back, Goal::RolledBack, args).await?)?;
    }
    report(context, &names, &*read_logbook(&config).await?)?;
    Ok(exit)
}

/// Shows a person what a run did. JSON is one document, which comes at the end.
fn note(context: &Context, exit: Exit, (report, of_run): (Report, Exit)) -> Result<Exit, Failure> {
    if context.terminal.format == Format::Human {
        report.print(context)?;
    }
    Ok(started::worst(exit, of_run))
}

async fn go_on(
    context: &Context,
    config: &Config,
    names: &[String],
    goal: Goal,
    args: &RehearseArgs,
) -> Result<(Report, Exit), Failure> {
    let purpose = RunPurpose { may_ask: !args.yes, ..RunPurpose::to(goal) };
    started::continue_silently(context, config, names, Vec::new(), purpose.accepting(args.changes)).await
}

/// Where the rehearsal of each tenant is.
#[derive(Default)]
struct Parts {
    /// It has not begun.
    new: Vec<String>,
    /// It is on its way to the swap.
    begun: Vec<String>,
}

impl Parts {
    /// Fails for a tenant that is migrated for good: its rollback would be no rehearsal.
    fn of(names: &[String], logbook: &Logbook) -> Result<Self, Failure> {
        let mut parts = Self::default();
        for name in names {
            match logbook.overview(name) {
                Some(tenant) if is_proven(&tenant) || status::is_rehearsed(&tenant) => {}
                Some(tenant) if tenant.rehearsal.is_some() => parts.begun.push(name.clone()),
                Some(tenant) if tenant.plan.is_some() => {
                    let error = format!("the tenant `{name}` is {} already, and not for a rehearsal", tenant.state);
                    let failure = Failure::new(Exit::Refused, error);
                    return Err(failure.hint("rehearse a tenant that flowswap has not begun to migrate"));
                }
                _ => parts.new.push(name.clone()),
            }
        }
        Ok(parts)
    }

    /// Whether nothing is left to do.
    fn is_over(&self, names: &[String], logbook: &Logbook) -> bool {
        self.new.is_empty() && self.begun.is_empty() && proven(names, logbook).is_empty()
    }
}

/// Whether only the rollback of its rehearsal is left.
fn is_proven(tenant: &Overview) -> bool {
    let is_back = tenant.direction == Direction::Back;
    tenant.rehearsal.as_ref().is_some_and(|rehearsal| rehearsal.swapped_at.is_some() || is_back)
}

fn proven(names: &[String], logbook: &Logbook) -> Vec<String> {
    names.iter().filter(|name| logbook.overview(name).is_some_and(|tenant| is_proven(&tenant))).cloned().collect()
}

/// The plan to carry out: the one that the person names, or else the last one that was made for these tenants.
fn find_plan(args: &RehearseArgs, names: &[String], logbook: &Logbook) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.plan {
        return Ok(path.clone());
    }
    let mut paths = BTreeSet::new();
    for name in names {
        let Some(path) = logbook.overview(name).and_then(|tenant| tenant.plan_path) else {
            let failure = Failure::new(Exit::Usage, format!("the tenant `{name}` has no plan yet"));
            return Err(failure.hint(format!("make one, and review it: {}", status::plan_again(&[name]))));
        };
        paths.insert(path);
    }
    let mut paths = paths.into_iter();
    match (paths.next(), paths.next()) {
        (Some(path), None) => Ok(PathBuf::from(path)),
        _ => {
            let failure = Failure::new(Exit::Usage, "these tenants are in several plans");
            Err(failure.hint("name one of them with `--plan`"))
        }
    }
}

fn report(context: &Context, names: &[String], logbook: &Logbook) -> Result<(), Failure> {
    let rows = names.iter().filter_map(|name| {
        let tenant = logbook.overview(name)?;
        let next = status::next_command(name, &tenant).map(full_command::of);
        let Overview { state, reason, rehearsal, rehearsed, refusal, .. } = tenant;
        let reason = reason.or_else(|| refusal.map(|refusal| refusal.reasons.join("; ")));
        Some(Row { name: name.clone(), state, reason, rehearsed: rehearsed.filter(|_| rehearsal.is_none()), next })
    });
    let rows: Vec<Row> = rows.collect();
    context.terminal.report(&OfTenants::new(false, &rows), || rows.iter().filter_map(receipt).collect())
}

/// The receipt as text. The reports of the runs told everything else.
fn receipt(row: &Row) -> Option<Text> {
    let Rehearsed { plan, swapped_at, rolled_back_at, .. } = row.rehearsed.as_ref()?;
    let next = row.next.as_deref().map(|next| text!("next: {}\n", next)).unwrap_or_default();
    Some(text!(
        "{}: rehearsed with plan {}; swapped and proven at {}, rolled back and proven at {}\n{}",
        row.name,
        short(plan),
        swapped_at,
        rolled_back_at,
        next
    ))
}

/// The command that rehearses these tenants.
pub(super) fn command(names: &[&str], plan: &Path) -> String {
    format!("flowswap rehearse {} --plan {}", names.join(" "), quoted(plan))
}
