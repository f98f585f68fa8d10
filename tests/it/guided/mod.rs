//! Directories of Cloud Identity Engine itself, with the plugin `cie-guided`. The binary prepares and proves the
//! migration; a person reconnects the directories in the simulator's console.

mod browser;
mod living_tokens;
mod many;
mod migration;
mod open_rollback;
/// A person at the simulator's console.
pub(crate) mod person;
mod walk;
mod wrong_moves;

use std::time::Duration;

use flowswap_sim::{Interface, SimConfig, SimTenant};

use crate::support::Lab;

const MINUTE: Duration = Duration::from_secs(60);

/// How often directories sync by themselves.
const SYNC: Duration = Duration::from_secs(300);

/// A lab with tenants whose directories a person reconnects. Tests move its clock, and every tenant's group has a
/// second directory.
pub(crate) fn lab(tenants: usize) -> Lab {
    Lab::new(world(tenants))
}

fn world(tenants: usize) -> SimConfig {
    let config = SimConfig::default().tenants(tenants).interface(Interface::CieGuided).scheduled_sync(SYNC);
    config.neighbors(true)
}

/// A lab whose tenants all wait for a person.
pub(crate) fn waiting(tenants: usize) -> Lab {
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

/// The number of syncs after which every older access token has expired and is known to be unused.
pub(crate) const UNTIL_TOKENS_EXPIRED: u32 = 17;

/// Lets some syncs take place.
pub(crate) fn let_sync(lab: &Lab, times: u32) {
    for _ in 0..times {
        lab.sim.clock().advance(SYNC + Duration::from_secs(1));
        lab.sim.world();
    }
}

/// The only tenant of a lab.
pub(crate) fn only(lab: &Lab) -> SimTenant {
    lab.sim.tenants().remove(0)
}
