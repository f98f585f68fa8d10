//! Answers of the real world: a load balancer's 404, old tokens, times without an offset, and logs full of refreshes.

use flowswap_contract::{
    ApplyReply, Effect, ErrorKind, EvidenceResult, HttpAnswer, ObserveReply, Observed, Op, TestReply,
};
use serde_json::{Value, json};

use crate::{
    detect,
    driver::{answer, refused},
    fake::{Failure, FakeOkta, okta_error},
    open, prepare,
};

const LEGACY: &str = "0oaLEGACY-client";

/// It takes two signs that an object is gone: Okta's own error object, and a list that decodes and lacks the id.
#[test]
fn one_sign_does_not_prove_that_an_object_is_gone() {
    // The verb, and the request that gets this answer.
    type Case = (Op, &'static str, &'static str, fn() -> HttpAnswer);
    let table: [Case; 12] = [
        (Op::Undo, "provision", "DELETE /integrations", || answer(404, json!({"message": "no healthy upstream"}))),
        (Op::Undo, "provision", "DELETE /integrations", || HttpAnswer { headers: vec![], ..answer(404, Value::Null) }),
        (Op::Undo, "provision", "DELETE /integrations", || okta_error(404, "E0000008")),
        (Op::Undo, "provision", "DELETE /integrations", || okta_error(404, "E0000007")),
        (Op::Undo, "provision", "GET /integrations/api/v1/api-services/", || answer(404, json!({"message": "none"}))),
        (Op::Apply, "purge", "DELETE /api/v1/apps", || answer(404, json!({"message": "no healthy upstream"}))),
        (Op::Apply, "purge", "DELETE /api/v1/apps", || okta_error(404, "E0000007")),
        (Op::Apply, "purge", "GET /api/v1/apps/", || answer(404, json!({"message": "no healthy upstream"}))),
        (Op::Apply, "purge", "GET /api/v1/apps/", || okta_error(404, "E0000007")),
        (Op::Apply, "retire", "GET /api/v1/apps/", || answer(410, json!({"message": "gone"}))),
        (Op::Observe, "purge", "GET /api/v1/apps/", || answer(404, json!({"message": "no healthy upstream"}))),
        (Op::Observe, "purge", "GET /api/v1/apps/", || okta_error(404, "E0000007")),
    ];
    for (op, phase, at, given) in table {
        let (mut okta, mut org, params) = prepare(phase, json!({}), json!({"client_id": "0oaFOREIGN"}));
        org.app("0oaLEGACY")["status"] = json!("INACTIVE");
        org.fail(at, Failure::Answer(given()));
        let before = (org.apps.clone(), org.services.clone());
        let result = okta.call::<Value>(&mut org, op, &params);
        let what = format!("{op} {phase}, {at}: {:?}", given().body);
        assert_eq!(org.faults[0].times, 0, "it was not asked: {what}");
        let error = refused(result);
        assert!(!error.message.contains("is gone"), "{what}: {error}");
        let is_foreign = given().body["errorCode"].is_null();
        assert_eq!(error.kind == ErrorKind::Unavailable, is_foreign, "{what}: {error}");
        if at.starts_with("DELETE") {
            assert_eq!(error.effect, Effect::Unknown, "{what}");
            assert_eq!((org.apps, org.services), before, "{what}");
        }
    }
}

#[test]
fn both_signs_prove_that_an_object_is_gone() {
    let (mut okta, mut org, params) = prepare("provision", json!({}), json!({"client_id": "0oaMINE"}));
    let reply: ApplyReply = okta.call(&mut org, Op::Undo, &params).unwrap();
    assert_eq!(reply.evidence[0].detail, "integration 0oaMINE was already gone");
    let (mut okta, mut org, params) = prepare("purge", json!({}), json!({}));
    org.apps.retain(|app| app["id"] != "0oaLEGACY");
    let seen: ObserveReply = okta.call(&mut org, Op::Observe, &params).unwrap();
    assert_eq!(seen.state, Observed::Applied);
}

/// The evidence about the new client's tokens, with this time of the org and tokens at these times.
fn confirm(now: &str, tokens: &[&str]) -> (EvidenceResult, String, Option<u64>) {
    let inputs = json!({"client_id": "0oaNEW", "tested_at": "2026-01-01T12:00:00.999Z"});
    let (mut okta, mut org, params) = prepare("confirm", inputs, json!({}));
    org.date = (!now.is_empty()).then(|| format!("Thu, 01 Jan 2026 {now} GMT"));
    for time in tokens {
        org.log_token("0oaNEW", "CIE/1.0", "SUCCESS", &format!("2026-01-01T{time}Z"));
    }
    let reply: TestReply = okta.call(&mut org, Op::Test, json!({ "step": params })).unwrap();
    let grant = reply.evidence.into_iter().find(|evidence| evidence.check == "token-grant").unwrap();
    (grant.result, grant.detail, reply.wait_ms)
}

