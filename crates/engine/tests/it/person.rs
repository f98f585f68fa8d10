//! Steps that only a person can do: the run waits, the person acts, the next run sees it.

use flowswap_contract::Op;
use flowswap_engine::{Goal, TenantState as S};

use crate::{fault::Fault, laws::assert_lawful, scene::Scene, world::World};

#[tokio::test(start_paused = true)]
async fn the_way_back_waits_for_a_sign_in() {
    let scene = Scene::new(&["attended"]).await;
    let before = scene.views();
    scene.reach(Goal::Swapped, S::Swapped).await;
    scene.reach(Goal::Retired, S::Retired).await;
    let waiting = (S::Waiting, "a person must act: sign in at the directory".to_owned());
    for _ in 0..2 {
        assert_eq!(scene.end(Goal::RolledBack).await, waiting);
        // Who is to sign in needs the old client, and until then the directory needs the new one.
        let world = scene.world("attended");
        assert!(world.is_working() && world.clients.len() == 1, "{world:?}");
        assert_eq!(world.legacy, crate::world::Legacy::Active);
        assert_lawful(&scene.reality.state());
    }
    assert_eq!(scene.count("swap", Op::Undo), 1, "the person is asked once");
    scene.change_world("attended", World::sign_in);
    let scene = scene.restarted();
    scene.reach(Goal::RolledBack, S::RolledBack).await;
    assert_eq!(scene.views(), before);
    assert!(scene.reality.state().secrets.is_empty());
    assert_lawful(&scene.reality.state());
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_while_a_person_acts_is_not_taken_for_an_act() {
    for (fault, expect) in [(Fault::Blind, S::Waiting), (Fault::Refuse, S::Waiting), (Fault::Interrupt, S::RollingBack)]
    {
        let scene = Scene::new(&["attended"]).await;
        scene.reach(Goal::Swapped, S::Swapped).await;
        scene.order("swap", Op::Observe, 0, fault);
        assert_eq!(scene.end(Goal::RolledBack).await.0, expect);
        scene.assert_fired();
        assert_eq!(scene.world("attended").clients.len(), 1, "nothing is taken away on a doubt");
        scene.change_world("attended", World::sign_in);
        let scene = scene.restarted();
        scene.reach(Goal::RolledBack, S::RolledBack).await;
        assert_lawful(&scene.reality.state());
    }
}

#[tokio::test(start_paused = true)]
async fn the_way_forward_waits_for_a_reconnect() {
    let scene = Scene::new(&["manual"]).await;
    let before = scene.views();
    let waiting = (S::Waiting, "a person must act: reconnect the directory".to_owned());
    assert_eq!(scene.end(Goal::Swapped).await, waiting);
    let scene = scene.restarted();
    assert_eq!(scene.end(Goal::Swapped).await, waiting);
    assert_eq!(scene.count("swap", Op::Apply), 1, "the person is asked once");
    scene.change_world("manual", World::connect_by_hand);
    let scene = scene.restarted();
    scene.reach(Goal::Swapped, S::Swapped).await;
    assert_lawful(&scene.reality.state());
    let scene = scene.restarted();
    scene.reach(Goal::RolledBack, S::RolledBack).await;
    assert_eq!(scene.views(), before);
}

/// A tenant that waits for a reconnect can still be taken back, whether the person has acted or not.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_person_can_be_taken_back() {
    let scene = Scene::new(&["manual"]).await;
    let before = scene.views();
    assert_eq!(scene.end(Goal::Swapped).await.0, S::Waiting);
    let scene = scene.restarted();
    scene.reach(Goal::RolledBack, S::RolledBack).await;
    assert_eq!(scene.views(), before);
    assert_lawful(&scene.reality.state());
}
