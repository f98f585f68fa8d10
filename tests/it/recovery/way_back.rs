//! A stuck rollback: no decision deletes the client in use, and the rollback can be abandoned.

use std::time::Duration;

use flowswap_sim::{Fault, FaultKind};

use crate::support::Lab;

const ELEVEN_DAYS: Duration = Duration::from_secs(264 * 60 * 60);

/// A swapped tenant whose directory no longer accepts the previous connection.
pub(super) fn stuck() -> Lab {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.sim.clock().advance(ELEVEN_DAYS);
    let output = lab.run(&["rollback", "acme", "--yes"]).expect(3);
    assert!(output.stdout.contains("409"), "{}", output.stdout);
    lab
}

/// The client that the directory uses. Asserts that it exists.
#[track_caller]
fn client_in_use(lab: &Lab) -> String {
    let tenant = &lab.sim.tenants()[0];
    let connected = lab.directory(tenant).client_id;
    let clients: Vec<_> = lab.org(tenant).service_clients.iter().map(|client| client.id.clone()).collect();
    assert!(clients.contains(&connected), "the directory uses client {connected}, but the clients are {clients:?}");
    connected
}

const NOT_APPLIED: &[&str] = &["resolve", "acme", "--as", "not-applied", "--reason", "I believe so", "--yes"];

#[test]
fn a_wrong_decision_is_refused_with_what_flowswap_saw() {
    let lab = stuck();
    let client = client_in_use(&lab);
    let refused = lab.run(NOT_APPLIED).expect(6);
    let seen = format!(
        "you say that step `swap` is not-applied, but flowswap just saw it in place: the directory uses the flow \
         client-credentials and the client {client}"
    );
    assert!(refused.stderr.contains(&seen), "{}", refused.stderr);
    lab.run(&["rollback", "acme", "--yes"]).expect(3);
    assert_eq!((lab.in_state("stuck"), client_in_use(&lab)), (vec!["acme".to_owned()], client));
}

#[test]
fn a_rollback_that_is_repeated_leaves_out_what_is_done() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    let both = lab.run(&["rollback", "acme", "globex", "--yes"]).expect(0);
    assert!(both.stderr.starts_with("acme: already rolled back\nflowswap will roll globex back:"), "{}", both.stderr);
    assert_eq!(lab.in_state("rolled-back"), ["acme", "globex"]);
    let history = lab.run(&["history"]).expect(0).stdout;
    let events: Vec<&str> = history.lines().filter(|line| line.starts_with("  ")).collect();
    let width = events.iter().map(|line| line.find(')').unwrap()).max().unwrap() + 1;
    for line in events {
        let (time, told) = line.split_at(width);
        assert!(time.trim_end().ends_with(')') && told.starts_with("  ") && !told.starts_with("   "), "{line}");
    }
    let again = lab.run(&["rollback", "acme", "globex", "--yes"]).expect(0);
    assert!(
        again.stderr.ends_with("2 tenants (acme, globex): already rolled back\nthere is nothing left to roll back\n"),
        "{}",
        again.stderr
    );
}

/// If flowswap cannot check a decision, the decision is accepted. Before flowswap deletes a client, it checks again.
#[test]
fn no_decision_deletes_a_client_in_use() {
    let lab = stuck();
    let client = client_in_use(&lab);
    let host = lab.sim.gateway_host().to_owned();
    let kind = FaultKind::Status { status: 400 };
    lab.sim.add_fault(Fault {
        host,
        method: Some("GET".to_owned()),
        path: "/".to_owned(),
        query: String::new(),
        kind,
        times: 1,
        skip: 0,
    });
    lab.run(NOT_APPLIED).expect(0);
    assert!(lab.sim.faults().iter().all(|report| report.fired == 1), "{:?}", lab.sim.faults());
    for _ in 0..2 {
        let output = lab.run(&["rollback", "acme", "--yes"]).expect(3);
        let reason = format!(
            "step `provision` was not rolled back, and nothing was removed: the directory uses the new client (the \
             directory uses the flow client-credentials and the client {client})"
        );
        assert!(output.stdout.contains(&reason), "{}", output.stdout);
        assert_eq!((lab.in_state("stuck"), client_in_use(&lab)), (vec!["acme".to_owned()], client.clone()));
    }
    // As far as flowswap knows, the directory was reconnected, so it must be confirmed again.
    lab.run(&["rollback", "acme", "--abandon", "--reason", "it works", "--yes"]).expect(0);
    assert_eq!(lab.in_state("soaking"), ["acme"]);
}

#[test]
fn a_stuck_rollback_can_be_abandoned_while_the_directory_uses_the_new_client() {
    let lab = stuck();
    client_in_use(&lab);
    let abandon = ["rollback", "acme", "--abandon", "--reason", "restore answers 409", "--yes"];
    let way_out = "flowswap rollback acme --abandon --reason \"…\"";
    assert_eq!(lab.json(&["stuck"], 0)["tenants"][0]["way_out"], way_out);
    assert_eq!(lab.json(&["status"], 0)["tenants"][0]["way_out"], way_out);
    for (args, words) in [
        (&["rollback", "acme", "--abandon", "--yes"][..], "--reason"),
        (&["rollback", "--all", "--abandon", "--reason", "x", "--yes"], "cannot be used with"),
        (&["rollback", "acme", "--abandon", "--reason", " ", "--yes"], "the reason is empty"),
        (&["rollback", "acme", "--abandon", "--reason", "x"], "--yes"),
    ] {
        let refused = lab.run(args).expect(2);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    let report = lab.json(&abandon, 0);
    let row = &report["tenants"][0];
    assert_eq!((&row["state"], &row["next"]), (&"swapped".into(), &"flowswap finalize acme".into()));
    assert!(row["seen"].as_str().unwrap().contains("the flow client-credentials"), "{row}");
    let again = lab.run(&abandon).expect(2);
    assert!(again.stderr.contains("the tenant is swapped; only an unfinished rollback"), "{}", again.stderr);
    let evidence = lab.run(&["evidence", "acme"]).expect(0);
    assert!(evidence.stdout.contains("(“restore answers 409”)"), "{}", evidence.stdout);
    lab.run(&["audit", "verify", "--online"]).expect(0);
    // Another rollback can start. It gets stuck again and can be abandoned again.
    lab.run(&["rollback", "acme", "--yes"]).expect(3);
    lab.run(&abandon).expect(0);
    client_in_use(&lab);
}

#[test]
fn a_rollback_cannot_be_abandoned_once_the_directory_is_back() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    let tenant = lab.sim.tenants()[0].clone();
    let (host, method) = (tenant.domain.clone(), Some("DELETE".to_owned()));
    let kind = FaultKind::Status { status: 400 };
    lab.sim.add_fault(Fault { host, method, path: "/".to_owned(), query: String::new(), kind, times: 1, skip: 0 });
    lab.run(&["rollback", "acme", "--yes"]).expect(3);
    let refused = lab.run(&["rollback", "acme", "--abandon", "--reason", "x", "--yes"]).expect(6);
    let words = "step `swap` is not in place, so the tenant cannot stay migrated: the directory uses the flow";
    assert!(refused.stderr.contains(words), "{}", refused.stderr);
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"]);
}
