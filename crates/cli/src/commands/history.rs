//! `flowswap history`: shows everything that was ever done for tenants: when, by whom, and from which plan.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::Error;
use flowswap_engine::{
    Actor, Direction, Entry, Goal, PluginPin, Record, Records, RunCommand, RunId, Time, Verdict, short,
};
use flowswap_store::StateDir;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    args::HistoryArgs,
    context::{Context, cannot_read, open_to_read, read_logbook},
    display::{
        text::{Text, text},
        times,
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    selection,
    terminal::{Tone, paint},
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The tenants, by name, each with its events in the order in which they happened.
    tenants: BTreeMap<String, Vec<Event>>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::History;
}

/// Something that was done for a tenant.
#[derive(Serialize, JsonSchema)]
struct Event {
    /// The number of its record in the journal.
    record: u64,
    /// When.
    #[schemars(with = "Time")]
    at: Timestamp,
    /// The kind of the record.
    kind: &'static str,
    /// The run that did it, with its command. `None` if a person did it between two runs.
    run: Option<RunId>,
    /// The command of that run.
    command: Option<RunCommand>,
    /// The person who did it, or who started the run. Records of format 2 and earlier do not say who started a run.
    by: Option<Actor>,
    /// The record itself names the person.
    #[serde(skip)]
    is_named: bool,
    /// The digest of the plan, where the record names one.
    plan: Option<String>,
    /// What was done, in one line.
    what: String,
}

pub(crate) async fn run(context: &Context, args: &HistoryArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let journal = open_to_read(&StateDir::at(&config.state).journal())?;
    let selected = selection::select(&config, &*read_logbook(&config).await?, &args.select)?;
    let wanted = selected.wanted();
    let mut story = Story { wanted, since: args.since, ..Story::default() };
    let mut visit = |record| {
        story.add(record);
        Ok(())
    };
    journal.load(Records::All, &mut visit).await.map_err(cannot_read)?;
    let (tenants, known) = story.finish();
    if let Some(unknown) = selected.names.iter().find(|name| selected.is_written(name) && !known.contains(*name)) {
        let failure = Failure::new(Exit::Usage, format!("the journal has no record of the tenant `{unknown}`"));
        return Err(failure.hint("list the tenants: flowswap status"));
    }
    let report = Report { tenants };
    if report.tenants.is_empty() {
        context.terminal.say("nothing was done");
    }
    context.terminal.report(&report, || text(&report))?;
    Ok(Exit::Done)
}

/// Turns records into events.
#[derive(Default)]
struct Story<'a> {
    /// The tenants that were asked for. `None` for all.
    wanted: Option<BTreeSet<&'a str>>,
    since: Option<Timestamp>,
    /// Who started each run, and by which command.
    runs: BTreeMap<RunId, (RunCommand, Option<Actor>)>,
    /// Who gave each approval, by its digest.
    approvers: BTreeMap<String, String>,
    /// The requests without an outcome so far, each as an event.
    requests: BTreeMap<(String, RunId, String, u32), Event>,
    tenants: BTreeMap<String, Vec<Event>>,
    known: BTreeSet<String>,
}

