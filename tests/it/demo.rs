//! `cargo demo` and the command behind it.

use std::{fs, path::Path};

use insta::{Settings, assert_snapshot};

use crate::{
    documents::documented,
    support::{folder, repository, run_in},
};

#[test]
fn the_demo_ends_with_every_ready_tenant_swapped_and_one_rolled_back() {
    let dir = folder();
    let session = documented("two-commands");
    let config: toml::Table = fs::read_to_string(repository().join(".cargo/config.toml")).unwrap().parse().unwrap();
    let alias = config["alias"]["demo"].as_str().unwrap().strip_prefix("run --locked --package flowswap -- ").unwrap();
    let output = run_in(dir.path(), &[alias, "--keep", "kept"]).expect(0);
    session.typed("cargo demo", &output);
    // This test itself is part of `cargo test --locked`.
    session.done("cargo test --locked");
    let status = output.stdout.rsplit("TENANT").next().unwrap();
    let count = |word: &str| status.lines().filter(|line| line.split_whitespace().nth(1) == Some(word)).count();
    assert_eq!((count("swapped"), count("rolled-back"), count("unplanned")), (6, 1, 5), "{status}");
    // It names every file that it leaves, and nothing else.
    let (_, list) = output.stderr.split_once("\nThe demo left these files in kept:\n").expect("a list of files");
    let mut named: Vec<_> = list.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    let found = fs::read_dir(dir.path().join("kept")).unwrap();
    let mut found: Vec<_> = found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    named.sort();
    found.sort();
    assert_eq!(named, found, "{list}");
    for file in [".flowswap/journal.sqlite", ".flowswap/identity.txt"] {
        assert!(dir.path().join("kept").join(file).is_file(), "{file}");
    }
}

/// The snapshots are samples of what a reviewer and an auditor read.
#[test]
fn the_reports_about_the_fleet_of_the_demo() {
    let dir = folder();
    run_in(dir.path(), &["demo", "--keep", "kept", "--user", "Dana"]).expect(0);
    let kept = dir.path().join("kept");
    let markdown = |command: &[&str]| run_in(&kept, &[command, &["--as", "markdown"]].concat()).expect(0).stdout;
    compare(&kept, "plan.md", &markdown(&["show", "plan.json"]));
    compare(&kept, "report.md", &markdown(&["report"]));
    for name in ["plan.html", "report.html"] {
        let page = fs::read_to_string(kept.join(name)).unwrap();
        let (_, body) = page.split_once("<body>\n").unwrap();
        let (body, _) = body.split_once("<script>").unwrap();
        compare(&kept, name, body);
    }
}

/// Compares a report with its sample, apart from what differs from run to run.
#[track_caller]
fn compare(kept: &Path, name: &str, report: &str) {
    let plan: serde_json::Value = serde_json::from_str(&fs::read_to_string(kept.join("plan.json")).unwrap()).unwrap();
    let digest = plan["digest"].as_str().unwrap();
    let report = report.replace(digest, "[digest]").replace(flowswap_engine::short(digest), "[plan]");
    let report = report.replace(env!("CARGO_PKG_VERSION"), "[version]");
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (varies, shown) in [
        // If a directory synchronizes at the very time of the swap, flowswap checks again.
        (r"(?m)^- \S+ \S+ cannot tell yet: sync: .*\n(  - .*\n)*", ""),
        (r"(?m)^<li>.* cannot tell yet: sync: .*\n<ul>.*\n</li>\n", ""),
        (r"(journal has |in the journal</dt><dd>)\d+", "$1[count]"),
        (r"Dana \([^)]*\)( on [^ |<,]+)?", "Dana"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "[time]"),
        // Tenants that share a row can have one time, or several.
        (r"\| \[time\] to \[time\] \|", "| [time] |"),
        (r"\b[0-9a-f]{64}\b", "[sha256]"),
        (r"\b01[0-9a-f]{6}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b", "[run]"),
        (r"\breq[0-9A-Za-z]{17}\b", "[request]"),
        (r"\bevt[0-9A-Za-z]{17}\b", "[event]"),
        (r"\b(\d+ ms|\d+\.\d s|\d+ min \d+ s)", "[duration]"),
        (r"(\[duration\]) \([a-z-]+\) \|", "$1 ([tenant]) |"),
        (r"(\[duration\]) <small>[a-z-]+</small>", "$1 <small>[tenant]</small>"),
        (r#"(<rect class="(?:most|half)" y="2") width="\d+""#, "$1"),
    ] {
        settings.add_filter(varies, shown);
    }
    settings.bind(|| assert_snapshot!(format!("demo@{name}"), report));
}

#[test]
fn the_demo_does_not_write_into_a_folder_in_use() {
    let dir = folder();
    fs::write(dir.path().join("precious"), "x").unwrap();
    let output = run_in(dir.path(), &["demo", "--keep", "."]).expect(2);
    assert!(output.stderr.contains("is not an empty folder"), "{}", output.stderr);
}
