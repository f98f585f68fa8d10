//! What enough people approved is carried out, and the journal says who they were.

use std::{fs, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::people::Office;
use crate::{documents::documented, recovery::export::verify, support::finish};

/// `approve.md`, as people type it.
#[test]
fn people_approve_as_the_document_says() {
    let office = Office::open(2);
    office.lab.edit_config(|text| text.replace("required = 2\n", "required = 2\nplanner_may_approve = false\n"));
    let session = documented("approve").whole();
    for (who, line, code) in [
        ("carol", "plan -o plan.json --report plan.html", 0),
        ("alice", "approve plan.json --reason CHG-1042", 0),
        ("carol", "approvals plan.json", 4),
        ("bob", "approve plan.json --reason CHG-1042", 0),
        ("carol", "apply plan.json", 0),
        ("carol", "history", 0),
    ] {
        // A person at a terminal answers the question.
        let asks = line.starts_with("approve ") || line.starts_with("apply ");
        let args: Vec<&str> = line.split(' ').chain(asks.then_some("--yes")).collect();
        session.typed(&format!("flowswap {line}"), &office.run_as(who, &args).expect(code));
    }
}

/// The README's change, from the plan to the audit.
#[test]
fn a_change_is_reviewed_approved_applied_and_audited() {
    let office = Office::open(2);
    let session = documented("change").whole();
    for (who, line) in [
        ("carol", "plan -o plan.json --report plan.html"),
        ("alice", "approve plan.json --reason CHG-1042"),
        ("bob", "approve plan.json --reason CHG-1042"),
        ("carol", "apply plan.json"),
        ("carol", "report -o report.html"),
        ("alice", "audit anchor -o change.anchor"),
        ("carol", "audit verify --anchor change.anchor"),
        ("alice", "audit export -o audit"),
    ] {
        let asks = line.starts_with("approve ") || line.starts_with("apply ");
        let args: Vec<&str> = line.split(' ').chain(asks.then_some("--yes")).collect();
        session.typed(&format!("flowswap {line}"), &office.run_as(who, &args).expect(0));
    }
    let report = fs::read_to_string(office.lab.path("report.html")).unwrap();
    assert!(report.contains("alice@example.com") && report.contains("CHG-1042"), "the report names who approved");
    let verified = verify(&office.lab.path("audit")).expect(0);
    for name in ["alice", "bob"] {
        let line = verified.stdout.lines().find(|line| line.starts_with("tenant \"acme\"")).unwrap();
        assert!(line.contains(&format!("{name}@example.com with the key SHA256:")), "{line}");
    }
}

/// The commands that check an approval without flowswap, as they stand in `approve.md`.
#[test]
fn standard_tools_verify_an_approval() {
    let office = Office::open(1);
    office.lab.plan().expect(0);
    office.approve("alice", &[]).expect(0);
    let file = office.approvals().remove(0);
    let script = documented("approve-by-hand").script();
    let check = || {
        let mut shell = Command::new("bash");
        shell.args(["-e", "-o", "pipefail", "-c", &script]).env("FILE", &file).current_dir(office.lab.dir());
        finish(shell)
    };
    let good = check().expect(0);
    assert!(good.stdout.contains("Good \"flowswap-approval\" signature for alice@example.com"), "{}", good.stdout);
    let text = fs::read_to_string(&file).unwrap();
    let statement = text.split('"').find(|part| part.starts_with("ey")).unwrap();
    let edited = STANDARD.decode(statement).unwrap();
    let edited = String::from_utf8(edited).unwrap().replace("CHG-1042", "CHG-1043");
    fs::write(&file, text.replace(statement, &STANDARD.encode(edited))).unwrap();
    assert_ne!(check().code, 0, "an edited statement was accepted");
}

#[test]
fn two_people_approve_and_the_plan_is_carried_out() {
    let office = Office::open(2);
    let lab = &office.lab;
    let planned = lab.plan().expect(0);
    let hint = "2 people must approve it: flowswap approve plan.json --reason REASON\nthen carry it out: flowswap apply plan.json\n";
    assert!(planned.stderr.contains(hint), "{}", planned.stderr);
    let alice = office.approve("alice", &[]).expect(0);
    assert!(alice.stderr.contains("approved as alice@example.com with the key SHA256:"), "{}", alice.stderr);
    let shown = lab.run(&["approvals", "plan.json"]).expect(4);
    assert!(shown.stdout.contains("1 of 2     alice@example.com\n"), "{}", shown.stdout);
    office.approve("bob", &[]).expect(0);
    let shown = lab.run(&["approvals", "plan.json"]).expect(0);
    assert!(shown.stdout.contains("2 of 2     alice@example.com, bob@example.com\n"), "{}", shown.stdout);
    let applied = lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert!(applied.stderr.contains("approvals: 2 of 2 for all tenants\n"), "{}", applied.stderr);
    assert_eq!(lab.in_state("swapped").len(), 2);
    let history = lab.run(&["history"]).expect(0).stdout;
    assert!(history.contains("approved by alice@example.com and bob@example.com"), "{history}");
    lab.audit(2);
}

/// Who approves twice is one person, and is told so.
#[test]
fn a_person_approves_once() {
    let office = Office::open(1);
    office.lab.plan().expect(0);
    let first = office.approve("alice", &[]).expect(0);
    assert!(first.stderr.ends_with("\nsee what is missing: flowswap approvals plan.json\n"), "{}", first.stderr);
    let file = office.approvals().remove(0);
    let again = office.approve("alice", &[]).expect(0);
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(again.stderr.starts_with(&format!("you approved this already: {name}\n")), "{}", again.stderr);
    assert_eq!(office.approvals(), [file]);
    let bob = office.approve("bob", &[]).expect(0);
    let next = "\nnothing is missing; carry it out: flowswap apply plan.json\n";
    assert!(bob.stderr.ends_with(next), "{}", bob.stderr);
}

/// An approval that `apply` does not find helps nobody.
#[test]
fn an_approval_that_goes_elsewhere_says_where_it_counts() {
    let office = Office::open(1);
    let lab = &office.lab;
    lab.plan().expect(0);
    let approve = ["approve", "plan.json", "--reason", "CHG-1042", "--yes", "-o"];
    let elsewhere = office.run_as("alice", &[&approve[..], &["alice.approval"]].concat()).expect(0);
    let where_to = "put this file there, as plan.json.NAME.approval\n";
    assert!(elsewhere.stderr.ends_with(where_to), "{}", elsewhere.stderr);
    fs::rename(lab.path("alice.approval"), lab.path("plan.json.alice.approval")).unwrap();
    let beside = office.run_as("bob", &[&approve[..], &["plan.json.bob.approval"]].concat()).expect(0);
    assert!(beside.stderr.contains("\nnothing is missing; "), "{}", beside.stderr);
}

/// Tenants of a class that was not approved stay as they are. The others are migrated.
#[test]
fn only_the_approved_classes_are_started() {
    let office = Office::open(12);
    let lab = &office.lab;
    lab.plan().expect(4);
    let classes = office.classes();
    assert!(classes.len() > 1, "the simulated fleet has several classes: {classes:?}");
    let (first, tenants) = &classes[0];
    // The start of an id is enough.
    office.approve("alice", &[&first[..6]]).expect(0);
    office.approve("bob", &[]).expect(0);
    let applied = lab.run(&["apply", "plan.json", "--yes", "-v"]).expect(6);
    assert_eq!(lab.in_state("swapped"), *tenants);
    let missing = classes.iter().skip(1).map(|(_, tenants)| tenants.len()).sum::<usize>();
    let note = format!("approvals: 2 of 2 for {} tenants; missing for {missing}", tenants.len());
    assert!(applied.stderr.contains(&note), "{note}: {}", applied.stderr);
    for (id, _) in &classes[1..] {
        let why = format!("its class {} has 1 of 2 approvals", &id[..12]);
        assert!(applied.stdout.contains(&why), "{why}: {}", applied.stdout);
    }
    assert!(applied.stdout.contains("flowswap approvals plan.json  its class "), "{}", applied.stdout);
    let listed = lab.json(&["next"], 0);
    let waiting: Vec<_> = listed["tenants"].as_array().unwrap().iter().filter(|row| row["kind"] == "approve").collect();
    assert_eq!(waiting.len(), missing);
    assert!(waiting.iter().all(|row| row["next"][0] == "flowswap approvals plan.json"), "{waiting:?}");
    let status = lab.run(&["status"]).expect(0);
    assert!(status.stdout.contains("planned    -                 flowswap approvals plan.json\n"), "{}", status.stdout);
    // What was started goes on without approvals, and can be rolled back without them.
    office.approvals().iter().for_each(|file| fs::remove_file(file).unwrap());
    lab.outlive_tokens();
    lab.run(&[&["rollback", "--yes"][..], &[tenants[0].as_str()]].concat()).expect(0);
}
