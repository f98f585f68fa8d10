//! Plans that were edited, are too old, or were made by other code: refused whole, before anything is sent.

use std::fs;

use flowswap_sim::{Fault, FaultKind, GATEWAY_HOST, SimConfig};

use crate::support::{Lab, plugin_file};

/// Two tenants with a plan, and how many requests there were so far.
fn planned() -> (Lab, usize) {
    let lab = Lab::new(SimConfig::default().tenants(2).record(true));
    lab.plan().expect(0);
    let requests = lab.sim.traffic().len();
    (lab, requests)
}

/// Applies, and sees that it is refused with these words and that nobody was asked anything.
#[track_caller]
fn refuse(lab: &Lab, requests: usize, args: &[&str], words: &str) {
    let output = lab.run(&[&["apply", "plan.json", "--yes"], args].concat()).expect(6);
    assert!(output.stderr.contains(words), "`{words}` is not said:\n{}", output.stderr);
    assert!(output.stderr.contains("hint: "), "{}", output.stderr);
    assert_eq!(lab.sim.traffic().len(), requests, "something was sent");
    assert_eq!(output.stdout, "");
}

#[test]
fn a_plan_of_which_a_byte_was_changed() {
    let (lab, requests) = planned();
    let path = lab.path("plan.json");
    let text = fs::read_to_string(&path).unwrap();
    let digest = text.find("\"digest\": \"").unwrap() + "\"digest\": \"".len();
    let replace_at = |at: usize| {
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    };
    let changed = "digest does not match";
    let table: Vec<(&str, String, &str)> = vec![
        ("a name", text.replacen("globex", "globey", 1), changed),
        ("a digit of the digest", replace_at(digest), changed),
        ("a digit of a plugin's hash", replace_at(text.find("\"sha256\": \"").unwrap() + 12), changed),
        ("a digit of a time", text.replacen("not_after\": \"2", "not_after\": \"3", 1), changed),
        ("a space more", text.replacen(": ", ":  ", 1), changed),
        ("a space less", text.replacen("  ", " ", 1), changed),
        ("a line end more", format!("{text}\n"), changed),
        ("no line end", text.trim_end().to_owned(), changed),
        ("a carriage return", text.replacen('\n', "\r\n", 1), changed),
        ("a word", text.replacen("\"unattended\"", "\"irreversible\"", 1), changed),
        ("a key more", text.replacen("{\n", "{\n  \"note\": 1,\n", 1), changed),
        ("a byte-order mark", format!("\u{feff}{text}"), "the file is not a plan"),
        ("cut off", text[..text.len() / 2].to_owned(), "the file is not a plan"),
        ("nothing", String::new(), "the file is not a plan"),
        ("another format", text.replacen("\"format\": 1", "\"format\": 2", 1), "reads format 1"),
    ];
    for (what, edited, words) in table {
        assert_ne!(edited, text, "{what}: the edit changed nothing");
        fs::write(&path, edited).unwrap();
        refuse(&lab, requests, &[], words);
    }
    assert!(lab.in_state("planned").len() == 2);
    fs::write(&path, text).unwrap();
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
}

#[test]
fn a_plan_that_has_expired() {
    let lab = Lab::new(SimConfig::default().tenants(2).record(true));
    lab.edit_config(|text| format!("{text}\n[run]\nplan_lifetime = \"1ms\"\n"));
    lab.plan().expect(0);
    let requests = lab.sim.traffic().len();
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(6);
    assert_eq!(output.stdout.matches("the plan expired at ").count(), 2, "{}", output.stdout);
    assert_eq!(lab.sim.traffic().len(), requests, "something was sent");
}

#[test]
fn a_plan_that_is_being_carried_out_is_not_written_over() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let (path, kind) = ("/v1/directories/".to_owned(), FaultKind::Status { status: 403 });
    let method = Some("POST".to_owned());
    lab.sim.add_fault(Fault {
        host: GATEWAY_HOST.to_owned(),
        method,
        path,
        query: String::new(),
        kind,
        times: 1,
        skip: 0,
    });
    lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    let before = fs::read_to_string(lab.path("plan.json")).unwrap();
    let refused = lab.plan().expect(6);
    assert!(refused.stderr.contains("`plan.json` is the plan with which `acme` is failed"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(lab.path("plan.json")).unwrap(), before);
    let elsewhere = lab.run(&["plan", "-o", "other.json"]).expect(4);
    assert!(elsewhere.stdout.contains("migration-begun"), "{}", elsewhere.stdout);
}

#[test]
fn a_plan_that_was_taken_back() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    let before = lab.sim.snapshot();
    let again = lab.run(&["apply", "plan.json", "--yes"]).expect(6);
    assert!(again.stdout.contains("it was rolled back after this plan was made"), "{}", again.stdout);
    assert_eq!(lab.sim.snapshot(), before);
}

#[test]
fn a_configuration_that_is_not_the_plan_s_does_not_take_anything_back() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.edit_config(|text| text.replacen("acme.okta.test", "globex.okta.test", 1));
    let before = lab.sim.snapshot();
    let refused = lab.run(&["rollback", "acme", "--yes"]).expect(6);
    assert!(refused.stdout.contains("the configuration of `provider.domain` is not the plan's"), "{}", refused.stdout);
    assert_eq!(lab.sim.snapshot(), before);
    assert_eq!(lab.in_state("swapped"), ["acme", "globex"]);
}

#[test]
fn one_directory_that_is_configured_twice_is_planned_once() {
    let lab = Lab::with_tenants(1);
    lab.edit_config(|text| {
        let tenant = text[text.find("[[tenant]]").unwrap()..].replace("name = \"acme\"", "name = \"twin\"");
        format!("{text}\n{tenant}")
    });
    fs::copy(lab.path("tokens/acme.token"), lab.path("tokens/twin.token")).unwrap();
    let plan = lab.plan().expect(4);
    assert!(plan.stdout.contains("org-shared: `acme`, which this plan migrates"), "{}", plan.stdout);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.sim.world().directories[0].submits, 1);
}

#[test]
fn a_plan_that_other_code_made() {
    let (lab, requests) = planned();
    fs::create_dir(lab.path("plugins")).unwrap();
    let mut library = fs::read(plugin_file("okta")).unwrap();
    library.push(0);
    fs::write(lab.path("plugins").join(plugin_file("okta").file_name().unwrap()), library).unwrap();
    refuse(&lab, requests, &["--plugin-dir", "plugins"], "plugin `okta` is not the one that the plan was made with");

    // What was begun is gone on with by the code that began it, unless the operator says otherwise.
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    for command in ["rollback", "finalize"] {
        let other = lab.run(&[command, "acme", "--yes", "--plugin-dir", "plugins"]).expect(6);
        assert!(other.stderr.contains("another build of plugin `okta`"), "{}", other.stderr);
        assert!(other.stderr.contains("--accept-changes"), "{}", other.stderr);
    }
    lab.outlive_tokens();
    lab.run(&["rollback", "acme", "--yes", "--plugin-dir", "plugins", "--accept-changes"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"]);
}

#[test]
fn a_plan_of_tenants_that_the_configuration_does_not_have() {
    let (lab, requests) = planned();
    lab.edit_config(|text| text.replace("name = \"globex\"", "name = \"globex-renamed\""));
    refuse(&lab, requests, &[], "the plan has the tenant `globex`, and the configuration does not");
}
