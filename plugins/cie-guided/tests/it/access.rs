//! Detect and check: what the list shows, what the record adds, and which errors refusals become.

use flowswap_contract::{Effect, ErrorKind, Flow, HttpAnswer, KnownFrom, Op, TestReply};
use serde_json::{Value, json};

use crate::{
    detect,
    driver::{answer, refused, results},
    fake::FakeCie,
    open, table,
};

#[test]
fn the_inventory_says_where_its_facts_come_from() {
    let (mut plugin, mut cie) = (open(table()), FakeCie::new());
    let inventory = detect(&mut plugin, &mut cie).unwrap();
    insta::assert_json_snapshot!("inventory", inventory);
    insta::assert_snapshot!("detect-asks", plugin.asked.join("\n"));

    let mut bare = table();
    bare.as_object_mut().unwrap().remove("record");
    let inventory = detect(&mut open(bare), &mut cie).unwrap();
    assert_eq!((inventory.flow, inventory.known_from), (Flow::Unknown, KnownFrom::Unknown));
    assert_eq!((inventory.client_id, inventory.app_data, inventory.auth_logs), (None, None, None));
}

#[test]
fn only_known_words_say_whether_the_last_sync_was_good() {
    let table = [
        ("cache_applied", Some(true)),
        ("Success", Some(true)),
        ("Successful", Some(true)),
        ("In Progress", None),
        ("sync_failed", Some(false)),
        ("Error", Some(false)),
        ("whatever", None),
    ];
    for (word, healthy) in table {
        let mut cie = FakeCie { status: word, ..FakeCie::new() };
        assert_eq!(detect(&mut open(crate::table()), &mut cie).unwrap().healthy, healthy, "{word}");
    }
}

#[test]
fn an_active_directory_is_not_migrated() {
    let entry = json!({"domain": "acme.okta.test", "type": "Active Directory", "count": {"user": 1, "group": 1}});
    let mut cie = FakeCie::new();
    cie.refusal = Some(("/domains", answer(200, json!({"success": true, "result": [entry]}))));
    let inventory = detect(&mut open(table()), &mut cie).unwrap();
    assert_eq!((inventory.flow, inventory.known_from), (Flow::NotOkta, KnownFrom::Directory));
}

#[test]
fn a_check_sends_nothing_that_a_dry_run_refuses() {
    let (mut plugin, mut cie) = (open(table()), FakeCie::new());
    let reply: TestReply = plugin.call(&mut cie, Op::Test, json!({})).unwrap();
    let expected = ["token: Pass", "list-directories: Pass", "find-directory: Pass"];
    assert_eq!(results(&reply.evidence), expected);
    assert_eq!(plugin.asked.len(), 2, "{:?}", plugin.asked);
    assert!(plugin.asked[0].starts_with("Authenticate POST") && plugin.asked[1].starts_with("GET"));
}

#[test]
fn a_token_for_another_group_shows_other_directories() {
    let mut cie = FakeCie { name: "beta.okta.test", ..FakeCie::new() };
    let reply: TestReply = open(table()).call(&mut cie, Op::Test, json!({})).unwrap();
    let found = reply.evidence.iter().find(|evidence| evidence.check == "find-directory").unwrap();
    assert_eq!(
        found.detail,
        "no directory is called acme.okta.test; there are beta.okta.test, other.okta.test; check `directory` and \
         `tsg_id`: a token for another tenant service group shows other directories"
    );
}

#[test]
fn two_directories_with_one_name_are_refused() {
    let mut cie = FakeCie { others: vec!["acme.okta.test"], ..FakeCie::new() };
    let error = refused(detect(&mut open(table()), &mut cie));
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.starts_with("2 directories are called acme.okta.test"), "{}", error.message);
    let mut cie = FakeCie { others: vec!["acme.okta.test-2", "ACME.okta.test"], ..FakeCie::new() };
    assert_eq!(detect(&mut open(table()), &mut cie).unwrap().name, "acme.okta.test", "names of their own");
}

#[test]
fn a_token_is_used_until_it_ends_and_replaced_when_it_is_refused() {
    let (mut plugin, mut cie) = (open(table()), FakeCie::new());
    let now = |plugin: &mut crate::driver::Driver<_>, time: &str| plugin.now = format!("2026-01-01T{time}Z");
    for (time, tokens) in [("12:00:00", 1), ("12:12:58", 1), ("12:12:59", 2), ("12:20:00", 2)] {
        now(&mut plugin, time);
        detect(&mut plugin, &mut cie).unwrap();
        assert_eq!(cie.tokens, tokens, "{time}");
    }
    cie.token_revoked = true;
    detect(&mut plugin, &mut cie).unwrap();
    assert_eq!(cie.tokens, 3, "a revoked token");

    cie.refusal = Some(("/domains", answer(401, Value::Null)));
    detect(&mut plugin, &mut cie).unwrap();
    assert_eq!(cie.tokens, 4);
}

