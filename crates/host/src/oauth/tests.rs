//! How the host gets a token and uses it, with an authorization server that the test plays.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use flowswap_contract::{Auth, ClientProof, Effect, ErrorKind, Handle, HttpAsk, Intent, OAuthClient};
use flowswap_engine::Secret;
use http::Request;
use serde_json::{Value, json};

use crate::{
    jose::tests::{decode, p256, rsa},
    places::Kind,
    scope::Side,
    testing::{FRESH, Reaction, World, answer, scope},
};

const TOKEN: &str = "https://x.test/token";
const KEY: &str = "acme/provider/private_key";

fn client() -> OAuthClient {
    let key = Handle::new(KEY);
    OAuthClient {
        token_url: TOKEN.to_owned(),
        client_id: "0oaADMIN".to_owned(),
        proof: ClientProof::PrivateKeyJwt { key, key_id: Some("kid-1".to_owned()), algorithm: None },
        scopes: vec!["okta.apps.read".to_owned()],
        dpop: None,
    }
}

fn ask(client: OAuthClient, intent: Intent) -> HttpAsk {
    let method = if intent == Intent::Mutate { "POST" } else { "GET" };
    let auth = Some(Auth::Client(Box::new(client)));
    HttpAsk { auth, ..HttpAsk::new(intent, method, "https://x.test/apps?limit=2") }
}

fn read() -> HttpAsk {
    ask(client(), Intent::Read)
}

fn side(world: &World) -> Side {
    let side = world.side();
    side.vault.keep(Handle::new(KEY), Kind::Configured, Secret::new(p256().to_string()));
    side
}

fn granted(kind: &str, scope: &str) -> Reaction {
    answer(200, &[], json!({ "token_type": kind, "access_token": FRESH, "expires_in": 3600, "scope": scope }))
}

fn bearer() -> Reaction {
    granted("Bearer", "okta.apps.read")
}

fn apps() -> Reaction {
    answer(200, &[], json!([{ "id": "0oa1", "echo": FRESH }]))
}

fn refused(status: u16, error: &str, description: &str) -> Reaction {
    answer(status, &[], json!({ "error": error, "error_description": description }))
}

