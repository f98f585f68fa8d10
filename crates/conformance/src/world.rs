//! The world that the plugin talks to. The plugin's author supplies it; every case gets a new one.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use flowswap_contract::{Inventory, Step};
use flowswap_engine::Secret;
use flowswap_host::{HttpService, SessionConfig};
use serde_json::Value;
use tower::util::BoxCloneSyncService;

/// A world for one side of one tenant that is ready to be migrated.
pub trait World: Send + Sync {
    /// The configuration of a session. The author can choose any tenant name.
    fn session(&self) -> SessionConfig;

    /// The service that answers every request.
    fn http(&self) -> HttpService;

    /// The whole state, without values that change by themselves, such as counters and times. Equal worlds give equal
    /// values.
    fn snapshot(&self) -> Value;

    /// The part of the state that must be the same no matter how a step was carried out. Leave out values that can
    /// differ after a fault, such as the id and the secret of an object that the plugin adopted.
    fn outcome(&self) -> Value {
        self.snapshot()
    }

    /// The inventory of the tenant's other side: the provider for a directory plugin, the directory for a provider
    /// plugin. Together with the inventory from the plugin's `detect` it must lead to the verdict `ready`. If it does
    /// not, `plan.sound` says why.
    fn other_side(&self) -> Inventory;

    /// Whether the directory must collect enterprise applications.
    fn app_data(&self) -> bool {
        false
    }

    /// The outputs of the other side's steps, by the names under which this side's steps need them.
    fn other_side_outputs(&self) -> BTreeMap<String, StepOutput> {
        BTreeMap::new()
    }

    /// Takes this step back as a person would, and returns whether it did. Called only for steps that the plugin
    /// declares `attended`. If neither the plugin nor this method takes the step back, `undo.every-prefix` fails.
    /// Afterwards the [`outcome`](World::outcome) must be the one from before the step.
    fn take_back(&self, step: &Step) -> bool {
        let _ = step;
        false
    }

    /// Every value of this world that no plugin may reveal: the secrets of the session, and all secrets in any answer
    /// so far, such as new client secrets and tokens. It has no default, because a plugin that does not let the host
    /// capture a new secret is caught only if the world knows the value.
    fn secrets(&self) -> Vec<String>;
}

/// An output of a step of the other side.
#[derive(Debug, Clone)]
pub enum StepOutput {
    /// A value that the plugin sees.
    Value(Value),
    /// A secret that the host keeps; the plugin gets a handle.
    Secret(Secret),
}

/// Makes new worlds. All of them are equal.
pub type MakeWorld = Arc<dyn Fn() -> Box<dyn World> + Send + Sync>;

/// Turns a function from request to response into a service, for worlds that answer at once.
pub fn http_from(
    answer: impl Fn(http::Request<Bytes>) -> http::Response<Bytes> + Send + Sync + 'static,
) -> HttpService {
    let answer = Arc::new(answer);
    BoxCloneSyncService::new(tower::service_fn(move |request| std::future::ready(Ok(answer(request)))))
}
