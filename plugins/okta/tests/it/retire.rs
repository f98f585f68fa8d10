//! Retiring and purging: only the app of the plan, only in the right state, and only if Okta shows the result.

use flowswap_contract::{ApplyReply, Effect, ErrorKind, ObserveReply, Observed, Op};
use serde_json::{Value, json};

use crate::{
    driver::{answer, refused},
    fake::{Failure, FakeOkta},
    prepare,
};

type Change = fn(&mut FakeOkta, &mut Value);

/// Sets the status of the legacy client.
macro_rules! status {
    ($status:literal) => {
        |org, _| org.app("0oaLEGACY")["status"] = json!($status)
    };
}

/// Any directory that got a token of the client within the hour may still use it.
#[test]
fn a_client_whose_token_may_be_in_use_is_not_deactivated() {
    for (date, is_done) in [("12:05", false), ("13:20", false), ("13:21", true)] {
        let (mut okta, mut org, params) = prepare("retire", json!({}), json!({}));
        org.log_token("0oaLEGACY-client", "CIE/1.0", "SUCCESS", "2026-01-01T12:00:00.000Z");
        org.date = Some(format!("Thu, 01 Jan 2026 {date}:00 GMT"));
        let result = okta.call::<ApplyReply>(&mut org, Op::Apply, &params);
        assert_eq!(result.is_ok(), is_done, "{date}");
        assert_eq!(org.app("0oaLEGACY")["status"], if is_done { "INACTIVE" } else { "ACTIVE" }, "{date}");
        if let Err(error) = result {
            assert_eq!((error.kind, error.effect), (ErrorKind::Conflict, Effect::None), "{}", error.message);
            assert!(error.message.contains("may be in use until 2026-01-01T13:20:00Z"), "{}", error.message);
        }
    }
}

#[test]
fn each_step_does_no_more_than_is_needed() {
    let nothing: Change = |_, _| {};
    let gone: Change = |org, _| org.apps.retain(|app| app["id"] != "0oaLEGACY");
    let was_inactive: Change = |org, params| {
        org.app("0oaLEGACY")["status"] = json!("INACTIVE");
        params["step"]["proposal"]["payload"]["was_active"] = json!(false);
    };
    type Case = (&'static str, Op, &'static str, Change, &'static [&'static str], Option<&'static str>);
    let table: [Case; 7] = [
        ("active", Op::Apply, "retire", nothing, &["deactivate"], Some("INACTIVE")),
        ("inactive", Op::Apply, "retire", status!("INACTIVE"), &[], Some("INACTIVE")),
        ("inactive", Op::Undo, "retire", status!("INACTIVE"), &["activate"], Some("ACTIVE")),
        ("active", Op::Undo, "retire", nothing, &[], Some("ACTIVE")),
        ("inactive from the start", Op::Undo, "retire", was_inactive, &[], Some("INACTIVE")),
        ("inactive", Op::Apply, "purge", status!("INACTIVE"), &["DELETE"], None),
        ("gone", Op::Apply, "purge", gone, &[], None),
    ];
    for (case, op, phase, change, expected, status) in table {
        let (mut okta, mut org, mut params) = prepare(phase, json!({}), json!({}));
        change(&mut org, &mut params);
        let _: ApplyReply = okta.call(&mut org, op, &params).unwrap();
        let mutations: Vec<_> = okta.asked.iter().filter(|line| line.starts_with("Mutate")).collect();
        assert_eq!(mutations.len(), expected.len(), "{case} {op} {phase}: {mutations:?}");
        assert!(mutations.iter().zip(expected).all(|(line, word)| line.contains(word)), "{case}: {mutations:?}");
        let left = org.apps.iter().find(|app| app["id"] == "0oaLEGACY").map(|app| app["status"].as_str().unwrap());
        assert_eq!(left, status, "{case} {op} {phase}");
    }
}

#[test]
fn another_app_is_never_changed() {
    let other_client: Change = |org, _| {
        org.app("0oaLEGACY")["status"] = json!("INACTIVE");
        org.app("0oaLEGACY")["credentials"]["oauthClient"]["client_id"] = json!("0oaELSE");
    };
    let relabeled: Change = |org, _| {
        org.app("0oaLEGACY")["status"] = json!("INACTIVE");
        org.app("0oaLEGACY")["label"] = json!("In use again");
    };
    let gone: Change = |org, _| org.apps.retain(|app| app["id"] != "0oaLEGACY");
    let table: [(Op, &str, Change, ErrorKind, &str); 7] = [
        (Op::Apply, "retire", other_client, ErrorKind::Conflict, "a different client ID"),
        (Op::Undo, "retire", other_client, ErrorKind::Conflict, "a different client ID"),
        (Op::Apply, "purge", other_client, ErrorKind::Conflict, "a different client ID"),
        (Op::Apply, "purge", relabeled, ErrorKind::Conflict, "a different label"),
        (Op::Apply, "purge", |_, _| {}, ErrorKind::Conflict, "is ACTIVE"),
        (Op::Undo, "retire", gone, ErrorKind::NotFound, "no longer exists"),
        (Op::Undo, "purge", gone, ErrorKind::Unsupported, "undo of purge"),
    ];
    for (op, phase, change, kind, expected) in table {
        let (mut okta, mut org, mut params) = prepare(phase, json!({}), json!({}));
        change(&mut org, &mut params);
        let error = refused(okta.call::<ApplyReply>(&mut org, op, &params));
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{op} {phase}: {}", error.message);
        assert!(error.message.contains(expected), "{op} {phase}: {}", error.message);
        assert!(okta.asked.iter().all(|line| line.starts_with("GET")), "{op} {phase}: {:?}", okta.asked);
    }
}

#[test]
fn a_success_without_an_effect_is_reported() {
    for (op, phase, at, before) in [
        (Op::Apply, "retire", "/lifecycle/deactivate", "ACTIVE"),
        (Op::Undo, "retire", "/lifecycle/activate", "INACTIVE"),
        (Op::Apply, "purge", "DELETE /api/v1/apps", "INACTIVE"),
    ] {
        let (mut okta, mut org, params) = prepare(phase, json!({}), json!({}));
        org.app("0oaLEGACY")["status"] = json!(before);
        org.fail(at, Failure::Answer(answer(200, json!({}))));
        let error = refused(okta.call::<ApplyReply>(&mut org, op, &params));
        assert_eq!((error.kind, error.effect), (ErrorKind::Conflict, Effect::Unknown), "{op} {phase}");
    }
}

#[test]
fn observe_reports_the_status_or_the_absence() {
    let gone: Change = |org, _| org.apps.retain(|app| app["id"] != "0oaLEGACY");
    let table: [(&str, Change, Observed); 8] = [
        ("retire", status!("ACTIVE"), Observed::NotApplied),
        ("retire", status!("INACTIVE"), Observed::Applied),
        ("retire", status!("DELETED"), Observed::Unknown),
        ("retire", gone, Observed::Unknown),
        ("purge", status!("ACTIVE"), Observed::NotApplied),
        ("purge", status!("INACTIVE"), Observed::NotApplied),
        ("purge", status!("DELETED"), Observed::Applied),
        ("purge", gone, Observed::Applied),
    ];
    for (phase, change, expected) in table {
        let (mut okta, mut org, mut params) = prepare(phase, json!({}), json!({}));
        change(&mut org, &mut params);
        let seen: ObserveReply = okta.call(&mut org, Op::Observe, &params).unwrap();
        assert_eq!(seen.state, expected, "{phase}: {}", seen.detail);
    }
}
