//! Sessions of a real plugin (the SDK's runtime) at the other end of a socket, with scripted HTTP answers.

use std::time::Duration;

use flowswap_contract::{
    ApplyReply, ConfigKey, Effect, HttpAsk, Inventory, Level, ObserveReply, Op, PROTOCOL, PlanParams,
    ProviderInventory, StepParams, StepProposal, TestParams, TestReply,
    sdk::{Host, Plugin, Runtime, unsupported},
};
use flowswap_engine::{Mode, Recording, RunId};
use serde_json::json;
use tokio::net::UnixStream;

use super::*;
use crate::{
    budget::{PAUSE, SAID, SAID_LENGTH, TEXT},
    frame,
    spawn::Transport,
    testing::{CANARY, FRESH, Reaction, World, answer},
};

/// A plugin that runs a script: the key `script` of its configuration in `detect`, the step's payload in `apply`.
struct Puppet {
    config: Map<String, Value>,
}

/// One thing for the puppet to do.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Act {
    Http(HttpAsk),
    /// The same, but ignores a failure.
    TryHttp(HttpAsk),
    /// Asks and does not wait for the answer.
    Leave(HttpAsk),
    Sleep(u64),
    Fail(Error),
    Say(String),
    Panic,
}

impl Puppet {
    async fn act(&self, host: &Host, script: &Value) -> Result<Vec<Value>, Error> {
        let mut seen = Vec::new();
        for act in script.as_array().unwrap() {
            match serde_json::from_value(act.clone()).unwrap() {
                Act::Http(ask) => seen.push(host.http(ask).await?.body),
                Act::TryHttp(ask) => seen.extend(host.http(ask).await.map(|answer| answer.body)),
                Act::Leave(ask) => {
                    let mut left = Box::pin(host.http(ask));
                    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                    assert!(left.as_mut().poll(&mut context).is_pending());
                }
                Act::Sleep(ms) => host.sleep(ms).await?,
                Act::Fail(error) => return Err(error),
                Act::Say(message) => {
                    host.progress(message.clone());
                    host.log(Level::Info, message);
                }
                Act::Panic => panic!("on request"),
            }
        }
        Ok(seen)
    }
}

impl Plugin for Puppet {
    fn hello() -> PluginHello {
        let key = |name: &str, required, secret| ConfigKey { name: name.into(), required, secret, about: "x".into() };
        PluginHello {
            name: "puppet".into(),
            version: "1.0.0".into(),
            protocol: PROTOCOL,
            features: vec![],
            roles: vec![Role::Provider],
            config: vec![key("domain", true, false), key("credential", true, true), key("script", false, false)],
            origins: vec!["https://{domain}".into()],
            token_paths: vec!["/token".into()],
            headers: None,
        }
    }

    fn open(open: Open) -> Result<Self, Error> {
        assert_eq!(open.secrets["credential"], Handle::new("acme/provider/credential"));
        match open.config.get("refuse") {
            Some(reason) => Err(Error::new(ErrorKind::Config, reason.as_str().unwrap())),
            None => Ok(Self { config: open.config }),
        }
    }

    async fn detect(&self, host: &Host) -> Result<Inventory, Error> {
        let seen = self.act(host, &self.config["script"]).await?;
        Ok(Inventory::Provider(ProviderInventory { domain: json!(seen).to_string(), ..Default::default() }))
    }

    fn plan(&self, _: PlanParams) -> Result<Vec<StepProposal>, Error> {
        Ok(vec![])
    }

    async fn observe(&self, _: &Host, _: StepParams) -> Result<ObserveReply, Error> {
        Err(unsupported("observe"))
    }

    async fn apply(&self, host: &Host, params: StepParams) -> Result<ApplyReply, Error> {
        let seen = self.act(host, &params.step.proposal.payload.to_value()).await?;
        Ok(ApplyReply { operator: None, outputs: [("seen".to_owned(), json!(seen))].into(), evidence: vec![] })
    }

    async fn undo(&self, host: &Host, params: StepParams) -> Result<ApplyReply, Error> {
        self.apply(host, params).await
    }

    async fn test(&self, _: &Host, _: TestParams) -> Result<TestReply, Error> {
        Err(unsupported("test"))
    }
}

