//! A person's decision on a step in doubt: what it changes, and when it is refused.

use flowswap_contract::{Op, Values};
use flowswap_engine::{Decision, Entry, Goal, Resolution, Resolved, RunId, Runner, TenantState};
use serde_json::json;

use crate::{
    fault::Fault,
    laws::assert_lawful,
    test_fleet::{TestFleet, tenant},
};

use Resolution::{Applied, NotApplied};

impl TestFleet {
    async fn say(&self, stands: Resolution, outputs: &[(&str, &str)], reason: &str) -> Result<Resolved, String> {
        let outputs: Values = outputs.iter().map(|&(name, value)| (name.to_owned(), json!(value))).collect();
        let decision = Decision { stands, outputs, reason: reason.to_owned() };
        let runner = Runner::new(self.env.ports(), RunId::none());
        let tenant = tenant(&self.env, "acme");
        runner.resolve(&tenant, decision).await.map_err(|error| error.to_string())
    }

    /// The answer to a step is lost, and observing cannot tell whether the step was carried out.
    async fn get_stuck(goal: Goal, step: &str, op: Op, fault: Fault) -> Self {
        let fleet = Self::new(&["acme"]).await;
        if goal != Goal::Swapped {
            fleet.reach(Goal::Swapped, TenantState::Swapped).await;
        }
        fleet.inject(step, op, 0, fault);
        fleet.inject(step, Op::Observe, 0, Fault::Blind);
        assert_eq!(fleet.end(goal).await.0, TenantState::Stuck);
        fleet.assert_fired();
        fleet
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_a_person_found_is_adopted_and_gets_a_new_secret() {
    let fleet = TestFleet::get_stuck(Goal::Swapped, "provision", Op::Apply, Fault::LoseAnswer).await;
    let missing = fleet.say(Applied, &[], "it is there").await.unwrap_err();
    assert_eq!(missing, "step `provision` gives `client_id`, but its value is not known");
    for output in ["client_secret", "color"] {
        let foreign = fleet.say(Applied, &[("client_id", "svc-1"), (output, "x")], "it is there").await.unwrap_err();
        assert_eq!(foreign, format!("step `provision` takes no output `{output}`; you can pass client_id"));
    }
    let resolved = fleet.say(Applied, &[("client_id", "svc-1")], "it is there").await.unwrap();
    let missing = vec!["client_secret".to_owned()];
    assert_eq!(resolved, Resolved { step: "provision".to_owned(), missing });
    fleet.reach(Goal::Swapped, TenantState::Swapped).await;
    assert_eq!(fleet.views()["acme"].clients, [("svc-1".to_owned(), 1)]);
    assert_lawful(&fleet.env.state());
}

/// A plugin that died before its first request leaves no record that says which outputs are secrets.
#[tokio::test(start_paused = true)]
async fn a_person_is_never_asked_for_a_secret() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.inject("provision", Op::Apply, 0, Fault::LoseRequest);
    fleet.inject("provision", Op::Observe, 0, Fault::Blind);
    assert_eq!(fleet.end(Goal::Swapped).await.0, TenantState::Stuck);
    // As if the intent had not named it.
    fleet.env.note(|state| {
        for record in &mut state.records {
            if let Entry::RequestIntended { secrets, .. } = &mut record.draft.entry {
                secrets.clear();
            }
        }
    });
    let outputs = [("client_id", "svc-1"), ("client_secret", "in clear")];
    for outputs in [&outputs[..1], &outputs] {
        let error = fleet.say(Applied, outputs, "it is there").await.unwrap_err();
        let expect = "the journal does not record which secrets step `provision` should bring, so you cannot resolve it as applied";
        assert_eq!(error, expect);
    }
    fleet.say(NotApplied, &[], "it is not there").await.unwrap();
    fleet.reach(Goal::Swapped, TenantState::Swapped).await;
}

/// A decision is checked like anything else.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_exist_cannot_be_resolved_as_applied() {
    let fleet = TestFleet::get_stuck(Goal::Swapped, "provision", Op::Apply, Fault::LoseAnswer).await;
    fleet.change_world("acme", |world| world.clients.clear());
    let said = [("client_id", "svc-7")];
    let contradicted = "you say that step `provision` is applied, but flowswap just saw it not in place: NotApplied";
    assert_eq!(fleet.say(Applied, &said, "it is there").await.unwrap_err(), contradicted);
    // A decision that could not be checked is checked by the next run.
    fleet.inject("provision", Op::Observe, 2, Fault::Blind);
    fleet.say(Applied, &said, "it is there").await.unwrap();
    fleet.assert_fired();
    let (state, reason) = fleet.end(Goal::Swapped).await;
    assert_eq!(state, TenantState::Stuck);
    assert!(
        reason.starts_with("a person said that step `provision` is applied, but flowswap does not see it"),
        "{reason}"
    );
    fleet.say(NotApplied, &[], "it was another org").await.unwrap();
    fleet.reach(Goal::Swapped, TenantState::Swapped).await;
}

