//! The requests of a run, by tenant, with the order in which they depend on each other.
//!
//! A request depends on those that had ended when it began. So requests that flowswap sends together are sent together
//! again, and the others wait for the same answers.

use std::collections::BTreeMap;
use std::time::Duration;

use flowswap_sim::{Exchange, SimTenant};
use serde::{Deserialize, Serialize};

/// A wait between two requests that is longer than this is one that flowswap makes on purpose, such as the wait for the next
/// sync of a directory. The loop waits as well.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The requests of all tenants.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Trace {
    pub(crate) tenants: Vec<Vec<Recorded>>,
}

/// One request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The status of its answer.
    pub(crate) status: u16,
    /// The requests of the tenant that it waits for, by their place.
    pub(crate) after: Vec<usize>,
    /// How many milliseconds it waits after them.
    pub(crate) pause_ms: u64,
}

impl Trace {
    /// The requests of one command.
    pub(crate) fn of(exchanges: Vec<Exchange>, tenants: &[SimTenant]) -> Self {
        let mut by_tenant: BTreeMap<usize, Vec<Exchange>> = BTreeMap::new();
        let orgs: BTreeMap<&str, usize> = tenants.iter().map(|known| known.domain.as_str()).zip(0..).collect();
        let directories: BTreeMap<&str, usize> =
            tenants.iter().map(|known| known.directory_id.as_str()).zip(0..).collect();
        for exchange in exchanges {
            let id = exchange.path_and_query.split(['/', '?']).find_map(|part| directories.get(part));
            if let Some(tenant) = orgs.get(exchange.host.as_str()).or(id) {
                by_tenant.entry(*tenant).or_default().push(exchange);
            }
        }
        Self { tenants: by_tenant.into_values().map(order).collect() }
    }

    /// The number of requests.
    pub(crate) fn len(&self) -> usize {
        self.tenants.iter().map(Vec::len).sum()
    }
}

/// The requests of one tenant in the order in which they began.
fn order(mut exchanges: Vec<Exchange>) -> Vec<Recorded> {
    exchanges.sort_by_key(|exchange| exchange.began);
    let waits = |place: usize| {
        let before = |at: usize| (0..exchanges.len()).filter(move |other| *other < at);
        let ended: Vec<usize> =
            before(place).filter(|other| exchanges[*other].ended <= exchanges[place].began).collect();
        // What another of them has waited for is implied.
        let implied = |one: usize| ended.iter().any(|other| exchanges[one].ended <= exchanges[*other].began);
        let after: Vec<usize> = ended.iter().copied().filter(|one| !implied(*one)).collect();
        let last = after.iter().map(|other| exchanges[*other].ended).max();
        let pause = last.map(|last| exchanges[place].began.duration_since(last)).unwrap_or_default();
        (after, if pause >= SHORTEST_PAUSE { pause } else { Duration::ZERO })
    };
    let waits: Vec<_> = (0..exchanges.len()).map(waits).collect();
    exchanges.into_iter().zip(waits).map(|(exchange, (after, pause))| recorded(exchange, after, pause)).collect()
}

fn recorded(exchange: Exchange, after: Vec<usize>, pause: Duration) -> Recorded {
    Recorded {
        url: format!("https://{}{}", exchange.host, exchange.path_and_query),
        method: exchange.method,
        // The client adds the host by itself.
        headers: exchange.request_headers.into_iter().filter(|(name, _)| name != "host").collect(),
        body: String::from_utf8_lossy(&exchange.request_body).into_owned(),
        status: exchange.status.unwrap_or_default(),
        after,
        pause_ms: pause.as_millis().try_into().unwrap_or(u64::MAX),
    }
}
