//! Creating the integration, and everything that can go wrong between the request and its answer.

use flowswap_contract::{ApplyReply, Effect, ErrorKind, ObserveReply, Observed, Op};
use serde_json::{Value, json};

use crate::{
    driver::{answer, refused},
    fake::{Failure, okta_error, secret_of, service},
    prepare,
};

fn count_creates(asked: &[String]) -> usize {
    asked.iter().filter(|line| line.starts_with("Mutate POST") && line.contains("api-services\n")).count()
}

#[test]
fn a_lost_answer_is_observed_and_adopted() {
    let (mut okta, mut org, params) = prepare("provision", json!({}), json!({}));
    org.fail("POST /integrations", Failure::LoseAnswer);
    let error = refused(okta.call::<ApplyReply>(&mut org, Op::Apply, &params));
    assert_eq!((error.kind, error.effect), (ErrorKind::Unavailable, Effect::Unknown));

    let seen: ObserveReply = okta.call(&mut org, Op::Observe, &params).unwrap();
    assert_eq!(seen.state, Observed::Partial);
    let mut again = params.clone();
    again["outputs"] = serde_json::to_value(&seen.outputs).unwrap();
    assert_eq!(again["outputs"], json!({"client_id": "0oaNEW1"}));

    okta.asked.clear();
    let adopted: ApplyReply = okta.call(&mut org, Op::Apply, &again).unwrap();
    insta::assert_snapshot!("adopt-asks", okta.asked.join("\n"));
    let outputs = serde_json::to_value(adopted.outputs).unwrap();
    assert_eq!(org.secrets.len(), 1);
    assert_eq!(okta.secrets[secret_of(&outputs).as_str()], org.secrets[0].3, "the secret held is the one that works");
    assert_eq!(org.made, 1, "nothing was created twice");

    again["outputs"] = outputs.clone();
    let seen: ObserveReply = okta.call(&mut org, Op::Observe, &again).unwrap();
    assert_eq!((seen.state, serde_json::to_value(seen.outputs).unwrap()), (Observed::Applied, outputs));
}

#[test]
fn an_interrupted_adoption_is_finished() {
    for (cut, held) in [
        (Failure::LoseAnswer, "POST /integrations/api/v1/api-services/0oaNEW1/credentials/secrets"),
        (Failure::Answer(okta_error(500, "E0000009")), "/lifecycle/deactivate"),
        (Failure::Answer(okta_error(403, "E0000006")), "DELETE /integrations"),
    ] {
        let (mut okta, mut org, mut params) = prepare("provision", json!({}), json!({}));
        org.fail("POST /integrations", Failure::LoseAnswer);
        refused(okta.call::<ApplyReply>(&mut org, Op::Apply, &params));
        params["outputs"] = json!({"client_id": "0oaNEW1"});
        org.fail(held, cut);
        let error = refused(okta.call::<ApplyReply>(&mut org, Op::Apply, &params));
        assert_eq!(error.effect, Effect::Unknown, "{held}");
        let adopted: ApplyReply = okta.call(&mut org, Op::Apply, &params).unwrap();
        let outputs = serde_json::to_value(adopted.outputs).unwrap();
        let active: Vec<_> = org.secrets.iter().map(|s| (s.2, s.3.as_str())).collect();
        assert_eq!(active, [("ACTIVE", okta.secrets[secret_of(&outputs).as_str()].as_str())], "{held}");
    }
}

#[test]
fn an_integration_with_two_secrets_is_adopted() {
    for statuses in [["ACTIVE", "ACTIVE"], ["INACTIVE", "ACTIVE"], ["ACTIVE", "INACTIVE"]] {
        let (mut okta, mut org, params) = prepare("provision", json!({}), json!({"client_id": "0oaNEW"}));
        org.services.push(service("0oaNEW", "panw_cie", "x", &[]));
        for (n, status) in statuses.into_iter().enumerate() {
            org.secrets.push(("0oaNEW".to_owned(), format!("ocsLOST{n}"), status, format!("CANARY-lost-{n}")));
        }
        let adopted: ApplyReply = okta.call(&mut org, Op::Apply, &params).unwrap();
        let outputs = serde_json::to_value(adopted.outputs).unwrap();
        let active: Vec<_> = org.secrets.iter().map(|s| (s.2, s.3.as_str())).collect();
        assert_eq!(active, [("ACTIVE", okta.secrets[secret_of(&outputs).as_str()].as_str())], "{statuses:?}");
    }
}

#[test]
fn an_unexpected_integration_of_the_same_type_stops_the_create() {
    let (mut okta, mut org, params) = prepare("provision", json!({}), json!({}));
    org.services.push(service("0oaSTRANGER", "panw_cie", "x", &[]));
    okta.asked.clear();
    let error = refused(okta.call::<ApplyReply>(&mut org, Op::Apply, &params));
    assert_eq!((error.kind, error.effect), (ErrorKind::Conflict, Effect::None));
    assert!(error.message.contains("0oaSTRANGER"), "{}", error.message);
    assert!(error.hint.is_some());
    assert_eq!(count_creates(&okta.asked), 0);
}

