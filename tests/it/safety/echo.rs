//! A server repeats secrets in every encoding, in this run and in later ones, and no output or file keeps them.

use std::fs;

use flowswap_sim::{Fault, FaultKind, GATEWAY_HOST, SimConfig};
use serde_json::{Value, json};

use super::{canary::collect, patrol::Patrol, search::encodings};
use crate::support::Lab;

#[test]
fn what_a_server_repeats_is_never_kept() {
    let lab = Lab::new(SimConfig::default().tenants(2).record(true));
    let [first, second] = [0, 1].map(|at| lab.sim.tenants()[at].clone());
    let collect = || collect(&lab);
    let mut patrol = Patrol::new(&lab, &collect);
    for (tenant, plan) in [(&first, "first.json"), (&second, "second.json")] {
        patrol.run(&["plan", &tenant.name, "-o", plan], 0);
    }
    patrol.run(&["apply", "first.json", "--yes"], 0);
    let stored = new_secret(&lab, &first.domain);
    let secrets = [stored.as_str(), &first.admin_token, lab.sim.gateway_token()];

    // A later run, in which nothing has used the stored secret before the servers repeat it.
    echo(&lab, &first.directory_id, "GET", "/sync/status", &secrets);
    echo_at(&lab, &first.domain, "/api/v1/apps", "/*/label", &secrets);
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

/// From now on, the org repeats the secrets in this member of its answers at this path.
fn echo_at(lab: &Lab, domain: &str, path: &str, pointer: &str, secrets: &[&str]) {
    let (host, path) = (domain.to_owned(), path.to_owned());
    let kind = repeat(pointer, secrets);
    let method = Some("GET".to_owned());
    lab.sim.add_fault(Fault { host, method, path, query: String::new(), kind, times: 0, skip: 0 });
}

/// An answer that says every secret in every encoding.
fn repeat(pointer: &str, secrets: &[&str]) -> FaultKind {
    let words = secrets.iter().flat_map(|secret| encodings(secret)).map(|(name, echo)| format!("{name}: {echo}"));
    let value = json!(format!("synced; {}", words.collect::<Vec<_>>().join("; ")));
    FaultKind::Edit { pointer: pointer.to_owned(), value: Some(value) }
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
