//! Every row of the table is enforced, with its message, and shown in the documents.

use std::sync::Arc;

use flowswap_contract::{Ask, Body, Capture, Custody, Effect, ErrorKind, FromPlugin, HttpAsk, Level, PluginEvent};
use flowswap_engine::Event;
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::{
    connection, frame, library, relay,
    request::tests::mutate,
    room::{Held, Room, Waited},
    routes::{FromCall, Route, Routes, Waiting},
    session, shown, supervisor,
    testing::{World, answer, scope},
    transport::{TransportError, read_body},
};

const TABLE: [&Budget; 23] = [
    &ANSWER,
    &ANSWERS,
    &DECODED,
    &DEPTH,
    &GREETING,
    &MESSAGE,
    &REPLY,
    &REACTION,
    &ASKS_AT_ONCE,
    &ASKS_LENGTH,
    &ASKS,
    &SECRETS,
    &SECRET,
    &MUTATIONS,
    &PAUSE,
    &OPENING,
    &CALL,
    &RESTARTS,
    &TEXT,
    &PRINTED,
    &SAID,
    &SAID_LENGTH,
    &SAID_OUTSIDE,
];

#[test]
fn the_documents_show_the_table() {
    let rows = TABLE.map(|b| format!("| {} | {} | {} | {} |\n", b.of, b.shown(), b.why, b.message()));
    let table = format!("| what | limit | why | beyond it |\n| --- | --- | --- | --- |\n{}", rows.concat());
    assert!(include_str!("../../../README.md").contains(&table), "put this into crates/README.md:\n{table}");
}

#[tokio::test]
async fn every_budget_is_enforced_with_its_message() {
    for budget in TABLE {
        let told = go_beyond(budget).await;
        assert!(told.contains(&budget.message()), "{}: {told}", budget.of);
    }
}

/// What a person reads after something went just beyond the budget.
async fn go_beyond(budget: &Budget) -> String {
    match budget.of {
        of if of == ANSWER.of => read(ANSWER.limit + 1, &Room::default()).await.unwrap_err().describe(),
        of if of == ANSWERS.of => fill_room().await,
        of if of == GREETING.of => connection::read_greeting(&vec![b' '; GREETING.limit + 1]).unwrap_err(),
        of if of == MESSAGE.of => frame::push(&mut Vec::new(), &vec![0; MESSAGE.limit + 1]).unwrap_err().to_string(),
        of if of == DECODED.of => read_text(r#"{"":0},"#.repeat(10_000)).await,
        of if of == DEPTH.of => read_text("[".repeat(DEPTH.limit + 1)).await,
        of if of == REPLY.of => reply_at_length(),
        of if of == REACTION.of => library::tests::flood_beyond_the_budget(),
        of if of == ASKS_AT_ONCE.of => ask_for_much_at_once(),
        of if of == ASKS_LENGTH.of => ask_at_length(),
        of if of == ASKS.of => refused(&[Ask::Sleep { ms: 0 }], ASKS.limit).await,
        of if of == SECRETS.of => refused(&[capture(SECRETS.limit + 1)], 0).await,
        of if of == SECRET.of => capture_a_long_secret().await,
        of if of == MUTATIONS.of => refused(&vec![Ask::Http(mutate()); MUTATIONS.limit + 1], 0).await,
        of if of == PAUSE.of => refused(&[Ask::Sleep { ms: 10 * 60 * 1000 + 1 }], 0).await,
        of if of == OPENING.of => connection::tests::open_beyond_the_budget().await,
        of if of == CALL.of => session::tests::call_beyond_the_budget().await,
        of if of == RESTARTS.of => supervisor::tests::end_beyond_the_budget().await,
        of if of == TEXT.of => shown::one_line(&"x".repeat(TEXT.limit + 1)),
        of if of == PRINTED.of => print_much().await,
        of if of == SAID.of => session::tests::say_beyond_the_budget().await,
        of if of == SAID_LENGTH.of => session::tests::say_something_long().await,
        of if of == SAID_OUTSIDE.of => connection::tests::say_beyond_the_budget().await,
        of => panic!("no test goes beyond the budget of {of}"),
    }
}

/// Reads an answer of this length.
async fn read(length: usize, room: &Room) -> Result<Option<Held>, TransportError> {
    let mut answer = http::Response::new(vec![b'x'; length]).into();
    let failed = |error: reqwest::Error| panic!("{error}");
    let (body, held) = read_body(&mut answer, room, &Waited::default(), failed).await?;
    assert_eq!(body.len(), length);
    Ok(held)
}

async fn read_text(text: String) -> String {
    let mut answer = http::Response::new(text).into();
    let failed = |error: reqwest::Error| panic!("{error}");
    read_body(&mut answer, &Room::default(), &Waited::default(), failed).await.unwrap_err().describe()
}

fn reply_at_length() -> String {
    let (routes, _asks) = routes();
    let dense = format!("[{}{{}}]", "{},".repeat(10_000));
    let why = format!("sent a message that is not used: {DECODED}");
    assert_eq!(routes.route(dense.as_bytes()).unwrap_err(), why);
    routes.route(&vec![b' '; REPLY.limit + 1]).unwrap_err()
}

async fn fill_room() -> String {
    let room = Room::default();
    let mut held = Vec::new();
    for _ in 0..ANSWERS.limit / ANSWER.limit {
        held.extend(read(ANSWER.limit, &room).await.unwrap());
    }
    // A short answer never waits.
    assert!(read(crate::room::SMALL_ANSWER, &room).await.unwrap().is_none());
    let next = read(crate::room::SMALL_ANSWER + 1, &room);
    tokio::pin!(next);
    assert!(futures::poll!(&mut next).is_pending(), "the next answer has no room");
    held.pop();
    assert!(next.await.unwrap().is_some());
    ANSWERS.message()
}

/// The message of the refusal of the last of these asks. `before` is how many the call has asked before.
async fn refused(asks: &[Ask], before: usize) -> String {
    let world = World::with((1..asks.len()).map(|_| answer(204, &[], json!(null))));
    let side = world.side();
    let scope = scope(&side, world.recorder());
    scope.asks.spend(&ASKS, before).unwrap();
    let (last, permitted) = asks.split_last().unwrap();
    for ask in permitted {
        scope.perform(ask).await.unwrap();
    }
    let sent = world.requests.lock().unwrap().len();
    let error = scope.perform(last).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert_eq!(world.requests.lock().unwrap().len(), sent, "it was sent");
    error.message
}

async fn capture_a_long_secret() -> String {
    let capture = vec![Capture { pointer: "/secret".into(), name: "secret".into(), custody: Custody::Durable }];
    let ask = HttpAsk { capture, ..mutate() };
    for length in [SECRET.limit, SECRET.limit + 1] {
        let world =
            World::with([answer(200, &[], json!({ "secret": "9".repeat(length), "again": "9".repeat(length) }))]);
        let side = world.side();
        let result = scope(&side, world.recorder()).request(&ask).await;
        if length > SECRET.limit {
            let error = result.unwrap_err();
            assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::Unknown));
            assert!(world.custody.lock().unwrap().is_empty(), "it was stored");
            return error.message;
        }
        assert_eq!(result.unwrap().body["again"], "[redacted]");
    }
    unreachable!()
}

