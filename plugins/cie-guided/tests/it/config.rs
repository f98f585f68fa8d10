//! Malformed tables: each error names its key path.

use flowswap_contract::ErrorKind;
use serde_json::{Value, json};

use crate::{driver::refused, table, try_open};

/// The table with the value at `pointer` replaced or removed.
fn changed(pointer: &str, value: Option<Value>) -> Value {
    let mut table = table();
    table["loss_budget"] = json!({});
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = table.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => _ = parent.insert(key.to_owned(), value),
        None => _ = parent.remove(key),
    }
    table
}

#[test]
fn errors_name_the_key() {
    let none = None::<Value>;
    let table = [
        ("/tsg_id", none.clone(), "`tsg_id` is missing"),
        ("/tsg_id", Some(json!("123")), "`tsg_id` must be 10 digits"),
        ("/tsg_id", Some(json!(1_234_567_890)), "`tsg_id` must be a non-empty string"),
        ("/client_id", none.clone(), "`client_id` is missing"),
        ("/directory", none.clone(), "`directory` is missing"),
        ("/directory", Some(json!("")), "`directory` must be a non-empty string"),
        ("/domain", none.clone(), "`domain` is missing"),
        ("/domain", Some(json!("https://acme.okta.com/")), "`domain` must not have a scheme"),
        ("/domain", Some(json!("acme")), "`domain` must be a plain host name"),
        ("/domain", Some(json!("acme.okta.com/x")), "`domain` must be a plain host name"),
        ("/directory_id", Some(json!("b7e3a1f4")), "`directory_id` must be a UUID"),
        ("/console_url", Some(json!("directory-sync.us")), "`console_url` must be the tenant's address"),
        ("/console_url", Some(json!("ftp://x.test")), "`console_url` must be the tenant's address"),
        ("/auth_url", Some(json!("http://a.test")), "`auth_url` must be an https origin"),
        ("/api_url", Some(json!("https://a.test/v1")), "`api_url` must be an https origin without a path"),
        ("/record", Some(json!("x")), "`record` must be a table"),
        ("/record/flow", Some(json!("implicit")), "`record.flow` must be `authorization-code` or"),
        ("/record/app_data", Some(json!("yes")), "`record.app_data` must be true or false"),
        ("/record/last_sign_in", Some(json!("yesterday")), "`record.last_sign_in` must be a time"),
        (
            "/record/clientid",
            Some(json!("0oa")),
            "`record.clientid` is unknown here; the known keys are flow, client_id",
        ),
        ("/loss_budget/users", Some(json!(1)), "`loss_budget.users` is unknown here"),
        ("/loss_budget/users_percent", Some(json!(101)), "`loss_budget.users_percent` must be a number from 0 to 100"),
        ("/loss_budget/groups", Some(json!(0.5)), "`loss_budget.groups` must be a whole number"),
        ("/sample_groups", Some(json!(51)), "`sample_groups` must be a whole number up to 50"),
    ];
    for (pointer, value, message) in table {
        let error = refused(try_open(changed(pointer, value.clone())).map(|_| ()));
        assert_eq!(error.kind, ErrorKind::Config);
        assert!(error.message.starts_with(message), "{pointer} {value:?}: {}", error.message);
        let key = pointer.trim_start_matches('/').replace('/', ".");
        assert_eq!(error.context.get("key").map(String::as_str), Some(key.as_str()), "{pointer}");
    }
}

#[test]
fn optional_keys_can_be_left_out() {
    for key in ["console_url", "record", "sample_groups"] {
        try_open(changed(&format!("/{key}"), None)).unwrap();
    }
    for (key, value) in [
        ("directory_id", json!("B7E3A1F4-2c9d-4e6b-8a05-d3f7c2e91b40")),
        ("console_url", json!("http://127.0.0.1:8080/directories")),
        ("api_url", json!("https://api.strata.paloaltonetworks.com/")),
    ] {
        try_open(changed(&format!("/{key}"), Some(value))).unwrap();
    }
}
