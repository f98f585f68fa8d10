//! Every JSON document follows the schema that the binary prints for it. [`Lab::json`] checks each one that any test decodes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use insta::{assert_snapshot, with_settings};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::{Lab, folder, repository, run_in};

/// The documents and what each one is, as `flowswap schema` lists them.
fn listed() -> Vec<(String, String)> {
    let dir = folder();
    let output = run_in(dir.path(), &["schema"]).expect(0);
    let rows = output.stdout.lines().skip(1).map(|line| line.split_once("  ").unwrap());
    rows.map(|(name, about)| (name.to_owned(), about.trim().to_owned())).collect()
}

fn schema(name: &str) -> Value {
    let dir = folder();
    serde_json::from_str(&run_in(dir.path(), &["schema", name]).expect(0).stdout).unwrap()
}

/// The document that a command prints. `None` if its JSON is no document of flowswap, such as an HTML page.
fn document_of(args: &[&str], printed: &Value) -> Option<String> {
    // The value of this option is no command.
    let args = if args.first() == Some(&"--config") { &args[2..] } else { args };
    let has = |word: &str| args.contains(&word);
    let words: Vec<&str> = args.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let name = match (words.first().copied()?, words.get(1).copied()) {
        ("plugins", Some("list")) => "plugins",
        ("plugins", Some("inspect")) => "plugin",
        ("plugins", Some("conformance")) => "conformance",
        ("sim", Some("world")) => "world",
        ("secret", Some("recipients")) => "recipients",
        ("secret", Some("list" | "verify")) => "client-secrets",
        ("show", _) if has("--as") => "plan-report",
        ("show", _) if printed.get("digest").is_some() => "plan",
        ("show", _) => "plan-part",
        ("rollback", _) if has("--abandon") => "abandon",
        ("apply", _) if printed.get("waves").is_some() => "waves",
        ("apply" | "resume" | "rollback" | "finalize" | "confirm", _) => "run",
        (command, _) => command,
    };
    Some(name.to_owned())
}

/// Fails unless what a command printed follows the schema of its document, and has no member that the schema does not name.
#[track_caller]
pub(crate) fn check(args: &[&str], printed: &Value) {
    if let Some(name) = document_of(args, printed) {
        check_document(&name, printed);
    }
}

/// Fails unless a document of this name follows its schema, and has no member that the schema does not name.
#[track_caller]
pub(super) fn check_document(name: &str, printed: &Value) {
    static VALIDATORS: Mutex<BTreeMap<String, Validator>> = Mutex::new(BTreeMap::new());
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = validators.entry(name.to_owned()).or_insert_with(|| {
        let mut schema = schema(name);
        close(&mut schema);
        jsonschema::validator_for(&schema).unwrap()
    });
    let errors = validator.iter_errors(printed).map(|error| format!("{}: {error}", error.instance_path()));
    let errors: Vec<String> = errors.collect();
    drop(validators);
    assert!(errors.is_empty(), "this is no document `{name}`: {errors:#?}\n{printed:#}");
}

/// Makes a schema refuse members that it does not name. An object that is made of several parts refuses them as a whole, so its
/// parts stay open.
fn close(schema: &mut Value) {
    let mut parts = Vec::new();
    collect_parts(schema, &mut parts);
    close_objects(schema, "", &parts);
}

const COMBINED: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// The places of all parts of objects, as `$ref` names them.
fn collect_parts(schema: &Value, parts: &mut Vec<String>) {
    if let Value::Object(members) = schema
        && members.contains_key("properties")
    {
        let alternatives = COMBINED.iter().filter_map(|key| members.get(*key)?.as_array()).flatten();
        let refs = alternatives.chain([schema]).filter_map(|part| part.get("$ref")?.as_str());
        parts.extend(refs.map(str::to_owned));
    }
    match schema {
        Value::Object(members) => members.values().for_each(|value| collect_parts(value, parts)),
        Value::Array(items) => items.iter().for_each(|value| collect_parts(value, parts)),
        _ => {}
    }
}

