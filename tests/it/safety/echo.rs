//! A server repeats secrets in every encoding, in this run and in later ones, and no output or file keeps them.

use std::collections::BTreeSet;

use flowswap_sim::{Fault, FaultKind, GATEWAY_HOST, SimConfig};
use serde_json::{Value, json};

use super::canary::{base64, files_of_the_client};
use crate::support::{Lab, Output};

#[test]
fn what_a_server_repeats_is_never_kept() {
    let lab = Lab::new(SimConfig::default().tenants(2).record(true));
    let [first, second] = [0, 1].map(|at| lab.sim.tenants()[at].clone());
    let mut outputs = Vec::new();
    let mut run = |args: &[&str]| {
        let Output { stdout, stderr, code, .. } = lab.run(&[args, &["-vv"]].concat());
        outputs.push((format!("{args:?} ({code})"), format!("{stdout}\n{stderr}")));
        code
    };
    for (tenant, plan) in [(&first, "first.json"), (&second, "second.json")] {
        assert_eq!(run(&["plan", &tenant.name, "-o", plan]), 0);
    }
    assert_eq!(run(&["apply", "first.json", "--yes"]), 0);
    let stored = new_secret(&lab, &first.domain);
    let secrets = [stored.as_str(), &first.admin_token, lab.sim.gateway_token()];

    // A later run, in which nothing has used the stored secret before the server repeats it.
    echo(&lab, &first.directory_id, "GET", "/sync/status", &secrets);
    for args in [
        &["check"][..],
        &["detect"],
        &["detect", "--format", "json"],
        &["plan", "-o", "again.json"],
        &["status"],
        &["finalize", &first.name, "--yes"],
        &["rollback", &first.name, "--yes"],
        &["evidence", &first.name],
        &["history", "--format", "json"],
        &["stuck"],
        &["audit", "verify", "--online"],
    ] {
        run(args);
    }
    // The run in which the secret is made: the server repeats it while it tests the connection.
    lab.sim.clear_faults();
    echo(&lab, &second.directory_id, "POST", "/reason", &[&second.admin_token, lab.sim.gateway_token()]);
    let fail = FaultKind::Edit { pointer: "/result".to_owned(), value: Some(json!("failed")) };
    lab.sim.add_fault(at_directory(&second.directory_id, "POST", fail));
    run(&["apply", "second.json", "--yes"]);
    run(&["status"]);
    run(&["evidence", &second.name]);

    let mut places = outputs;
    places.extend(files_of_the_client(lab.dir()));
    let told = places.iter().filter(|(_, text)| text.contains("[redacted]")).count();
    assert!(told >= 6, "the server's words reached only {told} places");
    let fresh = new_secret(&lab, &second.domain);
    let mut leaks = BTreeSet::new();
    for secret in [stored.as_str(), &fresh, &first.admin_token, &second.admin_token, lab.sim.gateway_token()] {
        for (encoding, echo) in encodings(secret) {
            let needle = middle(&echo);
            for (place, _) in places.iter().filter(|(_, text)| text.to_ascii_lowercase().contains(&needle)) {
                leaks.insert(format!("{encoding} in {place}"));
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
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

/// The part of an encoded secret that nothing around it changes, in lower case.
fn middle(echo: &str) -> String {
    let third = echo.len() / 3;
    echo[third..2 * third].to_ascii_lowercase()
}

/// From now on, the directory repeats the secrets in this member of its answers.
fn echo(lab: &Lab, directory: &str, method: &str, pointer: &str, secrets: &[&str]) {
    let words = secrets.iter().flat_map(|secret| encodings(secret)).map(|(name, echo)| format!("{name}: {echo}"));
    let value = json!(format!("synced; {}", words.collect::<Vec<_>>().join("; ")));
    let kind = FaultKind::Edit { pointer: pointer.to_owned(), value: Some(value) };
    lab.sim.add_fault(at_directory(directory, method, kind));
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

/// The secret in twenty encodings.
fn encodings(secret: &str) -> Vec<(&'static str, String)> {
    let bytes = |before: &str, between: &str| {
        secret.bytes().map(|byte| format!("{before}{byte:02x}")).collect::<Vec<_>>().join(between)
    };
    let chars = |write: fn(u32) -> String| secret.chars().map(|c| write(c.into())).collect::<String>();
    let percent = |escape: &str| {
        let one =
            |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("{escape}{:02X}", u32::from(c)) };
        secret.chars().map(one).collect::<String>()
    };
    vec![
        ("as it is", secret.to_owned()),
        ("upper case", secret.to_ascii_uppercase()),
        ("percent", percent("%")),
        ("percent, twice", percent("%25")),
        ("percent, every byte", bytes("%", "")),
        ("hexadecimal", bytes("", "")),
        ("hexadecimal in upper case", bytes("", "").to_ascii_uppercase()),
        ("hexadecimal with colons", bytes("", ":")),
        ("hexadecimal with spaces", bytes("", " ")),
        ("escaped bytes", bytes("\\x", "")),
        ("base64", base64(secret.as_bytes())),
        ("base64 after one byte", base64(format!("a{secret}").as_bytes())),
        ("base64 after two bytes", base64(format!("ab{secret}").as_bytes())),
        ("base64 of a pair", base64(format!("client:{secret}").as_bytes())),
        ("base64url", base64(secret.as_bytes()).replace('+', "-").replace('/', "_")),
        ("JSON in JSON", format!("{{\"secret\":{}}}", json!(secret))),
        ("JSON, every character", chars(|c| format!("\\u{c:04x}"))),
        ("HTML, decimal", chars(|c| format!("&#{c};"))),
        ("HTML, hexadecimal", chars(|c| format!("&#x{c:x};"))),
        ("backwards", secret.chars().rev().collect()),
    ]
}
