//! Comparing the journal with the world: steps that are done, rolled back, or in doubt.

use flowswap_contract::Op;
use flowswap_engine::{Goal, Recorded, TenantState as S, compare};

use crate::{
    fault::Fault as F,
    test_fleet::{TestFleet, tenant},
    world::{Client, Legacy, World},
};

async fn compared(fleet: &TestFleet) -> Vec<(String, Recorded, bool)> {
    let name = fleet.plan.tenants[0].name.clone();
    let history = fleet.history().tenant(&name).unwrap().clone();
    let all = compare(&tenant(&fleet.env, &name), &history).await;
    all.iter().map(|one| (one.step.id.clone(), one.recorded, one.agrees())).collect()
}

fn expect(rows: &[(&str, Recorded, bool)]) -> Vec<(String, Recorded, bool)> {
    rows.iter().map(|(step, said, agrees)| ((*step).to_owned(), *said, *agrees)).collect()
}

use Recorded::{Done, InDoubt, RolledBack};

#[tokio::test(start_paused = true)]
async fn what_was_rolled_back_must_stay_gone() {
    fn nothing(_: &mut World) {}
    fn is_back(world: &mut World) {
        let client = Client { made_by: "acme/provision".to_owned(), secrets: vec![] };
        world.clients.insert("svc-1".to_owned(), client);
    }
    fn reconnected(world: &mut World) {
        world.connect(flowswap_contract::Flow::ClientCredentials, "svc-1");
    }
    type Row = (fn(&mut World), [bool; 3]);
    let table: [Row; 4] = [
        (nothing, [true, true, true]),
        (is_back, [false, true, true]),
        (reconnected, [true, false, true]),
        (|world| world.legacy = Legacy::Inactive, [true, true, false]),
    ];
    for (happens, [provision, swap, retire]) in table {
        let fleet = TestFleet::new(&["acme"]).await;
        fleet.reach(Goal::Swapped, S::Swapped).await;
        fleet.reach(Goal::Retired, S::Retired).await;
        fleet.reach(Goal::RolledBack, S::RolledBack).await;
        fleet.change_world("acme", happens);
        let rows = [("provision", RolledBack, provision), ("swap", RolledBack, swap), ("retire", RolledBack, retire)];
        assert_eq!(compared(&fleet).await, expect(&rows));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_rollback_is_compared_step_by_step() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    fleet.inject("provision", Op::Undo, 0, F::LoseRequest);
    fleet.inject("provision", Op::Observe, 0, F::Blind);
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Stuck);
    assert_eq!(compared(&fleet).await, expect(&[("provision", InDoubt, true), ("swap", RolledBack, true)]));
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    // After a new plan, only its work is compared.
    let fleet = fleet.planned_again().await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!(compared(&fleet).await, expect(&[("provision", Done, true), ("swap", Done, true)]));
}

/// A log expires, so the absence of an entry contradicts nothing. An entry does.
#[tokio::test(start_paused = true)]
async fn what_the_other_side_forgot_contradicts_nothing() {
    for (name, look, agrees) in
        [("watched", F::Blind, true), ("watched", F::Present, false), ("attended", F::Blind, false)]
    {
        let fleet = TestFleet::new(&[name]).await;
        if name == "watched" {
            fleet.end(Goal::Swapped).await;
            fleet.change_world(name, World::reconnect_in_console);
            fleet.claim("bob").await;
        }
        fleet.reach(Goal::Swapped, S::Swapped).await;
        assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Waiting);
        fleet.change_world(name, World::sign_in);
        fleet.claim("bob").await;
        fleet.reach(Goal::RolledBack, S::RolledBack).await;
        fleet.inject("swap", Op::Observe, fleet.count("swap", Op::Observe), look);
        assert_eq!(compared(&fleet).await[1], ("swap".to_owned(), RolledBack, agrees), "{name} {look:?}");
        fleet.assert_fired();
    }
}
