//! Jobs that may not begin: the world changed since the plan, another plan is in the middle, the tenant goes the other way.

use flowswap_contract::Op;
use flowswap_engine::{Goal, Job, Outcome, TenantState as S};
use jiff::SignedDuration;
use serde_json::json;

use crate::{
    fault::{Fault, Injection},
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    reality::start_of_time,
    scene::Scene,
    world::{Client, Legacy, World},
};

fn refused(changes: &[&str]) -> Outcome {
    Outcome::Refused { changes: changes.iter().map(|&line| line.to_owned()).collect() }
}

async fn check(change: fn(&mut World), expect: &[&str]) {
    let scene = Scene::new(&["acme", "beta"]).await;
    scene.change_world("acme", change);
    let outcomes = scene.run(Goal::Swapped).await;
    assert_eq!(outcomes[0], ("acme".to_owned(), refused(expect)));
    assert_eq!(outcomes[1].1, Outcome::Ended { state: S::Swapped, reason: None }, "the other one goes on");
    let state = scene.reality.state();
    let changed = |call: &crate::reality::Call| call.tenant == "acme" && call.op != Op::Detect && call.op != Op::Plan;
    assert!(!state.calls.iter().any(changed), "nothing is done with the one that changed");
    assert!(scene.history().tenant("acme").is_none(), "and nothing is recorded of it");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_changed_since_the_plan_is_refused_alone() {
    check(
        |world| world.legacy = Legacy::Inactive,
        &["provider.legacy_clients[app-1].status: \"ACTIVE\" → \"INACTIVE\""],
    )
    .await;
    check(|world| world.legacy = Legacy::Gone, &["provider.legacy_clients[app-1]: present → absent"]).await;
    let appeared = |world: &mut World| {
        world.clients.insert("svc-9".into(), Client { made_by: "somebody".into(), secrets: vec![] });
    };
    check(appeared, &["provider.service_clients[svc-9]: absent → present"]).await;
    check(|world| world.can_restore = false, &["directory.can_restore: true → false"]).await;
    let signed_in = |world: &mut World| world.last_sign_in = Some("2026-01-01T00:00:00Z".into());
    check(signed_in, &["directory.last_sign_in: null → \"2026-01-01T00:00:00Z\""]).await;
    let two = |world: &mut World| {
        world.domain = "other.okta.test".into();
        world.connect(flowswap_contract::Flow::Unknown, "x");
    };
    check(
        two,
        &[
            "directory.client_id: \"legacy-1\" → \"x\"",
            "directory.domain: \"acme.okta.test\" → \"other.okta.test\"",
            "directory.flow: \"authorization-code\" → \"unknown\"",
            "provider.domain: \"acme.okta.test\" → \"other.okta.test\"",
        ],
    )
    .await;
}

/// What changes with every synchronization is no change.
#[tokio::test(start_paused = true)]
async fn a_worse_health_is_no_change() {
    let scene = Scene::new(&["acme"]).await;
    scene.order("confirm-directory", Op::Test, 0, Fault::Stop);
    scene.change_world("acme", |world| world.broken = true);
    let (state, _) = scene.end(Goal::Swapped).await;
    assert_eq!(state, S::Stuck, "it was taken up, and its own proof failed");
}

#[tokio::test(start_paused = true)]
async fn a_changed_configuration_and_an_unreadable_side_are_refused() {
    let scene = Scene::new(&["acme"]).await;
    let run = async |jobs| {
        let runner = flowswap_engine::Runner::new(scene.reality.ports(), flowswap_engine::RunId::none());
        let command = flowswap_engine::RunCommand::Apply;
        runner.run(command, jobs, crate::scene::LIMITS).await.unwrap().outcomes.remove(0).1
    };
    let mut jobs = scene.jobs(Goal::Swapped);
    jobs[0].tenant.spec.config = json!({ "provider": { "domain": "acme.okta.test", "page": 50 } });
    assert_eq!(run(jobs).await, refused(&["the configuration of `provider.page` is not the plan's"]));

    for (nth, line) in [
        (2, "the provider cannot be read any more: not permitted"),
        (5, "the directory cannot be read any more: not permitted"),
    ] {
        scene.reality.faults.lock().unwrap().order(Injection {
            tenant: Some("acme"),
            step: "-".to_owned(),
            op: Op::Detect,
            nth: nth + 2,
            fault: Fault::Refuse,
        });
        assert_eq!(run(scene.jobs(Goal::Swapped)).await, refused(&[line]));
    }
    let mut jobs = scene.jobs(Goal::Swapped);
    jobs[0].planned.seen = None;
    assert_eq!(run(jobs).await, refused(&["the plan does not say what was seen"]));
    scene.assert_fired();
}

#[tokio::test(start_paused = true)]
async fn another_plan_in_the_middle_is_refused() {
    let scene = Scene::new(&["acme"]).await;
    scene.order("swap", Op::Apply, 0, Fault::Refuse);
    scene.end(Goal::Swapped).await;
    let mut other = scene.restarted();
    let created = start_of_time() + SignedDuration::from_secs(1);
    let (plugins, tenants) = (other.plan.plugins.clone(), other.plan.tenants.clone());
    other.plan = flowswap_engine::Plan::freeze(created, other.plan.not_after, plugins, tenants).unwrap();
    let outcome = other.run(Goal::Swapped).await.remove(0).1;
    let line = "it is in the middle of another plan: go on with that one, or roll the tenant back first";
    assert_eq!(outcome, refused(&[line]));
    other.reach(Goal::RolledBack, S::RolledBack).await;
    // It was the other plan that was taken back; this one was made from the same sight.
    other.reach(Goal::Swapped, S::Swapped).await;
    assert_swapped(&other.reality.state());
}

#[tokio::test(start_paused = true)]
async fn a_tenant_on_its_way_back_does_not_go_forward() {
    let scene = Scene::new(&["acme"]).await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    scene.order("provision", Op::Undo, 0, Fault::Interrupt);
    assert_eq!(scene.end(Goal::RolledBack).await.0, S::RollingBack);
    for goal in [Goal::Swapped, Goal::Retired] {
        let outcome = scene.run(goal).await.remove(0).1;
        assert_eq!(outcome, refused(&["it is being rolled back: finish that first"]));
    }
    scene.reach(Goal::RolledBack, S::RolledBack).await;
    assert_eq!(scene.run(Goal::RolledBack).await.remove(0).1, refused(&["there is nothing to take back"]));
    assert_lawful(&scene.reality.state());
}

/// Work that changed nothing yet stands on the plan's sight alone, so that must still be true.
#[tokio::test(start_paused = true)]
async fn a_tenant_that_changed_before_its_first_change_is_refused_the_second_time_too() {
    let scene = Scene::new(&["acme"]).await;
    scene.order("provision", Op::Apply, 0, Fault::Refuse);
    assert_eq!(scene.end(Goal::Swapped).await.0, S::Failed);
    scene.change_world("acme", |world| world.can_restore = false);
    let outcome = scene.run(Goal::Swapped).await.remove(0).1;
    assert_eq!(outcome, refused(&["directory.can_restore: true → false"]));
    scene.change_world("acme", |world| world.can_restore = true);
    scene.reach(Goal::Swapped, S::Swapped).await;
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_taken_back_is_not_applied_again() {
    let line = "it was rolled back after this plan was made: plan it again";
    let mut scene = Scene::new(&["acme"]).await;
    let before = scene.reality.state();
    for _ in 0..2 {
        scene.reach(Goal::Swapped, S::Swapped).await;
        scene.reach(Goal::RolledBack, S::RolledBack).await;
        let digest = scene.plan.digest.clone();
        assert!(scene.history().tenant("acme").unwrap().taken_back.contains(&digest));
        let calls = scene.reality.state().calls.len();
        for _ in 0..2 {
            assert_eq!(scene.run(Goal::Swapped).await.remove(0).1, refused(&[line]));
        }
        assert_eq!(scene.reality.state().calls.len(), calls, "nothing is even looked at");
        assert_rolled_back(&before, &scene.reality.state());
        scene = scene.planned_again().await;
        assert_ne!(scene.plan.digest, digest);
    }
    // What was never carried out whole counts as well.
    scene.order("provision", Op::Apply, 0, Fault::Refuse);
    assert_eq!(scene.end(Goal::Swapped).await.0, S::Failed);
    scene.reach(Goal::RolledBack, S::RolledBack).await;
    assert_eq!(scene.run(Goal::Swapped).await.remove(0).1, refused(&[line]));
}

/// A plan that is too old begins nothing; what it has begun goes on, and back.
#[tokio::test(start_paused = true)]
async fn an_expired_plan_begins_nothing_and_goes_on_with_what_was_begun() {
    let expired = refused(&["the plan expired at 2026-01-02T00:00:00Z"]);
    let done = Outcome::Ended { state: S::Swapped, reason: None };
    let second = SignedDuration::from_secs(1);
    // The clock is looked at when the run begins, and a second later for the first tenant.
    let scene = Scene::new(&["acme"]).await;
    scene.reality.set_clock(scene.plan.not_after - second);
    assert_eq!(scene.run(Goal::Swapped).await.remove(0).1, expired);
    assert!(scene.history().tenant("acme").is_none(), "nothing is recorded of it");
    scene.reality.set_clock(scene.plan.not_after - second * 2);
    assert_eq!(scene.run(Goal::Swapped).await.remove(0).1, done, "to the last moment");

    let begun = async |faults: &[(&str, Op, Fault)], state: S| {
        let scene = Scene::new(&["acme"]).await;
        for (step, op, fault) in faults {
            scene.order(step, *op, 0, *fault);
        }
        assert_eq!(scene.end(Goal::Swapped).await.0, state);
        scene.assert_fired();
        scene.reality.set_clock(scene.plan.not_after + SignedDuration::from_hours(1000));
        scene.restarted()
    };
    for (faults, state) in [
        (&[("swap", Op::Apply, Fault::Refuse)][..], S::Failed),
        (&[("prove", Op::Test, Fault::Stop)], S::Running),
        (&[("confirm-directory", Op::Test, Fault::Refuse)], S::Stuck),
        (&[("provision", Op::Apply, Fault::LoseAnswer), ("provision", Op::Observe, Fault::Blind)], S::Stuck),
        // It may have been done, for all that is known.
        (&[("provision", Op::Apply, Fault::LoseRequest), ("provision", Op::Observe, Fault::Blind)], S::Stuck),
    ] {
        let scene = begun(faults, state).await;
        assert_eq!(scene.run(Goal::Swapped).await.remove(0).1, done, "{faults:?}");
        assert_swapped(&scene.reality.state());
        scene.reach(Goal::Retired, S::Retired).await;
    }
    // Taken up, and nothing was changed.
    let untouched = [("provision", Op::Apply, Fault::Refuse)];
    let scene = begun(&untouched, S::Failed).await;
    assert_eq!(scene.run(Goal::Swapped).await.remove(0).1, expired);
    let expiry = scene.plan.not_after;
    let back = scene.run_changed(Goal::RolledBack, |job| job.not_after = Some(expiry)).await.remove(0);
    assert_eq!(back, Outcome::Ended { state: S::RolledBack, reason: None }, "the way back does not expire");
}

/// With another configuration a run could meet another org, and find there that nothing is left to do.
#[tokio::test(start_paused = true)]
async fn a_changed_configuration_is_refused_in_every_direction() {
    let change = |job: &mut Job| {
        job.tenant.spec.config =
            json!({ "provider": { "domain": "beta.okta.test", "page": 50 }, "directory": { "ca": 1 } });
    };
    let accept = |job: &mut Job| {
        change(job);
        job.accept_changes = true;
    };
    let is_not = |keys: &[&str]| {
        let line = |key| format!("the configuration of `{key}` is not the plan's");
        Outcome::Refused { changes: keys.iter().map(line).collect() }
    };
    let lines = [is_not(&["directory.ca", "provider.domain", "provider.page"])];
    let (swap, provision) = (Some("swap"), Some("provision"));
    for (before, failed, goal, state) in [
        (&[][..], swap, Goal::Swapped, S::Swapped),
        (&[], swap, Goal::RolledBack, S::RolledBack),
        (&[], provision, Goal::RolledBack, S::RolledBack),
        (&[Goal::Swapped], None, Goal::Swapped, S::Swapped),
        (&[Goal::Swapped], None, Goal::Retired, S::Retired),
        (&[Goal::Swapped], None, Goal::Purged, S::Finalized),
        (&[Goal::Swapped], None, Goal::RolledBack, S::RolledBack),
        (&[Goal::Swapped, Goal::Retired], None, Goal::RolledBack, S::RolledBack),
    ] {
        let scene = Scene::new(&["acme"]).await;
        for &goal in before {
            scene.run(goal).await;
        }
        if let Some(step) = failed {
            scene.order(step, Op::Apply, 0, Fault::Refuse);
            assert_eq!(scene.end(Goal::Swapped).await.0, S::Failed);
        }
        let label = format!("{before:?} {failed:?} {goal:?}");
        let (views, calls) = (scene.views(), scene.reality.state().calls.len());
        let history = scene.history().tenant("acme").cloned();
        assert_eq!(scene.run_changed(goal, change).await, lines, "{label}");
        let gone = |job: &mut Job| job.tenant.spec.config = json!({});
        assert_eq!(scene.run_changed(goal, gone).await, [is_not(&["provider.domain"])], "{label}");
        assert_eq!((scene.views(), scene.reality.state().calls.len()), (views, calls), "{label}: nothing is done");
        assert_eq!(format!("{:?}", scene.history().tenant("acme").cloned()), format!("{history:?}"), "{label}");
        let done = Outcome::Ended { state, reason: None };
        assert_eq!(scene.run_changed(goal, accept).await, [done], "{label}");
        assert_lawful(&scene.reality.state());
    }
    // Where nothing was changed yet there is nothing to go on with, and a new plan costs nothing.
    let scene = Scene::new(&["acme"]).await;
    assert_eq!(scene.run_changed(Goal::Swapped, accept).await, lines);
    scene.order("provision", Op::Apply, 0, Fault::Refuse);
    assert_eq!(scene.end(Goal::Swapped).await.0, S::Failed);
    assert_eq!(scene.run_changed(Goal::Swapped, accept).await, lines);
}
