//! The report of a plan at a terminal: what a reviewer needs, once for each class of tenants that are planned alike.

mod class;

use std::collections::BTreeMap;

use flowswap_engine::{Plan, short};
use flowswap_report::{FindingLine, PlanReport, TenantLine, Timeline, WaveLine};

use super::{
    causes, plan, show_problem,
    text::{Text, text},
    tone_of_severity,
};
use crate::terminal::{Tone, paint};

/// How many tenants a list names.
const MAX_NAMES: usize = 12;

/// A plan for its reviewer. With `each`, and if there is only one tenant, it has each step of each tenant.
pub(crate) fn show_plan(plan: &Plan, each: bool) -> Text {
    if each || plan.tenants.len() == 1 { plan::show(plan) } else { show(&PlanReport::of(plan)) }
}

/// The report of a plan, with lines that fit the terminal.
pub(crate) fn show(report: &PlanReport) -> Text {
    let mut text: Text = report.summary.iter().map(|sentence| text!("{}\n", sentence)).collect();
    let verdicts = report.verdicts.iter().map(|(verdict, count)| text!("{} {}", count, verdict));
    text += text!("{} {}\n", title("tenants:"), Text::join(verdicts, ", "));
    let in_need: usize = report.problems.iter().map(|problem| problem.tenants.len()).sum();
    if in_need > 0 {
        let need = if in_need == 1 { "needs" } else { "need" };
        text += text!("\n{}\n", paint(Tone::Strong, text!("{} {} a person first:", super::tenants(in_need), need)));
        text.extend(report.problems.iter().map(|problem| show_problem(problem, None)));
    }
    let tenants: BTreeMap<&str, &TenantLine> =
        report.tenants.iter().map(|tenant| (tenant.name.as_str(), tenant)).collect();
    let classes = report.classes.iter().enumerate();
    text.extend(classes.map(|(position, class)| text!("\n{}", class::show(class, position == 0, &tenants))));
    text += list_waves(&report.waves);
    text.extend(report.timeline.iter().map(list_days));
    if !report.findings.is_empty() {
        text += text!("\n{}\n", title("findings:"));
        text.extend(report.findings.iter().map(show_finding));
    }
    if !report.unknowns.is_empty() {
        text += text!("\n{}\n", title("not known, or only inferred:"));
        let unknowns = report.unknowns.iter();
        text.extend(unknowns.map(|unknown| text!("  {} ({})\n", unknown.what, list(&unknown.tenants))));
    }
    text += "\n";
    for plugin in &report.plugins {
        let cage = if plugin.uncaged { paint(Tone::Care, " runs without a cage") } else { Text::default() };
        let sha256 = short(&plugin.sha256);
        text += text!("{} {} {} (sha256 {}){}\n", title("plugin:"), plugin.name, plugin.version, sha256, cage);
    }
    let by = report.made_by.iter().map(|by| text!(" by {}", by)).collect::<Text>();
    text += text!("{} made at {}{}, valid until {}\n", title("plan:"), report.created_at, by, report.not_after);
    text += text!("{} {}\n", title("digest:"), report.digest);
    text
}

/// The words before a part of a report.
pub(super) fn title(words: &'static str) -> Text {
    paint(Tone::Strong, words)
}

/// The first names, and how many more there are.
pub(super) fn list<S: AsRef<str>>(names: &[S]) -> Text {
    let first = names.iter().take(MAX_NAMES).map(|name| text!("{}", name.as_ref()));
    let more = names.len().saturating_sub(MAX_NAMES);
    let more = (more > 0).then(|| text!("and {} more", more));
    Text::join(first.chain(more), ", ")
}

/// A rule that matched: where, what it means, and what to do.
fn show_finding(finding: &FindingLine) -> Text {
    let id = paint(tone_of_severity(finding.severity), &finding.id);
    let names: Vec<&str> = finding.tenants.iter().map(String::as_str).collect();
    let names = text!("{}{}", causes::subject(&names), causes::list_names(&names));
    let mut text = text!("  {} ({}): {}\n", id, finding.severity, names);
    if !finding.about.is_empty() {
        text += text!("    {}\n", finding.about);
    }
    text + text!("    fix: {}\n", finding.fix)
}

/// The connections that stop working next.
/// The waves of a plan. Empty if it has none.
pub(crate) fn list_waves(waves: &[WaveLine]) -> Text {
    if waves.is_empty() {
        return Text::default();
    }
    let line = |wave: &WaveLine| {
        let opens = wave.opens_after.iter().map(|after| text!(", opens after: {}", after)).collect::<Text>();
        text!("  {:<12}  {} ({}){}\n", wave.name, super::tenants(wave.tenants.len()), list(&wave.tenants), opens)
    };
    let mut text = text!("\n{}\n", title("waves:"));
    text.extend(waves.iter().map(line));
    text
}

fn list_days(timeline: &Timeline) -> Text {
    if timeline.next.is_empty() {
        return Text::default();
    }
    let mut text = text!("\n{}\n", title("connections that stop working next if nobody does anything:"));
    for day in &timeline.next {
        let when = match day.days_left {
            ..0 => "already".to_owned(),
            0 => "within a day".to_owned(),
            1 => "in 1 day".to_owned(),
            days => format!("in {days} days"),
        };
        let stay = (!day.left.is_empty())
            .then(|| text!("{} {}", paint(Tone::Bad, "not migrated by this plan:"), list(&day.left)));
        let names = (!day.migrated.is_empty()).then(|| list(&day.migrated)).into_iter().chain(stay);
        text += text!("  {:<12}  {}\n", when, Text::join(names, "; "));
    }
    if timeline.later > 0 {
        text += text!("  {:<12}  {}\n", "later", super::tenants(timeline.later));
    }
    text
}
