//! Abandoned rollbacks: only if the directory uses the new client, and everything continues from there.

use flowswap_contract::Op;
use flowswap_engine::{AbandonError, Direction, Entry, Goal, RunId, Runner, TenantState as S};

use crate::{
    fault::Fault as F,
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    test_fleet::{TestFleet, tenant},
    world::World,
};

impl TestFleet {
    async fn abandon(&self, reason: &str) -> Result<String, AbandonError> {
        let name = self.plan.tenants[0].name.clone();
        let runner = Runner::new(self.env.ports(), RunId::none());
        runner.abandon(&tenant(&self.env, &name), reason).await
    }
}

/// Each row: the goal reached before, the step and the fault that get the rollback stuck, what happens then, and the state after
/// the rollback is abandoned, or the refusal. From every such state the tenant can go forward and be rolled back.
#[tokio::test(start_paused = true)]
async fn a_rollback_is_abandoned_only_if_the_directory_uses_the_new_client() {
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
            Err("step `swap` is half in place, so the tenant cannot stay migrated: Partial"),
        ),
        (
            Goal::Swapped,
            "provision",
            F::Refuse,
            nothing,
            Err("step `swap` is not in place, so the tenant cannot stay migrated: NotApplied"),
        ),
        (Goal::Swapped, "provision", F::Refuse, World::reconnect_in_console, Ok(S::Soaking)),
        (
            Goal::Swapped,
            "swap",
            F::Refuse,
            World::sign_in,
            Err("step `swap` is not in place, so the tenant cannot stay migrated: NotApplied"),
        ),
    ];
    for (before, step, fault, happens, expect) in table {
        let label = format!("{before:?} {step} {fault:?}");
        let untouched = TestFleet::new(&["acme"]).await.env.state();
        let fleet = TestFleet::new(&["acme"]).await;
        fleet.reach(Goal::Swapped, S::Swapped).await;
        if before == Goal::Retired {
            fleet.reach(Goal::Retired, S::Retired).await;
        }
        (0..4).for_each(|nth| fleet.inject(step, Op::Undo, nth, fault));
        if fault != F::Refuse {
            // The observation cannot tell, so the step stays in doubt.
            fleet.inject(step, Op::Observe, 0, F::Blind);
        }
        assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Stuck, "{label}");
        fleet.change_world("acme", happens);
        let records = fleet.env.state().records.len();
        let abandoned = fleet.restarted();
        match (abandoned.abandon("restore answers 409").await, expect) {
            (Ok(seen), Ok(state)) => {
                assert_eq!(seen, "Applied", "{label}");
                let history = abandoned.history();
                let known = history.tenant("acme").unwrap();
                assert_eq!((known.state, known.direction), (state, Direction::Forward), "{label}");
                assert_eq!(known.reason.as_deref(), Some("alice abandoned the rollback: restore answers 409"));
                let work = known.work.as_ref().unwrap();
                assert!(work.doubt.is_none() && work.question.is_none() && work.is_done("swap"), "{label}");
                assert!(known.intent.is_none() && !known.can_abandon());
                assert_lawful(&abandoned.env.state());
                let forward = abandoned.restarted();
                forward.reach(Goal::Retired, S::Retired).await;
                assert_swapped(&forward.env.state());
                let back = abandoned.restarted();
                back.reach(Goal::RolledBack, S::RolledBack).await;
                assert_rolled_back(&untouched, &back.env.state());
            }
            (Err(error), Err(words)) => {
                assert_eq!(error.to_string(), words, "{label}");
                assert_eq!(abandoned.env.state().records.len(), records, "{label}: nothing is recorded");
            }
            (result, expect) => panic!("{label}: {result:?} instead of {expect:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_waits_for_a_person_can_be_abandoned() {
    let fleet = TestFleet::new(&["attended"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Waiting);
    fleet.abandon("nobody can sign in").await.unwrap();
    assert_eq!(fleet.history().tenant("attended").unwrap().state, S::Soaking, "a person may have started to sign in");
    fleet.restarted().reach(Goal::Swapped, S::Swapped).await;
}

#[tokio::test(start_paused = true)]
async fn without_an_unfinished_rollback_or_a_clear_observation_nothing_is_abandoned() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    let error = fleet.abandon("no reason to").await.unwrap_err();
    assert_eq!(error.to_string(), "the tenant is swapped; only an unfinished rollback can be abandoned");
    fleet.inject("swap", Op::Undo, 0, F::Refuse);
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Stuck);
    assert_eq!(fleet.abandon(" \n").await.unwrap_err().to_string(), "the reason is empty");
    for (nth, (step, fault, words)) in [
        ("swap", F::Refuse, "failed to check step `swap`: not permitted"),
        ("swap", F::Blind, "step `swap` is in an unknown state, so the tenant cannot stay migrated: Unknown"),
        ("provision", F::Absent, "step `provision` is not in place, so the tenant cannot stay migrated: NotApplied"),
    ]
    .into_iter()
    .enumerate()
    {
        fleet.inject(step, Op::Observe, fleet.count(step, Op::Observe), fault);
        assert_eq!(fleet.abandon("restore answers 409").await.unwrap_err().to_string(), words, "{nth}");
        fleet.assert_fired();
    }
    let is_abandoned = |entry: &Entry| matches!(entry, Entry::Abandoned { .. });
    assert!(!fleet.env.state().records.iter().any(|record| is_abandoned(&record.draft.entry)));
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    assert!(matches!(fleet.abandon("too late").await, Err(AbandonError::NotRollingBack { state: S::RolledBack })));
}
