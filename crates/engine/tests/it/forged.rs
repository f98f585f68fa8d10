//! Plans that nobody planned: anyone who can write a plan file can also seal it again.

use std::sync::Arc;

use flowswap_engine::{Entry, Goal, OfSides, Outcome, PlannedTenant, TenantState as S, Verdict};
use serde_json::{Value, json};

use crate::test_fleet::TestFleet;

/// Whatever a plan file says, only what follows from both sides is carried out.
#[tokio::test(start_paused = true)]
async fn a_plan_that_does_not_follow_from_both_sides_is_refused() {
    type Change = fn(&mut PlannedTenant);
    fn add(more: &str, of: &mut Option<OfSides>) {
        of.as_mut().unwrap().values_mut().for_each(|list| list.push(more.to_owned()));
    }
    let forge = |tenant: &mut PlannedTenant, id: &str, key: &str, value: Value| {
        let step = tenant.steps.iter_mut().find(|step| step.id == id).unwrap();
        let mut payload = step.proposal.payload.to_value();
        payload[key] = value;
        step.proposal.payload = payload.into();
    };
    let table: [(Change, &str); 9] = [
        (|t| add("https://x.test", &mut t.origins), "origins."),
        (|t| add("/x", &mut t.token_paths), "token_paths."),
        (|t| t.app_data = !t.app_data, "app_data: "),
        (|t| t.directory_plugin = "okta".to_owned(), "directory_plugin: \"okta\" → \"rest\""),
        (|t| t.steps.last_mut().unwrap().proposal.title.push('!'), "steps[purge].proposal.title: "),
        (|t| drop(t.steps.pop()), "steps[purge]: absent → present"),
        (|t| t.steps.swap(1, 2), "steps: the order "),
        (|t| t.steps.reverse(), "steps: the order "),
        (|t| t.steps[0].proposal.gives.push("more".to_owned()), "steps[provision].proposal.gives"),
    ];
    let run = async |change: &dyn Fn(&mut PlannedTenant)| {
        let fleet = TestFleet::new(&["acme"]).await;
        let outcomes = fleet.run_changed(Goal::Swapped, |job| {
            let part = Arc::make_mut(job.part.as_mut().unwrap());
            change(Arc::make_mut(&mut part.tenant));
        });
        let outcome = outcomes.await.remove(0);
        assert_eq!(fleet.world("acme").clients.len(), 0, "something was changed");
        outcome
    };
    for (change, expect) in table {
        let Outcome::Refused { changes } = run(&change).await else { panic!("{expect}: it was not refused") };
        let expect = format!("the plan differs from what flowswap would plan now: {expect}");
        assert!(changes[0].starts_with(&expect), "{changes:?}");
    }
    let aims = |tenant: &mut PlannedTenant| forge(tenant, "retire", "client", json!("another-app"));
    let Outcome::Refused { changes } = run(&aims).await else { panic!("it was not refused") };
    assert!(changes[0].contains("steps[retire].proposal.payload"), "{changes:?}");
}

/// A person who rolls a tenant back does not expect the plan of all tenants, which is older, to migrate it again.
#[tokio::test(start_paused = true)]
async fn no_plan_from_before_a_rollback_is_carried_out_after_it() {
    let fleet = TestFleet::new(&["acme"]).await;
    let note = |plan: &str| Entry::Planned {
        plan: plan.to_owned(),
        path: format!("{plan}.json"),
        verdict: Verdict::Ready,
        findings: Vec::new(),
        wave: None,
        by: None,
    };
    let apply = async |plan: &str| {
        let change = |job: &mut flowswap_engine::Job| {
            job.digest_given = false;
            plan.clone_into(&mut Arc::make_mut(job.part.as_mut().unwrap()).plan);
        };
        fleet.run_changed(Goal::Swapped, change).await.remove(0)
    };
    fleet.record("acme", note("all")).await;
    fleet.record("acme", note("pilot")).await;
    assert!(matches!(apply("pilot").await, Outcome::Ended { state: S::Swapped, .. }));
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    for plan in ["pilot", "all"] {
        let expect = crate::refuse::taken_back(plan);
        assert_eq!(apply(plan).await, Outcome::Refused { changes: vec![expect] }, "{plan}");
    }
    fleet.record("acme", note("again")).await;
    assert!(matches!(apply("again").await, Outcome::Ended { state: S::Swapped, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_the_journal_does_not_know_needs_its_digest() {
    let fleet = TestFleet::new(&["acme"]).await;
    let outcome = fleet.run_changed(Goal::Swapped, |job| job.digest_given = false).await.remove(0);
    let Outcome::Refused { changes } = outcome else { panic!("{outcome:?}") };
    assert!(changes[0].starts_with("this state folder does not know plan "), "{changes:?}");
    let (plan, path) = (fleet.plan.digest.clone(), "plan.json".to_owned());
    fleet
        .record(
            "acme",
            Entry::Planned { plan, path, verdict: Verdict::Ready, findings: Vec::new(), wave: None, by: None },
        )
        .await;
    // Another plan since then changes nothing: a pilot does not take the rest's plan away.
    let (plan, path) = ("another".to_owned(), "pilot.json".to_owned());
    fleet
        .record(
            "acme",
            Entry::Planned { plan, path, verdict: Verdict::Ready, findings: Vec::new(), wave: None, by: None },
        )
        .await;
    let outcome = fleet.run_changed(Goal::Swapped, |job| job.digest_given = false).await.remove(0);
    assert!(matches!(outcome, Outcome::Ended { state: S::Swapped, .. }), "{outcome:?}");
}
