//! Requests against a scripted other side, with test doubles that record the order of events.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use flowswap_contract::{Ask, Auth, Capture, Custody, Effect, Handle, Op};
use serde_json::json;

use super::*;
use crate::lent::Lent;
use crate::places::Kind;
use crate::scope::Side;
use crate::testing::{CANARY, FRESH, Reaction, World, answer, scope, token_request};
use crate::vault::{KnownSecrets, Vault};

const URL: &str = "https://x.test/apps?limit=2";

pub(crate) fn read() -> HttpAsk {
    HttpAsk { auth: Some(credential()), ..HttpAsk::new(Intent::Read, "GET", URL) }
}

pub(crate) fn mutate() -> HttpAsk {
    HttpAsk { auth: Some(credential()), ..HttpAsk::new(Intent::Mutate, "POST", "https://x.test/apps") }
}

pub(crate) fn create() -> HttpAsk {
    HttpAsk { body: Some(Body::Json(json!({"name": "new"}))), capture: vec![capture(Custody::Durable)], ..mutate() }
}

fn credential() -> Auth {
    Auth::Token { scheme: "SSWS".into(), token: Handle::new("acme/provider/credential") }
}

/// A token request of the client `0oa1`.
fn as_client(secret: &str) -> HttpAsk {
    let auth = Auth::Basic { username: "0oa1".into(), password: Handle::new(secret) };
    HttpAsk { auth: Some(auth), ..token_request() }
}

fn capture(custody: Custody) -> Capture {
    Capture { pointer: "/clientSecret".into(), name: "client_secret".into(), custody }
}

impl Scope<'_> {
    /// The answer to a request.
    pub(crate) async fn request(&self, ask: &HttpAsk) -> Result<HttpAnswer, Error> {
        match self.make_request(ask).await?.answer {
            Answer::Http(answer) => Ok(answer),
            other => panic!("{other:?}"),
        }
    }
}

/// Makes one request as part of the step `create`. Also returns whether it may have changed the world.
pub(crate) async fn perform(world: &World, ask: &HttpAsk) -> (Result<HttpAnswer, Error>, bool) {
    let side = world.side();
    let scope = scope(&side, world.recorder());
    let result = scope.request(ask).await;
    for secret in [CANARY, FRESH] {
        assert!(!format!("{result:?}\n{}", world.told()).contains(secret), "{secret} leaked");
    }
    (result, scope.touched.load(Ordering::Relaxed))
}

pub(crate) fn assert_failed(result: &Result<HttpAnswer, Error>, kind: ErrorKind, effect: Effect, message: &str) {
    let error = result.as_ref().unwrap_err();
    assert_eq!((error.kind, error.effect, error.message.as_str()), (kind, effect, message));
}

#[tokio::test]
async fn a_read_is_sent_with_its_secret_and_answered_without_it() {
    let world = World::with([answer(
        200,
        &[("x-echo", &format!("SSWS {CANARY}")), ("set-cookie", "sid=1"), ("link", "<a>"), ("link", "<b>")],
        json!([{"id": "1", "echo": CANARY}]),
    )]);
    let (result, touched) = perform(&world, &read()).await;
    let answer = result.unwrap();
    assert_eq!(answer.body, json!([{"id": "1", "echo": "[redacted]"}]));
    assert_eq!(answer.header("x-echo"), Some("[redacted]"));
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header_values("link").collect::<Vec<_>>(), ["<a>", "<b>"]);
    assert_eq!((answer.status, answer.attempts, touched), (200, 1, false));
    let requests = world.requests.lock().unwrap();
    assert_eq!(requests[0].headers()["authorization"], format!("SSWS {CANARY}"));
    assert_eq!(requests[0].headers()["accept"], "application/json");
    assert_eq!(requests[0].headers().get("content-length"), None);
    assert_eq!(world.diary(), [format!("send GET {URL}")]);
}

