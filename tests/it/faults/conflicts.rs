//! Two runs at the same time, and a request that takes too long.

use std::time::Duration;

use flowswap_sim::{FaultKind, SimConfig};

use super::points::{Run, is_write, record};
use crate::support::{Background, Lab};

#[test]
fn a_second_run_is_refused_and_told_who_holds_the_journal() {
    let lab = Lab::new(SimConfig::default().tenants(2).latency(Duration::from_millis(50)));
    lab.plan().expect(0);
    let mut first = Background::start(lab.dir(), Run::Forward.args());
    first.await_talk("2 tenants");
    let second = lab.run(Run::Forward.args()).expect(1);
    assert!(second.stderr.contains(&format!("process {},", first.id())), "{}", second.stderr);
    // A read-only command works while another run writes.
    lab.run(&["status"]).expect(0);
    first.finish().expect(0);
    assert_eq!(lab.in_state("swapped").len(), 2);
}

#[test]
fn a_request_to_a_slow_directory_ends_at_the_configured_timeout() {
    let lab = Lab::with_tenants(1);
    lab.edit_config(|text| text.replace("[network]\n", "[network]\ntimeout = \"300ms\"\n"));
    lab.plan().expect(0);
    let submit = record(Run::Forward, is_write).into_iter().find(|point| point.name().contains("reconnect")).unwrap();
    let kind = FaultKind::Delay { milliseconds: 600_000 };
    lab.sim.add_fault(submit.fault(&lab, &lab.sim.tenants()[0], kind, 1));
    // flowswap checks whether the request took effect. It did not, so flowswap sends it again.
    let output = lab.run(&[Run::Forward.args(), &["-v"]].concat()).expect(0);
    assert!(output.stderr.contains("no answer within 0.3 s"), "{}", output.stderr);
    assert_eq!(lab.sim.faults()[0].fired, 1);
    assert_eq!(lab.sim.world().directories[0].submits, 1);
}
