//! Exports that nobody changed.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path};

use flowswap_contract::Blind;
use flowswap_engine::Entry;
use flowswap_sim::{Interface, SimConfig};
use flowswap_store::SqliteJournal;
use serde_json::Value;

use super::{FOLDER, approved_work, export, lines, names, run_block, verify};
use crate::{
    approvals::people::Office,
    documents::documented,
    support::{Lab, read_records, repository},
};

#[test]
fn an_auditor_verifies_an_export_without_flowswap() {
    let office = approved_work(2);
    let (folder, said) = export(&office, "carol", &[]);
    assert!(
        said.contains("records of 2 tenants, 1 plan, and 2 approvals to audit, signed with the key SHA256:"),
        "{said}"
    );
    let page = fs::read_to_string(folder.join("VERIFY.md")).unwrap();
    let verified = run_block(&folder, &page).expect(0);
    assert_eq!(verified.stderr, "");
    let says = |line: &str| assert!(verified.stdout.contains(line), "{line}: {}", verified.show());
    says("signed by carol@example.com with the key SHA256:");
    says(", tenants: all\n");
    says("files: 8, each as it was signed\n");
    for tenant in ["acme", "globex"] {
        let plan = read(&folder, &format!("statements/{tenant}.json"))["subject"][0]["digest"]["sha256"].clone();
        let plan = plan.as_str().unwrap();
        says(&format!("plan {plan}: 2 tenants\n"));
        let line = format!("tenant \"{tenant}\", plan {plan}: approved by ");
        let approved = verified.stdout.lines().find_map(|it| it.strip_prefix(&line)).unwrap_or_default();
        let mut names: Vec<&str> =
            approved.split(" and ").filter_map(|it| it.split(" with the key SHA256:").next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["alice@example.com", "bob@example.com"], "{}", verified.show());
    }
    assert!(
        verified
            .stdout
            .contains("\nverified: all checks passed, for what was signed by carol@example.com with the key SHA256:"),
        "{}",
        verified.show()
    );

    // What was done is there in short, with times and the ids of requests.
    let statement = read(&folder, "statements/acme.json");
    assert_eq!(statement["predicate"]["state"], "swapped");
    assert_eq!(
        statement["predicate"]["approved"][0]["by"],
        serde_json::json!(["alice@example.com", "bob@example.com"])
    );
    let attempts = statement["predicate"]["attempts"].as_array().unwrap();
    let request = attempts.iter().flat_map(|attempt| attempt["requests"].as_array().unwrap()).next().unwrap();
    assert!(request["outcome"]["request_id"].is_string(), "{request}");
    // The plan is the file that people reviewed.
    let plan = names(&folder).into_iter().find(|name| name.starts_with("plans/")).unwrap();
    assert_eq!(fs::read(folder.join(plan)).unwrap(), fs::read(office.lab.path("plan.json")).unwrap());
}

/// Two signatures of one person are one person.
#[test]
fn who_approved_twice_is_named_once() {
    let office = Office::open(1);
    office.lab.plan().expect(0);
    for (who, file) in
        [("alice", "away.approval"), ("alice", "plan.json.two.approval"), ("bob", "plan.json.bob.approval")]
    {
        let approve = ["approve", "plan.json", "--yes", "--reason", file, "-o", file];
        office.run_as(who, &approve).expect(0);
    }
    fs::rename(office.lab.path("away.approval"), office.lab.path("plan.json.one.approval")).unwrap();
    office.lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let (folder, _) = export(&office, "carol", &[]);
    let verified = verify(&folder).expect(0);
    let line = verified.stdout.lines().find(|line| line.starts_with("tenant ")).unwrap();
    for name in ["alice@example.com", "bob@example.com"] {
        assert_eq!(line.matches(name).count(), 1, "{}", verified.show());
    }
    assert_eq!(names(&folder).iter().filter(|name| name.starts_with("approvals/")).count(), 3);
    let report = office.lab.run(&["report", "--as", "markdown"]).expect(0).stdout;
    let people: Vec<&str> =
        report.lines().filter(|line| line.starts_with("- ") && line.contains(" with the key ")).collect();
    assert_eq!(people.len(), 2, "{report}");
    let alice = people.iter().find(|line| line.contains("alice")).unwrap();
    assert!(alice.ends_with(": away.approval; plan.json.two.approval"), "{alice}");
}

