//! Replacing the secret of a connection: which answers count as done, and which do not.

use flowswap_contract::{ApplyReply, Effect, Error, ErrorKind, HttpAnswer, Op, Role};
use serde_json::{Value, json};

use crate::{
    driver::{answer, refused, step_params},
    fake::FakeCie,
    open, table,
};

fn update(cie: &mut FakeCie, asked: &mut Vec<String>) -> Result<ApplyReply, Error> {
    let proposal = json!({
        "phase": "swap", "title": "replace the client secret", "by": "plugin", "reversibility": "attended",
        "payload": {"operation": "update-secret", "directory_id": "b7e3a1f4-2c9d-4e6b-8a05-d3f7c2e91b40"},
    });
    let inputs = json!({"client_secret": {"$secret": "new-secret"}});
    let mut plugin = open(table());
    let mut params = step_params(Role::Directory, &proposal, inputs, json!({}));
    params["rotation"] = json!(1);
    let reply = plugin.call(cie, Op::Apply, params);
    *asked = plugin.asked;
    reply
}

#[test]
fn the_secret_is_replaced() {
    let (mut cie, mut asked) = (FakeCie::new(), vec![]);
    let reply = update(&mut cie, &mut asked).unwrap();
    assert_eq!(cie.secret.as_deref(), Some("CANARY-new-secret"));
    assert!(reply.operator.is_none(), "nobody has to do anything");
    insta::assert_snapshot!("update-secret-asks", asked.join("\n"));
}

#[test]
fn only_true_counts_as_replaced() {
    let in_result = |success, message| json!({"success": success, "result": {"error": {"error-message": message}}});
    let table: [(HttpAnswer, ErrorKind, Effect); 15] = [
        (answer(200, in_result(true, "Directory not found")), ErrorKind::Invalid, Effect::Unknown),
        (answer(200, json!({"success": true, "result": "true"})), ErrorKind::Invalid, Effect::Unknown),
        (answer(200, json!({"success": true, "result": {}})), ErrorKind::Invalid, Effect::Unknown),
        (answer(200, json!({"success": false, "result": true})), ErrorKind::Invalid, Effect::Unknown),
        (answer(200, json!("<html>")), ErrorKind::Invalid, Effect::Unknown),
        (answer(302, Value::Null), ErrorKind::Unavailable, Effect::Unknown),
        (answer(404, in_result(true, "Directory not found")), ErrorKind::NotFound, Effect::None),
        (answer(421, in_result(true, "provider must be one of")), ErrorKind::Invalid, Effect::None),
        (answer(400, json!({"message": "Required field"})), ErrorKind::Invalid, Effect::None),
        (answer(403, json!({"message": "no"})), ErrorKind::Permission, Effect::None),
        (answer(403, Value::Null), ErrorKind::Unavailable, Effect::Unknown),
        (answer(404, Value::Null), ErrorKind::Unavailable, Effect::Unknown),
        (answer(404, json!({"code": 404, "reason": "no route"})), ErrorKind::Unavailable, Effect::Unknown),
        (answer(421, json!({"detail": "misdirected"})), ErrorKind::Unavailable, Effect::Unknown),
        (answer(500, in_result(false, "Internal Server Error")), ErrorKind::Unavailable, Effect::Unknown),
    ];
    for (refusal, kind, effect) in table {
        let (mut cie, mut asked) = (FakeCie::new(), vec![]);
        cie.refusal = Some(("/update-secret", refusal.clone()));
        let error = refused(update(&mut cie, &mut asked));
        assert_eq!((error.kind, error.effect), (kind, effect), "{refusal:?}: {}", error.message);
        assert_eq!(error.context["rule"], "secret-not-updated");
        assert!(error.hint.is_some());
        assert_eq!(asked.len(), 2, "a token and one try: {asked:?}");
    }
}

#[test]
fn a_lost_answer_has_an_unknown_effect_and_can_be_repeated() {
    let (mut cie, mut asked) = (FakeCie::new(), vec![]);
    cie.lose = Some("/update-secret");
    let error = refused(update(&mut cie, &mut asked));
    assert_eq!((error.kind, error.effect), (ErrorKind::Unavailable, Effect::Unknown));
    assert_eq!(cie.secret.take().as_deref(), Some("CANARY-new-secret"), "it had arrived");
    update(&mut cie, &mut asked).unwrap();
    assert_eq!(cie.secret.as_deref(), Some("CANARY-new-secret"));
}

#[test]
fn the_previous_secret_is_given_back_if_flowswap_keeps_it() {
    let proposal = json!({
        "phase": "swap", "title": "x", "by": "plugin", "reversibility": "unattended",
        "payload": {"operation": "update-secret", "directory_id": "b7e3a1f4-2c9d-4e6b-8a05-d3f7c2e91b40"},
    });
    let mut cie = FakeCie::new();
    let inputs = json!({"client_secret": {"$secret": "new-secret"}, "previous_secret": {"$secret": "old-secret"}});
    let mut params = step_params(Role::Directory, &proposal, inputs, json!({}));
    params["rotation"] = json!(1);
    let mut plugin = open(table());
    plugin.secrets.insert("old-secret".to_owned(), "CANARY-old-secret".to_owned());
    let reply: ApplyReply = plugin.call(&mut cie, Op::Undo, params).unwrap();
    assert!(reply.operator.is_none(), "nobody has to do anything");
    assert_eq!(cie.secret.as_deref(), Some("CANARY-old-secret"));
}
