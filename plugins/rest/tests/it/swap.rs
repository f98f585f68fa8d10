//! Test, swap, confirm, and rollback, with lost answers and people who interfere.

use flowswap_contract::{ApplyReply, Effect, ErrorKind, HttpAsk, ObserveReply, Observed, Op, TestReply};
use serde_json::{Value, json};

use crate::{
    driver::{answer, refused, results},
    fake::{FakeGateway, error},
    open, params_of, plan, prepare, table,
};

#[test]
fn a_swap_forward_and_back() {
    let (mut rest, mut gateway) = (open(table()), FakeGateway::new());
    let before = gateway.directories.clone();
    let steps = plan(&mut rest, &mut gateway);
    let mut said = Vec::new();
    macro_rules! call {
        ($title:literal, $reply:ty, $op:expr, $params:expr) => {{
            let reply: $reply = rest.call(&mut gateway, $op, $params).unwrap();
            said.push(format!("== {}\n{}", $title, rest.asked.join("\n")));
            rest.asked.clear();
            reply
        }};
    }
    let tested = call!("test", TestReply, Op::Test, json!({"step": params_of(&steps, "test")}));
    assert_eq!(results(&tested.evidence), ["test-connection: Pass"]);
    assert_eq!(tested.outputs["receipt"], "rcp-1");
    let counts = &before[1]["sync"];
    let counts = ["users", "groups", "applications"].map(|kind| (kind, counts[kind].clone()));
    let counts: Value = counts.into_iter().collect();
    assert_eq!(tested.outputs["baseline"], json!({"counts": counts, "was_healthy": true}));

    let swapped = call!("swap", ApplyReply, Op::Apply, params_of(&steps, "swap"));
    assert_eq!(swapped.outputs["swapped_at"], "2026-01-01T12:00:00Z");
    assert_eq!(gateway.directory()["connection"]["client_id"], "0oaNEW");

    let waiting = call!("confirm", TestReply, Op::Test, json!({"step": params_of(&steps, "confirm")}));
    assert_eq!(results(&waiting.evidence), ["flow: Pass", "client: Pass", "status: Pass", "sync: Inconclusive"]);
    gateway.directory()["sync"]["last_success"] = json!("2026-01-01T12:05:00Z");
    let confirmed = call!("confirm after a sync", TestReply, Op::Test, json!({"step": params_of(&steps, "confirm")}));
    let all =
        ["flow", "client", "status", "sync", "users", "groups", "applications"].map(|check| format!("{check}: Pass"));
    assert_eq!(results(&confirmed.evidence), all);

    call!("undo", ApplyReply, Op::Undo, params_of(&steps, "swap"));
    gateway.directory()["sync"]["last_success"] = before[1]["sync"]["last_success"].clone();
    assert_eq!(gateway.directories, before, "the rollback leaves every directory as it was");
    call!("undo again", ApplyReply, Op::Undo, params_of(&steps, "swap"));
    insta::assert_snapshot!("swap-asks", said.join("\n\n"));
}

#[test]
fn a_failed_test_gives_a_reason_and_no_receipt() {
    let (mut rest, mut gateway, params) = prepare("test");
    rest.secrets.insert("new-secret".to_owned(), "CANARY-other".to_owned());
    let reply: TestReply = rest.call(&mut gateway, Op::Test, json!({ "step": params })).unwrap();
    assert_eq!(results(&reply.evidence), ["test-connection: Fail"]);
    assert!(reply.evidence[0].detail.ends_with("okta answered 401 invalid_client"), "{}", reply.evidence[0].detail);
    assert!(reply.outputs.is_empty());
}

#[test]
fn a_passed_test_must_have_a_receipt() {
    let (mut rest, mut gateway, params) = prepare("test");
    gateway.refusal = Some(("/test-connection", answer(200, json!({"result": "success", "receipt": null}))));
    let error = refused(rest.call::<TestReply>(&mut gateway, Op::Test, json!({ "step": params })));
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.starts_with("`test.receipt`"), "{}", error.message);

    let mut config = table();
    config["test"].as_object_mut().unwrap().remove("receipt");
    let reply: TestReply = open(config).call(&mut gateway, Op::Test, json!({ "step": params })).unwrap();
    assert_eq!(reply.outputs["receipt"], "passed 2026-01-01T12:00:00Z", "an interface without receipts");
}

