//! A guided migration leaves no secret anywhere except on the one terminal that asked for it. It also leaves no names:
//! users and groups are personal data, and only keyed hashes of them may be kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use flowswap_engine::SecretStore;
use flowswap_sim::{CIE_API_HOST, CIE_AUTH_HOST, Interface, SimConfig};
use flowswap_store::{AgeSecretStore, Identity, StateDir};
use serde_json::Value;

use super::canary::{Canary, files_of_the_client, is_in, read_request};
use crate::{
    guided::{
        UNTIL_TOKENS_EXPIRED, let_sync,
        person::{Form, reconnect, service_client},
    },
    support::{Lab, command, terminal::Terminal},
};

#[test]
fn a_guided_migration_leaves_no_secret_and_no_personal_name_anywhere() {
    let config =
        SimConfig::default().tenants(2).interface(Interface::CieGuided).scheduled_sync(Duration::from_secs(300));
    let lab = Lab::new(config.record(true));
    let used = use_everything(&lab);
    let canaries = collect(&lab, used.secrets);
    let kinds: BTreeSet<&str> = canaries.iter().map(kind).collect();
    let expected = ["access_token", "account", "admin", "blinding_key", "client_secret", "identity", "person"];
    assert_eq!(kinds, BTreeSet::from(expected));

    let mut places = used.outputs;
    places.extend(files_of_the_client(lab.dir()));
    for name in ["journal.sqlite", "plan.json", "sheet.html", "sheet.md"] {
        assert!(places.iter().any(|(place, _)| place.ends_with(name)), "there is no {name}");
    }
    let mut leaks = Vec::new();
    for (place, text) in &places {
        for canary in canaries.iter().filter(|canary| is_in(canary, text)) {
            if !(canary.what == "identity" && place.ends_with("identity.txt")) {
                leaks.push(format!("{} is in {place}", canary.what));
            }
        }
    }
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    // The person's requests at the console are not flowswap's.
    for exchange in lab.sim.traffic().iter().filter(|exchange| is_by_flowswap(&exchange.request_headers)) {
        let request = read_request(exchange);
        for canary in canaries.iter().filter(|canary| is_in(canary, &request)) {
            if exchange.host != canary.owner {
                leaks.push(format!(
                    "{} of {} is in {}{}",
                    canary.what, canary.owner, exchange.host, exchange.path_and_query
                ));
            }
            seen.entry(kind(canary)).or_default().insert(exchange.host.clone());
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    // The search works: it found every kind that is sent, and the one terminal had the secret.
    for kind in ["access_token", "account", "admin", "client_secret"] {
        assert!(seen.contains_key(kind), "no {kind} was seen on its way: {seen:#?}");
    }
    assert!(!seen.contains_key("blinding_key") && !seen.contains_key("identity"), "{seen:#?}");
}

/// The first word of the canary's description.
fn kind(canary: &Canary) -> &str {
    canary.what.split(' ').next().unwrap_or_default()
}

fn is_by_flowswap(headers: &[(String, String)]) -> bool {
    headers.iter().any(|(name, value)| name == "user-agent" && value.starts_with("flowswap"))
}

/// The outputs and secrets of a run of every command.
struct Usage {
    outputs: Vec<(String, String)>,
    /// The secrets that were in custody, by name.
    secrets: Vec<(String, String)>,
}

/// Migrates one tenant and rolls it back, and declines the other.
fn use_everything(lab: &Lab) -> Usage {
    let mut outputs = Vec::new();
    let mut run = |line: &str, code: i32| {
        for form in [&["-vv"][..], &["-vv", "--format", "json"][..]] {
            let args: Vec<&str> = line.split(' ').chain(form.iter().copied()).collect();
            let output = lab.run(&args);
            assert_eq!(output.code, code, "{args:?}: {}{}", output.stdout, output.stderr);
            outputs.push((format!("stdout of {line}"), output.stdout));
            outputs.push((format!("stderr of {line}"), output.stderr));
        }
    };
    let tenants = lab.sim.tenants();
    run("check", 0);
    run("detect", 0);
    run("plan -o plan.json", 0);
    run("show plan.json", 0);
    run("apply plan.json --yes", 4);
    let secrets = in_custody(lab);
    for line in ["next", "status", "sheet acme", "sheet acme --as markdown", "sheet acme --as html"] {
        run(line, 0);
    }
    run("sheet acme --as markdown -o sheet.md", 0);
    run("sheet acme --as html -o sheet.html", 0);
    run("secret copy acme --print", 2);
    let printed = Terminal::start(command(lab.dir(), &["secret", "copy", "acme", "--print", "-vv"])).finish();
    let (_, secret) = service_client(lab, &tenants[0]);
    assert_eq!(printed.0, 0, "{}", printed.1);
    // The terminal shows the secret exactly once.
    assert_eq!(printed.1.matches(secret.as_str()).count(), 1, "the terminal did not get the secret once");
    run("confirm acme --note early", 4);
    let declined = lab.run(&["decline", "globex", "--reason", "not today", "-vv"]).expect(0);
    reconnect(lab, &tenants[0], &tenants[0].directory_id, &Form::right(lab, &tenants[0]));
    let confirmed = lab.run(&["confirm", "acme", "-vv"]).expect(4);
    let_sync(lab, UNTIL_TOKENS_EXPIRED);
    let seen = lab.run(&["apply", "plan.json", "--yes", "-vv"]);
    assert_eq!(lab.in_state("swapped"), ["acme"], "{}", seen.stdout);
    run("evidence acme", 0);
    run("evidence globex", 0);
    run("audit verify --online", 0);
    run("rollback acme --yes", 4);
    run("sheet acme", 0);
    reconnect(lab, &tenants[0], &tenants[0].directory_id, &Form::back(lab, &tenants[0]));
    let_sync(lab, UNTIL_TOKENS_EXPIRED);
    let back = lab.run(&["confirm", "acme", "-vv"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"], "{}{}", back.stdout, back.stderr);
    let watched = lab.run(&["watch", "acme", "-vv"]).expect(0);
    run("rollback --all --yes", 0);
    run("evidence acme", 0);
    for (name, output) in
        [("decline", declined), ("confirm", confirmed), ("the last look", seen), ("watch", watched), ("back", back)]
    {
        outputs.push((format!("stdout of {name}"), output.stdout));
        outputs.push((format!("stderr of {name}"), output.stderr));
    }
    outputs.push(("the terminal, but for the secret".to_owned(), printed.1.replace(secret.as_str(), "")));
    Usage { outputs, secrets }
}

/// All secrets in custody, by handle.
pub(super) fn in_custody(lab: &Lab) -> Vec<(String, String)> {
    let state = StateDir::at(lab.path(".flowswap"));
    let identity = || Identity::load(&state.root().join("identity.txt")).unwrap();
    let handles = AgeSecretStore::inspect(&state.secrets(), &identity()).unwrap().secrets;
    let store = AgeSecretStore::read_only(state.secrets(), identity());
    let read = |handle| lab.wait(store.get(&handle)).unwrap().map(|secret| (handle.to_string(), secret));
    let found = handles.into_iter().filter_map(read);
    found.map(|(handle, secret)| (handle, secret.expose().to_owned())).collect()
}

/// Everything that must not leak.
fn collect(lab: &Lab, kept: Vec<(String, String)>) -> Vec<Canary> {
    let tenants = lab.sim.tenants();
    let mut canaries = Vec::new();
    for tenant in &tenants {
        canaries.push(Canary::new(format!("admin token of {}", tenant.name), &tenant.admin_token, &tenant.domain));
    }
    for (handle, secret) in kept {
        let (owner, name) = (handle.split('/').next().unwrap(), handle.rsplit('/').next().unwrap());
        let tenant = tenants.iter().find(|tenant| tenant.name == owner).unwrap();
        canaries.push(Canary::new(format!("{name} of {owner}"), &secret, &tenant.domain));
    }
    let account = fs::read_to_string(lab.path("cie.secret")).unwrap();
    canaries.push(Canary::new("account secret".to_owned(), &account, CIE_AUTH_HOST));
    let identity = fs::read_to_string(lab.path(".flowswap/identity.txt")).unwrap();
    let key = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    canaries.push(Canary::new("identity".to_owned(), key, "nobody"));
    let mut people = BTreeSet::new();
    for exchange in lab.sim.traffic() {
        let Ok(body) = serde_json::from_slice::<Value>(&exchange.response_body) else { continue };
        if let Some(token) = body["access_token"].as_str() {
            let owner = if exchange.host == CIE_AUTH_HOST { CIE_API_HOST } else { &exchange.host };
            canaries.push(Canary::new(format!("access_token of {}", exchange.host), token, owner));
        }
        if ["/users", "/groups", "/cache-user", "/cache-group"].iter().any(|of| exchange.path_and_query.contains(of)) {
            gather_names(&body, &mut people);
        }
    }
    assert!(people.len() >= 8, "{people:?}");
    canaries.extend(people.iter().map(|name| Canary::new(format!("person {name}"), name, "nobody")));
    canaries
}

/// The names that identify people: logins, addresses, and the names of groups other than "Everyone".
fn gather_names(body: &Value, names: &mut BTreeSet<String>) {
    const OF_PEOPLE: [&str; 5] = ["login", "email", "User Principal Name", "Distinguished Name", "Mail"];
    match body {
        Value::Array(items) => items.iter().for_each(|item| gather_names(item, names)),
        Value::Object(members) => {
            let is_own_group = members.get("type").is_some_and(|kind| kind == "OKTA_GROUP");
            let group = members.get("profile").and_then(|profile| profile["name"].as_str()).filter(|_| is_own_group);
            let person = OF_PEOPLE.iter().filter_map(|key| members.get(*key)?.as_str());
            names.extend(person.chain(group).filter(|name| !name.is_empty()).map(str::to_owned));
            members.values().for_each(|member| gather_names(member, names));
        }
        _ => {}
    }
}
