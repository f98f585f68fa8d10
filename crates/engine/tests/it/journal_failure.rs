//! A journal that cannot be written: the run reports it, does nothing more, and claims nothing.

use std::time::Duration;

use flowswap_contract::Op;
use flowswap_engine::{Entry, Goal, OutcomeCount, RunCommand, RunOutcome, TenantState};

use crate::{
    fault::Fault,
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    test_fleet::{LIMITS, TestFleet},
};

async fn prepare(goal: Goal) -> TestFleet {
    let fleet = TestFleet::new(&["acme"]).await;
    if goal != Goal::Swapped {
        fleet.reach(Goal::Swapped, TenantState::Swapped).await;
    }
    fleet.restarted()
}

/// The journal fails permanently, at every append in turn.
#[tokio::test(start_paused = true)]
async fn a_run_stops_when_the_journal_fails_and_can_be_continued() {
    let mut tried = 0;
    for goal in [Goal::Swapped, Goal::Retired, Goal::RolledBack] {
        let untouched = prepare(Goal::Swapped).await.env.state();
        let whole = prepare(goal).await;
        whole.run(goal).await;
        let appends = whole.env.appends();
        for at in 0..appends {
            let fleet = prepare(goal).await;
            *fleet.env.journal_fault.lock().unwrap() = Some((at, true));
            let error = fleet.run_within(goal, LIMITS).await.unwrap_err();
            assert_eq!(error.to_string(), "failed to append to the journal");
            assert!(fleet.env.appends() > at, "the fault happened");
            let state = fleet.env.state();
            assert_lawful(&state);
            // No call starts after the journal failed.
            let intended = state.records.iter().filter(|r| matches!(r.draft.entry, Entry::RequestIntended { .. }));
            let changes = state.calls.iter().filter(|call| matches!(call.op, Op::Apply | Op::Undo)).count();
            assert!(changes <= intended.count() + 1, "append {at} of {goal:?}");

            let again = fleet.restarted();
            again.run(goal).await;
            match goal {
                Goal::RolledBack => assert_rolled_back(&untouched, &again.env.state()),
                _ => assert_swapped(&again.env.state()),
            }
            tried += 1;
        }
    }
    println!("journal failures: {tried} appends, all reported and recovered");
    assert!(tried > 40, "{tried}");
}

/// One append fails, and the journal would accept the next. The other tenants stop as well, and no further tenant starts.
#[tokio::test(start_paused = true)]
async fn one_lost_record_stops_every_tenant() {
    let names: Vec<String> = (0..8).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut reported = 0;
    for at in (0..80).step_by(3) {
        let fleet = TestFleet::new(&names).await;
        *fleet.env.latency.lock().unwrap() = Duration::from_millis(20);
        *fleet.env.journal_fault.lock().unwrap() = Some((at, false));
        fleet.run_within(Goal::Swapped, LIMITS).await.unwrap_err();
        let state = fleet.env.state();
        assert_lawful(&state);
        reported += 1;
        assert_eq!(fleet.env.appends(), at + 1, "nobody tries to write after the lost record");
        let again = fleet.restarted();
        again.run_within(Goal::Swapped, LIMITS).await.unwrap();
        assert_swapped(&again.env.state());
    }
    assert!(reported > 9, "{reported}");
}

/// A secret store that does not answer is not empty: no secret counts as lost.
#[tokio::test(start_paused = true)]
async fn a_failing_secret_store_does_not_cause_a_second_secret() {
    let fleet = TestFleet::new(&["acme"]).await;
    *fleet.env.custody_fails.lock().unwrap() = true;
    let (state, reason) = fleet.end(Goal::Swapped).await;
    assert_eq!(state, TenantState::Failed, "{reason}");
    assert!(reason.contains("the disk does not answer"), "{reason}");
    assert_eq!(fleet.count("provision", Op::Apply), 0, "no step starts whose outputs are not known");

    // The secret store fails during the rollback.
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.inject("swap", Op::Apply, 0, Fault::Refuse);
    fleet.end(Goal::Swapped).await;
    let fleet = fleet.restarted();
    *fleet.env.custody_fails.lock().unwrap() = true;
    let (state, reason) = fleet.end(Goal::RolledBack).await;
    assert_eq!(state, TenantState::RollingBack, "{reason}");
    assert!(reason.starts_with("everything is rolled back, but flowswap failed to read the secret"), "{reason}");
    let fleet = fleet.restarted();
    fleet.reach(Goal::RolledBack, TenantState::RolledBack).await;
    assert!(fleet.env.state().secrets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_records_its_start_and_its_end() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.run(Goal::Swapped).await;
    let records = fleet.env.state().records;
    let first = &records.first().unwrap().draft.entry;
    assert!(matches!(first, Entry::RunStarted { command: RunCommand::Apply, .. }));
    let count = OutcomeCount { outcome: RunOutcome::Ended, state: Some(TenantState::Swapped), tenants: 1 };
    assert_eq!(records.last().unwrap().draft.entry, Entry::RunEnded { interrupted: false, outcomes: vec![count] });
}
