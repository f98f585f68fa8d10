//! A server repeats secrets in every encoding, in this run and in later ones, and no output or file keeps them.

use std::fs;

use flowswap_sim::{Fault, FaultKind, GATEWAY_HOST, SimConfig};
use serde_json::{Value, json};

use super::{canary::collect, patrol::Patrol, search::encodings};
use crate::support::Lab;

#[test]
fn what_a_server_repeats_is_never_kept() {
    let lab = Lab::new(SimConfig::default().tenants(3).record(true));
    let [first, second, third] = [0, 1, 2].map(|at| lab.sim.tenants()[at].clone());
    let collect = || collect(&lab);
    let mut patrol = Patrol::new(&lab, &collect);
    for (tenant, plan) in [(&first, "first.json"), (&second, "second.json"), (&third, "third.json")] {
        patrol.run(&["plan", &tenant.name, "-o", plan], 0);
    }
    patrol.run(&["apply", "first.json", "--yes"], 0);
    patrol.run(&["apply", "third.json", "--yes"], 0);
    let [stored, of_third] = [&first, &third].map(|tenant| new_secret(&lab, &tenant.domain));

    // A text is gone with the first secret that is found in it, so here each text says only one, in one encoding: a stored secret,
    // or that of the other side.
    for at in 0..encodings(&stored).len() {
        let one = |secret: &str| encodings(secret).split_off(at).into_iter().take(1).collect::<Vec<_>>();
        let encoding = one(&stored)[0].0;
        let says = |name, secret| lab.sim.add_fault(at_directory(name, "GET", say("/sync/status", one(secret))));
        says(&first.directory_id, &stored);
        says(&third.directory_id, &third.admin_token);
        lab.sim.add_fault(at_apps(&first.domain, say("/*/label", one(lab.sim.gateway_token()))));
        lab.sim.add_fault(at_apps(&third.domain, say("/*/label", one(&of_third))));
        patrol.run_anyhow(&["plan", &first.name, &third.name, "-o", "again.json"]);
        let plan = fs::read_to_string(lab.path("again.json")).unwrap();
        let told = plan.matches("[redacted]").count();
        assert!(told >= 4, "{encoding}: only {told} texts were hidden in the plan: {plan}");
        lab.sim.clear_faults();
    }
    let secrets = [stored.as_str(), &first.admin_token, lab.sim.gateway_token()];

    // A later run, in which nothing has used the stored secret before the servers repeat it.
    echo(&lab, &first.directory_id, "GET", "/sync/status", &secrets);
    lab.sim.add_fault(at_apps(&first.domain, repeat("/*/label", &secrets)));
    for args in [
        &["check"][..],
        &["detect"],
        &["detect", "--format", "json"],
        &["plan", "-o", "again.json"],
        &["show", "again.json"],
        &["apply", "again.json", "--yes"],
        &["resume", "--yes"],
        &["status"],
        &["watch", &first.name],
        &["finalize", &first.name, "--yes"],
        &["rollback", &first.name, "--yes"],
        &["evidence", &first.name],
        &["history", "--format", "json"],
        &["stuck"],
        &["next"],
        &["audit", "verify", "--online"],
    ] {
        patrol.run_anyhow(args);
    }
    // The run in which the secret is made: the server repeats it while it tests the connection.
    lab.sim.clear_faults();
    echo(&lab, &second.directory_id, "POST", "/reason", &[&second.admin_token, lab.sim.gateway_token()]);
    let fail = FaultKind::Edit { pointer: "/result".to_owned(), value: Some(json!("failed")) };
    lab.sim.add_fault(at_directory(&second.directory_id, "POST", fail));
    patrol.run_anyhow(&["apply", "second.json", "--yes"]);
    patrol.run(&["status"], 0);
    patrol.run(&["evidence", &second.name], 0);

    let printed = patrol.printed.iter().filter(|(_, text)| text.contains("[redacted]")).count();
    assert!(printed >= 6, "the servers' words reached only {printed} outputs");
    for name in ["again.json", ".flowswap/journal.sqlite"] {
        let text = fs::read(lab.path(name)).unwrap();
        assert!(String::from_utf8_lossy(&text).contains("[redacted]"), "the servers' words are not in {name}");
    }
    let search = patrol.end();
    assert!(search.find(new_secret(&lab, &second.domain)).len() == 1, "the second secret was not searched for");
}

/// A hostile org chooses secrets that are words of flowswap's own records. Only its own tenant may suffer, and it can go back.
#[test]
fn a_secret_that_is_a_word_of_the_journal_damages_nothing() {
    for word in ["provision", "secret-stored"] {
        let lab = Lab::new(SimConfig::default().tenants(2));
        let hostile = lab.sim.tenants()[0].clone();
        lab.plan().expect(0);
        lab.sim.add_fault(Fault {
            host: hostile.domain.clone(),
            method: Some("POST".to_owned()),
            path: "/".to_owned(),
            query: String::new(),
            kind: FaultKind::Edit { pointer: "/clientSecret".to_owned(), value: Some(json!(word)) },
            times: 0,
            skip: 0,
        });
        let applied = lab.run(&["apply", "plan.json", "--yes"]);
        assert!(lab.sim.faults()[0].fired > 0, "{word}");
        assert_eq!(lab.in_state("swapped"), [lab.sim.tenants()[1].name.as_str()], "{word}: {}", applied.stderr);
        lab.sim.clear_faults();
        lab.run(&["rollback", &hostile.name, "--yes"]).expect(0);
        assert_eq!(lab.in_state("rolled-back"), [hostile.name.as_str()], "{word}");
        lab.audit(1);
    }
}

/// From now on, the directory repeats the secrets in this member of its answers.
fn echo(lab: &Lab, directory: &str, method: &str, pointer: &str, secrets: &[&str]) {
    lab.sim.add_fault(at_directory(directory, method, repeat(pointer, secrets)));
}

/// An answer that says every secret in every encoding.
fn repeat(pointer: &str, secrets: &[&str]) -> FaultKind {
    say(pointer, secrets.iter().flat_map(|secret| encodings(secret)).collect())
}

/// An answer that says this, each with the name of its encoding.
fn say(pointer: &str, echoes: Vec<(&str, String)>) -> FaultKind {
    let words: Vec<_> = echoes.into_iter().map(|(name, echo)| format!("{name}: {echo}")).collect();
    let value = json!(format!("synced; {}", words.join("; ")));
    FaultKind::Edit { pointer: pointer.to_owned(), value: Some(value) }
}

/// Of the list of the org's apps.
fn at_apps(domain: &str, kind: FaultKind) -> Fault {
    let (host, path) = (domain.to_owned(), "/api/v1/apps".to_owned());
    Fault { host, method: Some("GET".to_owned()), path, query: String::new(), kind, times: 0, skip: 0 }
}

fn at_directory(directory: &str, method: &str, kind: FaultKind) -> Fault {
    Fault {
        host: GATEWAY_HOST.to_owned(),
        method: Some(method.to_owned()),
        path: format!("/v1/directories/{directory}"),
        query: String::new(),
        kind,
        times: 0,
        skip: 0,
    }
}

/// The secret of the client that flowswap created in the org.
pub(super) fn new_secret(lab: &Lab, domain: &str) -> String {
    let created = lab.sim.traffic().into_iter().filter(|exchange| exchange.host == domain).find_map(|exchange| {
        let body: Value = serde_json::from_slice(&exchange.response_body).ok()?;
        body["clientSecret"].as_str().filter(|secret| !secret.contains('*')).map(str::to_owned)
    });
    created.expect("no client was created")
}
