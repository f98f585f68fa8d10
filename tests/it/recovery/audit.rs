//! `audit verify`: a sound state passes, and every kind of damage is reported.

use std::fs;

use flowswap_contract::Handle;
use flowswap_engine::{Secret, SecretStore};
use flowswap_sim::Mutation;
use flowswap_store::{AgeSecretStore, Identity};

use crate::support::Lab;

/// Three tenants: one swapped, one retired, one rolled back.
fn lab() -> Lab {
    let lab = Lab::with_tenants(3);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab.run(&["finalize", "globex", "--yes"]).expect(0);
    lab.run(&["rollback", "initech", "--yes"]).expect(0);
    lab
}

/// The failed checks: name, object, and detail.
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
fn a_sound_state_passes_the_audit_and_the_audit_changes_nothing() {
    let empty = Lab::with_tenants(1);
    let output = empty.run(&["audit", "verify"]).expect(0);
    assert!(output.stdout.contains("there is no journal: flowswap has not changed anything yet"), "{}", output.stdout);

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
fn a_difference_between_the_world_and_the_journal_is_reported() {
    let lab = lab();
    let [acme, globex, initech] = lab.sim.tenants().try_into().unwrap();
    let legacy = lab.org(&globex).legacy[0].clone();
    lab.sim.mutate(Mutation::SetAppActive { org: globex.domain.clone(), app: legacy.id, active: true }).unwrap();
    let flow = "authorization_code".to_owned();
    let change = Mutation::SetConnection { directory: acme.directory_id, flow, client_id: "0oaOLD".to_owned() };
    lab.sim.mutate(change).unwrap();
    // Somebody reconnects a rolled-back tenant by hand, with a client that flowswap does not know.
    let flow = "client_credentials".to_owned();
    let again = Mutation::SetConnection { directory: initech.directory_id, flow, client_id: "0oaNEW".to_owned() };
    lab.sim.mutate(again).unwrap();
    assert_eq!(failures(&lab, &[], 0), []);
    names(
        &lab,
        &["--online"],
        &[
            ("world", "acme/swap", "flowswap cannot tell: the directory uses the flow authorization-code"),
            ("world", "globex/retire", "flowswap does not see it in place"),
            (
                "world",
                "initech/swap",
                "the journal says rolled back; flowswap cannot tell: the directory uses the flow client",
            ),
        ],
    );
}

#[test]
fn missing_unreadable_and_unneeded_secrets_are_reported() {
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
    let unneeded = Handle::new("initech/provision/client_secret");
    futures::executor::block_on(secrets.put(&unneeded, &Secret::new("left over"))).unwrap();
    drop(secrets);
    names(
        &lab,
        &[],
        &[
            ("custody", "-", "flowswap cannot read 2 of the 2 secrets that tenants need"),
            ("custody", "acme/provision/client_secret", "the secret store does not have it"),
            ("custody", "globex/provision/client_secret", "damaged"),
            ("orphans", "initech/provision/client_secret", "no tenant needs it"),
            ("orphans", "notes.txt", "not a file of flowswap"),
        ],
    );
}

#[test]
fn swapped_secrets_are_reported_until_they_are_swapped_back() {
    let lab = lab();
    let path = |tenant: &str| lab.path(&format!(".flowswap/secrets/{tenant}%2fprovision%2fclient_secret.age"));
    let (acme, globex) = (fs::read(path("acme")).unwrap(), fs::read(path("globex")).unwrap());
    fs::write(path("acme"), &globex).unwrap();
    fs::write(path("globex"), &acme).unwrap();
    let is = |other: &str| format!("is the file of another secret, `{other}/provision/client_secret`");
    let expect = [
        ("custody", "-", "flowswap cannot read 2 of the 2 secrets that tenants need"),
        ("custody", "acme/provision/client_secret", &*is("globex")),
        ("custody", "globex/provision/client_secret", &*is("acme")),
    ];
    names(&lab, &[], &expect);
    let shown = lab.run(&["audit", "verify"]).expect(3).stdout;
    assert!(shown.contains("the secret store has 2 secrets; a tenant needs each of them"), "{shown}");
    assert!(shown.contains("\nhint: restore these files from your last good copy."), "{shown}");
    let check = lab.run(&["check"]).expect(3).stdout;
    assert!(check.contains("`.flowswap/identity.txt` does not open 2 of 2 stored secrets"), "{check}");
    assert!(check.contains("hint: see which secrets, and what to do: flowswap audit verify\n"), "{check}");
    let output = lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let problem = "failed to read the secret `acme/provision/client_secret`: its file is that of another secret";
    assert!(output.stdout.contains(problem), "{}", output.show());
    assert!(output.show().contains("flowswap audit verify"), "{}", output.show());
    assert_eq!(fs::read(path("acme")).unwrap(), globex, "flowswap does not remove the secret of another tenant");

    fs::write(path("acme"), acme).unwrap();
    fs::write(path("globex"), globex).unwrap();
    assert_eq!(failures(&lab, &[], 0), []);
    let check = lab.run(&["check", "-v"]).stdout;
    assert!(check.contains("`.flowswap/identity.txt` opens all 2 stored secrets"), "{check}");
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
}

#[test]
fn another_identity_is_named_as_the_cause_with_a_way_out() {
    let lab = lab();
    let check = Lab::with_tenants(1).run(&["check", "-v"]).stdout;
    assert!(check.contains("`.flowswap/identity.txt` can be used; no secret is stored yet"), "{check}");
    fs::remove_file(lab.path(".flowswap/identity.txt")).unwrap();
    Identity::generate(&lab.path(".flowswap/identity.txt"), None).unwrap();
    let shown = lab.run(&["audit", "verify"]).expect(3).stdout;
    assert!(shown.contains("flowswap cannot read 2 of the 2 secrets that tenants need"), "{shown}");
    assert_eq!(shown.matches("hint: restore the identity that these secrets were encrypted to").count(), 1, "{shown}");
    assert_eq!(shown.matches("is a secret encrypted to another identity").count(), 2, "{shown}");
}

#[test]
fn a_missing_trigger_and_a_missing_journal_are_reported() {
    let lab = lab();
    let journal = lab.path(".flowswap/journal.sqlite");
    let edit = |sql: &str| rusqlite::Connection::open(&journal).unwrap().execute_batch(sql).unwrap();
    edit("DROP TRIGGER record_is_never_changed");
    names(&lab, &[], &[("chain", "-", "trigger `record_is_never_changed` was changed after it was created")]);
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(lab.path(&format!(".flowswap/journal.sqlite{ending}")));
    }
    let secret = |tenant: &str| format!("{tenant}/provision/client_secret");
    let (acme, globex) = (secret("acme"), secret("globex"));
    let expect = [
        ("chain", "-", "the journal is missing, but its `journal.snapshot` is still there"),
        ("orphans", acme.as_str(), "no tenant needs it"),
        ("orphans", globex.as_str(), "no tenant needs it"),
    ];
    names(&lab, &[], &expect);
    // No command starts another journal in its place, and none claims that nothing was done.
    for args in [&["status"][..], &["plan", "-o", "new.json"], &["rollback", "acme", "--yes"], &["history"]] {
        let output = lab.run(args).expect(1);
        assert!(output.stderr.contains("is missing, but `"), "{args:?}: {}", output.stderr);
        assert!(output.stderr.contains("restore the whole state folder"), "{args:?}: {}", output.stderr);
    }
    assert!(!journal.exists());
    let snapshot = lab.path(".flowswap/journal.snapshot");
    let log = lab.path(".flowswap/journal.sqlite-wal");
    fs::rename(&snapshot, &log).unwrap();
    lab.run(&["status"]).expect(1);
    fs::remove_file(&log).unwrap();
    lab.run(&["status"]).expect(0);
}

#[test]
fn a_changed_record_of_the_journal_is_reported() {
    let lab = lab();
    let edit = |sql: &str| {
        let journal = rusqlite::Connection::open(lab.path(".flowswap/journal.sqlite")).unwrap();
        journal.execute_batch(sql).unwrap();
    };
    edit(
        "DROP TRIGGER record_is_never_changed; UPDATE record SET body = body || ' '
         WHERE seq = (SELECT min(seq) FROM record WHERE tenant = 'acme' AND type = 'step-ended');",
    );
    names(&lab, &[], &[("chain", "-", "of the journal is damaged")]);
    let output = lab.run(&["audit", "verify"]).expect(3);
    assert!(output.stdout.contains("1 checks, 1 failed"), "{}", output.stdout);
    // No command continues a tenant whose records are damaged. The others can be rolled back.
    for command in [&["rollback", "acme", "--yes"][..], &["evidence", "acme"]] {
        let output = lab.run(command).expect(1);
        assert!(output.stderr.contains("of the journal is damaged"), "{}", output.stderr);
    }
    lab.run(&["rollback", "globex", "--yes"]).expect(4);
}
