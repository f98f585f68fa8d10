//! What the journal keeps: intents until they are done, refusals with their reasons, nothing of a look that finds nothing new.

use std::sync::Arc;

use flowswap_contract::Op;
use flowswap_engine::{
    Actor, Draft, Entry, Goal, Intent, Job, Journal, Logbook, Outcome, PlanPart, PluginPin, Position, RunCommand,
    RunId, RunScope, Snapshot, TenantState as S, digest_config,
};
use serde_json::json;

use crate::{
    fault::Fault,
    laws::{assert_lawful, assert_swapped},
    test_fleet::{LIMITS, TestFleet},
    world::World,
};

fn kinds(fleet: &TestFleet, from: usize) -> Vec<&'static str> {
    fleet.env.state().records[from..].iter().map(|record| record.draft.entry.kind()).collect()
}

/// A hundred looks at a tenant that waits for a person, soaks, or waits until its new client is unused.
#[tokio::test(start_paused = true)]
async fn a_look_that_finds_nothing_new_leaves_no_record() {
    for (name, goal, state) in [
        ("manual", Goal::Swapped, S::Waiting),
        ("acme", Goal::Swapped, S::Soaking),
        ("attended", Goal::RolledBack, S::Waiting),
    ] {
        let mut fleet = TestFleet::new(&[name]).await;
        if goal == Goal::RolledBack {
            fleet.reach(Goal::Swapped, S::Swapped).await;
        }
        fleet.change_world(name, |world| world.slow_confirmations = 1_000_000);
        let first = fleet.end(goal).await;
        assert_eq!(first.0, state, "{name}");
        // The second look can still differ from the first, for it does not ask anybody.
        fleet = fleet.restarted();
        assert_eq!(fleet.end(goal).await.0, state);
        let (records, calls) = (fleet.env.state().records.len(), fleet.env.state().calls.len());
        let history = format!("{:?}", fleet.history());
        for _ in 0..100 {
            fleet = fleet.restarted();
            assert_eq!(fleet.end(goal).await.0, state);
        }
        assert_eq!(kinds(&fleet, records), [""; 0], "{name}");
        assert!(fleet.env.state().calls.len() >= calls + 100, "it was looked");
        assert_eq!(format!("{:?}", fleet.history()), history);
        assert_lawful(&fleet.env.state());
        // What is new is written, with the start of the run that found it.
        fleet.change_world(name, |world| {
            world.slow_confirmations = 0;
            match name {
                "manual" => world.reconnect_in_console(),
                "attended" => World::sign_in(world),
                _ => {}
            }
        });
        let end = if goal == Goal::Swapped { S::Swapped } else { S::RolledBack };
        fleet.reach(goal, end).await;
        assert_eq!(kinds(&fleet, records)[..3], ["run-started", "intended", "tenant-started"]);
        assert_lawful(&fleet.env.state());
    }
}

/// Neither does another run of a plan that is carried out.
#[tokio::test(start_paused = true)]
async fn a_run_with_nothing_left_to_do_leaves_no_record() {
    let mut fleet = TestFleet::new(&["acme", "globex"]).await;
    for goal in [Goal::Swapped, Goal::Retired] {
        fleet.run(goal).await;
        let records = fleet.env.state().records.len();
        fleet = fleet.restarted();
        for (name, outcome) in fleet.run(goal).await {
            assert!(matches!(outcome, Outcome::Ended { reason: None, .. }), "{name}: {outcome:?}");
        }
        assert_eq!(kinds(&fleet, records), [""; 0]);
    }
}

/// A tenant's plan is in the journal once, however often runs work on it.
#[tokio::test(start_paused = true)]
async fn a_plan_is_stored_once() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.inject("swap", Op::Apply, 0, Fault::Refuse);
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Failed);
    fleet.inject("swap", Op::Apply, 1, Fault::Refuse);
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Failed);
    fleet.reach(Goal::Swapped, S::Swapped).await;
    fleet.reach(Goal::Retired, S::Retired).await;
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    let text = serde_json::to_string(&fleet.env.state().records.iter().map(|r| &r.draft).collect::<Vec<_>>()).unwrap();
    assert_eq!(text.matches("\"way_back\"").count(), 1);
}

