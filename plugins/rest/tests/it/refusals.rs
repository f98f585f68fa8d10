//! What the interface's refusals become: kind, effect, message, and nothing that was not pointed at.

use flowswap_contract::{ApplyReply, Effect, ErrorKind, Op};
use serde_json::{Value, json};

use crate::{
    driver::{answer, refused},
    fake::error,
    open, prepare, table,
};

#[test]
fn refusals_have_kind_and_effect() {
    use Effect::{None as Nothing, Unknown};
    use ErrorKind::*;
    let table = [
        (400, Invalid, Nothing),
        (401, Auth, Nothing),
        (403, Permission, Nothing),
        (404, NotFound, Nothing),
        (405, Unsupported, Nothing),
        (408, TimedOut, Unknown),
        (409, Conflict, Nothing),
        (410, NotFound, Nothing),
        (412, Conflict, Nothing),
        (422, Invalid, Nothing),
        (423, Conflict, Nothing),
        (429, RateLimited, Nothing),
        (302, Invalid, Unknown),
        (500, Unavailable, Unknown),
        (501, Unsupported, Unknown),
        (502, Unavailable, Unknown),
    ];
    for (status, kind, effect) in table {
        let (mut rest, mut gateway, params) = prepare("swap");
        gateway.refusal = Some(("/reconnect", error(status, "a reason")));
        let refusal = refused(rest.call::<ApplyReply>(&mut gateway, Op::Apply, &params));
        assert_eq!((refusal.kind, refusal.effect), (kind, effect), "{status}");
        assert_eq!(refusal.message, format!("the directory refused to submit the new credentials: {status}: a reason"));
        assert_eq!(refusal.context["status"], status.to_string());

        gateway.refusal = Some(("/dir-1", error(status, "a reason")));
        let refusal = refused(rest.call::<Value>(&mut gateway, Op::Detect, json!({})));
        assert_eq!((refusal.kind, refusal.effect), (kind, Nothing), "a read of {status}");
    }
}

#[test]
fn only_what_is_pointed_at_is_repeated() {
    let mut config = table();
    config.as_object_mut().unwrap().remove("error");
    config["request_id_header"] = json!("X-Okta-Request-Id");
    let mut rest = open(config);
    let (_, mut gateway, params) = prepare("swap");
    gateway.refusal = Some(("/reconnect", answer(400, json!({"you_sent": "something secret"}))));
    let refusal = refused(rest.call::<ApplyReply>(&mut gateway, Op::Apply, &params));
    assert_eq!(refusal.message, "the directory refused to submit the new credentials: 400");
    assert!(!format!("{refusal:?}").contains("something secret"));
    assert_eq!(refusal.context["request_id"], "req-1");
}