#[tokio::test]
async fn an_echo_of_basic_authentication_is_redacted() {
    let echo = "Basic bWU6YzRuNHJ5L1NlY3JldCUyQlZhbHVl";
    let world = World::with([answer(401, &[], json!({"seen": echo}))]);
    let auth = Auth::Basic { username: "me".into(), password: Handle::new("acme/provider/credential") };
    let ask = HttpAsk { auth: Some(auth), ..token_request() };
    let (result, _) = perform(&world, &ask).await;
    assert_eq!(world.requests.lock().unwrap()[0].headers()["authorization"], echo);
    assert_eq!(result.unwrap().body, json!({"seen": "[redacted]"}));
}

#[tokio::test]
async fn a_mutation_is_journaled_and_its_secret_stored_before_the_plugin_gets_the_answer() {
    let body = json!({"id": "0oa1", "clientSecret": "fresh-value-9c1f", "again": "fresh-value-9c1f"});
    let world = World::with([answer(201, &[("x-okta-request-id", "req-1")], body)]);
    let (result, touched) = perform(&world, &create()).await;
    let handle = "acme/create/client_secret";
    assert_eq!(result.unwrap().body, json!({"id": "0oa1", "clientSecret": {"$secret": handle}, "again": "[redacted]"}));
    assert!(touched);
    assert_eq!(
        world.diary(),
        [
            "journal intended create 0",
            "send POST https://x.test/apps",
            "keep acme/create/client_secret",
            "journal ended create 0 201",
            "journal stored acme/create/client_secret",
        ]
    );
    assert_eq!(world.custody.lock().unwrap()[&Handle::new(handle)].expose(), "fresh-value-9c1f");
    let entries = world.entries.lock().unwrap();
    let outcome = RequestOutcome::Answered { status: 201, request_id: Some("req-1".into()) };
    assert_eq!(entries[1], Entry::RequestEnded { step: "create".into(), request: 0, outcome });
}

#[tokio::test]
async fn a_session_secret_stays_in_memory() {
    let world = World::with([
        answer(200, &[], json!({"access_token": "fresh-token", "scope": "okta.users.read"})),
        answer(200, &[], json!([])),
    ]);
    let side = world.side();
    let scope = scope(&side, world.recorder());
    let capture = Capture { pointer: "/access_token".into(), name: "token".into(), custody: Custody::Session };
    let ask = HttpAsk { capture: vec![capture], ..token_request() };
    let handle = Handle::new("acme/provider/session/token");
    let answer = scope.request(&ask).await.unwrap();
    assert_eq!(answer.body, json!({"access_token": handle.to_value(), "scope": "okta.users.read"}));
    assert!(world.custody.lock().unwrap().is_empty());
    let auth = Some(Auth::Token { scheme: "Bearer".into(), token: handle });
    scope.request(&HttpAsk { auth, ..read() }).await.unwrap();
    assert_eq!(world.requests.lock().unwrap()[1].headers()["authorization"], "Bearer fresh-token");
}

#[tokio::test]
async fn unexpected_secrets_are_redacted() {
    let body = json!({"client_secret": "surprise", "secrets": [{"client_secret": "***abcd"}]});
    let world = World::with([answer(200, &[], body)]);
    let (result, _) = perform(&world, &read()).await;
    assert_eq!(result.unwrap().body, json!({"client_secret": "[redacted]", "secrets": [{"client_secret": "***abcd"}]}));
}

#[tokio::test]
async fn a_successful_answer_without_its_secret_is_an_error() {
    let message = "the answer to POST https://x.test/apps has no secret at `/clientSecret`";
    for body in [json!({"id": "1"}), json!({"clientSecret": "***abcd"}), json!(null)] {
        let world = World::with([answer(201, &[], body)]);
        let (result, touched) = perform(&world, &create()).await;
        assert_failed(&result, ErrorKind::Invalid, Effect::Unknown, message);
        assert!(touched);
    }
    let world = World::with([answer(400, &[], json!({"errorCode": "E0000001"}))]);
    let (result, touched) = perform(&world, &create()).await;
    assert_eq!((result.unwrap().status, touched), (400, false));
}