fn header<'a>(request: &'a Request<bytes::Bytes>, name: &str) -> &'a str {
    request.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn form(request: &Request<bytes::Bytes>, name: &str) -> String {
    let fields = form_urlencoded::parse(request.body());
    fields.into_iter().find(|(field, _)| field == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Nothing that the client has may be told to anybody.
fn assert_untold(world: &World, shown: &str) {
    let told = world.told() + shown;
    let d = p256()["d"].as_str().unwrap().to_owned();
    assert!(!told.contains(FRESH) && !told.contains(&d) && !told.contains("eyJ"), "{told}");
}

#[tokio::test]
async fn a_client_gets_one_token_for_many_requests() {
    let world = World::with([bearer(), apps(), apps(), apps()]);
    let side = side(&world);
    let scope = scope(&side, world.recorder());
    let (read, first) = (read(), read());
    let (first, second) = futures::join!(scope.request(&first), scope.request(&read));
    let third = scope.request(&read).await;
    for answer in [first, second, third] {
        assert_eq!(answer.unwrap().body, json!([{ "id": "0oa1", "echo": "[redacted]" }]));
    }
    let requests = world.requests.lock().unwrap();
    let urls: Vec<String> = requests.iter().map(|request| request.uri().to_string()).collect();
    let apps = "https://x.test/apps?limit=2";
    assert_eq!(urls, [TOKEN, apps, apps, apps]);
    assert!(requests[1..].iter().all(|request| header(request, "authorization") == format!("Bearer {FRESH}")));
    assert!(requests.iter().all(|request| header(request, "dpop").is_empty()));

    let token = &requests[0];
    assert_eq!(
        (form(token, "grant_type"), form(token, "scope")),
        ("client_credentials".into(), "okta.apps.read".into())
    );
    assert_eq!(form(token, "client_assertion_type"), "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let [head, claims] = decode(&form(token, "client_assertion"));
    assert_eq!(head, json!({ "alg": "ES256", "kid": "kid-1" }));
    assert_eq!(claims["jti"].as_str().unwrap().len(), 32);
    let expected =
        json!({ "iss": "0oaADMIN", "sub": "0oaADMIN", "aud": TOKEN, "iat": -30, "exp": 270, "jti": claims["jti"] });
    assert_eq!(claims, expected);
    drop(requests);
    assert_untold(&world, "");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_expires_with_a_new_assertion() {
    let world = World::with([bearer(), apps(), apps(), bearer(), apps()]);
    let side = side(&world);
    let scope = scope(&side, world.recorder());
    scope.request(&read()).await.unwrap();
    tokio::time::advance(Duration::from_secs(54 * 60)).await;
    scope.request(&read()).await.unwrap();
    tokio::time::advance(Duration::from_secs(2 * 60)).await;
    scope.request(&read()).await.unwrap();
    let requests = world.requests.lock().unwrap();
    let assertions: Vec<String> =
        requests.iter().map(|request| form(request, "client_assertion")).filter(|it| !it.is_empty()).collect();
    let [first, second] = &assertions[..] else { panic!("{assertions:?}") };
    assert_ne!(decode(first)[1]["jti"], decode(second)[1]["jti"]);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_an_assertion_of_its_own() {
    let world = World::with([answer(503, &[], json!({})), bearer(), apps()]);
    let side = side(&world);
    scope(&side, world.recorder()).request(&read()).await.unwrap();
    let requests = world.requests.lock().unwrap();
    let [first, second] =
        [0, 1].map(|index: usize| decode(&form(&requests[index], "client_assertion"))[1]["jti"].clone());
    assert_ne!(first, second);
}

/// A server may end a token early. A 401 says that nothing was done, so also a change is sent again, once.
#[tokio::test]
async fn a_token_that_the_server_no_longer_takes_is_renewed_once() {
    let expired = || answer(401, &[], json!({ "errorCode": "E0000011" }));
    let world = World::with([bearer(), expired(), bearer(), answer(201, &[], json!({}))]);
    let side = side(&world);
    let answer = scope(&side, world.recorder()).request(&ask(client(), Intent::Mutate)).await.unwrap();
    assert_eq!((answer.status, answer.attempts), (201, 2));
    let apps = "send POST https://x.test/apps?limit=2";
    let token = "send POST https://x.test/token";
    assert_eq!(world.diary(), [token, "journal intended create 0", apps, token, apps, "journal ended create 0 201"]);

    let world = World::with([bearer(), expired(), bearer(), expired()]);
    let side = self::side(&world);
    let answer = scope(&side, world.recorder()).request(&read()).await.unwrap();
    assert_eq!((answer.status, answer.attempts), (401, 2));
}

/// The dance of RFC 9449: the server asks for a proof, then for a nonce; later, another nonce is needed for a resource.
#[tokio::test]
async fn a_token_is_bound_to_a_key_if_the_server_wants_it() {
    let nonce = |status, error: &str, nonce| answer(status, &[("dpop-nonce", nonce)], json!({ "error": error }));
    let challenge = [("www-authenticate", "DPoP error=\"use_dpop_nonce\""), ("dpop-nonce", "n-2")];
    let world = World::with([
        refused(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing."),
        nonce(400, "use_dpop_nonce", "n-1"),
        granted("DPoP", "okta.apps.read"),
        apps(),
        answer(401, &challenge, json!({})),
        apps(),
        nonce(400, "use_dpop_nonce", "n-3"),
        apps(),
    ]);
    let side = side(&world);
    let scope = scope(&side, world.recorder());
    for _ in 0..3 {
        scope.request(&read()).await.unwrap();
    }
    let requests = world.requests.lock().unwrap();
    assert_eq!(header(&requests[0], "dpop"), "");
    let proofs: Vec<[Value; 2]> = requests[1..].iter().map(|request| decode(header(request, "dpop"))).collect();
    let claims = |index: usize| &proofs[index][1];
    let thumbprints: Vec<&Value> = proofs.iter().map(|[head, _]| &head["jwk"]).collect();
    assert!(thumbprints.iter().all(|jwk| *jwk == thumbprints[0]), "one key for the process");
    assert_eq!(proofs[0][0]["typ"], "dpop+jwt");
    assert_eq!((&claims(0)["htm"], &claims(0)["htu"]), (&json!("POST"), &json!(TOKEN)));
    let nonces: Vec<String> = (0..7).map(|index| claims(index)["nonce"].to_string()).collect();
    assert_eq!(nonces.join(" "), r#"null "n-1" "n-1" "n-1" "n-2" "n-2" "n-3""#);
    // A proof for a resource names it without its query, and the token.
    let ath = BASE64URL.encode(<sha2::Sha256 as sha2::Digest>::digest(FRESH));
    assert_eq!(
        (&claims(2)["htm"], &claims(2)["htu"], &claims(2)["ath"]),
        (&json!("GET"), &json!("https://x.test/apps"), &json!(ath))
    );
    assert!(requests[3..].iter().all(|request| header(request, "authorization") == format!("DPoP {FRESH}")));
    let ids: std::collections::BTreeSet<String> = (0..7).map(|index| claims(index)["jti"].to_string()).collect();
    assert_eq!(ids.len(), 7, "each proof is new");
    drop(requests);
    assert_untold(&world, "");
}

/// What a client may not have, the server says when the token is requested. Nothing is journaled then.
#[tokio::test]
async fn a_refusal_says_why_and_nothing_is_sent() {
    let described = "The client_assertion JWT kid is invalid.";
    let bound = OAuthClient { dpop: Some(true), ..client() };
    let unbound = OAuthClient { dpop: Some(false), ..client() };
    let html = Reaction::Answer(http::Response::builder().status(401).body("<html>".into()).unwrap());
    let rows = [
        (
            client(),
            refused(401, "invalid_client", described),
            ErrorKind::Auth,
            "refused a token to the client 0oaADMIN: invalid_client: The client_assertion JWT kid is invalid",
        ),
        (
            client(),
            refused(400, "invalid_scope", "x"),
            ErrorKind::Permission,
            "refused a token to the client 0oaADMIN: invalid_scope: x",
        ),
        (
            client(),
            refused(403, "access_denied", "x"),
            ErrorKind::Permission,
            "refused a token to the client 0oaADMIN: access_denied: x",
        ),
        (
            client(),
            granted("Bearer", "okta.logs.read"),
            ErrorKind::Permission,
            "did not grant the client 0oaADMIN the scope okta.apps.read",
        ),
        (
            client(),
            granted("MAC", "okta.apps.read"),
            ErrorKind::Invalid,
            "granted a token of a type that flowswap does not know",
        ),
        (
            client(),
            granted("DPoP", "okta.apps.read"),
            ErrorKind::Invalid,
            "granted a token that is bound to a key, although flowswap named none",
        ),
        (
            bound,
            bearer(),
            ErrorKind::Config,
            "granted a token that is bound to no key: the client 0oaADMIN does not use DPoP",
        ),
        (
            unbound,
            refused(400, "invalid_dpop_proof", "missing"),
            ErrorKind::Auth,
            "refused a token to the client 0oaADMIN: invalid_dpop_proof: missing",
        ),
        (
            client(),
            answer(200, &[], json!({ "access_token": FRESH })),
            ErrorKind::Invalid,
            "is not one of OAuth 2.0, with `access_token` and `token_type`",
        ),
        (
            client(),
            answer(200, &[], json!({ "access_token": "a b", "token_type": "Bearer" })),
            ErrorKind::Invalid,
            "granted a token with characters that a header cannot hold",
        ),
        (client(), html, ErrorKind::Unavailable, "something between this machine and x.test answered: 401"),
    ];
    for (client, reaction, kind, message) in rows {
        let world = World::with([reaction]);
        let side = side(&world);
        let error = scope(&side, world.recorder()).request(&ask(client, Intent::Mutate)).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{}", error.message);
        assert!(error.message.contains(message), "{}\n{message}", error.message);
        assert_eq!(world.diary(), ["send POST https://x.test/token"]);
        assert_untold(&world, &format!("{error:?}"));
    }
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_named() {
    let world = World::default();
    let side = world.side();
    side.vault.keep(Handle::new(KEY), Kind::Configured, Secret::new("-----BEGIN PUBLIC KEY-----\ncanary-0f3e"));
    let error = scope(&side, world.recorder()).request(&read()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config);
    assert_eq!(
        error.message,
        "the private key `acme/provider/private_key` is a public key or a certificate, and only a private key can sign"
    );
    assert!(world.diary().is_empty() && error.hint.is_some());
}

/// A plugin decides neither where the key goes nor who gets the token.
#[tokio::test]
async fn the_credential_of_a_client_is_used_only_at_its_own_token_endpoint() {
    for (url, problem) in [
        ("https://evil.test/token", "asked for a request to a foreign origin"),
        ("https://x.test/apps", "asked for a token at a path that it does not declare"),
        ("https://x.test/token?x=1", "a token request must POST a form"),
    ] {
        let world = World::default();
        let side = side(&world);
        let client = OAuthClient { token_url: url.to_owned(), ..client() };
        let error = scope(&side, world.recorder()).request(&ask(client, Intent::Read)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(error.message.contains(problem), "{}", error.message);
        assert!(world.diary().is_empty());
    }
    // The secret of a step does not belong to the configuration.
    let world = World::default();
    let side = side(&world);
    let proof = ClientProof::ClientSecretBasic { secret: Handle::new("acme/earlier/lent") };
    let error = scope(&side, world.recorder())
        .request(&ask(OAuthClient { proof, ..client() }, Intent::Read))
        .await
        .unwrap_err();
    assert!(error.message.contains("as the credential of a client"), "{}", error.message);
}

/// Another credential is another client: a side that cannot authenticate gets no token of others.
#[tokio::test]
async fn a_token_is_shared_only_by_those_who_have_its_credential() {
    let world = World::with([bearer(), apps(), refused(401, "invalid_client", "signature")]);
    let side = side(&world);
    scope(&side, world.recorder()).request(&read()).await.unwrap();
    let other = world.side();
    other.vault.keep(Handle::new(KEY), Kind::Configured, Secret::new(rsa().to_string()));
    let error = scope(&other, world.recorder()).request(&read()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Auth);
}