#[tokio::test(start_paused = true)]
async fn a_step_resolved_as_not_applied_runs_again_without_its_old_secret() {
    // The answer arrives and its secret is stored, but the reply does not decode.
    let fleet = TestFleet::get_stuck(Goal::Swapped, "provision", Op::Apply, Fault::Garble).await;
    assert_eq!(fleet.env.state().secrets.len(), 1);
    fleet.change_world("acme", |world| world.clients.clear());
    fleet.say(NotApplied, &[("client_id", "ignored")], "deleted by hand").await.unwrap();
    assert_eq!(fleet.env.state().secrets.len(), 0);
    fleet.reach(Goal::Swapped, TenantState::Swapped).await;
    assert_eq!(fleet.views()["acme"].clients, [("svc-1".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_swap_resolved_as_applied_is_confirmed_and_one_resolved_as_not_applied_runs_again() {
    for (fault, stands, outputs) in [
        (Fault::LoseAnswer, Applied, &[("swapped_at", "2026-01-01T00:00:00Z")][..]),
        (Fault::LoseRequest, NotApplied, &[]),
    ] {
        let fleet = TestFleet::get_stuck(Goal::Swapped, "swap", Op::Apply, fault).await;
        fleet.say(stands, outputs, "checked in the console").await.unwrap();
        fleet.reach(Goal::Swapped, TenantState::Swapped).await;
        assert_lawful(&fleet.env.state());
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_was_rolled_back_by_hand_is_not_rolled_back_again() {
    for (stands, fault) in [(NotApplied, Fault::LoseAnswer), (Applied, Fault::LoseRequest)] {
        let fleet = TestFleet::get_stuck(Goal::RolledBack, "provision", Op::Undo, fault).await;
        let undone = fleet.count("provision", Op::Undo);
        fleet.say(stands, &[], "checked in the org").await.unwrap();
        fleet.reach(Goal::RolledBack, TenantState::RolledBack).await;
        let again = if stands == Applied { 1 } else { 0 };
        assert_eq!(fleet.count("provision", Op::Undo), undone + again, "{stands}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_resolved_if_there_is_nothing_to_decide() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.inject("prove", Op::Test, 0, Fault::Refuse);
    assert_eq!(fleet.end(Goal::Swapped).await.0, TenantState::Failed);
    let records = fleet.env.state().records.len();
    let error = fleet.say(Applied, &[], "so it is").await.unwrap_err();
    assert_eq!(error, "the tenant is failed; only a stuck tenant needs a decision");

    let confirm = TestFleet::new(&["acme"]).await;
    confirm.inject("confirm-provider", Op::Test, 0, Fault::Refuse);
    assert_eq!(confirm.end(Goal::Swapped).await.0, TenantState::Stuck);
    let error = confirm.say(Applied, &[], "so it is").await.unwrap_err();
    let only_looks = "which is a check: it changes nothing, so there is nothing to decide";
    assert_eq!(error, format!("the tenant is stuck at `confirm-provider`, {only_looks}"));

    let stuck = TestFleet::get_stuck(Goal::Swapped, "provision", Op::Apply, Fault::LoseAnswer).await;
    assert_eq!(stuck.say(NotApplied, &[], " \n").await.unwrap_err(), "the reason is empty");
    assert_eq!(fleet.env.state().records.len(), records);
    let is_resolved = |entry: &Entry| matches!(entry, Entry::Resolved { .. });
    assert!(!stuck.env.state().records.iter().any(|record| is_resolved(&record.draft.entry)));
}

/// Each row: a decision, what is seen at that moment, and whether the decision is accepted. An observation that fails or cannot
/// tell does not contradict.
#[tokio::test(start_paused = true)]
async fn a_decision_that_contradicts_what_is_seen_is_refused() {
    let table = [
        (Goal::RolledBack, "swap", Fault::LoseRequest, NotApplied, None, false),
        (Goal::RolledBack, "swap", Fault::LoseRequest, NotApplied, Some(Fault::Blind), true),
        (Goal::RolledBack, "swap", Fault::LoseRequest, NotApplied, Some(Fault::Refuse), true),
        (Goal::RolledBack, "swap", Fault::LoseRequest, Applied, None, true),
        (Goal::RolledBack, "swap", Fault::LoseAnswer, NotApplied, None, true),
        (Goal::RolledBack, "swap", Fault::LoseAnswer, Applied, None, false),
        (Goal::RolledBack, "swap", Fault::LoseAnswer, Applied, Some(Fault::LoseRequest), true),
        (Goal::RolledBack, "swap", Fault::Half, NotApplied, None, true),
        (Goal::RolledBack, "provision", Fault::LoseRequest, NotApplied, None, false),
        (Goal::RolledBack, "provision", Fault::LoseAnswer, Applied, None, false),
        (Goal::Retired, "retire", Fault::LoseAnswer, NotApplied, None, false),
        (Goal::Retired, "retire", Fault::LoseRequest, Applied, None, false),
        (Goal::Retired, "retire", Fault::LoseRequest, NotApplied, None, true),
    ];
    for (goal, step, fault, stands, look, is_taken) in table {
        let label = format!("{step} {fault:?} {stands} {look:?}");
        let op = if goal == Goal::RolledBack { Op::Undo } else { Op::Apply };
        let fleet = TestFleet::get_stuck(goal, step, op, fault).await;
        let before = fleet.env.state();
        if let Some(look) = look {
            fleet.inject(step, Op::Observe, fleet.count(step, Op::Observe), look);
        }
        let said = fleet.say(stands, &[], "checked in the console").await;
        assert_eq!(said.is_ok(), is_taken, "{label}: {said:?}");
        if let Err(problem) = said {
            let contrary = if stands == Applied { "not in place: NotApplied" } else { "in place: Applied" };
            assert_eq!(problem, format!("you say that step `{step}` is {stands}, but flowswap just saw it {contrary}"));
            let after = fleet.env.state();
            assert_eq!((before.records.len(), before.secrets), (after.records.len(), after.secrets), "{label}");
        }
        fleet.assert_fired();
        assert_lawful_unless_false_claim(&fleet, is_taken && (look.is_some() || fault == Fault::Half));
    }
}

/// A false decision that could not be checked makes the journal wrong until the step is observed.
fn assert_lawful_unless_false_claim(fleet: &TestFleet, is_false: bool) {
    if !is_false {
        assert_lawful(&fleet.env.state());
    }
}

/// For a step that only the other side can infer, seeing nothing contradicts nothing, but seeing it contradicts `not-applied`.
#[tokio::test(start_paused = true)]
async fn what_the_other_side_does_not_see_contradicts_no_decision() {
    for (look, stands, is_taken) in [
        (Fault::Absent, Applied, true),
        (Fault::Absent, NotApplied, true),
        (Fault::Present, Applied, true),
        (Fault::Present, NotApplied, false),
    ] {
        let fleet = TestFleet::new(&["watched"]).await;
        assert_eq!(fleet.end(Goal::Swapped).await.0, TenantState::Waiting);
        let runner = Runner::new(fleet.env.ports(), RunId::generate());
        runner.confirm("watched", None).await.unwrap();
        fleet.inject("swap", Op::Observe, fleet.count("swap", Op::Observe), look);
        let outputs = [("swapped_at".to_owned(), json!("2026-01-01T00:00:00Z"))].into();
        let decision = Decision { stands, outputs, reason: "seen".to_owned() };
        let resolved = runner.resolve(&tenant(&fleet.env, "watched"), decision).await;
        assert_eq!(resolved.is_ok(), is_taken, "{look:?} {stands}: {resolved:?}");
        fleet.assert_fired();
    }
}