fn capture(secrets: usize) -> Ask {
    let capture = |n| Capture { pointer: format!("/{n}"), name: format!("s{n}"), custody: Custody::Durable };
    Ask::Http(HttpAsk { capture: (0..secrets).map(capture).collect(), ..mutate() })
}

/// The routes of a process with one call, and what arrives in it.
fn routes() -> (Routes, mpsc::UnboundedReceiver<FromCall>) {
    let (inbox, asks) = mpsc::unbounded_channel();
    let mut waiting = Waiting::default();
    waiting.calls.insert(1, Route::to(inbox));
    let routes = Routes {
        plugin: "rogue".into(),
        events: Arc::new(World::default().ports()),
        waiting: waiting.into(),
        kill_request: watch::Sender::new(None),
    };
    (routes, asks)
}

fn ask_for_much_at_once() -> String {
    let (routes, _asks) = routes();
    let mut numbers = 0..;
    let mut ask = || {
        let n = numbers.next().unwrap();
        routes.route(&serde_json::to_vec(&FromPlugin::Ask { id: 1, n, ask: Ask::Sleep { ms: 0 } }).unwrap())
    };
    (0..ASKS_AT_ONCE.limit).for_each(|_| ask().unwrap());
    routes.answered(1, 0);
    ask().unwrap();
    ask().unwrap_err()
}

/// One ask beyond the budget by itself, and then two that are too long only together.
fn ask_at_length() -> String {
    let (routes, mut asks) = routes();
    let mut numbers = 0..;
    let mut ask = |length: usize| {
        let body = Some(Body::Json("0".repeat(length).into()));
        let ask = Ask::Http(HttpAsk { body, ..mutate() });
        routes.route(&serde_json::to_vec(&FromPlugin::Ask { id: 1, n: numbers.next().unwrap(), ask }).unwrap())
    };
    let half = ASKS_LENGTH.limit / 2;
    ask(half - 1000).unwrap();
    routes.answered(1, 0);
    ask(half - 1000).unwrap();
    let together = ask(half + 1000).unwrap_err();
    assert_eq!(together, format!("{ASKS_LENGTH} in call 1"));
    assert_eq!(std::iter::from_fn(|| asks.try_recv().ok()).count(), 2);
    ask(2 * half + 1).unwrap_err()
}

/// A plugin that never stops talking in a call fills no memory.
#[test]
fn what_a_call_says_beyond_the_budget_does_not_pile_up() {
    let (routes, mut inbox) = routes();
    let event = PluginEvent::Progress { message: "x".into() };
    let message = serde_json::to_vec(&FromPlugin::Event { id: Some(1), event }).unwrap();
    (0..2 * SAID.limit).for_each(|_| routes.route(&message).unwrap());
    assert_eq!(std::iter::from_fn(|| inbox.try_recv().ok()).count(), SAID.limit + 1);
}

async fn print_much() -> String {
    let world = World::default();
    let lines = "x\n".repeat(PRINTED.limit + 2);
    relay::relay(lines.as_bytes(), "rogue".into(), Level::Warn, Arc::new(world.ports()), None).await;
    match world.events.lock().unwrap().last() {
        Some(Event::Log { message, .. }) => message.clone(),
        other => panic!("{other:?}"),
    }
}
