//! `flowswap status`: shows the state of every tenant and the one command to run next.

use std::{path::Path, time::Duration};

use flowswap_config::Config;
use flowswap_contract::Phase;
use flowswap_engine::{Clock, Direction, Intent, Overview, Refusal, TenantState, Time, Verdict};
use flowswap_host::quoted;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::{abandon, desk::Doing, outstanding::Outstanding, standing, started};
use crate::{
    args::Select,
    context::{Context, SystemClock, read_logbook, read_tenant},
    display::{
        causes, count, fold_rows, table,
        text::{Text, text},
        times, tone_of_state,
    },
    documents::{Document, DocumentName},
    door::{Ask, AtWork},
    exit::{Exit, Failure},
    full_command, selection,
    soak::Soak,
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The command that is at work, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_work: Option<Doing>,
    /// The selected tenants.
    tenants: Vec<Row>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Status;
}

#[derive(Serialize, JsonSchema)]
struct Row {
    /// The name of the tenant.
    name: String,
    /// False if only the journal knows the tenant.
    configured: bool,
    /// The state of the tenant.
    state: TenantState,
    /// The step that the tenant has reached. `None` before the first.
    step: Option<String>,
    /// The command that takes the tenant further. `None` if there is nothing to do now.
    next: Option<String>,
    /// The command that abandons the rollback, if the rollback is stuck.
    #[serde(skip_serializing_if = "Option::is_none")]
    way_out: Option<String>,
    /// Since when it has this state. `None` if the journal does not know the tenant.
    #[schemars(with = "Option<Time>")]
    since: Option<Timestamp>,
    /// Why it has this state, in one line.
    reason: Option<String>,
    /// What a run that was interrupted or stopped should have done. A run that is still working has it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<Intent>,
    /// Which rotation of its client secret the current work is.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation: Option<u32>,
    /// When flowswap made the client secret that the directory has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    secret_made_at: Option<Timestamp>,
    /// Whether that is longer ago than `max_age` in `[secrets]` allows.
    #[serde(skip)]
    is_secret_old: bool,
    /// The run that should have done this was to roll the tenant back, and did not reach it.
    #[serde(skip)]
    waits_for_rollback: bool,
    /// Why the last run did nothing for the tenant, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refusal>,
    /// When the soak of the configuration ends, before which `finalize` does nothing. `None` if it has ended, or for other states.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    finalize_from: Option<Timestamp>,
    /// What a soaking or waiting tenant still needs, and the earliest time of a useful check.
    #[serde(rename = "awaited")]
    outstanding: Outstanding,
}

pub(crate) async fn run(context: &Context, args: &Select) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    if !config.state.is_dir() {
        context.terminal.say(text!("there is no state in `{}` yet", config.state.display()));
    }
    let mut known = logbook.overviews();
    let soak = Soak::of(&config);
    let at_work = at_work(context, &config).await;
    if let Some(doing) = &at_work {
        context.terminal.say(describe(doing));
    }
    let (mut report, mut exit) = (Report { at_work, tenants: Vec::new() }, Exit::Done);
    for name in &selection::select(&config, &logbook, args)?.names {
        let tenant = known.remove(name);
        let history = match tenant.as_ref().map(|tenant| tenant.state) {
            Some(TenantState::Soaking | TenantState::Waiting) => read_tenant(&logbook, name).await?,
            _ => None,
        };
        let outstanding = history.as_ref().map(Outstanding::of).unwrap_or_default();
        exit = started::worst(exit, tenant.as_ref().map_or(Exit::NeedsPerson, standing::exit_of));
        let mut row = Row::new(name, config.tenant(name).is_some(), tenant, outstanding, soak, config.max_secret_age);
        // The command at work is about to do it.
        row.next.take_if(|_| report.at_work.is_some() && row.intent.is_some());
        report.tenants.push(row);
    }
    context.terminal.report(&report, || text(&report, context.terminal.verbose > 0))?;
    Ok(exit)
}

/// What the command does that is at work, if one is. A status must not fail because of it.
async fn at_work(context: &Context, config: &Config) -> Option<Doing> {
    AtWork::find(config, &context.global).await.ok()??.ask(Ask::Look).await.ok()
}

fn describe(doing: &Doing) -> Text {
    let Doing { command, by, since, is_pausing, paused, .. } = doing;
    let pace = match paused {
        Some(paused) => text!("; paused by {} since {}; to go on: flowswap unpause", paused.by, paused.at),
        None if *is_pausing => "; it is about to pause".into(),
        None => Text::default(),
    };
    text!("`flowswap {}` is at work here, started by {} at {}{}", command, by, since, pace)
}

