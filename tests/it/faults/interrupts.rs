//! Ctrl-C as a shell sends it: to the whole process group, including the plugins.

use std::time::Duration;

use flowswap_sim::{Fault, FaultKind, SimConfig};

use super::points::{Run, is_write, record};
use crate::support::{Background, Lab};

/// A lab that is slow enough to interrupt a run in the middle, with one tenant at a time.
fn slow_lab() -> Lab {
    let lab = Lab::new(SimConfig::default().tenants(3).latency(Duration::from_millis(20)));
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
    lab.plan().expect(0);
    lab
}

#[test]
fn ctrl_c_stops_after_the_running_steps_and_the_same_command_continues() {
    let lab = slow_lab();
    let before = lab.sim.snapshot();
    let mut running = Background::start(lab.dir(), &[Run::Forward.args(), &["-v"]].concat());
    running.await_talk("acme: provision done");
    running.interrupt();
    running.await_talk("stopping: 1 tenant finishes its step; press Ctrl-C again to stop at once");
    let output = running.finish().expect(5);
    assert!(output.stderr.contains("globex: not started"), "{}", output.stderr);
    assert!(
        output.stdout.ends_with(
            "stopped with 3 tenants left: 1 in the middle of its steps, 2 not started\nnext: flowswap resume\n"
        ),
        "{}",
        output.stdout
    );
    assert!(lab.in_state("swapped").is_empty(), "{}", output.stderr);

    lab.run(Run::Forward.args()).expect(0);
    assert_eq!(lab.in_state("swapped").len(), 3);

    lab.outlive_tokens();
    let mut running = Background::start(lab.dir(), &[Run::Back.args(), &["-v"]].concat());
    running.await_talk("swap rollback done");
    running.interrupt();
    running.finish().expect(5);
    lab.run(Run::Back.args()).expect(0);
    assert_eq!(flowswap_sim::diff(&before, &lab.sim.snapshot()), Vec::<String>::new());
}

#[test]
fn a_second_ctrl_c_ends_at_once_and_the_next_run_checks_the_interrupted_step() {
    let lab = slow_lab();
    let create = record(Run::Forward, is_write).into_iter().next().unwrap();
    let kind = FaultKind::Delay { milliseconds: 600_000 };
    lab.sim.add_fault(create.fault(&lab, &lab.sim.tenants()[0], kind, 1));
    let mut running = Background::start(lab.dir(), &[Run::Forward.args(), &["-v"]].concat());
    running.await_faults(&lab);
    running.interrupt();
    running.await_talk("press Ctrl-C again to stop at once");
    running.interrupt();
    let output = running.finish().expect(5);
    assert!(output.stderr.ends_with("next: flowswap resume\n"), "{}", output.stderr);

    lab.run(Run::Forward.args()).expect(0);
    assert_eq!(lab.in_state("swapped").len(), 3);
    assert!(lab.sim.world().orgs.iter().all(|org| org.service_clients.len() == 1));
}

#[test]
fn an_interrupted_read_only_command_reports_and_writes_nothing() {
    for (args, kept) in [(&["plan", "-o", "plan.json"][..], true), (&["detect"], false), (&["check"], false)] {
        let lab = slow_lab();
        let before = std::fs::read_to_string(lab.path("plan.json")).unwrap();
        // Long enough for an interruption in the middle. flowswap waits for requests in flight.
        let kind = FaultKind::Delay { milliseconds: 3_000 };
        let host = lab.sim.tenants()[1].domain.clone();
        lab.sim.add_fault(Fault {
            host,
            method: None,
            path: String::new(),
            query: String::new(),
            kind,
            times: 1,
            skip: 0,
        });
        let mut running = Background::start(lab.dir(), args);
        running.await_faults(&lab);
        running.interrupt();
        running.await_talk("press Ctrl-C again to stop at once");
        let output = running.finish().expect(5);
        assert_eq!(output.stdout, "", "{args:?}");
        assert!(!kept || std::fs::read_to_string(lab.path("plan.json")).unwrap() == before, "{args:?}");
    }
}

#[test]
fn a_crash_leaves_no_lock_behind() {
    let lab = slow_lab();
    let mut running = Background::start(lab.dir(), &[Run::Forward.args(), &["-v"]].concat());
    running.await_talk("acme: provision done");
    running.kill();
    running.finish().expect(-9);
    let states = lab.states();
    assert_eq!(states[0], ("acme".to_owned(), "running".to_owned()), "{states:?}");
    lab.run(Run::Forward.args()).expect(0);
    assert_eq!(lab.in_state("swapped").len(), 3);
}