/// Nobody approved a plan that was made after the work, so nothing says that somebody did.
#[test]
fn a_later_plan_changes_nothing_that_was_approved() {
    let office = approved_work(1);
    let plan = office.lab.json(&["show", "plan.json"], 0)["digest"].clone();
    office.lab.run(&["plan", "-o", "later.json"]).expect(0);
    let later = office.lab.json(&["show", "later.json"], 0)["digest"].clone();
    let check = |tenant: &Value| {
        assert_eq!((&tenant["plan"], &tenant["planned"]["plan"]), (&plan, &later), "{tenant:#}");
        assert_eq!(tenant["approved"][0]["plan"], plan, "{tenant:#}");
    };
    check(&office.lab.json(&["report", "acme"], 0)["tenants"][0]);
    let (folder, _) = export(&office, "carol", &[]);
    let statement = read(&folder, "statements/acme.json");
    check(&statement["predicate"]);
    let subject = statement["subject"].as_array().unwrap();
    assert_eq!(subject.len(), 1, "{statement:#}");
    assert_eq!(subject[0]["digest"]["sha256"], plan);
    assert!(folder.join(subject[0]["name"].as_str().unwrap()).exists());
}

/// Other tenants are only hashes, and so are runs that did nothing for a selected tenant.
#[test]
fn an_export_of_some_tenants_tells_nothing_of_others() {
    let office = Office::open(2);
    for tenant in ["acme", "globex"] {
        let plan = format!("{tenant}.json");
        office.lab.run(&["plan", tenant, "-o", &plan]).expect(0);
        for who in ["alice", "bob"] {
            office.run_as(who, &["approve", &plan, "--reason", "CHG-1042", "--yes"]).expect(0);
        }
        office.lab.run(&["apply", &plan, "--yes"]).expect(0);
    }
    let (folder, said) = export(&office, "alice", &["acme"]);
    assert!(said.contains(" of 1 tenant, 1 plan, and 2 approvals "), "{said}");
    let (told, all) = (lines(&folder).iter().filter(|line| line["body"].is_string()).count(), lines(&folder).len());
    assert!(said.contains(&format!("exported {told} records of 1 tenant, ")), "{said}");
    assert!(said.contains(&format!("of the other {} records, the export has only the hashes", all - told)), "{said}");
    let verified = verify(&folder).expect(0);
    assert!(verified.stdout.contains(", tenants: \"acme\"\n"), "{}", verified.show());
    for name in names(&folder) {
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        assert!(!name.contains("globex") && !text.contains("globex"), "{name} tells of globex");
    }
    let all = lines(&folder);
    assert_eq!(all.len() as u64, all.last().unwrap()["seq"].as_u64().unwrap());
    assert!(all.iter().any(|line| line["body"].is_null() && line["withheld"].is_null()));
    let unknown = office.run_as("alice", &["audit", "export", "nobody", "-o", "other"]).expect(2);
    assert!(unknown.stderr.contains("there is no tenant `nobody`"), "{}", unknown.stderr);
    assert!(!office.lab.path("other").exists());
}