impl Story<'_> {
    fn add(&mut self, Record { seq, draft, .. }: Record) {
        if let Entry::RunStarted { command, by, approvals, .. } = draft.entry {
            self.runs.insert(draft.run, (command, by));
            self.approvers.extend(approvals.into_iter().map(|approval| (approval.digest.clone(), approval.who())));
            return;
        }
        let Some(name) = draft.tenant.filter(|name| self.wanted.as_ref().is_none_or(|it| it.contains(name.as_str())))
        else {
            return;
        };
        self.known.insert(name.clone());
        let (kind, plan) = (draft.entry.kind(), plan_of(&draft.entry));
        let run = self.runs.get(&draft.run);
        let named = actor_of(&draft.entry);
        let is_named = named.is_some();
        let by = named.or_else(|| run.and_then(|(_, by)| by.clone()));
        let (run, command) = (run.map(|_| draft.run), run.map(|(command, _)| *command));
        let mut event =
            Event { record: seq, at: draft.at, kind, run, command, by, is_named, plan, what: String::new() };
        let key = |step: &String, request: u32| (name.clone(), draft.run, step.clone(), request);
        let what = match &draft.entry {
            Entry::RequestIntended { step, request, method, url, .. } => {
                event.what = format!("{method} {url}");
                self.requests.insert(key(step, *request), event);
                return;
            }
            Entry::RequestEnded { step, request, outcome } => {
                let sent = self.requests.remove(&key(step, *request)).map(|sent| sent.what);
                Some(format!("{}: {outcome}", sent.as_deref().unwrap_or("a request")))
            }
            Entry::Intended { approvals, .. } if !approvals.is_empty() => {
                describe(&draft.entry).map(|what| format!("{what}, approved by {}", self.name_approvers(approvals)))
            }
            entry => describe(entry),
        };
        let Some(what) = what.filter(|_| self.since.is_none_or(|since| draft.at >= since)) else { return };
        event.what = what;
        self.tenants.entry(name).or_default().push(event);
    }

    /// The people who gave these approvals.
    fn name_approvers(&self, approvals: &[String]) -> String {
        let names = approvals.iter().filter_map(|digest| self.approvers.get(digest));
        let names: BTreeSet<&str> = names.map(String::as_str).collect();
        names.into_iter().collect::<Vec<_>>().join(" and ")
    }

    /// Adds the requests whose outcome no record has, because flowswap was cut off or is still waiting for it.
    fn finish(mut self) -> (BTreeMap<String, Vec<Event>>, BTreeSet<String>) {
        for ((name, ..), mut event) in self.requests {
            if self.since.is_none_or(|since| event.at >= since) {
                event.what += ": sent; no outcome is recorded";
                self.tenants.entry(name).or_default().push(event);
            }
        }
        for events in self.tenants.values_mut() {
            events.sort_by_key(|event| event.record);
        }
        (self.tenants, self.known)
    }
}

fn plan_of(entry: &Entry) -> Option<String> {
    match entry {
        Entry::Planned { plan, .. } | Entry::Intended { plan, .. } | Entry::TenantStarted { plan, .. } => {
            Some(plan.clone())
        }
        _ => None,
    }
}

/// The person whom the record names.
fn actor_of(entry: &Entry) -> Option<Actor> {
    match entry {
        Entry::Planned { by, .. } => by.clone(),
        Entry::Confirmed { by, .. }
        | Entry::Declined { by, .. }
        | Entry::Resolved { by, .. }
        | Entry::Abandoned { by, .. }
        | Entry::GivenUp { by, .. }
        | Entry::SecretHandedOver { by, .. } => Some(by.clone()),
        _ => None,
    }
}

