//! What a person types wrong: each answer says where the mistake is or which command helps, and nothing changes.
//!
//! The answers are in one snapshot. Read its differences as the tired administrator would who made the mistake.

mod rows;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use flowswap_sim::{Interface, SimConfig, diff};
use flowswap_store::SqliteJournal;

use self::rows::{ROWS, Row, Start, configure_twice, correct_type_too_late};
use crate::support::{Lab, Output, read_records};

/// The exit code of a command that did nothing at all.
const USAGE: i32 = 2;

/// Every file below a folder with its content.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A place to make mistakes in. Every row finds it as the first one did.
struct Place {
    lab: Lab,
    files: Files,
}

impl Place {
    fn new(start: Start) -> Self {
        let config = SimConfig::default().tenants(3).seed(1).sync_interval(Duration::ZERO);
        let lab = match start {
            Start::Waiting => Lab::new(SimConfig::default().tenants(1).seed(1).interface(Interface::CieGuided)),
            _ => Lab::new(config),
        };
        if start != Start::Configured {
            lab.plan().expect(0);
        }
        match start {
            Start::Configured | Start::Planned => {}
            Start::Swapped => drop(lab.run(&["apply", "plan.json", "--yes"]).expect(0)),
            Start::Waiting => drop(lab.run(&["apply", "plan.json", "--yes"]).expect(4)),
        }
        let files = read_files(lab.dir());
        Self { lab, files }
    }

    /// Makes a mistake, and then clears up.
    fn make(&self, row: &Row) -> (Output, Vec<String>) {
        (row.prepare)(&self.lab);
        let records = self.count_records();
        let (files, world) = (read_files(self.lab.dir()), self.lab.sim.snapshot());
        let writer = row.is_busy.then(|| SqliteJournal::open(&self.lab.path(".flowswap/journal.sqlite")).unwrap());
        let words: Vec<String> = row.line.split(' ').map(|word| word.replace('\u{a0}', " ")).collect();
        let output = self.lab.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        drop(writer);
        if output.code == USAGE {
            assert_eq!(self.count_records(), records, "{}: the journal has other records", row.name);
        }
        let mut changed = diff(&world, &self.lab.sim.snapshot());
        let after = read_files(self.lab.dir());
        let names = files.keys().chain(after.keys()).filter(|name| files.get(*name) != after.get(*name));
        changed.extend(names.filter(|name| !may_change(name, output.code)).map(|name| name.display().to_string()));
        self.clear_up(&after);
        (output, changed)
    }

    fn count_records(&self) -> usize {
        let journal = self.lab.path(".flowswap/journal.sqlite");
        if !journal.exists() {
            return 0;
        }
        let journal = SqliteJournal::open_read_only(&journal).unwrap();
        self.lab.wait(read_records(&journal)).unwrap().len()
    }

    fn clear_up(&self, files: &Files) {
        for name in files.keys().filter(|name| !self.files.contains_key(*name)) {
            fs::remove_file(self.lab.dir().join(name)).unwrap();
        }
        for folder in ["other/tokens", "other/.flowswap", "other"] {
            let _ = fs::remove_dir(self.lab.path(folder));
        }
        for (name, content) in &self.files {
            let path = self.lab.dir().join(name);
            if files.get(name) != Some(content) {
                fs::write(&path, content).unwrap();
                fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            }
        }
    }
}

/// Whether a refused command may change a file. SQLite touches the files of the journal when it reads, so the records are
/// compared. A run that refuses its tenants records that.
fn may_change(file: &Path, code: i32) -> bool {
    let is_state = file.components().any(|part| part.as_os_str() == ".flowswap");
    let name = file.file_name().unwrap().to_str().unwrap();
    is_state && (code != USAGE || name.starts_with("journal.sqlite") || name == ".lock")
}

fn read_files(dir: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// What clap prints below every error, which helps with no mistake in particular.
fn without_boilerplate(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("Usage: ") && !line.starts_with("For more information")).collect()
}

/// Whether the answer names a place in a file, an argument, an option, or a command.
fn helps(output: &Output) -> bool {
    let text = without_boilerplate(&format!("{}\n{}", output.stdout, output.stderr));
    let marks = [
        "hint: ",
        "see why: ",
        "fix: ",
        "To fix this: ",
        "tip: ",
        " --> ",
        "did you mean",
        "--",
        "`flowswap ",
        "flowswap plan",
    ];
    marks.iter().any(|mark| text.contains(mark)) || text.contains("<PLAN>")
}