#[test]
fn nothing_is_submitted_without_a_receipt() {
    for receipt in [None, Some(Value::Null)] {
        let (mut rest, mut gateway, mut params) = prepare("swap");
        let inputs = params["inputs"].as_object_mut().unwrap();
        inputs.remove("receipt");
        inputs.extend(receipt.map(|value| ("receipt".to_owned(), value)));
        let error = refused(rest.call::<ApplyReply>(&mut gateway, Op::Apply, &params));
        assert_eq!(error.kind, ErrorKind::Protocol);
        assert_eq!(rest.asked, Vec::<String>::new());
    }
}

#[test]
fn nothing_is_submitted_to_a_directory_that_changed() {
    let table = [
        ("/domain", json!("other.okta.test"), "the directory's domain is other.okta.test, but was tenant1.okta.test"),
        ("/name", json!("renamed"), "the directory's name is renamed, but was tenant1"),
        ("/connection/client_id", json!("0oaTHIRD"), "the connection changed since the plan"),
        ("/connection/flow", json!("client_credentials"), "the connection changed since the plan"),
        ("/connection/flow", json!("magic"), "the connection changed since the plan"),
    ];
    for (pointer, value, expected) in table {
        let (mut rest, mut gateway, params) = prepare("swap");
        *gateway.directory().pointer_mut(pointer).unwrap() = value.clone();
        let error = refused(rest.call::<ApplyReply>(&mut gateway, Op::Apply, &params));
        assert_eq!((error.kind, error.effect), (ErrorKind::Conflict, Effect::None), "{pointer}");
        assert!(error.message.starts_with(expected), "{pointer} {value}: {}", error.message);
        assert!(rest.asked.iter().all(|line| line.starts_with("GET")), "{:?}", rest.asked);
    }
}

#[test]
fn a_lost_submit_is_observed_and_not_repeated() {
    let (mut rest, mut gateway, params) = prepare("swap");
    gateway.tested = Some(("0oaNEW".to_owned(), "CANARY-new-secret".to_owned()));
    gateway.lose = Some("/reconnect");
    let error = refused(rest.call::<ApplyReply>(&mut gateway, Op::Apply, &params));
    assert_eq!(error.effect, Effect::Unknown);
    // This machine's clock is behind; it dates nothing.
    rest.now = "2026-01-01T11:30:00Z".to_owned();
    gateway.date = Some("Thu, 01 Jan 2026 12:30:00 GMT");
    let seen: ObserveReply = rest.call(&mut gateway, Op::Observe, &params).unwrap();
    assert_eq!((seen.state, seen.outputs["swapped_at"].as_str()), (Observed::Applied, Some("2026-01-01T12:30:01Z")));
    let mut known = params.clone();
    known["outputs"] = json!({"swapped_at": "2026-01-01T12:00:00Z"});
    let seen: ObserveReply = rest.call(&mut gateway, Op::Observe, &known).unwrap();
    assert_eq!(seen.outputs["swapped_at"], "2026-01-01T12:00:00Z");

    rest.asked.clear();
    let again: ApplyReply = rest.call(&mut gateway, Op::Apply, &params).unwrap();
    assert_eq!(results(&again.evidence), ["submit: Pass"]);
    assert_eq!(rest.asked.len(), 1, "{:?}", rest.asked);
}