/// A run that was cut off leaves an intent for each tenant that it has not brought to its end, whatever runs after it.
#[tokio::test(start_paused = true)]
async fn an_intent_stays_open_until_it_is_done_or_given_up() {
    let fleet = TestFleet::new(&["a", "b", "c"]).await;
    fleet.inject("-", Op::Detect, 0, Fault::Stop);
    let intents = |fleet: &TestFleet| -> Vec<String> {
        let open = fleet.env.ports().logbook.overviews();
        open.iter().filter(|(_, tenant)| tenant.intent.is_some()).map(|(name, _)| name.clone()).collect()
    };
    // The run is killed before it starts on `b` and `c`.
    let moments = {
        fleet.run(Goal::Swapped).await;
        fleet.env.take_moments()
    };
    let (_, cut) = moments
        .iter()
        .find(|(what, _)| what.contains("tenant-started"))
        .cloned()
        .unwrap_or_else(|| moments.iter().rfind(|(what, _)| what.contains("intended")).cloned().unwrap());
    let fleet = fleet.after_crash(cut);
    assert_eq!(intents(&fleet), ["a", "b", "c"]);
    // Another command for one of them, and one without a plan.
    let mut jobs = fleet.jobs(Goal::Swapped);
    jobs.retain(|job| job.tenant.spec.name == "a");
    let run = async |fleet: &TestFleet, jobs| {
        let runner = flowswap_engine::Runner::new(fleet.env.ports(), flowswap_engine::RunId::generate());
        runner.run(flowswap_engine::RunCommand::Apply, jobs, LIMITS).await.unwrap().outcomes
    };
    assert_eq!(run(&fleet, jobs).await[0].1, Outcome::Ended { state: S::Swapped, reason: None });
    assert_eq!(intents(&fleet), ["b", "c"]);
    fleet.record("c", Entry::GivenUp { goal: Goal::Swapped, by: Actor::user("alice") }).await;
    assert_eq!(intents(&fleet), ["b"]);
    // The journal has the plan, so its file is not needed.
    let mut jobs = fleet.jobs(Goal::Swapped);
    jobs.retain(|job| job.tenant.spec.name == "b");
    jobs[0].part = None;
    assert_eq!(run(&fleet, jobs).await[0].1, Outcome::Ended { state: S::Swapped, reason: None });
    assert_eq!(intents(&fleet), [""; 0]);
    let mut jobs = fleet.jobs(Goal::Swapped);
    jobs.retain(|job| job.tenant.spec.name == "c");
    jobs[0].part = None;
    let outcome = run(&fleet, jobs).await.remove(0).1;
    assert_eq!(outcome, Outcome::Refused { changes: vec!["no plan is in progress: plan it first".to_owned()] });
    assert_lawful(&fleet.env.state());
}

