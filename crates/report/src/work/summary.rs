//! What was done, in sentences.

use std::collections::BTreeMap;

use flowswap_contract::Phase;
use flowswap_engine::{Direction, RequestOutcome, TenantState, Verdict, is_step_of_rotation};
use jiff::Timestamp;

use super::{
    attempt::{Attempt, AttemptEnd},
    run::RunLine,
    selection::Selection,
    statement::SecretEvent,
    stop::{Left, Stop},
    tenant::{Attention, WorkedTenant},
};
use crate::{cause::group, number::number};

/// Sentences about states, for one tenant and for several, and which states they are about.
type Sentence = (&'static str, &'static str, &'static [TenantState]);

const DONE: [Sentence; 2] = {
    use TenantState as S;
    [
        (
            "uses the client-credential flow, and that is confirmed",
            "use the client-credential flow, and that is confirmed",
            &[S::Swapped, S::Retired, S::Finalized],
        ),
        ("was rolled back", "were rolled back", &[S::RolledBack]),
    ]
};

const UNFINISHED: [Sentence; 2] = {
    use TenantState as S;
    [
        ("waits for a person or for time", "wait for a person or for time", &[S::Waiting, S::Soaking, S::RollingBack]),
        ("is not finished", "are not finished", &[S::Running]),
    ]
};

/// The summary names the tenants of at most this many causes.
const MOST_CAUSES: usize = 5;
/// It names at most this many tenants of a cause.
const MOST_NAMES: usize = 3;

/// The sentences, the most important first. `range` is the time of the first record and of the last one. `own_words` gives the names
/// and ids of a tenant.
pub(crate) fn summarize(
    selection: &Selection,
    runs: &[RunLine],
    tenants: &[WorkedTenant],
    range: Option<(Timestamp, Timestamp)>,
    own_words: impl Fn(&str) -> Vec<String>,
) -> Vec<String> {
    let when = range.map(|(from, to)| format!(", from {from:.0} to {to:.0}")).unwrap_or_default();
    let of_runs = number(runs.len(), "run", "runs");
    let mut sentences = vec![format!("This report is about {} and {of_runs}{when}.", count(tenants.len()))];
    if let [run] = runs {
        sentences.extend(run.became().map(|became| format!("`{}` had {became}.", run.command)));
        let all: usize = run.outcomes.iter().map(|count| count.tenants).sum();
        let without_news = all.saturating_sub(run.tenants);
        if selection.tenants.is_empty() && without_news > 0 {
            let verb = if without_news == 1 { "is" } else { "are" };
            sentences.push(format!("{} {verb} not in this report, because that run had no news.", count(without_news)));
        }
    }
    sentences.extend(runs.iter().filter_map(|run| Stop::of(run, tenants)).map(|stop| stop.sentence()));
    let last = runs.last().and_then(|run| Stop::of(run, tenants));
    let left = last.map(|stop| stop.left(tenants)).unwrap_or_default();
    let bad = [
        (Attention::Failed, "failed or is stuck", "failed or are stuck"),
        (Attention::Refused, "was refused by the last run", "were refused by the last run"),
        (Attention::Skipped, "was skipped by the last run", "were skipped by the last run"),
    ];
    for (attention, one, many) in bad {
        let is_told = |tenant: &WorkedTenant| attention == Attention::Skipped && left.skipped.contains(&*tenant.name);
        let those = tenants.iter().filter(|tenant| tenant.attention() == attention && !is_told(tenant));
        let those: Vec<&WorkedTenant> = those.collect();
        if !those.is_empty() {
            sentences.push(format!("{} {}.", count(those.len()), if those.len() == 1 { one } else { many }));
            sentences.extend(name_by_cause(those, &own_words));
        }
    }
    sentences.extend(by_state(&DONE, tenants.iter(), false));
    let others = tenants.iter().filter(|tenant| !left.begun.contains(&*tenant.name));
    sentences.extend(by_state(&UNFINISHED, others, !left.begun.is_empty()));
    sentences.extend(purged(tenants));
    sentences.extend(untouched(tenants, &left));
    sentences.push(sent(tenants));
    sentences.extend(received(tenants));
    sentences
}

fn count(tenants: usize) -> String {
    count_others(tenants, false)
}

/// `2 tenants`, or `2 other tenants` if the sentences before have counted some.
fn count_others(tenants: usize, has_told: bool) -> String {
    let (one, many) = if has_told { ("other tenant", "other tenants") } else { ("tenant", "tenants") };
    number(tenants, one, many)
}

/// A sentence for each group of states in which there is a tenant.
fn by_state<'a>(
    sentences: &[Sentence],
    tenants: impl Iterator<Item = &'a WorkedTenant> + Clone,
    has_told: bool,
) -> Vec<String> {
    let of = |(one, many, states): &Sentence| {
        let those = tenants.clone().filter(|tenant| states.contains(&tenant.state)).count();
        let verb = if those == 1 { one } else { many };
        (those > 0).then(|| format!("{} {verb}.", count_others(those, has_told)))
    };
    sentences.iter().filter_map(of).collect()
}