#[test]
fn every_mistake_gets_an_answer_that_helps() {
    let mut shown = String::new();
    let mut defects = Vec::new();
    for start in [Start::Configured, Start::Planned, Start::Swapped, Start::Waiting] {
        let place = Place::new(start);
        for row in ROWS.iter().filter(|row| row.start == start) {
            let (output, changed) = place.make(row);
            let answer =
                format!("{}{}", output.stdout, output.stderr).replace(place.lab.dir().to_str().unwrap(), "DIR");
            shown += &format!("# {}\n$ flowswap {}\n{answer}exit code: {}\n\n", row.name, row.line, output.code);
            let mut object = |defect: &str| defects.push(format!("{}: {defect}", row.name));
            if output.code == 0 {
                object("exits with 0");
            }
            if !helps(&output) {
                object("names neither a place nor a command");
            }
            changed.iter().for_each(|what| object(&format!("changed {what}")));
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    let plugins = crate::support::plugin_file("okta").parent().unwrap().parent().unwrap().to_str().unwrap().to_owned();
    for (pattern, word) in [
        (plugins.replace('.', r"\.").as_str(), "PLUGINS"),
        (r"\b[0-9a-f]{64}\b", "SHA256"),
        (r"\bsha256 [0-9a-f]{12}\b", "sha256 HASH"),
        (r"\bplan(:?) [0-9a-f]{12}\b", "plan$1 DIGEST"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:[\d.]+)?( ?Z| UTC| ?[+-]\d\d:?\d\d)?( \([^)]*\))?", "TIME"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"\breq[A-Za-z0-9_-]{17,}\b", "REQUEST"),
        (concat!(r"\b", env!("CARGO_PKG_VERSION"), r"\b"), "VERSION"),
        (r"made by [^,]+,", "made by USER,"),
        (r"EOF while parsing .+ at line \d+ column \d+", "EOF while parsing JSON"),
        (r"process \d+, user \S+ on [^,]+,", "process PID, user UID on HOST,"),
    ] {
        settings.add_filter(pattern, word);
    }
    settings.bind(|| insta::assert_snapshot!("mistakes", shown));
    assert!(defects.is_empty(), "{}", defects.join("\n"));
}

#[test]
fn a_corrected_type_key_lets_the_tenant_go_on() {
    let lab = Lab::with_tenants(1);
    correct_type_too_late(&lab);
    lab.run(&["rollback", "acme", "--accept-changes", "--yes"]).expect(0);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ["acme"]);
    lab.audit(1);
}

/// Whether `--all` needs names instead, the tip says, and the command itself does.
#[test]
fn the_tip_instead_of_all_is_right() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    for line in [
        "check",
        "detect",
        "plan",
        "show plan.json",
        "apply plan.json --digest 1",
        "resume",
        "next",
        "status",
        "stuck",
        "watch",
        "history",
        "report",
        "confirm",
        "decline --reason no",
        "evidence",
        "rehearse",
        "resolve --as applied --reason seen",
        "secret copy",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let tip = lab.run(&[&words[..], &["--all"]].concat()).expect(2).stderr;
        let said = lab.run(&words).stderr;
        let needs_names = said.contains("nothing says which tenants you mean");
        let expect = if needs_names {
            "  tip: name the tenants, or pass a pattern: `flowswap "
        } else {
            "  tip: leave it out: "
        };
        assert!(tip.contains(expect), "{line}: {tip}{said}");
    }
}

/// Tenants may share an org, so this fails no check.
#[test]
fn check_tells_of_two_tenants_with_one_org() {
    let lab = Lab::with_tenants(2);
    configure_twice(&lab);
    let report = lab.json(&["check"], 0);
    let shared = |check: &&serde_json::Value| check["rule"] == "org-shared";
    let checks: Vec<_> = report["checks"].as_array().unwrap().iter().filter(shared).collect();
    let [check] = checks[..] else { panic!("{report}") };
    assert_eq!((check["tenant"].as_str(), check["result"].as_str()), (Some("twin"), Some("inconclusive")));
    let shown = lab.run(&["check"]).expect(0).stdout;
    assert!(shown.contains("`acme` is connected to the same org `acme.okta.test`"), "{shown}");
    // A tenant alone has the org to itself.
    assert!(!lab.run(&["check", "twin"]).expect(0).stdout.contains("the same org"));
    assert!(!lab.run(&["detect", "twin"]).expect(0).stdout.contains("org-shared"));
}

/// It is the first of the configuration, but a plan takes the other one.
#[test]
fn a_tenant_with_the_org_of_another_one_does_not_hold_it_back() {
    let lab = Lab::with_tenants(2);
    lab.edit_config(|text| text.replacen("\"acme.okta.test\"", "\"globex.okta.test\"", 1));
    fs::copy(lab.path("tokens/globex.token"), lab.path("tokens/acme.token")).unwrap();
    let report = lab.json(&["detect"], 4);
    let tenants = report["tenants"].as_array().unwrap().iter();
    let seen: Vec<_> = tenants
        .map(|tenant| {
            let findings = tenant["findings"].as_array().unwrap();
            (&tenant["verdict"], findings.iter().any(|finding| finding["id"] == "org-shared"))
        })
        .collect();
    assert_eq!(seen, [(&"unknown".into(), true), (&"ready".into(), false)], "{report}");
}
