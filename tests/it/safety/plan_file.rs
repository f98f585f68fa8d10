//! Plans that were edited, are too old, or were made by other code: refused whole, before anything is sent.

use std::fs;

use flowswap_sim::SimConfig;

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
    refuse(&lab, lab.sim.traffic().len(), &[], "the plan expired at ");
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
        assert!(other.stderr.contains("--accept-changed-plugins"), "{}", other.stderr);
    }
    lab.run(&["rollback", "acme", "--yes", "--plugin-dir", "plugins", "--accept-changed-plugins"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"]);
}

#[test]
fn a_plan_of_tenants_that_the_configuration_does_not_have() {
    let (lab, requests) = planned();
    lab.edit_config(|text| text.replace("name = \"globex\"", "name = \"globex-renamed\""));
    refuse(&lab, requests, &[], "the plan has the tenant `globex`, and the configuration does not");
}
