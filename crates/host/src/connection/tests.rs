//! The protocol against a plugin that the test plays, and the start of real processes.

use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt};

use flowswap_contract::{Answer, Ask, Effect, HttpAnswer, Level, PluginEvent, Protocol, Role};
use flowswap_engine::Event;
use serde_json::{Value, json};

use super::*;
use crate::{
    Launcher, PluginFile, PluginProcess,
    budget::{ANSWERS, ASKS_AT_ONCE, SAID_OUTSIDE},
    room::{Room, SMALL_ANSWER, Waited},
    testing::{World, hello},
};

/// The plugin's end of the connection, played by the test.
struct Peer(UnixStream);

impl Peer {
    async fn send(&mut self, message: &FromPlugin) {
        self.send_bytes(&serde_json::to_vec(message).unwrap()).await;
    }

    async fn send_bytes(&mut self, bytes: &[u8]) {
        frame::write_async(&mut self.0, bytes).await.unwrap();
    }

    async fn receive(&mut self) -> Option<ToPlugin> {
        let bytes = frame::read_async(&mut self.0).await.unwrap()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }
}

fn pair() -> (Transport, Peer) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Transport { stream: ours, running: None }, Peer(theirs))
}

async fn connect(world: &World, transport: Transport) -> Result<Arc<PluginProcess>, StartError> {
    PluginProcess::connect("rogue", "00", transport, Arc::new(world.ports())).await
}

/// A process that has greeted, and its other end.
async fn start(world: &World) -> (Arc<PluginProcess>, Peer) {
    let (transport, mut peer) = pair();
    peer.send(&FromPlugin::Hello(hello("1.0.0"))).await;
    let process = connect(world, transport).await.unwrap();
    assert!(matches!(peer.receive().await, Some(ToPlugin::Hello { .. })));
    (process, peer)
}

fn call(process: &Arc<PluginProcess>, op: Op) -> RunningCall {
    let call =
        Call { id: process.next_id(), session: 0, op, key: "r".into(), now: "n".into(), params: Value::Null.into() };
    process.supervisor.current().begin(call).unwrap().unwrap()
}

async fn failure(running_call: &mut RunningCall) -> Error {
    loop {
        if let Err(error) = running_call.next().await {
            return error;
        }
    }
}

async fn check_greeting(greeting: Option<&[u8]>, expect: &str) {
    let (transport, mut peer) = pair();
    match greeting {
        Some(bytes) => peer.send_bytes(bytes).await,
        None => drop(peer),
    }
    let error = connect(&World::default(), transport).await.unwrap_err();
    assert_eq!(error.to_string(), expect);
}

