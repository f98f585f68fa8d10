//! Jobs that must not start: the world changed since the plan, another plan is in progress, the tenant goes the other way.

use std::sync::Arc;

use flowswap_contract::{ErrorKind as K, Op};
use flowswap_engine::{Goal, Job, Outcome, TenantState as S, digest_config, short};
use jiff::SignedDuration;
use serde_json::json;

use crate::{
    environment::start_of_time,
    fault::{Fault, Injection, KINDS},
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    test_fleet::TestFleet,
    world::{Client, Legacy, World},
};

fn refused(changes: &[&str]) -> Outcome {
    Outcome::Refused { changes: changes.iter().map(|&line| line.to_owned()).collect() }
}

/// How a tenant goes on whose plan cannot be used any more.
const BEGIN_AGAIN: &str = "flowswap has changed nothing yet: run `flowswap rollback TENANT`, and plan the tenant again";

/// Why a plan is refused after a rollback.
pub(crate) fn taken_back(plan: &str) -> String {
    format!("the tenant was rolled back after plan {} was made: plan it again", short(plan))
}

async fn check(change: fn(&mut World), expect: &[&str]) {
    let fleet = TestFleet::new(&["acme", "beta"]).await;
    fleet.change_world("acme", change);
    let outcomes = fleet.run(Goal::Swapped).await;
    assert_eq!(outcomes[0], ("acme".to_owned(), refused(expect)));
    assert_eq!(outcomes[1].1, Outcome::Ended { state: S::Swapped, reason: None }, "the other tenant continues");
    let state = fleet.env.state();
    let changed =
        |call: &crate::environment::Call| call.tenant == "acme" && call.op != Op::Detect && call.op != Op::Plan;
    assert!(!state.calls.iter().any(changed), "nothing is done with the tenant that changed");
    let acme = fleet.history().tenant("acme").unwrap().clone();
    assert!(acme.work.is_none() && acme.intent.is_some(), "a later run may be allowed to do it");
    assert_eq!(acme.refusal.unwrap().reasons, expect, "the journal says why");
}

#[tokio::test(start_paused = true)]
async fn only_the_tenant_that_changed_since_the_plan_is_refused() {
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

/// What can change with every synchronization is not compared.
#[tokio::test(start_paused = true)]
async fn a_change_of_health_does_not_count_as_a_change() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.inject("confirm-directory", Op::Test, 0, Fault::Stop);
    fleet.change_world("acme", |world| world.broken = true);
    let (state, _) = fleet.end(Goal::Swapped).await;
    assert_eq!(state, S::Stuck, "it started, and its own confirmation failed");
}

#[tokio::test(start_paused = true)]
async fn a_changed_configuration_and_an_unreadable_side_are_refused() {
    let fleet = TestFleet::new(&["acme"]).await;
    let run = async |jobs| {
        let runner = flowswap_engine::Runner::new(fleet.env.ports(), flowswap_engine::RunId::none());
        let command = flowswap_engine::RunCommand::Apply;
        runner.run(command, jobs, crate::test_fleet::LIMITS).await.unwrap().outcomes.remove(0).1
    };
    let mut jobs = fleet.jobs(Goal::Swapped);
    let changed = json!({ "provider": { "domain": "acme.okta.test", "page": 50 } });
    jobs[0].tenant.spec.config = digest_config(&changed).unwrap();
    assert_eq!(run(jobs).await, refused(&["the configuration of `provider.page` changed since the plan was made"]));

    for (nth, line) in [
        (2, "could not read the provider again: not permitted"),
        (5, "could not read the directory again: not permitted"),
    ] {
        fleet.env.faults.lock().unwrap().inject(Injection {
            tenant: Some("acme"),
            step: "-".to_owned(),
            op: Op::Detect,
            nth: nth + 2,
            fault: Fault::Refuse,
        });
        assert_eq!(run(fleet.jobs(Goal::Swapped)).await, Outcome::Unread { reason: line.to_owned() });
        let refusal = fleet.history().tenant("acme").unwrap().refusal.clone().unwrap();
        assert!(refusal.is_unread && !refusal.is_final(), "{refusal:?}");
    }
    let mut jobs = fleet.jobs(Goal::Swapped);
    let part = Arc::make_mut(jobs[0].part.as_mut().unwrap());
    "another".clone_into(&mut part.plan);
    Arc::make_mut(&mut part.tenant).seen = None;
    assert_eq!(run(jobs).await, refused(&["the plan does not record what was seen"]));
    fleet.assert_fired();
}

