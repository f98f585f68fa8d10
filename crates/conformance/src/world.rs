//! What the author supplies: a world that the plugin talks to, new for every case.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use flowswap_contract::{Inventory, Step};
use flowswap_engine::Secret;
use flowswap_host::{HttpService, SessionConfig};
use serde_json::Value;
use tower::util::BoxCloneSyncService;

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

    /// What the other side of the tenant shows: of a directory's world the provider, of a provider's the directory. With
    /// what the plugin's `detect` shows it must make the engine's verdict `ready`; what it lacks is said by `plan.sound`.
    fn other_side(&self) -> Inventory;

    /// Whether enterprise applications are to be collected.
    fn app_data(&self) -> bool {
        false
    }

    /// The values that the other side's steps give, by the names under which this side's steps need them.
    fn given(&self) -> BTreeMap<String, Given> {
        BTreeMap::new()
    }

    /// Does what a person would do to take this step back, and says whether it did. It is asked only for steps that the
    /// plugin declares `attended`; one that is taken back neither by the plugin nor here fails `undo.every-prefix`. The
    /// [`outcome`](World::outcome) must then be the one from before the step.
    fn take_back(&self, step: &Step) -> bool {
        let _ = step;
        false
    }

    /// Every value of this world that no plugin may tell: those of the session, and all that any answer has carried until
    /// now, such as new client secrets and tokens. It has no default: a plugin that forgets to let the host capture a new
    /// secret is caught only where the world knows the value.
    fn secrets(&self) -> Vec<String>;
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

/// The other end of every request as a function from request to response, for worlds that answer at once.
pub fn http_from(
    answer: impl Fn(http::Request<Bytes>) -> http::Response<Bytes> + Send + Sync + 'static,
) -> HttpService {
    let answer = Arc::new(answer);
    BoxCloneSyncService::new(tower::service_fn(move |request| std::future::ready(Ok(answer(request)))))
}
