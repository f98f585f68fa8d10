//! Acting as an administrator by a service app: the same work as with an API token, and what is said if Okta refuses.

use std::fs;

use flowswap_sim::{AdminCredential, Mutation, SimConfig};

use crate::support::Lab;

const PLAIN: AdminCredential = AdminCredential::ServiceApp { dpop: false };
const BOUND: AdminCredential = AdminCredential::ServiceApp { dpop: true };

fn lab(admin: AdminCredential) -> Lab {
    let lab = Lab::new(SimConfig::default().tenants(2).admin(admin));
    // An assertion is valid for minutes, so flowswap must follow when the clock of the world is moved.
    lab.edit_config(|text| format!("{text}\n[simulation]\nclock = \"{}\"\n", lab.sim.clock_url()));
    lab
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

/// One row: what is wrong, and what `check` says about it.
struct Row {
    admin: AdminCredential,
    /// Changes the world or the configuration.
    wrong: fn(&Lab),
    says: &'static [&'static str],
}

fn mutate(lab: &Lab, change: impl FnOnce(String) -> Mutation) {
    let org = lab.sim.tenants()[0].domain.clone();
    lab.sim.mutate(change(org)).unwrap();
}

fn set(lab: &Lab, change: impl FnOnce(&mut [Option<bool>; 3], &mut Option<String>)) {
    let (mut flags, mut key_id) = ([None; 3], None);
    change(&mut flags, &mut key_id);
    let [dpop, has_role, is_in_zone] = flags;
    mutate(lab, |org| Mutation::SetServiceApp { org, dpop, has_role, is_in_zone, key_id });
}

fn key(lab: &Lab, text: &str) {
    fs::write(lab.path("tokens/acme.jwk"), text).unwrap();
}

fn edit(lab: &Lab, from: &str, to: &str) {
    lab.edit_config(|text| {
        assert!(text.contains(from), "{text}");
        text.replace(from, to)
    });
}

const KEY: &str = "private_key = { file = \"tokens/{name}.jwk\" }";

#[test]
fn check_says_what_is_wrong_with_a_service_app() {
    let rows = [
        Row {
            admin: PLAIN,
            wrong: |lab| key(lab, &lab.sim.tenants()[1].service_app.private_key.replace("\"kid\"", "\"other\"")),
            says: &["The client_assertion signature is invalid", "the private key is not the one of the app"],
        },
        Row {
            admin: PLAIN,
            wrong: |lab| edit(lab, KEY, &format!("{KEY}\nkey_id = \"kid-of-another\"")),
            says: &["The client_assertion JWT kid is invalid", "set `key_id` to the KID of the public key"],
        },
        Row {
            admin: PLAIN,
            wrong: |lab| {
                let host = lab.sim.tenants()[0].domain.clone();
                lab.sim.mutate(Mutation::SkewClock { host, milliseconds: 20 * 60_000 }).unwrap();
            },
            says: &[
                "The client_assertion token is expired",
                "set the clock of this machine; it is 1200 s behind okta's",
            ],
        },
        Row {
            admin: PLAIN,
            wrong: |lab| {
                let host = lab.sim.tenants()[0].domain.clone();
                lab.sim.mutate(Mutation::SkewClock { host, milliseconds: -20 * 60_000 }).unwrap();
            },
            says: &["must be issued before the current time", "it is 1200 s ahead of okta's"],
        },
        Row {
            admin: PLAIN,
            wrong: |lab| {
                let client = lab.sim.tenants()[0].service_app.client_id.clone();
                mutate(lab, |org| Mutation::RemoveScope { org, client, scope: "okta.logs.read".to_owned() });
            },
            says: &["You are not allowed any of the requested scopes", "grant okta.logs.read to the app"],
        },
        Row {
            admin: PLAIN,
            wrong: |lab| set(lab, |flags, _| flags[1] = Some(false)),
            says: &["E0000006", "assign the app an administrator role"],
        },
        Row {
            admin: PLAIN,
            wrong: |lab| set(lab, |flags, _| flags[2] = Some(false)),
            says: &["permitted network zones", "add this machine's address to a network zone"],
        },
        Row {
            admin: BOUND,
            wrong: |lab| edit(lab, KEY, &format!("{KEY}\ndpop = false")),
            says: &["The DPoP proof JWT header is missing", "the app requires DPoP: remove `dpop = false`"],
        },
        Row {
            admin: PLAIN,
            wrong: |lab| edit(lab, KEY, &format!("{KEY}\ndpop = true")),
            says: &["is bound to no key", "require DPoP for the app, or remove `dpop`"],
        },
        Row {
            admin: PLAIN,
            wrong: |lab| edit(lab, &lab.sim.tenants()[0].service_app.client_id, "0oaNOBODY"),
            says: &["is not a valid client_id", "check `client_id` and `domain`"],
        },
        Row {
            admin: PLAIN,
            wrong: |lab| key(lab, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
            says: &["is a public key or a certificate", "name the file with the private key"],
        },
        Row {
            admin: PLAIN,
            wrong: |lab| edit(lab, KEY, &format!("{KEY}\nalgorithm = \"RS256\"")),
            says: &["is an EC key of P-256, which cannot sign RS256", "remove the algorithm"],
        },
        Row {
            admin: PLAIN,
            wrong: |lab| edit(lab, KEY, &format!("{KEY}\nalgorithm = \"HS256\"")),
            says: &["the algorithm `HS256` does not sign client assertions"],
        },
    ];
    for (index, Row { admin, wrong, says }) in rows.into_iter().enumerate() {
        let lab = lab(admin);
        wrong(&lab);
        let output = lab.run(&["check", "acme"]).expect(3);
        for words in says {
            assert!(output.stdout.contains(words), "row {index}: `{words}` is missing in\n{}", output.show());
        }
        let d: serde_json::Value = serde_json::from_str(&lab.sim.tenants()[0].service_app.private_key).unwrap();
        assert!(!output.show().contains(d["d"].as_str().unwrap()), "row {index}");
    }
}
