//! Tenants that wait for a person when a rollback is cut off before it reaches them: nobody should reconnect them now.

use flowswap_sim::{Fault, FaultKind};

use super::waiting;
use crate::support::{Background, Lab};

/// Two waiting tenants. A rollback of both is killed while it works on `acme`, before it gets to `globex`.
fn cut_off_before_globex() -> Lab {
    let lab = waiting(2);
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
    let (host, kind) = (lab.sim.tenants()[0].domain.clone(), FaultKind::Delay { milliseconds: 600_000 });
    let (method, path) = (Some("DELETE".to_owned()), String::new());
    lab.sim.add_fault(Fault { host, method, path, query: String::new(), kind, times: 1, skip: 0 });
    let mut running = Background::start(lab.dir(), &["rollback", "--all", "--yes"]);
    running.await_faults(&lab);
    running.kill();
    running.finish().expect(-9);
    lab.sim.clear_faults();
    lab
}

#[test]
fn no_command_asks_a_person_to_continue_the_migration() {
    let lab = cut_off_before_globex();
    assert_eq!(lab.states(), [("acme".to_owned(), "rolling-back".to_owned()), ("globex".into(), "waiting".into())]);
    for args in [
        &["sheet", "globex"][..],
        &["confirm", "globex"],
        &["decline", "globex", "--reason", "no window"],
        &["secret", "copy", "globex"],
    ] {
        let refused = lab.run(args).expect(6);
        assert!(refused.stderr.contains(" has not reached `globex`"), "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("flowswap resume globex"), "{args:?}: {}", refused.stderr);
    }
    assert_eq!(lab.run(&["next"]).expect(0).stdout, "");
    let watched = lab.run(&["watch"]).expect(4);
    let expect =
        "a run has not done what it set out to do for 2 tenants (acme, globex); continue it: flowswap resume\n";
    assert_eq!(watched.stderr, expect);
}

#[test]
fn the_rollback_is_continued_or_given_up() {
    let lab = cut_off_before_globex();
    lab.run(&["resume", "--yes"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme", "globex"]);

    let lab = cut_off_before_globex();
    let given_up = lab.run(&["resume", "--give-up", "--yes"]).expect(0);
    assert!(given_up.stderr.contains("given up for globex; nothing was changed there"), "{}", given_up.stderr);
    let sheet = lab.run(&["sheet", "globex"]).expect(0);
    assert!(sheet.stdout.contains("Reconnect"), "{}", sheet.stdout);
    assert!(lab.run(&["next"]).expect(0).stdout.contains("globex"));
}