#[tokio::test(start_paused = true)]
async fn a_second_plan_is_refused_while_another_is_in_progress() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.inject("swap", Op::Apply, 0, Fault::Refuse);
    fleet.end(Goal::Swapped).await;
    let mut other = fleet.restarted();
    let created = start_of_time() + SignedDuration::from_secs(1);
    let (plugins, tenants) = (other.plan.plugins.clone(), other.plan.tenants.clone());
    other.plan = flowswap_engine::Plan::freeze(created, other.plan.not_after, None, plugins, tenants).unwrap();
    let outcome = other.run(Goal::Swapped).await.remove(0).1;
    let plan = flowswap_engine::short(&fleet.plan.digest);
    let line = format!("another plan, {plan}, is in progress: continue with that plan, or roll the tenant back first");
    assert_eq!(outcome, refused(&[line.as_str()]));
    other.reach(Goal::RolledBack, S::RolledBack).await;
    // The other plan was rolled back. This plan was made from the same inventories.
    other.reach(Goal::Swapped, S::Swapped).await;
    assert_swapped(&other.env.state());
}

#[tokio::test(start_paused = true)]
async fn a_tenant_in_rollback_does_not_go_forward() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    fleet.inject("provision", Op::Undo, 0, Fault::Interrupt);
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::RollingBack);
    for goal in [Goal::Swapped, Goal::Retired] {
        let outcome = fleet.run(goal).await.remove(0).1;
        assert_eq!(outcome, refused(&["the tenant is being rolled back: finish the rollback first"]));
    }
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    assert_eq!(fleet.run(Goal::RolledBack).await.remove(0).1, refused(&["there is nothing to roll back"]));
    assert_lawful(&fleet.env.state());
}

/// While nothing was changed, the tenant must still be as the plan saw it.
#[tokio::test(start_paused = true)]
async fn a_retry_that_has_changed_nothing_yet_checks_the_tenant_again() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.inject("provision", Op::Apply, 0, Fault::Refuse);
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Failed);
    fleet.change_world("acme", |world| world.can_restore = false);
    let outcome = fleet.run(Goal::Swapped).await.remove(0).1;
    assert_eq!(outcome, refused(&["directory.can_restore: true → false", BEGIN_AGAIN]));
    fleet.change_world("acme", |world| world.can_restore = true);
    fleet.reach(Goal::Swapped, S::Swapped).await;
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_rolled_back_is_not_applied_again() {
    let mut fleet = TestFleet::new(&["acme"]).await;
    let before = fleet.env.state();
    for _ in 0..2 {
        fleet.reach(Goal::Swapped, S::Swapped).await;
        fleet.reach(Goal::RolledBack, S::RolledBack).await;
        let digest = fleet.plan.digest.clone();
        let line = taken_back(&digest);
        assert!(fleet.history().tenant("acme").unwrap().taken_back.contains(&digest));
        let calls = fleet.env.state().calls.len();
        for _ in 0..2 {
            assert_eq!(fleet.run(Goal::Swapped).await.remove(0).1, refused(&[&line]));
        }
        assert_eq!(fleet.env.state().calls.len(), calls, "nothing is called");
        assert_rolled_back(&before, &fleet.env.state());
        fleet = fleet.planned_again().await;
        assert_ne!(fleet.plan.digest, digest);
    }
    // A plan that was only partly carried out counts as well.
    fleet.inject("provision", Op::Apply, 0, Fault::Refuse);
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Failed);
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    let line = taken_back(&fleet.plan.digest);
    assert_eq!(fleet.run(Goal::Swapped).await.remove(0).1, refused(&[&line]));
}