#[test]
fn neither_an_expired_token_nor_the_tests_token_confirms() {
    use EvidenceResult::{Inconclusive, Pass};
    let table: [(&str, &[&str], EvidenceResult); 9] = [
        ("12:10:00", &["12:05:00.000"], Pass),
        ("13:10:00", &["12:05:00.000"], Pass),
        ("13:10:01", &["12:05:00.000"], Inconclusive),
        ("18:00:00", &["12:05:00.000"], Inconclusive),
        ("18:00:00", &["12:05:00.000", "17:30:00.000"], Pass),
        // Within the second in which the test ended, and just after it.
        ("12:10:00", &["12:00:00.999"], Inconclusive),
        ("12:10:00", &["11:59:58.000", "12:00:00.100"], Inconclusive),
        ("12:10:00", &["12:00:01.000"], Pass),
        // An org that does not state its time.
        ("", &["12:05:00.000"], Inconclusive),
    ];
    for (now, tokens, expected) in table {
        let (result, detail, wait_ms) = confirm(now, tokens);
        assert_eq!(result, expected, "{tokens:?} at {now}: {detail}");
        assert!(
            result == Pass || tokens.len() != 1 || wait_ms.is_some() || detail.contains("nobody except flowswap"),
            "{detail}"
        );
    }
}

#[test]
fn the_connection_test_is_dated_by_the_orgs_clock() {
    let note = |org: &mut FakeOkta| -> TestReply {
        let (mut okta, _, params) = prepare("test", json!({"client_id": "0oaNEW"}), json!({}));
        okta.call(org, Op::Test, json!({ "step": params })).unwrap()
    };
    // The org's clock is 15 minutes behind or ahead of this machine's, or an event is later than the second of the answer.
    for (date, event, expected) in [
        ("11:45:00", "11:44:30.000", "2026-01-01T11:45:00.999Z"),
        ("12:15:00", "12:14:59.000", "2026-01-01T12:14:59Z"),
        ("12:15:00", "12:15:02.500", "2026-01-01T12:15:02.5Z"),
    ] {
        let mut org = FakeOkta { date: Some(format!("Thu, 01 Jan 2026 {date} GMT")), ..FakeOkta::new() };
        org.log_token("0oaNEW", "CIE/1.0", "SUCCESS", &format!("2026-01-01T{event}Z"));
        let reply = note(&mut org);
        assert_eq!(reply.outputs["tested_at"], expected, "{date}");
        assert_eq!(reply.evidence[0].result, EvidenceResult::Pass);
    }
    let reply = note(&mut FakeOkta { date: None, ..FakeOkta::new() });
    assert!(reply.outputs.is_empty());
    assert_eq!(reply.evidence[0].result, EvidenceResult::Inconclusive);
}

#[test]
fn an_event_without_a_readable_time_is_an_error() {
    for time in [json!("2026-01-01T12:05:00"), json!("yesterday"), Value::Null] {
        let inputs = json!({"client_id": "0oaNEW", "tested_at": "2026-01-01T12:00:00Z"});
        let (mut okta, mut org, params) = prepare("confirm", inputs, json!({}));
        org.ignores_search = true;
        org.log_token(LEGACY, "CIE/1.0", "SUCCESS", "2026-01-01T12:09:00Z")["published"] = time.clone();
        let error = refused(okta.call::<TestReply>(&mut org, Op::Test, json!({ "step": params })));
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.contains("event e1 has"), "{time}: {error}");
    }
}

/// Every refresh leaves its own refresh token, so the sign-in is further back than the newest page.
#[test]
fn the_last_sign_in_is_found_behind_rotated_tokens() {
    for shows_grant in [true, false] {
        let mut org = FakeOkta::new();
        let mut log = |at: String, grant: &str| {
            let event = org.log_token(LEGACY, "CIE/1.0", "SUCCESS", &at);
            event["eventType"] = json!("app.oauth2.token.grant.refresh_token");
            if shows_grant {
                event["debugContext"] = json!({"debugData": {"grantType": grant}});
            }
        };
        log("2025-12-01T08:00:00.000Z".to_owned(), "authorization_code");
        (0..300).for_each(|n| log(format!("2025-12-{:02}T{:02}:00:00.000Z", 2 + n / 24, n % 24), "refresh_token"));
        let legacy = detect(&mut open(), &mut org).legacy_clients.remove(0);
        // Without the grant, any refresh token may come from a sign-in, so the newest one counts.
        let expected = if shows_grant { "2025-12-01T08:00:00Z" } else { "2025-12-14T11:00:00Z" };
        assert_eq!(legacy.last_sign_in.as_deref(), Some(expected));
    }
}

#[test]
fn an_unreadable_link_is_not_the_last_page() {
    let forms = [
        ("link", r#"<https://acme.okta.test/api/v1/apps?after=2>; Rel="next""#, true),
        ("link", r#"<https://acme.okta.test/api/v1/apps?after=2>; rel = "Next last""#, true),
        ("link", r#"<https://acme.okta.test/api/v1/apps?after=2; rel="next""#, false),
        ("link", r#"<https://elsewhere.test/api/v1/apps?after=2>; rel=next"#, false),
    ];
    for (name, line, is_followed) in forms {
        let mut org = FakeOkta::new();
        let mut first = answer(200, Value::Array(org.apps[..2].to_vec()));
        first.headers.push((name.to_owned(), line.to_owned()));
        org.fail("GET /api/v1/apps?limit=200", Failure::Answer(first));
        let seen = open().call::<Value>(&mut org, Op::Detect, json!({}));
        if is_followed {
            assert_eq!(seen.unwrap()["legacy_clients"].as_array().unwrap().len(), 1, "{line}");
        } else {
            assert_eq!(refused(seen).kind, ErrorKind::Invalid, "{line}");
        }
    }
}
