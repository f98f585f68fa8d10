//! Rotations of client secrets, over the simulator: their whole life, their rollback, and what must not be rotated.

mod faults;
mod guided;
mod life;
mod refusals;

use std::time::Duration;

use flowswap_sim::{Mutation, SimConfig, SimTenant};
use serde_json::Value;

use crate::support::Lab;

/// A lab whose tenants are migrated, with their legacy clients deactivated. Their directories synchronize when they are connected, and by
/// themselves when somebody reads their status, but only after this time.
fn retired_lab(tenants: usize, sync_interval: Duration) -> Lab {
    let lab = Lab::new(SimConfig::default().tenants(tenants).sync_interval(sync_interval));
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    synchronize(&lab, &lab.sim.tenants());
    lab.run(&["finalize", "--all", "--yes"]).expect(0);
    lab
}

/// Runs a command that waits for the next sync, and again after that sync.
#[track_caller]
fn run_over_a_sync(lab: &Lab, args: &[&str]) {
    lab.run(args).expect(4);
    synchronize(lab, &lab.sim.tenants());
    lab.run(args).expect(0);
}

/// Longer than any test, so that a directory synchronizes only when the test wants it.
const NEVER: Duration = Duration::from_hours(24);
/// At every look.
const ALWAYS: Duration = Duration::ZERO;

/// The ids of the client secrets of a tenant's only integration, oldest first, each with its status.
fn secrets(lab: &Lab, tenant: &str) -> Vec<(String, String)> {
    let output = lab.run(&["secret", "list", tenant, "--format", "json"]).expect(0);
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let secrets = report["tenants"][0]["secrets"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    secrets.iter().map(|secret| (text(&secret["id"]), text(&secret["status"]))).collect()
}

/// Lets the directories of these tenants synchronize now. Fails if one of them cannot.
#[track_caller]
fn synchronize(lab: &Lab, tenants: &[SimTenant]) {
    for tenant in tenants {
        let good = |lab: &Lab| lab.directory(tenant).sync.good;
        let before = good(lab);
        lab.sim.mutate(Mutation::Sync { directory: tenant.directory_id.clone() }).unwrap();
        assert_eq!(good(lab), before + 1, "{} cannot synchronize", tenant.name);
    }
}
