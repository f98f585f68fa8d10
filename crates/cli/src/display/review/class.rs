//! A class of tenants at a terminal. It shows only what no earlier class has in the same form.

use std::collections::BTreeMap;

use flowswap_contract::Reversibility;
use flowswap_engine::{Severity, short};
use flowswap_report::{Alike, Change, Class, StepLine, TenantLine};

use super::list;
use crate::{
    display::{
        causes,
        plan::{reach, show_reversibility, when},
        tenants,
        text::{Text, text},
        tone_of_severity, tone_of_verdict,
    },
    terminal::{Tone, paint},
};

/// How many different messages of one finding a class shows.
const MAX_MESSAGES: usize = 3;

/// A class. `tenants` has all tenants of the plan, by name.
pub(super) fn show(class: &Class, is_first: bool, tenants: &BTreeMap<&str, &TenantLine>) -> Text {
    let names: Vec<&str> = class.tenants.iter().map(String::as_str).collect();
    let subject = paint(Tone::Strong, causes::subject(&names));
    let verdict = paint(tone_of_verdict(class.verdict), class.verdict);
    let mut text = text!("{} ({}), class {}\n", subject, verdict, short(&class.id));
    if names.len() > 1 {
        text += text!("    {}\n", list(&names));
    }
    text.extend(class.findings.iter().map(|id| show_messages(id, &names, tenants)));
    if class.steps.is_empty() {
        return text + "  no steps\n";
    }
    if !class.differences.is_empty() {
        text += "  compared with the first class:\n";
        text.extend(class.differences.iter().map(|sentence| text!("    {}\n", sentence)));
    }
    text.extend(class.change.iter().map(show_change));
    if !class.alike.iter().any(|alike| alike.reach) {
        text.extend(class.reach.iter().map(|side| {
            text!("  credentials of the {} go to {}\n", side.role, reach(&side.origins, &side.token_paths))
        }));
    }
    text += show_steps(class, is_first);
    if !class.alike.iter().any(|alike| alike.rollback) {
        text += "  rollback (flowswap rollback):\n";
        let lines = class.rollback.iter().filter(|line| line.reversibility != Reversibility::Irreversible);
        text.extend(
            lines.map(|line| {
                text!("    - {:<11} {} {}\n", line.step, line.action, show_reversibility(line.reversibility))
            }),
        );
    }
    text.extend(class.alike.iter().map(|alike| name_parts(alike, class)));
    text
}

/// What was seen of these tenants where a rule matched. Messages that differ only in a tenant's own words are one. Errors are
/// shown with what needs a person.
fn show_messages(id: &str, names: &[&str], tenants_by_name: &BTreeMap<&str, &TenantLine>) -> Text {
    let found = names.iter().filter_map(|name| {
        let tenant = *tenants_by_name.get(name)?;
        let finding = tenant.findings.iter().find(|finding| finding.id == id)?;
        (finding.severity != Severity::Error).then_some((tenant, finding))
    });
    let groups = causes::group(found, |(tenant, finding)| {
        let words = [Some(&tenant.name), tenant.domain.as_ref(), tenant.directory.as_ref(), tenant.client_id.as_ref()];
        (finding.message.clone(), words.into_iter().flatten().map(String::as_str).collect())
    });
    let mut text = Text::default();
    for group in groups.iter().take(MAX_MESSAGES) {
        let of_group: Vec<&str> = group.items.iter().map(|(tenant, _)| tenant.name.as_str()).collect();
        let who = if groups.len() > 1 { text!(" ({})", list(&of_group)) } else { Text::default() };
        let (_, finding) = group.items[0];
        text += text!("    {}: {}{}\n", paint(tone_of_severity(finding.severity), id), group.text, who);
    }
    let others: usize = groups.iter().skip(MAX_MESSAGES).map(|group| group.items.len()).sum();
    if others > 0 {
        text += text!("    {}: other messages for {}\n", id, tenants(others));
    }
    text
}

/// The connection before the migration and after it.
fn show_change(change: &Change) -> Text {
    let Change { before, after, scopes_added, scopes_removed } = change;
    let scopes = |scopes: &[String]| if scopes.is_empty() { "unknown scopes".to_owned() } else { scopes.join(", ") };
    let mut text = text!("  before: {} with {}\n", before.flow, scopes(&before.scopes));
    if !after.scopes.iter().any(|scope| before.scopes.contains(scope)) {
        return text + text!("  after:  {} with {}\n", after.flow, scopes(&after.scopes));
    }
    text += text!("  after:  {} with the same scopes", after.flow);
    for (word, scopes, tone) in [("plus", scopes_added, Tone::Care), ("minus", scopes_removed, Tone::Strong)] {
        if !scopes.is_empty() {
            text += text!(", {}", paint(tone, text!("{} {}", word, scopes.join(", "))));
        }
    }
    text + "\n"
}

/// The steps that no earlier class has.
fn show_steps(class: &Class, is_first: bool) -> Text {
    let is_alike = |id: &String| class.alike.iter().any(|alike| alike.steps.contains(id));
    let mut example = class.tenants.first().filter(|_| class.tenants.len() > 1);
    let mut text = Text::default();
    let steps: Vec<_> = class.steps.iter().filter(|step| !is_alike(&step.id)).collect();
    // The steps come in the order of their phases, so those of one command stand together.
    for steps in steps.chunk_by(|step, next| step.command == next.command) {
        let example = example.take().map(|name| text!(", as for `{}`", name)).unwrap_or_default();
        text += text!("  {}{}:\n", when(steps[0].phase), example);
        text.extend(steps.iter().map(|step| show_step(step, !is_first)));
    }
    text
}

/// A step. With `all`, a check also shows what it is carried out with.
fn show_step(step: &StepLine, all: bool) -> Text {
    let sign = if step.is_check { "?" } else { "+" };
    let by = if step.by_person { " [by a person]" } else { "" };
    let rollback = step.reversibility.iter().map(|who| text!(" {}", show_reversibility(*who))).collect::<Text>();
    let mut text = text!("    {} {:<17} {}{}{}\n", sign, step.id, step.title, by, rollback);
    let mut detail = |detail: Text| text += text!("      {:<17} {}\n", "", detail);
    if !step.with.is_empty() && (all || !step.is_check) {
        let with = step.with.iter().map(|(name, value)| text!("{} {}", name, value));
        detail(paint(Tone::Dim, Text::join(with, ", ")));
    }
    step.sends.iter().for_each(|sent| detail(text!("sends {}", sent)));
    step.queries.iter().for_each(|url| detail(text!("asks by POST at {}", url)));
    step.confirmed_by.iter().for_each(|role| detail(text!("only the {} confirms this", role)));
    text
}

/// Names what an earlier class shows already.
fn name_parts(alike: &Alike, class: &Class) -> Text {
    let ids = alike.steps.iter().map(|id| text!("`{}`", id));
    let steps = match alike.steps.len() {
        0 => None,
        count if count == class.steps.len() => Some(Text::from("all steps")),
        1 => Some(text!("step {}", Text::join(ids, ", "))),
        _ => Some(text!("steps {}", Text::join(ids, ", "))),
    };
    let others = [(alike.rollback, "rollback"), (alike.reach, "servers that get the credentials")]
        .into_iter()
        .filter(|(is, _)| *is);
    let parts = steps.into_iter().chain(others.map(|(_, part)| Text::from(part)));
    text!("  as in class {}: {}\n", short(&alike.class), Text::join(parts, "; "))
}
