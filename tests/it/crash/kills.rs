//! Killed at every call by which something is written, once, and once more while it recovers.

use super::{
    each,
    field::{Case, Field},
    is_full,
    judge::Judge,
};
use crate::{
    faults::points::Run,
    support::{
        disk::{self, DiskPoint, Strike},
        print,
    },
};

const WAL: &str = ".flowswap/journal.sqlite-wal";
const INDEX: &str = ".flowswap/journal.sqlite-shm";

/// A case with what it is called, and whether it ended well so far.
type Ended = (String, Case, Result<(), String>);

#[test]
fn killed_anywhere_and_again_while_it_recovers_the_same_command_heals() {
    if let Some(reason) = disk::missing() {
        return print(&format!("skipped: {reason}"));
    }
    let (mut figures, mut broken) = (Vec::new(), Vec::new());
    // Where a run begins and ends it does what every other does, so of the others only what they keep is taken.
    for (run, name, of_all, least) in [
        (Run::Forward, "forward", true, 100),
        (Run::Back, "back", true, 60),
        (Run::Recovery, "adopting a client", is_full(), 25),
        (Run::Retire, "retiring", is_full(), 10),
        (Run::Purge, "purging", is_full(), 10),
    ] {
        let points = Field::new(run, 1).case().record(run);
        let strikes = strikes(&points, of_all);
        assert!(strikes.len() >= least, "only {} points: {strikes:#?}", strikes.len());
        broken.extend(once(run, &strikes));
        figures.push(format!("{} {name}", strikes.len()));
    }
    for (run, name, least) in [(Run::Forward, "forward", 200), (Run::Back, "back", 60)] {
        let points = Field::new(run, 1).case().record(run);
        let mut firsts = strikes(&points, true);
        if !is_full() {
            firsts.retain(is_record);
        }
        let (pairs, problems) = twice(run, &firsts);
        assert!(pairs >= least, "only {pairs} pairs");
        broken.extend(problems);
        figures.push(format!(
            "{pairs} double {name} (pairs of {})",
            if is_full() { "all points" } else { "durable records" }
        ));
    }
    let figures = format!("crash points: {}", figures.join(", "));
    // That no secret is lost and no client made twice is part of what each case is judged by.
    assert!(broken.is_empty(), "{figures}; {} did not heal:\n{}", broken.len(), broken.join("\n"));
    print(&format!("{figures}; healed 100 %; lost secrets 0; duplicate creates 0"));
}

/// Every point of the run, each with a tenant of its own.
fn once(run: Run, strikes: &[Strike]) -> Vec<String> {
    let field = Field::new(run, strikes.len() + 1);
    let cases = each(strikes, |strike| {
        let case = field.case();
        let healed = case.kill(run, strike).and_then(|()| case.heal(run));
        (strike.to_string(), case, healed)
    });
    judge(&field, run, cases)
}

/// Every first point with every point of the run that recovers from it.
fn twice(run: Run, firsts: &[Strike]) -> (usize, Vec<String>) {
    let results = each(firsts, |first| {
        let seconds = {
            let field = Field::new(run, 1);
            let case = field.case();
            let points = case.kill(run, first).map(|()| case.record(run));
            let Ok(points) = points else { return (0, vec![format!("{first}: {}", points.unwrap_err())]) };
            let mut seconds = strikes(&points, true);
            if !is_full() {
                seconds.retain(is_record);
            }
            seconds
        };
        let field = Field::new(run, seconds.len() + 1);
        let cases: Vec<Ended> = seconds
            .iter()
            .map(|second| {
                let case = field.case();
                let killed = case.kill(run, first).and_then(|()| case.kill(run, second));
                let healed = killed.and_then(|()| case.heal(run));
                (format!("{first}, then {second}"), case, healed)
            })
            .collect();
        (seconds.len(), judge(&field, run, cases))
    });
    let pairs = results.iter().map(|(pairs, _)| pairs).sum();
    (pairs, results.into_iter().flat_map(|(_, broken)| broken).collect())
}

/// What did not heal, and what was seen instead.
fn judge(field: &Field, run: Run, cases: Vec<Ended>) -> Vec<String> {
    let reference = field.case();
    reference.run(run).expect(0);
    let judge = Judge::new(field);
    let expected = judge.reference(run, &reference);
    let broken = cases.into_iter().filter_map(|(name, case, healed)| match healed.and_then(|()| judge.end(&case)) {
        Ok(end) if end == expected => None,
        Ok(end) => Some(format!("{name}: {:#?}", end.differences(&expected))),
        Err(problem) => Some(format!("{name}: {problem}")),
    });
    broken.collect()
}

/// Whether a kill finds one more record durable than the one before, and nobody has heard of it.
fn is_record(strike: &Strike) -> bool {
    strike.mode == "kill-after" && strike.point.call == "sync" && strike.point.path == WAL
}

/// Where to kill: before and after each call. What lies between two calls on one file that follow each other is struck
/// once, and a series of writes before its first and its second: there may be more or fewer of them the next time.
fn strikes(points: &[DiskPoint], of_all: bool) -> Vec<Strike> {
    let mut strikes = Vec::new();
    for (index, point) in points.iter().enumerate() {
        let is_write_after = |back: usize| {
            let other = index.checked_sub(back).and_then(|index| points.get(index));
            point.call == "write" && other.is_some_and(|other| other.is_like(point))
        };
        let next = points.get(index + 1);
        let goes_on = point.call == "write" && next.is_some_and(|next| next.is_like(point));
        let is_synced =
            point.call == "write" && next.is_some_and(|next| next.call == "sync" && next.path == point.path);
        if !(is_write_after(1) && is_write_after(2)) || is_full() {
            strikes.push(Strike::new("kill-before", point.clone()));
        }
        if !goes_on && !is_synced {
            strikes.push(Strike::new("kill-after", point.clone()));
        }
    }
    // The index of the -wal, which SQLite makes anew after every crash, holds nothing.
    strikes.retain(|strike| is_full() || strike.point.path != INDEX);
    let is_kept = |strike: &Strike| is_record(strike) || strike.point.path.starts_with(".flowswap/secrets");
    strikes.retain(|strike| of_all || is_kept(strike));
    strikes
}
