//! Crashes: a run is interrupted at every moment at which the surviving state differs, and the same command runs again. The
//! world must end as if nothing had happened. Then the second run is interrupted at every moment as well.

use flowswap_contract::Op;
use flowswap_engine::{Goal, Outcome, TenantState};

use crate::{
    environment::State,
    laws::{assert_lawful, assert_rolled_back, assert_secrets_accounted, assert_swapped},
    test_fleet::TestFleet,
    world::Client,
};

/// What was done before, the run that crashes, the command that runs then, and the state that it ends in.
type Case<'a> = (&'a [Goal], Goal, Goal, TenantState, &'a dyn Fn(&State));

/// Brings the tenant to where the crashing run starts.
async fn prepare(goals: &[Goal]) -> TestFleet {
    let mut fleet = TestFleet::new(&["acme"]).await;
    for &goal in goals {
        assert!(matches!(fleet.run(goal).await[0].1, Outcome::Ended { reason: None, .. }), "{goal:?}");
        if goal == Goal::RolledBack {
            fleet = fleet.planned_again().await;
        }
    }
    fleet.restarted()
}

/// Runs a command again after a crash. Only a rollback that has nothing to do may be refused.
async fn run_again(fleet: &TestFleet, goal: Goal, expect: TenantState, at: &str) {
    let has_work = fleet.history().tenant("acme").is_some_and(|tenant| tenant.work.is_some());
    match fleet.run(goal).await.remove(0).1 {
        Outcome::Ended { state, reason } => assert_eq!((state, reason), (expect, None), "after {at}"),
        Outcome::Refused { changes } if goal == Goal::RolledBack && !has_work => {
            assert_eq!(changes, ["there is nothing to roll back"]);
        }
        other => panic!("after {at}: {other:?}"),
    }
}

/// Crashes `goal` at every moment, runs `again`, crashes that at every moment, and runs it once more. Returns the number of
/// crashes and of pairs of crashes.
async fn check((prepared, goal, again, expect, is_right): Case<'_>) -> (usize, usize) {
    let fleet = prepare(prepared).await;
    fleet.run(goal).await;
    let moments = fleet.env.take_moments();
    let mut pairs = 0;
    for (what, state) in &moments {
        assert_lawful(state);
        let second = fleet.after_crash(state.clone());
        run_again(&second, again, expect, what).await;
        is_right(&second.env.state());
        for (then, state) in second.env.take_moments() {
            assert_lawful(&state);
            let third = fleet.after_crash(state);
            run_again(&third, again, expect, &format!("{what}, {then}")).await;
            is_right(&third.env.state());
            pairs += 1;
        }
    }
    (moments.len(), pairs)
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_at_any_moment_the_same_command_reaches_the_goal() {
    use Goal::{Purged, Retired, RolledBack, Swapped};
    let before = prepare(&[]).await.env.state();
    let is_rolled_back = |state: &State| assert_rolled_back(&before, state);
    let is_swapped = |state: &State| {
        assert_swapped(state);
        assert_secrets_accounted(state);
    };
    let cases: [Case<'_>; 8] = [
        (&[], Swapped, Swapped, TenantState::Swapped, &is_swapped),
        (&[], Swapped, RolledBack, TenantState::RolledBack, &is_rolled_back),
        (&[Swapped], Retired, Retired, TenantState::Retired, &is_swapped),
        (&[Swapped], Retired, RolledBack, TenantState::RolledBack, &is_rolled_back),
        (&[Swapped, Retired], Purged, Purged, TenantState::Finalized, &is_swapped),
        (&[Swapped], RolledBack, RolledBack, TenantState::RolledBack, &is_rolled_back),
        (&[Swapped, Retired], RolledBack, RolledBack, TenantState::RolledBack, &is_rolled_back),
        (&[Swapped, RolledBack], Swapped, Swapped, TenantState::Swapped, &is_swapped),
    ];
    for case in cases {
        let (crashes, pairs) = check(case).await;
        let (prepared, goal, again, ..) = case;
        println!("{prepared:?} {goal:?} crashed, then {again:?}: {crashes} crashes, {pairs} pairs, all recovered");
        assert!(crashes > 10 && pairs > crashes, "{crashes} crashes, {pairs} pairs");
    }
}

/// The journal shows that nothing was sent. So the step is not observed, because it could mistake a stranger's client for ours.
#[tokio::test(start_paused = true)]
async fn a_step_that_sent_no_request_is_not_observed() {
    for (goal, end) in [(Goal::Swapped, TenantState::Swapped), (Goal::RolledBack, TenantState::RolledBack)] {
        let fleet = prepare(&[]).await;
        fleet.run(Goal::Swapped).await;
        let moments = fleet.env.take_moments();
        let (_, begun) = moments.iter().find(|(what, _)| what == "record step-started").unwrap();
        let second = fleet.after_crash(begun.clone());
        let doubt = second.history().tenant("acme").unwrap().work.as_ref().unwrap().doubt.clone();
        assert_eq!(doubt.unwrap().step, "provision");
        let stranger = Client { made_by: "a person".to_owned(), secrets: vec!["theirs".to_owned()] };
        second.change_world("acme", |world| {
            world.clients.insert("svc-9".to_owned(), stranger.clone());
        });
        second.reach(goal, end).await;
        assert_eq!(second.count("provision", Op::Observe), 0);
        assert_eq!(second.world("acme").clients.get("svc-9"), Some(&stranger), "{goal:?}");
    }
}
