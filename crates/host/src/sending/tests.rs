//! Which requests are repeated, and how each result is evaluated.

use flowswap_contract::Effect;
use serde_json::json;

use std::sync::{Arc, Mutex};

use tower::util::BoxCloneSyncService;

use super::*;
use crate::{budget::ANSWERS, governor::Place, room::Room};
use crate::{
    cause::{Cause, Flaw},
    request::tests::{assert_failed, create, mutate, perform, read},
    scope::Scope,
    testing::{Reaction, World, answer, page, scope, token_request},
};

#[tokio::test(start_paused = true)]
async fn a_read_is_repeated_until_it_is_answered() {
    let world = World::with([
        Reaction::NotSent,
        Reaction::Lost,
        answer(503, &[("retry-after", "7")], json!(null)),
        answer(429, &[], json!(null)),
        answer(200, &[], json!([1])),
    ]);
    let (result, _) = perform(&world, &read()).await;
    let answer = result.unwrap();
    assert_eq!((answer.body, answer.attempts), (json!([1]), 5));
    assert_eq!(world.waits(), [500, 1000, 7000, 4000]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_stays_refused_returns_the_refusal() {
    let world = World::with((0..5).map(|_| answer(429, &[], json!({"errorCode": "E0000047"}))));
    let (result, touched) = perform(&world, &mutate()).await;
    let answer = result.unwrap();
    assert_eq!((answer.status, answer.attempts, touched), (429, 5, false));
    assert_eq!(world.diary()[0], "journal intended create 0");
    assert_eq!(world.diary()[6..], ["journal ended create 0 429"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_fails_with_its_cause() {
    let lost = "got no answer from x.test to GET https://x.test/apps: connection reset";
    let not_sent = "failed to connect to x.test: connection refused";
    let maybe_sent = "got no answer from x.test to POST https://x.test/apps: connection reset";
    for (ask, reaction, count, effect, message, outcome) in [
        (read(), (|| Reaction::Lost) as fn() -> Reaction, 5, Effect::None, lost, None),
        (mutate(), || Reaction::NotSent, 5, Effect::None, not_sent, Some("not sent")),
        (mutate(), || Reaction::Lost, 1, Effect::Unknown, maybe_sent, Some("lost")),
        (HttpAsk { idempotent: true, ..mutate() }, || Reaction::Lost, 5, Effect::Unknown, maybe_sent, Some("lost")),
    ] {
        let world = World::with((0..count).map(|_| reaction()));
        let (result, touched) = perform(&world, &ask).await;
        assert_failed(&result, ErrorKind::Unavailable, effect, message);
        assert_eq!(touched, effect == Effect::Unknown);
        assert!(world.reactions.lock().unwrap().is_empty());
        if let Some(outcome) = outcome {
            assert_eq!(*world.diary().last().unwrap(), format!("journal ended create 0 {outcome}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_may_have_arrived_counts_even_if_later_ones_do_not_arrive() {
    let ask = HttpAsk { idempotent: true, ..mutate() };
    let reactions = [Reaction::Lost, Reaction::NotSent, Reaction::NotSent, Reaction::NotSent, Reaction::NotSent];
    let world = World::with(reactions);
    let (result, touched) = perform(&world, &ask).await;
    assert_eq!((result.unwrap_err().effect, touched), (Effect::Unknown, true));
    assert_eq!(world.diary().last().unwrap(), "journal ended create 0 lost");
}

#[tokio::test(start_paused = true)]
async fn a_request_times_out_after_the_time_that_the_plugin_sets() {
    let world = World::with([Reaction::Silence]);
    let ask = HttpAsk { timeout_ms: Some(1500), ..mutate() };
    let began = tokio::time::Instant::now();
    let (result, _) = perform(&world, &ask).await;
    let message = "got no answer from x.test to POST https://x.test/apps: no answer within 1.5 s";
    assert_failed(&result, ErrorKind::TimedOut, Effect::Unknown, message);
    assert_eq!(began.elapsed(), Duration::from_millis(1500));
    assert_eq!(world.diary().last().unwrap(), "journal ended create 0 lost");
}

#[tokio::test]
async fn a_server_error_of_a_mutation_may_have_changed_something() {
    let world = World::with([answer(500, &[], json!({"errorCode": "E0000009"}))]);
    let (result, touched) = perform(&world, &mutate()).await;
    assert_eq!((result.unwrap().status, touched), (500, true));
}

#[test]
fn bodies_are_decoded_by_type_and_content() {
    for (content_type, bytes, expect) in [
        (Some("application/json"), r#"{"a":1}"#, json!({"a": 1})),
        (Some("application/problem+JSON; charset=utf-8"), "[1]", json!([1])),
        (None, "[1]", json!([1])),
        (Some("text/html"), "<p>", json!("<p>")),
        (Some("text/plain"), "1", json!("1")),
        (Some("application/json"), "<p>", json!("<p>")),
        (Some("application/json"), "", json!(null)),
        (Some("application/json"), "\u{feff}[1]", json!([1])),
    ] {
        let mut response = http::Response::builder();
        if let Some(content_type) = content_type {
            response = response.header("content-type", content_type);
        }
        assert_eq!(decode(response.body(bytes.into()).unwrap(), 1).body, expect, "{content_type:?} {bytes}");
    }
}

/// Performs the request with the same reaction to every attempt. The last value is the number of attempts.
async fn perform_against(
    ask: &HttpAsk,
    reaction: impl Fn() -> Reaction,
) -> (World, Result<HttpAnswer, Error>, bool, usize) {
    let world = World::with((0..5).map(|_| reaction()));
    let (result, touched) = perform(&world, ask).await;
    let attempts = world.requests.lock().unwrap().len();
    (world, result, touched, attempts)
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_a_proxy_or_portal_never_reaches_the_plugin() {
    for (status, reads, idempotent, mutates) in [
        (200, 1, 1, 1),
        (302, 1, 1, 1),
        (401, 1, 1, 1),
        (403, 1, 1, 1),
        (404, 1, 1, 1),
        (407, 1, 1, 1),
        (410, 1, 1, 1),
        (408, 5, 5, 1),
        (429, 5, 5, 1),
        (500, 5, 5, 1),
        (502, 5, 5, 1),
        (503, 5, 5, 1),
        (504, 5, 5, 1),
    ] {
        let certain = HttpAsk { idempotent: true, ..create() };
        for (ask, expect) in [(read(), reads), (token_request(), reads), (certain, idempotent), (create(), mutates)] {
            let (world, result, touched, attempts) = perform_against(&ask, || page(status)).await;
            let mutates = ask.intent == Intent::Mutate;
            let error = result.unwrap_err();
            let effect = if mutates { Effect::Unknown } else { Effect::None };
            let kind = if status == 407 { ErrorKind::Unreachable } else { ErrorKind::Unavailable };
            assert_eq!((error.kind, error.effect, touched), (kind, effect, mutates), "{status}");
            let said = format!("something between this machine and x.test answered: {status} text/html");
            assert!(error.message.starts_with(&said), "{}", error.message);
            assert_eq!((attempts, error.context["answered_by"].as_str()), (expect, "foreign"), "{status} {ask:?}");
            // The journal records the other side's answer as lost, and no secret of this answer is stored.
            let diary = world.diary();
            assert_eq!(diary.last().unwrap() == "journal ended create 0 lost", mutates, "{diary:?}");
            assert!(world.custody.lock().unwrap().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_the_interface_reaches_the_plugin_and_decides_the_effect() {
    for (status, reads, idempotent, mutates, touched) in [
        (400, 1, 1, 1, false),
        (401, 1, 1, 1, false),
        (403, 1, 1, 1, false),
        (404, 1, 1, 1, false),
        (408, 5, 5, 1, true),
        (409, 1, 1, 1, false),
        (410, 1, 1, 1, false),
        (429, 5, 5, 5, false),
        (500, 5, 1, 1, true),
        (503, 5, 5, 1, true),
    ] {
        let certain = HttpAsk { idempotent: true, ..mutate() };
        for (ask, expect) in [(read(), reads), (certain, idempotent), (mutate(), mutates)] {
            let mutates = ask.intent == Intent::Mutate;
            let (_, result, changed, attempts) =
                perform_against(&ask, || answer(status, &[], json!({"code": 1}))).await;
            assert_eq!((result.unwrap().status, attempts), (status, expect), "{status} {ask:?}");
            assert_eq!(changed, mutates && touched, "{status} {ask:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failures_that_a_repetition_cannot_fix_are_final() {
    use Sent::{MaybeSent, NotSent};
    let expired = Flaw::Expired("2026-11-01T00:00:00Z".parse().ok());
    for (sent, cause, message, attempts) in [
        (NotSent, Cause::Refused, "failed to connect to x.test: connection refused", 5),
        (NotSent, Cause::NoRoute, "failed to connect to x.test: no route to its network", 5),
        (
            NotSent,
            Cause::LookupFailed("Try again".into()),
            "failed to connect to x.test: failed to look up its name (Try again)",
            5,
        ),
        (NotSent, Cause::UnknownHost, "failed to connect to x.test: this host name does not exist", 1),
        (NotSent, Cause::ProxyAuth, "failed to connect to x.test: the proxy asks for authentication (407)", 1),
        (NotSent, Cause::ProxyRefused, "failed to connect to x.test: the proxy refused to connect to it", 1),
        (NotSent, Cause::NoTls, "failed to connect to x.test: the server does not speak TLS", 1),
        (
            NotSent,
            Cause::Certificate(expired),
            "failed to connect to x.test: its certificate expired at 2026-11-01T00:00:00Z",
            1,
        ),
        (
            NotSent,
            Cause::Certificate(Flaw::WrongName(vec!["y.test".into()])),
            "failed to connect to x.test: its certificate is only for y.test",
            1,
        ),
        (MaybeSent, Cause::TooLong, "GET https://x.test/apps: the answer is longer than 16 MiB", 1),
        (
            MaybeSent,
            Cause::Closed,
            "got no answer from x.test to GET https://x.test/apps: the connection was closed",
            5,
        ),
    ] {
        let (_, result, _, seen) = perform_against(&read(), || Reaction::Fails(sent, cause.clone())).await;
        let error = result.unwrap_err();
        assert_eq!((error.message.as_str(), seen), (message, attempts));
        assert_eq!((error.effect, error.hint.as_deref()), (Effect::None, cause.hint()), "{message}");
        let (_, result, touched, _) = perform_against(&mutate(), || Reaction::Fails(sent, cause.clone())).await;
        let unknown = sent == MaybeSent;
        assert_eq!((result.unwrap_err().effect == Effect::Unknown, touched), (unknown, unknown), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_many_tenants_is_not_waited_for_once_per_tenant() {
    let mut attempts = Vec::new();
    let gate = crate::Gate::default();
    let mut errors = Vec::new();
    for number in 0..12 {
        let world = World { gate: gate.clone(), ..World::with((0..5).map(|_| Reaction::NotSent)) };
        let side = Side { tenant: format!("t{number}"), ..world.side() };
        errors.extend(scope(&side, world.recorder()).request(&HttpAsk { auth: None, ..mutate() }).await.err());
        // A request that was on its way when the outage was recognized.
        if number == 9 {
            gate.outages.record_failure(side.role, "late", "connection refused", false);
        }
        attempts.push(world.requests.lock().unwrap().len());
        assert_eq!(world.diary().iter().any(|line| line.contains("intended")), number < 8, "{number}");
    }
    assert_eq!(attempts, [5, 5, 5, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
    let message =
        "x.test was not tried: other tenants failed in the same way, and no server answered: connection refused";
    for error in &errors[8..] {
        let expect = (ErrorKind::Unavailable, Effect::None, message);
        assert_eq!((error.kind, error.effect, error.message.as_str()), expect);
    }

    // A cause that may concern a single host is checked at each host.
    let hosts = crate::Gate::default();
    for number in 0..12 {
        let unknown = Reaction::Fails(Sent::NotSent, Cause::UnknownHost);
        let world = World { gate: hosts.clone(), ..World::with([unknown]) };
        let side = Side { tenant: format!("t{number}"), ..world.side() };
        let error = scope(&side, world.recorder()).request(&HttpAsk { auth: None, ..read() }).await.unwrap_err();
        assert_eq!(error.message, "failed to connect to x.test: this host name does not exist");
    }

    // Once a probe is answered, all tenants continue.
    tokio::time::advance(Duration::from_secs(10)).await;
    let world = World { gate, ..World::with([answer(200, &[], json!([])), answer(200, &[], json!([]))]) };
    perform(&world, &read()).await.0.unwrap();
    perform(&world, &read()).await.0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_page_in_place_of_every_answer_is_not_waited_for_once_per_tenant() {
    let gate = crate::Gate::default();
    let mut attempts = Vec::new();
    for number in 0..10 {
        let world = World { gate: gate.clone(), ..World::with((0..5).map(|_| page(503))) };
        let side = Side { tenant: format!("t{number}"), ..world.side() };
        scope(&side, world.recorder()).request(&HttpAsk { auth: None, ..read() }).await.unwrap_err();
        attempts.push(world.requests.lock().unwrap().len());
    }
    assert_eq!(attempts, [5, 5, 5, 1, 1, 1, 1, 1, 1, 1]);
}

#[tokio::test]
async fn only_answers_of_the_server_itself_measure_its_clock() {
    let date = ("date", "Thu, 01 Jan 1970 00:10:00 GMT");
    let Reaction::Answer(mut foreign) = page(403) else { unreachable!() };
    foreign.headers_mut().insert("date", date.1.parse().unwrap());
    let world = World::with([Reaction::Answer(foreign), answer(200, &[date], json!([]))]);
    let told = || world.gate.skews.of("https://x.test").map(|skew| skew.as_secs());
    perform(&world, &read()).await.0.unwrap_err();
    assert_eq!(told(), None);
    perform(&world, &read()).await.0.unwrap();
    // The test's clock is at the epoch.
    assert_eq!(told(), Some(601));
}

/// Performs a request of a step that removes a client. Also returns whether it may have changed something, and for how many
/// milliseconds it was put off.
async fn remove(world: &World, ask: &HttpAsk) -> (Result<HttpAnswer, Error>, bool, u64) {
    let side = world.side();
    let scope = Scope { mode: Mode::Remove, ..scope(&side, world.recorder()) };
    let result = scope.request(ask).await;
    (result, scope.touched.into_inner(), scope.put_off_ms.into_inner())
}

#[tokio::test(start_paused = true)]
async fn a_removal_is_sent_only_once_and_returns_that_result() {
    let ask = HttpAsk { idempotent: true, ..mutate() };
    let limited = || answer(429, &[("retry-after", "7")], json!({"errorCode": "E0000047"}));
    let foreign = "something between this machine and x.test answered: 503 text/html";
    for (reaction, result, ms, changed, ended) in [
        (limited(), Ok(429), 7000, false, "429"),
        (answer(503, &[], json!({})), Ok(503), 500, true, "503"),
        (page(503), Err((ErrorKind::Unavailable, foreign)), 500, true, "lost"),
        (
            page(407),
            Err((ErrorKind::Unreachable, "something between this machine and x.test answered: 407")),
            0,
            true,
            "lost",
        ),
        (Reaction::NotSent, Err((ErrorKind::Unavailable, "failed to connect to x.test")), 500, false, "not sent"),
        (Reaction::Lost, Err((ErrorKind::Unavailable, "got no answer from x.test")), 500, true, "lost"),
        (answer(403, &[], json!({})), Ok(403), 0, false, "403"),
    ] {
        let world = World::with([reaction]);
        let (seen, touched, put_off_ms) = remove(&world, &ask).await;
        match (seen, result) {
            (Ok(answer), Ok(status)) => assert_eq!((answer.status, answer.attempts), (status, 1)),
            (Err(error), Err((kind, begin))) => {
                assert_eq!(error.kind, kind, "{error}");
                assert!(error.message.starts_with(begin), "{error}");
                assert_eq!(error.effect == Effect::Unknown, changed, "{error}");
            }
            (seen, result) => panic!("{seen:?}, not {result:?}"),
        }
        assert_eq!((touched, put_off_ms), (changed, ms), "{ended}");
        assert_eq!(*world.diary().last().unwrap(), format!("journal ended create 0 {ended}"));
        assert_eq!(world.waits(), [0_u64; 0]);
    }
}

/// Before the change, nothing waits: neither at the gate, nor to repeat a read. Requests after the change may wait.
#[tokio::test(start_paused = true)]
async fn requests_before_a_removal_never_wait_and_requests_after_it_may() {
    let limited = || answer(429, &[("retry-after", "7")], json!({"errorCode": "E0000047"}));
    let done = answer(204, &[], json!(null));
    let read_back = answer(200, &[], json!([1]));
    let world = World::with([limited(), done, limited(), read_back]);
    let side = world.side();
    let place = Place { origin: "https://x.test", bucket: "", shows_limits: true };
    side.effects.gate.governor.learn(place, None, Some(Duration::from_secs(9)));
    let scope = Scope { mode: Mode::Remove, ..scope(&side, world.recorder()) };
    assert_eq!(scope.request(&read()).await.unwrap().status, 429);
    assert_eq!(scope.put_off_ms.load(Ordering::Relaxed), 7000);
    assert_eq!(scope.request(&mutate()).await.unwrap().status, 204);
    assert_eq!(world.waits(), [0_u64; 0]);
    assert_eq!(scope.request(&read()).await.unwrap().status, 200);
    assert_eq!(world.waits(), [9000, 7000]);
}

/// Three tenants make five requests each, and later tenants make one each, until another kind of answer comes.
#[tokio::test(start_paused = true)]
async fn a_dry_run_does_not_repeat_a_5xx_that_many_tenants_get() {
    let broken = || answer(500, &[], json!({"errorCode": "E0000009"}));
    let attempts = async |world: &World, tenant: &str, mode: Mode| {
        let side = Side { tenant: tenant.to_owned(), ..world.side() };
        let ask = HttpAsk { auth: None, ..read() };
        Scope { mode, ..scope(&side, world.recorder()) }.request(&ask).await.unwrap().attempts
    };
    let world =
        World::with((0..27).map(|_| broken()).chain([answer(200, &[], json!([]))]).chain((0..5).map(|_| broken())));
    for (tenant, mode, expect) in [
        ("a", Mode::DryRun, 5),
        ("b", Mode::DryRun, 5),
        ("c", Mode::DryRun, 5),
        ("d", Mode::DryRun, 1),
        ("e", Mode::DryRun, 1),
        ("f", Mode::Apply, 5),
        ("g", Mode::Apply, 5),
        ("h", Mode::DryRun, 1),
        ("h", Mode::DryRun, 5),
    ] {
        assert_eq!(attempts(&world, tenant, mode).await, expect, "{tenant}");
    }
    assert!(world.reactions.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_late_removal_is_put_off() {
    let world = World::with([answer(204, &[], json!(null)), answer(204, &[], json!(null))]);
    let side = world.side();
    let scope = Scope { mode: Mode::Remove, ..scope(&side, world.recorder()) };
    tokio::time::advance(Duration::from_secs(16)).await;
    let error = scope.request(&mutate()).await.unwrap_err();
    let message = "POST https://x.test/apps was not sent: the work before it took longer than 15 s";
    assert_eq!((error.kind, error.effect, error.message.as_str()), (ErrorKind::TimedOut, Effect::None, message));
    assert_eq!((world.diary(), scope.put_off_ms.load(Ordering::Relaxed)), (vec![], 1000));
    // Requests after the first change are sent, and other steps have no such limit.
    scope.touch();
    assert_eq!(scope.request(&mutate()).await.unwrap().status, 204);
    let scope = Scope { mode: Mode::Apply, touched: false.into(), ..scope };
    assert_eq!(scope.request(&mutate()).await.unwrap().status, 204);
}

/// An answer that takes up room, after it has waited for the room.
async fn long_answer(room: &Room, request: http::Request<Bytes>, status: u16) -> http::Response<Bytes> {
    let waited = request.extensions().get::<Waited>().unwrap();
    let permit = room.take(ANSWERS.limit, waited).await.unwrap();
    let mut answer = http::Response::builder().status(status).body("x".repeat(100).into()).unwrap();
    answer.extensions_mut().insert(Held::of(permit, ANSWERS.limit));
    answer
}

#[tokio::test(start_paused = true)]
async fn a_request_may_wait_for_room_beyond_its_time_limit_and_keeps_none_while_it_waits_to_be_repeated() {
    let world = World::default();
    let mut side = world.side();
    let room = Room::default();
    let others = room.take(ANSWERS.limit, &Waited::default()).await.unwrap();
    let (statuses, for_service) = (Arc::new(Mutex::new(vec![200, 503])), room.clone());
    side.http = BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Bytes>| {
        let (room, status) = (for_service.clone(), statuses.lock().unwrap().pop().unwrap());
        async move { Ok(long_answer(&room, request, status).await) }
    }));
    let scope = scope(&side, world.recorder());
    let ask = HttpAsk { timeout_ms: Some(1000), auth: None, ..read() };
    let performed = async {
        let performed = scope.make_request(&ask).await.unwrap();
        (performed, tokio::time::Instant::now())
    };
    let others_end = async {
        tokio::time::sleep(Duration::from_secs(600)).await;
        drop(others);
        // The first answer is a 503. Its room is free before the request is repeated after 500 ms.
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(room.take(ANSWERS.limit, &Waited::default()).await.unwrap());
        tokio::time::Instant::now()
    };
    let ((performed, answered_at), free_at) = tokio::join!(performed, others_end);
    assert!(free_at < answered_at);
    assert!(performed.held.is_some(), "the answer keeps its room until the plugin has it");
    assert!(futures::poll!(std::pin::pin!(room.take(1, &Waited::default()))).is_pending());
    drop(performed);
    assert!(room.take(ANSWERS.limit, &Waited::default()).await.is_some());
}