/// Started work can continue and can be rolled back.
#[tokio::test(start_paused = true)]
async fn an_expired_plan_starts_nothing_but_continues_started_work() {
    let done = Outcome::Ended { state: S::Swapped, reason: None };
    let second = SignedDuration::from_secs(1);
    // The clock is read when the run starts, for the intent, and a second later for the first tenant.
    let fleet = TestFleet::new(&["acme"]).await;
    let expired = format!("plan {} expired at 2026-01-02T00:00:00Z", short(&fleet.plan.digest));
    fleet.env.set_clock(fleet.plan.not_after - second);
    assert_eq!(fleet.run(Goal::Swapped).await.remove(0).1, refused(&[&expired]));
    assert!(fleet.history().tenant("acme").unwrap().work.is_none());
    fleet.env.set_clock(fleet.plan.not_after - second * 3);
    assert_eq!(fleet.run(Goal::Swapped).await.remove(0).1, done, "to the last moment");

    let begun = async |faults: &[(&str, Op, Fault)], state: S| {
        let fleet = TestFleet::new(&["acme"]).await;
        for (step, op, fault) in faults {
            fleet.inject(step, *op, 0, *fault);
        }
        assert_eq!(fleet.end(Goal::Swapped).await.0, state);
        fleet.assert_fired();
        fleet.env.set_clock(fleet.plan.not_after + SignedDuration::from_hours(1000));
        fleet.restarted()
    };
    for (faults, state) in [
        (&[("swap", Op::Apply, Fault::Refuse)][..], S::Failed),
        (&[("prove", Op::Test, Fault::Stop)], S::Running),
        (&[("confirm-directory", Op::Test, Fault::Refuse)], S::Stuck),
        (&[("provision", Op::Apply, Fault::LoseAnswer), ("provision", Op::Observe, Fault::Blind)], S::Stuck),
        // The step may have been done.
        (&[("provision", Op::Apply, Fault::LoseRequest), ("provision", Op::Observe, Fault::Blind)], S::Stuck),
    ] {
        let fleet = begun(faults, state).await;
        assert_eq!(fleet.run(Goal::Swapped).await.remove(0).1, done, "{faults:?}");
        assert_swapped(&fleet.env.state());
        fleet.reach(Goal::Retired, S::Retired).await;
    }
    // Started, but nothing was changed.
    let untouched = [("provision", Op::Apply, Fault::Refuse)];
    let fleet = begun(&untouched, S::Failed).await;
    assert_eq!(fleet.run(Goal::Swapped).await.remove(0).1, refused(&[&expired, BEGIN_AGAIN]));
    let back = fleet.run(Goal::RolledBack).await.remove(0).1;
    assert_eq!(back, Outcome::Ended { state: S::RolledBack, reason: None }, "a rollback does not expire");
}

/// With another configuration, a run could reach another org and conclude that nothing is left to do.
#[tokio::test(start_paused = true)]
async fn a_changed_configuration_is_refused_in_every_direction() {
    let change = |job: &mut Job| {
        let changed = json!({ "provider": { "domain": "beta.okta.test", "page": 50 }, "directory": { "ca": 1 } });
        job.tenant.spec.config = digest_config(&changed).unwrap();
    };
    let accept = |job: &mut Job| {
        change(job);
        job.accept_changes = true;
    };
    let is_not = |keys: &[&str]| {
        let line = |key| format!("the configuration of `{key}` changed since the plan was made");
        let advice = "undo the change, or pass `--accept-changes` if it is still the same org and the same directory";
        Outcome::Refused { changes: keys.iter().map(line).chain([advice.to_owned()]).collect() }
    };
    let all = ["directory.ca", "provider.domain", "provider.page"];
    let lines = [is_not(&all)];
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
        let fleet = TestFleet::new(&["acme"]).await;
        for &goal in before {
            fleet.run(goal).await;
        }
        if let Some(step) = failed {
            fleet.inject(step, Op::Apply, 0, Fault::Refuse);
            assert_eq!(fleet.end(Goal::Swapped).await.0, S::Failed);
        }
        let label = format!("{before:?} {failed:?} {goal:?}");
        let (views, calls) = (fleet.views(), fleet.env.state().calls.len());
        let history = fleet.history().tenant("acme").cloned().unwrap();
        assert_eq!(fleet.run_changed(goal, change).await, lines, "{label}");
        let gone = |job: &mut Job| job.tenant.spec.config = digest_config(&json!({})).unwrap();
        assert_eq!(fleet.run_changed(goal, gone).await, [is_not(&["provider.domain"])], "{label}");
        assert_eq!((fleet.views(), fleet.env.state().calls.len()), (views, calls), "{label}: nothing is done");
        let mut now = fleet.history().tenant("acme").cloned().unwrap();
        assert!(now.refusal.take().is_some(), "{label}");
        assert_eq!(now.state, history.state, "{label}");
        assert_eq!(format!("{:?}", now.work), format!("{:?}", history.work), "{label}");
        let done = Outcome::Ended { state, reason: None };
        assert_eq!(fleet.run_changed(goal, accept).await, [done], "{label}");
        assert_lawful(&fleet.env.state());
    }
    // If nothing was changed yet, there is nothing to continue, and a new plan costs nothing.
    let fleet = TestFleet::new(&["acme"]).await;
    let line = |key| format!("the configuration of `{key}` changed since the plan was made");
    let changes: Vec<String> = all.iter().map(line).collect();
    assert_eq!(fleet.run_changed(Goal::Swapped, accept).await, [Outcome::Refused { changes: changes.clone() }]);
    fleet.inject("provision", Op::Apply, 0, Fault::Refuse);
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Failed);
    let advice =
        "flowswap has changed nothing yet: run `flowswap rollback TENANT --accept-changes`, and plan the tenant again";
    let changes = changes.into_iter().chain([advice.to_owned()]).collect();
    assert_eq!(fleet.run_changed(Goal::Swapped, accept).await, [Outcome::Refused { changes }]);
}

