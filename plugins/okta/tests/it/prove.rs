//! Proving the new credentials against Okta.

use flowswap_contract::{ErrorKind, EvidenceResult, HttpAnswer, Op, TestReply};
use flowswap_okta::Okta;
use serde_json::{Value, json};

use crate::{
    driver::{Driver, answer, refused, results},
    fake::{Failure, FakeOkta, Fault, missing_scope, oauth_error, okta_error, service},
    prepare,
};

/// A session and an org whose new client has a secret that works.
fn prepare_client() -> (Driver<Okta>, FakeOkta, Value) {
    let inputs = json!({"client_id": "0oaNEW", "client_secret": {"$secret": "held"}});
    let (mut okta, mut org, params) = prepare("prove", inputs, json!({}));
    org.services.push(service("0oaNEW", "panw_cie", "x", &[]));
    org.secrets.push(("0oaNEW".to_owned(), "ocs1".to_owned(), "ACTIVE", "CANARY-held".to_owned()));
    okta.secrets.insert("held".to_owned(), "CANARY-held".to_owned());
    (okta, org, json!({ "step": params }))
}

const GOOD: [&str; 8] = [
    "token: Pass",
    "scopes: Pass",
    "read-users: Pass",
    "read-groups: Pass",
    "read-authorization-servers: Pass",
    "read-logs: Pass",
    "scope-enforced: Pass",
    "wrong-secret: Pass",
];

#[test]
fn a_new_client_gets_some_time_to_become_usable() {
    let (mut okta, mut org, params) = prepare_client();
    org.faults.push(Fault { at: "/token", failure: Failure::Answer(oauth_error(401, "invalid_client")), times: 4 });
    let reply: TestReply = okta.call(&mut org, Op::Test, &params).unwrap();
    assert_eq!(results(&reply.evidence), GOOD);
    let pauses: Vec<_> = okta.asked.iter().filter(|line| line.starts_with("sleep")).collect();
    assert_eq!(pauses, ["sleep 500 ms", "sleep 1000 ms", "sleep 2000 ms", "sleep 4000 ms"]);
    let told = &reply.evidence[0].detail;
    assert!(told.ends_with("for 3600 s, 7.5 s after the first request"), "{told}");
}

