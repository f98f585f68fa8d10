//! Makes every belief false, alone and in pairs, under every command.
//!
//! By default all single beliefs and a sample of the pairs. `FLOWSWAP_BELIEFS` sets the number of pairs, `full` for
//! all, or the names of the beliefs that are false together, separated by commas.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use flowswap_sim::{BELIEFS, Belief, Interface};

use super::judge::{Outcome, Way, Weather, go};
use crate::support::print;

/// The default number of pairs.
const PAIRS: usize = 10;

type Case = (Vec<Belief>, Interface, Way, Weather);

/// Beliefs about the gateway, which alone shows a connection and can restore one.
const OF_THE_GATEWAY: [Belief; 3] = [Belief::SubmitIsWhatRuns, Belief::RestoreRestores, Belief::RestoreIsWhatRuns];

/// Pairs that are always in the sample, because each of them revealed a missing rule.
const FOUND: [[Belief; 2]; 3] = [
    [Belief::UserAgentKept, Belief::EventsWithinMinutes],
    [Belief::ServiceGrantsLeaveEvents, Belief::OneDirectoryPerLegacyClient],
    [Belief::SyncsGoOn, Belief::OneDirectoryPerLegacyClient],
];

/// Flowswap cannot detect a false confirmation while both of these beliefs are false: the log shows another directory's
/// tokens of the legacy client, and does not yet show this directory's. `BELIEFS.md` says so.
fn is_beyond(beliefs: &[Belief], way: Way) -> bool {
    matches!(way, Way::Claimed | Way::Crossed)
        && [Belief::EventsInOrder, Belief::OneDirectoryPerLegacyClient].iter().all(|belief| beliefs.contains(belief))
}

/// All cases in which these beliefs are false: each interface that they are about, with every way.
fn every_way(beliefs: Vec<Belief>) -> impl Iterator<Item = Case> {
    let is_of_gateway = beliefs.iter().any(|belief| OF_THE_GATEWAY.contains(belief));
    let interfaces: &[Interface] =
        if is_of_gateway { &[Interface::Rest] } else { &[Interface::Rest, Interface::CieGuided] };
    let ways = interfaces.iter().flat_map(|interface| Way::all(*interface).iter().map(move |way| (*interface, *way)));
    let ways: Vec<_> = ways.filter(|(_, way)| !is_beyond(&beliefs, *way)).collect();
    ways.into_iter().map(move |(interface, way)| (beliefs.clone(), interface, way, Weather::default()))
}

#[test]
fn with_every_belief_true_every_way_comes_to_its_end() {
    let results = sweep(every_way(Vec::new()).collect());
    let ends: Vec<_> = results
        .iter()
        .map(|((_, interface, way, _), outcome)| format!("{interface:?} {way:?}: {}", tell_states(outcome)))
        .collect();
    insta::assert_snapshot!(ends.join("\n"));
    assert_right(&results);
}