impl Row {
    fn new(
        name: &str,
        configured: bool,
        known: Option<Overview>,
        outstanding: Outstanding,
        soak: Soak,
        max_age: Option<Duration>,
    ) -> Self {
        let since = known.as_ref().map(|tenant| tenant.since);
        let tenant = known.unwrap_or_else(|| Overview::unplanned(Timestamp::UNIX_EPOCH));
        let verdict = tenant.verdict.filter(|_| tenant.state == TenantState::Unplanned);
        let waits_for_rollback = tenant.waits_for_rollback();
        let age = tenant.secret_made_at.map(|made_at| SystemClock.now().duration_since(made_at));
        let limit = max_age.and_then(|limit| SignedDuration::try_from(limit).ok());
        let can_rotate = matches!(tenant.state, TenantState::Retired | TenantState::Finalized);
        let is_secret_old = can_rotate && age.zip(limit).is_some_and(|(age, limit)| age >= limit);
        let finalize_from = soak.left(&tenant, SystemClock.now()).filter(|_| can_be_finalized(&tenant));
        Self {
            name: name.to_owned(),
            configured,
            state: tenant.state,
            step: tenant.step.clone(),
            // Every command needs the configuration of the tenant.
            next: next_command_now(name, &tenant, soak)
                .or_else(|| is_secret_old.then(|| format!("flowswap rotate {name} -o {name}.json")))
                .filter(|_| configured)
                .map(full_command::of),
            way_out: abandon::abandon_command(name, &tenant)
                .filter(|_| tenant.state != TenantState::RollingBack)
                .map(full_command::of),
            since,
            reason: (tenant.state == TenantState::Soaking)
                .then(|| outstanding.line())
                .flatten()
                .or(tenant.reason)
                .or_else(|| verdict.map(|verdict| format!("verdict in the last plan: {verdict}"))),
            rotation: tenant.rotation,
            secret_made_at: tenant.secret_made_at,
            is_secret_old,
            waits_for_rollback,
            finalize_from,
            intent: tenant.intent,
            refused: tenant.refusal,
            outstanding,
        }
    }
}

/// What the last run did not do for a tenant, and why.
pub(crate) fn show_refusal(refusal: &Refusal) -> Text {
    // Later refusals for the same reason leave no record.
    text!("{} since {}: {}", verb(refusal), refusal.at, refusal.reasons.join("; "))
}

fn verb(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal { is_skipped: true, .. } => "skipped",
        Refusal { is_unread: true, .. } => "inconclusive",
        _ => "refused",
    }
}

const PLAN: &str = "flowswap plan -o plan.json";

/// Shows every tenant, each with its own command.
pub(crate) const COMMAND: &str = "flowswap status";
/// A command with more names is hard to read.
const MANY: usize = 8;

/// The command that plans only these tenants.
pub(crate) fn plan_again(names: &[&str]) -> String {
    match names {
        [name] => format!("flowswap plan {name} -o {name}.json"),
        names if names.len() <= MANY => format!("flowswap plan {} -o NEW.json", names.join(" ")),
        // All that are not begun, because nobody types so many names.
        _ => "flowswap plan --state rolled-back,planned,unplanned -o NEW.json".to_owned(),
    }
}

/// [`next_command`], but nothing while a swapped tenant must stay so for longer.
pub(crate) fn next_command_now(name: &str, tenant: &Overview, soak: Soak) -> Option<String> {
    let is_early = can_be_finalized(tenant) && soak.left(tenant, SystemClock.now()).is_some();
    next_command(name, tenant).filter(|_| !is_early)
}

/// The command that takes the tenant further. Running it twice is always safe.
pub(crate) fn next_command(name: &str, tenant: &Overview) -> Option<String> {
    match tenant.asked {
        Some(_) if tenant.state == TenantState::Waiting && !tenant.waits_for_rollback() => {
            Some(format!("flowswap sheet {name}"))
        }
        _ => continue_command(name, tenant),
    }
}

/// Whether `finalize` is what comes next, now or later.
fn can_be_finalized(tenant: &Overview) -> bool {
    tenant.state == TenantState::Swapped && tenant.rehearsal.is_none() && !tenant.waits_for_rollback()
}

/// Whether a rehearsal is the last thing that was done for the tenant.
pub(crate) fn is_rehearsed(tenant: &Overview) -> bool {
    tenant.rehearsed.as_ref().is_some_and(|receipt| receipt.rolled_back_at == tenant.since)
}

