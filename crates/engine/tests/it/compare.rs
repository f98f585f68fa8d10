//! The journal and the world side by side: what stands, what was taken back, what is in doubt.

use flowswap_contract::Op;
use flowswap_engine::{Goal, Said, TenantState as S, compare};

use crate::{
    fault::Fault as F,
    scene::{Scene, tenant},
    world::{Client, Legacy, World},
};

async fn compared(scene: &Scene) -> Vec<(String, Said, bool)> {
    let name = scene.plan.tenants[0].name.clone();
    let history = scene.history().tenant(&name).unwrap().clone();
    let all = compare(&tenant(&scene.reality, &name), &history).await;
    all.iter().map(|one| (one.step.id.clone(), one.said, one.agrees())).collect()
}

fn expect(rows: &[(&str, Said, bool)]) -> Vec<(String, Said, bool)> {
    rows.iter().map(|(step, said, agrees)| ((*step).to_owned(), *said, *agrees)).collect()
}

use Said::{Done, InDoubt, TakenBack};

#[tokio::test(start_paused = true)]
async fn what_was_taken_back_must_stay_gone() {
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
        let scene = Scene::new(&["acme"]).await;
        scene.reach(Goal::Swapped, S::Swapped).await;
        scene.reach(Goal::Retired, S::Retired).await;
        scene.reach(Goal::RolledBack, S::RolledBack).await;
        scene.change_world("acme", happens);
        let rows = [("provision", TakenBack, provision), ("swap", TakenBack, swap), ("retire", TakenBack, retire)];
        assert_eq!(compared(&scene).await, expect(&rows));
    }
}

#[tokio::test(start_paused = true)]
async fn a_way_back_that_is_not_at_its_end_is_looked_at_step_by_step() {
    let scene = Scene::new(&["acme"]).await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    scene.order("provision", Op::Undo, 0, F::LoseRequest);
    scene.order("provision", Op::Observe, 0, F::Blind);
    assert_eq!(scene.end(Goal::RolledBack).await.0, S::Stuck);
    assert_eq!(compared(&scene).await, expect(&[("provision", InDoubt, true), ("swap", TakenBack, true)]));
    scene.reach(Goal::RolledBack, S::RolledBack).await;
    // What is planned anew is compared alone.
    let scene = scene.planned_again().await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!(compared(&scene).await, expect(&[("provision", Done, true), ("swap", Done, true)]));
}

/// A log forgets, so that it does not tell any more contradicts nothing; what it tells does.
#[tokio::test(start_paused = true)]
async fn what_another_side_has_forgotten_contradicts_nothing() {
    for (name, look, agrees) in
        [("watched", F::Blind, true), ("watched", F::Present, false), ("attended", F::Blind, false)]
    {
        let scene = Scene::new(&[name]).await;
        if name == "watched" {
            scene.end(Goal::Swapped).await;
            scene.change_world(name, World::connect_by_hand);
            scene.claim("bob").await;
        }
        scene.reach(Goal::Swapped, S::Swapped).await;
        assert_eq!(scene.end(Goal::RolledBack).await.0, S::Waiting);
        scene.change_world(name, World::sign_in);
        scene.claim("bob").await;
        scene.reach(Goal::RolledBack, S::RolledBack).await;
        scene.order("swap", Op::Observe, scene.count("swap", Op::Observe), look);
        assert_eq!(compared(&scene).await[1], ("swap".to_owned(), TakenBack, agrees), "{name} {look:?}");
        scene.assert_fired();
    }
}
