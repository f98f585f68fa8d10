//! A rotation from the first question to the deletion of the old secret, as `rotation.md` tells it, and its rollback.

use flowswap_sim::{Fault, FaultKind, Mutation, Scenario, SimConfig, SimTenant};

use super::{ALWAYS, NEVER, retired_lab, run_over_a_sync, secrets, synchronize};
use crate::{
    documents::{documented, words},
    support::{Background, Lab, folder, run_in},
};

#[test]
fn half_a_year_later_the_secrets_are_rotated_as_the_document_tells_it() {
    let dir = folder();
    // Directories synchronize when the test wants it, however long the commands take.
    let args = ["sim", "--tenants", "2", "--latency", "0s", "--sync-every", "24h", "--dir", "fleet"];
    let mut sim = Background::start(dir.path(), &args);
    assert!(sim.first_line().starts_with("ready: 2 tenants on https://127.0.0.1:"));
    let fleet = dir.path().join("fleet");
    let run = |line: &str, code: i32| {
        run_in(&fleet, &words(line).iter().map(String::as_str).collect::<Vec<_>>()).expect(code)
    };
    run("plan -o plan.json", 0);
    run("apply plan.json --yes", 0);
    run("sim advance --dir . 25h", 0);
    run("finalize --all --yes", 0);
    let young = run("rotate --older-than 180d -o young.json", 0);
    assert!(young.stderr.contains("2 tenants left out: the client secret is younger"), "{}", young.stderr);
    run("sim advance --dir . 180d", 0);

    let config = std::fs::read_to_string(fleet.join("migrate.toml")).unwrap();
    let aged = config.replace("[secrets]\n", "[secrets]\nmax_age = \"180d\"\n");
    assert_ne!(aged, config);
    std::fs::write(fleet.join("migrate.toml"), aged).unwrap();
    let status = run("status --metrics fleet.prom", 0).stdout;
    assert!(status.contains(" flowswap rotate acme -o acme.json"), "{status}");
    assert!(status.contains("acme: its client secret was made at "), "{status}");
    let metrics = std::fs::read_to_string(fleet.join("fleet.prom")).unwrap();
    assert!(metrics.contains("flowswap_client_secret_made_timestamp_seconds{tenant=\"acme\"} "), "{metrics}");

    let session = documented("rotate").whole();
    for (step, code) in session.commands() {
        let mut line = step.strip_prefix("flowswap ").unwrap().to_owned();
        if line.starts_with("apply") || line.starts_with("finalize") {
            line += " --yes";
        }
        session.typed(&step, &run(&line, code));
        if step.starts_with("flowswap finalize") && code == 4 {
            run("sim advance --dir . 25h", 0);
        }
    }
    let list = run("secret list", 0).stdout;
    assert_eq!(list.matches(" active ").count(), 2, "one secret is left for each: {list}");
    assert_eq!(list.matches(" 1 d ").count(), 2, "{list}");
    assert!(!run("status", 0).stdout.contains("its client secret was made at"), "the new secrets are young");
    run("audit verify --online", 0);
}

/// After each step and each rollback, the directory can synchronize with the secret that it has.
#[test]
fn the_directory_always_has_a_secret_that_works() {
    let lab = retired_lab(1, NEVER);
    let before = secrets(&lab, "acme");
    assert_eq!(before.len(), 1);
    let (first, _) = before[0].clone();
    synchronize(&lab, &lab.sim.tenants());

    lab.run(&["rotate", "acme", "-o", "r1.json"]).expect(0);
    lab.run(&["apply", "r1.json", "--yes"]).expect(0);
    synchronize(&lab, &lab.sim.tenants());
    assert_eq!(secrets(&lab, "acme").len(), 2);
    lab.run(&["audit", "verify", "--online"]).expect(0);
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    synchronize(&lab, &lab.sim.tenants());
    assert_eq!(lab.in_state("retired"), ["acme"], "the migration stays as it is");
    // Repeating it does not roll the migration back.
    for selection in [&["acme"][..], &["--all"]] {
        let again = lab.run(&[&["rollback"], selection, &["--yes"]].concat());
        assert_eq!((again.code, lab.in_state("retired")), (0, vec!["acme".to_owned()]), "{}", again.show());
    }
    let (spare, status) = secrets(&lab, "acme")[1].clone();
    assert_eq!(status, "INACTIVE");
    lab.run(&["secret", "verify"]).expect(0);

    // The plan that was rolled back cannot be used again.
    let again = lab.run(&["apply", "r1.json", "--yes"]).expect(6);
    assert!(again.stdout.contains("was rolled back after plan"), "{}", again.stdout);
    // The spare takes the second place.
    let full = lab.run(&["rotate", "acme", "-o", "r2.json"]).expect(4);
    assert!(full.stdout.contains("no-room-for-secret"), "{}", full.stdout);
    let room = documented("room").whole();
    room.typed("flowswap secret list acme", &lab.run(&["secret", "list", "acme"]).expect(0));
    let planned = lab.run(&["rotate", "acme", "--drop", &spare, "-o", "rotation.json"]).expect(0);
    room.typed(&format!("flowswap rotate acme --drop {spare} -o rotation.json"), &planned);
    lab.run(&["apply", "rotation.json", "--yes"]).expect(0);
    synchronize(&lab, &lab.sim.tenants());
    run_over_a_sync(&lab, &["finalize", "acme", "--yes"]);
    assert_eq!(lab.in_state("retired"), ["acme"]);
    // Also now, everything can be taken back.
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    synchronize(&lab, &lab.sim.tenants());
    let left = secrets(&lab, "acme");
    assert_eq!(left[0], (first.clone(), "ACTIVE".to_owned()), "{left:?}");

    let spare = left[1].0.clone();
    lab.run(&["rotate", "acme", "--drop", &spare, "-o", "r3.json"]).expect(0);
    lab.run(&["apply", "r3.json", "--yes"]).expect(0);
    synchronize(&lab, &lab.sim.tenants());
    run_over_a_sync(&lab, &["finalize", "acme", "--yes"]);
    lab.run(&["finalize", "acme", "--purge", "--yes"]).expect(0);
    synchronize(&lab, &lab.sim.tenants());
    let left = secrets(&lab, "acme");
    assert!(left.len() == 1 && left[0].0 != first, "{left:?}");
    assert_eq!(lab.in_state("finalized"), ["acme"]);
    lab.run(&["secret", "verify"]).expect(0);
    lab.run(&["audit", "verify", "--online"]).expect(0);
}

