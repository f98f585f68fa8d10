//! Crashes: a run is cut at every moment at which what survives differs, the same command is given again, and the world must
//! end as if nothing had happened. Then the second run is cut at every moment as well.

use flowswap_contract::Op;
use flowswap_engine::{Goal, Outcome, TenantState};

use crate::{
    laws::{assert_lawful, assert_rolled_back, assert_secrets_accounted, assert_swapped},
    reality::State,
    scene::Scene,
    world::Client,
};

/// What was done before, the run that is cut, the command that is given then, and the state that it ends in.
type Case<'a> = (&'a [Goal], Goal, Goal, TenantState, &'a dyn Fn(&State));

/// How far the tenant is before the run that is cut.
async fn prepare(goals: &[Goal]) -> Scene {
    let mut scene = Scene::new(&["acme"]).await;
    for &goal in goals {
        assert!(matches!(scene.run(goal).await[0].1, Outcome::Ended { reason: None, .. }), "{goal:?}");
        if goal == Goal::RolledBack {
            scene = scene.planned_again().await;
        }
    }
    scene.restarted()
}

/// Gives a command again after a crash. Only a rollback that has nothing to do may be refused.
async fn give_again(scene: &Scene, goal: Goal, expect: TenantState, at: &str) {
    let has_work = scene.history().tenant("acme").is_some_and(|tenant| tenant.work.is_some());
    match scene.run(goal).await.remove(0).1 {
        Outcome::Ended { state, reason } => assert_eq!((state, reason), (expect, None), "after {at}"),
        Outcome::Refused { changes } if goal == Goal::RolledBack && !has_work => {
            assert_eq!(changes, ["there is nothing to take back"]);
        }
        other => panic!("after {at}: {other:?}"),
    }
}

/// Cuts `goal` everywhere, gives `again`, cuts that everywhere, and gives it once more. Returns how many crashes and pairs of
/// crashes there were.
async fn check((prepared, goal, again, expect, is_right): Case<'_>) -> (usize, usize) {
    let scene = prepare(prepared).await;
    scene.run(goal).await;
    let moments = scene.reality.take_moments();
    let mut pairs = 0;
    for (what, state) in &moments {
        assert_lawful(state);
        let second = scene.after_crash(state.clone());
        give_again(&second, again, expect, what).await;
        is_right(&second.reality.state());
        for (then, state) in second.reality.take_moments() {
            assert_lawful(&state);
            let third = scene.after_crash(state);
            give_again(&third, again, expect, &format!("{what}, {then}")).await;
            is_right(&third.reality.state());
            pairs += 1;
        }
    }
    (moments.len(), pairs)
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_moment_is_healed_by_the_same_command() {
    use Goal::{Purged, Retired, RolledBack, Swapped};
    let before = prepare(&[]).await.reality.state();
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
        println!("{prepared:?} {goal:?} cut, then {again:?}: {crashes} crashes, {pairs} pairs, all healed");
        assert!(crashes > 10 && pairs > crashes, "{crashes} crashes, {pairs} pairs");
    }
}

/// The journal knows that nothing has left, so the world is not asked, where a stranger's client could be taken for ours.
#[tokio::test(start_paused = true)]
async fn what_never_left_is_not_looked_for_in_the_world() {
    for (goal, end) in [(Goal::Swapped, TenantState::Swapped), (Goal::RolledBack, TenantState::RolledBack)] {
        let scene = prepare(&[]).await;
        scene.run(Goal::Swapped).await;
        let moments = scene.reality.take_moments();
        let (_, begun) = moments.iter().find(|(what, _)| what == "record step-started").unwrap();
        let second = scene.after_crash(begun.clone());
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