/// Runs the puppet until the connection ends, and checks that no message contains the canary.
async fn run_puppet(mut stream: UnixStream) {
    let mut runtime = Runtime::<Puppet>::default();
    while let Some(message) = frame::read_async(&mut stream).await.unwrap() {
        let mut passed = vec![message];
        passed.extend(runtime.deliver_bytes(&passed[0]));
        for bytes in &passed {
            let text = String::from_utf8_lossy(bytes);
            assert!([CANARY, FRESH].iter().all(|secret| !text.contains(secret)), "a secret reached the plugin");
        }
        for emitted in &passed[1..] {
            if frame::write_async(&mut stream, emitted).await.is_err() {
                return;
            }
        }
    }
}

fn config(extra: Value) -> SessionConfig {
    let mut config = json!({"domain": "x.test"}).as_object().unwrap().clone();
    config.extend(extra.as_object().unwrap().clone());
    SessionConfig {
        tenant: "acme".into(),
        role: Role::Provider,
        config,
        secrets: [("credential".to_owned(), Secret::new(CANARY))].into(),
        known: Arc::default(),
        origins: Vec::new(),
    }
}

/// Opens a session with the puppet and does something with it.
async fn with_session<T>(
    world: &World,
    config: SessionConfig,
    act: impl AsyncFnOnce(Result<Arc<Session>, Error>) -> T,
) -> T {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let play = async {
        let transport = Transport { stream: ours, running: None };
        let process = PluginProcess::connect("puppet", "00", transport, Arc::new(world.ports())).await.unwrap();
        act(Session::open(process, world.effects(), config).await).await
    };
    let puppet = async {
        run_puppet(theirs).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = play => result,
        () = puppet => unreachable!(),
    }
}

fn call(world: &World, op: Op, params: Value) -> BackendCall<'static> {
    let (mode, step) = match op {
        Op::Apply | Op::Undo => (Mode::Apply, Some("create")),
        _ => (Mode::DryRun, None),
    };
    let recorder: &dyn Recording = world.recorder();
    let recorder = Some(recorder).filter(|_| mode != Mode::DryRun);
    BackendCall { op, mode, run: RunId::none(), step, params: params.into(), recorder }
}

fn step(script: Value) -> Value {
    let proposal = json!({
        "phase": "provision", "title": "x", "by": "plugin", "reversibility": "unattended", "payload": script,
    });
    json!({"step": {"id": "create", "role": "provider", "proposal": proposal}})
}

async fn apply(world: &World, script: Value) -> Result<Value, Error> {
    let result = apply_unchecked(world, script).await;
    let told = format!("{result:?}\n{}", world.told());
    assert!([CANARY, FRESH].iter().all(|secret| !told.contains(secret)), "a secret leaked");
    result
}

async fn apply_unchecked(world: &World, script: Value) -> Result<Value, Error> {
    with_session(world, config(json!({})), async |session| {
        session.unwrap().call(call(world, Op::Apply, step(script))).await
    })
    .await
}

async fn detect(world: &World, script: Value) -> Result<Value, Error> {
    let config = config(json!({ "script": script }));
    with_session(world, config, async |session| session.unwrap().call(call(world, Op::Detect, Value::Null)).await).await
}

fn get() -> Value {
    json!({"intent": "read", "method": "GET", "url": "https://x.test/y",
           "auth": {"type": "token", "scheme": "SSWS", "token": "acme/provider/credential"}})
}

fn post() -> Value {
    json!({"intent": "mutate", "method": "POST", "url": "https://x.test/y"})
}

