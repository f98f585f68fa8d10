//! A server repeats secrets in every encoding, in this run and in later ones, and no output or file keeps them.

use std::fs;

use flowswap_sim::{Fault, FaultKind, GATEWAY_HOST, Interface, SYNC_EVERY, SimConfig};
use serde_json::{Value, json};

use super::{canary::collect, patrol::Patrol, search::encodings};
use crate::support::{
    Lab, command,
    disk::{self, DiskFault, Watch},
    finish, folder, print,
};

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

/// A hostile org chooses secrets that are words of flowswap's own records and messages. They are not taken, and the step makes
/// another secret.
#[test]
fn a_secret_that_is_a_word_of_the_journal_damages_nothing() {
    for word in ["provision", "secret-stored", "not-applied", "inconclusive", "client-credentials"] {
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
        let applied = lab.run(&["apply", "plan.json", "--yes", "-v"]);
        assert!(lab.sim.faults()[0].fired > 0, "{word}");
        assert!(applied.stderr.contains("where a new secret belongs"), "{word}: {}", applied.stderr);
        assert_eq!(lab.in_state("swapped").len(), 2, "{word}: {}", applied.stderr);
        lab.sim.clear_faults();
        lab.run(&["rollback", &hostile.name, "--yes"]).expect(4);
        lab.outlive_tokens();
        lab.run(&["rollback", &hostile.name, "--yes"]).expect(0);
        assert_eq!(lab.in_state("rolled-back"), [hostile.name.as_str()], "{word}");
        lab.audit(1);
    }
}

/// A run may talk to one side only. The credential of the other side stays out of it all the same.
#[test]
fn a_side_that_was_not_asked_has_its_secret_all_the_same() {
    let lab = Lab::new(SimConfig::default().tenants(3));
    let tenants = lab.sim.tenants();
    let names: Vec<_> = tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    lab.run(&["plan", names[0], names[1], "-o", "plan.json"]).expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    // The answer to the first change in the third org is lost, so that a later run begins by asking that org.
    lab.run(&["plan", names[2], "-o", "third.json"]).expect(0);
    let lost = FaultKind::DropAfterCommit;
    lab.sim.add_fault(at(&tenants[2].domain, "POST", "/integrations/api/v1/", lost));
    let _stuck = lab.run(&["apply", "third.json", "--yes"]);
    lab.sim.clear_faults();

    let gateway = lab.sim.gateway_token().to_owned();
    let directory = format!("/v1/directories/{}", tenants[0].directory_id);
    for (host, path, secret, args) in [
        (GATEWAY_HOST, &*directory, &tenants[0].admin_token, &["rollback", names[0], "--yes"][..]),
        (&tenants[1].domain, "/", &gateway, &["audit", "verify", "--online"]),
        (&tenants[1].domain, "/", &gateway, &["finalize", names[1], "--yes"]),
        (&tenants[2].domain, "/", &gateway, &["apply", "third.json", "--yes"]),
        (&tenants[2].domain, "/", &gateway, &["rollback", names[2], "--yes"]),
    ] {
        lab.sim.add_fault(at(host, "", path, refuse(secret)));
        let output = lab.run(args).show();
        assert!(lab.sim.faults()[0].fired > 0, "{args:?}: nobody asked {host}");
        lab.sim.clear_faults();
        assert!(output.contains("[redacted]") && !output.contains(secret), "{args:?}: {output}");
        let history = lab.run(&["history", "--format", "json"]).expect(0).stdout;
        assert!(!history.contains(secret), "{args:?}: {history}");
        for name in ["journal.sqlite", "journal.sqlite-wal", "journal.snapshot"] {
            let bytes = fs::read(lab.path(".flowswap").join(name)).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&bytes).contains(secret), "{args:?}: {name}");
        }
    }
}

/// The secret is in the clipboard when the person replies to the run sheet.
#[test]
fn a_secret_that_a_person_pastes_into_a_reply_is_not_recorded() {
    let config = SimConfig::default().tenants(1).interface(Interface::CieGuided).record(true);
    let lab = Lab::new(config.scheduled_sync(SYNC_EVERY));
    let tenant = lab.sim.tenants()[0].clone();
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    let secret = new_secret(&lab, &tenant.domain);
    let pasted = format!("pasted {secret} there");
    for reply in [["decline", &tenant.name, "--reason", &pasted], ["confirm", &tenant.name, "--note", &pasted]] {
        let refused = lab.run(&reply).expect(2);
        assert!(refused.stderr.contains("/provision/client_secret` in it"), "{}", refused.stderr);
        assert!(!refused.show().contains(&secret), "{}", refused.show());
    }
    assert!(!lab.run(&["history", "--format", "json"]).expect(0).stdout.contains(&secret));
    lab.run(&["decline", &tenant.name, "--reason", "pasted it there"]).expect(0);
}