#[test]
fn the_flow_and_the_client_decide_what_is_observed() {
    // The flow at the time of the plan; flow and client now.
    let (code, service) = ("authorization_code", "client_credentials");
    let table = [
        (code, json!(code), json!("0oaOLD1"), Observed::NotApplied, "and the client 0oaOLD1"),
        (code, json!(code), Value::Null, Observed::NotApplied, "the flow authorization-code"),
        (
            code,
            json!(code),
            json!("0oaTHIRD"),
            Observed::Unknown,
            "that is neither the new nor the previous connection",
        ),
        (code, json!(code), json!("0oaNEW"), Observed::Unknown, "that is neither the new nor the previous connection"),
        (code, json!(service), json!("0oaNEW"), Observed::Applied, "and the client 0oaNEW"),
        (code, json!(service), Value::Null, Observed::Applied, "the flow client-credentials"),
        (
            code,
            json!(service),
            json!("0oaOLD1"),
            Observed::Unknown,
            "that is neither the new nor the previous connection",
        ),
        (code, json!("magic"), json!("0oaNEW"), Observed::Unknown, "`flows` does not explain the shown flow"),
        (code, Value::Null, json!("0oaNEW"), Observed::Unknown, "but does not show its flow"),
        (service, json!(service), json!("0oaNEW"), Observed::Applied, "and the client 0oaNEW"),
        (service, json!(service), json!("0oaOLD1"), Observed::NotApplied, "and the client 0oaOLD1"),
        (service, json!(service), Value::Null, Observed::Unknown, "it does not show the client"),
        (service, json!(code), Value::Null, Observed::Unknown, "the flow authorization-code"),
        ("magic", json!("magic"), json!("0oaOLD1"), Observed::Unknown, "`flows` does not explain the shown flow"),
        ("magic", json!(service), Value::Null, Observed::Unknown, "it does not show the client"),
    ];
    for (planned, flow, client, expected, detail) in table {
        let (mut rest, mut gateway) = (open(crate::table()), FakeGateway::new());
        gateway.directory()["connection"]["flow"] = json!(planned);
        let steps = plan(&mut rest, &mut gateway);
        let params = params_of(&steps, "swap");
        gateway.directory()["connection"]["flow"] = json!(flow);
        gateway.directory()["connection"]["client_id"] = client.clone();
        let seen: ObserveReply = rest.call(&mut gateway, Op::Observe, &params).unwrap();
        assert_eq!(seen.state, expected, "{planned}: {flow} {client}");
        assert!(seen.detail.contains(detail), "{planned}: {flow} {client}: {}", seen.detail);
        assert_eq!(seen.outputs.contains_key("swapped_at"), expected == Observed::Applied);
    }
}

/// Each row: the gateway's time and its last sync before the submit, and the time that a sync must be later than.
#[test]
fn the_answer_to_the_submit_dates_the_swap() {
    let table = [
        (Some("Thu, 01 Jan 2026 12:00:00 GMT"), json!("2026-01-01T11:55:00Z"), json!("2026-01-01T12:00:00Z")),
        (Some("Thu, 01 Jan 2026 12:00:00 GMT"), json!("2026-01-01T12:00:00.7Z"), json!("2026-01-01T12:00:00.7Z")),
        (Some("Thu, 01 Jan 2026 12:00:00 GMT"), json!("yesterday"), json!("2026-01-01T12:00:00Z")),
        (Some("Thu, 01 Jan 2026 14:00:00 GMT"), Value::Null, json!("2026-01-01T14:00:00Z")),
        (Some("jeudi"), json!("2026-01-01T11:55:00Z"), Value::Null),
        (None, json!("2026-01-01T11:55:00Z"), Value::Null),
    ];
    for (date, last, expected) in table {
        let (mut rest, mut gateway, params) = prepare("swap");
        gateway.tested = Some(("0oaNEW".to_owned(), "CANARY-new-secret".to_owned()));
        gateway.directory()["sync"]["last_success"] = last.clone();
        gateway.date = date;
        let reply: ApplyReply = rest.call(&mut gateway, Op::Apply, &params).unwrap();
        assert_eq!(reply.outputs["swapped_at"], expected, "{date:?} {last}");
    }
}

