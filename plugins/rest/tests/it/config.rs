//! Malformed descriptions: each error names its key path. The README's example must be the description that the tests use.

use flowswap_contract::{ErrorKind, Role};
use flowswap_rest::Rest;
use serde_json::{Value, json};

use crate::{
    driver::{Driver, refused},
    table,
};

/// The tests' description with the value at `pointer` replaced or removed.
fn changed(pointer: &str, value: Option<Value>) -> Value {
    let mut table = table();
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
        ("/base_url", none.clone(), "`base_url` is missing"),
        ("/base_url", Some(json!("http://a.test")), "`base_url` must be an https origin"),
        ("/base_url", Some(json!("https://a.test/v1")), "`base_url` must be an https origin without a path"),
        ("/base_url", Some(json!("https://a@b.test")), "`base_url` must be an https origin"),
        ("/fields", none.clone(), "`fields` is missing"),
        ("/fields", Some(json!([])), "`fields` must be a table"),
        ("/fields/domain", none.clone(), "`fields.domain` is missing"),
        ("/fields/users", Some(json!("sync/users")), "`fields.users` must be a JSON pointer such as /sync/users"),
        ("/fields/user", Some(json!("/x")), "`fields.user` is unknown here"),
        ("/status/fields/flow", none.clone(), "`status.fields.flow` is missing"),
        ("/flows", none.clone(), "`flows` is missing"),
        ("/flows/authorization_code", none.clone(), "`flows` has no word for authorization-code"),
        ("/flows/x", Some(json!("implicit")), "`flows.x` must be `authorization-code` or"),
        ("/healthy", Some(json!("success")), "`healthy` must be a list of strings"),
        ("/healthy", Some(json!([1])), "`healthy` must be a list of strings"),
        ("/id", Some(json!("")), "`id` must not be empty"),
        ("/id", Some(json!(7)), "`id` must be a string"),
        ("/id", none.clone(), "`id` is missing; set `id`, or `name` or `domain`"),
        ("/read", none.clone(), "`read` is missing"),
        ("/read/path", none.clone(), "`read.path` is missing"),
        ("/read/path", Some(json!("v1")), "`read.path` must start with a slash"),
        ("/read/path", Some(json!("/v1/$client_id")), "`read.path` names $client_id, which is not available here"),
        ("/read/method", Some(json!("POST")), "`read.method` must be GET"),
        ("/read/body", Some(json!({})), "`read.body` is unknown here"),
        ("/test/method", Some(json!("BREW")), "`test.method` must be POST"),
        ("/test/method", Some(json!("PUT")), "`test.method` must be POST or GET: a test changes nothing, but PUT does"),
        ("/test/method", Some(json!("patch")), "`test.method` must be POST or GET"),
        ("/test/method", Some(json!("DELETE")), "`test.method` must be POST or GET"),
        ("/gone/equals", none.clone(), "`gone.equals` is missing"),
        ("/gone/pointer", none.clone(), "`gone.pointer` is missing"),
        ("/gone/status", Some(json!("404")), "`gone.status` must be a number from 400 to 499"),
        ("/gone/status", Some(json!(200)), "`gone.status` must be a number from 400 to 499"),
        ("/gone/code", Some(json!("x")), "`gone.code` is unknown here"),
        ("/list/items", Some(json!("x")), "`list.items` must be a JSON pointer"),
        ("/test/method", Some(json!("GET")), "`test.body` must be absent with GET"),
        ("/test/passed", none.clone(), "`test.passed` is missing"),
        ("/test/passed/pointer", none.clone(), "`test.passed.pointer` is missing"),
        ("/test/passed/equals", none.clone(), "`test.passed.equals` is missing"),
        ("/test/passed/equal", Some(json!(1)), "`test.passed.equal` is unknown here"),
        ("/test/receipt", Some(json!("receipt")), "`test.receipt` must be a JSON pointer such as /receipt"),
        (
            "/test/body/receipt",
            Some(json!("$receipt")),
            "`test.body.receipt` names $receipt, which is not available here",
        ),
        ("/submit", none.clone(), "`submit` is missing"),
        ("/submit/path", Some(json!("/x/$client_secret")), "`submit.path` must not contain $client_secret"),
        (
            "/submit/body/note",
            Some(json!("it is $client_secret")),
            "`submit.body.note` must not contain $client_secret",
        ),
        ("/submit/headers", Some(json!({"X-Key": "$client_secret"})), "`submit.headers.X-Key` must not contain"),
        (
            "/submit/headers",
            Some(json!({"Authorization": "x"})),
            "`submit.headers.Authorization` must be absent: flowswap sets",
        ),
        ("/submit/headers", Some(json!({"X-A": 1})), "`submit.headers.X-A` must be a string"),
        ("/restore/body", Some(json!({"s": "$client_secret"})), "`restore.body.s` names $client_secret"),
        ("/restore/paht", Some(json!("/x")), "`restore.paht` is unknown here"),
    ];
    for (pointer, value, expected) in table {
        let config = changed(pointer, value.clone());
        let error = refused(Driver::<Rest>::open(Role::Directory, config).map(drop));
        assert_eq!(error.kind, ErrorKind::Config, "{pointer} {value:?}");
        assert!(error.message.starts_with(expected), "{pointer} {value:?}: {}", error.message);
        assert!(error.message.contains(&error.context["key"]), "{pointer}: {error:?}");
    }
}

#[test]
fn a_search_requires_a_list() {
    let mut config = changed("/id", None);
    config["name"] = json!("tenant1");
    config.as_object_mut().unwrap().remove("list");
    let error = refused(Driver::<Rest>::open(Role::Directory, config).map(drop));
    assert_eq!(error.message, "`list` is missing; it is required without `id`");
}

#[test]
fn the_credential_is_required() {
    let Value::Object(config) = table() else { unreachable!() };
    let error = refused(Driver::<Rest>::open_with(Role::Directory, config, [].into()).map(drop));
    assert_eq!(error.message, "`credential` is missing");
}

#[test]
fn the_readme_example_is_the_tested_description() {
    let readme = include_str!("../../README.md");
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let mut read = read_toml(example);
    let directory = read["tenant"]["directory"].as_object_mut().unwrap();
    assert_eq!(directory.remove("plugin"), Some(json!("rest")));
    assert_eq!(directory.remove("credential"), Some(json!({"env": "CIE_GATEWAY_TOKEN"})));
    assert_eq!(Value::Object(directory.clone()), table());
}

#[test]
fn every_key_is_in_the_readme() {
    let readme = include_str!("../../README.md");
    for key in <Rest as flowswap_contract::sdk::Plugin>::hello().config {
        assert!(readme.contains(&format!("| `{}` |", key.name)), "{} is not documented", key.name);
    }
}

/// Just enough TOML for the example: tables, and values that are JSON except for `=` in inline tables.
fn read_toml(text: &str) -> Value {
    let mut root = json!({});
    let mut path = String::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            path = name.trim_matches(['[', ']']).replace('.', "/");
            continue;
        }
        let (key, value) = line.split_once('=').unwrap();
        let mut place = &mut root;
        for segment in path.split('/').chain([key.trim()]) {
            place = place.as_object_mut().unwrap().entry(segment).or_insert_with(|| json!({}));
        }
        *place = read_value(value.split(" #").next().unwrap().trim());
    }
    root
}

fn read_value(text: &str) -> Value {
    if let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let pairs = inner.split(", ").filter(|pair| !pair.trim().is_empty());
        return pairs
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(k, v)| (k.trim().to_owned(), read_value(v.trim())))
            .collect();
    }
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}
