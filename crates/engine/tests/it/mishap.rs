//! One thing goes wrong, at every step and operation, in every way; then two at once. What the run says must be so, and the
//! same command given again must heal it.

use flowswap_contract::{ErrorKind, Op};
use flowswap_engine::{Goal, Outcome, TenantState as S};
use tokio::time::Instant;

use crate::{
    fault::{Fault as F, Injection, KINDS},
    laws::{assert_lawful, assert_rolled_back, assert_secrets_accounted, assert_swapped},
    scene::Scene,
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

/// Brings a tenant to just before the goal's own run.
async fn scene_before(goal: Goal) -> Scene {
    let scene = Scene::new(&["acme"]).await;
    if matches!(goal, Goal::Retired | Goal::Purged | Goal::RolledBack) {
        scene.reach(Goal::Swapped, S::Swapped).await;
    }
    if matches!(goal, Goal::Purged | Goal::RolledBack) {
        scene.reach(Goal::Retired, S::Retired).await;
    }
    scene.restarted()
}

/// Runs with faults, sees how it ends, gives the command again, and from the same end also goes back.
async fn check(goal: Goal, faults: &[(&str, Op, usize, F)], expect: S) {
    let label = format!("{goal:?} {faults:?}");
    let untouched = Scene::new(&["acme"]).await.reality.state();
    let scene = scene_before(goal).await;
    for (step, op, nth, fault) in faults {
        scene.order(step, *op, *nth, *fault);
    }
    let (state, reason) = scene.end(goal).await;
    assert_eq!(state, expect, "{label}: {reason}");
    assert_eq!(reason.is_empty(), expect == reached(goal), "{label}: {reason}");
    scene.assert_fired();
    assert_lawful(&scene.reality.state());

    let again = scene.restarted();
    assert_eq!(again.end_or_done(goal).await, reached(goal), "{label}, again");
    let healed = again.reality.state();
    if goal == Goal::RolledBack {
        assert_rolled_back(&untouched, &healed)
    } else {
        assert_swapped(&healed)
    }
    assert_secrets_accounted(&healed);

    if goal == Goal::Swapped || goal == Goal::Retired {
        let back = scene.restarted();
        assert_eq!(back.end_or_done(Goal::RolledBack).await, S::RolledBack, "{label}, then back");
        assert_rolled_back(&untouched, &back.reality.state());
    }
}

impl Scene {
    /// The state that the run ends in; that of the journal where there was nothing to do.
    async fn end_or_done(&self, goal: Goal) -> S {
        match self.run(goal).await.remove(0).1 {
            Outcome::Ended { state, .. } => state,
            Outcome::Refused { changes } if changes == ["there is nothing to take back"] => {
                self.history().tenant("acme").unwrap().state
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_goes_wrong_is_looked_at_and_healed() {
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
        // Once in every way: told apart by what the look afterwards shows.
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
            // A look that tells nothing, or fails, leaves the tenant stuck until somebody can look.
            for look_fault in [F::Blind, F::Refuse, F::LoseRequest, F::Garble] {
                check(goal, &[apply(0, once), look(0, look_fault)], S::Stuck).await;
                tried += 1;
            }
            check(goal, &[apply(0, once), look(0, F::Interrupt)], before).await;
            tried += 2;
        }
        // Three tries, and no more.
        let thrice = [apply(0, F::LoseRequest), apply(1, F::LoseRequest), apply(2, F::LoseRequest)];
        check(goal, &thrice, S::Failed).await;
        // What is half done stays in doubt, whatever the second try says.
        check(goal, &[apply(0, F::Half), apply(1, F::Refuse)], S::Stuck).await;
        check(goal, &[apply(0, F::Half), apply(1, F::Interrupt)], before).await;
        check(goal, &[apply(0, F::Half), apply(1, F::Half), apply(2, F::Half)], S::Stuck).await;
        tried += 6;
    }
    println!("changes that went wrong: {tried} ways, all healed, and gone back from");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_goes_wrong_changes_nothing_and_is_done_again() {
    for (step, goal) in CHECKS {
        // The directory is swapped: either nobody could look, or something is wrong with what a person must weigh.
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
            // Whoever could not be asked has not said no.
            let is_unanswered = is_transient || kind == ErrorKind::Unreachable;
            let expect = if is_unanswered { transient } else { lasting };
            check(goal, &[(step, Op::Test, 0, F::Say(kind))], expect).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_goes_wrong_is_tried_again_and_then_stuck() {
    let goal = Goal::RolledBack;
    for step in ["provision", "swap", "retire"] {
        let undo = |nth, fault| (step, Op::Undo, nth, fault);
        let look = |nth, fault| (step, Op::Observe, nth, fault);
        for fault in [F::LoseRequest, F::DieEarly, F::LoseAnswer, F::Die, F::Garble, F::Half] {
            check(goal, &[undo(0, fault)], S::RolledBack).await;
        }
        // What changed nothing and would change nothing the next time is not tried a second time.
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

/// Seconds between the tries: 1, 4 and 15.
#[tokio::test(start_paused = true)]
async fn an_undo_is_tried_again_only_where_waiting_helps() {
    for (fault, tries, seconds, reason) in [
        (F::Refuse, 1, 0, "step `swap` could not be taken back: not permitted"),
        (F::Say(ErrorKind::NotFound), 1, 0, "step `swap` could not be taken back: not now; look at it"),
        (F::Say(ErrorKind::TimedOut), 4, 20, "step `swap` could not be taken back: not now; look at it"),
        (F::LoseRequest, 4, 20, "step `swap` could not be taken back: no answer"),
        (F::DieEarly, 4, 20, "step `swap` could not be taken back: the plugin died"),
    ] {
        let scene = scene_before(Goal::RolledBack).await;
        for nth in 0..tries {
            scene.order("swap", Op::Undo, nth, fault);
        }
        let begin = Instant::now();
        assert_eq!(scene.end(Goal::RolledBack).await, (S::Stuck, reason.to_owned()), "{fault:?}");
        assert_eq!((scene.count("swap", Op::Undo), begin.elapsed().as_secs()), (tries, seconds), "{fault:?}");
        scene.assert_fired();
        assert_lawful(&scene.reality.state());
    }
}

/// Two faults anywhere, forward; and two anywhere, back. Whatever the runs say, a few of them reach the goal, lawfully at
/// every moment.
#[tokio::test(start_paused = true)]
async fn any_two_faults_are_healed_by_giving_the_command_again() {
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
        println!("{goal:?}: {pairs} pairs of faults, all healed");
        assert!(pairs > 50, "{pairs}");
    }
}

/// Whether both faults came about. The order stays in force across the runs.
async fn try_pair(goal: Goal, faults: [(&str, Op, usize, F); 2]) -> bool {
    let untouched = Scene::new(&["acme"]).await.reality.state();
    let mut scene = scene_before(goal).await;
    for (step, op, nth, fault) in faults {
        scene.reality.faults.lock().unwrap().order(Injection { tenant: None, step: step.to_owned(), op, nth, fault });
    }
    for _ in 0..4 {
        let state = scene.end_or_done(goal).await;
        // The outcomes are what can be wrong; between them nothing is claimed.
        for (what, moment) in scene.reality.take_moments() {
            if ["record step-ended", "record step-failed"].contains(&what.as_str()) {
                assert_lawful(&moment);
            }
        }
        if state == reached(goal) {
            break;
        }
        // Faults are counted on, the operator's wish to stop is not.
        let next = scene.restarted();
        *next.reality.faults.lock().unwrap() = std::mem::take(&mut *scene.reality.faults.lock().unwrap());
        scene = next;
    }
    let end = scene.reality.state();
    if goal == Goal::RolledBack {
        assert_rolled_back(&untouched, &end)
    } else {
        assert_swapped(&end)
    }
    scene.reality.faults.lock().unwrap().unfired().is_empty()
}