/// Each row: what the first and the second check see, and the result of the second.
#[test]
fn a_sync_must_be_later_by_the_gateways_own_clock() {
    let dated = json!("2026-01-01T12:00:00Z");
    let table = [
        (
            &dated,
            json!("2026-01-01T11:59:59Z"),
            json!("2026-01-01T12:00:00Z"),
            "sync: Inconclusive",
            ", not later than the swap",
        ),
        (&dated, Value::Null, json!("2026-01-01T12:00:00.1Z"), "sync: Pass", "synchronized at 2026-01-01T12:00:00.1Z"),
        (&dated, Value::Null, json!("2026-01-01T13:00:01+01:00"), "sync: Pass", "2026-01-01T12:00:01Z"),
        (&dated, Value::Null, Value::Null, "sync: Inconclusive", "does not show a sync yet"),
        (
            &dated,
            Value::Null,
            json!("yesterday"),
            "sync: Inconclusive",
            "shows `yesterday` as its last sync; expected RFC 3339",
        ),
        (
            &dated,
            Value::Null,
            json!("2026-01-01T13:00:00"),
            "sync: Inconclusive",
            "`2026-01-01T13:00:00` as its last sync; expected",
        ),
        (&Value::Null, json!("2026-01-01T12:05:00Z"), json!("2026-01-01T12:05:00Z"), "sync: Inconclusive", "not later"),
        (&Value::Null, Value::Null, json!("2026-01-01T12:05:00Z"), "sync: Inconclusive", "had no readable `Date`"),
        (
            &Value::Null,
            json!("2026-01-01T12:05:00Z"),
            json!("2026-01-01T12:10:00Z"),
            "sync: Pass",
            "2026-01-01T12:10:00Z",
        ),
    ];
    for (swapped_at, first, second, expected, detail) in table {
        let (mut rest, mut gateway, mut params) = prepare("confirm");
        gateway.directory()["connection"] = json!({"flow": "client_credentials", "client_id": "0oaNEW"});
        // This machine's clock is a day ahead.
        rest.now = "2026-01-02T12:00:00Z".to_owned();
        params["inputs"]["swapped_at"] = swapped_at.clone();
        gateway.directory()["sync"]["last_success"] = first.clone();
        let reply: TestReply = rest.call(&mut gateway, Op::Test, json!({ "step": params })).unwrap();
        assert_eq!(results(&reply.evidence)[3], "sync: Inconclusive", "{swapped_at} {first}");
        params["outputs"] = json!(reply.outputs);
        gateway.directory()["sync"]["last_success"] = second.clone();
        let reply: TestReply = rest.call(&mut gateway, Op::Test, json!({ "step": params })).unwrap();
        assert_eq!(results(&reply.evidence)[3], expected, "{swapped_at} {first} {second}");
        assert!(reply.evidence[3].detail.contains(detail), "{}", reply.evidence[3].detail);
    }
}

#[test]
fn an_answer_without_fields_confirms_nothing() {
    let (mut rest, mut gateway, params) = prepare("confirm");
    gateway.refusal = Some(("/status", answer(200, json!({}))));
    let reply: TestReply = rest.call(&mut gateway, Op::Test, json!({ "step": params })).unwrap();
    let expected = ["flow: Inconclusive", "client: NotApplicable", "status: NotApplicable", "sync: Inconclusive"];
    assert_eq!(results(&reply.evidence), expected);
}

/// A migration that an earlier version planned goes on: there the payload has what `test` reads now.
#[test]
fn the_baseline_of_an_earlier_plan_still_counts() {
    for (users, expected) in [(1000, "users: Pass"), (2000, "users: Fail")] {
        let (mut rest, mut gateway, mut params) = prepare("confirm");
        params["inputs"].as_object_mut().unwrap().remove("baseline");
        let payload = &mut params["step"]["proposal"]["payload"];
        payload["baseline"] = json!({"users": users, "groups": 20, "applications": 7});
        payload["was_healthy"] = json!(true);
        gateway.directory()["connection"] = json!({"flow": "client_credentials", "client_id": "0oaNEW"});
        gateway.directory()["sync"]["last_success"] = json!("2026-01-01T12:05:00Z");
        let reply: TestReply = rest.call(&mut gateway, Op::Test, json!({ "step": params })).unwrap();
        assert!(results(&reply.evidence).iter().any(|result| *result == expected), "{:?}", reply.evidence);
    }
    let (mut rest, mut gateway, mut params) = prepare("confirm");
    params["inputs"].as_object_mut().unwrap().remove("baseline");
    let error = refused(rest.call::<TestReply>(&mut gateway, Op::Test, json!({ "step": params })));
    assert!(error.message.ends_with("has no baseline"), "{}", error.message);
}

#[test]
fn undo_never_overwrites_a_third_connection() {
    let (mut rest, mut gateway, params) = prepare("swap");
    gateway.directory()["connection"]["flow"] = json!("client_credentials");
    gateway.directory()["connection"]["client_id"] = json!("0oaTHIRD");
    let error = refused(rest.call::<ApplyReply>(&mut gateway, Op::Undo, &params));
    assert_eq!((error.kind, error.effect), (ErrorKind::Conflict, Effect::None));
    assert!(rest.asked.iter().all(|line| line.starts_with("GET")), "{:?}", rest.asked);
}

