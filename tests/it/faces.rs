//! Text from outside in every output of the binary: no name of an app can affect the screen.

use std::fs;

use flowswap_sim::{Interface, Mutation, Scenario, SimConfig};
use serde_json::Value;

use crate::support::{Lab, command, finish};

/// A label that a terminal, a page, or a log could interpret as more than a name: line breaks, a color, a change of the
/// writing direction, a zero-width character, a C1 control character, a tag character, and a run of spaces, which could fill up
/// a line.
const LABEL: &str = "Palo Alto\nacme: finalized\r\n\u{1b}[2K\u{1b}[32mok\u{202e}gnp.\u{2066}\u{200b}\u{9b}31m\u{2028}\u{e0041} Größe   acme: purged";

/// The first character of the label that no output may contain.
fn hidden(text: &str) -> Option<char> {
    text.chars().find(|c| LABEL.contains(*c) && *c != '\n' && (c.is_control() || !c.is_ascii()) && !"öß".contains(*c))
}

#[track_caller]
fn check(name: &str, text: &str) {
    assert_eq!(hidden(text), None, "{name}: {text:?}");
    // The label is shown on one line, so no part of it can begin a line.
    assert!(!text.lines().any(|line| line.starts_with("acme: finalized")), "{name}: {text}");
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

/// A tenant whose app has the label.
fn lab(config: SimConfig) -> (Lab, String) {
    let lab = Lab::new(config);
    let tenant = lab.sim.tenants().into_iter().find(|tenant| tenant.scenario == Scenario::Ready).unwrap();
    let app = lab.org(&tenant).legacy[0].id.clone();
    lab.sim.mutate(Mutation::RenameApp { org: tenant.domain.clone(), app, label: LABEL.to_owned() }).unwrap();
    (lab, tenant.name)
}

#[test]
fn a_label_with_control_characters_is_harmless_in_every_output() {
    let (lab, name) = lab(SimConfig::default().tenants(1));
    let mut shown = String::new();
    let mut kept = false;
    let commands: [&[&str]; 13] = [
        &["check", "-vv"],
        &["detect", "-vv"],
        &["plan"],
        &["plan", "-vv", "-o", "plan.json"],
        &["show", "plan.json"],
        &["apply", "plan.json", "--yes", "-vv"],
        &["status"],
        &["evidence", &name],
        &["report"],
        &["stuck"],
        &["next"],
        &["audit", "verify", "--online"],
        &["rollback", &name, "--yes", "-vv"],
    ];
    for args in commands {
        let output = lab.run(args);
        for text in [&output.stdout, &output.stderr] {
            check(&args.join(" "), text);
            assert!(!text.contains("  acme: purged"), "{args:?}: {text}");
            shown += text;
        }
        let is_look = !matches!(args[0], "apply" | "rollback") && !args.contains(&"-o");
        if is_look {
            let json = lab.run(&[args, &["--format", "json"]].concat());
            check(&format!("{} as JSON", args.join(" ")), &json.stdout);
            let mut found = Vec::new();
            strings(&serde_json::from_str(&json.stdout).unwrap(), &mut found);
            kept |= found.iter().any(|text| text.contains(LABEL));
        }
    }
    let plan = fs::read_to_string(lab.path("plan.json")).unwrap();
    check("plan.json", &plan);
    assert!(plan.contains("\\u202e"), "the plan keeps the value");
    assert!(shown.contains("<U+202E>") && shown.contains("<U+001B>"), "{shown}");
    assert!(shown.contains("Größe<3 spaces>acme: purged"), "letters stay, and spaces are counted");
    assert!(kept, "JSON keeps the value");
}

/// A person's note is shown in the run sheet and in every report about it.
#[test]
fn a_note_with_control_characters_is_harmless_in_every_form_of_the_sheet() {
    let (lab, name) = lab(SimConfig::default().tenants(1).interface(Interface::CieGuided));
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    lab.run(&["confirm", &name, "--note", LABEL]).expect(4);
    let commands: [&[&str]; 10] = [
        &["sheet", &name],
        &["sheet", &name, "--as", "markdown"],
        &["sheet", &name, "--as", "html"],
        &["sheet", &name, "--format", "json"],
        &["next"],
        &["evidence", &name],
        &["report", "--as", "html"],
        &["report", "--as", "markdown"],
        &["report", "--format", "json"],
        &["status"],
    ];
    for args in commands {
        let output = lab.run(args).expect(0);
        check(&args.join(" "), &output.stdout);
        let is_json = args.contains(&"json");
        let shows = |text: &str| text.contains("U+202E") || (is_json && text.contains("\\u202e"));
        assert!(args[0] == "status" || shows(&output.stdout), "{args:?}: {}", output.stdout);
    }
    lab.run(&["sheet", &name, "--as", "html", "-o", "sheet.html"]).expect(0);
    check("sheet.html", &fs::read_to_string(lab.path("sheet.html")).unwrap());
}

#[test]
fn a_control_character_in_the_configuration_is_refused_by_name() {
    let (lab, _) = lab(SimConfig::default().tenants(1));
    lab.edit_config(|text| text.replacen("[[tenant]]", "[[tenant]]\nowner = \"da\\u202Ena\"", 1));
    let output = lab.run(&["detect"]).expect(2);
    assert!(output.stderr.contains("`owner` contains U+202E RIGHT-TO-LEFT OVERRIDE"), "{}", output.stderr);
    check("configuration", &output.stderr);
}

/// Errors show command-line arguments, so these are filtered too.
#[test]
fn an_argument_is_filtered_in_errors() {
    let (lab, _) = lab(SimConfig::default().tenants(1));
    let output = finish(command(lab.dir(), &["detect", LABEL])).expect(2);
    check("argument", &output.stderr);
    assert!(output.stderr.contains("<U+202E>"), "{}", output.stderr);
}
