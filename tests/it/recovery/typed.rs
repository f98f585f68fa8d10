//! Runs the commands that the README and `recovery.md` show for failures, after such failures.

use flowswap_sim::Mutation;

use super::{
    decisions::{clients, in_doubt},
    resume::{cut_off, slow_lab},
    way_back,
};
use crate::{
    documents::{documented, words},
    support::{Lab, Output},
};

const APPLY: &[&str] = &["apply", "plan.json", "--yes"];

/// Runs a line. Adds `--yes` to the commands that ask for confirmation.
#[track_caller]
fn run(lab: &Lab, line: &str, code: i32) -> Output {
    let mut words = words(line);
    if ["resume", "resolve", "rollback"].contains(&words[1].as_str()) {
        words.push("--yes".to_owned());
    }
    let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    lab.run(&args).expect(code)
}

#[test]
fn the_documented_commands_after_an_interruption() {
    let lab = slow_lab();
    lab.plan().expect(0);
    cut_off(&lab, APPLY, "acme: provision done");
    let session = documented("interrupted");
    for line in ["flowswap resume", "flowswap status", "flowswap stuck", "flowswap audit verify --online"] {
        session.typed(line, &run(&lab, line, 0));
    }
    assert_eq!(lab.in_state("swapped").len(), 3);
}

#[test]
fn the_documented_decisions_about_a_stuck_tenant() {
    let session = documented("decide");
    let decide = |lab: &Lab, line: &str| session.typed(line, &run(lab, line, 0));

    let (lab, ours, _) = in_doubt();
    decide(&lab, "flowswap stuck");
    let seen = "flowswap resolve acme --as applied --reason \"seen in the admin console\" --output client_id=";
    decide(&lab, &format!("{seen}{ours}"));
    lab.run(APPLY).expect(0);

    let (lab, ..) = in_doubt();
    let org = lab.sim.tenants()[0].domain.clone();
    for client in clients(&lab) {
        lab.sim.mutate(Mutation::RevokeServiceClient { org: org.clone(), client }).unwrap();
    }
    decide(&lab, "flowswap resolve acme --as not-applied --reason \"deleted it by hand\"");
    lab.run(APPLY).expect(0);

    let lab = way_back::stuck();
    decide(&lab, "flowswap rollback acme --abandon --reason \"restore is refused\"");
    assert_eq!(lab.in_state("swapped"), ["acme"]);
}
