//! One fault at every step and operation, of every kind, then two at once. What the run reports must be true, and running the
//! same command again must reach the goal.

use flowswap_contract::{ErrorKind, Op};
use flowswap_engine::{Goal, Outcome, TenantState as S};
use tokio::time::Instant;

use crate::{
    fault::{Fault as F, Injection, KINDS},
    laws::{assert_lawful, assert_rolled_back, assert_secrets_accounted, assert_swapped},
    test_fleet::TestFleet,
};

const CHANGES: [(&str, Goal); 4] =
    [("provision", Goal::Swapped), ("swap", Goal::Swapped), ("retire", Goal::Retired), ("purge", Goal::Purged)];

const CHECKS: [(&str, Goal); 6] = [
    ("prove", Goal::Swapped),
    ("test", Goal::Swapped),
    ("confirm-directory", Goal::Swapped),
    ("confirm-provider", Goal::Swapped),
    ("confirm-directory", Goal::Retired),
    ("confirm-provider", Goal::Retired),
];

fn reached(goal: Goal) -> S {
    match goal {
        Goal::Swapped => S::Swapped,
        Goal::Retired => S::Retired,
        Goal::Purged => S::Finalized,
        Goal::RolledBack => S::RolledBack,
    }
}

/// Brings a tenant to where the run for the goal starts.
async fn fleet_before(goal: Goal) -> TestFleet {
    let fleet = TestFleet::new(&["acme"]).await;
    if matches!(goal, Goal::Retired | Goal::Purged | Goal::RolledBack) {
        fleet.reach(Goal::Swapped, S::Swapped).await;
    }
    if matches!(goal, Goal::Purged | Goal::RolledBack) {
        fleet.reach(Goal::Retired, S::Retired).await;
    }
    fleet.restarted()
}

/// Runs with faults, checks how it ends, and runs the command again. From the same end, also rolls back.
async fn check(goal: Goal, faults: &[(&str, Op, usize, F)], expect: S) {
    let label = format!("{goal:?} {faults:?}");
    let untouched = TestFleet::new(&["acme"]).await.env.state();
    let fleet = fleet_before(goal).await;
    for (step, op, nth, fault) in faults {
        fleet.inject(step, *op, *nth, *fault);
    }
    let (state, reason) = fleet.end(goal).await;
    assert_eq!(state, expect, "{label}: {reason}");
    assert_eq!(reason.is_empty(), expect == reached(goal), "{label}: {reason}");
    fleet.assert_fired();
    assert_lawful(&fleet.env.state());

    let again = fleet.restarted();
    assert_eq!(again.end_or_done(goal).await, reached(goal), "{label}, again");
    let healed = again.env.state();
    if goal == Goal::RolledBack {
        assert_rolled_back(&untouched, &healed)
    } else {
        assert_swapped(&healed)
    }
    assert_secrets_accounted(&healed);

    if goal == Goal::Swapped || goal == Goal::Retired {
        let back = fleet.restarted();
        assert_eq!(back.end_or_done(Goal::RolledBack).await, S::RolledBack, "{label}, then rolled back");
        assert_rolled_back(&untouched, &back.env.state());
    }
}