#[test]
fn the_list_and_the_outputs_decide_what_is_observed() {
    let secret = json!({"$secret": "s"});
    let stale = json!({"$secret": "stale"});
    let table: [(&[&str], Value, Observed); 11] = [
        (&[], json!({}), Observed::NotApplied),
        (&["0oaA"], json!({}), Observed::Partial),
        (&["0oaA"], json!({"client_id": "0oaA"}), Observed::Partial),
        (&["0oaA"], json!({"client_id": "0oaA", "client_secret": secret}), Observed::Applied),
        (&["0oaA"], json!({"client_id": "0oaA", "client_secret": stale}), Observed::Partial),
        (&["0oaA"], json!({"client_secret": secret}), Observed::Applied),
        (&["0oaA"], json!({"client_secret": stale}), Observed::Partial),
        (&["0oaA", "0oaB"], json!({}), Observed::Unknown),
        (&["0oaA", "0oaB"], json!({"client_id": "0oaB", "client_secret": secret}), Observed::Applied),
        (&["0oaB"], json!({"client_id": "0oaA", "client_secret": secret}), Observed::NotApplied),
        (&["0oaA"], json!({"client_id": "0oaA", "client_secret": "in clear"}), Observed::Partial),
    ];
    for (new, outputs, expected) in table {
        let (mut okta, mut org, params) = prepare("provision", json!({}), outputs.clone());
        org.services.extend(new.iter().map(|id| service(id, "panw_cie", "x", &[])));
        org.secrets
            .extend(new.iter().map(|id| ((*id).to_owned(), "ocs1".to_owned(), "ACTIVE", "CANARY-held".to_owned())));
        for (handle, value) in [("s", "CANARY-held"), ("stale", "CANARY-removed")] {
            okta.secrets.insert(handle.into(), value.to_owned());
        }
        let seen: ObserveReply = okta.call(&mut org, Op::Observe, &params).unwrap();
        assert_eq!(seen.state, expected, "{new:?} {outputs}");
        if seen.state == Observed::Applied {
            assert_eq!(seen.outputs["client_secret"], secret, "{new:?} {outputs}");
            assert!(new.contains(&seen.outputs["client_id"].as_str().unwrap()), "{new:?} {outputs}");
        }
    }
}

#[test]
fn a_secret_that_could_not_be_checked_is_not_replaced() {
    let outputs = json!({"client_id": "0oaA", "client_secret": {"$secret": "s"}});
    for (answered, expected) in [
        (okta_error(500, "E0000009"), Err(ErrorKind::Unavailable)),
        (okta_error(403, "E0000006"), Err(ErrorKind::Permission)),
        (answer(400, json!({"error": "invalid_scope"})), Ok(Observed::Applied)),
    ] {
        let (mut okta, mut org, params) = prepare("provision", json!({}), outputs.clone());
        org.services.push(service("0oaA", "panw_cie", "x", &[]));
        okta.secrets.insert("s".into(), "CANARY-held".to_owned());
        org.fail("POST /oauth2/v1/token", Failure::Answer(answered.clone()));
        let seen = okta.call::<ObserveReply>(&mut org, Op::Observe, &params);
        assert_eq!(seen.map(|seen| seen.state).map_err(|error| error.kind), expected, "{}", answered.status);
    }
}

#[test]
fn the_log_distinguishes_the_steps_own_creation_from_others() {
    let attempts = json!([{"token": "run-1/provision", "at": "2026-01-01T11:59:59.9Z"}]);
    let (ours, other) = ("flowswap/0.1.0 (+intent:run-1/provision)", "Mozilla/5.0");
    let new = ["0oaA", "0oaB"];
    let check = |events: &[(&str, &str)], fault: Option<Failure>, expected: Result<(Observed, Value), ErrorKind>| {
        let (mut okta, mut org, mut params) = prepare("provision", json!({}), json!({}));
        params["attempts"] = attempts.clone();
        org.services.extend(new.iter().map(|id| service(id, "panw_cie", "x", &[])));
        events.iter().for_each(|(id, agent)| org.log_creation(id, agent));
        if let Some(fault) = fault {
            org.fail("GET /api/v1/logs", fault);
        }
        okta.asked.clear();
        let seen = okta.call::<ObserveReply>(&mut org, Op::Observe, &params);
        let seen = seen.map(|seen| (seen.state, json!(seen.outputs))).map_err(|error| error.kind);
        assert_eq!(seen, expected, "{events:?}");
        let logs = "api/v1/logs?since=2025-12-31T11%3A59%3A59.9Z&filter=eventType%20eq%20%22integration.api_service";
        let waits = okta.asked.iter().filter(|line| line.starts_with("sleep")).count();
        assert_eq!(okta.asked.iter().filter(|line| line.contains(logs)).count(), 1 + waits, "{:?}", okta.asked);
        assert!(waits == 0 || matches!(expected, Ok((Observed::Unknown, _))), "{events:?}");
    };
    let is = |id: &str| Ok((Observed::Partial, json!({"client_id": id})));
    check(&[], None, Ok((Observed::Unknown, json!({}))));
    check(&[("0oaA", other)], None, Ok((Observed::Unknown, json!({}))));
    check(&[("0oaB", ours), ("0oaA", other)], None, is("0oaB"));
    check(&[("0oaA", ours)], None, is("0oaA"));
    check(&[("0oaA", other), ("0oaB", other)], None, Ok((Observed::NotApplied, json!({}))));
    check(&[("0oaA", ours), ("0oaB", ours)], None, Ok((Observed::Unknown, json!({}))));
    let forbidden = Failure::Answer(okta_error(403, "E0000006"));
    check(&[("0oaA", ours)], Some(forbidden), Ok((Observed::Unknown, json!({}))));
    check(&[("0oaA", ours)], Some(Failure::Answer(okta_error(500, "E0000009"))), Err(ErrorKind::Unavailable));
    // Neither is the word that the log may not be read.
    check(&[("0oaA", ours)], Some(Failure::Answer(okta_error(404, "E0000008"))), Err(ErrorKind::NotFound));
    let gateway = Failure::Answer(crate::fake::oauth_error(403, "Forbidden"));
    check(&[("0oaA", ours)], Some(gateway), Err(ErrorKind::Unavailable));
}

