//! What `detect` and `check` find in an org: people, settings, and scopes that a connection depends on, and one app among thousands.

use flowswap_sim::{Mutation, Scenario, SimConfig};
use serde_json::Value;

use crate::support::Lab;

/// The findings of the tenants besides the usual one, with what was seen.
fn findings(lab: &Lab) -> String {
    let found = lab.json(&["detect"], 0);
    let of = |tenant: &Value| {
        let usual = ["auth-code-flow", "lookalike-present", "deadline-near"];
        let findings = tenant["findings"].as_array().unwrap().iter();
        let findings = findings.filter(|finding| !usual.contains(&finding["id"].as_str().unwrap()));
        let lines: Vec<_> = findings
            .map(|finding| {
                format!(
                    "{}: {}: {}",
                    tenant["name"].as_str().unwrap(),
                    finding["id"].as_str().unwrap(),
                    finding["message"].as_str().unwrap()
                )
            })
            .collect();
        lines.join("\n")
    };
    found["tenants"].as_array().unwrap().iter().map(of).filter(|lines| !lines.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_a_connection_depends_on_is_a_finding() {
    let lab = Lab::new(SimConfig::default().scenarios(vec![Scenario::Ready; 6]));
    assert_eq!(findings(&lab), "");
    for (at, tenant) in lab.sim.tenants().into_iter().enumerate() {
        let (org, app) = (tenant.domain.clone(), lab.org(&tenant).legacy[0].id.clone());
        let change = match at {
            0 => Mutation::SetSyncAdminActive { org, active: false },
            1 => Mutation::SetSyncAdminRole { org, has_role: false },
            2 => {
                let uri = "https://directory-sync.eu.paloaltonetworks.com/authorize".to_owned();
                Mutation::AddRedirectUri { org, app, uri }
            }
            3 => Mutation::SetRefreshTokenRotation { org, app, rotates: true },
            4 => Mutation::AddGrant { org, app, scope: "okta.users.manage".to_owned() },
            _ => Mutation::RemoveGrant { org, app, scope: "okta.logs.read".to_owned() },
        };
        lab.sim.mutate(change).unwrap();
    }
    insta::assert_snapshot!(findings(&lab), @r"
    acme: legacy-admin-lost: the only person assigned to `0oaV7veSES6AaaSovrSj` (CIE Directory Sync) is DEPROVISIONED
    globex: legacy-admin-lost: the only person assigned to `0oaWqknHPvlAkeLORMQU` (CIE Directory Sync) is not an administrator
    initech: legacy-client-shared: `0oayUxvkiCaNMPsPDCSk` (CIE Directory Sync) serves sign-ins of directory-sync.us.paloaltonetworks.com, directory-sync.eu.paloaltonetworks.com
    umbrella: refresh-token-settings: `0oaxDQObXgNcpvYq65uA` gets a new refresh token with each use
    hooli: scopes-unneeded: `0oaSKCPjJsKCFn3T73Pv` also has okta.users.manage
    vandelay: scopes-missing: `0oa1gIMc0tMx17dHIl0r` lacks okta.logs.read
    ");
}

#[test]
fn check_says_which_role_the_administrator_lacks() {
    let lab = Lab::with_tenants(1);
    let org = lab.sim.tenants()[0].domain.clone();
    lab.sim.mutate(Mutation::SetAdminRole { org, role: "READ_ONLY_ADMIN".to_owned() }).unwrap();
    let output = lab.run(&["check", "-v"]).expect(0);
    let line = output.stdout.lines().find(|line| line.contains(" role ")).unwrap();
    insta::assert_snapshot!(line.split_whitespace().collect::<Vec<_>>().join(" "), @"acme provider role note the administrator has only READ_ONLY_ADMIN; apply and rollback create and delete an integration, for which you need SUPER_ADMIN");
    // What it says is true.
    lab.plan().expect(0);
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    assert!(output.stdout.contains("E0000006"), "{}", output.show());
}

#[test]
fn one_app_among_twenty_thousand_is_found_with_a_few_requests() {
    let config = SimConfig::default().tenants(1).apps(20_000).page_size(200).record(true);
    let lab = Lab::new(config);
    let found = lab.json(&["detect"], 0);
    let tenant = &found["tenants"][0];
    assert_eq!(tenant["legacy_client"]["id"], lab.org(&lab.sim.tenants()[0]).legacy[0].id);
    assert_eq!(tenant["verdict"], "ready");
    let lists =
        lab.sim.traffic().iter().filter(|exchange| exchange.path_and_query.starts_with("/api/v1/apps?")).count();
    // One page of all, eleven of 2,000 custom OIDC apps and a few, and one of the vendor's.
    assert_eq!(lists, 13);
}