#[tokio::test]
async fn a_plugin_works_through_the_host() {
    let world = World::with([answer(200, &[], json!({"echo": CANARY})), answer(200, &[], json!(2))]);
    let found = detect(&world, json!([{"http": get()}, {"sleep": 0}, {"http": get()}])).await.unwrap();
    assert_eq!(found["domain"], r#"[{"echo":"[redacted]"},2]"#);
    assert_eq!(world.requests.lock().unwrap()[0].headers()["authorization"], format!("SSWS {CANARY}"));
    assert!(!world.told().contains(CANARY));
}

#[tokio::test]
async fn a_session_knows_how_far_the_clocks_of_its_origins_are_ahead() {
    // The test's clock is at the epoch.
    for (date, ahead) in [
        ("Thu, 01 Jan 1970 01:00:00 GMT", 3600),
        ("Wed, 31 Dec 1969 23:45:00 GMT", -900),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ] {
        let world = World::with([answer(200, &[("date", date)], json!(1))]);
        let config = config(json!({ "script": [{"http": get()}] }));
        let skews = with_session(&world, config, async |session| {
            let session = session.unwrap();
            assert_eq!(session.skews(), [].into(), "nothing is known before the first answer");
            session.call(call(&world, Op::Detect, Value::Null)).await.unwrap();
            session.skews()
        });
        let skews = skews.await;
        assert_eq!(skews.keys().collect::<Vec<_>>(), ["https://x.test"]);
        assert!((skews["https://x.test"].as_secs() - ahead).abs() <= 1, "{skews:?} {ahead}");
    }
}

#[tokio::test]
async fn a_refusal_fails_the_call_even_if_the_plugin_ignores_it() {
    let world = World::with([answer(200, &[], json!(1))]);
    let error = detect(&world, json!([{"try-http": post()}, {"http": get()}])).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Refused, Effect::None));
    assert_eq!(
        error.message,
        "plugin `puppet` asked for a `mutate` request (POST https://x.test/y) during `detect`, \
         which must not change anything"
    );
    assert_eq!(world.diary(), ["send GET https://x.test/y"]);
}

#[tokio::test]
async fn a_failure_after_a_change_has_an_unknown_effect_even_if_the_plugin_denies_it() {
    let fail = json!({"fail": {"kind": "conflict", "message": "no", "effect": "none"}});
    for (status, effect) in [(200, Effect::Unknown), (500, Effect::Unknown), (404, Effect::None)] {
        let world = World::with([answer(status, &[], json!(1))]);
        let error = apply(&world, json!([{"http": post()}, fail])).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Conflict, effect), "{status}");
    }
}

#[tokio::test]
async fn a_captured_secret_can_be_used_but_never_seen() {
    let capture = json!([{"pointer": "/secret", "name": "fresh", "custody": "durable"}]);
    let mut create = post();
    create["capture"] = capture;
    let with_secret = json!({
        "intent": "authenticate", "method": "POST", "url": "https://x.test/token",
        "auth": {"type": "basic", "username": "0oa1", "password": "acme/create/fresh"},
        "body": {"form": [["grant_type", "client_credentials"]]},
    });
    let world = World::with([answer(200, &[], json!({"secret": FRESH})), answer(200, &[], json!(FRESH))]);
    let reply = apply(&world, json!([{"http": create}, {"http": with_secret}])).await.unwrap();
    assert_eq!(reply["outputs"]["seen"], json!([{"secret": {"$secret": "acme/create/fresh"}}, "[redacted]"]));
    assert_eq!(world.custody.lock().unwrap()[&Handle::new("acme/create/fresh")].expose(), FRESH);
}

#[tokio::test]
async fn a_mutation_that_the_plugin_does_not_wait_for_is_finished_and_reported() {
    let world = World::with([answer(200, &[], json!(1))]);
    let error = apply(&world, json!([{"leave": post()}])).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Protocol, Effect::Unknown));
    assert_eq!(error.message, "the plugin `puppet` replied without waiting for its own request");
    assert_eq!(world.diary().last().unwrap(), "journal ended create 0 200");
}

