//! Test doubles for the outside world. They write everything that happens into one diary, in order, and fail on request.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use flowswap_contract::{Body, Handle, HeaderDialect, HttpAsk, Intent, Op, PROTOCOL, PluginHello, Role};
use flowswap_engine::{
    Clock, Entry, Event, EventSink, JournalError, Mode, Recording, RequestOutcome, RunId, Secret, SecretStore,
    SecretStoreError, Stop, StopSwitch,
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tower::util::BoxCloneSyncService;

use crate::{
    Effects, Gate, HttpService, Limits, PluginProcess, Sent, StartError, TransportError,
    cause::Cause,
    connection::Connection,
    lent::Lent,
    of_table::OfTable,
    origin::{Origin, Origins, parse},
    ownership::trusted_temp_dir,
    places::{Kind, Named},
    scope::{Scope, Side},
    spawn::Transport,
    supervisor::Supervisor,
    vault::Vault,
};

/// A value that must appear only in requests and in the secret store.
pub(crate) const CANARY: &str = "c4n4ry/Secret+Value";

/// A secret that an answer brings for the first time.
pub(crate) const FRESH: &str = "fr3sh/Secret+Value";

/// What the other side does with the next request.
pub(crate) enum Reaction {
    Answer(http::Response<Bytes>),
    NotSent,
    Lost,
    Silence,
    /// The request fails with this cause, before or after it could arrive.
    Fails(Sent, Cause),
}

/// An answer of a proxy or portal.
pub(crate) fn page(status: u16) -> Reaction {
    let answer =
        http::Response::builder().status(status).header("content-type", "text/html").header("server", "filter");
    Reaction::Answer(answer.body("<html><title>Blocked</title>".into()).unwrap())
}

/// An answer with a JSON body.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: Value) -> Reaction {
    let mut response = http::Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    Reaction::Answer(response.body(body).unwrap())
}

/// The world of one test.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) diary: Arc<Mutex<Vec<String>>>,
    pub(crate) reactions: Arc<Mutex<VecDeque<Reaction>>>,
    pub(crate) requests: Arc<Mutex<Vec<http::Request<Bytes>>>>,
    pub(crate) entries: Arc<Mutex<Vec<Entry>>>,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
    pub(crate) custody: Arc<Mutex<BTreeMap<Handle, Secret>>>,
    /// The kind of record (as in the diary) that the journal fails to write.
    pub(crate) broken_record: Arc<Mutex<Option<&'static str>>>,
    pub(crate) broken_custody: Arc<AtomicBool>,
    pub(crate) stop: StopSwitch,
    pub(crate) gate: Gate,
}

impl World {
    pub(crate) fn with(reactions: impl IntoIterator<Item = Reaction>) -> Self {
        let world = Self::default();
        world.reactions.lock().unwrap().extend(reactions);
        world
    }

    pub(crate) fn effects(&self) -> Arc<Effects> {
        Arc::new(Effects {
            http: Arc::new(self.service()),
            secrets: Arc::new(self.ports()),
            clock: Arc::new(self.ports()),
            events: Arc::new(self.ports()),
            stop: self.stop.listen(),
            gate: self.gate.clone(),
            timeout: Duration::from_secs(60),
        })
    }

    /// The provider's side of the tenant `acme`, with the canary as its credential.
    pub(crate) fn side(&self) -> Side {
        let vault = Vault::default();
        vault.keep(Handle::new("acme/provider/credential"), Kind::Configured, Secret::new(CANARY));
        Side {
            plugin: "rogue".into(),
            tenant: "acme".into(),
            role: Role::Provider,
            origins: Origins {
                allowed: vec![Origin::of(&Url::parse("https://x.test").unwrap()).unwrap()],
                ..Origins::default()
            },
            token_paths: vec!["/token".to_owned()],
            of_table: OfTable::new(json!({ "headers": { "x-tenant": "" } }).as_object().unwrap()),
            http: self.service(),
            dialect: Some(HeaderDialect {
                remaining: "x-rate-limit-remaining".into(),
                reset: "x-rate-limit-reset".into(),
                request_id: "x-okta-request-id".into(),
                limit: Some("x-rate-limit-limit".into()),
                buckets: Vec::new(),
            }),
            vault,
            effects: self.effects(),
            mutations: Mutex::default(),
        }
    }

    pub(crate) fn diary(&self) -> Vec<String> {
        self.diary.lock().unwrap().clone()
    }

    pub(crate) fn waits(&self) -> Vec<u64> {
        let events = self.events.lock().unwrap();
        events.iter().filter_map(|e| if let Event::Waiting { ms, .. } = e { Some(*ms) } else { None }).collect()
    }

    /// Everything that was recorded or reported, in every format in which it could be shown.
    pub(crate) fn told(&self) -> String {
        let entries = self.entries.lock().unwrap();
        let events = self.events.lock().unwrap();
        let json = (serde_json::to_string(&*entries).unwrap(), serde_json::to_string(&*events).unwrap());
        format!("{:?}\n{:?}\n{json:?}\n{:?}", *entries, *events, self.diary())
    }

    pub(crate) fn ports(&self) -> Ports {
        Ports {
            diary: Arc::clone(&self.diary),
            entries: Arc::clone(&self.entries),
            events: Arc::clone(&self.events),
            custody: Arc::clone(&self.custody),
            broken_record: Arc::clone(&self.broken_record),
            broken_custody: Arc::clone(&self.broken_custody),
        }
    }

