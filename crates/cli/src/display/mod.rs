//! How things look to a person: tables, plans, progress.

pub(crate) mod causes;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod sheet;
pub(crate) mod table;
pub(crate) mod text;

use flowswap_contract::Evidence;
use flowswap_engine::{Claim, Finding, Severity, TenantState, Verdict};

use self::{
    causes::{Group, MANY},
    text::{Text, text},
};
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

/// A tenant as reports tell of its trouble.
pub(crate) struct Trouble<'a> {
    pub(crate) name: &'a str,
    pub(crate) verdict: Verdict,
    pub(crate) findings: &'a [Finding],
    /// Words that are the tenant's own, besides its name.
    pub(crate) own: Vec<&'a str>,
}

impl Trouble<'_> {
    /// What stands in the way, and what to do about it, a line each.
    fn said(&self) -> String {
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        let said = errors.map(|finding| text!("{}\n{}\n{}\n", finding.id, finding.message, finding.fix));
        format!("{}\n{}", self.verdict, said.collect::<Text>().as_str())
    }
}

/// What stands in the way of tenants that need a person, and what to do about it; once for all of which it says the same.
/// With `each`, for every tenant.
pub(crate) fn show_troubles<'a>(tenants: impl IntoIterator<Item = Trouble<'a>>, each: bool) -> Text {
    let mut text = Text::default();
    let in_need = tenants.into_iter().filter(|tenant| tenant.verdict > Verdict::NotApplicable);
    let groups = match each {
        true => in_need.map(|tenant| Group { said: tenant.said(), items: vec![tenant] }).collect(),
        false => {
            causes::group(in_need, |tenant| (tenant.said(), tenant.own.iter().copied().chain([tenant.name]).collect()))
        }
    };
    for group in groups {
        let verdict = group.items[0].verdict;
        let names: Vec<&str> = group.items.iter().map(|tenant| tenant.name).collect();
        let is = if names.len() == 1 { "is" } else { "are" };
        let (whom, shown) = (paint(Tone::Strong, causes::whom(&names)), paint(tone_of_verdict(verdict), verdict));
        text += text!("\n{} {} {}{}\n", whom, is, shown, causes::names(&names));
        let mut lines = group.said.lines().skip(1);
        while let (Some(id), Some(message), Some(fix)) = (lines.next(), lines.next(), lines.next()) {
            text += text!("  {}: {}\n    fix: {}\n", paint(tone_of_severity(Severity::Error), id), message, fix);
        }
    }
    text
}

/// Which rows of a table are told as one: those of tenants in trouble whose other cells are the same, from many on. Gives
/// the indices of each row's items, in order.
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
        match is_many(&indices) {
            true => folded.push(indices),
            false => folded.extend(indices.into_iter().map(|index| vec![index])),
        }
    }
    folded.sort_by_key(|indices| indices[0]);
    folded
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
