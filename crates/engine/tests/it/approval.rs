//! Tenants that nobody approved are not started. Work that was started, and a rollback, needs no approval.

use flowswap_engine::{
    Approval, Entry, FailureBudget, FleetLimits, Goal, Job, Outcome, Record, RunId, Runner, SignedApproval,
    TenantState as S,
};

use crate::test_fleet::TestFleet;

const WHY: &str = "class aaaaaaaaaaaa has 1 of 2 approvals";

fn missing() -> Approval {
    Approval::Missing(WHY.to_owned())
}

fn refused() -> Outcome {
    Outcome::Unapproved { reason: WHY.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn only_approved_tenants_are_started() {
    let fleet = TestFleet::new(&["acme", "globex"]).await;
    let outcomes = fleet.run_changed(Goal::Swapped, |job| {
        job.approval =
            if job.tenant.spec.name == "acme" { Approval::Given(vec!["digest".to_owned()]) } else { missing() };
    });
    let outcomes = outcomes.await;
    assert!(matches!(outcomes[0], Outcome::Ended { state: S::Swapped, .. }), "{outcomes:?}");
    assert_eq!(outcomes[1], refused());
    assert_eq!(fleet.world("globex").clients.len(), 0, "something was changed");
    let intents: Vec<_> = fleet.env.state().records.iter().filter_map(approvals_of_intent).collect();
    assert_eq!(intents, [("acme".to_owned(), vec!["digest".to_owned()])]);
}

/// The tenant of an intent, and the approvals that cover it.
fn approvals_of_intent(record: &Record) -> Option<(String, Vec<String>)> {
    match &record.draft.entry {
        Entry::Intended { approvals, .. } => Some((record.draft.tenant.clone()?, approvals.clone())),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn started_work_and_rollbacks_need_no_approval() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    for (goal, state) in [(Goal::Swapped, S::Swapped), (Goal::Retired, S::Retired), (Goal::RolledBack, S::RolledBack)] {
        let outcome = fleet.run_changed(goal, |job| job.approval = missing()).await.remove(0);
        assert!(matches!(outcome, Outcome::Ended { state: reached, .. } if reached == state), "{outcome:?}");
    }
}

/// That a run once set out to start a tenant says nothing about approvals now.
#[tokio::test(start_paused = true)]
async fn what_was_not_started_needs_approvals_again() {
    let fleet = TestFleet::new(&["acme"]).await;
    let part = fleet.jobs(Goal::Swapped).remove(0).part;
    let (plan, approvals) = (fleet.plan.digest.clone(), vec!["digest".to_owned()]);
    fleet.record("acme", Entry::Intended { goal: Goal::Swapped, plan, part, approvals, rehearsal: false }).await;
    for change in [|_: &mut Job| {}, |job: &mut Job| job.part = None] {
        let outcome = fleet.run_changed(Goal::Swapped, |job| {
            job.approval = missing();
            change(job);
        });
        assert_eq!(outcome.await.remove(0), refused());
    }
    let approved = fleet.run_changed(Goal::Swapped, |job| {
        (job.part, job.approval) = (None, Approval::Given(vec!["digest".to_owned()]));
    });
    assert!(matches!(approved.await.remove(0), Outcome::Ended { state: S::Swapped, .. }));
}

#[tokio::test(start_paused = true)]
async fn the_journal_has_the_approvals_of_a_run_that_does_something() {
    let fleet = TestFleet::new(&["acme"]).await;
    let signed = SignedApproval {
        digest: "digest".to_owned(),
        by: vec!["alice@example.com".to_owned()],
        key: "SHA256:abc".to_owned(),
        reason: "CHG-1042".to_owned(),
        envelope: "{}".to_owned(),
    };
    let run = async |approval: Approval| {
        let mut jobs = fleet.jobs(Goal::Swapped);
        jobs.iter_mut().for_each(|job| job.approval = approval.clone());
        let runner = Runner::new(fleet.env.ports(), RunId::generate()).approved_by(vec![signed.clone()]);
        let limits = FleetLimits { concurrency: 1, max_failures: FailureBudget::Tenants(1) };
        runner.run(Goal::Swapped.command(), jobs, limits).await.unwrap();
    };
    let approvals_of_runs = || -> Vec<Vec<SignedApproval>> {
        let records = fleet.env.state().records;
        let started = records.into_iter().filter_map(|record| match record.draft.entry {
            Entry::RunStarted { approvals, .. } => Some(approvals),
            _ => None,
        });
        started.collect()
    };
    run(Approval::Given(vec!["digest".to_owned()])).await;
    assert_eq!(approvals_of_runs(), [vec![signed.clone()]]);
    // Nothing is left to do, so the second run leaves no record.
    run(Approval::Given(vec!["digest".to_owned()])).await;
    assert_eq!(approvals_of_runs().len(), 1);
}
