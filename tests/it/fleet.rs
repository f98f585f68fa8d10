//! The main commands on a whole fleet: detect, plan, apply, status, rollback, and finalize.

use std::collections::BTreeMap;

use flowswap_sim::{Fault, FaultKind, Mutation, Scenario, SimConfig, diff};
use serde_json::Value;

use crate::support::Lab;

/// The names of the tenants that can be migrated.
fn ready(lab: &Lab) -> Vec<String> {
    let tenants = lab.sim.tenants().into_iter().filter(|tenant| tenant.scenario == Scenario::Ready);
    tenants.map(|tenant| tenant.name).collect()
}

#[test]
fn detect_distinguishes_every_kind_of_tenant() {
    let lab = Lab::with_tenants(12);
    let report = lab.json(&["detect"], 4);
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in report["tenants"].as_array().unwrap() {
        *verdicts.entry(row["verdict"].as_str().unwrap()).or_default() += 1;
    }
    assert_eq!(verdicts, BTreeMap::from([("blocked", 3), ("migrated", 1), ("ready", 7), ("unknown", 1)]));
    let ids = |name: &str| -> Vec<String> {
        let row = report["tenants"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
        let errors = row["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == "error");
        errors.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("hooli"), ["app-data-without-apps-scope"]);
    assert_eq!(ids("wonka"), ["legacy-id-reused"]);
    assert_eq!(ids("cyberdyne"), ["witnesses-disagree"]);
    assert_eq!(ids("massive-dynamic"), ["legacy-client-inactive"]);
    assert_eq!(lab.sim.world().orgs.iter().map(|org| org.requests.mutate).sum::<u64>(), 0);
}

#[test]
fn a_fleet_is_migrated_and_rolled_back_completely() {
    let lab = Lab::with_tenants(12);
    let ready = ready(&lab);
    let before = lab.sim.snapshot();
    lab.plan().expect(4);
    assert_eq!(diff(&before, &lab.sim.snapshot()), Vec::<String>::new(), "a dry run changed something");

    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ready);
    for directory in lab.sim.world().directories {
        assert_eq!(directory.submits > 0, ready.contains(&directory.name), "{}", directory.name);
    }
    assert_ne!(diff(&before, &lab.sim.snapshot()), Vec::<String>::new());

    // The directories are back at once. The new clients are deleted only once none of their tokens can be in use.
    let early = lab.run(&["rollback", "--all", "--yes"]).expect(4);
    assert!(early.stdout.contains("The new client stays until its tokens have expired"), "{}", early.stdout);
    assert_eq!(lab.in_state("rolling-back"), ready);
    for directory in lab.sim.world().directories.iter().filter(|directory| ready.contains(&directory.name)) {
        assert_eq!(directory.flow, "authorization_code", "{}", directory.name);
    }
    lab.outlive_tokens();
    lab.run(&["rollback", "--all", "--yes"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ready);
    assert_eq!(diff(&before, &lab.sim.snapshot()), Vec::<String>::new(), "the rollback did not restore everything");
    let kept = std::fs::read_dir(lab.path(".flowswap/secrets")).unwrap().flatten().map(|entry| entry.file_name());
    let left: Vec<_> = kept.filter(|name| name.to_string_lossy() != ".lock").collect();
    assert!(left.is_empty(), "secrets of clients that are gone: {left:?}");
}

#[test]
fn finalize_retires_and_purge_deletes_and_only_a_retirement_can_be_rolled_back() {
    let lab = Lab::with_tenants(3);
    let before = lab.sim.snapshot();
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.run(&["finalize", "acme", "--purge", "--yes"]).expect(6);
    // The legacy client may be in use until its last token has expired after an hour.
    let early = lab.run(&["finalize", "--all", "--yes"]).expect(4);
    assert!(early.stdout.contains("the legacy client stays until"), "{}", early.stdout);
    assert_eq!(lab.in_state("swapped").len(), 3);
    lab.outlive_tokens();
    lab.run(&["finalize", "--all", "--yes"]).expect(0);
    assert_eq!(lab.in_state("retired").len(), 3);
    let statuses: Vec<_> = lab.sim.world().orgs.iter().map(|org| org.legacy[0].status.clone()).collect();
    assert_eq!(statuses, ["INACTIVE"; 3]);

    lab.outlive_tokens();
    lab.run(&["rollback", "globex", "--yes"]).expect(0);
    lab.run(&["finalize", "acme", "--purge", "--yes"]).expect(0);
    assert_eq!(lab.in_state("finalized"), ["acme"]);
    assert_eq!(lab.in_state("rolled-back"), ["globex"]);
    let refused = lab.run(&["rollback", "acme", "--yes"]).expect(6);
    assert!(refused.stderr.contains("cannot be rolled back: step `purge` is irreversible"), "{}", refused.stderr);

    let now = lab.sim.snapshot();
    let changes = diff(&before, &now);
    assert!(!changes.iter().any(|line| line.contains("globex")), "{changes:#?}");
}

#[test]
fn finalize_all_skips_stuck_tenants() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    // Only the confirmation queries the log for rate limits.
    let kind = FaultKind::Status { status: 400 };
    let (host, method) = (lab.sim.tenants()[0].domain.clone(), Some("GET".to_owned()));
    let (path, query) = ("/api/v1/logs".to_owned(), "rate_limit.violation".to_owned());
    lab.sim.add_fault(Fault { host, method, path, query, kind, times: 1, skip: 0 });
    lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    assert_eq!(lab.in_state("stuck"), ["acme"]);
    lab.outlive_tokens();
    let finalized = lab.run(&["finalize", "--all", "--yes"]).expect(4);
    assert!(finalized.stderr.contains("left out: acme is stuck; it cannot be finalized yet"), "{}", finalized.stderr);
    assert_eq!((lab.in_state("stuck"), lab.in_state("retired")), (vec!["acme".to_owned()], vec!["globex".to_owned()]));
    let refused = lab.run(&["finalize", "acme", "--yes"]).expect(6);
    assert!(
        refused.stderr.contains("tenant `acme` is stuck, so flowswap cannot retire or purge its legacy client yet"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_tenant_that_changed_since_the_plan_is_refused_alone() {
    let lab = Lab::with_tenants(3);
    lab.plan().expect(0);
    let org = lab.sim.world().orgs[1].clone();
    let rename = Mutation::RenameApp {
        org: org.domain.clone(),
        app: org.legacy[0].id.clone(),
        label: "Renamed meanwhile".to_owned(),
    };
    lab.sim.mutate(rename).unwrap();

    let report = lab.json(&["apply", "plan.json", "--yes"], 6);
    let rows = report["tenants"].as_array().unwrap();
    let refused: Vec<&Value> = rows.iter().filter(|row| row["outcome"] == "refused").collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["name"], "globex");
    let change = refused[0]["changes"][0].as_str().unwrap();
    assert!(change.starts_with("provider.legacy_clients[") && change.ends_with("→ \"Renamed meanwhile\""), "{change}");
    assert_eq!(lab.in_state("swapped"), ["acme", "initech"]);
    assert_eq!(lab.sim.world().directories.iter().filter(|directory| directory.submits > 0).count(), 2);
}

#[test]
fn applying_a_finished_plan_again_changes_nothing() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let after = lab.sim.snapshot();
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(diff(&after, &lab.sim.snapshot()), Vec::<String>::new());
}

#[test]
fn a_rolled_back_tenant_can_be_planned_and_migrated_again() {
    let lab = Lab::with_tenants(1);
    for _ in 0..2 {
        lab.plan().expect(0);
        lab.run(&["apply", "plan.json", "--yes"]).expect(0);
        assert_eq!(lab.in_state("swapped"), ["acme"]);
        lab.outlive_tokens();
        lab.run(&["rollback", "acme", "--yes"]).expect(0);
        assert_eq!(lab.in_state("rolled-back"), ["acme"]);
    }
}

#[test]
fn without_restore_a_person_rolls_the_directory_back() {
    let lab = Lab::with_tenants(1);
    lab.edit_config(|text| {
        text.replace("[defaults.directory.restore]\npath = \"/v1/directories/$id/restore\"\nbody = {}\n", "")
    });
    let before = lab.sim.snapshot();
    let plan = lab.plan().expect(0);
    assert!(plan.stdout.contains("rollback: needs a person for 1 of these tenants"), "{}", plan.stdout);
    let shown = lab.run(&["show", "plan.json"]).expect(0);
    assert!(shown.stdout.contains("Reconnect") && shown.stdout.contains("[attended]"), "{}", shown.stdout);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);

    lab.outlive_tokens();
    let waiting = lab.run(&["rollback", "acme", "--yes"]).expect(4);
    assert!(waiting.stdout.contains("a person must act"), "{}", waiting.stdout);
    assert_eq!(lab.in_state("waiting"), ["acme"]);

    lab.reconnect_as_before(&lab.sim.tenants()[0]);
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"]);
    // A new sign-in creates a new secret and a new date; everything else is restored.
    let of_a_sign_in = |line: &String| {
        ["/connection/last_sign_in", "/secret_hash", "/previous"].iter().any(|part| line.contains(part))
    };
    let changes: Vec<_> = diff(&before, &lab.sim.snapshot()).into_iter().filter(|line| !of_a_sign_in(line)).collect();
    assert_eq!(changes, Vec::<String>::new());
}

#[test]
fn two_hundred_tenants_migrate_in_one_apply() {
    let lab = Lab::new(SimConfig::default().tenants(200).page_size(50));
    let ready = ready(&lab);
    assert_eq!(ready.len(), 180);
    lab.plan().expect(4);
    lab.run(&["apply", "plan.json", "--yes", "--quiet"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ready);
}

/// The type key is in no public document. An instance in one org shows it, and the other orgs need it.
#[test]
fn a_type_key_that_one_org_shows_is_offered_to_the_others() {
    let lab = Lab::with_tenants(12);
    let without = |text: String| {
        let lines = text.lines().filter(|line| !line.starts_with("variant_types"));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    };
    lab.edit_config(without);
    let key = lab.sim.variant_types().plain;
    let told = lab.run(&["detect"]).expect(4).stdout;
    let expect = format!("For all tenants, set in `variant_types` under [defaults.provider]: plain = \"{key}\"");
    let told: String = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(&expect), "{told}");
    assert!(told.contains("variant-type-unknown"), "{told}");
    let learned = &lab.json(&["detect"], 4)["learned"];
    assert_eq!((&learned[0]["variant"], &learned[0]["type_key"]), (&"plain".into(), &key.into()));
}