/// flowswap is killed after a secret was stored, and before the journal says so. No request was made with it yet, but the server
/// knows it.
#[test]
fn a_secret_that_the_journal_does_not_know_is_hidden_all_the_same() {
    if let Some(why) = disk::missing() {
        return print(why);
    }
    let run = |lab: &Lab, strike: Option<&DiskFault>| {
        let other = folder();
        let mut command = command(lab.dir(), &["apply", "plan.json", "--yes"]);
        let watch = Watch::over(&mut command, lab.dir(), other.path(), strike);
        let _cut_off = finish(command);
        (watch.points(), watch.struck())
    };
    let planned = || {
        let lab = Lab::new(SimConfig::default().tenants(1).record(true));
        lab.plan().expect(0);
        lab
    };
    let (points, _) = run(&planned(), None);
    let stored = points.into_iter().rfind(|point| point.path.contains("secrets")).unwrap();
    let lab = planned();
    assert_eq!(run(&lab, Some(&DiskFault::new("kill-after", stored))).1, 1);
    let tenant = lab.sim.tenants()[0].clone();
    let secret = new_secret(&lab, &tenant.domain);
    lab.sim.add_fault(at(&tenant.domain, "", "/", refuse(&secret)));
    for args in [&["apply", "plan.json", "--yes"][..], &["status"], &["rollback", &tenant.name, "--yes"], &["detect"]] {
        let output = lab.run(args).show();
        assert!(output.contains("[redacted]") && !output.contains(&secret), "{args:?}: {output}");
    }
    assert!(!lab.run(&["history", "--format", "json"]).expect(0).stdout.contains(&secret));
    lab.sim.clear_faults();
    lab.run(&["rollback", &tenant.name, "--yes"]).expect(0);
    lab.audit(0);
}

/// One answer that the host can read and the plugin cannot.
#[test]
fn a_deeply_nested_answer_is_refused_at_once() {
    let lab = Lab::with_tenants(2);
    let tenant = lab.sim.tenants()[0].clone();
    let body = "[".repeat(127) + &"]".repeat(127);
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let kind = FaultKind::Script { status: 200, headers, body, after_commit: false, milliseconds: 0 };
    lab.sim.add_fault(at(&tenant.domain, "GET", "/api/v1/apps", kind));
    let output = lab.run(&["detect"]).expect(4);
    assert!(output.stdout.contains("it has more than 64 levels of nested JSON"), "{}", output.show());
    assert!(output.stdout.contains("1 ready"), "{}", output.show());
}

/// A refusal in the words of either side, with a secret in it.
fn refuse(secret: &str) -> FaultKind {
    let why = format!("not allowed for {secret}");
    let body = json!({
        "errorCode": "E0000006", "errorSummary": why, "errorLink": "x", "errorId": "oae1", "errorCauses": [],
        "error": { "code": "forbidden", "message": why },
    });
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    FaultKind::Script { status: 403, headers, body: body.to_string(), after_commit: false, milliseconds: 0 }
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
    at(domain, "GET", "/api/v1/apps", kind)
}

fn at_directory(directory: &str, method: &str, kind: FaultKind) -> Fault {
    at(GATEWAY_HOST, method, &format!("/v1/directories/{directory}"), kind)
}

/// Without a method, whatever it is.
fn at(host: &str, method: &str, path: &str, kind: FaultKind) -> Fault {
    let method = Some(method).filter(|method| !method.is_empty()).map(str::to_owned);
    Fault { host: host.to_owned(), method, path: path.to_owned(), query: String::new(), kind, times: 0, skip: 0 }
}

/// The secret of the client that flowswap created in the org.
pub(super) fn new_secret(lab: &Lab, domain: &str) -> String {
    let created = lab.sim.traffic().into_iter().filter(|exchange| exchange.host == domain).find_map(|exchange| {
        let body: Value = serde_json::from_slice(&exchange.response_body).ok()?;
        body["clientSecret"].as_str().filter(|secret| !secret.contains('*')).map(str::to_owned)
    });
    created.expect("no client was created")
}
