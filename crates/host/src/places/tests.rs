//! Random requests against a server that looks at what arrives.

use std::collections::BTreeMap;

use fastrand::Rng;
use flowswap_contract::{Blind, ErrorKind};
use flowswap_engine::Secret;
use http::header::AUTHORIZATION;
use serde_json::json;

use super::*;
use crate::testing::{World, answer, scope};

const SECRETS: [(&str, Kind, &str); 4] = [
    ("acme/provider/credential", Kind::Configured, "c0nf1gured-value"),
    ("acme/provider/session/token", Kind::Token, "t0ken-value"),
    ("acme/earlier/lent", Kind::OfStep, "l3nt-value"),
    ("acme/create/kept", Kind::OfStep, "k3pt-value"),
];

/// The only place in a body that the plan of [`scope`] names, for `acme/earlier/lent`.
const NAMED: &str = "/connection/secret";

#[tokio::test]
async fn no_secret_leaves_its_place() {
    let seed = fastrand::u64(..);
    println!("seed: {seed}");
    let mut rng = Rng::with_seed(seed);
    let (mut sent, mut refused) = (BTreeMap::<String, u32>::new(), 0);
    for _ in 0..20_000 {
        let ask = random_ask(&mut rng);
        let world = World::with([answer(200, &[], json!(null))]);
        world.custody.lock().unwrap().insert(Handle::new("acme/earlier/lent"), Secret::new("l3nt-value"));
        let side = world.side();
        for (name, kind, value) in SECRETS.iter().filter(|(name, ..)| *name != "acme/earlier/lent") {
            side.vault.keep(Handle::new(*name), *kind, Secret::new(*value));
        }
        match scope(&side, world.recorder()).request(&ask).await {
            Ok(_) => {
                for place in inspect(&world.requests.lock().unwrap()[0], &ask) {
                    *sent.entry(place).or_default() += 1;
                }
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Refused, "{error:?}: {ask:?}");
                assert!(world.requests.lock().unwrap().is_empty(), "sent and refused: {ask:?}");
                refused += 1;
            }
        }
    }
    println!("sent: {sent:?}; refused: {refused}");
    let seen: Vec<&str> = sent.keys().map(String::as_str).collect();
    let expected = [
        "Configured as Basic",
        "Configured as a token",
        "OfStep as Basic",
        "OfStep in /client_secret",
        "OfStep in /connection/secret",
        "Token as a token",
    ];
    assert_eq!(seen, expected, "every legal place was used, and no other");
    assert!(refused > 10_000);
}

/// The places of all secrets in a request, seen from the other side. Panics at one that must not be there.
fn inspect(request: &http::Request<bytes::Bytes>, ask: &HttpAsk) -> Vec<String> {
    let mut places = Vec::new();
    let authorization = request.headers().get(AUTHORIZATION).map_or("", |value| value.to_str().unwrap());
    let body = String::from_utf8(request.body().to_vec()).unwrap();
    let target = request.uri().to_string();
    for (name, kind, value) in SECRETS {
        let basic = splice_basic(value);
        assert!(!target.contains(value), "{ask:?}");
        if authorization == format!("Basic {basic}") {
            assert!(kind == Kind::Configured || ask.intent == Intent::Authenticate, "{ask:?}");
            places.push(format!("{kind:?} as Basic"));
        } else if authorization.contains(value) {
            places.push(format!("{kind:?} as a token"));
        }
        match body.matches(value).count() {
            0 => {}
            1 if ask.intent == Intent::Authenticate => {
                assert!(body.contains(&format!("client_secret={value}")), "{body}");
                places.push(format!("{kind:?} in /client_secret"));
            }
            1 => {
                let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| json!(body));
                assert_eq!(name, "acme/earlier/lent", "{ask:?}");
                assert_eq!(request.uri().host(), Some("x.test"), "{ask:?}");
                assert_eq!(body.pointer(NAMED), Some(&json!(value)), "{ask:?}");
                places.push(format!("{kind:?} in {NAMED}"));
            }
            _ => assert!(ask.intent == Intent::Authenticate, "{ask:?}"),
        }
        let headers = request.headers().iter().filter(|(name, _)| *name != AUTHORIZATION);
        assert!(headers.into_iter().all(|(_, header)| !header.to_str().unwrap().contains(value)), "{ask:?}");
    }
    places
}

