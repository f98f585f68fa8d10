//! Confirming and finalizing: a run waits for confirmation, confirms again before it retires anything, and never assumes it.

use flowswap_contract::Op;
use flowswap_engine::{Goal, Outcome, TenantState as S};
use tokio::time::{Duration, Instant};

use crate::{fault::Fault, laws::assert_swapped, test_fleet::TestFleet, world::Legacy};

/// A run tolerates three inconclusive answers, with waits of 1, 2, and 4 seconds.
#[tokio::test(start_paused = true)]
async fn a_run_waits_a_few_seconds_for_confirmation_and_then_leaves_the_tenant_soaking() {
    for (slow, expect, seconds) in [(0, S::Swapped, 0), (1, S::Swapped, 1), (3, S::Swapped, 7), (4, S::Soaking, 7)] {
        let fleet = TestFleet::new(&["acme"]).await;
        fleet.change_world("acme", |world| world.slow_confirmations = slow);
        let begin = Instant::now();
        let (state, reason) = fleet.end(Goal::Swapped).await;
        assert_eq!((state, begin.elapsed()), (expect, Duration::from_secs(seconds)));
        if expect == S::Soaking {
            assert_eq!(reason, "not confirmed yet: confirm-directory: inconclusive");
        }
        let fleet = fleet.restarted();
        fleet.reach(Goal::Swapped, S::Swapped).await;
        assert_swapped(&fleet.env.state());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_for_confirmation_at_once() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.change_world("acme", |world| world.slow_confirmations = 9);
    fleet.inject("confirm-directory", Op::Test, 1, Fault::Stop);
    let begin = Instant::now();
    let (state, reason) = fleet.end(Goal::Swapped).await;
    assert_eq!((state, reason.as_str()), (S::Soaking, "stopped while waiting for confirmation"));
    assert_eq!(begin.elapsed(), Duration::from_secs(1));
    fleet.change_world("acme", |world| world.slow_confirmations = 0);
    fleet.restarted().reach(Goal::Swapped, S::Swapped).await;
}

/// A token that the provider saw before the directory synchronized may be the last one.
#[tokio::test(start_paused = true)]
async fn both_sides_must_confirm_in_the_same_run() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.change_world("acme", |world| world.slow_confirmations = 4);
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Soaking);
    // Both checks ran, because one side may explain what the other lacks.
    assert_eq!(fleet.count("confirm-provider", Op::Test), 1);
    let history = fleet.history();
    assert_eq!(
        history.tenant("acme").unwrap().step.as_deref(),
        Some("confirm-directory"),
        "the first check that did not pass"
    );
    let fleet = fleet.restarted();
    fleet.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!(fleet.count("confirm-provider", Op::Test), 2);
}

/// A confirmation from the time of the swap does not allow retiring now.
#[tokio::test(start_paused = true)]
async fn a_broken_directory_is_neither_retired_nor_purged() {
    for (goal, legacy) in [(Goal::Retired, Legacy::Active), (Goal::Purged, Legacy::Inactive)] {
        let fleet = TestFleet::new(&["acme"]).await;
        fleet.reach(Goal::Swapped, S::Swapped).await;
        if goal == Goal::Purged {
            fleet.reach(Goal::Retired, S::Retired).await;
        }
        fleet.change_world("acme", |world| world.broken = true);
        let (state, reason) = fleet.end(goal).await;
        assert_eq!((state, reason.as_str()), (S::Stuck, "step `confirm-directory`: confirm-directory: fail"));
        assert_eq!(fleet.world("acme").legacy, legacy);
        // The old confirmation does not count for anything else either.
        if goal == Goal::Retired {
            assert_eq!(fleet.end(Goal::Swapped).await.0, S::Stuck);
        }
        fleet.change_world("acme", |world| world.broken = false);
        let fleet = fleet.restarted();
        assert_eq!(fleet.end(goal).await.1, "");
        assert_ne!(fleet.world("acme").legacy, legacy);
    }
}

#[tokio::test(start_paused = true)]
async fn an_inconclusive_confirmation_retires_nothing() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    fleet.change_world("acme", |world| world.slow_confirmations = 4);
    assert_eq!(fleet.end(Goal::Retired).await.0, S::Soaking);
    assert_eq!(fleet.world("acme").legacy, Legacy::Active);
    let fleet = fleet.restarted();
    fleet.reach(Goal::Retired, S::Retired).await;
}

#[tokio::test(start_paused = true)]
async fn a_purge_cannot_be_rolled_back() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    // One run does the rest: it retires first, because an active app cannot be deleted.
    fleet.reach(Goal::Purged, S::Finalized).await;
    let before = fleet.views();
    for _ in 0..2 {
        let (state, reason) = fleet.end(Goal::RolledBack).await;
        assert_eq!((state, reason.as_str()), (S::Finalized, "step `purge` cannot be rolled back"));
    }
    assert_eq!(fleet.views(), before);
    assert_swapped(&fleet.env.state());
    assert_eq!(fleet.count("swap", Op::Undo) + fleet.count("retire", Op::Undo), 0);
}

/// The receipt of a connection test is valid for one run.
#[tokio::test(start_paused = true)]
async fn a_later_run_tests_the_connection_again_before_the_swap() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.inject("swap", Op::Apply, 0, Fault::Refuse);
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Failed);
    fleet.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!((fleet.count("prove", Op::Test), fleet.count("test", Op::Test)), (2, 2));
    // After the swap, the tests do not run again.
    fleet.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!((fleet.count("test", Op::Test), fleet.count("confirm-provider", Op::Test)), (2, 1));
}

/// A rollback leaves no secret in the secret store, because the next client would use it as its own.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_after_a_rollback_does_not_use_the_old_secret() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    fleet.inject("provision", Op::Undo, 0, Fault::Die);
    fleet.inject("provision", Op::Observe, 0, Fault::Refuse);
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Stuck);
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    let fleet = fleet.planned_again().await;
    fleet.inject("provision", Op::Apply, 0, Fault::LoseAnswer);
    let outcome = fleet.run(Goal::Swapped).await.remove(0).1;
    assert_eq!(outcome, Outcome::Ended { state: S::Swapped, reason: None });
    assert_swapped(&fleet.env.state());
}

/// A check without evidence proves nothing: for a confirmation the run waits, any other check fails.
#[tokio::test(start_paused = true)]
async fn a_check_without_evidence_does_not_pass() {
    for (step, expect) in
        [("prove", S::Failed), ("test", S::Failed), ("confirm-directory", S::Soaking), ("confirm-provider", S::Soaking)]
    {
        let fleet = TestFleet::new(&["acme"]).await;
        fleet.change_world("acme", |world| world.silent = Some(step));
        let (state, reason) = fleet.end(Goal::Swapped).await;
        assert_eq!(state, expect, "{step}");
        assert!(reason.ends_with("the check reported no evidence"), "{step}: {reason}");
        fleet.change_world("acme", |world| world.silent = None);
        let fleet = fleet.restarted();
        fleet.reach(Goal::Swapped, S::Swapped).await;
        // It does not allow retiring either.
        fleet.change_world("acme", |world| world.silent = Some("confirm-directory"));
        assert_eq!(fleet.end(Goal::Retired).await.0, S::Soaking);
        assert_eq!(fleet.world("acme").legacy, Legacy::Active);
    }
}