/// The command that continues the tenant, whether or not a person has acted.
pub(crate) fn continue_command(name: &str, tenant: &Overview) -> Option<String> {
    use TenantState as S;
    // A run that was cut off goes on before anything else begins, unless its plan is out of date.
    let refusal = tenant.refusal.as_ref().filter(|_| tenant.plan.is_none());
    if refusal.is_some_and(|refusal| refusal.is_unapproved) {
        return tenant.plan_path.as_deref().map(|path| format!("flowswap approvals {}", quoted(path.as_ref())));
    }
    let is_outdated = refusal.is_some_and(Refusal::is_final);
    // `resume` continues only what the last run set out to do, which is half of a rehearsal.
    if tenant.rehearsal.is_some() && !is_outdated {
        return Some(format!("flowswap rehearse {name}"));
    }
    if tenant.intent.is_some() && !is_outdated {
        return Some(format!("flowswap resume {name}"));
    }
    let plan_path = Path::new(tenant.plan_path.as_deref().unwrap_or("plan.json"));
    // A tenant that was begun goes on by its name, whatever the waves before it wait for.
    let by_name = if tenant.wave.is_some() && tenant.plan.is_some() { format!(" {name}") } else { String::new() };
    let apply = || format!("flowswap apply {}{by_name}", quoted(plan_path));
    let rollback = || format!("flowswap rollback {name}");
    let finalize = || {
        let purge = if tenant.phase == Some(Phase::Purge) { " --purge" } else { "" };
        format!("flowswap finalize {name}{purge}")
    };
    let is_rehearsed = is_rehearsed(tenant);
    match tenant.state {
        S::Unplanned => match tenant.verdict {
            Some(Verdict::Migrated | Verdict::NotApplicable) => None,
            Some(Verdict::Blocked | Verdict::Unknown) => Some(format!("flowswap detect {name}")),
            Some(Verdict::Ready) | None if is_outdated => Some(plan_again(&[name])),
            Some(Verdict::Ready) | None => Some(PLAN.to_owned()),
        },
        // The plan that was rehearsed can be carried out for good.
        S::RolledBack if is_rehearsed && !is_outdated => Some(apply()),
        // The previous client secret is deactivated, and still takes a place.
        S::Retired if tenant.rotation.is_some() => Some(format!("flowswap finalize {name} --purge")),
        S::RolledBack if tenant.was_rotation => Some(format!("flowswap rotate {name} -o {name}.json")),
        S::RolledBack => Some(plan_again(&[name])),
        // The plan expired, or something changed since it was made.
        S::Planned if is_outdated => match tenant.intent.as_ref().and_then(|intent| intent.newer_plan.as_ref()) {
            Some(newer) => Some(format!("flowswap apply {}", quoted(newer.path.as_ref()))),
            None => Some(plan_again(&[name])),
        },
        S::Planned => Some(apply()),
        S::Swapped => Some(format!("flowswap finalize {name}")),
        // Nothing is left that must be done.
        S::Retired | S::Finalized => None,
        S::RollingBack => Some(rollback()),
        // The directory uses the new client, and only the legacy client is left to deal with.
        S::Failed | S::Running | S::Stuck if tenant.is_swapped => Some(finalize()),
        S::Running | S::Soaking | S::Waiting | S::Stuck | S::Failed => match tenant.direction {
            // A wrong configuration is corrected after that, because a run keeps to the one that it began with.
            Direction::Forward if must_roll_back(name, tenant) => Some(format!("{} --accept-changes", rollback())),
            // It was swapped before, and is confirmed once more.
            Direction::Forward if tenant.state == S::Soaking && tenant.swapped_at.is_some() => Some(finalize()),
            Direction::Forward => Some(apply()),
            Direction::Back => Some(rollback()),
        },
    }
}

/// Whether a step failed in a way that only a rollback helps, as the plugin says. The rest of its words may come from outside.
fn must_roll_back(name: &str, tenant: &Overview) -> bool {
    // A hint may be for any tenant.
    let says = |reason: &String, who: &str| reason.contains(&format!("`flowswap rollback {who} --accept-changes`"));
    let is_said = tenant.reason.as_ref().is_some_and(|reason| says(reason, name) || says(reason, "TENANT"));
    tenant.state == TenantState::Failed && is_said
}

