//! Inventories, the search for the directory, and plans.

use flowswap_contract::{DirectoryInventory, ErrorKind, HttpAsk, Op, TestReply};
use serde_json::{Value, json};

use crate::{
    detect,
    driver::{answer, proposal_of, refused, results},
    fake::{FakeGateway, error},
    open, plan, table,
};

#[test]
fn a_directory_is_read() {
    let (mut rest, mut gateway) = (open(table()), FakeGateway::new());
    insta::with_settings!({sort_maps => true}, { insta::assert_json_snapshot!("inventory", detect(&mut rest, &mut gateway)) });
    assert_eq!(rest.asked, ["GET https://gateway.cie.test/v1/directories/dir-1\n  auth: Bearer <admin-token>"]);
}

fn search(name: Option<&str>, domain: Option<&str>) -> Value {
    let mut table = table();
    table.as_object_mut().unwrap().remove("id");
    for (key, value) in [("name", name), ("domain", domain)] {
        if let Some(value) = value {
            table[key] = json!(value);
        }
    }
    table
}

#[test]
fn a_directory_is_found_by_name_and_domain_on_any_page() {
    for (name, domain) in
        [(Some("tenant4"), None), (None, Some("Tenant4.okta.test")), (Some("tenant4"), Some("tenant4.okta.test"))]
    {
        let (mut rest, mut gateway) = (open(search(name, domain)), FakeGateway::new());
        assert_eq!(detect(&mut rest, &mut gateway).id, "dir-4");
        assert_eq!(rest.asked.len(), 4, "three pages and the directory: {:?}", rest.asked);
    }
}

#[test]
fn a_search_finds_exactly_one() {
    let mut gateway = FakeGateway::new();
    gateway.directories[3]["name"] = json!("tenant1");
    let table = [
        (Some("tenant9"), None, ErrorKind::NotFound),
        (Some("tenant1"), None, ErrorKind::Config),
        (Some("tenant2"), Some("tenant0.okta.test"), ErrorKind::NotFound),
    ];
    for (name, domain, kind) in table {
        let mut rest = open(search(name, domain));
        let error = refused(rest.call::<Value>(&mut gateway, Op::Detect, json!({})));
        assert_eq!(error.kind, kind, "{name:?} {domain:?}: {}", error.message);
        assert!(error.hint.is_some());
    }
    let mut rest = open(search(Some("tenant1"), Some("tenant3.okta.test")));
    assert_eq!(detect(&mut rest, &mut gateway).id, "dir-3");
}

#[test]
fn malformed_and_endless_lists_are_refused() {
    for (page, expected) in [
        (json!({"directories": [], "next": "same"}), "has endless pages: a page leads back to an earlier one"),
        (json!({"directories": {}}), "`list.items`"),
        (json!([]), "`list.items`"),
        (
            json!({"directories": [], "next": {"cursor": "x"}}),
            "`list.next`: the directory's answer has no cursor at /next",
        ),
        (json!({"directories": [], "next": true}), "`list.next`"),
        (json!({"directories": ["dir-1"]}), "`list.items`: the list at /directories has an item that is not an object"),
        (json!({"directories": [null]}), "has an item that is not an object"),
        (json!({"directories": [{"name": "tenant1"}]}), "`fields.id`: the directory's answer has nothing at /id"),
        (json!({"directories": [{"id": "dir-1"}]}), "`fields.name`: the directory's answer has nothing at /name"),
        (
            json!({"directories": [{"id": "dir-1", "name": ["x"]}]}),
            "`fields.name`: the directory's answer has no string",
        ),
    ] {
        let mut rest = open(search(Some("tenant1"), None));
        let mut world = |_: &HttpAsk| Ok(answer(200, page.clone()));
        let error = refused(rest.call::<Value>(&mut world, Op::Detect, json!({})));
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.contains(expected), "{}", error.message);
    }
}

