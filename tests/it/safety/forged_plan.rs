//! A plan is sealed by a checksum, so anyone who can write the file can seal it again. Each member of a real plan is changed to
//! another plausible value, and the plan is sealed and applied: nothing of it may happen.

use std::fs;

use flowswap_sim::{Interface, SimConfig, diff};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Lab, print};

/// Words that a plan chooses from. Another word of the same row is plausible.
const WORDS: [&[&str]; 7] = [
    &["ready", "migrated", "blocked", "unknown"],
    &["error", "warning", "info"],
    &["provider", "directory"],
    &["plugin", "operator"],
    &["unattended", "attended", "irreversible"],
    &["plain", "application-enabled"],
    &["authorization-code", "client-credentials"],
];

/// How many forged plans are tried by default.
const SAMPLE: usize = 120;

/// Members that say something and decide nothing without approvals: what the rules found, and who made the plan.
fn only_says(path: &str) -> bool {
    path.contains("/findings") || path.starts_with("/made_by")
}

/// Every plan that differs from this one in one member, and where it differs.
fn forgeries(plan: &Value) -> Vec<(String, Value)> {
    let mut places = Vec::new();
    list_places(plan, "", &mut places);
    let mut forged = Vec::new();
    for path in places.iter().filter(|path| !["", "/digest", "/format"].contains(&path.as_str())) {
        let (parent, key) = path.rsplit_once('/').unwrap();
        let mut without = plan.clone();
        match without.pointer_mut(parent).unwrap() {
            Value::Object(members) => drop(members.remove(&key.replace("~1", "/").replace("~0", "~"))),
            Value::Array(items) => drop(items.remove(key.parse().unwrap())),
            _ => unreachable!("only objects and arrays have members"),
        }
        forged.push((format!("{path} left out"), without));
        for value in other_values(plan.pointer(path).unwrap()) {
            let mut other = plan.clone();
            *other.pointer_mut(path).unwrap() = value;
            forged.push((path.clone(), other));
        }
    }
    // A plugin in a cage has no such member.
    for name in plan["plugins"].as_object().unwrap().keys() {
        let mut uncaged = plan.clone();
        uncaged["plugins"][name]["uncaged"] = json!(true);
        forged.push((format!("/plugins/{name}/uncaged"), uncaged));
    }
    forged
}

fn list_places(value: &Value, path: &str, places: &mut Vec<String>) {
    places.push(path.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            list_places(value, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), places);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| list_places(item, &format!("{path}/{index}"), places));
        }
        _ => {}
    }
}

/// Values of the same kind that a forger could put in its place.
fn other_values(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(it) => vec![json!(!it)],
        Value::Number(it) => vec![json!(0), json!(it.as_u64().unwrap_or_default() + 1)],
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => vec![json!("2099-01-01T00:00:00Z")],
        Value::String(text) => match WORDS.iter().find(|row| row.contains(&text.as_str())) {
            Some(row) => row.iter().filter(|word| *word != text).map(|word| json!(word)).collect(),
            None if text.starts_with("0oa") => vec![json!("0oaOFANOTHERAPP00000")],
            None => vec![json!(format!("{text}x")), json!("../../x")],
        },
        Value::Null | Value::Array(_) | Value::Object(_) => Vec::new(),
    }
}

/// Seals a plan as flowswap does.
fn seal(plan: &Value) -> (String, String) {
    let mut plan = plan.clone();
    plan["digest"] = json!("");
    let digest = Sha256::digest(plan.to_string());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    plan["digest"] = json!(digest);
    (format!("{}\n", serde_json::to_string_pretty(&plan).unwrap()), digest)
}

fn refuse_all(config: SimConfig) {
    let lab = Lab::new(config);
    lab.plan().expect(0);
    let (path, text) = (lab.path("plan.json"), fs::read_to_string(lab.path("plan.json")).unwrap());
    let plan: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(seal(&plan).0, text, "a forger seals as flowswap does");
    let before = lab.sim.snapshot();
    let mut all = forgeries(&plan);
    let count = all.len();
    let chosen = std::env::var("FLOWSWAP_FORGED").ok();
    if chosen.as_deref() != Some("all") {
        let seed =
            chosen.map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("FLOWSWAP_FORGED is a seed or `all`"));
        fastrand::Rng::with_seed(seed).shuffle(&mut all);
        all.truncate(SAMPLE);
        print(&format!("forged plans: {SAMPLE} of {count}, FLOWSWAP_FORGED={seed}"));
    }
    let (mut by_digest, mut by_content) = (0, 0);
    for (what, forged) in &all {
        let (text, digest) = seal(forged);
        fs::write(&path, text).unwrap();
        // The forger has even talked the operator into the digest, unless the member decides nothing.
        let args: &[&str] = if only_says(what) { &[] } else { &["--digest", &digest] };
        let output = lab.run(&[&["apply", "plan.json", "--yes"], args].concat());
        let said = format!("{}{}", output.stdout, output.stderr);
        let does_nothing = output.code == 0 && said.contains("the plan has no tenant to migrate");
        assert!(output.code == 6 || does_nothing, "{what}: {}: {said}", output.code);
        let by = if only_says(what) { &mut by_digest } else { &mut by_content };
        *by += 1;
        let changed = diff(&before, &lab.sim.snapshot());
        assert_eq!(changed, Vec::<String>::new(), "{what}: {said}");
    }
    print(&format!("forged plans: {by_content} refused for what they say, {by_digest} for their digest"));
    assert!(count > 500 && by_content > SAMPLE / 2, "too few plans were forged");

    fs::write(&path, text).unwrap();
    assert!([0, 4].contains(&lab.run(&["apply", "plan.json", "--yes"]).code), "the plan itself is still applied");
    assert_ne!(diff(&before, &lab.sim.snapshot()), Vec::<String>::new());
}

#[test]
fn no_forged_plan_changes_anything() {
    refuse_all(SimConfig::default().tenants(1));
}

#[test]
fn no_forged_plan_of_a_guided_migration_changes_anything() {
    refuse_all(SimConfig::default().tenants(1).interface(Interface::CieGuided));
}

/// Every single byte of the file counts, so a plan of another state folder needs its whole digest.
#[test]
fn a_plan_of_another_state_folder_needs_its_whole_digest() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let plan: Value = serde_json::from_str(&fs::read_to_string(lab.path("plan.json")).unwrap()).unwrap();
    let digest = plan["digest"].as_str().unwrap();
    for file in ["journal.sqlite", "journal.snapshot"] {
        fs::remove_file(lab.path(".flowswap").join(file)).unwrap();
    }
    let refused = lab.run(&["apply", "plan.json", "--yes"]).expect(6);
    assert!(refused.stdout.contains("pass its whole digest with `--digest`"), "{}", refused.stdout);
    let refused = lab.run(&["apply", "plan.json", "--yes", "--digest", &digest[..12]]).expect(6);
    assert!(refused.stderr.contains("is not the plan with the digest"), "{}", refused.stderr);
    assert!(lab.run(&["show", "plan.json"]).expect(0).stdout.contains(digest));
    lab.run(&["apply", "plan.json", "--yes", "--digest", digest]).expect(0);
    assert_eq!(lab.in_state("swapped"), ["acme"]);
}
