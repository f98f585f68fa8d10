//! `audit anchor`: what the journal alone cannot show, an anchor shows.

use std::fs;

use crate::{
    approvals::people::Office,
    documents::documented,
    support::{Lab, Output},
};

/// The only check of an anchor.
#[track_caller]
fn check(lab: &Lab, anchor: &str, code: i32) -> (bool, String) {
    let report = lab.json(&["audit", "verify", "--anchor", anchor], code);
    let checks = report["checks"].as_array().unwrap();
    let of_anchors: Vec<_> = checks.iter().filter(|check| check["check"] == "anchor").collect();
    assert_eq!(of_anchors.len(), 1, "{report}");
    assert_eq!(of_anchors[0]["about"], anchor);
    (of_anchors[0]["passed"].as_bool().unwrap(), of_anchors[0]["detail"].as_str().unwrap().to_owned())
}

fn anchor(office: &Office, name: &str, file: &str) -> Output {
    office.run_as(name, &["audit", "anchor", "-o", file])
}

#[test]
fn an_old_copy_and_a_rewritten_history_are_found() {
    let office = Office::open(2);
    let lab = &office.lab;
    let none = anchor(&office, "alice", "a.anchor").expect(2);
    assert!(none.stderr.contains("there is no journal yet"), "{}", none.stderr);
    lab.plan().expect(0);
    let old = fs::read(lab.path(".flowswap/journal.sqlite")).unwrap();
    for name in ["alice", "bob"] {
        office.approve(name, &[]).expect(0);
    }
    let printed = anchor(&office, "alice", "first.anchor").expect(0).stderr;
    assert!(printed.contains("anchored 2 records with the key SHA256:"), "{printed}");
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    anchor(&office, "bob", "second.anchor").expect(0);

    let (passed, detail) = check(lab, "first.anchor", 0);
    assert!(passed && detail.contains("goes on from its 2 records"), "{detail}");
    assert!(detail.ends_with("signed by alice@example.com"), "{detail}");
    assert!(check(lab, "second.anchor", 0).0);

    // The journal before the run, put back. The journal alone looks sound.
    let journal = fs::read(lab.path(".flowswap/journal.sqlite")).unwrap();
    fs::write(lab.path(".flowswap/journal.sqlite"), &old).unwrap();
    fs::remove_file(lab.path(".flowswap/journal.snapshot")).ok();
    let chain = lab.json(&["audit", "verify"], 3);
    assert!(
        chain["checks"].as_array().unwrap().iter().any(|it| it["check"] == "chain" && it["passed"] == true),
        "{chain}"
    );
    let (passed, detail) = check(lab, "second.anchor", 3);
    assert!(!passed && detail.contains("the journal has 2 records, but it had "), "{detail}");
    assert!(check(lab, "first.anchor", 3).0, "the old copy goes on from the first anchor");

    // Another history of the same length.
    fs::write(lab.path(".flowswap/journal.sqlite"), journal).unwrap();
    assert!(check(lab, "second.anchor", 0).0);
    for entry in fs::read_dir(lab.path(".flowswap")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("journal") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    fs::remove_file(lab.path("plan.json")).unwrap();
    lab.plan().expect(0);
    let (passed, detail) = check(lab, "first.anchor", 3);
    assert!(!passed && detail.contains("record 2 is not the one that was there at"), "{detail}");
    assert!(detail.ends_with("somebody rewrote the history"), "{detail}");
}

#[test]
fn an_anchor_that_proves_nothing_is_refused() {
    let office = Office::open(1);
    let lab = &office.lab;
    lab.plan().expect(0);
    anchor(&office, "alice", "good.anchor").expect(0);
    office.hire("mallory");
    let key = office.key("mallory").display().to_string();
    let refused = office.run_as("mallory", &["audit", "anchor", "-o", "bad.anchor", "--key", &key]).expect(6);
    assert!(
        refused.stderr.contains("your anchor would not count: nobody in the file of signers"),
        "{}",
        refused.stderr
    );
    assert!(!lab.path("bad.anchor").exists());
    let good = fs::read_to_string(lab.path("good.anchor")).unwrap();
    office.approve("alice", &[]).expect(0);
    let approval = fs::read_to_string(office.approvals().remove(0)).unwrap();
    for (text, why) in [
        (good.replacen("ey", "fy", 1), "the signature does not count"),
        (approval, "it was made for the namespace `flowswap-approval`, not for `flowswap-anchor`"),
        ("{}".to_owned(), "the file is not a DSSE envelope"),
    ] {
        fs::write(lab.path("forged.anchor"), text).unwrap();
        let (passed, detail) = check(lab, "forged.anchor", 3);
        assert!(!passed && detail.contains(why), "{why}: {detail}");
    }
    let (passed, detail) = check(lab, "no-such.anchor", 3);
    assert!(!passed && detail.starts_with("it cannot be read"), "{detail}");
}

/// `recovery.md`, as a person types it.
#[test]
fn a_person_anchors_the_journal_as_the_document_says() {
    let office = Office::open(1);
    office.lab.edit_config(|text| text.split("[approvals]").next().unwrap().to_owned());
    office.lab.plan().expect(0);
    let home = office.lab.path("home/alice").display().to_string();
    let session = documented("anchor").whole();
    for line in ["audit anchor -o 2026-11.anchor --key ~/.ssh/id_ed25519", "audit verify --anchor 2026-11.anchor"] {
        // A shell expands the `~`.
        let typed = line.replace('~', &home);
        let output = office.run_as("alice", &typed.split(' ').collect::<Vec<_>>()).expect(0);
        session.typed(&format!("flowswap {line}"), &output);
    }
}

/// Without a file of signers, flowswap shows the key, and the auditor decides whose it is.
#[test]
fn without_signers_an_anchor_names_its_key() {
    let office = Office::open(1);
    office.lab.edit_config(|text| text.split("[approvals]").next().unwrap().to_owned());
    office.lab.plan().expect(0);
    let unnamed = anchor(&office, "alice", "a.anchor").expect(2);
    assert!(unnamed.stderr.contains("hint: name your SSH key with `--key`"), "{}", unnamed.stderr);
    let key = office.key("alice").display().to_string();
    office.run_as("alice", &["audit", "anchor", "-o", "a.anchor", "--key", &key]).expect(0);
    let (passed, detail) = check(&office.lab, "a.anchor", 0);
    assert!(passed && detail.contains("signed by the key SHA256:"), "{detail}");
}
