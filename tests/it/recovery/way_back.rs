//! A way back that is stuck: no word gets the client in use deleted, and there is a way out.

use std::time::Duration;

use flowswap_sim::{Fault, FaultKind};

use crate::support::Lab;

const ELEVEN_DAYS: Duration = Duration::from_secs(264 * 60 * 60);

/// One tenant that was swapped, whose directory does not take the previous connection back any more.
fn stuck() -> Lab {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.sim.clock().advance(ELEVEN_DAYS);
    let output = lab.run(&["rollback", "acme", "--yes"]).expect(3);
    assert!(output.stdout.contains("409"), "{}", output.stdout);
    lab
}

/// The client as which the directory is connected, which must be one that is there.
#[track_caller]
fn client_in_use(lab: &Lab) -> String {
    let tenant = &lab.sim.tenants()[0];
    let connected = lab.directory(tenant).client_id;
    let clients: Vec<_> = lab.org(tenant).service_clients.iter().map(|client| client.id.clone()).collect();
    assert!(clients.contains(&connected), "the directory is connected as {connected}, and there are {clients:?}");
    connected
}

const NOT_APPLIED: &[&str] = &["resolve", "acme", "--as", "not-applied", "--reason", "I believe so", "--yes"];

#[test]
fn a_word_that_is_wrong_is_refused_with_what_is_seen() {
    let lab = stuck();
    let client = client_in_use(&lab);
    let refused = lab.run(NOT_APPLIED).expect(6);
    let seen = format!(
        "step `swap` is said to be not-applied, and it was just seen to be in place: the directory is connected by \
         client-credentials as client {client}"
    );
    assert!(refused.stderr.contains(&seen), "{}", refused.stderr);
    lab.run(&["rollback", "acme", "--yes"]).expect(3);
    assert_eq!((lab.in_state("stuck"), client_in_use(&lab)), (vec!["acme".to_owned()], client));
}

/// Where the look fails the word stands; what would be deleted on it is looked at once more.
#[test]
fn no_word_gets_a_client_in_use_deleted() {
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
            "step `provision` was not taken back, and nothing was removed: the directory is connected as the new client (the \
             directory is connected by client-credentials as client {client})"
        );
        assert!(output.stdout.contains(&reason), "{}", output.stdout);
        assert_eq!((lab.in_state("stuck"), client_in_use(&lab)), (vec!["acme".to_owned()], client.clone()));
    }
    // Connected anew, as far as is known, so what was confirmed before is confirmed again.
    lab.run(&["rollback", "acme", "--abandon", "--reason", "it works", "--yes"]).expect(0);
    assert_eq!(lab.in_state("soaking"), ["acme"]);
}

#[test]
fn a_way_back_that_is_stuck_ends_where_the_directory_is_on_the_new_client() {
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
    assert!(row["seen"].as_str().unwrap().contains("connected by client-credentials"), "{row}");
    let again = lab.run(&abandon).expect(2);
    assert!(again.stderr.contains("the tenant is swapped, and only a way back"), "{}", again.stderr);
    let evidence = lab.run(&["evidence", "acme"]).expect(0);
    assert!(evidence.stdout.contains("(“restore answers 409”)"), "{}", evidence.stdout);
    lab.run(&["audit", "verify", "--online"]).expect(0);
    // Another way back is begun, and stuck again; and the way on is open.
    lab.run(&["rollback", "acme", "--yes"]).expect(3);
    lab.run(&abandon).expect(0);
    client_in_use(&lab);
}

#[test]
fn a_way_back_is_not_abandoned_once_the_directory_is_back() {
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
    let words =
        "step `swap` is seen not to be in place, so the tenant cannot stay migrated: the directory is connected by";
    assert!(refused.stderr.contains(words), "{}", refused.stderr);
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"]);
}
