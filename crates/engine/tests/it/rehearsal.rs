//! Rehearsals: forward, proven, back, proven. Afterwards the same plan can be carried out for good.

use std::collections::BTreeMap;

use flowswap_engine::{Course, Gate, Goal, Outcome, TenantHistory, TenantState as S};

use crate::{
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    test_fleet::TestFleet,
};

async fn rehearse_forward(fleet: &TestFleet) -> Outcome {
    fleet.run_changed(Goal::Swapped, |job| job.rehearsal = true).await.remove(0)
}

fn ended(state: S) -> Outcome {
    Outcome::Ended { state, reason: None }
}

fn tenant(fleet: &TestFleet) -> TenantHistory {
    fleet.history().tenant("acme").unwrap().clone()
}

fn gate(fleet: &TestFleet) -> Gate {
    let overview = tenant(fleet).overview();
    Gate::behind(&["acme".to_owned()], &BTreeMap::from([("acme".to_owned(), overview)]))
}

#[tokio::test(start_paused = true)]
async fn after_a_rehearsal_the_same_plan_is_carried_out_for_good() {
    let fleet = TestFleet::new(&["acme"]).await;
    let before = fleet.env.state();
    assert_eq!(rehearse_forward(&fleet).await, ended(S::Swapped));
    assert_eq!(gate(&fleet), Gate::Behind(vec![("acme".to_owned(), S::Swapped)]), "it is not swapped for good");
    let under_way = "a rehearsal is under way: end it first, with its rollback: `flowswap rehearse acme`";
    for goal in [Goal::Swapped, Goal::Retired, Goal::Purged] {
        let outcome = fleet.run(goal).await.remove(0).1;
        assert_eq!(outcome, Outcome::Refused { changes: vec![under_way.to_owned()] }, "{goal:?}");
    }
    assert!(tenant(&fleet).rehearsed.is_none(), "it is not rolled back yet");
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    assert_rolled_back(&before, &fleet.env.state());
    let after = tenant(&fleet);
    let receipt = after.rehearsed.clone().unwrap();
    assert_eq!(receipt.plan, fleet.plan.digest);
    assert_eq!(receipt.course, Course::of(&fleet.plan.tenants[0], &fleet.plan.plugins));
    assert!(receipt.swapped_at < receipt.rolled_back_at);
    assert_eq!(after.overview().rehearsal, None);

    let fleet = fleet.restarted();
    fleet.reach(Goal::Swapped, S::Swapped).await;
    assert_swapped(&fleet.env.state());
    assert_eq!(gate(&fleet), Gate::Open);
    assert_eq!(tenant(&fleet).rehearsed, Some(receipt), "the receipt stays");
    let refused = "the tenant is swapped already, and not for a rehearsal: only one that is not begun can be rehearsed";
    assert_eq!(rehearse_forward(&fleet).await, Outcome::Refused { changes: vec![refused.to_owned()] });
    assert_lawful(&fleet.env.state());
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_that_is_not_proven_leaves_no_receipt() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.change_world("acme", |world| world.slow_confirmations = 99);
    let Outcome::Ended { state: S::Soaking, .. } = rehearse_forward(&fleet).await else { panic!() };
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    let after = tenant(&fleet);
    assert!(after.rehearsed.is_none() && after.rehearsal.is_none());
    let Outcome::Refused { .. } = fleet.run(Goal::Swapped).await.remove(0).1 else { panic!("the plan was taken back") };
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_at_any_moment_a_rehearsal_goes_on() {
    let fleet = TestFleet::new(&["acme"]).await;
    let before = fleet.env.state();
    fleet.env.take_moments();
    rehearse_forward(&fleet).await;
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    let moments = fleet.env.take_moments();
    assert!(moments.len() > 30, "{}", moments.len());
    for (what, state) in moments {
        let fleet = fleet.after_crash(state);
        let is_forward = |fleet: &TestFleet| {
            let history = fleet.history();
            let tenant = history.tenant("acme").map(TenantHistory::overview);
            let rehearsed = tenant.as_ref().is_some_and(|tenant| tenant.rehearsed.is_some());
            let proven = tenant.and_then(|tenant| tenant.rehearsal).is_some_and(|it| it.swapped_at.is_some());
            !rehearsed && !proven
        };
        if is_forward(&fleet) {
            assert_eq!(rehearse_forward(&fleet).await, ended(S::Swapped), "after {what}");
        }
        if tenant(&fleet).rehearsed.is_none() {
            fleet.reach(Goal::RolledBack, S::RolledBack).await;
        }
        assert!(tenant(&fleet).rehearsed.is_some(), "after {what}");
        assert_rolled_back(&before, &fleet.env.state());
        assert_lawful(&fleet.env.state());
    }
}