/// With another org, a rollback would find nothing to remove there, delete the only copy of the secret, and leave the client.
#[tokio::test(start_paused = true)]
async fn another_org_or_an_unreadable_one_is_never_an_accepted_change() {
    let accept = |job: &mut Job| {
        let changed = json!({ "provider": { "domain": "other.okta.test" } });
        job.tenant.spec.config = digest_config(&changed).unwrap();
        job.accept_changes = true;
    };
    for goal in [Goal::RolledBack, Goal::Retired] {
        let fleet = TestFleet::new(&["acme"]).await;
        fleet.run(Goal::Swapped).await;
        fleet.change_world("acme", |world| world.domain = "other.okta.test".to_owned());
        let Outcome::Refused { changes } = fleet.run_changed(goal, accept).await.remove(0) else { panic!("{goal:?}") };
        let expect = "the changed configuration leads to another org: other.okta.test, not acme.okta.test";
        assert!(changes[0].starts_with(expect), "{changes:?}");

        fleet.change_world("acme", |world| world.domain = "acme.okta.test".to_owned());
        let looks = fleet.env.state().calls.iter().filter(|call| call.op == Op::Detect).count();
        fleet.inject("-", Op::Detect, looks, Fault::Refuse);
        let Outcome::Unread { reason } = fleet.run_changed(goal, accept).await.remove(0) else { panic!("{goal:?}") };
        assert!(reason.contains("; so flowswap cannot see whether the changed configuration"), "{reason}");
        fleet.assert_fired();

        let outcome = fleet.run_changed(goal, accept).await.remove(0);
        assert!(matches!(outcome, Outcome::Ended { .. }), "{outcome:?}");
        let history = fleet.history();
        let accepted = &history.tenant("acme").unwrap().accepted;
        assert!(accepted[0].starts_with("the configuration of `provider.domain` changed"), "{accepted:?}");
    }
}

/// Otherwise the tenant would be stuck at its first step, although nothing was done. What else is wrong with the look does not hold it
/// up: the directory may be gone, or may show something that flowswap cannot read.
#[tokio::test(start_paused = true)]
async fn a_rollback_begins_only_if_the_directory_answers() {
    for (kind, is_transient) in KINDS {
        let is_held_up = is_transient || matches!(kind, K::Unreachable | K::Auth | K::Permission);
        let fleet = TestFleet::new(&["acme"]).await;
        fleet.reach(Goal::Swapped, S::Swapped).await;
        let before = fleet.views();
        let looks = fleet.env.state().calls.iter().filter(|call| call.op == Op::Detect).count();
        fleet.inject("-", Op::Detect, looks, Fault::Say(kind));
        let outcome = fleet.run(Goal::RolledBack).await.remove(0).1;
        fleet.assert_fired();
        if is_held_up {
            let reason = "could not read the directory again: not now. To fix this: look at it".to_owned();
            assert_eq!(outcome, Outcome::Unread { reason }, "{kind:?}");
            assert_eq!((fleet.history().tenant("acme").unwrap().state, fleet.views()), (S::Swapped, before));
            // The person who asked for it expects it to happen.
            for goal in [Goal::Swapped, Goal::Retired, Goal::Purged] {
                let Outcome::Refused { changes } = fleet.run(goal).await.remove(0).1 else { panic!("{goal:?}") };
                assert!(changes[0].starts_with("a rollback that began at "), "{changes:?}");
            }
            fleet.reach(Goal::RolledBack, S::RolledBack).await;
        } else {
            assert_eq!(outcome, Outcome::Ended { state: S::RolledBack, reason: None }, "{kind:?}");
        }
        assert_lawful(&fleet.env.state());
    }
}
