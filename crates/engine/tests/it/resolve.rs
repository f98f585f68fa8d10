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
    let said = [("client_id", "svc-7")];
    let contradicted = "step `provision` is said to be applied, and it was just seen not to be in place: NotApplied";
    assert_eq!(scene.say(Applied, &said, "it is there").await.unwrap_err(), contradicted);
    // A word that nothing could be held against is still looked at by the next run.
    scene.order("provision", Op::Observe, 2, Fault::Blind);
    scene.say(Applied, &said, "it is there").await.unwrap();
    scene.assert_fired();
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
    for (stands, fault) in [(NotApplied, Fault::LoseAnswer), (Applied, Fault::LoseRequest)] {
        let scene = Scene::get_stuck(Goal::RolledBack, "provision", Op::Undo, fault).await;
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

/// What a person says, what is seen just then, and whether the word is taken. A look that fails, or cannot tell, is no
/// contradiction.
#[tokio::test(start_paused = true)]
async fn a_word_that_the_world_contradicts_is_refused() {
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
        let scene = Scene::get_stuck(goal, step, op, fault).await;
        let before = scene.reality.state();
        if let Some(look) = look {
            scene.order(step, Op::Observe, scene.count(step, Op::Observe), look);
        }
        let said = scene.say(stands, &[], "looked at the console").await;
        assert_eq!(said.is_ok(), is_taken, "{label}: {said:?}");
        if let Err(problem) = said {
            let contrary = if stands == Applied { "not to be in place: NotApplied" } else { "to be in place: Applied" };
            assert_eq!(problem, format!("step `{step}` is said to be {stands}, and it was just seen {contrary}"));
            let after = scene.reality.state();
            assert_eq!((before.records.len(), before.secrets), (after.records.len(), after.secrets), "{label}");
        }
        scene.assert_fired();
        assert_lawful_but_for_the_word(&scene, is_taken && (look.is_some() || fault == Fault::Half));
    }
}

/// A false word that nothing could be held against makes the journal false, until a look.
fn assert_lawful_but_for_the_word(scene: &Scene, is_false: bool) {
    if !is_false {
        assert_lawful(&scene.reality.state());
    }
}

/// Where another side infers, that it sees nothing is no contradiction; that it sees something is.
#[tokio::test(start_paused = true)]
async fn what_another_side_does_not_see_contradicts_nobody() {
    for (look, stands, is_taken) in [
        (Fault::Absent, Applied, true),
        (Fault::Absent, NotApplied, true),
        (Fault::Present, Applied, true),
        (Fault::Present, NotApplied, false),
    ] {
        let scene = Scene::new(&["watched"]).await;
        assert_eq!(scene.end(Goal::Swapped).await.0, TenantState::Waiting);
        let history = scene.history().tenant("watched").unwrap().clone();
        let runner = Runner::new(scene.reality.ports(), RunId::generate());
        runner.confirm("watched", &history, "bob", None).await.unwrap();
        scene.order("swap", Op::Observe, scene.count("swap", Op::Observe), look);
        let outputs = [("swapped_at".to_owned(), json!("2026-01-01T00:00:00Z"))].into();
        let decision = Decision { stands, outputs, reason: "seen".to_owned(), by: "alice".to_owned() };
        let history = scene.history().tenant("watched").unwrap().clone();
        let resolved = runner.resolve(&tenant(&scene.reality, "watched"), &history, decision).await;
        assert_eq!(resolved.is_ok(), is_taken, "{look:?} {stands}: {resolved:?}");
        scene.assert_fired();
    }
}