    /// Takes the records of calls.
    pub(crate) fn recorder(&self) -> &'static Ports {
        Box::leak(Box::new(self.ports()))
    }

    fn service(&self) -> HttpService {
        let diary = Arc::clone(&self.diary);
        let reactions = Arc::clone(&self.reactions);
        let requests = Arc::clone(&self.requests);
        BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Bytes>| {
            diary.lock().unwrap().push(format!("send {} {}", request.method(), request.uri()));
            requests.lock().unwrap().push(request);
            let reaction = reactions.lock().unwrap().pop_front().expect("a request that the test did not expect");
            async move {
                match reaction {
                    Reaction::Answer(answer) => Ok(answer),
                    Reaction::NotSent => Err(TransportError::new(Sent::NotSent, "connection refused")),
                    Reaction::Lost => Err(TransportError::new(Sent::MaybeSent, "connection reset")),
                    Reaction::Fails(sent, cause) => Err(TransportError::of(sent, cause)),
                    Reaction::Silence => std::future::pending().await,
                }
            }
        }))
    }
}

/// A request for a token.
pub(crate) fn token_request() -> HttpAsk {
    let form = Body::Form(vec![("grant_type".to_owned(), json!("client_credentials"))]);
    HttpAsk { body: Some(form), ..HttpAsk::new(Intent::Authenticate, "POST", "https://x.test/token") }
}

/// A call that carries out the step `create`. The plan names one place in a body for the secret `acme/earlier/lent`.
pub(crate) fn scope<'a>(side: &'a Side, recorder: &'a Ports) -> Scope<'a> {
    Scope {
        side,
        recorder: Some(recorder),
        op: Op::Apply,
        mode: Mode::Apply,
        run: RunId::none(),
        step: Some("create"),
        lent: Lent {
            secrets: ["acme/earlier/lent", "globex/earlier/foreign"]
                .map(|name| (Handle::new(name), OnceCell::new()))
                .into(),
            named: Some(vec![Named {
                handle: Handle::new("acme/earlier/lent"),
                origin: parse("https://x.test"),
                pointer: "/connection/secret".to_owned(),
            }]),
            queries: Some(vec!["https://x.test/query".to_owned()]),
        },
        closing: never(),
        touched: AtomicBool::new(false),
        started: tokio::time::Instant::now(),
        put_off_ms: AtomicU64::new(0),
        asks: Default::default(),
        secrets: Default::default(),
        brought: Default::default(),
    }
}

pub(crate) fn never() -> Stop {
    StopSwitch::default().listen()
}

/// Implements every port of the engine.
pub(crate) struct Ports {
    diary: Arc<Mutex<Vec<String>>>,
    entries: Arc<Mutex<Vec<Entry>>>,
    events: Arc<Mutex<Vec<Event>>>,
    custody: Arc<Mutex<BTreeMap<Handle, Secret>>>,
    broken_record: Arc<Mutex<Option<&'static str>>>,
    broken_custody: Arc<AtomicBool>,
}

impl Ports {
    fn note(&self, line: String) {
        self.diary.lock().unwrap().push(line);
    }
}

impl Recording for Ports {
    fn record(&self, entry: Entry) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move {
            let line = match &entry {
                Entry::RequestIntended { step, request, .. } => format!("journal intended {step} {request}"),
                Entry::RequestEnded { step, request, outcome } => match outcome {
                    RequestOutcome::Answered { status, .. } => format!("journal ended {step} {request} {status}"),
                    RequestOutcome::NotSent { .. } => format!("journal ended {step} {request} not sent"),
                    RequestOutcome::Lost { .. } => format!("journal ended {step} {request} lost"),
                },
                Entry::SecretStored { handle, .. } => format!("journal stored {handle}"),
                entry => format!("journal {entry:?}"),
            };
            if let Some(broken) = *self.broken_record.lock().unwrap()
                && line.starts_with(&format!("journal {broken}"))
            {
                return Err(JournalError::Storage { doing: "append to the journal", source: "disk full".into() });
            }
            self.note(line);
            self.entries.lock().unwrap().push(entry);
            Ok(())
        })
    }
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ports")
    }
}

impl SecretStore for Ports {
    fn put<'a>(&'a self, handle: &'a Handle, secret: &'a Secret) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        Box::pin(async move {
            if self.broken_custody.load(Ordering::Relaxed) {
                let source = "disk full".into();
                return Err(SecretStoreError { doing: "store", handle: handle.clone(), source });
            }
            self.note(format!("keep {handle}"));
            self.custody.lock().unwrap().insert(handle.clone(), secret.clone());
            Ok(())
        })
    }

    fn get<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Secret>, SecretStoreError>> {
        Box::pin(async move { Ok(self.custody.lock().unwrap().get(handle).cloned()) })
    }

    fn remove<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        Box::pin(async move {
            self.custody.lock().unwrap().remove(handle);
            Ok(())
        })
    }
}

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

impl EventSink for Ports {
    fn emit(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }
}

impl PluginProcess {
    /// Exchanges greetings with a plugin that the test plays. Its process cannot be restarted.
    pub(crate) async fn connect(
        plugin: &str,
        sha256: &str,
        transport: Transport,
        events: Arc<dyn EventSink>,
    ) -> Result<Arc<Self>, StartError> {
        let (hello, connection) = Connection::begin_with(plugin, transport, events, &Limits::default(), None).await?;
        Ok(Self::from_greeting(sha256, hello, Supervisor::of(connection, None)))
    }
}

/// The greeting of a plugin `rogue` of this version.
pub(crate) fn hello(version: &str) -> PluginHello {
    PluginHello {
        name: "rogue".into(),
        version: version.into(),
        protocol: PROTOCOL,
        features: vec![],
        roles: vec![Role::Provider],
        config: vec![],
        origins: vec![],
        token_paths: vec![],
        headers: None,
    }
}

/// A folder that only this user and root can change.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(trusted_temp_dir()).unwrap()
}
