//! Renders a journal for snapshots: one line per record, with steps and requests indented.

use std::collections::BTreeMap;

use flowswap_contract::{Handle, Values};
use flowswap_engine::{Direction, Entry, Record, RequestOutcome};

pub(crate) fn render(records: &[Record]) -> String {
    let mut runs = BTreeMap::new();
    let mut lines = String::new();
    for record in records {
        let next = runs.len() + 1;
        let run = runs.entry(record.draft.run).or_insert(next);
        let tenant = record.draft.tenant.as_deref().unwrap_or("*");
        lines += &format!("run {run}  {tenant:<5}  {}\n", line(&record.draft.entry));
    }
    lines
}

fn line(entry: &Entry) -> String {
    match entry {
        Entry::Planned { .. } => "planned".to_owned(),
        Entry::RunStarted { command, .. } => format!("begin {command:?}"),
        Entry::Intended { goal, part, .. } => {
            format!("intend {goal:?}{}", if part.is_some() { ", with the plan" } else { "" })
        }
        Entry::TenantStarted { direction, .. } => format!("start, {direction:?}"),
        Entry::Refused { goal, reasons, .. } => format!("refuse {goal:?}: {}", reasons.join("; ")),
        Entry::Skipped { goal, reason } => format!("skip {goal:?}: {reason}"),
        Entry::GivenUp { goal, by } => format!("{by} gives {goal:?} up"),
        Entry::StepStarted { step, direction } => format!("  {} {step}", arrow(*direction)),
        Entry::RequestIntended { request, method, url, .. } => format!("      #{request} {method} {url}"),
        Entry::RequestEnded { request, outcome, .. } => match outcome {
            RequestOutcome::Answered { status, .. } => format!("      #{request} {status}"),
            RequestOutcome::NotSent { message } => format!("      #{request} not sent: {message}"),
            RequestOutcome::Lost { message } => format!("      #{request} lost: {message}"),
        },
        Entry::SecretStored { handle, .. } => format!("      store {handle}"),
        Entry::SecretMade { handle, .. } => format!("      make {handle}"),
        Entry::OperatorAsked { step, direction, owner, .. } => {
            format!("  {} {step} asked of {}", arrow(*direction), owner.as_deref().unwrap_or("anybody"))
        }
        Entry::Noticed { step, seen: true } => format!("  {step} is noticed"),
        Entry::Noticed { step, .. } => format!("  {step} is no longer noticed"),
        Entry::Abandoned { by, reason, .. } => format!("{by} abandons the rollback, {reason}"),
        Entry::Confirmed { step, by, .. } => format!("{by} confirms {step}"),
        Entry::Declined { step, by, reason } => format!("{by} declines {step}, {reason}"),
        Entry::SecretHandedOver { handle, by, way } => format!("hand {handle} to {by}, {way}"),
        Entry::SecretRemoved { handle } => format!("  delete {handle}"),
        Entry::StepEnded { step, direction, outputs, .. } => {
            format!("  {} {step} done{}", arrow(*direction), values(outputs))
        }
        Entry::StepFailed { step, direction, error, .. } => {
            format!("  {} {step} failed, effect {:?}: {error}", arrow(*direction), error.effect)
        }
        Entry::Resolved { step, stands, reason, by, .. } => format!("{by} says: {step} is {stands}, {reason}"),
        Entry::TenantEnded { state, reason, .. } => {
            format!("end: {state}{}", reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default())
        }
        Entry::RunPaused { by } => format!("paused by {by}"),
        Entry::RunUnpaused { by } => format!("unpaused by {by}"),
        Entry::RunCanceled { by } => format!("canceled by {by}"),
        Entry::RunEnded { interrupted, .. } => if *interrupted { "end, interrupted" } else { "end" }.to_owned(),
    }
}

fn arrow(direction: Direction) -> char {
    match direction {
        Direction::Forward => '→',
        Direction::Back => '←',
    }
}

fn values(values: &Values) -> String {
    let shown = values.iter().map(|(name, value)| match Handle::from_value(value) {
        Some(handle) => format!(" {name}=<{handle}>"),
        None => format!(" {name}={value}"),
    });
    shown.collect()
}
