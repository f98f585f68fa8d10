//! Kills a run over a whole fleet with `kill -9` in a loop, at random moments, until a run ends by itself. `kills.rs`
//! covers the same crash points systematically.

use std::{thread, time::Duration};

use flowswap_engine::History;
use flowswap_sim::{SimConfig, diff};
use flowswap_store::{SqliteJournal, verify};

use crate::support::read_records;
use crate::{
    faults::points::Run,
    support::{Background, Lab, print},
};

/// How many tenants of the fleet are ready; the fleet has others too.
const READY: usize = 40;

#[test]
fn a_fleet_that_is_killed_repeatedly_still_finishes() {
    let seed = std::env::var("FLOWSWAP_KILL_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    print(&format!("kill -9 in a loop: FLOWSWAP_KILL_SEED={seed}"));
    let mut moments = fastrand::Rng::with_seed(seed);
    let lab = Lab::new(SimConfig::default().tenants(50).latency(Duration::from_millis(20)));
    lab.run(&["plan", "-o", "plan.json", "-q"]).expect(4);
    let before = lab.sim.snapshot();
    let kills = [Run::Forward, Run::Back].map(|run| {
        let kills = kill_until_it_ends(&lab, run, &mut moments);
        let made: Vec<usize> = lab.sim.tenants().iter().map(|tenant| lab.clients_made(tenant)).collect();
        assert!(made.iter().all(|made| *made <= 1), "{made:?} clients were made");
        let records = verify(&lab.path(".flowswap/journal.sqlite")).unwrap().records;
        if run == Run::Forward {
            lab.outlive_tokens();
            let swapped = lab.in_state("swapped");
            assert!(swapped.len() >= READY, "only {swapped:?}");
            for tenant in lab.sim.tenants().iter().filter(|tenant| swapped.contains(&tenant.name)) {
                let (org, directory) = (lab.org(tenant), lab.directory(tenant));
                let [client] = org.service_clients.as_slice() else { panic!("{:?}", org.service_clients) };
                assert_eq!((&directory.client_id, directory.submits, client.active_secrets), (&client.id, 1, 1));
            }
        } else {
            assert_eq!(diff(&before, &lab.sim.snapshot()), Vec::<String>::new());
        }
        lab.audit(lab.in_state("swapped").len());
        format!("{run:?} killed {kills} times, {records} records verified")
    });
    let journal = SqliteJournal::open_read_only(&lab.path(".flowswap/journal.sqlite")).unwrap();
    History::fold(&lab.wait(read_records(&journal)).unwrap()).unwrap();
    print(&format!("kill -9 in a loop: {}; duplicate creates 0", kills.join("; ")));
}

/// Kills runs until one ends by itself. Each run gets a little more time than the one before, so that one ends.
fn kill_until_it_ends(lab: &Lab, run: Run, moments: &mut fastrand::Rng) -> u32 {
    for kills in 0.. {
        let mut running = Background::start(lab.dir(), run.args());
        thread::sleep(Duration::from_millis(moments.u64(..100 * (u64::from(kills) + 2))));
        if !running.has_ended() {
            running.kill();
        }
        let output = running.finish();
        if output.code != -9 {
            output.expect(0);
            assert!(kills > 0, "it was never killed");
            return kills;
        }
    }
    unreachable!("each run gets more time, so one ends");
}
