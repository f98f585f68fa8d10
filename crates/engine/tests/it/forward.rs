//! The undisturbed way: forward to every goal, and back from every prefix of the steps.

use flowswap_contract::Op;
use flowswap_engine::{Goal, Outcome, TenantState};

use crate::{
    fault::Fault,
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    scene::Scene,
    tree,
    world::Legacy,
};

#[tokio::test(start_paused = true)]
async fn a_tenant_goes_forward_to_the_end_and_the_journal_tells_it() {
    let scene = Scene::new(&["acme"]).await;
    scene.reach(Goal::Swapped, TenantState::Swapped).await;
    assert_swapped(&scene.reality.state());
    scene.reach(Goal::Retired, TenantState::Retired).await;
    assert_eq!(scene.world("acme").legacy, Legacy::Inactive);
    scene.reach(Goal::Purged, TenantState::Finalized).await;
    assert_eq!(scene.world("acme").legacy, Legacy::Gone);
    assert_swapped(&scene.reality.state());
    insta::assert_snapshot!(tree::render(&scene.reality.state().records));
}

#[tokio::test(start_paused = true)]
async fn a_retired_tenant_goes_back_and_the_journal_tells_it() {
    let scene = Scene::new(&["acme"]).await;
    let before = scene.reality.state();
    scene.reach(Goal::Swapped, TenantState::Swapped).await;
    scene.reach(Goal::Retired, TenantState::Retired).await;
    let records = scene.reality.state().records.len();
    scene.reach(Goal::RolledBack, TenantState::RolledBack).await;
    assert_rolled_back(&before, &scene.reality.state());
    insta::assert_snapshot!(tree::render(&scene.reality.state().records[records..]));
}

/// The undo law: whatever prefix of the steps was carried out, going back leaves the world as it was; and what was taken
/// back can be planned and carried out again.
#[tokio::test(start_paused = true)]
async fn going_back_from_every_prefix_restores_the_world() {
    let prefixes = [
        ("provision", Op::Apply, Goal::Swapped),
        ("prove", Op::Test, Goal::Swapped),
        ("test", Op::Test, Goal::Swapped),
        ("swap", Op::Apply, Goal::Swapped),
        ("confirm-directory", Op::Test, Goal::Swapped),
        ("confirm-provider", Op::Test, Goal::Swapped),
        ("retire", Op::Apply, Goal::Retired),
    ];
    for fault in [Fault::Refuse, Fault::Stop] {
        for (step, op, goal) in prefixes {
            let scene = Scene::new(&["acme"]).await;
            let before = scene.reality.state();
            if goal != Goal::Swapped {
                scene.reach(Goal::Swapped, TenantState::Swapped).await;
            }
            scene.order(step, op, 0, fault);
            scene.end(goal).await;
            scene.assert_fired();
            assert_lawful(&scene.reality.state());
            let scene = scene.restarted();
            scene.reach(Goal::RolledBack, TenantState::RolledBack).await;
            assert_rolled_back(&before, &scene.reality.state());
            let refused = "it was rolled back after this plan was made: plan it again".to_owned();
            let outcome = scene.run(Goal::Swapped).await.remove(0).1;
            assert_eq!(outcome, Outcome::Refused { changes: vec![refused] });
            assert_rolled_back(&before, &scene.reality.state());
            let scene = scene.planned_again().await;
            scene.reach(Goal::Swapped, TenantState::Swapped).await;
            assert_swapped(&scene.reality.state());
        }
    }
}

/// A working connection at every moment, forward and back.
#[tokio::test(start_paused = true)]
async fn the_directory_can_synchronize_at_every_moment() {
    let scene = Scene::new(&["acme"]).await;
    for (goal, state) in [
        (Goal::Swapped, TenantState::Swapped),
        (Goal::Retired, TenantState::Retired),
        (Goal::RolledBack, TenantState::RolledBack),
    ] {
        scene.reach(goal, state).await;
    }
    let moments = scene.reality.take_moments();
    assert!(moments.len() > 50, "{}", moments.len());
    for (what, state) in moments {
        assert!(state.worlds["acme"].is_working(), "after {what}");
        assert_lawful(&state);
    }
}
