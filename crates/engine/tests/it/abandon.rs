//! A way back that a person ends: only where the directory is seen on the new client, and then everything goes on from there.

use flowswap_contract::Op;
use flowswap_engine::{AbandonError, Direction, Entry, Goal, RunId, Runner, TenantState as S};

use crate::{
    fault::Fault as F,
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    scene::{Scene, tenant},
    world::World,
};

impl Scene {
    async fn abandon(&self, reason: &str) -> Result<String, AbandonError> {
        let name = self.plan.tenants[0].name.clone();
        let history = self.history().tenant(&name).unwrap().clone();
        let runner = Runner::new(self.reality.ports(), RunId::none());
        runner.abandon(&tenant(&self.reality, &name), &history, "alice", reason).await
    }
}

/// How far it was, what gets the way back stuck, what happens then, and where that leaves the tenant; none if the way back
/// is not ended. From every end both ways go on.
#[tokio::test(start_paused = true)]
async fn a_way_back_ends_where_the_directory_is_on_the_new_client() {
    fn nothing(_: &mut World) {}
    type Row = (Goal, &'static str, F, fn(&mut World), Result<S, &'static str>);
    let table: [Row; 8] = [
        (Goal::Swapped, "swap", F::Refuse, nothing, Ok(S::Swapped)),
        (Goal::Swapped, "swap", F::DieEarly, nothing, Ok(S::Soaking)),
        (Goal::Retired, "swap", F::Refuse, nothing, Ok(S::Swapped)),
        (Goal::Retired, "retire", F::Refuse, nothing, Ok(S::Retired)),
        (
            Goal::Swapped,
            "swap",
            F::Half,
            nothing,
            Err("step `swap` is seen half in place, so the tenant cannot stay migrated: Partial"),
        ),
        (
            Goal::Swapped,
            "provision",
            F::Refuse,
            nothing,
            Err("step `swap` is seen not to be in place, so the tenant cannot stay migrated: NotApplied"),
        ),
        (Goal::Swapped, "provision", F::Refuse, World::connect_by_hand, Ok(S::Soaking)),
        (
            Goal::Swapped,
            "swap",
            F::Refuse,
            World::sign_in,
            Err("step `swap` is seen not to be in place, so the tenant cannot stay migrated: NotApplied"),
        ),
    ];
    for (before, step, fault, happens, expect) in table {
        let label = format!("{before:?} {step} {fault:?}");
        let untouched = Scene::new(&["acme"]).await.reality.state();
        let scene = Scene::new(&["acme"]).await;
        scene.reach(Goal::Swapped, S::Swapped).await;
        if before == Goal::Retired {
            scene.reach(Goal::Retired, S::Retired).await;
        }
        (0..4).for_each(|nth| scene.order(step, Op::Undo, nth, fault));
        if fault != F::Refuse {
            // The last look does not tell, so it stays in doubt.
            scene.order(step, Op::Observe, 0, F::Blind);
        }
        assert_eq!(scene.end(Goal::RolledBack).await.0, S::Stuck, "{label}");
        scene.change_world("acme", happens);
        let records = scene.reality.state().records.len();
        let abandoned = scene.restarted();
        match (abandoned.abandon("restore answers 409").await, expect) {
            (Ok(seen), Ok(state)) => {
                assert_eq!(seen, "Applied", "{label}");
                let history = abandoned.history();
                let known = history.tenant("acme").unwrap();
                assert_eq!((known.state, known.direction), (state, Direction::Forward), "{label}");
                assert_eq!(known.reason.as_deref(), Some("alice ended the way back: restore answers 409"));
                let work = known.work.as_ref().unwrap();
                assert!(work.doubt.is_none() && work.question.is_none() && work.is_done("swap"), "{label}");
                assert!(known.is_abandoned && !known.can_abandon());
                assert_lawful(&abandoned.reality.state());
                let forward = abandoned.restarted();
                forward.reach(Goal::Retired, S::Retired).await;
                assert_swapped(&forward.reality.state());
                assert!(!forward.history().tenant("acme").unwrap().is_abandoned);
                let back = abandoned.restarted();
                back.reach(Goal::RolledBack, S::RolledBack).await;
                assert_rolled_back(&untouched, &back.reality.state());
            }
            (Err(error), Err(words)) => {
                assert_eq!(error.to_string(), words, "{label}");
                assert_eq!(abandoned.reality.state().records.len(), records, "{label}: nothing is recorded");
            }
            (result, expect) => panic!("{label}: {result:?}, and not {expect:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_way_back_that_waits_for_a_person_can_be_ended_too() {
    let scene = Scene::new(&["attended"]).await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!(scene.end(Goal::RolledBack).await.0, S::Waiting);
    scene.abandon("nobody can sign in").await.unwrap();
    assert_eq!(scene.history().tenant("attended").unwrap().state, S::Soaking, "somebody may have begun to sign in");
    scene.restarted().reach(Goal::Swapped, S::Swapped).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_on_the_way_back_or_cannot_be_seen_is_not_abandoned() {
    let scene = Scene::new(&["acme"]).await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    let error = scene.abandon("no reason to").await.unwrap_err();
    assert_eq!(error.to_string(), "the tenant is swapped, and only a way back that is not at its end can be abandoned");
    scene.order("swap", Op::Undo, 0, F::Refuse);
    assert_eq!(scene.end(Goal::RolledBack).await.0, S::Stuck);
    assert_eq!(scene.abandon(" \n").await.unwrap_err().to_string(), "the reason is empty");
    for (nth, (step, fault, words)) in [
        ("swap", F::Refuse, "step `swap` could not be looked at: not permitted"),
        (
            "swap",
            F::Blind,
            "step `swap` is seen in a way that cannot be told, so the tenant cannot stay migrated: Unknown",
        ),
        (
            "provision",
            F::Absent,
            "step `provision` is seen not to be in place, so the tenant cannot stay migrated: NotApplied",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        scene.order(step, Op::Observe, scene.count(step, Op::Observe), fault);
        assert_eq!(scene.abandon("restore answers 409").await.unwrap_err().to_string(), words, "{nth}");
        scene.assert_fired();
    }
    let is_abandoned = |entry: &Entry| matches!(entry, Entry::Abandoned { .. });
    assert!(!scene.reality.state().records.iter().any(|record| is_abandoned(&record.draft.entry)));
    scene.reach(Goal::RolledBack, S::RolledBack).await;
    assert!(matches!(scene.abandon("too late").await, Err(AbandonError::NotOnTheWayBack { state: S::RolledBack })));
}
