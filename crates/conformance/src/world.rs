//! What the author supplies: a world that the plugin talks to, new for every case.

use std::{collections::BTreeMap, sync::Arc};

use flowswap_contract::Inventory;
use flowswap_engine::Secret;
use flowswap_host::{HttpService, SessionConfig};
use serde_json::Value;

/// A world for one side of one tenant, in which that tenant waits to be migrated.
pub trait World: Send + Sync {
    /// What a session is opened with. The tenant's name is the author's to choose.
    fn session(&self) -> SessionConfig;

    /// The other end of every request.
    fn http(&self) -> HttpService;

    /// The whole state, without what changes by itself, such as counters and times. Equal worlds give equal values.
    fn snapshot(&self) -> Value;

    /// The state as far as it must be equal however a step was carried out. An adopted object may have another id and
    /// another secret than one that was made in peace; leave out such values.
    fn outcome(&self) -> Value {
        self.snapshot()
    }

    /// What the other side of the tenant shows: of a directory's world the provider, of a provider's the directory.
    fn other_side(&self) -> Inventory;

    /// Whether enterprise applications are to be collected.
    fn app_data(&self) -> bool {
        false
    }

    /// The values that the other side's steps give, by the names under which this side's steps need them.
    fn given(&self) -> BTreeMap<String, Given> {
        BTreeMap::new()
    }

    /// Every value of this world that no plugin may tell: those of the session, and those that answers have carried.
    fn secrets(&self) -> Vec<String> {
        self.session().secrets.values().map(|secret| secret.expose().to_owned()).collect()
    }
}

/// A value that a step of the other side would have given.
#[derive(Debug, Clone)]
pub enum Given {
    /// One that anybody may see.
    Value(Value),
    /// One that the host keeps.
    Secret(Secret),
}

/// Makes worlds. All that it makes are equal.
pub type MakeWorld = Arc<dyn Fn() -> Box<dyn World> + Send + Sync>;