#[test]
fn each_belief_alone_is_played_false() {
    let cases = BELIEFS.iter().flat_map(|row| every_way(vec![row.belief]));
    let begin = Instant::now();
    let results = sweep(cases.collect());
    let lines: Vec<_> = results
        .iter()
        .map(|((beliefs, interface, way, _), outcome)| {
            let (interface, way) = (format!("{interface:?}"), format!("{way:?}"));
            format!("{:<33} {interface:<10} {way:<9} {}", beliefs[0].to_string(), tell_states(outcome))
        })
        .collect();
    print(&tell("alone", &results, begin));
    assert_right(&results);
    assert_played(&results);
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn beliefs_in_pairs_are_played_false() {
    let mut pairs: Vec<_> = BELIEFS
        .iter()
        .enumerate()
        .flat_map(|(index, one)| BELIEFS[index + 1..].iter().map(|other| vec![one.belief, other.belief]))
        .collect();
    fastrand::Rng::with_seed(1).shuffle(&mut pairs);
    pairs.sort_by_key(|pair| !FOUND.iter().any(|found| pair == found));
    match std::env::var("FLOWSWAP_BELIEFS").as_deref() {
        Ok("full") => {}
        Ok(wanted) => match wanted.parse() {
            Ok(count) => pairs.truncate(count),
            Err(_) => pairs = vec![wanted.split(',').map(named).collect()],
        },
        Err(_) => pairs.truncate(PAIRS),
    }
    let cases = pairs.into_iter().flat_map(every_way);
    let begin = Instant::now();
    let results = sweep(cases.collect());
    print(&tell("in pairs", &results, begin));
    assert_right(&results);
}

/// All beliefs are true, but logs are late by less or more than the proofs allow, or clocks are wrong in either
/// direction.
#[test]
fn late_logs_and_clocks_that_are_off_lead_to_no_wrong_end() {
    let late = [5, 60].map(|log_late| Weather { log_late, ..Weather::default() });
    let off = [(40, 0), (-40, 0), (0, -40), (60, 60)];
    let off = off.map(|(org_ahead, directory_ahead)| Weather { org_ahead, directory_ahead, log_late: 1 });
    let cases = late.into_iter().chain(off).flat_map(|weather| {
        every_way(Vec::new()).map(move |(beliefs, interface, way, _)| (beliefs, interface, way, weather))
    });
    let begin = Instant::now();
    let results = sweep(cases.collect());
    let lines: Vec<_> = results
        .iter()
        .map(|((_, interface, way, Weather { log_late, org_ahead, directory_ahead }), outcome)| {
            let (interface, way) = (format!("{interface:?}"), format!("{way:?}"));
            let weather = format!("log {log_late:>2} late, org {org_ahead:>3}, directory {directory_ahead:>3}");
            format!("{weather}  {interface:<10} {way:<9} {}", tell_states(outcome))
        })
        .collect();
    print(&tell("under no belief that is false", &results, begin));
    assert_right(&results);
    insta::assert_snapshot!(lines.join("\n"));
}

fn named(id: &str) -> Belief {
    BELIEFS.iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no belief is named {id}")).belief
}

fn sweep(cases: Vec<Case>) -> Vec<(Case, Outcome)> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((beliefs, interface, way, weather)) = cases.get(index) else { return };
            let outcome = go(beliefs, *interface, *way, *weather);
            results.lock().unwrap().insert(index, outcome);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    cases.iter().cloned().zip(results.into_inner().unwrap().into_values()).collect()
}

fn tell_states(outcome: &Outcome) -> String {
    outcome.states.iter().map(|(command, state)| format!("{command}: {state}")).collect::<Vec<_>>().join(", ")
}

fn tell(what: &str, results: &[(Case, Outcome)], begin: Instant) -> String {
    let mut sets: Vec<_> = results.iter().map(|((beliefs, ..), _)| beliefs).collect();
    sets.dedup();
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for (_, outcome) in results {
        for (command, state) in &outcome.states {
            *ends.entry(format!("{command} -> {state}")).or_default() += 1;
        }
    }
    let ends: Vec<_> = ends.into_iter().map(|(end, count)| format!("{count} {end}")).collect();
    let played = results.iter().flat_map(|(_, outcome)| &outcome.played).filter(|(_, count)| **count > 0);
    let times: u64 = played.clone().map(|(_, count)| u64::from(*count)).sum();
    let kinds = played.map(|(belief, _)| belief).collect::<std::collections::BTreeSet<_>>().len();
    let wrong = results.iter().filter(|(_, outcome)| !outcome.wrong.is_empty()).count();
    format!(
        "beliefs false {what}: {} sets, {} runs, {} requests, {kinds} of {} beliefs played {times} times; {}; {wrong} wrong; {:.1} s",
        sets.len(),
        results.len(),
        results.iter().map(|(_, outcome)| outcome.requests).sum::<u64>(),
        BELIEFS.len(),
        ends.join(", "),
        begin.elapsed().as_secs_f64(),
    )
}

/// Asserts that each false belief made a difference in some run.
fn assert_played(results: &[(Case, Outcome)]) {
    let idle = BELIEFS.iter().map(|row| row.belief).filter(|belief| {
        !results.iter().any(|(_, outcome)| outcome.played.get(belief).is_some_and(|count| *count > 0))
    });
    let idle: Vec<_> = idle.map(|belief| belief.to_string()).collect();
    assert!(idle.is_empty(), "these beliefs never made a difference: {idle:?}");
}

fn assert_right(results: &[(Case, Outcome)]) {
    let wrong = results.iter().filter(|(_, outcome)| !outcome.wrong.is_empty());
    let lines: Vec<_> = wrong
        .map(|((beliefs, interface, way, weather), outcome)| {
            let names: Vec<_> = beliefs.iter().map(ToString::to_string).collect();
            let (names, states) = (names.join(" and "), tell_states(outcome));
            format!(
                "{names}, {interface:?} {way:?}, {weather:?}: {}\n    {states}\n    {}",
                outcome.wrong.join("; "),
                outcome.reason
            )
        })
        .collect();
    assert!(lines.is_empty(), "{} runs end wrongly:\n{}", lines.len(), lines.join("\n"));
}
