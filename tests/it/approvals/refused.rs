//! Approvals that do not count: flowswap says why, and starts nothing.

use std::fs;

use super::people::Office;
use crate::{
    recovery::resume::{cut_off, slow_lab},
    support::Output,
};

/// The plan must not be carried out, before any request is sent. Returns what `flowswap approvals` shows.
#[track_caller]
fn expect_nothing_done(office: &Office, case: &str) -> Output {
    let before = office.lab.sim.traffic().len();
    let applied = office.lab.run(&["apply", "plan.json", "--yes"]).expect(6);
    assert!(applied.stderr.contains("no class has enough approvals"), "{case}: {}", applied.stderr);
    assert!(applied.stderr.contains("hint: see what is missing: flowswap approvals plan.json"), "{case}");
    assert_eq!(office.lab.sim.traffic().len(), before, "{case}: a request was sent");
    office.lab.run(&["approvals", "plan.json"]).expect(4)
}

#[test]
fn too_few_people_are_not_enough() {
    let office = Office::open(1);
    office.lab.plan().expect(0);
    expect_nothing_done(&office, "nobody");
    office.approve("alice", &[]).expect(0);
    expect_nothing_done(&office, "one of two");
    // The same person once more, in another file, and with a second key.
    fs::rename(&office.approvals()[0], office.lab.path("kept")).unwrap();
    office.approve("alice", &[]).expect(0);
    fs::rename(office.lab.path("kept"), office.lab.path("plan.json.kept.approval")).unwrap();
    let line = office.hire("dave").replace("dave@", "alice@");
    let signers = fs::read_to_string(office.lab.path("allowed_signers")).unwrap();
    fs::write(office.lab.path("allowed_signers"), signers + &line).unwrap();
    office.approve("dave", &[]).expect(0);
    assert_eq!(office.approvals().len(), 3);
    let shown = expect_nothing_done(&office, "one person with two keys");
    assert!(shown.stdout.contains("1 of 2"), "{}", shown.stdout);
    office.approve("bob", &[]).expect(0);
    office.lab.run(&["apply", "plan.json", "--yes"]).expect(0);
}

/// Two people approved. Then something changes.
#[test]
fn whatever_changes_after_it_voids_an_approval() {
    type Change = fn(&Office);
    let table: [(&str, Change, &str); 6] = [
        (
            "a tenant's configuration",
            |it| it.lab.edit_config(|text| text.replace("healthy = [", "healthy = [\"ok\", ")),
            "the configuration has changed since",
        ),
        (
            "the limits of a run",
            |it| it.lab.edit_config(|text| format!("{text}\n[run]\nmax_failures = 50\n")),
            "the configuration has changed since",
        ),
        (
            "the number of approvals",
            |it| it.lab.edit_config(|text| text.replace("required = 2", "required = 1")),
            "the configuration has changed since",
        ),
        (
            "the people",
            |it| {
                let signers = fs::read_to_string(it.lab.path("allowed_signers")).unwrap();
                fs::write(
                    it.lab.path("allowed_signers"),
                    signers.replace("bob@example.com ", "bob@example.com valid-before=\"20200101Z\" "),
                )
                .unwrap();
            },
            "the key of bob@example.com was valid only until 2020-01-01",
        ),
        (
            "the file of an approval",
            |it| {
                let file = it.approvals().remove(0);
                let text = fs::read_to_string(&file).unwrap();
                fs::write(&file, text.replacen("\"sig\":\"U1NI", "\"sig\":\"U2NI", 1)).unwrap();
            },
            "it is not an SSH signature",
        ),
        ("the plan", |it| drop(it.lab.run(&["plan", "-o", "plan.json"]).expect(0)), "and not this one"),
    ];
    for (case, change, why) in table {
        let office = Office::open(1);
        office.lab.plan().expect(0);
        office.approve("alice", &[]).expect(0);
        office.approve("bob", &[]).expect(0);
        office.lab.run(&["approvals", "plan.json"]).expect(0);
        change(&office);
        let shown = expect_nothing_done(&office, case);
        assert!(shown.stdout.contains("does not count"), "{case}: {}", shown.stdout);
        assert!(shown.stdout.contains(why), "{case}: {}", shown.stdout);
    }
}

