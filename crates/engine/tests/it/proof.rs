//! Confirming and finalizing: proof is waited for, seen again before anything is retired, and never assumed.

use flowswap_contract::Op;
use flowswap_engine::{Goal, Outcome, TenantState as S};
use tokio::time::{Duration, Instant};

use crate::{fault::Fault, laws::assert_swapped, scene::Scene, world::Legacy};

/// How many inconclusive answers a run bears is a matter of its waits: 1, 2 and 4 seconds.
#[tokio::test(start_paused = true)]
async fn proof_is_waited_for_a_few_seconds_and_then_left_to_soak() {
    for (slow, expect, seconds) in [(0, S::Swapped, 0), (1, S::Swapped, 1), (3, S::Swapped, 7), (4, S::Soaking, 7)] {
        let scene = Scene::new(&["acme"]).await;
        scene.change_world("acme", |world| world.slow_confirmations = slow);
        let begin = Instant::now();
        let (state, reason) = scene.end(Goal::Swapped).await;
        assert_eq!((state, begin.elapsed()), (expect, Duration::from_secs(seconds)));
        if expect == S::Soaking {
            assert_eq!(reason, "proof is still awaited: confirm-directory: inconclusive");
        }
        let scene = scene.restarted();
        scene.reach(Goal::Swapped, S::Swapped).await;
        assert_swapped(&scene.reality.state());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_for_proof_at_once() {
    let scene = Scene::new(&["acme"]).await;
    scene.change_world("acme", |world| world.slow_confirmations = 9);
    scene.order("confirm-directory", Op::Test, 1, Fault::Stop);
    let begin = Instant::now();
    let (state, reason) = scene.end(Goal::Swapped).await;
    assert_eq!((state, reason.as_str()), (S::Soaking, "stopped while proof was awaited"));
    assert_eq!(begin.elapsed(), Duration::from_secs(1));
    scene.change_world("acme", |world| world.slow_confirmations = 0);
    scene.restarted().reach(Goal::Swapped, S::Swapped).await;
}

/// A token that the provider saw while the directory had nothing to show yet may be the last of its kind.
#[tokio::test(start_paused = true)]
async fn what_one_side_confirmed_earlier_is_looked_at_again_with_the_other() {
    let scene = Scene::new(&["acme"]).await;
    scene.change_world("acme", |world| world.slow_confirmations = 4);
    assert_eq!(scene.end(Goal::Swapped).await.0, S::Soaking);
    // Both were looked at, so that the one may explain what the other lacks.
    assert_eq!(scene.count("confirm-provider", Op::Test), 1);
    let history = scene.history();
    assert_eq!(history.tenant("acme").unwrap().step.as_deref(), Some("confirm-directory"), "that is what is awaited");
    let scene = scene.restarted();
    scene.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!(scene.count("confirm-provider", Op::Test), 2);
}

/// What was confirmed when the tenant was swapped is no ground for retiring it now.
#[tokio::test(start_paused = true)]
async fn a_directory_that_broke_is_neither_retired_nor_purged() {
    for (goal, legacy) in [(Goal::Retired, Legacy::Active), (Goal::Purged, Legacy::Inactive)] {
        let scene = Scene::new(&["acme"]).await;
        scene.reach(Goal::Swapped, S::Swapped).await;
        if goal == Goal::Purged {
            scene.reach(Goal::Retired, S::Retired).await;
        }
        scene.change_world("acme", |world| world.broken = true);
        let (state, reason) = scene.end(goal).await;
        assert_eq!((state, reason.as_str()), (S::Stuck, "step `confirm-directory`: confirm-directory: fail"));
        assert_eq!(scene.world("acme").legacy, legacy);
        // Nor does the old proof count for anything else from now on.
        if goal == Goal::Retired {
            assert_eq!(scene.end(Goal::Swapped).await.0, S::Stuck);
        }
        scene.change_world("acme", |world| world.broken = false);
        let scene = scene.restarted();
        assert_eq!(scene.end(goal).await.1, "");
        assert_ne!(scene.world("acme").legacy, legacy);
    }
}

#[tokio::test(start_paused = true)]
async fn an_inconclusive_proof_retires_nothing() {
    let scene = Scene::new(&["acme"]).await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    scene.change_world("acme", |world| world.slow_confirmations = 4);
    assert_eq!(scene.end(Goal::Retired).await.0, S::Soaking);
    assert_eq!(scene.world("acme").legacy, Legacy::Active);
    let scene = scene.restarted();
    scene.reach(Goal::Retired, S::Retired).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_purged_stays_so() {
    let scene = Scene::new(&["acme"]).await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    // The whole rest in one run: retired first, as an active app cannot be deleted.
    scene.reach(Goal::Purged, S::Finalized).await;
    let before = scene.views();
    for _ in 0..2 {
        let (state, reason) = scene.end(Goal::RolledBack).await;
        assert_eq!((state, reason.as_str()), (S::Finalized, "there is no way back from step `purge`"));
    }
    assert_eq!(scene.views(), before);
    assert_swapped(&scene.reality.state());
    assert_eq!(scene.count("swap", Op::Undo) + scene.count("retire", Op::Undo), 0);
}

/// The receipt of a connection test is good for one run: a later one tests again before it submits.
#[tokio::test(start_paused = true)]
async fn a_later_run_tests_again_before_it_submits() {
    let scene = Scene::new(&["acme"]).await;
    scene.order("swap", Op::Apply, 0, Fault::Refuse);
    assert_eq!(scene.end(Goal::Swapped).await.0, S::Failed);
    scene.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!((scene.count("prove", Op::Test), scene.count("test", Op::Test)), (2, 2));
    // And once it is submitted, the tests are done with.
    scene.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!((scene.count("test", Op::Test), scene.count("confirm-provider", Op::Test)), (2, 1));
}

/// A secret that is left in custody would be taken for the next client's; so nothing is left.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_after_a_rollback_does_not_find_the_old_secret() {
    let scene = Scene::new(&["acme"]).await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    scene.order("provision", Op::Undo, 0, Fault::Die);
    scene.order("provision", Op::Observe, 0, Fault::Refuse);
    assert_eq!(scene.end(Goal::RolledBack).await.0, S::Stuck);
    scene.reach(Goal::RolledBack, S::RolledBack).await;
    let scene = scene.planned_again().await;
    scene.order("provision", Op::Apply, 0, Fault::LoseAnswer);
    let outcome = scene.run(Goal::Swapped).await.remove(0).1;
    assert_eq!(outcome, Outcome::Ended { state: S::Swapped, reason: None });
    assert_swapped(&scene.reality.state());
}

/// A check that looked at nothing proves nothing: a confirmation is waited for, any other check fails.
#[tokio::test(start_paused = true)]
async fn a_check_without_evidence_does_not_pass() {
    for (step, expect) in
        [("prove", S::Failed), ("test", S::Failed), ("confirm-directory", S::Soaking), ("confirm-provider", S::Soaking)]
    {
        let scene = Scene::new(&["acme"]).await;
        scene.change_world("acme", |world| world.silent = Some(step));
        let (state, reason) = scene.end(Goal::Swapped).await;
        assert_eq!(state, expect, "{step}");
        assert!(reason.ends_with("the check reported no evidence"), "{step}: {reason}");
        scene.change_world("acme", |world| world.silent = None);
        let scene = scene.restarted();
        scene.reach(Goal::Swapped, S::Swapped).await;
        // Nor does it let anything be retired.
        scene.change_world("acme", |world| world.silent = Some("confirm-directory"));
        assert_eq!(scene.end(Goal::Retired).await.0, S::Soaking);
        assert_eq!(scene.world("acme").legacy, Legacy::Active);
    }
}