#[test]
fn a_received_secret_without_an_integration_is_unknown() {
    let (mut okta, mut org, params) = prepare("provision", json!({}), json!({"client_secret": {"$secret": "s"}}));
    let seen: ObserveReply = okta.call(&mut org, Op::Observe, &params).unwrap();
    assert_eq!(seen.state, Observed::Unknown);
    assert!(seen.detail.ends_with("but okta shows no such integration"), "{}", seen.detail);
}

#[test]
fn undo_deletes_only_what_the_step_created() {
    let (mut okta, mut org, mut params) = prepare("provision", json!({}), json!({}));
    let made: ApplyReply = okta.call(&mut org, Op::Apply, &params).unwrap();
    params["outputs"] = serde_json::to_value(made.outputs).unwrap();
    for _ in 0..2 {
        let _: ApplyReply = okta.call(&mut org, Op::Undo, &params).unwrap();
        assert_eq!(org.service_ids(), ["0oaFOREIGN"]);
    }

    params["outputs"] = json!({});
    let error = refused(okta.call::<ApplyReply>(&mut org, Op::Undo, &params));
    assert_eq!(error.kind, ErrorKind::Internal);

    okta.asked.clear();
    params["step"]["proposal"]["payload"]["existing"] = json!(["0oaFOREIGN"]);
    params["outputs"] = json!({"client_id": "0oaFOREIGN"});
    let error = refused(okta.call::<ApplyReply>(&mut org, Op::Undo, &params));
    assert!(error.message.contains("existed before the plan"), "{}", error.message);
    assert_eq!(okta.asked, Vec::<String>::new());
}

#[test]
fn an_integration_that_survives_its_deletion_is_reported() {
    let (mut okta, mut org, params) = prepare("provision", json!({}), json!({"client_id": "0oaFOREIGN"}));
    org.fail("DELETE /integrations", Failure::Answer(answer(204, Value::Null)));
    let error = refused(okta.call::<ApplyReply>(&mut org, Op::Undo, &params));
    assert_eq!((error.kind, error.effect), (ErrorKind::Conflict, Effect::Unknown));
}

#[test]
fn failures_of_the_create_keep_their_effect() {
    let table = [
        (okta_error(400, "E0000001"), ErrorKind::Invalid, Effect::None),
        (okta_error(403, "E0000006"), ErrorKind::Permission, Effect::None),
        (okta_error(500, "E0000009"), ErrorKind::Unavailable, Effect::Unknown),
        (answer(201, json!({"clientSecret": "CANARY"})), ErrorKind::Invalid, Effect::Unknown),
    ];
    for (given, kind, effect) in table {
        let (mut okta, mut org, params) = prepare("provision", json!({}), json!({}));
        let status = given.status;
        org.fail("POST /integrations", Failure::Answer(given));
        let error = refused(okta.call::<ApplyReply>(&mut org, Op::Apply, &params));
        assert_eq!((error.kind, error.effect), (kind, effect), "{status}: {}", error.message);
    }
}

#[test]
fn scopes_that_differ_from_the_request_are_reported() {
    let (mut okta, mut org, params) = prepare("provision", json!({}), json!({}));
    let mut shown = service("0oaNEW", "panw_cie", "x", &["okta.users.read"]);
    shown["clientSecret"] = json!("CANARY-1");
    org.fail("POST /integrations", Failure::Answer(answer(201, shown)));
    let made: ApplyReply = okta.call(&mut org, Op::Apply, &params).unwrap();
    assert_eq!(crate::driver::results(&made.evidence), ["created: Pass", "granted-scopes: Fail"]);
}
