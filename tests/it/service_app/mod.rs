//! Acting as an administrator by a service app: the same work as with an API token, what is signed, and what is said if it fails.

mod failures;
mod signed;

use std::fs;

use flowswap_sim::{AdminCredential, Mutation, ServiceAppChange, SimConfig};

use crate::support::Lab;

const PLAIN: AdminCredential = AdminCredential::ServiceApp { dpop: false };
const BOUND: AdminCredential = AdminCredential::ServiceApp { dpop: true };

/// The line of the configuration that names the key.
const KEY: &str = "private_key = { file = \"tokens/{name}.jwk\" }";

fn lab(admin: AdminCredential) -> Lab {
    let lab = Lab::new(SimConfig::default().tenants(2).record(true).admin(admin));
    // An assertion is valid for minutes, so flowswap must follow when the clock of the world is moved.
    lab.edit_config(|text| format!("{text}\n[simulation]\nclock = \"{}\"\n", lab.sim.clock_url()));
    lab
}

/// Changes the service app of the first tenant.
fn change_app(lab: &Lab, change: ServiceAppChange) {
    let org = lab.sim.tenants()[0].domain.clone();
    lab.sim.mutate(Mutation::SetServiceApp { org, change }).unwrap();
}

/// Adds lines after the one that names the key.
fn configure(lab: &Lab, lines: &str) {
    lab.edit_config(|text| text.replace(KEY, &format!("{KEY}\n{lines}")));
}

/// The whole way forward and back again works with each credential. What the plugins get has no key, no assertion, no proof, and
/// no token in it.
#[test]
fn a_migration_works_with_a_token_with_a_key_and_with_a_bound_key() {
    let mut plans = Vec::new();
    for admin in [AdminCredential::ApiToken, PLAIN, BOUND] {
        let lab = lab(admin);
        lab.run(&["check"]).expect(0);
        lab.run(&["plan", "-o", "plan.json"]).expect(0);
        let recorded = lab.run(&["record", "-o", "apply.recording", "apply", "plan.json", "--yes"]).expect(0);
        assert_eq!(lab.in_state("swapped").len(), 2, "{admin:?}");
        lab.outlive_tokens();
        lab.run(&["finalize", "acme", "--yes"]).expect(0);
        lab.run(&["rollback", "globex", "--yes"]).expect(0);
        let shown = fs::read_to_string(lab.path("apply.recording")).unwrap() + &recorded.show();
        for tenant in lab.sim.tenants() {
            assert!(!shown.contains(&tenant.admin_token));
            if admin != AdminCredential::ApiToken {
                let key: serde_json::Value = serde_json::from_str(&tenant.service_app.private_key).unwrap();
                assert!(!shown.contains(key["d"].as_str().unwrap()));
            }
        }
        // How every token, assertion, and proof begins.
        assert!(!shown.contains("eyJ"), "{admin:?}");
        let plan: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(lab.path("plan.json")).unwrap()).unwrap();
        let steps: Vec<_> = plan["tenants"].as_array().unwrap().iter().map(|tenant| tenant["steps"].clone()).collect();
        plans.push(steps);
    }
    assert_eq!(plans[0], plans[1], "a plan does not depend on the credential");
    assert_eq!(plans[0], plans[2]);
}