/// Tenants that an interrupted run did not reach are not started, so their approvals must still count.
#[test]
fn a_run_that_is_continued_needs_approvals_that_still_count() {
    let office = Office::of(slow_lab());
    let lab = &office.lab;
    lab.plan().expect(0);
    office.approve("alice", &[]).expect(0);
    office.approve("bob", &[]).expect(0);
    cut_off(lab, &["apply", "plan.json", "--yes"], "acme: provision done");
    let signers = fs::read_to_string(lab.path("allowed_signers")).unwrap();
    let without_bob: String = signers.split_inclusive('\n').filter(|line| !line.starts_with("bob@")).collect();
    fs::write(lab.path("allowed_signers"), without_bob).unwrap();
    let resumed = lab.run(&["resume", "--yes"]).expect(6);
    assert!(resumed.stdout.contains(" has 1 of 2 approvals"), "{}", resumed.stdout);
    assert_eq!(lab.in_state("swapped"), ["acme"], "what was started goes on");
    fs::write(lab.path("allowed_signers"), signers).unwrap();
    // Without its file, nobody can tell what was approved.
    fs::rename(lab.path("plan.json"), lab.path("kept.json")).unwrap();
    let resumed = lab.run(&["resume", "--yes"]).expect(6);
    assert!(resumed.stdout.contains("its approvals cannot be checked"), "{}", resumed.stdout);
    fs::rename(lab.path("kept.json"), lab.path("plan.json")).unwrap();
    lab.run(&["resume", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped").len(), 3);
    let history = lab.run(&["history", "initech"]).expect(0).stdout;
    assert!(history.contains("approved by alice@example.com and bob@example.com"), "{history}");
}

/// What somebody signed is never replaced.
#[test]
fn an_approval_replaces_nothing() {
    let office = Office::open(1);
    office.lab.plan().expect(0);
    office.approve("alice", &[]).expect(0);
    let file = office.approvals().remove(0);
    let before = fs::read_to_string(&file).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let approve = ["approve", "plan.json", "--reason", "CHG-1042", "--yes", "-o", name];
    let refused = office.run_as("bob", &approve).expect(2);
    assert!(refused.stderr.contains("exists already"), "{}", refused.stderr);
    let refused = office.run_as("bob", &["audit", "anchor", "-o", name]).expect(2);
    assert!(refused.stderr.contains("exists already"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let stdin = office.run_as("bob", &["approve", "-", "--reason", "CHG-1042", "--yes"]);
    assert_ne!(stdin.code, 0);
}

/// A line of the file says that two keys are of one person, even if that line's key signs nothing.
#[test]
fn one_person_under_two_names_is_one_person() {
    let office = Office::open(1);
    office.lab.plan().expect(0);
    let ali = office.hire("ali");
    let link = office.hire("link").replace("link@example.com", "alice@example.com,ali@example.com");
    let signers = fs::read_to_string(office.lab.path("allowed_signers")).unwrap();
    fs::write(office.lab.path("allowed_signers"), signers + &ali + &link).unwrap();
    office.approve("alice", &[]).expect(0);
    office.approve("ali", &[]).expect(0);
    expect_nothing_done(&office, "two names of one person");
}

#[test]
fn nobody_approves_what_would_not_count() {
    let office = Office::open(1);
    office.lab.plan().expect(0);
    office.hire("mallory");
    let mallory = office.approve("mallory", &[]).expect(2);
    assert!(mallory.stderr.contains("is in the file of signers `allowed_signers`"), "{}", mallory.stderr);
    let key = office.key("mallory").display().to_string();
    let approve = ["approve", "plan.json", "--reason", "please", "--yes"];
    let named = office.run_as("mallory", &[&approve[..], &["--key", &key]].concat()).expect(6);
    assert!(
        named.stderr.contains("would not count: nobody in the file of signers has the key SHA256:"),
        "{}",
        named.stderr
    );
    let none = office.run_as("alice", &[&approve[..], &["--key", "no-such-key"]].concat()).expect(2);
    assert!(none.stderr.starts_with("error: there is no SSH key `no-such-key`\n"), "{}", none.stderr);
    let broken = office.lab.path("broken-key");
    fs::write(&broken, "no key").unwrap();
    let key = broken.display().to_string();
    let none = office.run_as("alice", &[&approve[..], &["--key", &key]].concat()).expect(1);
    assert!(none.stderr.contains("`ssh-keygen` did not sign with the key `"), "{}", none.stderr);
    let class = office.approve("alice", &["ffffffffff"]).expect(2);
    assert!(class.stderr.contains("no class with steps starts with `ffffffffff`"), "{}", class.stderr);
    let reason = office.run_as("alice", &["approve", "plan.json", "--reason", " ", "--yes"]).expect(2);
    assert!(reason.stderr.contains("the reason is empty"), "{}", reason.stderr);
    assert_eq!(office.approvals().len(), 0, "something was written");
}

/// The person who made the plan does not count, whatever name that person goes by.
#[test]
fn the_planner_may_be_excluded() {
    let office = Office::open(1);
    office.lab.edit_config(|text| text.replace("required = 2\n", "required = 1\nplanner_may_approve = false\n"));
    office.lab.run(&["plan", "-o", "plan.json", "--user", "Alice"]).expect(0);
    let alice = office.approve("alice", &[]).expect(6);
    let why =
        "your approval would not count: alice@example.com made the plan, and `approvals.planner_may_approve` is false";
    assert!(alice.stderr.contains(why), "{}", alice.stderr);
    office.approve("bob", &[]).expect(0);
    office.lab.run(&["apply", "plan.json", "--yes"]).expect(0);
}

/// A rolled-back tenant is not migrated again by the plan that was approved.
#[test]
fn a_used_plan_is_not_carried_out_again() {
    let office = Office::open(1);
    office.lab.plan().expect(0);
    office.approve("alice", &[]).expect(0);
    office.approve("bob", &[]).expect(0);
    office.lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    office.lab.outlive_tokens();
    office.lab.run(&["rollback", "--all", "--yes"]).expect(0);
    let again = office.lab.run(&["apply", "plan.json", "--yes"]).expect(6);
    assert!(again.stdout.contains("was rolled back after plan"), "{}", again.stdout);
}

/// Mistakes in the table and in the file of signers are found before anything is signed.
#[test]
fn a_file_of_signers_that_cannot_be_used_is_refused() {
    let office = Office::open(1);
    office.lab.plan().expect(0);
    let file = office.lab.path("allowed_signers");
    let signers = fs::read_to_string(&file).unwrap();
    let first = signers.lines().next().unwrap();
    let table = [
        (format!("{first}\n"), "2 people must approve a plan, but `allowed_signers` names 1 person"),
        (format!("{first}\nbob@example.com\n"), "line 2 is not valid: it has no SSH public key"),
    ];
    for (text, why) in table {
        fs::write(&file, text).unwrap();
        for args in [&["approvals", "plan.json"][..], &["apply", "plan.json", "--yes"]] {
            let output = office.lab.run(args).expect(2);
            assert!(output.stderr.contains(why), "{why}: {}", output.stderr);
        }
        let check = office.lab.run(&["check"]).expect(3);
        assert!(check.stdout.contains(why), "{why}: {}", check.stdout);
    }
    fs::write(&file, &signers).unwrap();
    let check = office.lab.run(&["check", "-v"]).expect(0);
    assert!(check.stdout.contains("2 of 3 people in `allowed_signers` must approve a plan"), "{}", check.stdout);
    fs::remove_file(&file).unwrap();
    let gone = office.lab.run(&["apply", "plan.json", "--yes"]).expect(2);
    assert!(gone.stderr.contains("failed to read the signers `allowed_signers`"), "{}", gone.stderr);
    fs::write(&file, signers).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let open = office.lab.run(&["apply", "plan.json", "--yes"]).expect(2);
    assert!(open.stderr.contains("other users can change the file"), "{}", open.stderr);
}

#[test]
fn without_the_table_nobody_must_approve() {
    let office = Office::open(1);
    office.lab.edit_config(|text| text.split("[approvals]").next().unwrap().to_owned());
    office.lab.plan().expect(0);
    let approve = office.approve("alice", &[]).expect(2);
    assert!(approve.stderr.contains("the configuration asks for no approvals"), "{}", approve.stderr);
    let shown = office.lab.run(&["approvals", "plan.json"]).expect(0);
    assert_eq!(shown.stdout, "the configuration asks for no approvals\n");
    office.lab.run(&["apply", "plan.json", "--yes"]).expect(0);
}
