//! What a person sees: tables, plans, run sheets, progress.

pub(crate) mod causes;
pub(crate) mod difference;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod replay;
pub(crate) mod review;
pub(crate) mod sheet;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod times;
pub(crate) mod work;
mod wrapping;

use flowswap_contract::Evidence;
use flowswap_engine::{Ending, Severity, TenantState, Verdict};
use flowswap_report::{Problem, ProblemError, TroubledTenant};

use self::{
    causes::MANY,
    text::{Text, text},
};
use crate::terminal::{Tone, paint};

/// The color of a verdict.
pub(crate) fn tone_of_verdict(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Ready | Verdict::Migrated => Tone::Good,
        Verdict::NotApplicable => Tone::Dim,
        Verdict::Unknown => Tone::Care,
        Verdict::Blocked => Tone::Bad,
    }
}

/// The color of a severity.
pub(crate) fn tone_of_severity(severity: Severity) -> Tone {
    match severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Care,
        Severity::Info => Tone::Dim,
    }
}

/// The color of a state.
pub(crate) fn tone_of_state(state: TenantState) -> Tone {
    use TenantState as S;
    match state {
        S::Swapped | S::Retired | S::Finalized | S::RolledBack => Tone::Good,
        S::Stuck | S::Failed => Tone::Bad,
        S::Running | S::RollingBack | S::Waiting | S::Soaking => Tone::Care,
        S::Unplanned | S::Planned => Tone::Dim,
    }
}

/// The color of how a tenant counts.
pub(crate) fn tone_of_ending(ending: Ending) -> Tone {
    match ending {
        Ending::Done => Tone::Good,
        Ending::Waiting | Ending::Inconclusive | Ending::Refused => Tone::Care,
        Ending::Failed => Tone::Bad,
        Ending::Skipped => Tone::Dim,
    }
}

/// Lists what blocks the tenants that need a person, and the fix. Tenants with the same problems are listed once, or one by
/// one with `each`. `place` says where a tenant is configured, if that is known.
pub(crate) fn show_problems<'a>(
    tenants: impl IntoIterator<Item = TroubledTenant<'a>>,
    each: bool,
    place: impl Fn(&str) -> Option<String>,
) -> Text {
    let problems = if each { Problem::of_each(tenants) } else { Problem::by_cause(tenants) };
    let place = |problem: &Problem| if let [only] = problem.tenants.as_slice() { place(only) } else { None };
    problems.iter().map(|problem| text!("\n{}", show_problem(problem, place(problem)))).collect()
}

/// What blocks some tenants, and the fix.
pub(crate) fn show_problem(problem: &Problem, place: Option<String>) -> Text {
    let names: Vec<&str> = problem.tenants.iter().map(String::as_str).collect();
    let is = if names.len() == 1 { "is" } else { "are" };
    let subject = paint(Tone::Strong, causes::subject(&names));
    let verdict = paint(tone_of_verdict(problem.verdict), problem.verdict);
    let place = place.map(|place| text!(" ({})", place)).unwrap_or_default();
    let mut text = text!("{}{} {} {}{}\n", subject, place, is, verdict, causes::list_names(&names));
    for ProblemError { id, message, fix } in &problem.errors {
        text += text!("  {}: {}\n    fix: {}\n", paint(tone_of_severity(Severity::Error), id), message, fix);
    }
    text
}

/// Folds the rows of a table: at least [`MANY`] rows with the same key become one. Returns the indices of each row's items,
/// in order. Rows without a key are never folded, and with `each` no row is.
pub(crate) fn fold_rows<K: PartialEq>(keys: Vec<Option<K>>, each: bool) -> Vec<Vec<usize>> {
    let mut rows: Vec<(Option<K>, Vec<usize>)> = Vec::new();
    for (index, key) in keys.into_iter().enumerate() {
        let known = rows.iter_mut().find(|(known, _)| key.is_some() && *known == key && !each);
        match known {
            Some((_, indices)) => indices.push(index),
            None => rows.push((key, vec![index])),
        }
    }
    let is_many = |indices: &Vec<usize>| indices.len() >= MANY;
    let mut folded: Vec<Vec<usize>> = Vec::new();
    for (_, indices) in rows {
        if is_many(&indices) {
            folded.push(indices);
        } else {
            folded.extend(indices.into_iter().map(|index| vec![index]));
        }
    }
    folded.sort_by_key(|indices| indices[0]);
    folded
}

/// The ids under which a piece of evidence can be found, and the command that explains it.
pub(crate) fn show_sources(evidence: &Evidence) -> Text {
    let ids = [("request", &evidence.request_id), ("event", &evidence.event_id)];
    let ids = ids.into_iter().filter_map(|(what, id)| Some(text!(", {} id {}", what, id.as_ref()?)));
    let rule = evidence.rule.iter().map(|rule| text!(", see `flowswap explain {}`", rule));
    ids.chain(rule).collect()
}

/// `1 tenant`, `2 tenants`.
pub(crate) fn tenants(count: usize) -> String {
    flowswap_report::number(count, "tenant", "tenants")
}

/// Counts equal items, in the order of their first occurrence: `9 ready, 1 blocked`.
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