/// A rollback that did not reach the tenant comes before the interrupted run. Without it, that run can be continued again.
#[tokio::test(start_paused = true)]
async fn giving_up_a_rollback_gives_the_interrupted_run_back() {
    let fleet = TestFleet::new(&["a"]).await;
    fleet.run(Goal::Swapped).await;
    let moments = fleet.env.take_moments();
    let cuts: Vec<_> = moments.into_iter().filter(|(what, _)| what.contains("step-ended")).collect();
    assert!(cuts.len() > 4, "{}", cuts.len());
    for (what, cut) in cuts {
        let fleet = fleet.after_crash(cut);
        let intent = || fleet.env.ports().logbook.overview("a").unwrap().intent.map(|intent| intent.goal);
        assert_eq!(intent(), Some(Goal::Swapped), "{what}");
        let plan = fleet.plan.digest.clone();
        fleet
            .record(
                "a",
                Entry::Intended { goal: Goal::RolledBack, plan, part: None, approvals: Vec::new(), rehearsal: false },
            )
            .await;
        let overview = fleet.env.ports().logbook.overview("a").unwrap();
        assert!(overview.waits_for_rollback() && !overview.has_begun(overview.intent.as_ref().unwrap()), "{what}");
        let Outcome::Refused { changes } = fleet.run(Goal::Swapped).await.remove(0).1 else { panic!("{what}") };
        assert!(changes[0].contains("continue it with `flowswap resume`"), "{what}: {changes:?}");

        fleet.record("a", Entry::GivenUp { goal: Goal::RolledBack, by: Actor::user("alice") }).await;
        let goal = intent();
        let jobs: Vec<_> = fleet.jobs(goal.unwrap()).into_iter().map(|job| Job { part: None, ..job }).collect();
        let runner = flowswap_engine::Runner::new(fleet.env.ports(), flowswap_engine::RunId::generate());
        let outcomes = runner.run(goal.unwrap().command(), jobs, LIMITS).await.unwrap().outcomes;
        assert!(matches!(&outcomes[0].1, Outcome::Ended { reason: None, .. }), "{what}: {outcomes:?}");
        assert_lawful(&fleet.env.state());
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_another_plan_has_migrated_is_no_failure() {
    let fleet = TestFleet::new(&["acme"]).await;
    let other = fleet.planned_again().await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    let other = TestFleet { env: fleet.env.clone(), plan: other.plan };
    let before = fleet.env.state();
    let outcome = other.run(Goal::Swapped).await.remove(0).1;
    let Outcome::Unneeded { state: S::Swapped, reason } = outcome else { panic!("{outcome:?}") };
    let plan = &fleet.plan.digest[..12];
    assert!(reason.starts_with(&format!("already swapped by plan {plan} at 2026-")), "{reason}");
    assert_eq!(fleet.env.state().records.len(), before.records.len(), "nothing is recorded of it");
    assert_swapped(&fleet.env.state());
}

/// A new build of a plugin goes on with what an older one began, but only if the operator accepts it.
#[tokio::test(start_paused = true)]
async fn another_build_of_a_plugin_goes_on_only_if_it_is_accepted() {
    let build = |sha256: &str| PluginPin { version: "0.2.0".to_owned(), sha256: sha256.repeat(64), uncaged: false };
    let upgrade = |job: &mut flowswap_engine::Job| drop(job.plugins.insert("okta".to_owned(), build("c")));
    let accept = |job: &mut flowswap_engine::Job| {
        upgrade(job);
        job.accept_changes = true;
    };
    for (goal, end) in [(Goal::Swapped, S::Swapped), (Goal::RolledBack, S::RolledBack)] {
        let fleet = TestFleet::new(&["acme", "beta"]).await;
        let planned = "plugin `okta` has not the build or not the cage that the plan was made with (0.1.0, sha256 \
                       aaaaaaaaaaaa; now 0.2.0, sha256 cccccccccccc): plan again";
        let refused = |line: &str| Outcome::Refused { changes: vec![line.to_owned()] };
        assert_eq!(fleet.run_changed(Goal::Swapped, accept).await, [refused(planned), refused(planned)]);
        fleet.env.faults.lock().unwrap().inject(crate::fault::Injection {
            tenant: Some("acme"),
            step: "swap".to_owned(),
            op: Op::Apply,
            nth: 0,
            fault: Fault::Refuse,
        });
        fleet.run(Goal::Swapped).await;
        let begun = "the work was started with another build or another cage of plugin `okta` (0.1.0, sha256 aaaaaaaaaaaa; \
                     now 0.2.0, sha256 cccccccccccc): use that one, or pass `--accept-changes` if you trust this one";
        assert_eq!(fleet.run_changed(goal, upgrade).await[0], refused(begun));
        let done = Outcome::Ended { state: end, reason: None };
        assert_eq!(fleet.run_changed(goal, accept).await[0], done, "{goal:?}");
        let records = fleet.env.state().records;
        let pins = records.iter().rev().find_map(|record| match &record.draft.entry {
            Entry::TenantStarted { plugins, .. } if record.draft.tenant.as_deref() == Some("acme") => {
                Some(plugins.clone())
            }
            _ => None,
        });
        assert_eq!(pins.unwrap()["okta"], build("c"), "the journal says which build it was");
        // From now on it is the build of the work.
        if goal == Goal::Swapped {
            assert_eq!(
                fleet.run_changed(Goal::Retired, upgrade).await[0],
                Outcome::Ended { state: S::Retired, reason: None }
            );
        }
    }
}

/// A snapshot at any place gives what the whole journal gives. One of another journal is not used.
#[tokio::test(start_paused = true)]
async fn a_snapshot_at_any_place_gives_the_same_state() {
    let fleet = TestFleet::new(&["acme", "manual"]).await;
    fleet.run(Goal::Swapped).await;
    let fleet = fleet.restarted();
    fleet.run(Goal::RolledBack).await;
    let state = fleet.env.state();
    let whole = fleet.env.ports().logbook.overviews();
    assert_eq!(whole.len(), 2);
    for length in 0..=state.records.len() {
        let mut earlier = state.clone();
        earlier.records.truncate(length);
        let snapshot = fleet.after_crash(earlier).env.ports().logbook.snapshot().unwrap();
        assert_eq!(snapshot.position.seq, length as u64);
        let journal: Arc<dyn Journal> = fleet.env.clone();
        let opened = Logbook::open(journal, fleet.env.clone(), Some(snapshot)).await.unwrap();
        assert_eq!(opened.overviews(), whole, "{length}");
    }
    let foreign = Snapshot { position: Position { seq: 99_999, ..Position::default() }, tenants: Default::default() };
    let opened = Logbook::open(fleet.env.clone(), fleet.env.clone(), Some(foreign)).await.unwrap();
    assert_eq!(opened.overviews(), whole);
}

/// The records of a tenant do not have the intent of a run of an earlier version. So a snapshot could claim any, and has none.
#[tokio::test(start_paused = true)]
async fn nothing_is_done_because_only_a_snapshot_says_so() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    let (whole, right) = (fleet.env.ports().logbook.overviews(), fleet.env.ports().logbook.snapshot().unwrap());
    let forged = async |plan: Option<&str>| {
        let (mut snapshot, plan, run) = (right.clone(), plan.map(str::to_owned), RunId::generate());
        let (goal, at) = (Goal::RolledBack, jiff::Timestamp::UNIX_EPOCH);
        let intent = Intent { goal, plan, path: None, run, at, is_refused: false, newer_plan: None };
        snapshot.tenants.get_mut("acme").unwrap().intent = Some(intent);
        Logbook::open(fleet.env.clone(), fleet.env.clone(), Some(snapshot)).await.unwrap()
    };
    assert_eq!(forged(None).await.overviews(), whole);
    let of_records = forged(Some(&fleet.plan.digest)).await.overview_from_records("acme").await.unwrap();
    assert_eq!(of_records.as_ref(), whole.get("acme"));
}

/// A run of format 2 names its tenants only at its start. While it is unfinished, there is no snapshot.
#[tokio::test(start_paused = true)]
async fn a_run_of_an_earlier_version_that_was_cut_off_is_in_no_snapshot() {
    let fleet = TestFleet::new(&["acme"]).await;
    let scope = RunScope { goal: Goal::Swapped, plan_path: None, tenants: vec!["acme".to_owned()] };
    let entry = Entry::RunStarted {
        command: RunCommand::Apply,
        version: "0.1.0".to_owned(),
        by: None,
        scope: Some(scope),
        approvals: Vec::new(),
    };
    let at = jiff::Timestamp::UNIX_EPOCH;
    fleet.env.append(vec![Draft { at, run: RunId::generate(), tenant: None, entry }]).await.unwrap();
    let logbook = fleet.env.ports().logbook;
    assert!(logbook.overview("acme").unwrap().intent.is_some());
    assert_eq!(logbook.overview_from_records("acme").await.unwrap(), logbook.overview("acme"));
    assert_eq!(logbook.snapshot(), None);
    fleet.reach(Goal::Swapped, S::Swapped).await;
    assert!(fleet.env.ports().logbook.snapshot().is_some());
}

/// While a run works, the state that the logbook shows is what the journal gives when it is read again.
#[tokio::test(start_paused = true)]
async fn the_logbook_of_a_run_agrees_with_the_journal() {
    let fleet = TestFleet::new(&["acme", "beta", "manual"]).await;
    fleet.inject("prove", Op::Test, 1, Fault::Refuse);
    let ports = fleet.env.ports();
    let logbook = Arc::clone(&ports.logbook);
    let runner = flowswap_engine::Runner::new(ports, flowswap_engine::RunId::generate());
    runner.run(flowswap_engine::RunCommand::Apply, fleet.jobs(Goal::Swapped), LIMITS).await.unwrap();
    assert_eq!(logbook.overviews(), fleet.env.ports().logbook.overviews());
    assert_eq!(logbook.snapshot().unwrap().position.seq, fleet.env.state().records.len() as u64);
    for planned in &fleet.plan.tenants {
        let part = PlanPart::of(&fleet.plan, Arc::new(planned.clone()), None, None);
        let stored = logbook.tenant(&planned.name).await.unwrap().unwrap().part.unwrap();
        assert_eq!(*stored, part, "the journal has the plan of `{}`", planned.name);
    }
}

/// What is kept for the next command must not miss a record.
#[tokio::test(start_paused = true)]
async fn a_journal_that_failed_gives_no_snapshot() {
    for at in 1..20 {
        let fleet = TestFleet::new(&["acme", "beta"]).await;
        *fleet.env.journal_fault.lock().unwrap() = Some((at, true));
        let ports = fleet.env.ports();
        let logbook = Arc::clone(&ports.logbook);
        let runner = flowswap_engine::Runner::new(ports, flowswap_engine::RunId::generate());
        runner.run(flowswap_engine::RunCommand::Apply, fleet.jobs(Goal::Swapped), LIMITS).await.unwrap_err();
        assert_eq!(logbook.snapshot(), None, "append {at}");
    }
}

/// A rollback that was cut off and then abandoned is not continued.
#[tokio::test(start_paused = true)]
async fn an_abandoned_rollback_leaves_no_intent() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    fleet.inject("provision", Op::Undo, 0, Fault::LoseAnswer);
    fleet.inject("provision", Op::Observe, 0, Fault::Blind);
    fleet.inject("swap", Op::Undo, 0, Fault::Stop);
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::RollingBack);
    let open = fleet.history().tenant("acme").unwrap().intent.clone();
    assert_eq!(open.map(|intent| intent.goal), Some(Goal::RolledBack), "it was stopped");
    let stands = ["provision", "swap"].map(|step| (step.to_owned(), Default::default())).into();
    let (seen, reason, by) = ("the new client".to_owned(), "it works".to_owned(), Actor::user("alice"));
    fleet.record("acme", Entry::Abandoned { stands, seen, reason, by }).await;
    assert_eq!(fleet.history().tenant("acme").unwrap().intent, None);
}

