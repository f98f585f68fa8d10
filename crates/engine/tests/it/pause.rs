//! Runs that are paused from another terminal: what was begun ends, nothing else begins, and afterwards they go on.
//!
//! A seed determines how long each call takes and when the pause comes. `FLOWSWAP_SEEDS` sets how many seeds run, and
//! `FLOWSWAP_SEED` the first of them.

use std::time::Duration;

use flowswap_contract::Op;
use flowswap_engine::{
    Actor, Entry, FailureBudget, FleetLimits, Goal, Outcome, RunCommand, RunId, Runner, TenantState as S,
};
use tokio::time::sleep;

use crate::{
    budget::number,
    environment::{Call, Dice},
    laws::{assert_lawful, assert_rolled_back, assert_swapped},
    test_fleet::TestFleet,
};

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const SIDE_BY_SIDE: FleetLimits = FleetLimits { concurrency: 3, max_failures: FailureBudget::Tenants(usize::MAX) };

/// The calls that belong to a step and can change something. Checks count too: they try secrets out.
fn changes(fleet: &TestFleet) -> Vec<Call> {
    let can_change = |call: &Call| matches!(call.op, Op::Apply | Op::Undo | Op::Test) && call.step.is_some();
    fleet.env.state().calls.into_iter().filter(can_change).collect()
}

fn is_running(call: &Call) -> bool {
    call.effect_on_return.is_none()
}

fn states(outcomes: &[(String, Outcome)]) -> Vec<S> {
    let state = |(name, outcome): &(String, Outcome)| match outcome {
        Outcome::Ended { state, .. } => *state,
        other => panic!("`{name}`: {other:?}"),
    };
    outcomes.iter().map(state).collect()
}

fn kinds_of_run(fleet: &TestFleet) -> Vec<&'static str> {
    let records = fleet.env.state().records;
    let of_run = records.iter().filter(|record| record.draft.tenant.is_none());
    of_run.map(|record| record.draft.entry.kind()).collect()
}