impl TestFleet {
    /// The state that the run ends in, or the state in the journal if there was nothing to do.
    async fn end_or_done(&self, goal: Goal) -> S {
        match self.run(goal).await.remove(0).1 {
            Outcome::Ended { state, .. } => state,
            Outcome::Refused { changes } if changes == ["there is nothing to roll back"] => {
                self.history().tenant("acme").unwrap().state
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_fails_is_observed_and_recovered() {
    let mut tried = 0;
    for (step, goal) in CHANGES {
        let before = match goal {
            Goal::Swapped if step == "provision" => S::Running,
            Goal::Swapped => S::Running,
            Goal::Retired => S::Swapped,
            _ => S::Retired,
        };
        let apply = |nth, fault| (step, Op::Apply, nth, fault);
        let look = |nth, fault| (step, Op::Observe, nth, fault);
        // One fault of every kind: observing afterwards tells them apart.
        check(goal, &[apply(0, F::Refuse)], S::Failed).await;
        check(goal, &[apply(0, F::Interrupt)], before).await;
        for once in [F::LoseRequest, F::LoseAnswer, F::Die, F::Garble, F::Half] {
            check(goal, &[apply(0, once)], reached(goal)).await;
            for twice in [F::LoseRequest, F::LoseAnswer, F::Die, F::Garble, F::Half] {
                let done = step != "provision" && matches!(once, F::LoseAnswer | F::Die | F::Garble);
                let done = done || matches!(once, F::Die | F::Garble);
                if !done {
                    check(goal, &[apply(0, once), apply(1, twice)], reached(goal)).await;
                    tried += 1;
                }
            }
            // If observing fails or cannot tell, the tenant is stuck until observing works.
            for look_fault in [F::Blind, F::Refuse, F::LoseRequest, F::Garble] {
                check(goal, &[apply(0, once), look(0, look_fault)], S::Stuck).await;
                tried += 1;
            }
            check(goal, &[apply(0, once), look(0, F::Interrupt)], before).await;
            tried += 2;
        }
        // At most three attempts.
        let thrice = [apply(0, F::LoseRequest), apply(1, F::LoseRequest), apply(2, F::LoseRequest)];
        check(goal, &thrice, S::Failed).await;
        // A half-done step stays in doubt, whatever the second attempt reports.
        check(goal, &[apply(0, F::Half), apply(1, F::Refuse)], S::Stuck).await;
        check(goal, &[apply(0, F::Half), apply(1, F::Interrupt)], before).await;
        check(goal, &[apply(0, F::Half), apply(1, F::Half), apply(2, F::Half)], S::Stuck).await;
        tried += 6;
    }
    println!("changes that failed: {tried} ways, all recovered and rolled back");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_changes_nothing_and_runs_again() {
    for (step, goal) in CHECKS {
        // After the swap: either the check got no answer, or it failed and a person must decide.
        let (transient, lasting) =
            if step.starts_with("confirm-") { (S::Soaking, S::Stuck) } else { (S::Failed, S::Failed) };
        let interrupted = if step.starts_with("confirm-") { S::Soaking } else { S::Running };
        for (fault, expect) in [
            (F::Refuse, lasting),
            (F::LoseRequest, transient),
            (F::LoseAnswer, transient),
            (F::Die, lasting),
            (F::Garble, lasting),
            (F::Interrupt, interrupted),
        ] {
            check(goal, &[(step, Op::Test, 0, fault)], expect).await;
        }
        for (kind, is_transient) in KINDS {
            // A side that did not answer has not failed the check.
            let is_unanswered = is_transient || kind == ErrorKind::Unreachable;
            let expect = if is_unanswered { transient } else { lasting };
            check(goal, &[(step, Op::Test, 0, F::Say(kind))], expect).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_is_retried_and_then_stuck() {
    let goal = Goal::RolledBack;
    for step in ["provision", "swap", "retire"] {
        let undo = |nth, fault| (step, Op::Undo, nth, fault);
        let look = |nth, fault| (step, Op::Observe, nth, fault);
        for fault in [F::LoseRequest, F::DieEarly, F::LoseAnswer, F::Die, F::Garble, F::Half] {
            check(goal, &[undo(0, fault)], S::RolledBack).await;
        }
        // A refusal that would be the same the next time is not tried again.
        check(goal, &[undo(0, F::Refuse)], S::Stuck).await;
        for (kind, is_transient) in KINDS {
            check(goal, &[undo(0, F::Say(kind))], if is_transient { S::RolledBack } else { S::Stuck }).await;
        }
        for first in [F::LoseRequest, F::Half, F::Say(ErrorKind::Unavailable)] {
            check(goal, &[undo(0, first), undo(1, F::Refuse)], S::Stuck).await;
        }
        for fault in [F::LoseRequest, F::LoseAnswer, F::Die, F::Garble, F::Half] {
            for look_fault in [F::Blind, F::Refuse, F::LoseRequest, F::Garble] {
                check(goal, &[undo(0, fault), look(0, look_fault)], S::Stuck).await;
            }
            check(goal, &[undo(0, fault), look(0, F::Interrupt)], S::RollingBack).await;
        }
        for fault in [F::Say(ErrorKind::Unavailable), F::LoseRequest, F::DieEarly, F::Half] {
            let four = [undo(0, fault), undo(1, fault), undo(2, fault), undo(3, fault)];
            check(goal, &four[..3], S::RolledBack).await;
            check(goal, &four, S::Stuck).await;
        }
        check(goal, &[undo(0, F::Interrupt)], S::RollingBack).await;
    }
}

/// Seconds between the attempts: 1, 4, and 15.
#[tokio::test(start_paused = true)]
async fn an_undo_is_retried_only_if_waiting_helps() {
    for (fault, tries, seconds, reason) in [
        (F::Refuse, 1, 0, "step `swap` could not be rolled back: not permitted"),
        (F::Say(ErrorKind::NotFound), 1, 0, "step `swap` could not be rolled back: not now. To fix this: look at it"),
        (F::Say(ErrorKind::TimedOut), 4, 20, "step `swap` could not be rolled back: not now. To fix this: look at it"),
        (F::LoseRequest, 4, 20, "step `swap` could not be rolled back: no answer"),
        (F::DieEarly, 4, 20, "step `swap` could not be rolled back: the plugin died"),
    ] {
        let fleet = fleet_before(Goal::RolledBack).await;
        for nth in 0..tries {
            fleet.inject("swap", Op::Undo, nth, fault);
        }
        let begin = Instant::now();
        assert_eq!(fleet.end(Goal::RolledBack).await, (S::Stuck, reason.to_owned()), "{fault:?}");
        assert_eq!((fleet.count("swap", Op::Undo), begin.elapsed().as_secs()), (tries, seconds), "{fault:?}");
        fleet.assert_fired();
        assert_lawful(&fleet.env.state());
    }
}

/// Any two faults, forward and back. Whatever the runs report, a few of them reach the goal, and the invariants hold.
#[tokio::test(start_paused = true)]
async fn after_any_two_faults_the_same_command_reaches_the_goal() {
    for goal in [Goal::Swapped, Goal::RolledBack] {
        let mut single = Vec::new();
        let steps: &[(&str, Op)] = match goal {
            Goal::Swapped => &[("provision", Op::Apply), ("swap", Op::Apply)],
            _ => &[("provision", Op::Undo), ("swap", Op::Undo), ("retire", Op::Undo)],
        };
        for &(step, op) in steps {
            let first = [F::Refuse, F::Interrupt, F::LoseRequest, F::LoseAnswer, F::Die, F::Half, F::Stop];
            single.extend(first.map(|fault| (step, op, 0, fault)));
            let later = [F::Refuse, F::Say(ErrorKind::Unavailable), F::LoseRequest, F::Half];
            single.push((step, op, 0, F::Say(ErrorKind::Unavailable)));
            single.extend(later.map(|fault| (step, op, 1, fault)));
            single.extend([F::Refuse, F::Blind].map(|fault| (step, Op::Observe, 0, fault)));
        }
        let mut pairs = 0;
        for (index, &first) in single.iter().enumerate() {
            for &second in &single[index + 1..] {
                if (first.0, first.1, first.2) != (second.0, second.1, second.2) {
                    pairs += usize::from(try_pair(goal, [first, second]).await);
                }
            }
        }
        println!("{goal:?}: {pairs} pairs of faults, all recovered");
        assert!(pairs > 50, "{pairs}");
    }
}

/// Returns whether both faults happened. The injected faults stay in force across the runs.
async fn try_pair(goal: Goal, faults: [(&str, Op, usize, F); 2]) -> bool {
    let untouched = TestFleet::new(&["acme"]).await.env.state();
    let mut fleet = fleet_before(goal).await;
    for (step, op, nth, fault) in faults {
        fleet.env.faults.lock().unwrap().inject(Injection { tenant: None, step: step.to_owned(), op, nth, fault });
    }
    for _ in 0..4 {
        let state = fleet.end_or_done(goal).await;
        // Checks only after outcomes, because between them the journal claims nothing.
        for (what, moment) in fleet.env.take_moments() {
            if ["record step-ended", "record step-failed"].contains(&what.as_str()) {
                assert_lawful(&moment);
            }
        }
        if state == reached(goal) {
            break;
        }
        // The faults carry over to the next run, the operator's request to stop does not.
        let next = fleet.restarted();
        *next.env.faults.lock().unwrap() = std::mem::take(&mut *fleet.env.faults.lock().unwrap());
        fleet = next;
    }
    let end = fleet.env.state();
    if goal == Goal::RolledBack {
        assert_rolled_back(&untouched, &end)
    } else {
        assert_swapped(&end)
    }
    fleet.env.faults.lock().unwrap().unfired().is_empty()
}
