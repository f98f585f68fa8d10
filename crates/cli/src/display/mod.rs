//! How things look to a person: tables, plans, progress.

pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod table;

use flowswap_engine::{Finding, Severity, TenantState, Verdict};

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
pub(crate) fn show_trouble(name: &str, verdict: Verdict, findings: &[Finding]) -> String {
    if verdict <= Verdict::NotApplicable {
        return String::new();
    }
    let mut text = format!("\n{} is {}\n", paint(Tone::Strong, name), paint(tone_of_verdict(verdict), verdict));
    for finding in findings.iter().filter(|finding| finding.severity == Severity::Error) {
        text += &format!("  {}: {}\n", paint(tone_of_severity(finding.severity), &finding.id), finding.message);
        text += &format!("    fix: {}\n", finding.fix);
    }
    text
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
