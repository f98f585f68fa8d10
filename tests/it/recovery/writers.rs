//! Only one process writes at a time: a second one is refused, a dead one is replaced, and the database refuses a
//! replaced one.

use std::time::Duration;

use flowswap_sim::{FaultKind, SimConfig};

use crate::{
    faults::points::{Run, is_write, record},
    support::{Background, Lab},
};

#[test]
fn a_takeover_of_the_journal_names_the_previous_writer_and_its_last_record() {
    let lab = Lab::new(SimConfig::default().tenants(2).latency(Duration::from_millis(20)));
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
    lab.plan().expect(0);
    let mut running = Background::start(lab.dir(), &[Run::Forward.args(), &["-v"]].concat());
    running.await_talk("acme: provision done");
    running.kill();
    let dead = running.id();
    running.finish().expect(-9);

    // A read-only command does not take over the journal.
    let output = lab.run(&["status"]).expect(0);
    assert!(!output.stderr.contains("takes over the journal"), "{}", output.stderr);
    let output = lab.run(&["resume", "--yes"]).expect(0);
    let words = [
        "the last flowswap process was interrupted, so this one takes over the journal".to_owned(),
        format!("process {dead}, "),
        "the last record of that process is ".to_owned(),
        " of acme, in run ".to_owned(),
    ];
    for word in words {
        assert!(output.stderr.contains(&word), "`{word}` is missing: {}", output.stderr);
    }
    lab.outlive_tokens();
    let output = lab.run(&["rollback", "acme", "--yes"]).expect(0);
    assert!(!output.stderr.contains("takes over the journal"), "{}", output.stderr);
}

#[test]
fn a_replaced_writer_is_refused_by_the_database_and_sends_nothing_more() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let create = record(Run::Forward, is_write).into_iter().next().unwrap();
    // The answer is held until the epoch is taken over, and then cannot be recorded.
    let kind = FaultKind::Delay { milliseconds: 10_000 };
    lab.sim.add_fault(create.fault(&lab, &lab.sim.tenants()[0], kind, 1));
    let mut running = Background::start(lab.dir(), Run::Forward.args());
    running.await_faults(&lab);
    let thief = rusqlite::Connection::open(lab.path(".flowswap/journal.sqlite")).unwrap();
    let steal = "UPDATE lease SET epoch = epoch + 1, released = 0, process = 1, user = 2, host = 'elsewhere', \
                 version = '9', since = '2026-01-01T00:00:00Z' RETURNING epoch";
    let stolen: i64 = thief.query_row(steal, [], |row| row.get(0)).unwrap();
    let records = || thief.query_row("SELECT count(*) FROM record", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = records();

    let output = running.finish().expect(1);
    assert_eq!(records(), before, "the replaced writer wrote nothing");
    let said =
        format!("epoch {} of this process was replaced by epoch {stolen} (process 1, user 2 on elsewhere", stolen - 1);
    assert!(output.stderr.contains(&said), "{}", output.stderr);
    assert!(output.stderr.contains("hint: another flowswap process has taken over this state"), "{}", output.stderr);
    assert_eq!(output.stdout, "", "nothing is reported as done");
    assert_eq!(lab.sim.world().directories[0].submits, 0, "the swap never started");
    let back = thief.execute("UPDATE lease SET epoch = epoch - 1", []).unwrap_err();
    assert!(back.to_string().contains("epoch"), "{back}");

    // The interrupted step is in doubt, and the next run recovers.
    drop(thief);
    let output = lab.run(Run::Forward.args()).expect(0);
    assert!(output.stderr.contains("takes over the journal"), "{}", output.stderr);
    assert_eq!(lab.in_state("swapped"), ["acme"]);
    assert_eq!(lab.sim.world().orgs[0].service_clients.len(), 1);
}