/// Journals of every format. flowswap kept no copies of plans then, and says so.
#[test]
fn journals_of_every_format_are_exported() {
    let office = Office::open(1);
    without_approvals(&office);
    let key = office.key("alice").display().to_string();
    let mut seen = 0;
    for entry in fs::read_dir(repository().join("fixtures/journals")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().display().to_string();
        if !name.ends_with(".sqlite") {
            continue;
        }
        fs::copy(entry.path(), office.lab.path(".flowswap/journal.sqlite")).unwrap();
        fs::remove_dir_all(office.lab.path(FOLDER)).ok();
        let (folder, said) = export(&office, "alice", &["--key", &key]);
        assert!(said.contains("\nthere is no copy of "), "{name}: {said}");
        let verified = verify(&folder).expect(0);
        assert!(
            verified.stdout.contains(": flowswap kept no copy, so it is not here\n"),
            "{name}: {}",
            verified.show()
        );
        assert!(verified.stdout.contains(" with a body; "), "{name}: {}", verified.show());
        // Only since format 4 are records without a body in their place all the same.
        let relies =
            verified.stdout.contains(" has neither a body nor its hash: for all records up to this one, you rely on");
        assert_eq!(relies, !name.starts_with("format-4"), "{name}: {}", verified.show());
        seen += 1;
    }
    assert_eq!(seen, 5);
}

/// A key may be on several lines. `ssh-keygen -Y find-principals` knows only the first.
#[test]
fn a_key_on_two_lines_is_found_by_the_auditor_as_well() {
    let office = Office::open(1);
    office.lab.plan().expect(0);
    let file = office.lab.path("allowed_signers");
    let signers = fs::read_to_string(&file).unwrap();
    let key = signers.lines().find_map(|line| line.strip_prefix("alice@example.com ")).unwrap();
    fs::write(&file, format!("alice-for-git namespaces=\"git\" {key}\n{signers}")).unwrap();
    for name in ["alice", "bob"] {
        office.approve(name, &[]).expect(0);
    }
    office.lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let (folder, _) = export(&office, "alice", &[]);
    let verified = verify(&folder).expect(0);
    assert!(verified.stdout.starts_with("signed by alice@example.com with the key "), "{}", verified.show());
}

/// Keyed hashes of people are in the journal, and stay there.
#[test]
fn hashes_of_people_stay_out_of_an_export() {
    let lab = Lab::new(SimConfig::default().tenants(1).interface(Interface::CieGuided));
    let office = Office { lab };
    office.hire("alice");
    office.lab.plan().expect(0);
    office.lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    let hashes = hashes_of_people(&office.lab);
    assert!(hashes.len() > 100, "the baseline has {} hashes of people", hashes.len());
    let key = office.key("alice").display().to_string();
    let (folder, _) = export(&office, "alice", &["--key", &key]);
    verify(&folder).expect(0);
    for name in names(&folder) {
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        assert!(!hashes.iter().any(|hash| text.contains(hash)), "{name} has a hash of a person");
    }
    let withheld: Vec<Value> = lines(&folder).into_iter().filter(|line| line["withheld"].is_string()).collect();
    assert!(!withheld.is_empty() && withheld.iter().all(|line| line["body"].is_null()), "{withheld:#?}");
}

/// The keyed hashes in the outputs of checks. A set of them is one text.
fn hashes_of_people(lab: &Lab) -> Vec<String> {
    let journal = SqliteJournal::open_read_only(&lab.path(".flowswap/journal.sqlite")).unwrap();
    let mut hashes = Vec::new();
    for record in lab.wait(read_records(&journal)).unwrap() {
        let Entry::StepEnded { step, outputs, .. } = record.draft.entry else { continue };
        if !step.contains("baseline") {
            continue;
        }
        let outputs = serde_json::to_string(&*outputs).unwrap();
        let is_set = |text: &&str| text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        for set in outputs.split('"').filter(is_set) {
            hashes.extend(
                set.as_bytes().chunks_exact(Blind::DIGITS).map(|hash| String::from_utf8(hash.to_vec()).unwrap()),
            );
        }
    }
    hashes
}