#[tokio::test(start_paused = true)]
async fn once_a_pause_is_acknowledged_nothing_changes_until_it_ends() {
    let (first, seeds) = (number("FLOWSWAP_SEED", 1), number("FLOWSWAP_SEEDS", 100));
    let (mut waited, mut in_the_middle) = (0, 0);
    for seed in first..first + seeds {
        let fleet = TestFleet::new(&NAMES).await;
        let untouched = fleet.env.state();
        let goal = if seed % 3 == 0 { Goal::RolledBack } else { Goal::Swapped };
        if goal == Goal::RolledBack {
            fleet.run_within(Goal::Swapped, SIDE_BY_SIDE).await.unwrap();
        }
        let fleet = fleet.restarted();
        let (before, mut dice) = (changes(&fleet).len(), Dice::new(seed));
        let pause_at = Duration::from_millis(u64::from(dice.roll(4000)));
        *fleet.env.latency.lock().unwrap() = Duration::from_millis(5);
        *fleet.env.dice.lock().unwrap() = Some(dice);
        let runner = Runner::new(fleet.env.ports(), RunId::generate());
        let running = tokio::spawn({
            let (runner, jobs) = (runner.clone(), fleet.jobs(goal));
            async move { runner.run(goal.command(), jobs, SIDE_BY_SIDE).await.unwrap().outcomes }
        });
        sleep(pause_at).await;
        waited += usize::from(changes(&fleet).iter().any(is_running));
        assert!(runner.pause(Actor::user("bob")).await.unwrap(), "seed {seed}");
        let at_pause = changes(&fleet);
        assert!(!at_pause.iter().any(is_running), "seed {seed}: a call had not ended");
        in_the_middle += usize::from(at_pause.len() > before && !running.is_finished());
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!(changes(&fleet).len(), at_pause.len(), "seed {seed}: a call began while paused");
        assert!(!runner.pause(Actor::user("eve")).await.unwrap(), "seed {seed}: it is paused already");
        assert!(runner.unpause(Actor::user("bob")).await.unwrap(), "seed {seed}");
        assert!(!runner.unpause(Actor::user("eve")).await.unwrap(), "seed {seed}: it is not paused");
        let ended = running.await.unwrap();
        match goal {
            Goal::RolledBack => {
                assert_eq!(states(&ended), [S::RolledBack; 8], "seed {seed}");
                assert_rolled_back(&untouched, &fleet.env.state());
            }
            _ => {
                assert_eq!(states(&ended), [S::Swapped; 8], "seed {seed}");
                assert_swapped(&fleet.env.state());
            }
        }
        assert_lawful(&fleet.env.state());
        let kinds = kinds_of_run(&fleet);
        assert_eq!(kinds.iter().filter(|kind| kind.contains("paused")).count(), 2, "seed {seed}: {kinds:?}");
    }
    assert!(waited > 0 && in_the_middle > 0, "{waited} pauses waited for a call, {in_the_middle} came in the middle");
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_can_be_stopped() {
    let fleet = TestFleet::new(&NAMES).await;
    *fleet.env.latency.lock().unwrap() = Duration::from_millis(20);
    let runner = Runner::new(fleet.env.ports(), RunId::generate());
    let running = tokio::spawn({
        let (runner, jobs) = (runner.clone(), fleet.jobs(Goal::Swapped));
        async move { runner.run(RunCommand::Apply, jobs, SIDE_BY_SIDE).await.unwrap() }
    });
    sleep(Duration::from_millis(130)).await;
    runner.pause(Actor::user("bob")).await.unwrap();
    let at_pause = changes(&fleet).len();
    assert!(at_pause > 0, "the run had begun");
    runner.note_cancel(Actor::user("bob")).await.unwrap();
    fleet.env.stop.stop();
    let summary = running.await.unwrap();
    assert!(summary.interrupted);
    assert_eq!(changes(&fleet).len(), at_pause);
    assert_eq!(kinds_of_run(&fleet), ["run-started", "run-paused", "run-canceled", "run-ended"]);
    let fleet = fleet.restarted();
    fleet.run(Goal::Swapped).await;
    assert_swapped(&fleet.env.state());
}

/// While a tenant is at work, what a person says about it goes to the recorder that is at work.
#[tokio::test(start_paused = true)]
async fn a_person_can_confirm_while_the_run_goes_on() {
    let fleet = TestFleet::new(&["a", "watched", "z"]).await;
    *fleet.env.latency.lock().unwrap() = Duration::from_millis(20);
    let runner = Runner::new(fleet.env.ports(), RunId::generate());
    let running = tokio::spawn({
        let (runner, jobs) = (runner.clone(), fleet.jobs(Goal::Swapped));
        let one_by_one = FleetLimits { concurrency: 1, ..SIDE_BY_SIDE };
        async move { runner.run(RunCommand::Apply, jobs, one_by_one).await.unwrap().outcomes }
    });
    let is_asked = |record: &flowswap_engine::Record| matches!(record.draft.entry, Entry::OperatorAsked { .. });
    while !fleet.env.state().records.iter().any(is_asked) {
        sleep(Duration::from_millis(1)).await;
    }
    assert!(!running.is_finished());
    let confirming =
        Runner::new(flowswap_engine::Ports { actor: Actor::user("bob"), ..runner.ports().clone() }, RunId::generate());
    confirming.confirm("watched", None).await.unwrap();
    assert_eq!(states(&running.await.unwrap()), [S::Swapped, S::Waiting, S::Swapped]);
    let claims = fleet.history().tenant("watched").unwrap().work.as_ref().unwrap().question.clone().unwrap().claims;
    assert_eq!(claims.len(), 1, "the run that was at work did not write over it");
    assert_lawful(&fleet.env.state());
}