fn close_objects(schema: &mut Value, place: &str, parts: &[String]) {
    if let Value::Object(members) = schema {
        let is_combined = COMBINED.iter().any(|key| members.contains_key(*key)) || members.contains_key("$ref");
        if members.contains_key("properties") && !members.contains_key("additionalProperties") {
            if is_combined {
                members.insert("unevaluatedProperties".to_owned(), json!(false));
            } else if !parts.contains(&format!("#{place}")) {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        for (key, value) in members.iter_mut() {
            // The alternatives of a combined object are its parts.
            if !(is_combined && COMBINED.contains(&key.as_str())) {
                close_objects(value, &format!("{place}/{key}"), parts);
            }
        }
    }
    if let Value::Array(items) = schema {
        items.iter_mut().for_each(|item| close_objects(item, place, parts));
    }
}

#[test]
fn schemas_change_only_on_purpose() {
    for (name, _) in listed() {
        let dir = folder();
        let schema = run_in(dir.path(), &["schema", &name]).expect(0).stdout;
        with_settings!({ omit_expression => true, snapshot_suffix => name }, { assert_snapshot!("schema", schema) });
    }
}

#[test]
fn every_schema_is_one() {
    for (name, _) in listed() {
        let schema = schema(&name);
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{name}");
        let format = &schema["properties"]["format"]["const"];
        assert!(format.is_u64(), "`{name}` does not say which format it has");
        assert!(schema["required"].as_array().unwrap().contains(&json!("format")), "{name}");
    }
}

/// `automation.md` has the same list.
#[test]
fn the_documents_are_documented() {
    let document = std::fs::read_to_string(repository().join("crates/cli/docs/automation.md")).unwrap();
    for (name, about) in listed() {
        assert!(document.contains(&format!("| `{name}` | {about}. |\n")), "automation.md has no row `{name}`: {about}");
    }
}

#[test]
fn an_unknown_document_is_refused() {
    let dir = folder();
    let output = run_in(dir.path(), &["schema", "statsu"]).expect(2);
    assert!(output.stderr.contains("statsu") && output.stderr.contains("'status'"), "{}", output.stderr);
}

/// A fleet with tenants in as many states as one run of commands can have. What is not here, other tests decode.
#[test]
fn every_command_prints_a_document_that_follows_its_schema() {
    let lab = Lab::with_tenants(12);
    let mut seen = Vec::new();
    let mut json = |args: &[&str], code| {
        let printed = lab.json(args, code);
        assert_eq!(printed["format"], json!(printed["format"].as_u64().unwrap()), "{args:?}");
        seen.extend(document_of(args, &printed));
        printed
    };
    json(&["check"], 0);
    json(&["detect"], 4);
    json(&["plan"], 4);
    json(&["plan", "-o", "plan.json"], 4);
    json(&["plan", "-o", "new.json"], 4);
    json(&["show", "plan.json"], 0);
    json(&["show", "plan.json", "acme"], 0);
    json(&["show", "plan.json", "--as", "json"], 0);
    json(&["diff", "plan.json", "new.json"], 0);
    json(&["approvals", "plan.json"], 0);
    json(&["apply", "plan.json", "--yes"], 0);
    json(&["watch"], 0);
    json(&["rollback", "acme", "--yes"], 4);
    json(&["status"], 0);
    json(&["next"], 0);
    json(&["stuck"], 0);
    json(&["evidence", "acme"], 0);
    json(&["evidence", "acme", "globex"], 0);
    json(&["history"], 0);
    json(&["report"], 0);
    json(&["audit", "verify", "--online"], 0);
    json(&["secret", "recipients"], 0);
    json(&["secret", "list"], 0);
    json(&["secret", "verify"], 0);
    json(&["explain"], 0);
    json(&["plugins", "list"], 0);
    json(&["plugins", "inspect", "okta"], 0);
    lab.run(&["record", "-o", "r.jsonl", "detect", "globex"]).expect(0);
    json(&["replay", "r.jsonl"], 0);
    seen.sort();
    seen.dedup();
    // Tests of the commands compare these with their schemas.
    let elsewhere = ["abandon", "cancel", "conformance", "decline", "error", "event", "pause", "rehearse", "resolve"];
    let elsewhere = elsewhere.into_iter().chain(["notify", "sheet", "waves", "world"]);
    let missing = listed().into_iter().map(|(name, _)| name).filter(|name| !seen.contains(name));
    assert_eq!(missing.collect::<std::collections::BTreeSet<_>>(), elsewhere.map(str::to_owned).collect());
}
