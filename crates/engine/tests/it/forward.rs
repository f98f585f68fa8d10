//! Runs without disturbance: forward to every goal, and rollbacks after every prefix of the steps.

use flowswap_contract::Op;
use flowswap_engine::{Goal, Outcome, TenantState};

use crate::{
    fault::Fault,
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    test_fleet::TestFleet,
    tree,
    world::Legacy,
};

#[tokio::test(start_paused = true)]
async fn a_tenant_goes_forward_to_the_end_and_the_journal_tells_it() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, TenantState::Swapped).await;
    assert_swapped(&fleet.env.state());
    fleet.reach(Goal::Retired, TenantState::Retired).await;
    assert_eq!(fleet.world("acme").legacy, Legacy::Inactive);
    fleet.reach(Goal::Purged, TenantState::Finalized).await;
    assert_eq!(fleet.world("acme").legacy, Legacy::Gone);
    assert_swapped(&fleet.env.state());
    insta::assert_snapshot!(tree::render(&fleet.env.state().records));
}

#[tokio::test(start_paused = true)]
async fn a_retired_tenant_goes_back_and_the_journal_tells_it() {
    let fleet = TestFleet::new(&["acme"]).await;
    let before = fleet.env.state();
    fleet.reach(Goal::Swapped, TenantState::Swapped).await;
    fleet.reach(Goal::Retired, TenantState::Retired).await;
    let records = fleet.env.state().records.len();
    fleet.reach(Goal::RolledBack, TenantState::RolledBack).await;
    assert_rolled_back(&before, &fleet.env.state());
    insta::assert_snapshot!(tree::render(&fleet.env.state().records[records..]));
}

/// Whatever prefix of the steps was carried out, a rollback leaves the world as it was. After that, the tenant can be planned
/// and migrated again.
#[tokio::test(start_paused = true)]
async fn a_rollback_after_any_prefix_of_the_steps_restores_the_world() {
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
            let fleet = TestFleet::new(&["acme"]).await;
            let before = fleet.env.state();
            if goal != Goal::Swapped {
                fleet.reach(Goal::Swapped, TenantState::Swapped).await;
            }
            fleet.inject(step, op, 0, fault);
            fleet.end(goal).await;
            fleet.assert_fired();
            assert_lawful(&fleet.env.state());
            let fleet = fleet.restarted();
            fleet.reach(Goal::RolledBack, TenantState::RolledBack).await;
            assert_rolled_back(&before, &fleet.env.state());
            let refused = crate::refuse::taken_back(&fleet.plan.digest);
            let outcome = fleet.run(Goal::Swapped).await.remove(0).1;
            assert_eq!(outcome, Outcome::Refused { changes: vec![refused] });
            assert_rolled_back(&before, &fleet.env.state());
            let fleet = fleet.planned_again().await;
            fleet.reach(Goal::Swapped, TenantState::Swapped).await;
            assert_swapped(&fleet.env.state());
        }
    }
}

/// Forward and back.
#[tokio::test(start_paused = true)]
async fn the_directory_has_a_working_connection_at_every_moment() {
    let fleet = TestFleet::new(&["acme"]).await;
    for (goal, state) in [
        (Goal::Swapped, TenantState::Swapped),
        (Goal::Retired, TenantState::Retired),
        (Goal::RolledBack, TenantState::RolledBack),
    ] {
        fleet.reach(goal, state).await;
    }
    let moments = fleet.env.take_moments();
    assert!(moments.len() > 50, "{}", moments.len());
    for (what, state) in moments {
        assert!(state.worlds["acme"].is_working(), "after {what}");
        assert_lawful(&state);
    }
}
