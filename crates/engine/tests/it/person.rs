//! Steps by a person: the run waits, the person acts, and the next run sees it.

use flowswap_contract::Op;
use flowswap_engine::{Goal, TenantState as S};

use crate::{fault::Fault, laws::assert_lawful, test_fleet::TestFleet, world::World};

#[tokio::test(start_paused = true)]
async fn the_rollback_waits_for_a_sign_in() {
    let fleet = TestFleet::new(&["attended"]).await;
    let before = fleet.views();
    fleet.reach(Goal::Swapped, S::Swapped).await;
    fleet.reach(Goal::Retired, S::Retired).await;
    let waiting = (S::Waiting, "a person must act: sign in at the directory".to_owned());
    for _ in 0..2 {
        assert_eq!(fleet.end(Goal::RolledBack).await, waiting);
        // The sign-in needs the legacy client, and until then the directory needs the new client.
        let world = fleet.world("attended");
        assert!(world.is_working() && world.clients.len() == 1, "{world:?}");
        assert_eq!(world.legacy, crate::world::Legacy::Active);
        assert_lawful(&fleet.env.state());
    }
    assert_eq!(fleet.count("swap", Op::Undo), 1, "the person is asked once");
    fleet.change_world("attended", World::sign_in);
    let fleet = fleet.restarted();
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    assert_eq!(fleet.views(), before);
    assert!(fleet.env.state().secrets.is_empty());
    assert_lawful(&fleet.env.state());
}

#[tokio::test(start_paused = true)]
async fn a_failed_check_does_not_count_as_done() {
    for (fault, expect) in [(Fault::Blind, S::Waiting), (Fault::Refuse, S::Waiting), (Fault::Interrupt, S::RollingBack)]
    {
        let fleet = TestFleet::new(&["attended"]).await;
        fleet.reach(Goal::Swapped, S::Swapped).await;
        fleet.inject("swap", Op::Observe, 0, fault);
        assert_eq!(fleet.end(Goal::RolledBack).await.0, expect);
        fleet.assert_fired();
        assert_eq!(fleet.world("attended").clients.len(), 1, "nothing is removed while in doubt");
        fleet.change_world("attended", World::sign_in);
        let fleet = fleet.restarted();
        fleet.reach(Goal::RolledBack, S::RolledBack).await;
        assert_lawful(&fleet.env.state());
    }
}

#[tokio::test(start_paused = true)]
async fn the_run_waits_for_a_reconnect() {
    let fleet = TestFleet::new(&["manual"]).await;
    let before = fleet.views();
    let waiting = (S::Waiting, "a person must act: reconnect the directory".to_owned());
    assert_eq!(fleet.end(Goal::Swapped).await, waiting);
    let fleet = fleet.restarted();
    assert_eq!(fleet.end(Goal::Swapped).await, waiting);
    assert_eq!(fleet.count("swap", Op::Apply), 1, "the person is asked once");
    fleet.change_world("manual", World::reconnect_in_console);
    let fleet = fleet.restarted();
    fleet.reach(Goal::Swapped, S::Swapped).await;
    assert_lawful(&fleet.env.state());
    let fleet = fleet.restarted();
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    assert_eq!(fleet.views(), before);
}

/// A tenant that waits for a reconnect can still be rolled back.
#[tokio::test(start_paused = true)]
async fn a_tenant_that_waits_for_a_person_can_be_rolled_back() {
    let fleet = TestFleet::new(&["manual"]).await;
    let before = fleet.views();
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Waiting);
    let fleet = fleet.restarted();
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    assert_eq!(fleet.views(), before);
    assert_lawful(&fleet.env.state());
}
