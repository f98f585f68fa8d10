//! `--metrics`: what a monitoring system reads, and what becomes of the exit code if the file cannot be written.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use flowswap_sim::{Fault, FaultKind};

use super::exposition::{self, Samples};
use crate::support::{Lab, command, finish};

/// The series that begin with this name.
fn of<'a>(samples: &'a Samples, name: &str) -> Vec<&'a str> {
    let family = format!("{name}{{");
    samples.keys().filter(|series| series.starts_with(&family)).map(String::as_str).collect()
}

#[test]
fn a_fleet_is_measured_from_its_detection_to_its_rollback() {
    let lab = Lab::with_tenants(3);
    let path = lab.path("flowswap.prom");
    let run = |line: &str, code| {
        let args: Vec<&str> = line.split(' ').chain(["--metrics", "flowswap.prom"]).collect();
        lab.run(&args).expect(code);
        exposition::read(&path)
    };
    let detected = lab.json(&["detect"], 0);
    let seen = run("detect", 0);
    for row in detected["tenants"].as_array().unwrap() {
        let (name, days) = (row["name"].as_str().unwrap(), row["days_left"].as_f64());
        assert_eq!(seen.get(&format!("flowswap_tenant_days_left{{tenant=\"{name}\"}}")).copied(), days, "{seen:#?}");
        assert_eq!(seen[&format!("flowswap_tenant_state{{tenant=\"{name}\",state=\"unplanned\"}}")], 1.0);
        assert_eq!(seen[&format!("flowswap_tenant_overdue{{tenant=\"{name}\"}}")], 0.0);
    }
    assert!(!of(&seen, "flowswap_tenant_days_left").is_empty());
    assert!(of(&seen, "flowswap_tenant_last_look_timestamp_seconds").is_empty(), "the journal has no record yet");
    assert!(of(&seen, "flowswap_run_tenants").is_empty(), "this is no run");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);

    let seen = run("plan -o plan.json", 0);
    let planned = of(&seen, "flowswap_tenant_last_look_timestamp_seconds").len();
    assert_eq!(planned, 3, "{seen:#?}");

    let org = lab.sim.tenants()[0].domain.clone();
    let (method, path) = (Some("POST".to_owned()), "/integrations/api/v1/api-services".to_owned());
    let kind = FaultKind::Status { status: 403 };
    lab.sim.add_fault(Fault { host: org, method, path, query: String::new(), kind, times: 1, skip: 0 });
    let seen = run("apply plan.json --yes", 3);
    let swapped = lab.in_state("swapped").len();
    assert_eq!(seen["flowswap_tenant_state{tenant=\"acme\",state=\"failed\"}"], 1.0, "{seen:#?}");
    assert_eq!(seen["flowswap_run_tenants{command=\"apply\",counts_as=\"failed\"}"], 1.0);
    assert_eq!(seen["flowswap_run_tenants{command=\"apply\",counts_as=\"done\"}"], swapped as f64);
    assert_eq!(seen["flowswap_run_tenants{command=\"apply\",counts_as=\"waiting\"}"], 0.0);
    // Each proof leaves one: a read without its scope must be refused.
    assert_eq!(seen["flowswap_run_requests_total{command=\"apply\",status=\"403\"}"], 1.0 + swapped as f64);
    assert!(seen["flowswap_run_requests_total{command=\"apply\",status=\"200\"}"] > 10.0);
    assert!(seen["flowswap_run_duration_seconds{command=\"apply\"}"] > 0.0);
    let (written, look) =
        ("flowswap_written_timestamp_seconds{}", "flowswap_tenant_last_look_timestamp_seconds{tenant=\"acme\"}");
    assert!(seen[look] <= seen[written] && seen[look] > seen[written] - 3600.0);

    // A later command knows the tenants from the journal alone.
    let later = run("status", 0);
    assert_eq!(of(&later, "flowswap_tenant_state"), of(&seen, "flowswap_tenant_state"));
    assert_eq!(later[look], seen[look]);
    assert!(of(&later, "flowswap_run_tenants").is_empty());
}

#[test]
fn only_a_file_of_metrics_is_replaced() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    fs::write(lab.path("notes"), "my notes").unwrap();
    for (path, why) in [
        ("notes", "flowswap did not write it as a file of metrics"),
        ("plan.json", "flowswap did not write it as a file of metrics"),
        (".flowswap/journal.sqlite", "belongs to flowswap's state"),
        (".flowswap/identity.txt", "belongs to flowswap's state"),
        ("/dev/null", "cannot be a file of metrics"),
        ("-", "cannot be a file of metrics"),
        ("nowhere/flowswap.prom", "there is no folder"),
    ] {
        let before = fs::read(lab.path(path)).ok();
        let refused = lab.run(&["status", "--metrics", path]).expect(2);
        assert!(refused.stdout.is_empty() && refused.stderr.contains(why), "{path}: {}", refused.stderr);
        assert!(!refused.stderr.contains("--force"), "{}", refused.stderr);
        assert!(path.starts_with('/') || fs::read(lab.path(path)).ok() == before, "{path} was changed");
    }
}

/// The report is complete, and its code says more than the code of a file that could not be written.
#[test]
fn a_file_that_cannot_be_written_fails_only_a_command_that_did_not() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["status", "--metrics", "flowswap.prom"]).expect(0);
    let before = fs::read(lab.path("flowswap.prom")).unwrap();
    fs::set_permissions(lab.path("flowswap.prom"), fs::Permissions::from_mode(0o444)).unwrap();
    for (args, code) in
        [(&["status"][..], 1), (&["status", "--fail-on", "person"], 4), (&["status", "--fail-on", "failed"], 1)]
    {
        let mut status = command(lab.dir(), args);
        status.env("FLOWSWAP_METRICS", "flowswap.prom");
        let failed = finish(status).expect(code);
        assert!(failed.stdout.contains("planned"), "{}", failed.stdout);
        assert!(failed.stderr.contains("failed to write the file of metrics `flowswap.prom`"), "{}", failed.stderr);
    }
    assert_eq!(fs::read(lab.path("flowswap.prom")).unwrap(), before);
    let left: Vec<_> = fs::read_dir(lab.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !Path::new(name).to_string_lossy().starts_with(".tmp")), "{left:?}");
}