/// One line about a record, or `None` if other records say the same.
fn describe(entry: &Entry) -> Option<String> {
    let back = |direction: &Direction| if *direction == Direction::Back { "roll back " } else { "" };
    Some(match entry {
        Entry::RunStarted { .. } | Entry::RunEnded { .. } => return None,
        // They are about no tenant.
        Entry::RunPaused { .. } | Entry::RunUnpaused { .. } | Entry::RunCanceled { .. } => return None,
        Entry::RequestIntended { .. } | Entry::RequestEnded { .. } => return None,
        // Later records of the step say how it ended. Without them, it was cut off, and the next run says so.
        Entry::StepStarted { .. } => return None,
        Entry::Noticed { step, seen: true } => format!("the other side shows `{step}` as done"),
        Entry::Noticed { step, .. } => format!("the other side no longer shows `{step}` as done"),
        Entry::Planned { plan, path, verdict: Verdict::Ready, .. } => {
            format!("planned it: plan {}, in `{path}`", short(plan))
        }
        Entry::Planned { verdict, .. } => format!("planned it: it is {verdict}, so the plan has no steps for it"),
        Entry::Intended { goal, plan, .. } => format!("set out to {} plan {}", verb(*goal), short(plan)),
        Entry::TenantStarted { accepted, .. } if !accepted.is_empty() => {
            format!("started, and accepted changes: {}", accepted.join("; "))
        }
        Entry::TenantStarted { plugins, .. } => {
            let cage = |pin: &PluginPin| if pin.uncaged { " without a cage" } else { "" };
            let build = |(name, pin): (&String, &PluginPin)| format!("{name} {}{}", pin.version, cage(pin));
            let builds: Vec<_> = plugins.iter().map(build).collect();
            if builds.is_empty() { "started".to_owned() } else { format!("started, with {}", builds.join(" and ")) }
        }
        Entry::Refused { reasons, unread: true, .. } => format!("inconclusive: {}", reasons.join("; ")),
        Entry::Refused { reasons, .. } => format!("refused: {}", reasons.join("; ")),
        Entry::Skipped { reason, .. } => format!("skipped: {reason}"),
        Entry::GivenUp { goal, .. } => format!("gave up the unfinished `{}`", goal.entered_as()),
        Entry::SecretStored { handle, .. } => format!("stored the secret `{handle}`"),
        Entry::SecretMade { handle, .. } => format!("generated the secret `{handle}`"),
        Entry::SecretRemoved { handle } => format!("deleted the secret `{handle}`"),
        Entry::SecretHandedOver { handle, way, .. } => format!("received the secret `{handle}` ({way})"),
        Entry::StepEnded { step, direction: Direction::Forward, .. } => format!("`{step}` done"),
        Entry::StepEnded { step, .. } => format!("`{step}` rolled back"),
        Entry::StepFailed { step, direction, error: Error { message, .. }, .. } => {
            format!("{}`{step}` not done: {message}", back(direction))
        }
        Entry::OperatorAsked { step, direction, owner, .. } => {
            let owner = owner.as_deref().unwrap_or("any operator");
            let what = if *direction == Direction::Back { "roll back" } else { "carry out" };
            format!("asked {owner} to {what} `{step}`")
        }
        Entry::Confirmed { step, note, .. } => format!("confirmed `{step}`{}", quote(note.as_deref())),
        Entry::Declined { step, reason, .. } => format!("declined `{step}`{}", quote(Some(reason))),
        Entry::Resolved { step, stands, reason, .. } => {
            format!("decided that `{step}` is {stands}{}", quote(Some(reason)))
        }
        Entry::Abandoned { reason, .. } => format!("abandoned the rollback{}", quote(Some(reason))),
        Entry::TenantEnded { state, reason, interrupted } => {
            let how = if *interrupted { "stopped" } else { "ended" };
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{how}, and the tenant is {state}{reason}")
        }
    })
}

/// What a run with this goal does with a plan.
fn verb(goal: Goal) -> &'static str {
    match goal {
        Goal::Swapped => "apply",
        Goal::Retired => "finalize",
        Goal::Purged => "finalize and purge",
        Goal::RolledBack => "roll back",
    }
}

fn quote(text: Option<&str>) -> String {
    text.map(|text| format!(" (“{text}”)")).unwrap_or_default()
}

fn text(report: &Report) -> Text {
    let mut text = Text::default();
    for (name, events) in &report.tenants {
        if !text.is_empty() {
            text += "\n";
        }
        text += text!("{}\n", paint(Tone::Strong, name));
        let times: Vec<Text> = events.iter().map(|event| times::of_tenant(name, event.at)).collect();
        let width = times.iter().map(Text::width).max().unwrap_or(0);
        for (event, at) in events.iter().zip(times) {
            text += text!("  {}  {}{}\n", at.padded_to(width), who(event), event.what);
        }
    }
    text
}

/// Who did it: a person, or the run that a person started.
fn who(event: &Event) -> Text {
    let by = event.by.as_ref().map(|by| match &by.host {
        Some(host) => format!("{by} on {host}"),
        None => by.to_string(),
    });
    match (event.command, by) {
        (Some(_), Some(by)) if event.is_named || event.kind == "intended" => text!("{} ", by),
        (Some(command), _) => text!("{}: ", command),
        (None, Some(by)) => text!("{} ", by),
        (None, None) => Text::default(),
    }
}
