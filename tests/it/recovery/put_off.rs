//! A removal that Okta postpones (429), or that is slow. Meanwhile a person connects the directory with the client to
//! be removed. flowswap checks again before each try, and the client stays.

use std::thread;

use flowswap_sim::{Fault, FaultKind, Mutation};

use crate::support::{Background, Lab};

#[derive(Clone)]
struct PutOff {
    /// The command that removes a client.
    command: &'static [&'static str],
    method: &'static str,
    path: &'static str,
    /// How many such requests precede it.
    skip: u32,
    /// The fault that delays it.
    kind: FaultKind,
}

/// The rate limit is over at the second try, so flowswap would remove the client if it did not check again. The wait is
/// long enough for a reconnect.
#[test]
fn a_client_that_comes_into_use_while_its_removal_waits_is_not_removed() {
    let retire = PutOff {
        command: &["finalize", "acme", "--yes"],
        method: "POST",
        path: "/api/v1/apps",
        skip: 0,
        kind: FaultKind::TooManyRequests { reset_seconds: 20 },
    };
    // The app is read just before it is deactivated, after its grants and users; this read must neither wait nor take long.
    let read = PutOff { method: "GET", path: "/api/v1/apps/", skip: 2, ..retire.clone() };
    let read_slowly = PutOff { kind: FaultKind::Delay { milliseconds: 20_000 }, ..read.clone() };
    let purge = PutOff { command: &["finalize", "acme", "--purge", "--yes"], method: "DELETE", ..retire.clone() };
    let roll_back = PutOff {
        command: &["rollback", "acme", "--yes"],
        method: "DELETE",
        path: "/integrations/api/v1/api-services",
        ..retire.clone()
    };
    thread::scope(|scope| {
        for case in [&roll_back, &retire, &read, &read_slowly, &purge] {
            scope.spawn(|| play(case));
        }
    });
}

fn play(case: &PutOff) {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    let tenant = lab.sim.tenants()[0].clone();
    let directory = tenant.directory_id.clone();
    let is_back = case.command.contains(&"rollback");
    if !is_back {
        lab.sim.mutate(Mutation::Sync { directory: directory.clone() }).unwrap();
    }
    if case.command.contains(&"--purge") {
        lab.run(&["finalize", "acme", "--yes"]).expect(0);
    }
    let before = lab.org(&tenant);
    lab.sim.add_fault(Fault {
        host: tenant.domain.clone(),
        method: Some(case.method.to_owned()),
        path: case.path.to_owned(),
        query: String::new(),
        kind: case.kind.clone(),
        times: 1,
        skip: case.skip,
    });
    let mut running = Background::start(lab.dir(), case.command);
    running.await_faults(&lab);
    let (flow, client_id, seen) = if is_back {
        ("client_credentials", &before.service_clients[0].id, "the directory uses the new client")
    } else {
        ("authorization_code", &before.legacy[0].client_id, "the directory does not use the new client")
    };
    let (flow, client_id) = (flow.to_owned(), client_id.clone());
    lab.sim.mutate(Mutation::SetConnection { directory, flow, client_id }).unwrap();
    let output = running.finish().expect(3);
    assert_eq!(lab.sim.faults()[0].fired, 1, "{}", output.show());
    assert!(output.stdout.contains(seen), "{}", output.show());
    assert_eq!(lab.in_state("stuck"), ["acme"], "{}", output.show());
    let after = lab.org(&tenant);
    assert_eq!((after.service_clients, after.legacy), (before.service_clients, before.legacy), "{}", output.show());
}

/// Okta's rate limit ends after a while, and the same command completes the removal.
#[test]
fn a_postponed_removal_is_completed_later() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    let tenant = lab.sim.tenants()[0].clone();
    lab.sim.mutate(Mutation::Sync { directory: tenant.directory_id.clone() }).unwrap();
    for (method, args) in
        [("POST", &["finalize", "acme", "--yes"][..]), ("DELETE", &["finalize", "acme", "--purge", "--yes"])]
    {
        lab.sim.add_fault(Fault {
            host: tenant.domain.clone(),
            method: Some(method.to_owned()),
            path: "/api/v1/apps".to_owned(),
            query: String::new(),
            kind: FaultKind::TooManyRequests { reset_seconds: 1 },
            times: 1,
            skip: 0,
        });
        lab.run(args).expect(0);
    }
    assert!(lab.sim.faults().iter().all(|report| report.fired == 1), "{:?}", lab.sim.faults());
    assert_eq!(lab.in_state("finalized"), ["acme"]);
}