#[tokio::test]
async fn a_panic_fails_only_its_own_call() {
    let world = World::with([answer(200, &[], json!(1))]);
    with_session(&world, config(json!({})), async |session| {
        let session = session.unwrap();
        let error = session.call(call(&world, Op::Apply, step(json!(["panic"])))).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Crashed, Effect::Unknown));
        session.call(call(&world, Op::Apply, step(json!([{"http": get()}])))).await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn many_calls_run_at_once() {
    let world = World::default();
    let began = tokio::time::Instant::now();
    with_session(&world, config(json!({})), async |session| {
        let session = session.unwrap();
        let calls = (0..100).map(|_| session.call(call(&world, Op::Apply, step(json!([{"sleep": 30_000}])))));
        for result in futures::future::join_all(calls).await {
            result.unwrap();
        }
    })
    .await;
    assert_eq!(began.elapsed(), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_waiting_and_prevents_new_calls() {
    let world = World::default();
    with_session(&world, config(json!({"script": [{"http": get()}]})), async |session| {
        let session = session.unwrap();
        let stop = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            world.stop.stop();
        };
        let sleeping = session.call(call(&world, Op::Apply, step(json!([{"sleep": 30_000}]))));
        let (result, ()) = tokio::join!(sleeping, stop);
        assert_eq!(result.unwrap_err().kind, ErrorKind::Interrupted);
        let error = session.call(call(&world, Op::Detect, Value::Null)).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Interrupted, Effect::None));
    })
    .await;
    assert_eq!(world.diary(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn after_a_stop_a_step_still_makes_its_requests_and_a_dry_run_makes_none() {
    let world = World::with([answer(200, &[], json!(1)), answer(200, &[], json!(2))]);
    world.stop.stop();
    let side = world.side();
    let mut scope = crate::testing::scope(&side, world.recorder());
    let ask = |value: Value| Ask::Http(serde_json::from_value(value).unwrap());
    scope.perform(&ask(json!({"intent": "mutate", "method": "POST", "url": "https://x.test/y"}))).await.unwrap();
    scope.mode = Mode::DryRun;
    let error = scope.perform(&ask(get())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
}

#[tokio::test]
async fn every_ask_during_plan_is_refused() {
    let world = World::default();
    let side = world.side();
    let mut scope = crate::testing::scope(&side, world.recorder());
    scope.op = Op::Plan;
    for ask in [Ask::Sleep { ms: 1 }, Ask::Http(serde_json::from_value(get()).unwrap())] {
        assert_eq!(scope.perform(&ask).await.unwrap_err().kind, ErrorKind::Refused);
    }
    assert_eq!(world.diary(), [""; 0]);
}

#[tokio::test]
async fn a_plugins_events_are_emitted_with_the_tenant() {
    let world = World::default();
    apply(&world, json!([{"say": "counting\nusers"}])).await.unwrap();
    let events = format!("{:?}", world.events.lock().unwrap());
    assert_eq!(
        events,
        r#"[Progress { tenant: "acme", message: "counting users" }, Log { plugin: "puppet", tenant: Some("acme"), level: Info, message: "counting users" }]"#
    );
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_does_not_continue_a_call_is_stopped() {
    let world = World::default();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let hello =
        flowswap_contract::FromPlugin::Hello(PluginHello { config: vec![], origins: vec![], ..Puppet::hello() });
    let opened = flowswap_contract::FromPlugin::Opened { session: 1, outcome: flowswap_contract::Outcome::Ok(()) };
    let mut peer = theirs;
    frame::write_async(&mut peer, &serde_json::to_vec(&hello).unwrap()).await.unwrap();
    let transport = Transport { stream: ours, running: None };
    let process = PluginProcess::connect("puppet", "00", transport, Arc::new(world.ports())).await.unwrap();
    let opening = Session::open(process, world.effects(), config(json!({})));
    let answer = async {
        // The hello, and the open.
        frame::read_async(&mut peer).await.unwrap();
        frame::read_async(&mut peer).await.unwrap();
        frame::write_async(&mut peer, &serde_json::to_vec(&opened).unwrap()).await.unwrap();
    };
    let (session, ()) = tokio::join!(opening, answer);
    let session = session.unwrap();
    let (apply, detect) = tokio::join!(
        session.call(call(&world, Op::Apply, step(json!([])))),
        session.call(call(&world, Op::Detect, Value::Null))
    );
    let (apply, detect) = (apply.unwrap_err(), detect.unwrap_err());
    assert_eq!((apply.kind, apply.effect), (ErrorKind::TimedOut, Effect::Unknown));
    assert_eq!((detect.kind, detect.effect), (ErrorKind::TimedOut, Effect::None));
    assert!(apply.message.starts_with("the plugin `puppet` did not continue `"), "{apply}");
    assert_eq!(apply.message, detect.message);
    let later = session.call(call(&world, Op::Apply, step(json!([])))).await.unwrap_err();
    assert_eq!((later.kind, later.effect), (ErrorKind::TimedOut, Effect::None));
}

#[tokio::test]
async fn a_session_with_an_invalid_configuration_is_not_opened() {
    let unfit = |change: fn(&mut SessionConfig)| {
        let mut config = config(json!({}));
        change(&mut config);
        config
    };
    for (config, message) in [
        (unfit(|c| c.role = Role::Directory), "the plugin `puppet` cannot serve as the directory"),
        (unfit(|c| c.secrets.clear()), "`credential` is missing; the plugin `puppet` needs it: x"),
        (unfit(|c| c.config.clear()), "`domain` is missing; the plugin `puppet` needs it: x"),
        (unfit(|c| c.config["domain"] = json!("x.test/y")), "`https://x.test/y` is not an https origin"),
        (unfit(|c| drop(c.config.insert("refuse".into(), json!("`x` is wrong")))), "`x` is wrong"),
    ] {
        let error = with_session(&World::default(), config, async |session| session.map(drop)).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Config, message));
    }
}

#[tokio::test]
async fn a_dropped_call_leaves_the_session_usable() {
    let world = World::with([Reaction::Silence, answer(200, &[], json!(1))]);
    with_session(&world, config(json!({"script": [{"http": get()}]})), async |session| {
        let session = session.unwrap();
        {
            let first = session.call(call(&world, Op::Detect, Value::Null));
            tokio::pin!(first);
            // Polls the call until its request is in flight.
            while world.diary().is_empty() {
                tokio::select! {
                    biased;
                    _ = &mut first => unreachable!(),
                    () = tokio::task::yield_now() => {}
                }
            }
        }
        session.call(call(&world, Op::Detect, Value::Null)).await.unwrap();
    })
    .await;
}

/// The error of a call whose pauses take too long.
pub(crate) async fn call_beyond_the_budget() -> String {
    tokio::time::pause();
    let longest = PAUSE.limit as u64 * 1000;
    let pauses = vec![json!({ "sleep": longest }); CALL.limit / PAUSE.limit + 1];
    let error = apply(&World::default(), json!(pauses)).await.unwrap_err();
    tokio::time::resume();
    assert_eq!((error.kind, error.effect), (ErrorKind::TimedOut, Effect::Unknown));
    error.message
}

pub(crate) async fn say_something_long() -> String {
    let world = World::default();
    apply(&world, json!([{ "say": "x".repeat(SAID_LENGTH.limit) }])).await.unwrap();
    let events = world.events.lock().unwrap();
    let mut said = events.iter().filter_map(|event| match event {
        Event::Log { message, .. } => Some(message.clone()),
        _ => None,
    });
    said.next().unwrap()
}

pub(crate) async fn say_beyond_the_budget() -> String {
    let world = World::default();
    // The puppet says each as progress and in the log.
    let script = vec![json!({ "say": "x" }); SAID.limit / 2 + 1];
    apply(&world, json!(script)).await.unwrap();
    let events = world.events.lock().unwrap();
    let said: Vec<_> = events.iter().filter(|e| matches!(e, Event::Progress { .. } | Event::Log { .. })).collect();
    assert_eq!(said.len(), SAID.limit + 1);
    match said.last() {
        Some(Event::Log { message, .. }) => message.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_plugin_shows_is_cut_after_the_secrets_are_gone() {
    let other = "Second-Secret-Value";
    let long = format!("{}{other}", "x".repeat(TEXT.limit - 4));
    let cut = "[redacted]";
    let error = json!({"kind": "invalid", "message": long, "effect": "none", "hint": long, "context": {"a": long}});
    let script = json!([{ "say": long }, { "fail": error }]);
    let mut config = config(json!({ "script": script }));
    config.secrets.insert("other".to_owned(), Secret::new(other));
    let world = World::default();
    let detect =
        async |session: Result<Arc<Session>, Error>| session.unwrap().call(call(&world, Op::Detect, Value::Null)).await;
    let error = with_session(&world, config, detect).await.unwrap_err();
    assert_eq!([&error.message, error.hint.as_ref().unwrap(), &error.context["a"]], [cut; 3]);
    assert_eq!(world.told().matches(cut).count() / 2, 2, "the progress and the log line");

    // The puppet shows what it read as the domain.
    let world = World::with([answer(200, &[], json!("y".repeat(2 * TEXT.limit)))]);
    let shown = super::tests::detect(&world, json!([{ "http": get() }])).await.unwrap();
    assert_eq!(shown["domain"], format!("[\"{}…", "y".repeat(TEXT.limit - 2)));
}