/// A run that the journal does not allow leaves the intent of the run that was cut off.
#[tokio::test(start_paused = true)]
async fn a_refused_run_does_not_end_the_intent_of_another() {
    let fleet = TestFleet::new(&["acme"]).await;
    let other = fleet.planned_again().await;
    fleet.inject("prove", Op::Test, 0, Fault::Stop);
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Running);
    let open = fleet.history().tenant("acme").unwrap().intent.clone().unwrap();
    let fleet = fleet.restarted();
    let other = TestFleet { env: fleet.env.clone(), plan: other.plan };
    assert!(matches!(other.run(Goal::Swapped).await.remove(0).1, Outcome::Refused { .. }));
    assert!(matches!(
        fleet.run_changed(Goal::RolledBack, |job| job.tenant.spec.config = digest_config(&json!({})).unwrap()).await[0],
        Outcome::Refused { .. }
    ));
    let kept = fleet.history().tenant("acme").unwrap().intent.clone().unwrap();
    assert_eq!((kept.plan.clone(), open.goal), (open.plan, Goal::Swapped));
    // The same refusal is recorded once.
    let records = fleet.env.state().records.len();
    assert!(matches!(other.run(Goal::Swapped).await.remove(0).1, Outcome::Refused { .. }));
    assert!(matches!(other.run(Goal::Swapped).await.remove(0).1, Outcome::Refused { .. }));
    assert_eq!(kinds(&fleet, records), ["run-started", "refused", "run-ended"]);
}
