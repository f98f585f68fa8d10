//! A journal that cannot be written: the run says so, does nothing more, and claims nothing.

use std::time::Duration;

use flowswap_contract::Op;
use flowswap_engine::{Entry, Goal, RunCommand, TenantState};

use crate::{
    fault::Fault,
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    scene::{LIMITS, Scene},
};

async fn prepare(goal: Goal) -> Scene {
    let scene = Scene::new(&["acme"]).await;
    if goal != Goal::Swapped {
        scene.reach(Goal::Swapped, TenantState::Swapped).await;
    }
    scene.restarted()
}

/// The journal fails for good at every append in turn.
#[tokio::test(start_paused = true)]
async fn a_run_ends_where_the_journal_does_and_is_taken_up_again() {
    let mut tried = 0;
    for goal in [Goal::Swapped, Goal::Retired, Goal::RolledBack] {
        let untouched = prepare(Goal::Swapped).await.reality.state();
        let whole = prepare(goal).await;
        whole.run(goal).await;
        let appends = whole.reality.appends();
        for at in 0..appends {
            let scene = prepare(goal).await;
            let before = scene.reality.state().records.len();
            *scene.reality.journal_fault.lock().unwrap() = Some((at, true));
            let error = scene.run_within(goal, LIMITS).await.unwrap_err();
            assert_eq!(error.to_string(), "failed to append to the journal");
            assert!(scene.reality.appends() > at, "the fault came about");
            let state = scene.reality.state();
            assert_eq!(state.records.len(), before + at);
            assert_lawful(&state);
            // What was begun when the journal failed is the last thing that was called.
            let intended = state.records.iter().filter(|r| matches!(r.draft.entry, Entry::RequestIntended { .. }));
            let changes = state.calls.iter().filter(|call| matches!(call.op, Op::Apply | Op::Undo)).count();
            assert!(changes <= intended.count() + 1, "append {at} of {goal:?}");

            let again = scene.restarted();
            again.run(goal).await;
            match goal {
                Goal::RolledBack => assert_rolled_back(&untouched, &again.reality.state()),
                _ => assert_swapped(&again.reality.state()),
            }
            tried += 1;
        }
    }
    println!("journal failures: {tried} appends, all reported and healed");
    assert!(tried > 40, "{tried}");
}

/// One append fails, and the journal would take the next: the other tenants stop as well, and no further one is begun.
#[tokio::test(start_paused = true)]
async fn one_lost_record_stops_every_tenant() {
    let names: Vec<String> = (0..8).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut reported, mut borne) = (0, 0);
    for at in (0..80).step_by(3) {
        let scene = Scene::new(&names).await;
        *scene.reality.latency.lock().unwrap() = Duration::from_millis(20);
        *scene.reality.journal_fault.lock().unwrap() = Some((at, false));
        let result = scene.run_within(Goal::Swapped, LIMITS).await;
        let state = scene.reality.state();
        assert_lawful(&state);
        if result.is_ok() {
            // It was a record of the host, which told the engine by the outcome of the call.
            borne += 1;
            continue;
        }
        reported += 1;
        // The double journals requests by itself; of the engine's own records there is none after the lost one.
        let later = state.records.iter().skip(at).filter(|record| {
            let entry = &record.draft.entry;
            !matches!(entry, Entry::RequestIntended { .. } | Entry::RequestEnded { .. } | Entry::SecretStored { .. })
        });
        assert_eq!(later.count(), 0, "lost record {at}");
        let again = scene.restarted();
        again.run_within(Goal::Swapped, LIMITS).await.unwrap();
        assert_swapped(&again.reality.state());
    }
    assert!(reported > 9 && borne > 3, "{reported} reported, {borne} borne");
}

/// A custody that does not answer is not one that is empty: nothing is taken for lost.
#[tokio::test(start_paused = true)]
async fn a_custody_that_fails_is_no_ground_for_a_second_secret() {
    let scene = Scene::new(&["acme"]).await;
    *scene.reality.custody_fails.lock().unwrap() = true;
    let (state, reason) = scene.end(Goal::Swapped).await;
    assert_eq!(state, TenantState::Failed, "{reason}");
    assert!(reason.contains("the disk does not answer"), "{reason}");
    assert_eq!(scene.count("provision", Op::Apply), 0, "no step begins that could not say what it gave");

    // It fails while the answer is under way.
    let scene = Scene::new(&["acme"]).await;
    scene.order("swap", Op::Apply, 0, Fault::Refuse);
    scene.end(Goal::Swapped).await;
    let scene = scene.restarted();
    *scene.reality.custody_fails.lock().unwrap() = true;
    let (state, reason) = scene.end(Goal::RolledBack).await;
    assert_eq!(state, TenantState::RollingBack, "{reason}");
    assert!(reason.starts_with("everything is taken back, but failed to read the secret"), "{reason}");
    let scene = scene.restarted();
    scene.reach(Goal::RolledBack, TenantState::RolledBack).await;
    assert!(scene.reality.state().secrets.is_empty());
}

/// The commands are told apart in the journal.
#[tokio::test(start_paused = true)]
async fn a_run_is_framed_by_its_own_records() {
    let scene = Scene::new(&["acme"]).await;
    scene.run(Goal::Swapped).await;
    let records = scene.reality.state().records;
    let first = &records.first().unwrap().draft.entry;
    assert!(matches!(first, Entry::RunStarted { command: RunCommand::Apply, .. }));
    assert_eq!(records.last().unwrap().draft.entry, Entry::RunEnded { interrupted: false });
}
