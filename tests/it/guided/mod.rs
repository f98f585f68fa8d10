//! Directories of Cloud Identity Engine itself, by the plugin `cie-guided`: the binary prepares and proves, a person
//! reconnects them in the simulator's console.

mod browser;
mod living_tokens;
mod many;
mod migration;
/// A person at the simulator's console.
pub(crate) mod person;
mod walk;
mod wrong_moves;

use std::time::Duration;

use flowswap_sim::{Interface, SimConfig, SimTenant};

use crate::support::Lab;

const MINUTE: Duration = Duration::from_secs(60);

/// How often directories synchronize by themselves.
const SYNC: Duration = Duration::from_secs(300);

/// Tenants whose directories a person reconnects, on a clock that tests move. Every tenant's group has another directory.
fn lab(tenants: usize) -> Lab {
    Lab::new(world(tenants))
}

fn world(tenants: usize) -> SimConfig {
    let config = SimConfig::default().tenants(tenants).interface(Interface::CieGuided).natural_sync(SYNC);
    config.neighbours(true)
}

/// A lab whose first tenants all wait for a person.
fn waiting(tenants: usize) -> Lab {
    waiting_in(world(tenants))
}

fn waiting_in(config: SimConfig) -> Lab {
    let tenants = config.tenants;
    let lab = Lab::new(config);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert_eq!(lab.in_state("waiting").len(), tenants);
    lab
}

/// So many syncs outlive every access token of before, and show that nobody uses it.
pub(crate) const OUTLIVED: u32 = 17;

/// Some syncs come and go.
pub(crate) fn let_sync(lab: &Lab, times: u32) {
    for _ in 0..times {
        lab.sim.clock().advance(SYNC + Duration::from_secs(1));
        lab.sim.world();
    }
}

/// The one tenant of a lab.
fn only(lab: &Lab) -> SimTenant {
    lab.sim.tenants().remove(0)
}
