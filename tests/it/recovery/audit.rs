//! `audit verify`: a state that is sound passes, and whatever was done to it is named.

use std::fs;

use flowswap_contract::Handle;
use flowswap_engine::{Secret, SecretStore};
use flowswap_sim::Mutation;
use flowswap_store::{AgeSecretStore, Identity};

use crate::support::Lab;

/// Three tenants: one swapped, one retired, one taken back.
fn lab() -> Lab {
    let lab = Lab::with_tenants(3);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab.run(&["finalize", "globex", "--yes"]).expect(0);
    lab.run(&["rollback", "initech", "--yes"]).expect(0);
    lab
}

/// The checks that failed: which, about what.
#[track_caller]
fn failures(lab: &Lab, args: &[&str], code: i32) -> Vec<(String, String, String)> {
    let report = lab.json(&[&["audit", "verify"], args].concat(), code);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["passed"] == false);
    failed.map(|check| (text(&check["check"]), text(&check["about"]), text(&check["detail"]))).collect()
}

#[track_caller]
fn names(lab: &Lab, args: &[&str], expect: &[(&str, &str, &str)]) {
    let failed = failures(lab, args, 3);
    assert_eq!(failed.len(), expect.len(), "{failed:#?}");
    for ((check, about, detail), (expected_check, expected_about, words)) in failed.iter().zip(expect) {
        assert_eq!((check.as_str(), about.as_str()), (*expected_check, *expected_about), "{failed:#?}");
        assert!(detail.contains(words), "{detail}");
    }
}

#[test]
fn a_sound_state_passes_also_online_and_nothing_is_changed_by_looking() {
    let empty = Lab::with_tenants(1);
    let output = empty.run(&["audit", "verify"]).expect(0);
    assert!(output.stdout.contains("there is no journal: nothing was ever done"), "{}", output.stdout);

    let lab = lab();
    let before = lab.sim.snapshot();
    assert_eq!(failures(&lab, &["--online"], 0), []);
    assert_eq!(before, lab.sim.snapshot());
    let report = lab.json(&["audit", "verify", "--online"], 0);
    let about = |check: &serde_json::Value| check["about"].as_str().map(str::to_owned);
    let checked: Vec<_> = report["checks"].as_array().unwrap().iter().filter_map(about).collect();
    let taken_back = ["initech/provision", "initech/swap"];
    let standing = ["acme/provision", "acme/swap", "globex/provision", "globex/swap", "globex/retire"];
    assert_eq!(checked, [standing.as_slice(), &taken_back].concat());
}

#[test]
fn a_world_that_is_not_as_the_journal_says_is_named() {
    let lab = lab();
    let [acme, globex, initech] = lab.sim.tenants().try_into().unwrap();
    let legacy = lab.org(&globex).legacy[0].clone();
    lab.sim.mutate(Mutation::SetAppActive { org: globex.domain.clone(), app: legacy.id, active: true }).unwrap();
    let flow = "authorization_code".to_owned();
    let change = Mutation::SetConnection { directory: acme.directory_id, flow, client_id: "0oaOLD".to_owned() };
    lab.sim.mutate(change).unwrap();
    // What was taken back is connected again, by hand and as nobody that flowswap knows.
    let flow = "client_credentials".to_owned();
    let again = Mutation::SetConnection { directory: initech.directory_id, flow, client_id: "0oaNEW".to_owned() };
    lab.sim.mutate(again).unwrap();
    assert_eq!(failures(&lab, &[], 0), []);
    names(
        &lab,
        &["--online"],
        &[
            ("world", "acme/swap", "cannot be told: the directory is connected by authorization-code"),
            ("world", "globex/retire", "seen not in place"),
            (
                "world",
                "initech/swap",
                "taken back by the journal, cannot be told: the directory is connected by client",
            ),
        ],
    );
}

#[test]
fn secrets_that_are_missing_unreadable_or_nobodys_are_named() {
    let lab = lab();
    let file = |tenant: &str| {
        let mut files = fs::read_dir(lab.path(".flowswap/secrets")).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(tenant)).unwrap()
    };
    fs::remove_file(file("acme")).unwrap();
    fs::write(file("globex"), "not an age file").unwrap();
    fs::write(lab.path(".flowswap/secrets/.unfinished-1"), "cut off").unwrap();
    fs::write(lab.path(".flowswap/secrets/notes.txt"), "mine").unwrap();
    let identity = Identity::load(&lab.path(".flowswap/identity.txt")).unwrap();
    let secrets = AgeSecretStore::open(lab.path(".flowswap/secrets"), identity).unwrap();
    let stray = Handle::new("initech/provision/client_secret");
    futures::executor::block_on(secrets.put(&stray, &Secret::new("left over"))).unwrap();
    drop(secrets);
    names(
        &lab,
        &[],
        &[
            ("custody", "acme/provision/client_secret", "is not in custody"),
            ("custody", "globex/provision/client_secret", "damaged"),
            ("orphans", "initech/provision/client_secret", "no tenant needs it"),
            ("orphans", "notes.txt", "no file of flowswap's"),
        ],
    );
}

#[test]
fn a_journal_that_is_gone_or_lost_what_guards_it_is_missed() {
    let lab = lab();
    let journal = lab.path(".flowswap/journal.sqlite");
    let edit = |sql: &str| rusqlite::Connection::open(&journal).unwrap().execute_batch(sql).unwrap();
    edit("DROP TRIGGER record_is_never_changed");
    names(&lab, &[], &[("chain", "-", "trigger `record_is_never_changed` is not as it was made")]);
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(lab.path(&format!(".flowswap/journal.sqlite{ending}")));
    }
    let secret = |tenant: &str| format!("{tenant}/provision/client_secret");
    let (acme, globex) = (secret("acme"), secret("globex"));
    let expect = [
        ("chain", "-", "there is no journal, and `journal.sqlite.lock` lies where it was"),
        ("orphans", acme.as_str(), "no tenant needs it"),
        ("orphans", globex.as_str(), "no tenant needs it"),
    ];
    names(&lab, &[], &expect);
}

#[test]
fn a_journal_that_was_changed_is_named_to_the_record() {
    let lab = lab();
    let edit = |sql: &str| {
        let journal = rusqlite::Connection::open(lab.path(".flowswap/journal.sqlite")).unwrap();
        journal.execute_batch(sql).unwrap();
    };
    edit("DROP TRIGGER record_is_never_changed; UPDATE record SET body = body || ' ' WHERE seq = 9;");
    names(&lab, &[], &[("chain", "-", "record 9 of the journal is damaged")]);
    let output = lab.run(&["audit", "verify"]).expect(3);
    assert!(output.stdout.contains("1 checks, 1 failed"), "{}", output.stdout);
    // Nothing goes on from there.
    let output = lab.run(&["rollback", "acme", "--yes"]).expect(1);
    assert!(output.stderr.contains("record 9 of the journal is damaged"), "{}", output.stderr);
}
