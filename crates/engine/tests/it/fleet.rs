//! Many tenants at once: a failure affects only its tenant, too many failures end the run, and after a stop the same command
//! continues.

use std::{sync::atomic::Ordering, time::Duration};

use flowswap_contract::Op;
use flowswap_engine::{
    Entry, Event, FailureBudget, FleetLimits, Goal, Outcome, OutcomeCount, RunCommand, RunId, RunOutcome, Runner,
    TenantState as S,
};

use crate::{
    fault::{Fault, Injection},
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    test_fleet::{LIMITS, TestFleet},
};

const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

fn inject(fleet: &TestFleet, tenant: &'static str, step: &str, op: Op, fault: Fault) {
    let injection = Injection { tenant: Some(tenant), step: step.to_owned(), op, nth: 0, fault };
    fleet.env.faults.lock().unwrap().inject(injection);
}

fn states(outcomes: &[(String, Outcome)]) -> Vec<Option<S>> {
    let state = |outcome: &Outcome| match outcome {
        Outcome::Ended { state, .. } => Some(*state),
        _ => None,
    };
    outcomes.iter().map(|(_, outcome)| state(outcome)).collect()
}

#[tokio::test(start_paused = true)]
async fn as_many_tenants_run_at_once_as_allowed() {
    for (concurrency, expect) in [(0, 1), (1, 1), (4, 4), (100, 9)] {
        let fleet = TestFleet::new(&NAMES).await;
        fleet.env.most_in_flight.store(0, Ordering::Relaxed);
        *fleet.env.latency.lock().unwrap() = Duration::from_millis(20);
        let limits = FleetLimits { concurrency, ..LIMITS };
        let summary = fleet.run_within(Goal::Swapped, limits).await.unwrap();
        assert_eq!(states(&summary.outcomes), [Some(S::Swapped); 9]);
        let names: Vec<&str> = summary.outcomes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, NAMES, "in the order of the jobs");
        assert_swapped(&fleet.env.state());
        // Both sides of a tenant are inspected at once, so it has at most two calls in flight.
        let most = fleet.env.most_in_flight.load(Ordering::Relaxed);
        assert!((expect..=2 * expect).contains(&most), "{most} of {expect}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_fails_does_not_delay_the_others() {
    let fleet = TestFleet::new(&NAMES).await;
    inject(&fleet, "b", "provision", Op::Apply, Fault::Refuse);
    inject(&fleet, "c", "swap", Op::Apply, Fault::LoseAnswer);
    inject(&fleet, "c", "swap", Op::Observe, Fault::Blind);
    // Planning has already inspected the tenant.
    let injection = Injection { tenant: Some("d"), step: "-".to_owned(), op: Op::Detect, nth: 2, fault: Fault::Refuse };
    fleet.env.faults.lock().unwrap().inject(injection);
    fleet.change_world("e", |world| world.slow_confirmations = 99);
    let outcomes = fleet.run(Goal::Swapped).await;
    let (f, k, s) = (Some(S::Failed), Some(S::Stuck), Some(S::Swapped));
    assert_eq!(states(&outcomes)[..5], [s, f, k, None, Some(S::Soaking)]);
    fleet.assert_fired();
    assert_eq!(states(&outcomes)[5..], [s; 4]);
    assert_lawful(&fleet.env.state());
    fleet.change_world("e", |world| world.slow_confirmations = 0);
    let fleet = fleet.restarted();
    fleet.run(Goal::Swapped).await;
    assert_swapped(&fleet.env.state());
}

#[tokio::test(start_paused = true)]
async fn after_too_many_failures_no_further_tenant_starts() {
    for (max_failures, begun) in [(0, 0), (1, 1), (2, 2), (3, 9)] {
        let fleet = TestFleet::new(&NAMES).await;
        inject(&fleet, "a", "prove", Op::Test, Fault::Refuse);
        inject(&fleet, "b", "swap", Op::Apply, Fault::Die);
        inject(&fleet, "b", "swap", Op::Observe, Fault::Refuse);
        let limits = FleetLimits { concurrency: 1, max_failures: FailureBudget::Tenants(max_failures) };
        let outcomes = fleet.run_within(Goal::Swapped, limits).await.unwrap().outcomes;
        assert_eq!(states(&outcomes).iter().flatten().count(), begun);
        for (name, outcome) in &outcomes[begun..] {
            let reason = format!("failed or stuck tenants have reached the limit of {max_failures}");
            assert_eq!(*outcome, Outcome::Skipped { reason });
            let tenant = fleet.history().tenant(name).unwrap().clone();
            assert!(tenant.work.is_none() && tenant.intent.is_some(), "`{name}` can still be continued");
            assert!(tenant.refusal.unwrap().is_skipped, "the journal says why nothing was done for `{name}`");
        }
        assert_lawful(&fleet.env.state());
    }
}

/// A run that is stopped missed nothing of a tenant that is done, and its end counts all of its tenants.
#[tokio::test(start_paused = true)]
async fn a_stopped_run_skips_no_tenant_that_is_done() {
    let fleet = TestFleet::new(&NAMES).await;
    let pilot = fleet.jobs(Goal::Swapped).into_iter().filter(|job| ["h", "i"].contains(&job.tenant.spec.name.as_str()));
    let runner = Runner::new(fleet.env.ports(), RunId::generate());
    let done = runner.run(RunCommand::Apply, pilot.collect::<Vec<_>>(), LIMITS).await.unwrap();
    assert_eq!(states(&done.outcomes), [Some(S::Swapped); 2]);
    inject(&fleet, "b", "provision", Op::Apply, Fault::Stop);
    let limits = FleetLimits { concurrency: 1, ..LIMITS };
    let outcomes = fleet.run_within(Goal::Swapped, limits).await.unwrap().outcomes;
    fleet.assert_fired();
    let (s, r) = (Some(S::Swapped), Some(S::Running));
    assert_eq!(states(&outcomes), [s, r, None, None, None, None, None, s, s]);
    let refusal = |name: &str| fleet.history().tenant(name).unwrap().refusal.clone();
    assert!(refusal("h").is_none() && refusal("c").is_some());
    let count = |outcome, state, tenants| OutcomeCount { outcome, state, tenants };
    let expect = vec![
        count(RunOutcome::Ended, r, 1),
        count(RunOutcome::Ended, s, 1),
        count(RunOutcome::DoneBefore, s, 2),
        count(RunOutcome::Skipped, None, 5),
    ];
    let outcomes = |fleet: &TestFleet| match fleet.env.state().records.pop().unwrap().draft.entry {
        Entry::RunEnded { outcomes, .. } => outcomes,
        entry => panic!("{entry:?}"),
    };
    assert_eq!(outcomes(&fleet), expect);
}

/// The operator stops the run at every step, with three tenants running and six waiting.
#[tokio::test(start_paused = true)]
async fn a_stop_finishes_running_steps_and_starts_nothing() {
    let stops = [("provision", Op::Apply), ("prove", Op::Test), ("test", Op::Test), ("swap", Op::Apply)];
    for (step, op) in stops.into_iter().chain([("confirm-directory", Op::Test)]) {
        let fleet = TestFleet::new(&NAMES).await;
        let before = fleet.env.state();
        *fleet.env.latency.lock().unwrap() = Duration::from_millis(20);
        inject(&fleet, "b", step, op, Fault::Stop);
        let limits = FleetLimits { concurrency: 3, ..LIMITS };
        let summary = fleet.run_within(Goal::Swapped, limits).await.unwrap();
        fleet.assert_fired();
        assert!(summary.interrupted);
        assert_eq!(states(&summary.outcomes).iter().flatten().count(), 3);
        let expect = if matches!(step, "swap" | "confirm-directory") { S::Soaking } else { S::Running };
        assert_eq!(states(&summary.outcomes)[1], Some(expect), "stopped at {step}");
        for (_, outcome) in &summary.outcomes[3..] {
            assert_eq!(*outcome, Outcome::Skipped { reason: "the run was stopped".to_owned() });
        }
        assert_lawful(&fleet.env.state());
        let doubts = fleet.history().tenants().filter_map(|(_, tenant)| tenant.work.as_ref()?.doubt.clone()).count();
        assert_eq!(doubts, 0, "a clean stop leaves no doubt");

        let on = fleet.restarted();
        assert_eq!(states(&on.run(Goal::Swapped).await), [Some(S::Swapped); 9]);
        assert_swapped(&on.env.state());
        let back = fleet.restarted();
        back.run(Goal::RolledBack).await;
        assert_rolled_back(&before, &back.env.state());
    }
}

/// A stop while an attempt has no answer: the step is observed and not tried again.
#[tokio::test(start_paused = true)]
async fn a_stop_prevents_a_second_attempt() {
    for (goal, op, expect) in [(Goal::Swapped, Op::Apply, S::Running), (Goal::RolledBack, Op::Undo, S::RollingBack)] {
        let fleet = TestFleet::new(&["acme"]).await;
        if goal == Goal::RolledBack {
            fleet.reach(Goal::Swapped, S::Swapped).await;
        }
        fleet.inject("swap", op, 0, Fault::LoseRequest);
        fleet.inject("swap", Op::Observe, 0, Fault::Stop);
        assert_eq!(fleet.end(goal).await.0, expect);
        fleet.assert_fired();
        assert_eq!(fleet.count("swap", op), 1);
        assert_lawful(&fleet.env.state());
    }
}

/// An inspection that the stop interrupted says nothing about the tenant.
#[tokio::test(start_paused = true)]
async fn a_stop_during_the_inspection_skips_the_tenant() {
    let fleet = TestFleet::new(&["acme"]).await;
    for (nth, fault) in [(2, Fault::Stop), (3, Fault::Interrupt)] {
        fleet.inject("-", Op::Detect, nth, fault);
    }
    let outcome = fleet.run(Goal::Swapped).await.remove(0).1;
    fleet.assert_fired();
    assert_eq!(outcome, Outcome::Skipped { reason: "the run was stopped".to_owned() });
    let acme = fleet.history().tenant("acme").unwrap().clone();
    assert!(acme.work.is_none() && acme.intent.is_some());
}

/// Every tenant is reported once at its end, and its steps before that.
#[tokio::test(start_paused = true)]
async fn events_report_every_tenant() {
    let fleet = TestFleet::new(&["a", "b", "c"]).await;
    fleet.change_world("b", |world| world.can_restore = false);
    fleet.inject("prove", Op::Test, 0, Fault::Refuse);
    fleet
        .run_within(Goal::Swapped, FleetLimits { concurrency: 1, max_failures: FailureBudget::Tenants(1) })
        .await
        .unwrap();
    let events = std::mem::take(&mut *fleet.env.events.lock().unwrap());
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
            "no more are started: failed or stuck tenants have reached the limit of 1",
            "b: skipped: failed or stuck tenants have reached the limit of 1",
            "c: skipped: failed or stuck tenants have reached the limit of 1",
        ]
    );
}

fn describe(event: &Event) -> String {
    match event {
        Event::RunStarted { tenants, .. } => format!("run of {tenants}"),
        Event::TenantStarted { tenant, steps } => format!("{tenant}: {steps} steps"),
        Event::StepStarted { tenant, step, .. } => format!("{tenant}: {step}…"),
        Event::ChangesAccepted { tenant, changes } => format!("{tenant}: accepted: {}", changes.join("; ")),
        Event::StepEnded { tenant, step, .. } => format!("{tenant}: {step} done"),
        Event::StepFailed { tenant, step, message, .. } => format!("{tenant}: {step} failed: {message}"),
        Event::TenantEnded { tenant, state, .. } => format!("{tenant}: {state}"),
        Event::TenantRefused { tenant, .. } => format!("{tenant}: refused"),
        Event::TenantSkipped { tenant, reason } => format!("{tenant}: skipped: {reason}"),
        Event::StartsHalted { halt } => format!("no more are started: {halt}"),
        other => format!("{other:?}"),
    }
}