#[test]
fn a_list_that_never_ends_is_refused() {
    let mut rest = open(search(Some("tenant1"), None));
    let mut pages = 0;
    let mut world = |_: &HttpAsk| {
        pages += 1;
        Ok(answer(200, json!({"directories": [], "next": pages})))
    };
    let error = refused(rest.call::<Value>(&mut world, Op::Detect, json!({})));
    assert_eq!(error.message, "the list of directories has endless pages: more than 1000");
    assert_eq!(pages, 1000);
}

#[test]
fn fields_of_an_answer_are_read() {
    type Seen = fn(&DirectoryInventory) -> String;
    let table: [(&str, Value, Seen, &str); 21] = [
        ("/type", json!("azure"), |d| format!("{:?}", d.flow), "NotOkta"),
        ("/type", json!("Okta"), |d| format!("{:?}", d.flow), "AuthorizationCode"),
        ("/type", Value::Null, |d| format!("{:?}", d.flow), "AuthorizationCode"),
        ("/connection/flow", json!("client_credentials"), |d| format!("{:?}", d.flow), "ClientCredentials"),
        ("/connection/flow", json!("magic"), |d| format!("{:?}", d.flow), "Unknown"),
        ("/connection/flow", Value::Null, |d| format!("{:?}", d.flow), "Unknown"),
        ("/connection/client_id", Value::Null, |d| format!("{:?}", d.client_id), "None"),
        ("/connection/client_id", json!(17), |d| format!("{:?}", d.client_id), "Some(\"17\")"),
        ("/connection/collect_applications", Value::Null, |d| format!("{:?}", d.app_data), "None"),
        ("/sync/status", json!("failed"), |d| format!("{:?}", d.healthy), "Some(false)"),
        ("/sync/status", json!("in_progress"), |d| format!("{:?}", d.healthy), "None"),
        ("/sync/status", Value::Null, |d| format!("{:?} {:?}", d.healthy, d.status), "None None"),
        ("/sync/last_success", json!(1_767_225_600), |d| d.last_success.clone().unwrap(), "2026-01-01T00:00:00Z"),
        (
            "/sync/last_success",
            json!(1_767_225_600_500_u64),
            |d| d.last_success.clone().unwrap(),
            "2026-01-01T00:00:00.5Z",
        ),
        (
            "/sync/last_success",
            json!("2026-01-01T01:00:00+01:00"),
            |d| d.last_success.clone().unwrap(),
            "2026-01-01T00:00:00Z",
        ),
        ("/sync/last_success", json!("yesterday"), |d| d.last_success.clone().unwrap(), "yesterday"),
        (
            "/sync/last_success",
            json!("2026-01-01T01:00:00"),
            |d| d.last_success.clone().unwrap(),
            "2026-01-01T01:00:00",
        ),
        ("/sync/last_success", json!(1e18), |d| d.last_success.clone().unwrap(), "1e+18"),
        ("/connection/last_sign_in", json!("gestern"), |d| d.last_sign_in.clone().unwrap(), "gestern"),
        ("/sync/users", Value::Null, |d| format!("{:?}", d.counts.users), "None"),
        ("/sync", Value::Null, |d| format!("{:?} {:?}", d.counts.groups, d.last_success), "None None"),
    ];
    for (pointer, value, seen, expected) in table {
        let (mut rest, mut gateway) = (open(crate::table()), FakeGateway::new());
        *gateway.directory().pointer_mut(pointer).unwrap() = value.clone();
        assert_eq!(seen(&detect(&mut rest, &mut gateway)), expected, "{pointer} {value}");
    }
}

