//! Rotations of client secrets, over the simulator: their whole life, their rollback, and what must not be rotated.

mod life;
mod refusals;

use flowswap_sim::Mutation;
use serde_json::Value;

use crate::support::Lab;

/// A lab whose tenants are migrated, with their legacy clients deactivated.
fn retired_lab(tenants: usize) -> Lab {
    let lab = Lab::with_tenants(tenants);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab.run(&["finalize", "--all", "--yes"]).expect(0);
    lab
}

/// The ids of the client secrets of a tenant's only integration, oldest first, each with its status.
fn secrets(lab: &Lab, tenant: &str) -> Vec<(String, String)> {
    let output = lab.run(&["secret", "list", tenant, "--format", "json"]).expect(0);
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let secrets = report["tenants"][0]["secrets"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    secrets.iter().map(|secret| (text(&secret["id"]), text(&secret["status"]))).collect()
}

/// Lets every directory synchronize now. Fails if one of them cannot.
#[track_caller]
fn synchronize(lab: &Lab) {
    for tenant in lab.sim.tenants() {
        let good = |lab: &Lab| lab.directory(&tenant).sync.good;
        let before = good(lab);
        lab.sim.mutate(Mutation::Sync { directory: tenant.directory_id.clone() }).unwrap();
        assert_eq!(good(lab), before + 1, "{} cannot synchronize", tenant.name);
    }
}
