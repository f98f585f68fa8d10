//! Reports for people who review a plan, or audit what was done.

/// The pages in a real browser: they need no network, nothing in them is out of order, and a reader finds the odd tenants.
mod browser;
/// Two plans, compared.
mod compared;
/// A journal in which everything has happened to somebody.
#[path = "../../../crates/report/tests/it/eventful.rs"]
mod eventful;
/// A fleet of five shapes, planned from recorded answers.
#[path = "../../../crates/report/tests/it/fleet.rs"]
mod fleet;
/// Records of work on such a fleet.
#[path = "../../../crates/report/tests/it/journal.rs"]
mod journal;
/// The run sheet of a swap.
#[path = "../../../crates/report/tests/it/run_sheet.rs"]
mod run_sheet;
/// A plan at a terminal.
mod shown;
/// What was done.
mod work;

use std::fs;

use crate::{documents::documented, support::Lab};

const FILES: [&str; 4] = ["plan.html", "plan.md", "report.json", "plan.xml"];

#[test]
fn a_reviewer_gets_a_page() {
    let lab = Lab::with_tenants(3);
    let session = documented("review").whole();
    for (line, code) in [
        ("plan -o plan.json --report plan.html", 0),
        ("show plan.json", 0),
        ("show plan.json acme", 0),
        ("show plan.json --as markdown", 0),
        ("show plan.json --report junit.xml", 0),
        ("plan -o new.json", 0),
        ("diff plan.json new.json", 0),
        ("diff plan.json new.json --report diff.html", 0),
        ("apply plan.json --yes", 0),
    ] {
        let output = lab.run(&line.split(' ').collect::<Vec<_>>()).expect(code);
        assert!(
            !line.starts_with("diff") || output.stdout.starts_with("Nothing that matters differs.\n"),
            "{}",
            output.stdout
        );
        session.typed(&format!("flowswap {line}"), &output);
    }
    assert!(lab.path("plan.html").is_file() && lab.path("junit.xml").is_file());
}

#[test]
fn plan_and_show_write_the_same_reports() {
    let lab = Lab::with_tenants(4);
    let report_options = FILES.map(|file| ["--report", file]).concat();
    let planned = lab.run(&[&["plan", "-o", "plan.json"][..], &report_options].concat()).expect(0);
    for file in FILES {
        assert!(planned.stderr.contains(&format!("report: {file}\n")), "{}", planned.stderr);
    }
    let written = FILES.map(|file| fs::read_to_string(lab.path(file)).unwrap());
    // A report may be replaced by a report.
    lab.run(&[&["show", "plan.json"][..], &report_options].concat()).expect(0);
    assert_eq!(FILES.map(|file| fs::read_to_string(lab.path(file)).unwrap()), written);
    for (face, text) in ["html", "markdown", "json", "junit"].into_iter().zip(&written) {
        assert_eq!(lab.run(&["show", "plan.json", "--as", face]).expect(0).stdout, *text, "{face}");
    }
}

#[test]
fn a_report_without_a_plan_file_is_a_report_all_the_same() {
    let lab = Lab::with_tenants(1);
    lab.run(&["plan", "--report", "plan.md"]).expect(0);
    assert!(fs::read_to_string(lab.path("plan.md")).unwrap().contains("migrate 1 of 1 tenant to"));
    assert!(!lab.path("plan.json").exists());
}

#[test]
fn a_report_goes_only_where_a_report_may_go() {
    let lab = Lab::with_tenants(1);
    fs::write(lab.path("notes.md"), "my notes").unwrap();
    let refused = [
        (&["notes.md"][..], "`notes.md` exists, and flowswap did not write it as a report"),
        (&["plan.pdf"], "the name of a report must end in .html, .md, .json, .xml, unlike `plan.pdf`"),
        (&["plan"], "unlike `plan`"),
        (&["-"], "unlike `-`"),
        (&["a.md", "a.md"], "`a.md` is named twice"),
        (&["plan.json"], "`plan.json` is named twice"),
        (&["no-such-folder/plan.md"], "there is no folder `no-such-folder`"),
    ];
    for (files, why) in refused {
        let options: Vec<&str> = files.iter().flat_map(|file| ["--report", file]).collect();
        let before = lab.sim.traffic().len();
        let output = lab.run(&[&["plan", "-o", "plan.json"][..], &options].concat());
        assert!(output.stderr.contains(why), "{why}: {}", output.stderr);
        assert_ne!(output.code, 0, "{why}");
        assert!(lab.sim.traffic().len() == before, "{why}: refused before any request");
    }
    assert_eq!(fs::read_to_string(lab.path("notes.md")).unwrap(), "my notes");
    lab.run(&["plan", "--report", "notes.md", "--force"]).expect(0);
    assert!(fs::read_to_string(lab.path("notes.md")).unwrap().starts_with("# Review of flowswap plan "));
}