/// A directory service may say that it took the secret, and keep the old one. That shows once the old one is inactive.
#[test]
fn a_directory_that_kept_the_old_secret_is_found_out_and_can_go_back() {
    let lab = retired_lab(1, ALWAYS);
    lab.run(&["rotate", "acme", "-o", "rotation.json"]).expect(0);
    let tenant = lab.sim.tenants()[0].clone();
    let path = format!("/v1/directories/{}/reconnect", tenant.directory_id);
    let (status, headers) = (200, vec![("content-type".to_owned(), "application/json".to_owned())]);
    let kind = FaultKind::Script { status, headers, body: "{}".to_owned(), after_commit: false, milliseconds: 0 };
    lab.sim.add_fault(Fault {
        host: "*".to_owned(),
        method: None,
        path,
        query: String::new(),
        kind,
        times: 0,
        skip: 0,
    });
    let applied = lab.run(&["apply", "rotation.json", "--yes"]);
    assert!(lab.sim.faults()[0].fired > 0, "{}", applied.show());
    lab.sim.clear_faults();
    applied.expect(0);
    let found = lab.run(&["finalize", "acme", "--yes"]).expect(3);
    assert!(found.stdout.contains("the status is failed"), "{}", found.show());
    let proof = lab.run(&["evidence", "acme"]).expect(0);
    assert!(proof.stdout.contains("credentials-refused"), "{}", proof.stdout);
    assert_eq!(lab.in_state("stuck"), ["acme"]);
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    synchronize(&lab, &lab.sim.tenants());
    assert_eq!(lab.in_state("retired"), ["acme"]);
}

/// Somebody else deactivates a secret in Okta, and no sync has shown that yet. flowswap never deactivates the one that is left.
#[test]
fn the_only_active_secret_stays_active() {
    for (nth, args, why) in [
        (1, ["finalize", "acme", "--yes"], "is the only active secret of the integration"),
        (0, ["rollback", "acme", "--yes"], "the directory's test failed"),
    ] {
        let lab = retired_lab(1, NEVER);
        lab.run(&["rotate", "acme", "-o", "rotation.json"]).expect(0);
        lab.run(&["apply", "rotation.json", "--yes"]).expect(0);
        let (org, client) =
            (lab.sim.tenants()[0].domain.clone(), lab.org(&lab.sim.tenants()[0]).service_clients[0].id.clone());
        let secret = secrets(&lab, "acme")[nth].0.clone();
        lab.sim.mutate(Mutation::DeactivateSecret { org, client, secret: secret.clone() }).unwrap();
        let output = lab.run(&args).expect(3);
        assert!(output.stdout.contains(why), "{}", output.show());
        let active: Vec<String> =
            secrets(&lab, "acme").into_iter().filter(|(_, status)| status == "ACTIVE").map(|(id, _)| id).collect();
        assert!(active.len() == 1 && active[0] != secret, "{active:?}");
    }
}

/// flowswap neither migrated the tenant nor keeps its secret. So only a person could give the old secret back.
#[test]
fn a_tenant_that_was_migrated_without_flowswap_is_rotated() {
    let lab = Lab::new(SimConfig::default().tenants(8).sync_interval(ALWAYS));
    let is_migrated = |tenant: &SimTenant| tenant.scenario == Scenario::Migrated;
    let tenant = lab.sim.tenants().into_iter().find(is_migrated).unwrap();
    let name = tenant.name.as_str();
    let planned = lab.run(&["rotate", name, "-o", "rotation.json"]).expect(0);
    assert!(planned.stdout.contains("previous-secret-elsewhere"), "{}", planned.stdout);
    assert!(planned.stdout.contains("attended"), "{}", planned.stdout);
    lab.run(&["apply", "rotation.json", "--yes"]).expect(0);
    lab.run(&["rollback", name, "--yes"]).expect(4);
    let sheet = lab.run(&["sheet", name]).expect(0).stdout;
    assert!(sheet.contains("with the previous client secret"), "{sheet}");
    lab.run(&["confirm", name]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), [name]);
    let status = lab.run(&["status", name]).expect(0).stdout;
    assert!(status.contains(&format!("flowswap rotate {name} -o {name}.json")), "{status}");
    // Nobody gave the old secret back, so the directory would now be refused. Another rotation heals that.
    let spare = secrets(&lab, name)[1].0.clone();
    lab.run(&["rotate", name, "--drop", &spare, "-o", "again.json"]).expect(0);
    lab.run(&["apply", "again.json", "--yes"]).expect(0);
    lab.run(&["finalize", name, "--yes"]).expect(0);
    lab.run(&["finalize", name, "--purge", "--yes"]).expect(0);
    synchronize(&lab, std::slice::from_ref(&tenant));
    lab.run(&["secret", "verify", name]).expect(0);
}
