//! Reports about a handmade journal.

use serde_json::Value;

use super::story::{CANARY, Story};

/// Compares the output of the binary with its snapshot, which is named after the words of the command.
#[track_caller]
fn compare(story: &Story, line: &str) {
    let output = story.run(line);
    assert!(!output.show().contains(CANARY), "the secret is shown");
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
        .add_filter("all times are those of the simulator, .* this machine", "all times are those of the simulator");
    settings.bind(|| insta::assert_snapshot!(format!("waiting@{}", line.replace(' ', "-")), output.show()));
}

#[test]
fn every_kind_of_waiting_is_shown() {
    let story = Story::six_days_later();
    for line in ["next", "next --owner dana", "next initech", "next --owner nobody", "next acme --format json"] {
        compare(&story, line);
    }
    for line in ["status", "status initech acme --format json"] {
        compare(&story, line);
    }
    for line in ["sheet acme", "sheet hooli", "sheet initech", "sheet nobody", "sheet acme --format json"] {
        compare(&story, line);
    }
    for line in ["evidence acme", "evidence initech", "evidence umbrella", "evidence stark", "evidence hooli"] {
        compare(&story, line);
    }
    compare(&story, "evidence initech --format json");
}

#[test]
fn a_sheet_is_written_in_every_form_and_to_a_file() {
    let story = Story::new();
    for (form, begins) in
        [("terminal", "Reconnect the directory acme\n"), ("markdown", "# Reconnect"), ("html", "<!doctype html>")]
    {
        let shown = story.run(&format!("sheet acme --as {form}")).expect(0);
        assert!(shown.stdout.starts_with(begins), "{}", shown.stdout);
        let written = story.run(&format!("sheet acme --as {form} -o sheet.{form}")).expect(0);
        assert_eq!(written.stdout, "");
        assert_eq!(std::fs::read_to_string(story.dir().join(format!("sheet.{form}"))).unwrap(), shown.stdout);
    }
    let html = story.run("sheet acme --as html").expect(0).stdout;
    assert!(html.contains("<code data-label=\"Client ID\">0oa1b2c3d4e5f6g7h8i9</code>"), "{html}");
    for outside in ["src=", "<script", "<link", "url(", "@import"] {
        assert!(!html.contains(outside), "the page refers to something outside: {outside}");
    }
}

/// The evidence contains every check and every confirmation, and lists what is missing.
#[test]
fn the_evidence_of_a_swapped_tenant_is_complete() {
    let story = Story::new();
    let report = |tenant: &str| -> Value {
        serde_json::from_str(&story.run(&format!("evidence {tenant} --format json")).expect(0).stdout).unwrap()
    };
    let swapped = report("umbrella");
    assert_eq!(swapped["missing"], serde_json::json!({ "what": [], "earliest": null }));
    let steps = swapped["steps"].as_array().unwrap();
    let standing: Vec<_> = steps.iter().map(|step| step["standing"].as_str().unwrap()).collect();
    assert_eq!(standing, ["done", "done", "done", "done", "later", "later"]);
    assert_eq!(report("stark")["steps"][3]["standing"], "failed");
    assert_eq!(report("acme")["steps"][2]["standing"], "asked");
    assert_eq!(report("acme")["handed_over"][0]["by"], "dana");
    assert_eq!(report("acme")["said"][0]["by"], "erik");
}
