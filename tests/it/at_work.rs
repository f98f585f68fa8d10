//! Another terminal reaches the command that is at work: it pauses and cancels it, and says what a person did meanwhile.

use std::{fs, os::unix::fs::PermissionsExt, thread};

use flowswap_sim::{Exchange, Fault, FaultKind};

use crate::{
    faults::points::uniform,
    guided::{
        self,
        person::{Form, reconnect},
    },
    support::{Background, Lab, command, terminal::Terminal},
};

const APPLY: [&str; 3] = ["apply", "plan.json", "--yes"];
const TENANTS: usize = 12;

/// From now on, each request that creates something takes a while, so that a command is at work for long.
fn slow_down(lab: &Lab) {
    lab.sim.add_fault(Fault {
        host: "*".to_owned(),
        method: Some("POST".to_owned()),
        path: "/integrations/api/v1/api-services".to_owned(),
        query: String::new(),
        kind: FaultKind::Delay { milliseconds: 1000 },
        times: 0,
        skip: 0,
    });
}

/// A fleet whose tenants come one after the other, and slowly.
fn slow_fleet() -> Lab {
    let lab = Lab::new(uniform(TENANTS).record(true));
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 2\n"));
    lab.plan().expect(4);
    slow_down(&lab);
    lab
}

/// The requests that changed something.
fn changes(lab: &Lab) -> usize {
    let reads_only = |path: &str| ["/token", "/cache-", "/introspect"].iter().any(|read| path.contains(read));
    let changes = |it: &Exchange| it.method != "GET" && !reads_only(&it.path_and_query);
    lab.sim.traffic().into_iter().filter(changes).count()
}

/// Pauses a command that has just been started, once it is at work.
#[track_caller]
fn pause(lab: &Lab, at_work: &mut Background) -> String {
    loop {
        assert!(!at_work.has_ended(), "it ended before it was paused");
        let output = lab.run(&["pause"]);
        if output.code != 1 {
            return output.expect(0).stdout;
        }
        assert!(
            output.stderr.contains("no command is at work here, so there is nothing to pause"),
            "{}",
            output.stderr
        );
        thread::yield_now();
    }
}

fn records(lab: &Lab, kind: &str) -> i64 {
    let database = rusqlite::Connection::open(lab.path(".flowswap/journal.sqlite")).unwrap();
    let count = "SELECT count(*) FROM record WHERE type = ?1";
    database.query_row(count, [kind], |row| row.get(0)).unwrap()
}

#[test]
fn a_paused_run_changes_nothing_until_it_may_go_on() {
    let lab = slow_fleet();
    let mut apply = Background::start(lab.dir(), &APPLY);
    apply.await_faults(&lab);
    let told = pause(&lab, &mut apply);
    assert!(
        told.starts_with("paused `flowswap apply`: it changes nothing until you let it go on\nnext: flowswap unpause"),
        "{told}"
    );
    let before = changes(&lab);
    assert!(before > 0, "it had begun");
    apply.await_talk("paused by ");
    let again = lab.run(&["pause"]).expect(0).stdout;
    assert!(again.starts_with("`flowswap apply` was paused already, by "), "{again}");
    let paused = lab.json(&["pause"], 0);
    assert_eq!((&paused["changed"], &paused["command"]), (&false.into(), &"apply".into()));
    assert!(paused["paused"]["by"].is_object(), "{paused}");
    assert_eq!(lab.json(&["status"], 0)["at_work"]["paused"], paused["paused"]);
    let status = lab.run(&["status"]).expect(0);
    assert!(status.stderr.contains("`flowswap apply` is at work here"), "{}", status.show());
    assert!(status.stderr.contains("paused by "), "{}", status.show());
    assert_eq!(changes(&lab), before, "a change left while the run was paused");
    lab.sim.clear_faults();
    assert_eq!(lab.run(&["unpause"]).expect(0).stdout, "`flowswap apply` goes on\n");
    apply.finish().expect(0);
    assert!(changes(&lab) > before);
    assert_eq!(lab.in_state("swapped").len(), TENANTS);
    assert_eq!((records(&lab, "run-paused"), records(&lab, "run-unpaused")), (1, 1));
    lab.audit(TENANTS);
    let nothing = lab.run(&["unpause"]).expect(1).stderr;
    assert!(nothing.contains("nothing to let go on"), "{nothing}");
    assert!(!lab.path(".flowswap/at-work.sock").exists(), "the door is closed");
}

