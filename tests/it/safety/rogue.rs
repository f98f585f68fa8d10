//! A plugin that asks for what it may not have: the host refuses, says who asked for what, and the tenants beside it are
//! planned as if nothing were wrong.

use flowswap_sim::SimConfig;
use serde_json::Value;

use crate::support::Lab;

/// A way to misbehave, and what must be said about it.
const MISBEHAVIOURS: &[(&str, &[&str])] = &[
    ("mutate-in-detect", &["`rogue`", "POST", "/rogue", "must not change anything"]),
    ("read-by-post", &["`rogue`", "POST", "/rogue", "only GET and HEAD count as reading"]),
    ("foreign-origin", &["`rogue`", "GET https://elsewhere.test/rogue", "foreign origin"]),
    ("foreign-secret", &["`rogue`", "another-tenant/provider/credential"]),
    ("panic", &["the plugin panicked in a call", "rogue: the rogue panics as it was told to"]),
];

#[test]
fn as_a_provider() {
    refuse("provider");
}

#[test]
fn as_a_directory() {
    refuse("directory");
}

#[test]
fn a_rogue_that_behaves_is_planned() {
    let lab = lab("provider", None);
    // It shows another directory than there is, so its tenant is not ready; but it is looked at, and refused nothing.
    let output = lab.plan();
    assert!(!output.stdout.contains("plugin `rogue`"), "{}", output.stdout);
}

#[track_caller]
fn refuse(role: &str) {
    for (misbehaviour, words) in MISBEHAVIOURS {
        let lab = lab(role, Some(misbehaviour));
        let before = lab.sim.snapshot();
        let output = lab.plan().expect(4);
        let said = format!("{}{}", output.stdout, output.stderr);
        for word in *words {
            assert!(said.contains(word), "{misbehaviour} as {role}: `{word}` is not said:\n{said}");
        }
        let plan: Value = serde_json::from_str(&std::fs::read_to_string(lab.path("plan.json")).unwrap()).unwrap();
        let verdicts: Vec<_> = plan["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["verdict"]).collect();
        assert_eq!(verdicts, ["ready", "unknown", "ready"], "{misbehaviour} as {role}");
        let strays: Vec<_> = lab.sim.traffic().into_iter().filter(|e| e.path_and_query.contains("rogue")).collect();
        assert!(strays.is_empty(), "{misbehaviour} as {role}: {strays:?}");
        assert_eq!(before, lab.sim.snapshot());
    }
}

/// Three tenants, the second of which has the rogue on one side.
fn lab(role: &str, misbehave: Option<&str>) -> Lab {
    let lab = Lab::new(SimConfig::default().tenants(3).record(true));
    let misbehave = misbehave.map(|word| format!("misbehave = \"{word}\"\n")).unwrap_or_default();
    let tenants = lab.sim.tenants();
    lab.edit_config(|text| {
        let (head, rest) = text.split_at(text.find("[defaults.provider]").unwrap());
        let defaults = &rest[..rest.find("[[tenant]]").unwrap()];
        let (provider, directory) = defaults.split_at(defaults.find("[defaults.directory]").unwrap());
        let mut config = head.to_owned();
        // Defaults hold for every tenant, and the rogue does not know the keys of the others.
        for tenant in &tenants {
            let own = |part: &str| part.replace("[defaults.", "[tenant.").replace("{name}", &tenant.name);
            let is_rogue = |side: &str| tenant.name == "globex" && side == role;
            config += &format!("[[tenant]]\nname = \"{}\"\napp_data = {}\n", tenant.name, tenant.app_data);
            config += &match is_rogue("provider") {
                true => rogue("provider", &tenant.domain, "tokens/globex.token", &misbehave),
                false => with_key(&own(provider), "[tenant.provider]\n", "domain", &tenant.domain),
            };
            config += &match is_rogue("directory") {
                true => rogue("directory", "gateway.cie.test", "gateway.token", &misbehave),
                false => with_key(&own(directory), "[tenant.directory]\n", "id", &tenant.directory_id),
            };
        }
        config
    });
    lab
}

fn rogue(role: &str, host: &str, token: &str, misbehave: &str) -> String {
    let domain = if role == "provider" { format!("domain = \"{host}\"\n") } else { String::new() };
    format!(
        "[tenant.{role}]\nplugin = \"rogue\"\nbase_url = \"https://{host}\"\ncredential = {{ file = \"{token}\" }}\n{domain}{misbehave}"
    )
}

fn with_key(text: &str, table: &str, key: &str, value: &str) -> String {
    text.replacen(table, &format!("{table}{key} = \"{value}\"\n"), 1)
}