/// A server that permits everything, such as a portal or a careless proxy, proves nothing.
#[test]
fn what_must_be_refused_is_refused() {
    type Flaw = (fn(&mut FakeOkta), [&'static str; 2], &'static str);
    let table: [Flaw; 2] = [
        (|org| org.ignores_scopes = true, ["scope-enforced: Fail", "wrong-secret: Pass"], "does not check scopes"),
        (|org| org.ignores_secrets = true, ["scope-enforced: Pass", "wrong-secret: Fail"], "does not check secrets"),
    ];
    for (flaw, expected, words) in table {
        let (mut okta, mut org, params) = prepare_client();
        flaw(&mut org);
        let reply: TestReply = okta.call(&mut org, Op::Test, &params).unwrap();
        assert_eq!(results(&reply.evidence)[6..], expected);
        let failed = reply.evidence.iter().find(|seen| seen.result == EvidenceResult::Fail).unwrap();
        assert!(failed.detail.ends_with(words), "{failed:?}");
    }
}

#[test]
fn the_wait_for_a_new_client_ends() {
    let (mut okta, mut org, params) = prepare_client();
    org.faults.push(Fault { at: "/token", failure: Failure::Answer(oauth_error(401, "invalid_client")), times: 99 });
    let reply: TestReply = okta.call(&mut org, Op::Test, &params).unwrap();
    assert_eq!(results(&reply.evidence), ["token: Fail"]);
    assert!(reply.evidence[0].detail.contains("401 invalid_client"), "{}", reply.evidence[0].detail);
    assert_eq!(okta.asked.iter().filter(|line| line.contains("/token")).count(), 5);
}

#[test]
fn scopes_are_compared_both_ways() {
    let all = "okta.authorizationServers.read okta.groups.read okta.logs.read okta.users.read";
    let passed = format!("{all}; without okta.users.read.self, because a service client cannot request that");
    let table = [
        (all.to_owned(), "Pass", passed.as_str()),
        ("okta.users.read okta.logs.read okta.groups.read okta.authorizationServers.read".to_owned(), "Pass", &passed),
        (all.replace("okta.logs.read ", ""), "Fail", "missing: okta.logs.read"),
        (format!("{all} okta.users.manage"), "Fail", "not requested: okta.users.manage"),
        (all.replace("okta.logs", "okta.apps"), "Fail", "missing: okta.logs.read; not requested: okta.apps.read"),
        (String::new(), "Fail", &format!("missing: {all}")),
    ];
    for (granted, expected, detail) in table {
        let (mut okta, mut org, params) = prepare_client();
        org.token_scope = Some(granted.clone());
        let reply: TestReply = okta.call(&mut org, Op::Test, &params).unwrap();
        let scopes = &reply.evidence[1];
        assert_eq!((format!("{:?}", scopes.result).as_str(), scopes.detail.as_str()), (expected, detail), "{granted}");
    }
}

#[test]
fn refusals_of_the_token_endpoint_fail_or_are_errors() {
    let no_scope = json!({"access_token": "CANARY-t", "token_type": "Bearer", "expires_in": 3600});
    let evidence: [(HttpAnswer, &[&str]); 3] = [
        (oauth_error(400, "invalid_scope"), &["token: Fail"]),
        (oauth_error(403, "access_denied"), &["token: Fail"]),
        (answer(200, no_scope), &["token: Pass", "scopes: Fail"]),
    ];
    for (given, expected) in evidence {
        let (mut okta, mut org, params) = prepare_client();
        org.fail("/token", Failure::Answer(given.clone()));
        let reply: TestReply = okta.call(&mut org, Op::Test, &params).unwrap();
        assert_eq!(results(&reply.evidence)[..expected.len()], *expected, "{given:?}");
        assert!(!okta.asked.iter().any(|line| line.starts_with("sleep")), "{given:?}");
    }
    for (given, kind) in
        [(okta_error(429, "E0000047"), ErrorKind::RateLimited), (okta_error(500, "E0000009"), ErrorKind::Unavailable)]
    {
        let (mut okta, mut org, params) = prepare_client();
        org.fail("/token", Failure::Answer(given));
        assert_eq!(refused(okta.call::<TestReply>(&mut org, Op::Test, &params)).kind, kind);
    }
}

#[test]
fn a_dpop_bound_token_fails() {
    let (mut okta, mut org, params) = prepare_client();
    org.token_type = Some("DPoP");
    let reply: TestReply = okta.call(&mut org, Op::Test, &params).unwrap();
    assert_eq!(results(&reply.evidence), ["token: Fail", "scopes: Pass"]);
    assert_eq!(okta.asked.len(), 1, "nothing is read with it");
}

/// Every proof by a client's silence rests on this.
#[test]
fn a_token_that_lives_longer_than_an_hour_fails() {
    let table = [
        (json!(3600), EvidenceResult::Pass, "issued a bearer token for 3600 s"),
        (json!(300), EvidenceResult::Pass, "issued a bearer token for 300 s"),
        (json!(3601), EvidenceResult::Fail, "lives 3601 s"),
        (json!("3600"), EvidenceResult::Fail, "does not state the token's lifetime in seconds"),
        (Value::Null, EvidenceResult::Fail, "does not state the token's lifetime in seconds"),
    ];
    for (lifetime, expected, words) in table {
        let (mut okta, mut org, params) = prepare_client();
        let scope = "okta.authorizationServers.read okta.groups.read okta.logs.read okta.users.read";
        let token = json!({"access_token": "CANARY-t", "token_type": "Bearer", "expires_in": lifetime, "scope": scope});
        org.fail("/token", Failure::Answer(answer(200, token)));
        let reply: TestReply = okta.call(&mut org, Op::Test, &params).unwrap();
        assert_eq!((&*reply.evidence[0].check, reply.evidence[0].result), ("token", expected), "{lifetime}");
        assert!(reply.evidence[0].detail.contains(words), "{lifetime}: {}", reply.evidence[0].detail);
    }
}

#[test]
fn each_read_has_its_result() {
    let no_scope = missing_scope("okta.groups.read");
    let table = [
        ("/api/v1/users", okta_error(403, "E0000006"), 2, EvidenceResult::Fail),
        ("/api/v1/users", okta_error(401, "E0000015"), 2, EvidenceResult::Fail),
        ("/api/v1/groups", no_scope, 3, EvidenceResult::Fail),
        ("/api/v1/groups", answer(200, json!({})), 3, EvidenceResult::Fail),
        ("/api/v1/authorizationServers", okta_error(401, "E0000015"), 4, EvidenceResult::NotApplicable),
        ("/api/v1/authorizationServers", okta_error(401, "E0000011"), 4, EvidenceResult::Fail),
        ("/api/v1/logs", okta_error(404, "E0000007"), 5, EvidenceResult::Fail),
    ];
    for (at, given, index, expected) in table {
        let (mut okta, mut org, params) = prepare_client();
        org.fail(at, Failure::Answer(given.clone()));
        let reply: TestReply = okta.call(&mut org, Op::Test, &params).unwrap();
        assert_eq!(reply.evidence.len(), 8, "{at}: one failure hides no other check");
        for (i, evidence) in reply.evidence.iter().enumerate() {
            let expected = if i == index { expected } else { EvidenceResult::Pass };
            assert_eq!(evidence.result, expected, "{at} {given:?}: {evidence:?}");
            assert_eq!(evidence.request_id.as_deref(), Some("req-1"));
        }
    }
    let (mut okta, mut org, params) = prepare_client();
    org.fail("/api/v1/groups", Failure::Answer(okta_error(503, "E0000010")));
    assert_eq!(refused(okta.call::<TestReply>(&mut org, Op::Test, &params)).kind, ErrorKind::Unavailable);
}

#[test]
fn a_step_without_its_inputs_is_refused() {
    let (mut okta, mut org, params) = prepare("prove", json!({"client_id": "0oaNEW"}), json!({}));
    let error = refused(okta.call::<TestReply>(&mut org, Op::Test, json!({ "step": params })));
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.message.contains("client_secret"), "{}", error.message);
}
