//! Refusals become errors with kind, effect, and message. They repeat only what the description points at, and say who refused.

use flowswap_contract::{ApplyReply, Effect, ErrorKind, HttpAnswer, HttpAsk, ObserveReply, Op};
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
        (405, Unsupported, Nothing),
        (408, TimedOut, Unknown),
        (409, Conflict, Nothing),
        (412, Conflict, Nothing),
        (422, Invalid, Nothing),
        (423, Conflict, Nothing),
        (429, RateLimited, Nothing),
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
        assert!(!refusal.context.contains_key("answered_by"), "{refusal:?}");

        gateway.refusal = Some(("/dir-1", error(status, "a reason")));
        let refusal = refused(rest.call::<Value>(&mut gateway, Op::Detect, json!({})));
        assert_eq!((refusal.kind, refusal.effect), (kind, Nothing), "a read of {status}");
    }
}

#[test]
fn an_undescribed_refusal_may_come_from_a_proxy() {
    let table: [(u16, Value); 9] = [
        (302, error(302, "moved").body),
        (401, Value::Null),
        (403, json!("<html><title>Blocked by policy</title></html>")),
        (403, json!({"message": "denied by policy"})),
        (403, json!({"error": {"message": 403}})),
        (404, json!("<html>404</html>")),
        (404, error(404, "no such path").body),
        (410, error(410, "gone").body),
        (429, json!({"message": "slow down"})),
    ];
    for (status, body) in table {
        let (mut rest, mut gateway, params) = prepare("swap");
        gateway.refusal = Some(("/reconnect", answer(status, body.clone())));
        let refusal = refused(rest.call::<ApplyReply>(&mut gateway, Op::Apply, &params));
        assert_eq!((refusal.kind, refusal.effect), (ErrorKind::Unavailable, Effect::Unknown), "{status} {body}");
        let expected = "something between this machine and the directory may have answered the request to submit the new credentials";
        assert!(refusal.message.starts_with(expected), "{}", refusal.message);
        assert_eq!(refusal.context["answered_by"], "foreign");

        gateway.refusal = Some(("/dir-1", answer(status, body.clone())));
        let refusal = refused(rest.call::<Value>(&mut gateway, Op::Observe, &params));
        assert_eq!((refusal.kind, refusal.effect), (ErrorKind::Unavailable, Effect::None), "a read of {status} {body}");
    }
}

/// Each row: what the list shows while the directory answers with the described 404.
#[test]
fn a_directory_is_gone_if_the_refusal_matches_and_the_list_lacks_it() {
    let gone = || answer(404, json!({"error": {"code": "not_found", "message": "there is no directory dir-1"}}));
    let listed = |id: &str| answer(200, json!({"directories": [{"id": id, "name": "x"}], "next": null}));
    let table: [(HttpAnswer, HttpAnswer, ErrorKind, &str); 6] = [
        (gone(), listed("dir-2"), ErrorKind::NotFound, ": there is no directory dir-1, and the list lacks dir-1"),
        (gone(), listed("dir-1"), ErrorKind::Unavailable, ", but the list of directories has dir-1"),
        (gone(), error(503, "later"), ErrorKind::Unavailable, ", but flowswap cannot read the list of directories"),
        (
            gone(),
            answer(200, json!({"directories": [{}], "next": null})),
            ErrorKind::Unavailable,
            "cannot read the list of directories: `fields.id`: the directory's answer has nothing at /id",
        ),
        (
            error(404, "x"),
            listed("dir-2"),
            ErrorKind::Unavailable,
            "something between this machine and the directory may have answered",
        ),
        (
            answer(410, gone().body),
            listed("dir-2"),
            ErrorKind::Unavailable,
            "something between this machine and the directory may have answered",
        ),
    ];
    for (shown, list, kind, message) in table {
        let (mut rest, _, params) = prepare("swap");
        let mut world = |ask: &HttpAsk| Ok(if ask.url.ends_with("/dir-1") { shown.clone() } else { list.clone() });
        let error = refused(rest.call::<ObserveReply>(&mut world, Op::Observe, &params));
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{}", error.message);
        assert!(error.message.contains(message), "{}", error.message);
    }
}

#[test]
fn without_gone_no_directory_is_gone() {
    let (_, mut gateway, params) = prepare("swap");
    let mut config = table();
    config.as_object_mut().unwrap().remove("gone");
    gateway.directories.clear();
    let error = refused(open(config).call::<Value>(&mut gateway, Op::Observe, &params));
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.hint.unwrap().starts_with("describe in `gone`"));
}

#[test]
fn messages_repeat_only_what_the_description_points_at() {
    let mut config = table();
    config.as_object_mut().unwrap().remove("error");
    config["request_id_header"] = json!("X-Okta-Request-Id");
    let mut rest = open(config);
    let (_, mut gateway, params) = prepare("swap");
    gateway.refusal = Some(("/reconnect", answer(400, json!({"you_sent": "something secret"}))));
    let refusal = refused(rest.call::<ApplyReply>(&mut gateway, Op::Apply, &params));
    assert_eq!(refusal.message, "the directory refused to submit the new credentials: 400");
    assert_eq!(refusal.effect, Effect::Unknown, "nothing says whose answer it is");
    assert!(!format!("{refusal:?}").contains("something secret"));
    assert_eq!(refusal.context["request_id"], "req-1");
}
