//! Many tenants at once: trouble stays with its tenant, too much of it ends the run, and a stop leaves everything in a state
//! from which the same command goes on.

use std::{sync::atomic::Ordering, time::Duration};

use flowswap_contract::Op;
use flowswap_engine::{Event, FleetLimits, Goal, Outcome, TenantState as S};

use crate::{
    fault::{Fault, Injection},
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    scene::{LIMITS, Scene},
};

const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

fn inject(scene: &Scene, tenant: &'static str, step: &str, op: Op, fault: Fault) {
    let injection = Injection { tenant: Some(tenant), step: step.to_owned(), op, nth: 0, fault };
    scene.reality.faults.lock().unwrap().order(injection);
}

fn states(outcomes: &[(String, Outcome)]) -> Vec<Option<S>> {
    let state = |outcome: &Outcome| match outcome {
        Outcome::Ended { state, .. } => Some(*state),
        _ => None,
    };
    outcomes.iter().map(|(_, outcome)| state(outcome)).collect()
}

#[tokio::test(start_paused = true)]
async fn as_many_tenants_are_in_work_as_is_allowed() {
    for (concurrency, expect) in [(0, 1), (1, 1), (4, 4), (100, 9)] {
        let scene = Scene::new(&NAMES).await;
        scene.reality.most_in_flight.store(0, Ordering::Relaxed);
        *scene.reality.latency.lock().unwrap() = Duration::from_millis(20);
        let limits = FleetLimits { concurrency, max_failures: 1 };
        let summary = scene.run_within(Goal::Swapped, limits).await.unwrap();
        assert_eq!(states(&summary.outcomes), [Some(S::Swapped); 9]);
        let names: Vec<&str> = summary.outcomes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, NAMES, "in the order of the jobs");
        assert_swapped(&scene.reality.state());
        // A tenant is looked at from both sides at once, so it has two calls in flight at the most.
        let most = scene.reality.most_in_flight.load(Ordering::Relaxed);
        assert!((expect..=2 * expect).contains(&most), "{most} of {expect}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_in_trouble_holds_nobody_up() {
    let scene = Scene::new(&NAMES).await;
    inject(&scene, "b", "provision", Op::Apply, Fault::Refuse);
    inject(&scene, "c", "swap", Op::Apply, Fault::LoseAnswer);
    inject(&scene, "c", "swap", Op::Observe, Fault::Blind);
    // The scene had its own look already.
    let injection = Injection { tenant: Some("d"), step: "-".to_owned(), op: Op::Detect, nth: 2, fault: Fault::Refuse };
    scene.reality.faults.lock().unwrap().order(injection);
    scene.change_world("e", |world| world.slow_confirmations = 99);
    let outcomes = scene.run(Goal::Swapped).await;
    let (f, k, s) = (Some(S::Failed), Some(S::Stuck), Some(S::Swapped));
    assert_eq!(states(&outcomes)[..5], [s, f, k, None, Some(S::Soaking)]);
    scene.assert_fired();
    assert_eq!(states(&outcomes)[5..], [s; 4]);
    assert_lawful(&scene.reality.state());
    scene.change_world("e", |world| world.slow_confirmations = 0);
    let scene = scene.restarted();
    scene.run(Goal::Swapped).await;
    assert_swapped(&scene.reality.state());
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_begin_no_further_tenant() {
    for (max_failures, begun) in [(0, 0), (1, 1), (2, 2), (3, 9)] {
        let scene = Scene::new(&NAMES).await;
        inject(&scene, "a", "prove", Op::Test, Fault::Refuse);
        inject(&scene, "b", "swap", Op::Apply, Fault::Die);
        inject(&scene, "b", "swap", Op::Observe, Fault::Refuse);
        let limits = FleetLimits { concurrency: 1, max_failures };
        let outcomes = scene.run_within(Goal::Swapped, limits).await.unwrap().outcomes;
        assert_eq!(states(&outcomes).iter().flatten().count(), begun);
        for (name, outcome) in &outcomes[begun..] {
            let reason = format!("{max_failures} tenants are in trouble already");
            assert_eq!(*outcome, Outcome::Skipped { reason });
            assert!(scene.history().tenant(name).is_none(), "nothing is recorded of `{name}`");
        }
        assert_lawful(&scene.reality.state());
    }
}

/// The operator stops at every step, of three tenants in work and six that wait.
#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_runs_and_begins_nothing() {
    let stops = [("provision", Op::Apply), ("prove", Op::Test), ("test", Op::Test), ("swap", Op::Apply)];
    for (step, op) in stops.into_iter().chain([("confirm-directory", Op::Test)]) {
        let scene = Scene::new(&NAMES).await;
        let before = scene.reality.state();
        *scene.reality.latency.lock().unwrap() = Duration::from_millis(20);
        inject(&scene, "b", step, op, Fault::Stop);
        let limits = FleetLimits { concurrency: 3, ..LIMITS };
        let summary = scene.run_within(Goal::Swapped, limits).await.unwrap();
        scene.assert_fired();
        assert!(summary.interrupted);
        assert_eq!(states(&summary.outcomes).iter().flatten().count(), 3);
        let expect = if matches!(step, "swap" | "confirm-directory") { S::Soaking } else { S::Running };
        assert_eq!(states(&summary.outcomes)[1], Some(expect), "stopped at {step}");
        for (_, outcome) in &summary.outcomes[3..] {
            assert_eq!(*outcome, Outcome::Skipped { reason: "the run was stopped".to_owned() });
        }
        assert_lawful(&scene.reality.state());
        let doubts = scene.history().tenants().filter_map(|(_, tenant)| tenant.work.as_ref()?.doubt.clone()).count();
        assert_eq!(doubts, 0, "a clean stop leaves no doubt");

        let on = scene.restarted();
        assert_eq!(states(&on.run(Goal::Swapped).await), [Some(S::Swapped); 9]);
        assert_swapped(&on.reality.state());
        let back = scene.restarted();
        back.run(Goal::RolledBack).await;
        assert_rolled_back(&before, &back.reality.state());
    }
}

/// A stop while a try has no answer: it is found out what became of it, and it is not tried again.
#[tokio::test(start_paused = true)]
async fn a_stop_makes_no_second_try() {
    for (goal, op, expect) in [(Goal::Swapped, Op::Apply, S::Running), (Goal::RolledBack, Op::Undo, S::RollingBack)] {
        let scene = Scene::new(&["acme"]).await;
        if goal == Goal::RolledBack {
            scene.reach(Goal::Swapped, S::Swapped).await;
        }
        scene.order("swap", op, 0, Fault::LoseRequest);
        scene.order("swap", Op::Observe, 0, Fault::Stop);
        assert_eq!(scene.end(goal).await.0, expect);
        scene.assert_fired();
        assert_eq!(scene.count("swap", op), 1);
        assert_lawful(&scene.reality.state());
    }
}

/// A look at the tenant that the stop cut short says nothing of it.
#[tokio::test(start_paused = true)]
async fn a_stop_during_the_first_look_skips_the_tenant() {
    let scene = Scene::new(&["acme"]).await;
    for (nth, fault) in [(2, Fault::Stop), (3, Fault::Interrupt)] {
        scene.order("-", Op::Detect, nth, fault);
    }
    let outcome = scene.run(Goal::Swapped).await.remove(0).1;
    scene.assert_fired();
    assert_eq!(outcome, Outcome::Skipped { reason: "the run was stopped".to_owned() });
    assert!(scene.history().tenant("acme").is_none());
}

/// What people see: every tenant is heard of once at its end, and steps in between.
#[tokio::test(start_paused = true)]
async fn events_tell_of_every_tenant() {
    let scene = Scene::new(&["a", "b", "c"]).await;
    scene.change_world("b", |world| world.can_restore = false);
    scene.order("prove", Op::Test, 0, Fault::Refuse);
    scene.run_within(Goal::Swapped, FleetLimits { concurrency: 1, max_failures: 1 }).await.unwrap();
    let events = std::mem::take(&mut *scene.reality.events.lock().unwrap());
    let words: Vec<String> = events.iter().map(describe).collect();
    assert_eq!(
        words,
        [
            "run of 3",
            "a: 8 steps",
            "a: provision…",
            "a: provision done",
            "a: prove…",
            "a: prove failed: not permitted",
            "a: failed",
            "b: skipped: 1 tenants are in trouble already",
            "c: skipped: 1 tenants are in trouble already",
        ]
    );
}

fn describe(event: &Event) -> String {
    match event {
        Event::RunStarted { tenants, .. } => format!("run of {tenants}"),
        Event::TenantStarted { tenant, steps } => format!("{tenant}: {steps} steps"),
        Event::StepStarted { tenant, step, .. } => format!("{tenant}: {step}…"),
        Event::StepEnded { tenant, step, .. } => format!("{tenant}: {step} done"),
        Event::StepFailed { tenant, step, message, .. } => format!("{tenant}: {step} failed: {message}"),
        Event::TenantEnded { tenant, state, .. } => format!("{tenant}: {state}"),
        Event::TenantRefused { tenant, .. } => format!("{tenant}: refused"),
        Event::TenantSkipped { tenant, reason } => format!("{tenant}: skipped: {reason}"),
        other => format!("{other:?}"),
    }
}
