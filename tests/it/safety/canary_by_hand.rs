//! A guided migration leaves no secret anywhere except on the one terminal that asked for it. It also leaves no names:
//! users and groups are personal data, and only keyed hashes of them may be kept.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use flowswap_engine::SecretStore;
use flowswap_sim::{CIE_API_HOST, CIE_AUTH_HOST, Interface, SimConfig};
use flowswap_store::{AgeSecretStore, Identity, StateDir};
use serde_json::Value;

use super::{
    patrol::Patrol,
    search::{Canary, read_request},
};
use crate::{
    guided::{
        UNTIL_TOKENS_EXPIRED, let_sync,
        person::{Form, reconnect, service_client},
    },
    support::{Lab, Output, terminal::Terminal},
};

#[test]
fn a_guided_migration_leaves_no_secret_and_no_personal_name_anywhere() {
    let config =
        SimConfig::default().tenants(2).interface(Interface::CieGuided).scheduled_sync(Duration::from_secs(300));
    let lab = Lab::new(config.record(true));
    let kept = RefCell::new(BTreeMap::new());
    let collect = || {
        // A rollback forgets them, and they must not be found afterwards either.
        kept.borrow_mut().extend(in_custody(&lab));
        collect(&lab, &kept.borrow())
    };
    let mut patrol = Patrol::new(&lab, &collect);
    use_everything(&mut patrol);
    let search = patrol.end();
    let kinds: BTreeSet<&str> = search.canaries.iter().map(Canary::kind).collect();
    let expected = ["access_token", "account", "admin", "blinding_key", "client_secret", "identity", "person"];
    assert_eq!(kinds, BTreeSet::from(expected));
    let people = search.canaries.iter().filter(|canary| canary.kind() == "person").count();
    assert!(people >= 8, "{people}");
    for name in ["journal.sqlite", "plan.json", "sheet.html", "sheet.md"] {
        assert!(lab.path(name).exists() || lab.path(".flowswap").join(name).exists(), "there is no {name}");
    }
    let mut leaks = Vec::new();
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    // The person's requests at the console are not flowswap's.
    for exchange in lab.sim.traffic().iter().filter(|exchange| is_by_flowswap(&exchange.request_headers)) {
        for canary in search.find(read_request(exchange)) {
            if exchange.host != canary.owner {
                leaks.push(format!(
                    "{} of {} is in {}{}",
                    canary.what, canary.owner, exchange.host, exchange.path_and_query
                ));
            }
            seen.entry(canary.kind()).or_default().insert(exchange.host.clone());
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    // The search works: it found every kind that is sent, and the one terminal had the secret.
    for kind in ["access_token", "account", "admin", "client_secret"] {
        assert!(seen.contains_key(kind), "no {kind} was seen on its way: {seen:#?}");
    }
    assert!(!seen.contains_key("blinding_key") && !seen.contains_key("identity"), "{seen:#?}");
}

fn is_by_flowswap(headers: &[(String, String)]) -> bool {
    headers.iter().any(|(name, value)| name == "user-agent" && value.starts_with("flowswap"))
}

/// Migrates one tenant and rolls it back, and declines the other.
fn use_everything(patrol: &mut Patrol<'_>) {
    let lab = patrol.lab;
    let words = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
    let run = |patrol: &mut Patrol<'_>, line: &str, code: i32| {
        let words = words(line);
        patrol.run_in_both_forms(&words.iter().map(String::as_str).collect::<Vec<_>>(), code);
    };
    let tenants = lab.sim.tenants();
    run(patrol, "check", 0);
    run(patrol, "detect", 0);
    run(patrol, "plan -o plan.json", 0);
    run(patrol, "show plan.json", 0);
    run(patrol, "apply plan.json --yes", 4);
    for line in ["next", "status", "stuck", "sheet acme", "sheet acme --as markdown", "sheet acme --as html"] {
        run(patrol, line, 0);
    }
    run(patrol, "sheet acme --as markdown -o sheet.md", 0);
    run(patrol, "sheet acme --as html -o sheet.html", 0);
    run(patrol, "secret copy acme --print", 2);
    let printed = Terminal::start(patrol.command(&["secret", "copy", "acme", "--print"])).finish();
    let (_, secret) = service_client(lab, &tenants[0]);
    assert_eq!(printed.0, 0, "{}", printed.1);
    // The terminal shows the secret exactly once.
    assert_eq!(printed.1.matches(secret.as_str()).count(), 1, "the terminal did not get the secret once");
    let rest = printed.1.replace(secret.as_str(), "");
    patrol.search_after("the terminal, but for the secret", &Output { code: 0, stdout: rest, stderr: String::new() });
    run(patrol, "confirm acme --note early", 4);
    patrol.run(&["decline", "globex", "--reason", "not today"], 0);
    reconnect(lab, &tenants[0], &tenants[0].directory_id, &Form::right(lab, &tenants[0]));
    patrol.run(&["confirm", "acme"], 4);
    let_sync(lab, UNTIL_TOKENS_EXPIRED);
    let seen = patrol.run_anyhow(&["apply", "plan.json", "--yes"]);
    assert_eq!(lab.in_state("swapped"), ["acme"], "{}", seen.stdout);
    for line in
        ["evidence acme", "evidence globex", "history", "report", "report -o report.html", "audit verify --online"]
    {
        run(patrol, line, 0);
    }
    run(patrol, "rollback acme --yes", 4);
    run(patrol, "sheet acme", 0);
    reconnect(lab, &tenants[0], &tenants[0].directory_id, &Form::back(lab, &tenants[0]));
    let_sync(lab, UNTIL_TOKENS_EXPIRED);
    let back = patrol.run(&["confirm", "acme"], 0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"], "{}{}", back.stdout, back.stderr);
    patrol.run(&["watch", "acme"], 0);
    run(patrol, "rollback --all --yes", 0);
    run(patrol, "evidence acme", 0);
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
fn collect(lab: &Lab, kept: &BTreeMap<String, String>) -> Vec<Canary> {
    let tenants = lab.sim.tenants();
    let mut canaries = Vec::new();
    for tenant in &tenants {
        canaries.push(Canary::secret(format!("admin token of {}", tenant.name), &tenant.admin_token, &tenant.domain));
    }
    for (handle, secret) in kept {
        let (owner, name) = (handle.split('/').next().unwrap(), handle.rsplit('/').next().unwrap());
        let tenant = tenants.iter().find(|tenant| tenant.name == owner).unwrap();
        canaries.push(Canary::secret(format!("{name} of {owner}"), secret, &tenant.domain));
    }
    let account = fs::read_to_string(lab.path("cie.secret")).unwrap();
    canaries.push(Canary::secret("account secret".to_owned(), &account, CIE_AUTH_HOST));
    let identity = fs::read_to_string(lab.path(".flowswap/identity.txt")).unwrap();
    let key = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    canaries.push(Canary::secret("identity".to_owned(), key, "nobody"));
    let mut people = BTreeSet::new();
    for exchange in lab.sim.traffic() {
        let Ok(body) = serde_json::from_slice::<Value>(&exchange.response_body) else { continue };
        if let Some(token) = body["access_token"].as_str() {
            let owner = if exchange.host == CIE_AUTH_HOST { CIE_API_HOST } else { &exchange.host };
            canaries.push(Canary::secret(format!("access_token of {}", exchange.host), token, owner));
        }
        let of_people = ["/users", "/groups", "/cache-user", "/cache-group", "/api/v1/logs", "/grants"];
        if of_people.iter().any(|of| exchange.path_and_query.contains(of)) {
            gather_names(&body, &mut people);
        }
    }
    canaries.extend(people.iter().map(|name| Canary::name(name)));
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
            // As an actor or a target of the System Log.
            let is_user = members.get("type").is_some_and(|kind| kind == "User");
            let in_log =
                ["alternateId", "displayName"].iter().filter_map(|key| members.get(*key)?.as_str()).filter(|_| is_user);
            let by_user = members.get("user").and_then(|user| user["title"].as_str());
            names.extend(
                person.chain(in_log).chain(by_user).chain(group).filter(|name| !name.is_empty()).map(str::to_owned),
            );
            members.values().for_each(|member| gather_names(member, names));
        }
        _ => {}
    }
}