#[test]
fn missing_and_malformed_fields_are_named() {
    let table = [
        ("/id", Value::Null, "`fields.id`: the directory's answer has nothing at /id"),
        ("/name", Value::Null, "`fields.name`: the directory's answer has nothing at /name"),
        ("/name", json!({}), "`fields.name`: the directory's answer has no string at /name"),
        ("/domain", Value::Null, "`fields.domain`: the directory's answer has nothing at /domain"),
        ("/sync/users", json!("many"), "`fields.users`: the directory's answer has no count at /sync/users"),
        ("/sync/users", json!(-1), "`fields.users`: the directory's answer has no count at /sync/users"),
        ("/sync/last_success", json!(true), "`fields.last_success`: the directory's answer has no time"),
        ("/connection/collect_applications", json!("yes"), "`fields.app_data`: the directory's answer has no boolean"),
    ];
    for (pointer, value, expected) in table {
        let mut shown = FakeGateway::new().directory().clone();
        *shown.pointer_mut(pointer).unwrap() = value.clone();
        let mut world = |_: &HttpAsk| Ok(answer(200, shown.clone()));
        let error = refused(open(crate::table()).call::<Value>(&mut world, Op::Detect, json!({})));
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.starts_with(expected), "{pointer} {value}: {}", error.message);
    }
}

#[test]
fn unexplained_words_say_nothing() {
    let mut config = table();
    config.as_object_mut().unwrap().remove("healthy");
    let inventory = detect(&mut open(config), &mut FakeGateway::new());
    assert_eq!((inventory.healthy, inventory.status.as_deref()), (None, Some("success")));
}

#[test]
fn the_plan_is_complete() {
    let steps = plan(&mut open(table()), &mut FakeGateway::new());
    insta::with_settings!({sort_maps => true}, { insta::assert_json_snapshot!("plan", steps) });
}

#[test]
fn without_restore_the_plan_instructs_a_person() {
    let mut config = table();
    config.as_object_mut().unwrap().remove("restore");
    let (mut rest, mut gateway) = (open(config), FakeGateway::new());
    assert!(!detect(&mut rest, &mut gateway).can_restore);
    let swap = proposal_of(&plan(&mut rest, &mut gateway), "swap");
    assert_eq!(swap["reversibility"], "attended");
    insta::assert_snapshot!("attended-undo", swap["undo"].as_str().unwrap());
}

#[test]
fn access_is_checked_without_writing() {
    let (mut rest, mut gateway) = (open(search(Some("tenant1"), None)), FakeGateway::new());
    let reply: TestReply = rest.call(&mut gateway, Op::Test, json!({})).unwrap();
    assert_eq!(results(&reply.evidence), ["read-directory: Pass"]);
    assert!(rest.asked.iter().all(|line| line.starts_with("GET")), "{:?}", rest.asked);

    gateway.directory()["domain"] = Value::Null;
    let reply: TestReply = open(table()).call(&mut gateway, Op::Test, json!({})).unwrap();
    assert_eq!(results(&reply.evidence), ["read-directory: Fail"]);
    gateway.refusal = Some(("/v1/directories/dir-1", error(401, "no")));
    let reply: TestReply = open(table()).call(&mut gateway, Op::Test, json!({})).unwrap();
    assert_eq!(results(&reply.evidence), ["read-directory: Fail"]);
    gateway.refusal = Some(("/v1/directories", error(403, "no")));
    let reply: TestReply = open(search(Some("tenant1"), None)).call(&mut gateway, Op::Test, json!({})).unwrap();
    assert_eq!(results(&reply.evidence), ["find-directory: Fail"]);
}

#[test]
fn requests_have_filled_templates() {
    let mut config = table();
    config["id"] = json!("a/b ü");
    config["auth_scheme"] = json!("Token");
    config["read"]["headers"] = json!({"X-Directory": "$id"});
    let mut rest = open(config);
    let mut directory = FakeGateway::new().directories[0].clone();
    directory["id"] = json!("a/b ü");
    let mut world = |_: &HttpAsk| Ok(answer(200, directory.clone()));
    let _: Value = rest.call(&mut world, Op::Detect, json!({})).unwrap();
    insta::assert_snapshot!("templates", rest.asked.join("\n"));
}