#[test]
fn refusals_become_errors_with_hints() {
    let in_result = |success, message| json!({"success": success, "result": {"error": {"error-message": message}}});
    let plain = |status: u16| json!({"statusCode": status, "error": "x", "message": "because"});
    let domains = "/domains";
    let token = "/access_token";
    let table: [(&'static str, HttpAnswer, ErrorKind, &str, &str); 12] = [
        (
            domains,
            answer(200, in_result(true, "No such thing")),
            ErrorKind::Invalid,
            "200 with an error in its result: No such thing",
            "",
        ),
        (
            domains,
            answer(200, json!({"success": false, "result": []})),
            ErrorKind::Invalid,
            "200 with an error in its result",
            "",
        ),
        (
            domains,
            answer(200, json!({"success": true, "result": {}})),
            ErrorKind::Invalid,
            "has no list in `result`",
            "",
        ),
        (domains, answer(400, plain(400)), ErrorKind::Invalid, "400: because", ""),
        (domains, answer(403, plain(403)), ErrorKind::Permission, "403: because", "View Only Administrator"),
        (domains, answer(404, in_result(true, "gone")), ErrorKind::NotFound, "404: gone", ""),
        (domains, answer(421, in_result(true, "bad provider")), ErrorKind::Invalid, "421: bad provider", ""),
        (domains, answer(429, Value::Null), ErrorKind::RateLimited, "429", "concurrency"),
        (domains, answer(500, in_result(false, "Internal Server Error")), ErrorKind::Unavailable, "500: Internal", ""),
        (
            token,
            answer(401, json!({"error": "invalid_client"})),
            ErrorKind::Auth,
            "401 invalid_client",
            "`client_secret`",
        ),
        (
            token,
            answer(400, json!({"error": "invalid_scope", "error_description": "no"})),
            ErrorKind::Auth,
            "400 invalid_scope no",
            "`tsg_id`",
        ),
        (token, answer(503, Value::Null), ErrorKind::Unavailable, "503", ""),
    ];
    for (at, refusal, kind, message, hint) in table {
        let mut cie = FakeCie::new();
        cie.refusal = Some((at, refusal));
        let error = refused(detect(&mut open(crate::table()), &mut cie));
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{}", error.message);
        assert!(error.message.contains(message), "{}", error.message);
        assert!(error.hint.clone().unwrap_or_default().contains(hint), "{:?}", error.hint);
    }
}

/// The message has every error of the gateway in front, and the request id for the vendor.
#[test]
fn a_refusal_of_the_gateway_is_shown_completely() {
    let one = json!({"code": "E016", "message": "Access denied", "details": {"errorType": "Unauthorized"}});
    let two = json!({"code": "E003", "message": "Invalid Object", "details": "tsg"});
    for (at, status) in [("/domains", 403), ("/access_token", 401)] {
        let mut cie = FakeCie::new();
        let body = json!({"_errors": [one, two], "_request_id": "3f6e0a52"});
        cie.refusal = Some((at, answer(status, body)));
        let reply: TestReply = open(table()).call(&mut cie, Op::Test, json!({})).unwrap();
        let failed = reply.evidence.last().unwrap();
        let expected = "E016 Access denied (Unauthorized); E003 Invalid Object (tsg) (request 3f6e0a52)";
        assert!(failed.detail.contains(expected), "{}", failed.detail);
        assert_eq!(failed.request_id.as_deref(), Some("3f6e0a52"));
    }
}

#[test]
fn an_answer_in_an_unknown_shape_may_not_be_the_interfaces() {
    let html = json!("<html><title>Blocked</title></html>");
    for at in ["/domains", "/access_token"] {
        for (status, body) in
            [(403, html.clone()), (404, Value::Null), (410, json!({"x": 1})), (421, json!([])), (302, Value::Null)]
        {
            let mut cie = FakeCie::new();
            cie.refusal = Some((at, answer(status, body.clone())));
            let error = refused(detect(&mut open(table()), &mut cie));
            assert_eq!(error.kind, ErrorKind::Unavailable, "{at} {status} {body}");
            assert_eq!(error.context["answered_by"], "foreign");
        }
    }
}

/// Each row: the value in place of the last sync's time, and what the inventory has.
#[test]
fn an_unreadable_time_is_shown_as_it_is() {
    let table = [
        (json!(1_767_225_600), Some("2026-01-01T00:00:00Z")),
        (json!(0), None),
        (Value::Null, None),
        (json!(1_767_225_600_000_u64), Some("1767225600000")),
        (json!(-5), Some("-5")),
        (json!("yesterday"), Some("yesterday")),
        (json!(true), Some("true")),
    ];
    for (value, expected) in table {
        let entry = json!({"domain": "acme.okta.test", "status": {"lastSuccessUpdatedOn": value}});
        let mut cie = FakeCie::new();
        cie.refusal = Some(("/domains", answer(200, json!({"success": true, "result": [entry]}))));
        assert_eq!(detect(&mut open(crate::table()), &mut cie).unwrap().last_success.as_deref(), expected, "{value}");
    }
}

#[test]
fn a_list_with_an_item_that_does_not_decode_is_an_error() {
    let table = [
        (json!("acme.okta.test"), "/domain"),
        (Value::Null, "/domain"),
        (json!({"domain": 7}), "/domain"),
        (json!({"domain": "x", "count": {"user": "many"}}), "/count/user"),
        (json!({"domain": "x", "type": ["Okta"]}), "/type"),
        (json!({"domain": "x", "status": {"description": 1}}), "/status/description"),
    ];
    for (item, pointer) in table {
        let good = json!({"domain": "acme.okta.test"});
        let mut cie = FakeCie::new();
        cie.refusal = Some(("/domains", answer(200, json!({"success": true, "result": [good, item]}))));
        let error = refused(detect(&mut open(crate::table()), &mut cie));
        assert_eq!(error.kind, ErrorKind::Invalid, "{item}");
        assert!(error.message.ends_with(&format!("at {pointer}")), "{item}: {}", error.message);
    }
}