#[test]
fn a_canceled_run_ends_in_order_and_leaves_the_journal_free() {
    let lab = slow_fleet();
    let mut apply = Background::start(lab.dir(), &APPLY);
    apply.await_faults(&lab);
    pause(&lab, &mut apply);
    let told = lab.run(&["cancel"]).expect(0).stdout;
    assert!(told.starts_with("stopped `flowswap apply`; the steps that it had begun are done\n"), "{told}");
    // `cancel` returns once the journal is free.
    lab.sim.clear_faults();
    lab.run(&["resume", "--yes"]).expect(0);
    let ended = apply.finish().expect(5);
    assert!(ended.stderr.contains("stops the run from another terminal"), "{}", ended.show());
    assert!(ended.stdout.contains("next: flowswap resume"), "{}", ended.show());
    assert_eq!(records(&lab, "run-canceled"), 1);
    assert_eq!(lab.in_state("swapped").len(), TENANTS);
    lab.audit(TENANTS);
}

/// While an `apply` is at work, one person confirms a run sheet, another declines one, and a third gets a secret.
#[test]
fn people_say_what_they_did_while_an_apply_is_at_work() {
    let lab = guided::lab(3);
    lab.plan().expect(0);
    let tenants = lab.sim.tenants();
    let names: Vec<&str> = tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    let [done, declined, _] = names[..] else { panic!("{names:?}") };
    lab.run(&["apply", "plan.json", done, declined, "--yes"]).expect(4);
    reconnect(&lab, &tenants[0], &tenants[0].directory_id, &Form::right(&lab, &tenants[0]));
    slow_down(&lab);
    let mut apply = Background::start(lab.dir(), &APPLY);
    pause(&lab, &mut apply);

    let declining = lab.run(&["decline", declined, "--reason", "CHG-7 is late", "--user", "Dana"]).expect(0).stdout;
    assert!(declining.contains("you declined `swap`"), "{declining}");
    let screen = Terminal::start(command(lab.dir(), &["secret", "copy", done, "--print"]));
    assert_eq!(screen.finish().0, 0);
    let mut confirm = Background::start(lab.dir(), &["confirm", done, "--user", "Robin"]);
    confirm.await_talk("now checking what was confirmed");
    lab.sim.clear_faults();
    lab.run(&["unpause"]).expect(0);
    // flowswap saw the swap, and the directory has not synchronized often enough yet.
    let confirmed = confirm.finish().expect(4);
    assert!(confirmed.stdout.starts_with(&format!("{done}: soaking\n")), "{}", confirmed.show());
    apply.finish();
    let evidence = lab.run(&["evidence", done, declined]).expect(0).stdout;
    for words in ["Robin (", "confirmed `swap`", "Dana (", "declined `swap`", "(terminal)"] {
        assert!(evidence.contains(words), "{words}: {evidence}");
    }
    lab.run(&["audit", "verify"]).expect(0);
}

#[test]
fn the_door_is_the_users_own_and_its_path_may_be_long() {
    let lab = slow_fleet();
    let deep = "d".repeat(90);
    lab.edit_config(|text| format!("state = \"{deep}/{deep}\"\n{text}").replace("state = \".flowswap\"\n", ""));
    lab.run(&["plan", "-o", "plan.json"]).expect(4);
    let mut apply = Background::start(lab.dir(), &APPLY);
    pause(&lab, &mut apply);
    let socket = lab.path(&format!("{deep}/{deep}/at-work.sock"));
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(lab.json(&["cancel"], 0)["command"], "apply");
    apply.finish().expect(5);
}

#[test]
fn a_door_that_a_crash_left_is_nobody_at_work() {
    let lab = slow_fleet();
    let mut apply = Background::start(lab.dir(), &APPLY);
    apply.await_faults(&lab);
    pause(&lab, &mut apply);
    apply.kill();
    apply.finish();
    assert!(lab.path(".flowswap/at-work.sock").exists(), "the crash left it");
    lab.run(&["pause"]).expect(1);
    lab.sim.clear_faults();
    lab.run(&["resume", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped").len(), TENANTS);
    assert!(!lab.path(".flowswap/at-work.sock").exists());
}