fn splice_basic(value: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(format!("me:{value}"))
}

fn random_ask(rng: &mut Rng) -> HttpAsk {
    let intent = *rng.choice(&[Intent::Read, Intent::Authenticate, Intent::Mutate]).unwrap();
    let method = if intent == Intent::Read { "GET" } else { "POST" };
    let path = if intent == Intent::Authenticate { "token" } else { "a" };
    let mut ask = HttpAsk::new(intent, method, format!("https://x.test/{path}"));
    ask.auth = match rng.u8(..4) {
        0 => Some(Auth::Basic { username: "me".into(), password: random_handle(rng) }),
        1 if intent != Intent::Authenticate => Some(Auth::Token { scheme: "Bearer".into(), token: random_handle(rng) }),
        _ => None,
    };
    ask.body = match intent {
        Intent::Read => None,
        Intent::Authenticate => {
            let mut fields = vec![("grant_type".to_owned(), json!("client_credentials"))];
            if rng.bool() {
                let name = *rng.choice(&["client_secret", "client_id", "scope", "client_assertion"]).unwrap();
                fields.push((name.to_owned(), random_handle(rng).to_value()));
            }
            Some(Body::Form(fields))
        }
        Intent::Mutate if rng.u8(..4) == 0 => {
            let name = *rng.choice(&["client_secret", "connection/secret"]).unwrap();
            Some(Body::Form(vec![(name.to_owned(), random_handle(rng).to_value())]))
        }
        Intent::Mutate => Some(Body::Json(random_body(rng))),
    };
    if rng.u8(..8) == 0 {
        ask.blind = Some(Box::new(Blind { key: random_handle(rng), pointers: vec![] }));
    }
    ask
}

fn random_body(rng: &mut Rng) -> Value {
    let secret = random_handle(rng).to_value();
    match rng.u8(..6) {
        0 => json!({ "connection": secret }),
        1 => json!({ "connection": [secret] }),
        2 => json!({ "connection/secret": secret }),
        3 => json!({ "connection": { "secret": { "x": secret } } }),
        4 => json!({ "other": "text" }),
        _ => json!({ "connection": { "secret": secret } }),
    }
}

fn random_handle(rng: &mut Rng) -> Handle {
    Handle::new(rng.choice(&SECRETS).unwrap().0)
}

#[test]
fn a_place_of_the_plan_is_bound_to_its_origin() {
    let (here, there) =
        (crate::origin::parse("https://x.test").unwrap(), crate::origin::parse("https://y.test").unwrap());
    let handle = Handle::new("acme/earlier/lent");
    let place = Place::Body(NAMED.to_owned());
    let stands = |handle: &Handle, origin: &Origin, named: Option<Named>| {
        may_stand((handle, Kind::OfStep), &place, Intent::Mutate, origin, named.as_slice().into())
    };
    let named = |origin: Option<&Origin>| {
        Some(Named { handle: handle.clone(), origin: origin.cloned(), pointer: NAMED.to_owned() })
    };
    assert!(stands(&handle, &here, named(Some(&here))));
    assert!(!stands(&handle, &there, named(Some(&here))));
    assert!(!stands(&handle, &here, named(None)));
    assert!(!stands(&Handle::new("acme/earlier/other"), &here, named(Some(&here))));
    assert!(!stands(&handle, &here, None));
    let of_old_plan = may_stand((&handle, Kind::OfStep), &place, Intent::Mutate, &here, None);
    assert!(of_old_plan, "a step from before plans named places goes on");
}

#[test]
fn places_are_told_in_words() {
    let body = Body::Json(json!({ "a/b": [1, { "$secret": "t/s/x" }] }));
    let ask = HttpAsk { body: Some(body), ..HttpAsk::new(Intent::Mutate, "POST", "https://x.test") };
    let words: Vec<_> = secrets_in(&ask).into_iter().map(|(_, place)| place.to_string()).collect();
    assert_eq!(words, ["in the body at `/a~1b/1`"]);
}