/// A sentence for each cause: its tenants, and what happened.
fn name_by_cause(tenants: Vec<&WorkedTenant>, own_words: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let words: BTreeMap<&str, Vec<String>> =
        tenants.iter().map(|tenant| (tenant.name.as_str(), own_words(&tenant.name))).collect();
    let groups = group(tenants, |tenant| {
        let own = words.get(tenant.name.as_str()).into_iter().flatten().map(String::as_str);
        (tenant.why().unwrap_or_else(|| tenant.state.to_string()), own.collect())
    });
    let more = groups.len().saturating_sub(MOST_CAUSES);
    let of_group = |group: &crate::cause::Group<&WorkedTenant>| {
        let names: Vec<&str> = group.items.iter().take(MOST_NAMES).map(|tenant| tenant.name.as_str()).collect();
        let others = group.items.len() - names.len();
        let others = if others > 0 { format!(", and {others} more") } else { String::new() };
        format!("{}{others}: {}.", names.join(", "), group.text.trim_end_matches('.'))
    };
    let mut sentences: Vec<String> = groups.iter().take(MOST_CAUSES).map(of_group).collect();
    if more > 0 {
        sentences.push(format!("There are {}.", number(more, "more cause", "more causes")));
    }
    sentences
}

/// What nobody can undo: deleted legacy clients, and deleted client secrets.
fn purged(tenants: &[WorkedTenant]) -> Vec<String> {
    let count = |of_rotation: bool| {
        let is_done =
            |it: &Attempt| (it.phase, it.direction, it.end) == (Phase::Purge, Direction::Forward, AttemptEnd::Done);
        let is_it = |it: &Attempt| is_done(it) && is_step_of_rotation(&it.step) == of_rotation;
        tenants.iter().filter(|tenant| tenant.attempts.iter().any(is_it)).count()
    };
    let say = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("The {what} of 1 tenant was deleted. That is irreversible.")),
        many => Some(format!("The {what}s of {many} tenants were deleted. That is irreversible.")),
    };
    say(count(false), "legacy client").into_iter().chain(say(count(true), "previous client secret")).collect()
}

/// The tenants that nothing was done for, by what a plan says of them, without those that a stopped run did not get to.
fn untouched(tenants: &[WorkedTenant], left: &Left<'_>) -> Option<String> {
    let mut words: BTreeMap<(bool, Option<Verdict>), usize> = BTreeMap::new();
    for tenant in tenants.iter().filter(|tenant| !left.skipped.contains(&*tenant.name)) {
        match tenant.state {
            TenantState::Planned => *words.entry((false, None)).or_default() += 1,
            TenantState::Unplanned => *words.entry((true, tenant.verdict)).or_default() += 1,
            _ => {}
        }
    }
    let all: usize = words.values().sum();
    let word = |((is_unplanned, verdict), number): ((bool, Option<Verdict>), usize)| match verdict {
        Some(verdict) => format!("{number} {verdict}"),
        None => format!("{number} {}", if is_unplanned { "unplanned" } else { "planned" }),
    };
    let words: Vec<String> = words.into_iter().map(word).collect();
    let subject = count_others(all, !left.skipped.is_empty());
    (all > 0).then(|| format!("Nothing was done for {subject}: {}.", words.join(", ")))
}

/// How many requests were to change something, and how they ended.
fn sent(tenants: &[WorkedTenant]) -> String {
    let (mut good, mut bad, mut unknown) = (0, 0, 0);
    for request in tenants.iter().flat_map(|tenant| &tenant.attempts).flat_map(|attempt| &attempt.requests) {
        match &request.outcome {
            Some(RequestOutcome::NotSent { .. }) => {}
            Some(RequestOutcome::Answered { status, .. }) if *status < 400 => good += 1,
            Some(RequestOutcome::Answered { .. }) => bad += 1,
            Some(RequestOutcome::Lost { .. }) | None => unknown += 1,
        }
    }
    let all = good + bad + unknown;
    let how = match (all, good) {
        (0, _) => return "flowswap sent no request to change something.".to_owned(),
        (1, 1) => "It succeeded".to_owned(),
        (all, good) if all == good => "All succeeded".to_owned(),
        _ => {
            let parts = [
                (good, "succeeded", "succeeded"),
                (bad, "was answered with an error", "were answered with an error"),
                (unknown, "has an unknown outcome", "have an unknown outcome"),
            ];
            let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
            let parts = parts.map(|(number, one, many)| format!("{number} {}", if number == 1 { one } else { many }));
            parts.collect::<Vec<_>>().join(", ")
        }
    };
    format!("flowswap sent {} to change something. {how}.", number(all, "request", "requests"))
}

fn received(tenants: &[WorkedTenant]) -> Option<String> {
    let secrets = tenants.iter().flat_map(|tenant| &tenant.secrets);
    match secrets.filter(|secret| secret.event == SecretEvent::HandedOver).count() {
        0 => None,
        1 => Some("A person received a secret.".to_owned()),
        several => Some(format!("People received a secret {several} times.")),
    }
}
