//! How things look to a person: tables, plans, progress.

pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod sheet;
pub(crate) mod table;
pub(crate) mod text;

use flowswap_contract::Evidence;
use flowswap_engine::{Claim, Finding, Severity, TenantState, Verdict};

use self::text::{Text, text};
use crate::terminal::{Tone, paint};

/// The colour of a verdict.
pub(crate) fn tone_of_verdict(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Ready | Verdict::Migrated => Tone::Good,
        Verdict::NotApplicable => Tone::Dim,
        Verdict::Unknown => Tone::Care,
        Verdict::Blocked => Tone::Bad,
    }
}

/// The colour of a severity.
pub(crate) fn tone_of_severity(severity: Severity) -> Tone {
    match severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Care,
        Severity::Info => Tone::Dim,
    }
}

/// The colour of a state.
pub(crate) fn tone_of_state(state: TenantState) -> Tone {
    use TenantState as S;
    match state {
        S::Swapped | S::Retired | S::Finalized | S::RolledBack => Tone::Good,
        S::Stuck | S::Failed => Tone::Bad,
        S::Running | S::RollingBack | S::Waiting | S::Soaking => Tone::Care,
        S::Unplanned | S::Planned => Tone::Dim,
    }
}

/// What stands in the way of a tenant that needs a person, and what to do about it; nothing for the others.
pub(crate) fn show_trouble(name: &str, verdict: Verdict, findings: &[Finding]) -> Text {
    if verdict <= Verdict::NotApplicable {
        return Text::default();
    }
    let mut text = text!("\n{} is {}\n", paint(Tone::Strong, name), paint(tone_of_verdict(verdict), verdict));
    for finding in findings.iter().filter(|finding| finding.severity == Severity::Error) {
        text += text!("  {}: {}\n", paint(tone_of_severity(finding.severity), &finding.id), finding.message);
        text += text!("    fix: {}\n", finding.fix);
    }
    text
}

/// What somebody said of a step that they were asked for.
pub(crate) fn claim(claim: &Claim) -> Text {
    let note = claim.note.as_ref().map(|note| text!(" (“{}”)", note)).unwrap_or_default();
    text!("{} said at {} that it is done{}; that is not seen yet", claim.by, claim.at, note)
}

/// By what a piece of evidence can be found again, and what tells more about it.
pub(crate) fn show_sources(evidence: &Evidence) -> Text {
    let ids = [("request", &evidence.request_id), ("event", &evidence.event_id)];
    let ids = ids.into_iter().filter_map(|(what, id)| Some(text!(", {} id {}", what, id.as_ref()?)));
    let rule = evidence.rule.iter().map(|rule| text!(", see `flowswap explain {}`", rule));
    ids.chain(rule).collect()
}

/// `1 tenant`, `2 tenants`.
pub(crate) fn tenants(count: usize) -> String {
    if count == 1 { "1 tenant".to_owned() } else { format!("{count} tenants") }
}

/// Counts the items by name, in the order of the names given: `9 ready, 1 blocked`.
pub(crate) fn count<T: PartialEq + std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut counts: Vec<(T, usize)> = Vec::new();
    for item in items {
        match counts.iter_mut().find(|(known, _)| *known == item) {
            Some((_, count)) => *count += 1,
            None => counts.push((item, 1)),
        }
    }
    counts.iter().map(|(item, count)| format!("{count} {item}")).collect::<Vec<_>>().join(", ")
}