/// The answer about another directory says nothing about this one, whatever its connection is.
#[test]
fn an_answer_about_another_directory_is_not_believed() {
    let (mut rest, mut gateway, params) = prepare("swap");
    let seen: ObserveReply = rest.call(&mut gateway, Op::Observe, &params).unwrap();
    assert_eq!(seen.state, Observed::NotApplied);
    gateway.directory()["domain"] = json!("other.okta.com");
    let seen: ObserveReply = rest.call(&mut gateway, Op::Observe, &params).unwrap();
    assert_eq!(seen.state, Observed::Unknown);
    assert!(seen.detail.contains("a directory of other.okta.com instead of"), "{}", seen.detail);
    let error = refused(rest.call::<ApplyReply>(&mut gateway, Op::Undo, &params));
    assert_eq!((error.kind, error.effect), (ErrorKind::Conflict, Effect::None));
    let mut other = gateway.directory().clone();
    other["id"] = json!("dir-other");
    let mut world = |_: &HttpAsk| Ok(answer(200, other.clone()));
    let error = refused(rest.call::<ObserveReply>(&mut world, Op::Observe, &params));
    assert!(error.message.contains("the answer shows dir-other"), "{}", error.message);
}

#[test]
fn undo_verifies_the_answer_to_the_restore() {
    for (given, effect) in [(answer(200, json!({})), Effect::Unknown), (error(409, "nothing to restore"), Effect::None)]
    {
        let (mut rest, mut gateway, params) = prepare("swap");
        gateway.directory()["connection"]["flow"] = json!("client_credentials");
        gateway.directory()["connection"]["client_id"] = json!("0oaNEW");
        gateway.refusal = Some(("/restore", given));
        let error = refused(rest.call::<ApplyReply>(&mut gateway, Op::Undo, &params));
        assert_eq!((error.kind, error.effect), (ErrorKind::Conflict, effect), "{}", error.message);
    }
}

#[test]
fn without_restore_undo_instructs_a_person() {
    let (_, mut gateway, params) = prepare("swap");
    let mut config = table();
    config.as_object_mut().unwrap().remove("restore");
    let mut rest = open(config);
    let error = refused(rest.call::<ApplyReply>(&mut gateway, Op::Undo, &params));
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.hint.unwrap().contains("Choose Auth Code Flow"));
    assert_eq!(rest.asked, Vec::<String>::new());
}

#[test]
fn confirm_reads_the_directory_if_there_is_no_status_operation() {
    let mut config = table();
    config.as_object_mut().unwrap().remove("status");
    let (_, mut gateway, params) = prepare("confirm");
    gateway.directory()["connection"]["collect_applications"] = json!(false);
    let mut rest = open(config);
    let reply: TestReply = rest.call(&mut gateway, Op::Test, json!({ "step": params })).unwrap();
    let expected = ["flow: Fail", "client: Fail", "status: Pass", "sync: Inconclusive", "app-data: Fail"];
    assert_eq!(results(&reply.evidence), expected);
}

#[test]
fn other_phases_are_unsupported() {
    for (op, phase) in [(Op::Apply, "test"), (Op::Undo, "confirm"), (Op::Observe, "test")] {
        let (mut rest, mut gateway, params) = prepare(phase);
        let error = refused(rest.call::<Value>(&mut gateway, op, &params));
        assert_eq!(error.kind, ErrorKind::Unsupported, "{op} {phase}");
    }
}

#[test]
fn a_test_by_post_is_marked_as_a_query() {
    for (method, is_query) in [("POST", true), ("GET", false)] {
        let (_, mut gateway, params) = prepare("test");
        // It answers the read of the directory and the test alike.
        let mut body = gateway.directory().clone();
        (body["result"], body["receipt"]) = (json!("success"), json!("rcp-1"));
        let mut config = table();
        config["test"]["method"] = json!(method);
        if method == "GET" {
            config["test"].as_object_mut().unwrap().remove("body");
        }
        let mut asked = Vec::new();
        let mut world = |ask: &HttpAsk| {
            asked.push((ask.method.clone(), ask.query));
            Ok(answer(200, body.clone()))
        };
        let _: TestReply = open(config).call(&mut world, Op::Test, json!({ "step": params })).unwrap();
        assert_eq!(asked, [("GET".to_owned(), false), (method.to_owned(), is_query)]);
    }
}
