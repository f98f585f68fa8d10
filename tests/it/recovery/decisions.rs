//! A person decides only what flowswap cannot find out itself. What the System Log shows needs no decision.

use flowswap_sim::{Fault, FaultKind, Mutation, Variant};

use crate::{
    faults::points::lose_the_creation,
    support::{Lab, Output},
};

const APPLY: &[&str] = &["apply", "plan.json", "--yes"];

/// Loses the answer to the creation of acme's client, and lets somebody else create another client of the same type at
/// the same time. Returns the id of the other client.
fn lose_it_beside_a_strangers(lab: &Lab) -> String {
    let tenant = &lab.sim.tenants()[0];
    let lost = lose_the_creation(tenant);
    // The two reads before the creation succeed. The read that should show whether the client was created fails.
    let (method, kind) = (Some("GET".to_owned()), FaultKind::Status { status: 400 });
    let blind = Fault { method, kind, skip: 2, ..lost.clone() };
    lab.sim.add_fault(lost);
    lab.sim.add_fault(blind);
    let stranger = Mutation::AddServiceClient { org: tenant.domain.clone(), variant: Variant::Plain };
    lab.run(APPLY).expect(3);
    assert!(lab.sim.faults().iter().all(|report| report.fired == 1), "{:?}", lab.sim.faults());
    lab.sim.mutate(stranger).unwrap().unwrap()
}

fn forbid_the_log(lab: &Lab) {
    let host = lab.sim.tenants()[0].domain.clone();
    let kind = FaultKind::Status { status: 403 };
    let (method, path) = (Some("GET".to_owned()), "/api/v1/logs".to_owned());
    lab.sim.add_fault(Fault { host, method, path, query: String::new(), kind, times: 1, skip: 0 });
}

pub(super) fn clients(lab: &Lab) -> Vec<String> {
    let org = lab.org(&lab.sim.tenants()[0]);
    org.service_clients.iter().map(|client| client.id.clone()).collect()
}

fn directory_client(lab: &Lab) -> String {
    lab.directory(&lab.sim.tenants()[0]).client_id
}

#[test]
fn the_system_log_distinguishes_our_client_from_another() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let stranger = lose_it_beside_a_strangers(&lab);
    assert_eq!(clients(&lab).len(), 2);
    lab.run(APPLY).expect(0);
    let ours = directory_client(&lab);
    assert_ne!(ours, stranger);
    assert_eq!(clients(&lab).len(), 2, "no client was created twice, and the other client is untouched");
    assert!(clients(&lab).contains(&stranger));
}

/// A lab whose tenant is stuck because flowswap cannot tell which client it created. Also the ids of that client and of the
/// stranger's.
pub(super) fn in_doubt() -> (Lab, String, String) {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let stranger = lose_it_beside_a_strangers(&lab);
    let ours = clients(&lab).into_iter().find(|id| *id != stranger).unwrap();
    forbid_the_log(&lab);
    lab.run(APPLY).expect(3);
    (lab, ours, stranger)
}

#[test]
fn without_the_log_a_person_decides_which_client_is_ours() {
    let (lab, ours, stranger) = in_doubt();
    assert_eq!(lab.in_state("stuck"), ["acme"]);
    insta::assert_snapshot!("stuck", masked(&lab, &lab.run(&["stuck"])));
    let report = lab.json(&["stuck"], 0);
    let case = &report["tenants"][0];
    assert_eq!((&case["step"], &case["in_doubt"]), (&"provision".into(), &true.into()));
    assert_eq!(case["request"]["outcome"]["type"], "lost");
    assert_eq!(case["next"], "flowswap apply plan.json");

    // An output is missing, or must not be passed.
    let resolve = |args: &[&str]| lab.run(&[&["resolve", "acme", "--yes", "--reason", "seen"], args].concat());
    let missing = resolve(&["--as", "applied"]).expect(2);
    assert!(
        missing.stderr.contains("step `provision` gives `client_id`, but its value is not known"),
        "{}",
        missing.stderr
    );
    let secret = resolve(&["--as", "applied", "--output", "client_secret=x"]).expect(2);
    assert!(secret.stderr.contains("do not pass secrets"), "{}", secret.stderr);
    let empty = lab.run(&["resolve", "acme", "--as", "applied", "--reason", " ", "--yes"]).expect(2);
    assert!(empty.stderr.contains("the reason is empty"), "{}", empty.stderr);
    assert_eq!(lab.in_state("stuck"), ["acme"]);

    let output = resolve(&["--as", "applied", "--output", &format!("client_id={ours}")]).expect(0);
    insta::assert_snapshot!("resolve", masked(&lab, &output));
    lab.run(APPLY).expect(0);
    assert_eq!(directory_client(&lab), ours);
    assert!(clients(&lab).contains(&stranger));
    assert!(lab.json(&["stuck"], 0)["tenants"].as_array().unwrap().is_empty());
}

#[test]
fn a_client_that_a_person_deleted_is_created_again() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lose_it_beside_a_strangers(&lab);
    forbid_the_log(&lab);
    lab.run(APPLY).expect(3);
    let org = lab.sim.tenants()[0].domain.clone();
    for client in clients(&lab) {
        lab.sim.mutate(Mutation::RevokeServiceClient { org: org.clone(), client }).unwrap();
    }
    let args = ["resolve", "acme", "--as", "not-applied", "--reason", "deleted both", "--yes"];
    let report = lab.json(&args, 0);
    assert_eq!((&report["resolved"], &report["step"]), (&"not-applied".into(), &"provision".into()));
    lab.run(APPLY).expect(0);
    assert_eq!(clients(&lab), [directory_client(&lab)]);
}

#[test]
fn only_a_stuck_tenant_can_be_resolved() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    let resolve = |tenant: &str| lab.run(&["resolve", tenant, "--as", "applied", "--reason", "x", "--yes"]).expect(2);
    assert!(resolve("acme").stderr.contains("the tenant is planned; only a stuck tenant needs a decision"));
    assert!(resolve("nobody").stderr.contains("there is no tenant `nobody`"));
    let none = lab.run(&["stuck"]).expect(0);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "no tenant is stuck\n"));
}

/// Replaces what differs from run to run.
fn masked(lab: &Lab, output: &Output) -> String {
    let mut text = output.show();
    // The reason why a connection ended varies, and so does the time since then.
    let cut = |line: &str| {
        let cuts = [("got no answer: ", "…"), (" has been stuck at `provision` for ", "AGE")];
        let cut = cuts.into_iter().find_map(|(words, mask)| Some((line.split_once(words)?.0, words, mask)));
        cut.map_or_else(|| format!("{line}\n"), |(said, words, mask)| format!("{said}{words}{mask}\n"))
    };
    text = text.lines().map(cut).collect();
    for (index, id) in clients(lab).iter().enumerate() {
        text = text.replace(id, &format!("0oaCLIENT{}", index + 1));
    }
    // A local time has its distance from now in brackets.
    while let Some(at) = text.find("+00:00 (") {
        let end = at + text[at..].find(')').unwrap() + 1;
        text.replace_range(at - "2026-01-01 00:00:00".len()..end, "TIME");
    }
    let time = |text: &str| text.len() >= 20 && text.as_bytes()[4] == b'-' && text.ends_with('Z');
    let words = text.split_inclusive([' ', '\n']).map(|word| {
        let bare = word.trim_end_matches([' ', '\n', ',', ':', ';']);
        match bare {
            _ if time(bare) => word.replace(bare, "TIME"),
            _ if bare.starts_with("req") && bare.len() == 20 => word.replace(bare, "reqID"),
            _ => word.to_owned(),
        }
    });
    words.collect()
}