#[tokio::test]
async fn a_plugin_with_another_name_or_protocol_is_refused() {
    let greet = |hello| serde_json::to_vec(&FromPlugin::Hello(hello)).unwrap();
    check_greeting(
        Some(&greet(PluginHello { name: "okta".into(), ..hello("1.0.0") })),
        "the plugin configured as `rogue` calls itself `okta`",
    )
    .await;
    check_greeting(
        Some(&greet(PluginHello { protocol: Protocol { major: 2, minor: 7 }, ..hello("1.0.0") })),
        &format!("the plugin `rogue` uses protocol 2.7, but this flowswap uses {}.{}", PROTOCOL.major, PROTOCOL.minor),
    )
    .await;
    let reply = FromPlugin::Reply { id: 1, outcome: Outcome::Ok(Value::Null) };
    check_greeting(
        Some(&serde_json::to_vec(&reply).unwrap()),
        "the plugin `rogue` did not start: its first message is not a greeting",
    )
    .await;
    check_greeting(
        Some(b"hi"),
        "the plugin `rogue` did not start: failed to decode its greeting: expected value at line 1 column 1",
    )
    .await;
    let (transport, peer) = pair();
    drop(peer);
    let error = connect(&World::default(), transport).await.unwrap_err();
    assert!(matches!(error, StartError::Handshake { .. }), "{error}");
    let newer = PluginHello { protocol: Protocol { major: 1, minor: 9 }, ..hello("1.0.0") };
    let (transport, mut peer) = pair();
    peer.send(&FromPlugin::Hello(newer)).await;
    assert_eq!(connect(&World::default(), transport).await.unwrap().hello().protocol.minor, 9);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_sends_no_greeting_fails_to_start() {
    let (transport, _peer) = pair();
    let error = connect(&World::default(), transport).await.unwrap_err();
    assert_eq!(error.to_string(), "the plugin `rogue` did not start: no greeting within 10 s");
}

#[tokio::test]
async fn replies_reach_their_own_calls() {
    let (process, mut peer) = start(&World::default()).await;
    let (mut first, mut second) = (call(&process, Op::Detect), call(&process, Op::Apply));
    for (id, value) in [(second.id, "b"), (first.id, "a")] {
        peer.send(&FromPlugin::Reply { id, outcome: Outcome::Ok(json!(value)) }).await;
    }
    for (running_call, expect) in [(&mut first, "a"), (&mut second, "b")] {
        let Ok(FromCall::Reply(Ok(value))) = running_call.next().await else { panic!("no reply") };
        assert_eq!(value, expect);
    }
}

#[tokio::test]
async fn a_broken_protocol_ends_the_process_and_every_call() {
    let sleep = || Ask::Sleep { ms: 0 };
    let broken = |message: &FromPlugin| serde_json::to_vec(message).unwrap();
    for (bytes, problem) in [
        (b"garbage".to_vec(), "sent something that is not a message (expected value at line 1 column 1)"),
        (broken(&FromPlugin::Hello(hello("1.0.0"))), "greeted twice"),
        (
            broken(&FromPlugin::Reply { id: 99, outcome: Outcome::Ok(Value::Null) }),
            "replied to call 99, which is not running",
        ),
        (
            broken(&FromPlugin::Ask { id: 99, n: 0, ask: sleep() }),
            "asked for something in call 99, which is not running",
        ),
        (broken(&FromPlugin::Ask { id: 1, n: 3, ask: sleep() }), "gave an ask of call 1 the number 3 instead of 0"),
        (
            broken(&FromPlugin::Opened { session: 7, outcome: Outcome::Ok(()) }),
            "opened session 7 without being asked to",
        ),
    ] {
        let (process, mut peer) = start(&World::default()).await;
        let (mut apply, mut detect) = (call(&process, Op::Apply), call(&process, Op::Detect));
        peer.send_bytes(&bytes).await;
        // If the message were accepted, the error would be about the end of the connection.
        drop(peer);
        let message = format!("the plugin `rogue` broke the protocol, and flowswap stopped it: it {problem}");
        for (running_call, effect) in [(&mut apply, Effect::Unknown), (&mut detect, Effect::None)] {
            let error = failure(running_call).await;
            assert_eq!((error.kind, error.effect, error.message), (ErrorKind::Protocol, effect, message.clone()));
        }
    }
}

/// The only call in flight is the cause, unless the message belongs to a finished call.
#[tokio::test]
async fn a_second_reply_to_a_finished_call_is_not_blamed_on_the_call_in_flight() {
    for (second, by_another) in [(1, true), (99, false)] {
        let (process, mut peer) = start(&World::default()).await;
        let mut first = call(&process, Op::Apply);
        peer.send(&FromPlugin::Reply { id: first.id, outcome: Outcome::Ok(Value::Null) }).await;
        first.next().await.unwrap();
        let mut alone = call(&process, Op::Test);
        let connection = process.supervisor.current();
        peer.send(&FromPlugin::Reply { id: second, outcome: Outcome::Ok(Value::Null) }).await;
        assert_eq!(failure(&mut alone).await.kind, ErrorKind::Protocol);
        assert_eq!((first.id, connection.another_call_may_have_ended_it()), (1, by_another));
    }
}

#[tokio::test]
async fn a_message_with_an_excessive_length_breaks_the_protocol() {
    use tokio::io::AsyncWriteExt;
    let (process, mut peer) = start(&World::default()).await;
    let mut detect = call(&process, Op::Detect);
    peer.0.write_all(b"\xff\xff\xff\xff").await.unwrap();
    assert_eq!(failure(&mut detect).await.kind, ErrorKind::Protocol);
}

#[tokio::test]
async fn a_flood_of_asks_breaks_the_protocol() {
    let (process, mut peer) = start(&World::default()).await;
    let mut detect = call(&process, Op::Detect);
    for n in 0..=ASKS_AT_ONCE.limit as u32 {
        peer.send(&FromPlugin::Ask { id: detect.id, n, ask: Ask::Sleep { ms: 0 } }).await;
    }
    drop(peer);
    let error = failure(&mut detect).await;
    assert!(error.message.ends_with("it asked for more than 32 things at once in call 1"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_does_not_read_its_messages_is_stopped() {
    let (process, mut peer) = start(&World::default()).await;
    let mut detect = call(&process, Op::Detect);
    peer.send(&FromPlugin::Ask { id: detect.id, n: 0, ask: Ask::Sleep { ms: 0 } }).await;
    assert!(matches!(detect.next().await, Ok(FromCall::Ask { n: 0, .. })));
    let body = Value::from("x".repeat(SMALL_ANSWER * 100));
    let answer = HttpAnswer { status: 200, headers: vec![], body, attempts: 1 };
    let room = Room::default();
    let permit = room.take(ANSWERS.limit, &Waited::default()).await.unwrap();
    let held = Some(Held::of(permit, ANSWERS.limit));
    detect.answer(0, Ok(Performed { answer: Answer::Http(answer), held }));
    assert!(futures::poll!(std::pin::pin!(room.take(1, &Waited::default()))).is_pending());
    let error = failure(&mut detect).await;
    let message = "the plugin `rogue` did not read its messages within 60 s, and flowswap stopped it";
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::TimedOut, message));
    // Its answers give their room back to others.
    assert!(room.take(ANSWERS.limit, &Waited::default()).await.is_some());
}

#[tokio::test]
async fn a_dead_process_without_restart_fails_the_calls_in_flight_and_all_later_ones() {
    let (process, peer) = start(&World::default()).await;
    let mut calls = [Op::Apply, Op::Undo, Op::Detect, Op::Test].map(|op| call(&process, op));
    drop(peer);
    for (running_call, effect) in calls.iter_mut().zip([Effect::Unknown, Effect::Unknown, Effect::None, Effect::None]) {
        let error = failure(running_call).await;
        assert_eq!((error.kind, error.effect), (ErrorKind::Crashed, effect));
        assert!(error.message.starts_with("the process of the plugin `rogue` ended: "), "{error}");
    }
    let later = Call { id: 9, session: 0, op: Op::Apply, key: "r".into(), now: "n".into(), params: Value::Null.into() };
    assert!(process.supervisor.current().begin(later).unwrap().is_none(), "the call started");
    let open = Open { session: 1, role: Role::Provider, config: Default::default(), secrets: Default::default() };
    assert_eq!(process.supervisor.current().open(open).await.unwrap_err().kind, ErrorKind::Crashed);
    assert_eq!(process.connection().await.map(drop).unwrap_err().kind, ErrorKind::Crashed);
}

#[tokio::test]
async fn a_dropped_call_is_canceled_and_its_late_messages_are_ignored() {
    let (process, mut peer) = start(&World::default()).await;
    let running_call = call(&process, Op::Detect);
    let id = running_call.id;
    assert!(matches!(peer.receive().await, Some(ToPlugin::Call(_))));
    drop(running_call);
    peer.send(&FromPlugin::Ask { id, n: 0, ask: Ask::Sleep { ms: 0 } }).await;
    peer.send(&FromPlugin::Reply { id, outcome: Outcome::Ok(Value::Null) }).await;
    assert_eq!(peer.receive().await, Some(ToPlugin::Cancel { id }));
    let mut next = call(&process, Op::Detect);
    peer.send(&FromPlugin::Reply { id: next.id, outcome: Outcome::Ok(Value::Null) }).await;
    assert!(matches!(next.next().await, Ok(FromCall::Reply(Ok(Value::Null)))));
    drop(next);
    drop(process);
    let rest = [peer.receive().await, peer.receive().await];
    assert!(matches!(rest, [Some(ToPlugin::Call(_)), None]), "{rest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_open_in_time_stops_the_process() {
    let (process, _peer) = start(&World::default()).await;
    let open = Open { session: 1, role: Role::Provider, config: Default::default(), secrets: Default::default() };
    let error = process.supervisor.current().open(open).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TimedOut);
    assert_eq!(error.message, "the plugin `rogue` did not open a session within 30 s, and flowswap stopped it");
}

/// The error for a plugin that does not open its session, and says something every ten seconds.
pub(crate) async fn open_beyond_the_budget() -> String {
    let (process, mut peer) = start(&World::default()).await;
    tokio::time::pause();
    let chatter = async {
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let event = PluginEvent::Log { level: Level::Debug, message: "still at it".into() };
            peer.send(&FromPlugin::Event { id: None, event }).await;
        }
    };
    let open = Open { session: 1, role: Role::Provider, config: Default::default(), secrets: Default::default() };
    let begun = Instant::now();
    let connection = process.supervisor.current();
    let opened = tokio::select! {
        opened = connection.open(open) => opened,
        () = chatter => unreachable!(),
        () = tokio::time::sleep(2 * OPENING.time()) => panic!("it still waits"),
    };
    let (error, waited) = (opened.unwrap_err(), begun.elapsed());
    tokio::time::resume();
    assert_eq!((error.kind, waited.as_secs()), (ErrorKind::TimedOut, OPENING.limit as u64));
    assert_eq!(error.hint.as_deref(), Some(FIX_PLUGIN));
    assert!(connection.end().is_some());
    error.message
}

/// The error of a call after the plugin said too much outside of calls.
pub(crate) async fn say_beyond_the_budget() -> String {
    let world = World::default();
    let (process, mut peer) = start(&world).await;
    let mut last = call(&process, Op::Detect);
    for _ in 0..=SAID_OUTSIDE.limit {
        let event = PluginEvent::Log { level: Level::Warn, message: "x".into() };
        peer.send(&FromPlugin::Event { id: None, event }).await;
    }
    drop(peer);
    let error = failure(&mut last).await;
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert_eq!(world.events.lock().unwrap().len(), SAID_OUTSIDE.limit);
    error.message
}

#[tokio::test]
async fn events_outside_of_calls_are_logged_as_one_line() {
    let world = World::default();
    let (process, mut peer) = start(&world).await;
    let mut last = call(&process, Op::Detect);
    let event = PluginEvent::Log { level: Level::Warn, message: "a\u{1b}[31m\nb ".into() };
    peer.send(&FromPlugin::Event { id: None, event }).await;
    drop(peer);
    failure(&mut last).await;
    let events = world.events.lock().unwrap();
    let Event::Log { plugin, tenant, level, message } = &events[0] else { panic!("{events:?}") };
    assert_eq!((plugin.as_str(), tenant, *level, message.as_str()), ("rogue", &None, Level::Warn, "a [31m b"));
}

fn file() -> (tempfile::TempDir, PluginFile) {
    let dir = crate::testing::folder();
    let path = dir.path().join("plugin");
    fs::write(&path, "not a library").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let file = PluginFile::read("rogue", &path, None).unwrap();
    (dir, file)
}

async fn start_shell(world: &World, script: &str) -> StartError {
    let args = ["-c", script, "sh"].map(OsString::from).to_vec();
    let launcher = Launcher::new("/bin/sh", args);
    let (_dir, file) = file();
    PluginProcess::start(&file, &launcher, Arc::new(world.ports())).await.unwrap_err()
}

#[tokio::test]
async fn the_error_says_how_a_process_ended_and_its_last_line() {
    let world = World::default();
    let error = start_shell(&world, "echo out; echo first >&2; echo boom >&2; exit 3").await;
    assert_eq!(error.to_string(), "the plugin `rogue` did not start: exit status: 3: boom");
    let mut lines: Vec<_> = world
        .events
        .lock()
        .unwrap()
        .iter()
        .map(|event| match event {
            Event::Log { plugin, level, message, .. } => format!("{plugin} {level:?} {message}"),
            event => format!("{event:?}"),
        })
        .collect();
    lines.sort();
    assert_eq!(lines, ["rogue Info out", "rogue Warn boom", "rogue Warn first"]);

    let error = start_shell(&World::default(), "kill -SEGV $$").await;
    assert!(error.to_string().contains("signal: 11 (SIGSEGV)"), "{error}");
}

#[tokio::test]
async fn a_process_gets_bytes_that_it_cannot_change_and_an_empty_environment() {
    // Cargo sets this variable, so the test's own environment is not empty.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let script = "test -z \"$CARGO_MANIFEST_DIR\" && test \"$(cat \"$1\")\" = 'not a library' && echo \"$1 $2\" >&2; \
                  echo more 2>/dev/null >>\"$1\" || echo sealed >&2; exit 1";
    let world = World::default();
    start_shell(&world, script).await;
    let events = world.events.lock().unwrap();
    let lines = events.iter().map(|e| if let Event::Log { message, .. } = e { message.as_str() } else { "" });
    let lines: Vec<_> = lines.collect();
    if cfg!(target_os = "linux") {
        assert_eq!(lines, ["/proc/self/fd/3 required", "sealed"]);
    } else {
        assert!(lines[0].ends_with(" off"), "{lines:?}");
    }
}

#[tokio::test]
async fn a_missing_program_is_reported() {
    let launcher = Launcher::new("/nonexistent/flowswap", vec![]);
    let (_dir, file) = file();
    let error = PluginProcess::start(&file, &launcher, Arc::new(World::default().ports())).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to start the process of the plugin `rogue`");
}

/// All calls of a plugin share one thread. A call that waits for its turn is not too slow.
#[tokio::test(start_paused = true)]
async fn a_call_is_not_timed_out_while_the_plugin_works_for_another() {
    let events = Arc::new(World::default().ports());
    let (connection, _queue) =
        Connection::after_greeting("rogue", &hello("1.0.0"), events, &Limits::default()).unwrap();
    let begin = |id| {
        let call =
            Call { id, session: 0, op: Op::Detect, key: "r".into(), now: "n".into(), params: Value::Null.into() };
        connection.begin(call).unwrap().unwrap()
    };
    let _calls = (begin(1), begin(2));
    let working = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(50)).await;
            let event = PluginEvent::Progress { message: "still at it".to_owned() };
            let message = FromPlugin::Event { id: Some(1), event };
            connection.routes.route(&serde_json::to_vec(&message).unwrap()).unwrap();
        }
    };
    let begun = Instant::now();
    let ((), ()) = tokio::join!(working, connection.silence(Duration::from_secs(60)));
    assert_eq!(begun.elapsed().as_secs(), 50 + 50 + 60);
}