#[tokio::test]
async fn a_request_that_cannot_be_journaled_is_not_sent() {
    let world = World::with([]);
    *world.broken_record.lock().unwrap() = Some("intended");
    let (result, touched) = perform(&world, &create()).await;
    let message = "POST https://x.test/apps was not sent: failed to append to the journal: disk full";
    assert_failed(&result, ErrorKind::Internal, Effect::None, message);
    assert!(!touched);
    assert_eq!(world.diary(), [""; 0]);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_recorded_is_unknown() {
    for (record, kept, message) in [
        (
            "ended",
            true,
            "the outcome of POST https://x.test/apps was not recorded: failed to append to the journal: disk full",
        ),
        ("stored", true, "failed to append to the journal: disk full"),
    ] {
        let world = World::with([answer(201, &[], json!({"clientSecret": FRESH}))]);
        *world.broken_record.lock().unwrap() = Some(record);
        let (result, _) = perform(&world, &create()).await;
        assert_failed(&result, ErrorKind::Internal, Effect::Unknown, message);
        assert_eq!(world.custody.lock().unwrap().len() == 1, kept, "{record}");
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_stored_is_an_unknown_effect_and_the_answer_is_still_recorded() {
    let world = World::with([answer(201, &[], json!({"clientSecret": FRESH}))]);
    world.broken_custody.store(true, Ordering::Relaxed);
    let (result, _) = perform(&world, &create()).await;
    let message = "failed to store the secret `acme/create/client_secret`: disk full";
    assert_failed(&result, ErrorKind::Internal, Effect::Unknown, message);
    assert_eq!(world.diary().last().unwrap(), "journal ended create 0 201");
}

#[tokio::test(start_paused = true)]
async fn a_reached_rate_limit_holds_all_sessions_of_the_origin() {
    let headers = [
        ("x-rate-limit-remaining", "0"),
        ("x-rate-limit-reset", "1795428020"),
        ("date", "Mon, 23 Nov 2026 10:00:00 GMT"),
    ];
    let world = World::with([answer(200, &headers, json!([])), answer(200, &[], json!([]))]);
    let began = tokio::time::Instant::now();
    perform(&world, &read()).await.0.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    perform(&world, &mutate()).await.0.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(21));
    assert_eq!(world.waits(), [21_000]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_every_wait() {
    let world = World::with([answer(429, &[("retry-after", "60")], json!(null))]);
    let began = tokio::time::Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.stop.stop();
    };
    let ask = mutate();
    let ((result, touched), ()) = tokio::join!(perform(&world, &ask), stop);
    assert_failed(&result, ErrorKind::Interrupted, Effect::None, "the run was stopped");
    assert_eq!((touched, began.elapsed()), (false, Duration::from_secs(1)));
    assert_eq!(world.diary().last().unwrap(), "journal ended create 0 429");
}

#[tokio::test]
async fn a_request_that_the_mode_forbids_is_not_sent() {
    let world = World::with([]);
    let side = world.side();
    let mut scope = scope(&side, world.recorder());
    scope.mode = Mode::DryRun;
    scope.op = Op::Detect;
    scope.step = None;
    let error = scope.request(&mutate()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert_eq!(world.diary(), [""; 0]);
}

#[tokio::test]
async fn only_secrets_of_the_session_and_of_the_call_may_be_used() {
    let world = World::with([answer(200, &[], json!(null))]);
    for name in ["acme/earlier/lent", "acme/earlier/other", "globex/earlier/foreign"] {
        world.custody.lock().unwrap().insert(Handle::new(name), Secret::new("kept-value"));
    }
    let bearer = |name: &str| Some(Auth::Token { scheme: "Bearer".into(), token: Handle::new(name) });
    // The first is not lent to the call. The second is lent, but belongs to another tenant.
    for name in ["acme/earlier/other", "globex/earlier/foreign", "acme/directory/credential"] {
        let (result, _) = perform(&world, &HttpAsk { auth: bearer(name), ..read() }).await;
        let message = format!("plugin `rogue` named the secret `{name}`, which this call may not use");
        assert_failed(&result, ErrorKind::Refused, Effect::None, &message);
    }
    let lent = as_client("acme/earlier/lent");
    perform(&world, &lent).await.0.unwrap();
    assert_eq!(world.requests.lock().unwrap()[0].headers()["authorization"], "Basic MG9hMTprZXB0LXZhbHVl");
    world.custody.lock().unwrap().clear();
    let (result, _) = perform(&world, &lent).await;
    let message = "the secret `acme/earlier/lent` is not in the secret store";
    assert_failed(&result, ErrorKind::NotFound, Effect::None, message);
}

#[tokio::test]
async fn a_call_reads_a_stored_secret_once() {
    let world = World::with((0..2).map(|_| answer(200, &[], json!(null))));
    world.custody.lock().unwrap().insert(Handle::new("acme/earlier/lent"), Secret::new("kept-value"));
    let lent = as_client("acme/earlier/lent");
    let side = world.side();
    let scope = scope(&side, world.recorder());
    scope.request(&lent).await.unwrap();
    world.custody.lock().unwrap().clear();
    scope.request(&lent).await.unwrap();
    for request in world.requests.lock().unwrap().iter() {
        assert_eq!(request.headers()["authorization"], "Basic MG9hMTprZXB0LXZhbHVl");
    }
}

#[tokio::test]
async fn requests_name_the_run_and_the_step() {
    let world = World::with((0..3).map(|_| answer(200, &[], json!(null))));
    let side = world.side();
    let mut scope = scope(&side, world.recorder());
    scope.request(&read()).await.unwrap();
    scope.step = None;
    scope.request(&read()).await.unwrap();
    scope.mode = Mode::DryRun;
    scope.request(&read()).await.unwrap();
    let agents = ["flowswap/0.1.0 (+intent:R/create)", "flowswap/0.1.0 (+run:R)", "flowswap/0.1.0"];
    let requests = world.requests.lock().unwrap();
    for (request, agent) in requests.iter().zip(agents) {
        let agent = agent.replace('R', "00000000-0000-0000-0000-000000000000");
        assert_eq!(request.headers()["user-agent"], agent.replace("0.1.0", env!("CARGO_PKG_VERSION")));
    }
}

#[tokio::test]
async fn a_request_without_a_body_has_content_length_zero() {
    let world = World::with((0..4).map(|_| answer(204, &[], json!(null))));
    for (method, length) in [("POST", Some("0")), ("PUT", Some("0")), ("PATCH", Some("0")), ("DELETE", None)] {
        perform(&world, &HttpAsk::new(Intent::Mutate, method, "https://x.test/apps")).await.0.unwrap();
        let requests = world.requests.lock().unwrap();
        let sent = requests.last().unwrap().headers().get("content-length");
        assert_eq!(sent.map(|value| value.to_str().unwrap()), length, "{method}");
    }
}

#[tokio::test]
async fn mutations_of_a_step_are_numbered_and_their_bodies_hashed_without_secrets() {
    let world = World::with((0..2).map(|_| answer(200, &[], json!(null))));
    let side = world.side();
    let scope = scope(&side, world.recorder());
    world.custody.lock().unwrap().insert(Handle::new("acme/earlier/lent"), Secret::new(CANARY));
    let body = Body::Json(json!({"connection": {"secret": {"$secret": "acme/earlier/lent"}}}));
    let ask = HttpAsk { body: Some(body.clone()), ..mutate() };
    scope.request(&ask).await.unwrap();
    scope.request(&ask).await.unwrap();
    let entries = world.entries.lock().unwrap();
    let intended: Vec<_> = entries.iter().filter(|entry| matches!(entry, Entry::RequestIntended { .. })).collect();
    for (number, entry) in (0..).zip(intended) {
        let expect = Entry::RequestIntended {
            step: "create".into(),
            request: number,
            method: "POST".into(),
            url: "https://x.test/apps".into(),
            body_sha256: Some(digest(&body)),
            secrets: vec![],
        };
        assert_eq!(*entry, expect);
    }
    assert_eq!(
        world.requests.lock().unwrap()[0].body(),
        format!(r#"{{"connection":{{"secret":"{CANARY}"}}}}"#).as_bytes()
    );
}

#[tokio::test]
async fn a_captured_secret_stays_out_of_the_journal_wherever_the_server_repeats_it() {
    for (id, kept) in [
        ("fresh-secret-4d7a", Some("[redacted]")),
        ("id:fresh-secret-4d7a.1", Some("[redacted]")),
        ("reqABC_1.2:3-4", Some("reqABC_1.2:3-4")),
        ("two words", None),
        ("a/b", None),
        ("", None),
        (&*"x".repeat(129), None),
    ] {
        let headers = [("x-okta-request-id", id), ("x-echo", "fresh-secret-4d7a")];
        let world = World::with([answer(200, &headers, json!({"id": "1", "clientSecret": "fresh-secret-4d7a"}))]);
        let (result, _) = perform(&world, &create()).await;
        assert!(!format!("{result:?}").contains("fresh-secret-4d7a"), "{result:?}");
        let entries = world.entries.lock().unwrap();
        let recorded = entries.iter().find_map(|entry| match entry {
            Entry::RequestEnded { outcome: RequestOutcome::Answered { request_id, .. }, .. } => {
                Some(request_id.clone())
            }
            _ => None,
        });
        assert_eq!(recorded.unwrap().as_deref(), kept, "{id}");
        assert!(!format!("{entries:?}").contains("fresh-secret-4d7a"), "{entries:?}");
    }
}

#[tokio::test]
async fn an_intent_names_the_secrets_that_will_be_stored() {
    let world =
        World::with([answer(200, &[], json!({"id": "1", "kept": "kept-secret-0001", "used": "used-secret-0002"}))]);
    let side = world.side();
    let capture =
        |pointer: &str| Capture { pointer: pointer.into(), name: pointer[1..].into(), custody: Custody::Durable };
    let captures = vec![capture("/kept"), capture("/used")];
    scope(&side, world.recorder()).request(&HttpAsk { capture: captures, ..mutate() }).await.unwrap();
    let entries = world.entries.lock().unwrap();
    let secrets = entries.iter().find_map(|entry| match entry {
        Entry::RequestIntended { secrets, .. } => Some(secrets.clone()),
        _ => None,
    });
    assert_eq!(secrets, Some(vec![Handle::new("acme/create/kept"), Handle::new("acme/create/used")]));
}

/// A plugin may know the key: whatever it hashes must not depend on a secret.
#[tokio::test]
async fn a_secret_is_not_hashed() {
    let echo = |text: &str| answer(200, &[], json!({ "echo": text }));
    let world = World::with([echo(CANARY), echo(&format!("x {CANARY}")), echo("[redacted]"), echo("[redacted]")]);
    let side = world.side();
    let scope = scope(&side, world.recorder());
    let key = scope.mint("blinding_key").await.unwrap();
    let ask = HttpAsk { blind: Some(Box::new(Blind { key, pointers: vec!["/echo".into()] })), ..read() };
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(scope.request(&ask).await.unwrap().body);
    }
    assert_eq!(seen[..2], seen[2..]);
}

#[tokio::test]
async fn the_plugin_sees_people_as_hashes_under_a_key_that_the_host_made() {
    let page = json!([{"id": "00u1", "profile": {"login": "Ann@acme.test"}}, {"id": "00u2", "profile": {}}]);
    let world = World::with([answer(200, &[], page.clone()), answer(200, &[], page.clone()), answer(403, &[], page)]);
    let side = world.side();
    let scope = scope(&side, world.recorder());
    let key = scope.mint("blinding_key").await.unwrap();
    assert_eq!(key, Handle::new("acme/create/blinding_key"));
    let held = world.custody.lock().unwrap()[&key].expose().to_owned();
    assert_eq!(held.len(), 64);
    let made = format!("journal {:?}", Entry::SecretMade { step: "create".into(), handle: key.clone() });
    assert_eq!(world.diary(), [format!("keep {key}"), made]);

    let ask = HttpAsk { blind: Some(Box::new(Blind { key, pointers: vec!["/*/profile/login".into()] })), ..read() };
    let first = scope.request(&ask).await.unwrap().body;
    let login = first[0]["profile"]["login"].as_str().unwrap();
    assert!(login.len() == Blind::DIGITS && login.bytes().all(|b| b.is_ascii_hexdigit()), "{first}");
    assert_eq!((&first[0]["id"], &first[1]), (&json!("00u1"), &json!({"id": "00u2", "profile": {}})));
    assert_eq!(scope.request(&ask).await.unwrap().body, first, "the same key gives the same hash");
    assert_eq!(scope.request(&ask).await.unwrap().status, 403);
    assert!(!world.told().contains(&held) && !world.told().contains("Ann@acme.test"));
    assert_ne!(scope.mint("other").await.map(|other| world.custody.lock().unwrap()[&other].expose() == held), Ok(true));
}

#[tokio::test]
async fn the_plugin_sees_only_what_it_needs_of_a_successful_answer() {
    let page = json!([{"id": "00u1", "profile": {"login": "ann", "email": "ann@acme.test"}}]);
    let world =
        World::with([answer(200, &[], page.clone()), answer(403, &[], page.clone()), answer(200, &[], page.clone())]);
    let side = world.side();
    let scope = scope(&side, world.recorder());
    let ask = read().keeping(&["/*/profile/login"]);
    assert_eq!(scope.request(&ask).await.unwrap().body, json!([{"profile": {"login": "ann"}}]));
    assert_eq!(scope.request(&ask).await.unwrap().body, page, "a refusal must be readable");
    assert_eq!(scope.request(&read()).await.unwrap().body, page);
}

#[tokio::test]
async fn a_secret_is_made_only_where_it_can_be_stored() {
    let world = World::default();
    let side = world.side();
    async fn refused(scope: Scope<'_>, ask: Ask) -> Error {
        scope.perform(&ask).await.unwrap_err()
    }
    let mint = |name: &str| Ask::Mint { name: name.to_owned() };
    for (mode, step) in [(Mode::DryRun, Some("create")), (Mode::Apply, None)] {
        let error = refused(Scope { mode, step, ..scope(&side, world.recorder()) }, mint("key")).await;
        let message = "plugin `rogue` asked for a new secret during `apply`, where it cannot be stored";
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Refused, message));
    }
    assert_eq!(refused(scope(&side, world.recorder()), mint("../../globex/key")).await.kind, ErrorKind::Protocol);
    world.broken_custody.store(true, Ordering::Relaxed);
    assert_eq!(refused(scope(&side, world.recorder()), mint("key")).await.kind, ErrorKind::Internal);
    assert_eq!(world.diary(), [""; 0], "a secret that is not stored is not recorded");
    // A key of another tenant must not be used for hashing.
    let foreign = Blind { key: Handle::new("globex/earlier/foreign"), pointers: vec![] };
    let error = scope(&side, world.recorder())
        .request(&HttpAsk { blind: Some(Box::new(foreign)), ..read() })
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
}

#[tokio::test]
async fn a_secret_never_replaces_one_that_may_have_been_shown_only_once() {
    let secret = |value: &str| answer(200, &[], json!({"id": "1", "clientSecret": value, "other": value}));
    let stored = |world: &World| {
        let custody = world.custody.lock().unwrap();
        custody.get(&Handle::new("acme/create/client_secret")).map(|secret| secret.expose().to_owned())
    };
    let exists = "plugin `rogue` asked for a new secret `acme/create/client_secret`, which already exists".to_owned();

    // Two in one request.
    let world = World::default();
    let twice = vec![capture(Custody::Durable), Capture { pointer: "/other".into(), ..capture(Custody::Durable) }];
    let (result, touched) = perform(&world, &HttpAsk { capture: twice, ..mutate() }).await;
    let message = "plugin `rogue` asked for two secrets under the name `acme/create/client_secret`";
    assert_failed(&result, ErrorKind::Refused, Effect::None, message);
    assert!(!touched && world.diary().is_empty(), "{:?}", world.diary());

    // Two requests of one call, one after the other or together. A request that brings none does not count.
    let world = World::with([answer(403, &[], json!({})), Reaction::NotSent, secret("first-value-0001")]);
    let side = world.side();
    let call = Scope { mode: Mode::Remove, ..scope(&side, world.recorder()) };
    assert_eq!(call.request(&create()).await.unwrap().status, 403);
    call.request(&create()).await.unwrap_err();
    let (first, second) = (create(), create());
    let (first, second) = tokio::join!(call.request(&first), call.request(&second));
    first.unwrap();
    assert_eq!(second.unwrap_err().message, exists);
    let third = call.request(&create()).await.unwrap_err();
    assert_eq!((third.kind, third.message), (ErrorKind::Refused, exists.clone()));
    assert_eq!(stored(&world).as_deref(), Some("first-value-0001"));

    // A later call, unless it is an `apply` that knows of the secret. The old one stays until the new one arrives.
    let known =
        || Lent { secrets: [(Handle::new("acme/create/client_secret"), Default::default())].into(), ..Lent::default() };
    let mut other_verb = Scope { lent: known(), ..scope(&side, world.recorder()) };
    other_verb.op = Op::Undo;
    for refused in [scope(&side, world.recorder()), other_verb] {
        assert_eq!(refused.request(&create()).await.unwrap_err().message, exists);
    }
    let finish = Scope { lent: known(), ..scope(&side, world.recorder()) };
    world.reactions.lock().unwrap().extend([Reaction::Lost, secret("second-value-0002"), secret("third-value-0003")]);
    finish.request(&create()).await.unwrap_err();
    assert_eq!(stored(&world).as_deref(), Some("first-value-0001"));
    finish.request(&create()).await.unwrap();
    assert_eq!(stored(&world).as_deref(), Some("second-value-0002"));
    assert_eq!(finish.request(&create()).await.unwrap_err().message, exists);
    assert_eq!(finish.mint("client_secret").await.unwrap_err().message, exists);
    assert_eq!(world.reactions.lock().unwrap().len(), 1, "only the permitted ones were sent");
}

/// What is not declared as JSON, or cannot be decoded, has the secret all the same.
#[tokio::test]
async fn a_token_in_an_answer_that_is_not_json_is_hidden() {
    const TOKEN: &str = "T0ken-that-no-plugin-may-see";
    let json = format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer"}}"#);
    let form = format!("access_token={TOKEN}&token_type=bearer");
    let too_large = format!(r#"{{"access_token":"{TOKEN}","expires_in":1e999}}"#);
    let renamed = format!(r#"{{"token":{{"value":["{TOKEN}"]}},"token_type":"Bearer","expires_in":3600}}"#);
    for (kind, body) in [
        ("text/plain", &*json),
        ("application/x-www-form-urlencoded", &form),
        ("application/json", &too_large),
        ("application/json", &renamed),
        ("text/plain", TOKEN),
    ] {
        let response = http::Response::builder().status(200).header("content-type", kind);
        let world = World::with([Reaction::Answer(response.body(body.to_owned().into()).unwrap())]);
        let (result, _) = perform(&world, &as_client("acme/provider/credential")).await;
        let seen = format!("{result:?}");
        assert!(!seen.contains(TOKEN), "{body}: {seen}");
    }
}

#[tokio::test]
async fn a_new_client_secret_in_an_answer_that_is_not_json_is_hidden() {
    let json = r#"{"id":"0oa9","client_secret":"N3w-client-secret"}"#;
    let within = json!({ "data": json }).to_string();
    let xml = "<client><clientSecret>N3w-client-secret</clientSecret></client>";
    let form = "id=1&client%5Fsecret%3DN3w-client-secret";
    let table = "client_id\tclient_secret\n0oa9\tN3w-client-secret";
    for (kind, body) in [
        ("text/plain", json),
        ("text/plain", xml),
        ("text/plain", form),
        ("text/plain", table),
        ("text/plain", "CLIENT_SECRET\n= N3w-client-secret"),
        ("application/json", &within),
    ] {
        let response = http::Response::builder().status(201).header("content-type", kind);
        let world = World::with([Reaction::Answer(response.body(body.to_owned().into()).unwrap())]);
        let (result, _) = perform(&world, &mutate()).await;
        assert!(!format!("{result:?}").contains("N3w"), "{body}: {result:?}");
    }
    let harmless = json!({ "error_description": "the client_secret is wrong" });
    let world = World::with([answer(400, &[], harmless.clone())]);
    assert_eq!(perform(&world, &mutate()).await.0.unwrap().body, harmless);
}

/// A server chooses its tokens. It must not choose what the plugin of the other side sees.
#[tokio::test]
async fn a_token_hides_nothing_from_the_other_side() {
    const ID: &str = "0oa1legacyclient9x5d7";
    let event = json!([{ "actor": { "id": ID } }]);
    let world = World::with([
        answer(200, &[], json!({ "access_token": ID, "token_type": "Bearer" })),
        answer(200, &[], event.clone()),
        answer(200, &[], event.clone()),
    ]);
    let known = Arc::<KnownSecrets>::default();
    let [org, directory] = [(); 2].map(|()| {
        let side = Side { vault: Vault::of(Arc::clone(&known)), ..world.side() };
        side.vault.keep(Handle::new("acme/provider/credential"), Kind::Configured, Secret::new(CANARY));
        side
    });
    let capture = Capture { pointer: "/access_token".into(), name: "t".into(), custody: Custody::Session };
    let token = HttpAsk { capture: vec![capture], ..as_client("acme/provider/credential") };
    scope(&directory, world.recorder()).request(&token).await.unwrap();
    let seen = async |side| scope(side, world.recorder()).request(&read()).await.unwrap().body;
    assert_eq!(seen(&directory).await, json!([{ "actor": { "id": "[redacted]" } }]));
    assert_eq!(seen(&org).await, event);
}

/// Masks of stored secrets hold for both sides.
#[tokio::test]
async fn a_directory_stores_no_secret_of_an_answer() {
    let world = World::default();
    let side = Side { role: flowswap_contract::Role::Directory, ..world.side() };
    let error = scope(&side, world.recorder()).request(&create()).await.unwrap_err();
    let refused = "plugin `rogue` asked to store a new secret, which only a provider may do";
    assert_eq!((error.kind, error.effect, error.message.as_str()), (ErrorKind::Refused, Effect::None, refused));
}

#[tokio::test]
async fn what_everybody_sees_does_not_become_a_secret() {
    let world = World::with([answer(201, &[], json!({ "id": "1", "clientSecret": "0oa1LegacyClient9x5d7" }))]);
    let side = world.side();
    side.vault.publish("the inventory", r#"{"client_id":"0oa1legacyclient9x5d7"}"#);
    let error = scope(&side, world.recorder()).request(&create()).await.unwrap_err();
    assert!(error.message.contains("repeats something else as a new secret"), "{}", error.message);
    assert!(world.custody.lock().unwrap().is_empty());
}