fn text(report: &Report, each: bool) -> Text {
    let rows = report.tenants.iter().map(|row| {
        [
            table::plain(&row.name),
            table::toned(tone_of_state(row.state), row.state),
            table::plain(row.step.as_deref().unwrap_or("-")),
            table::plain(row.next.as_deref().unwrap_or("-")),
        ]
    });
    let mut text = table::render(["tenant", "state", "step", "next"], rows);
    text += text!("\n{}\n", count(report.tenants.iter().map(|row| row.state)));
    let notes: Vec<Note<'_>> = report.tenants.iter().flat_map(notes).collect();
    text + fold(&notes, each)
}

/// Something else to say about a tenant.
pub(super) struct Note<'a> {
    name: &'a str,
    text: Text,
    /// What it says of many tenants at once: the same without the time of each.
    of_many: Text,
    /// The time, if what it says begins then.
    from: Option<Timestamp>,
}

impl<'a> Note<'a> {
    /// A note that says the same of many tenants.
    pub(super) fn new(name: &'a str, text: Text) -> Self {
        Self { name, of_many: text.clone(), text, from: None }
    }
}

fn notes(row: &Row) -> Vec<Note<'_>> {
    let note = |text: Text| Note::new(&row.name, text);
    let mut notes: Vec<Note<'_>> = row.reason.iter().map(|reason| note(text!("{}", reason))).collect();
    notes.extend(row.finalize_from.map(|from| {
        let of_many = text!("can be finalized later (`soak` in `[run]`)");
        let text = text!("can be finalized from {} on (`soak` in `[run]`)", from);
        Note { of_many, from: Some(from), ..note(text) }
    }));
    if let Some(intent) = row.intent.as_ref().filter(|_| row.waits_for_rollback) {
        let (before, after) = ("a rollback that began", "has not reached it");
        let of_many = text!("{} {}", before, after);
        notes.push(Note { of_many, ..note(text!("{} at {} {}", before, intent.at, after)) });
    }
    notes.extend(row.refused.as_ref().map(|refusal| {
        let of_many = text!("{}: {}", verb(refusal), refusal.reasons.join("; "));
        Note { of_many, ..note(show_refusal(refusal)) }
    }));
    if let Some(made_at) = row.secret_made_at.filter(|_| row.is_secret_old) {
        let of_many = text!("the client secret is older than `max_age` in `[secrets]` allows");
        notes.push(Note { of_many, ..note(text!("its client secret was made at {}; rotate it", made_at)) });
    }
    if !row.configured {
        notes.push(note(Text::from("the configuration no longer has this tenant; add it again to work on it")));
    }
    if row.state == TenantState::Retired && row.configured {
        let purge = |name: &str| full_command::of(format!("flowswap finalize {name} --purge"));
        let note_of = |name| match row.rotation {
            None => text!("done; to delete the legacy client as well, irreversibly: {}", purge(name)),
            Some(_) => text!("the previous client secret is inactive; to delete it, irreversibly: {}", purge(name)),
        };
        notes.push(Note { of_many: note_of("TENANT…"), ..note(note_of(&row.name)) });
    }
    notes.extend(row.way_out.as_ref().map(|way_out| note(text!("or keep the new client: {}", way_out))));
    notes
}

/// A line for each note, or one for many tenants with the same note. With `each`, always a line for each.
pub(super) fn fold(notes: &[Note<'_>], each: bool) -> Text {
    let groups = causes::group(0..notes.len(), |index| {
        let note = &notes[*index];
        (note.of_many.as_str().to_owned(), vec![note.name])
    });
    let mut keys = vec![None; notes.len()];
    for (cause, group) in groups.iter().enumerate() {
        group.items.iter().for_each(|index| keys[*index] = Some(cause));
    }
    let causes = keys.clone();
    let line = |indices: Vec<usize>| {
        let names: Vec<&str> = indices.iter().map(|index| notes[*index].name).collect();
        let common = causes[indices[0]].filter(|_| indices.len() > 1).map(|cause| groups[cause].text.as_str());
        match common {
            Some(common) => {
                let times: Vec<Timestamp> = indices.iter().filter_map(|index| notes[*index].from).collect();
                let when = match (times.iter().min(), times.iter().max()) {
                    (Some(first), Some(last)) if first == last => text!(": from {} on", first),
                    (Some(first), Some(last)) => text!(": the first from {} on, and the last from {} on", first, last),
                    _ => Text::default(),
                };
                text!(
                    "{}{}: {}{}\n",
                    causes::subject(&names),
                    causes::list_names(&names),
                    common,
                    times::in_text(&when)
                )
            }
            None => text!("{}: {}\n", names[0], times::of_tenant(names[0], &notes[indices[0]].text)),
        }
    };
    fold_rows(keys, each).into_iter().map(line).collect()
}
