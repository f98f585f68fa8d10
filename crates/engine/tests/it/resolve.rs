//! A person's word on a step that nothing else could settle: what it changes, and when it is not taken.

use flowswap_contract::{Op, Values};
use flowswap_engine::{Decision, Entry, Goal, Resolution, Resolved, RunId, Runner, TenantState};
use serde_json::json;

use crate::{
    fault::Fault,
    laws::assert_lawful,
    scene::{Scene, tenant},
};

use Resolution::{Applied, NotApplied};

impl Scene {
    async fn say(&self, stands: Resolution, outputs: &[(&str, &str)], reason: &str) -> Result<Resolved, String> {
        let outputs: Values = outputs.iter().map(|&(name, value)| (name.to_owned(), json!(value))).collect();
        let decision = Decision { stands, outputs, reason: reason.to_owned(), by: "alice".to_owned() };
        let history = self.history().tenant("acme").unwrap().clone();
        let runner = Runner::new(self.reality.ports(), RunId::none());
        let tenant = tenant(&self.reality, "acme");
        runner.resolve(&tenant, &history, decision).await.map_err(|error| error.to_string())
    }

    /// The answer to a step is lost, and no look can tell whether it was carried out.
    async fn get_stuck(goal: Goal, step: &str, op: Op, fault: Fault) -> Self {
        let scene = Self::new(&["acme"]).await;
        if goal != Goal::Swapped {
            scene.reach(Goal::Swapped, TenantState::Swapped).await;
        }
        scene.order(step, op, 0, fault);
        scene.order(step, Op::Observe, 0, Fault::Blind);
        assert_eq!(scene.end(goal).await.0, TenantState::Stuck);
        scene.assert_fired();
        scene
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_a_person_found_is_adopted_and_gets_a_secret_that_is_known() {
    let scene = Scene::get_stuck(Goal::Swapped, "provision", Op::Apply, Fault::LoseAnswer).await;
    let missing = scene.say(Applied, &[], "it is there").await.unwrap_err();
    assert_eq!(missing, "step `provision` gives `client_id`, and nobody knows it");
    for output in ["client_secret", "colour"] {
        let foreign = scene.say(Applied, &[("client_id", "svc-1"), (output, "x")], "it is there").await.unwrap_err();
        assert_eq!(foreign, format!("step `provision` gives no value `{output}` that can be said: it gives client_id"));
    }
    let resolved = scene.say(Applied, &[("client_id", "svc-1")], "it is there").await.unwrap();
    let missing = vec!["client_secret".to_owned()];
    assert_eq!(resolved, Resolved { step: "provision".to_owned(), missing });
    scene.reach(Goal::Swapped, TenantState::Swapped).await;
    assert_eq!(scene.views()["acme"].clients, [("svc-1".to_owned(), 1)]);
    assert_lawful(&scene.reality.state());
}

/// A plugin that died before its first request leaves no record of which outputs are secrets.
#[tokio::test(start_paused = true)]
async fn a_person_is_never_asked_for_a_secret() {
    let scene = Scene::new(&["acme"]).await;
    scene.order("provision", Op::Apply, 0, Fault::LoseRequest);
    scene.order("provision", Op::Observe, 0, Fault::Blind);
    assert_eq!(scene.end(Goal::Swapped).await.0, TenantState::Stuck);
    // As if the intent had not named it.
    scene.reality.note(|state| {
        for record in &mut state.records {
            if let Entry::RequestIntended { secrets, .. } = &mut record.draft.entry {
                secrets.clear();
            }
        }
    });
    let outputs = [("client_id", "svc-1"), ("client_secret", "in clear")];
    for outputs in [&outputs[..1], &outputs] {
        let error = scene.say(Applied, outputs, "it is there").await.unwrap_err();
        let expect = "nothing is recorded of what step `provision` was to bring, so it cannot be said to be in place";
        assert_eq!(error, expect);
    }
    scene.say(NotApplied, &[], "it is not there").await.unwrap();
    scene.reach(Goal::Swapped, TenantState::Swapped).await;
}

/// What a person said is looked at like anything else.
#[tokio::test(start_paused = true)]
async fn a_client_that_is_not_there_is_not_taken_for_one_that_is() {
    let scene = Scene::get_stuck(Goal::Swapped, "provision", Op::Apply, Fault::LoseAnswer).await;
    scene.change_world("acme", |world| world.clients.clear());
    scene.say(Applied, &[("client_id", "svc-7")], "it is there").await.unwrap();
    let (state, reason) = scene.end(Goal::Swapped).await;
    assert_eq!(state, TenantState::Stuck);
    assert!(reason.starts_with("a person said that step `provision` is applied, and it is not seen"), "{reason}");
    scene.say(NotApplied, &[], "it was another org").await.unwrap();
    scene.reach(Goal::Swapped, TenantState::Swapped).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_person_says_not_to_be_there_is_done_again_without_what_was_kept_for_it() {
    // The answer arrives and its secret is kept, but the reply does not decode.
    let scene = Scene::get_stuck(Goal::Swapped, "provision", Op::Apply, Fault::Garble).await;
    assert_eq!(scene.reality.state().secrets.len(), 1);
    scene.change_world("acme", |world| world.clients.clear());
    scene.say(NotApplied, &[("client_id", "ignored")], "deleted by hand").await.unwrap();
    assert_eq!(scene.reality.state().secrets.len(), 0);
    scene.reach(Goal::Swapped, TenantState::Swapped).await;
    assert_eq!(scene.views()["acme"].clients, [("svc-1".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_swap_that_a_person_saw_is_confirmed_and_one_that_was_not_is_made() {
    for (fault, stands, outputs) in [
        (Fault::LoseAnswer, Applied, &[("swapped_at", "2026-01-01T00:00:00Z")][..]),
        (Fault::LoseRequest, NotApplied, &[]),
    ] {
        let scene = Scene::get_stuck(Goal::Swapped, "swap", Op::Apply, fault).await;
        scene.say(stands, outputs, "looked at the console").await.unwrap();
        scene.reach(Goal::Swapped, TenantState::Swapped).await;
        assert_lawful(&scene.reality.state());
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_was_taken_back_by_hand_is_not_taken_back_again() {
    for stands in [NotApplied, Applied] {
        let scene = Scene::get_stuck(Goal::RolledBack, "provision", Op::Undo, Fault::LoseAnswer).await;
        let undone = scene.count("provision", Op::Undo);
        scene.say(stands, &[], "looked at the org").await.unwrap();
        scene.reach(Goal::RolledBack, TenantState::RolledBack).await;
        let again = if stands == Applied { 1 } else { 0 };
        assert_eq!(scene.count("provision", Op::Undo), undone + again, "{stands}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_resolved_where_there_is_nothing_to_decide() {
    let scene = Scene::new(&["acme"]).await;
    scene.order("prove", Op::Test, 0, Fault::Refuse);
    assert_eq!(scene.end(Goal::Swapped).await.0, TenantState::Failed);
    let records = scene.reality.state().records.len();
    let error = scene.say(Applied, &[], "so it is").await.unwrap_err();
    assert_eq!(error, "the tenant is failed, and only one that is stuck needs a decision");

    let confirm = Scene::new(&["acme"]).await;
    confirm.order("confirm-provider", Op::Test, 0, Fault::Refuse);
    assert_eq!(confirm.end(Goal::Swapped).await.0, TenantState::Stuck);
    let error = confirm.say(Applied, &[], "so it is").await.unwrap_err();
    let only_looks = "which only looks: there is nothing that could be in place or not";
    assert_eq!(error, format!("it is stuck at `confirm-provider`, {only_looks}"));

    let stuck = Scene::get_stuck(Goal::Swapped, "provision", Op::Apply, Fault::LoseAnswer).await;
    assert_eq!(stuck.say(NotApplied, &[], " \n").await.unwrap_err(), "the reason is empty");
    assert_eq!(scene.reality.state().records.len(), records);
    let is_resolved = |entry: &Entry| matches!(entry, Entry::Resolved { .. });
    assert!(!stuck.reality.state().records.iter().any(|record| is_resolved(&record.draft.entry)));
}
