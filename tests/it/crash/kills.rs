//! Kills the binary at every call that writes something, and kills it again while it recovers.

use super::{
    each,
    field::{Case, Field},
    is_full,
    judge::Judge,
};
use crate::{
    faults::points::Run,
    support::{
        disk::{self, DiskFault, DiskPoint},
        print,
    },
};

const WAL: &str = ".flowswap/journal.sqlite-wal";
const INDEX: &str = ".flowswap/journal.sqlite-shm";

/// A case with its name, and its result so far.
type Ended = (String, Case, Result<(), String>);

#[test]
fn a_run_killed_at_any_write_and_again_during_recovery_recovers() {
    if let Some(reason) = disk::missing() {
        return print(&format!("skipped: {reason}"));
    }
    let (mut figures, mut broken) = (Vec::new(), Vec::new());
    // Every run begins and ends in the same way, so the other runs are killed only at the points where they store
    // something.
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
        let (killed, problems) = once(run, &strikes);
        assert_most(killed, strikes.len());
        broken.extend(problems);
        figures.push(format!("{killed} {name}"));
    }
    for (run, name, least) in [(Run::Forward, "forward", 200), (Run::Back, "back", 60)] {
        let points = Field::new(run, 1).case().record(run);
        let mut firsts = strikes(&points, true);
        if !is_full() {
            firsts.retain(is_record);
        }
        let (pairs, of_all, problems) = twice(run, &firsts);
        assert!(pairs >= least, "only {pairs} pairs");
        assert_most(pairs, of_all);
        broken.extend(problems);
        figures.push(format!(
            "{pairs} double {name} (pairs of {})",
            if is_full() { "all points" } else { "durable records" }
        ));
    }
    let figures = format!("crash points: {}", figures.join(", "));
    // The judge also checks in each case that no secret was lost and that no client was created twice.
    assert!(broken.is_empty(), "{figures}; {} did not heal:\n{}", broken.len(), broken.join("\n"));
    print(&format!("{figures}; healed 100 %; lost secrets 0; duplicate creates 0"));
}

/// A few runs may lack the point at which they should have been killed.
fn assert_most(killed: usize, of_all: usize) {
    assert!(killed * 50 >= of_all * 49, "only {killed} of {of_all} were killed");
}

/// Kills the run at every point, each with its own tenant. Returns how many were killed, and what did not heal.
fn once(run: Run, strikes: &[DiskFault]) -> (usize, Vec<String>) {
    let field = Field::new(run, strikes.len() + 1);
    let cases: Vec<Option<Ended>> = each(strikes, |strike| {
        let case = field.case();
        let healed = match case.kill(run, strike) {
            Ok(true) => case.heal(run),
            Ok(false) => return None,
            Err(problem) => Err(problem),
        };
        Some((strike.to_string(), case, healed))
    });
    let cases: Vec<Ended> = cases.into_iter().flatten().collect();
    (cases.len(), judge(&field, run, cases))
}

/// Kills the run at each first point, and the recovering run at each of its points. Returns how many were killed twice, how
/// many should have been, and what did not heal.
fn twice(run: Run, firsts: &[DiskFault]) -> (usize, usize, Vec<String>) {
    let results = each(firsts, |first| {
        let seconds = {
            let field = Field::new(run, 1);
            let case = field.case();
            match case.kill(run, first) {
                Ok(true) => {}
                Ok(false) => return (0, 1, Vec::new()),
                Err(problem) => return (0, 1, vec![format!("{first}: {problem}")]),
            }
            let points = case.record(run);
            let mut seconds = strikes(&points, true);
            if !is_full() {
                seconds.retain(is_record);
            }
            seconds
        };
        let field = Field::new(run, seconds.len() + 1);
        let cases = seconds.iter().filter_map(|second| {
            let case = field.case();
            let killed = case.kill(run, first).and_then(|killed| Ok(killed && case.kill(run, second)?));
            let healed = match killed {
                Ok(true) => case.heal(run),
                Ok(false) => return None,
                Err(problem) => Err(problem),
            };
            Some((format!("{first}, then {second}"), case, healed))
        });
        let cases: Vec<Ended> = cases.collect();
        (cases.len(), seconds.len(), judge(&field, run, cases))
    });
    let pairs = results.iter().map(|(killed, ..)| killed).sum();
    let of_all = results.iter().map(|(_, of_all, _)| of_all).sum();
    (pairs, of_all, results.into_iter().flat_map(|(.., broken)| broken).collect())
}

/// The cases that did not recover, and what was seen instead.
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

/// Whether the kill comes just after a record became durable, before anything acted on it.
fn is_record(strike: &DiskFault) -> bool {
    strike.mode == "kill-after" && strike.point.call == "sync" && strike.point.path == WAL
}

/// Where to kill: before and after each call. Between two consecutive calls on one file there is only one point. A
/// series of writes is killed before its first and its second, because its length can vary from run to run.
fn strikes(points: &[DiskPoint], of_all: bool) -> Vec<DiskFault> {
    let mut strikes = Vec::new();
    for (index, point) in points.iter().enumerate() {
        let is_write_after = |back: usize| {
            let other = index.checked_sub(back).and_then(|index| points.get(index));
            point.call == "write" && other.is_some_and(|other| other.is_like(point))
        };
        let next = points.get(index + 1);
        let goes_on = point.call == "write" && next.is_some_and(|next| next.path == point.path);
        if !(is_write_after(1) && is_write_after(2)) || is_full() {
            strikes.push(DiskFault::new("kill-before", point.clone()));
        }
        if !goes_on {
            strikes.push(DiskFault::new("kill-after", point.clone()));
        }
    }
    // SQLite rebuilds the index of the -wal after every crash, so it contains nothing to lose.
    strikes.retain(|strike| is_full() || strike.point.path != INDEX);
    let is_kept = |strike: &DiskFault| is_record(strike) || strike.point.path.starts_with(".flowswap/secrets");
    strikes.retain(|strike| of_all || is_kept(strike));
    strikes
}