/// Without a file of signers, the auditor decides whose key it is.
#[test]
fn without_a_file_of_signers_the_key_is_named() {
    let office = Office::open(1);
    without_approvals(&office);
    let export_as = |more: &[&str]| office.run_as("alice", &[&["audit", "export", "-o", FOLDER][..], more].concat());
    let none = export_as(&["--key", "no-such-key"]).expect(2);
    assert!(none.stderr.contains("there is no journal yet, so there is nothing to export"), "{}", none.stderr);
    office.lab.plan().expect(0);
    office.lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let unnamed = export_as(&[]).expect(2);
    assert!(unnamed.stderr.contains("hint: name your SSH key with `--key`"), "{}", unnamed.stderr);
    let key = office.key("alice").display().to_string();
    export_as(&["--key", &key]).expect(0);
    let folder = office.lab.path(FOLDER);
    assert!(!names(&folder).contains(&"allowed_signers".to_owned()));
    let verified = verify(&folder).expect(0);
    let says = |line: &str| assert!(verified.stdout.contains(line), "{line}: {}", verified.show());
    says("signed by the key SHA256:");
    says("\nno file of signers says whose keys these are: compare them with those that you know\n");
    says(": started without approvals\n");
}

/// Nothing is replaced, nothing stays of an export that failed, and only a key that counts can sign.
#[test]
fn an_export_takes_only_a_free_place() {
    let office = approved_work(1);
    let lab = &office.lab;
    office.hire("mallory");
    let files = || fs::read_dir(lab.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>();
    fs::create_dir(lab.path("full")).unwrap();
    fs::write(lab.path("full/notes"), "mine").unwrap();
    fs::create_dir(lab.path("empty")).unwrap();
    std::os::unix::fs::symlink("nowhere", lab.path("dangling")).unwrap();
    let before = files();
    for (place, why) in [
        ("full", "the folder `full` is not empty"),
        ("plan.json", "`plan.json` is not a folder"),
        ("-", "an export is a folder, so it cannot go to stdout"),
        (".flowswap/audit", "is in flowswap's state folder"),
    ] {
        let refused = office.run_as("alice", &["audit", "export", "-o", place]).expect(2);
        assert!(refused.stderr.contains(why), "{place}: {}", refused.stderr);
    }
    for place in ["dangling", "no/such/parent"] {
        let refused = office.run_as("alice", &["audit", "export", "-o", place]).expect(1);
        assert!(refused.stderr.contains("nothing was written"), "{place}: {}", refused.stderr);
    }
    let key = office.key("mallory").display().to_string();
    let refused = office.run_as("mallory", &["audit", "export", "-o", "empty", "--key", &key]).expect(6);
    assert!(
        refused.stderr.contains("your export would not count: nobody in the file of signers"),
        "{}",
        refused.stderr
    );
    assert_eq!(files(), before);
    assert_eq!(fs::read_dir(lab.path("empty")).unwrap().count(), 0);
    office.run_as("alice", &["audit", "export", "-o", "empty"]).expect(0);
    verify(&lab.path("empty")).expect(0);
    assert_eq!(files(), before, "something is left beside the export");

    // A copy of a plan that somebody changed is not the plan.
    let plans = lab.path(".flowswap/plans");
    assert_eq!(fs::metadata(&plans).unwrap().permissions().mode() & 0o777, 0o700);
    let copy = fs::read_dir(plans).unwrap().next().unwrap().unwrap().path();
    fs::write(copy, "{}").unwrap();
    let (folder, said) = export(&office, "alice", &[]);
    assert!(said.contains("there is no copy of 1 plan"), "{said}");
    assert!(verify(&folder).expect(0).stdout.contains("flowswap kept no copy, so it is not here"));
}

/// `recovery.md`, as a person types it.
#[test]
fn a_person_exports_as_the_document_says() {
    let office = approved_work(1);
    let session = documented("export").whole();
    for line in ["audit export -o audit", "audit export acme -o audit-of-acme"] {
        session.typed(
            &format!("flowswap {line}"),
            &office.run_as("alice", &line.split(' ').collect::<Vec<_>>()).expect(0),
        );
        verify(&office.lab.path(line.split(' ').next_back().unwrap())).expect(0);
    }
}

fn without_approvals(office: &Office) {
    office.lab.edit_config(|text| text.split("[approvals]").next().unwrap().to_owned());
}

fn read(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}
