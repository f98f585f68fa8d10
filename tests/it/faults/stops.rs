//! Faults that hit many tenants: the run stops by itself, says why, and goes on once the fault is gone.

use flowswap_sim::{Fault, FaultKind, Scenario};
use serde_json::{Value, json};

use super::points::uniform;
use crate::support::{Lab, command, terminal::Terminal};

const READY: usize = 40;

/// A planned fleet, and a fault of every org at a request.
fn hit(limits: &str, method: &str, path: &str, status: u16) -> Lab {
    let lab = Lab::new(uniform(READY));
    lab.edit_config(|text| format!("{text}\n[run]\n{limits}\n"));
    lab.plan().expect(4);
    let (method, path, query) = (Some(method.to_owned()), path.to_owned(), String::new());
    lab.sim.add_fault(Fault {
        host: "*".to_owned(),
        method,
        path,
        query,
        kind: FaultKind::Status { status },
        times: 0,
        skip: 0,
    });
    lab
}

fn count(report: &Value, counts_as: &str) -> usize {
    report["tenants"].as_array().unwrap().iter().filter(|row| row["counts_as"] == counts_as).count()
}

/// Without the fault, one command brings every tenant to the goal.
#[track_caller]
fn expect_healed(lab: &Lab, command: &[&str]) {
    lab.sim.clear_faults();
    lab.run(command).expect(0);
    assert_eq!(lab.in_state("swapped").len(), READY);
    lab.audit(READY);
}

#[test]
fn a_fault_that_hits_everyone_stops_the_run_within_the_failure_budget() {
    let lab = hit("concurrency = 64\nmax_failures = \"14%\"", "POST", "/integrations/api/v1/api-services", 403);
    let report = lab.json(&["apply", "plan.json", "--yes"], 3);
    let (failed, skipped) = (count(&report, "failed"), count(&report, "skipped"));
    assert!((2..=6).contains(&failed), "{failed} failed");
    assert_eq!(failed + skipped, READY, "{report:#}");
    let stopped = report["stopped"].as_array().unwrap();
    let shared = stopped.iter().find(|stop| stop["why"] == "same-cause").unwrap();
    let cause = json!({
        "what": "permission", "side": "provider", "request": "POST /integrations/api/v1/api-services", "inconclusive": false
    });
    assert_eq!(shared["cause"], cause);
    let message = shared["message"].as_str().unwrap();
    let rest = format!("0 done, {skipped} not started; nothing needs to be rolled back. Fix the cause. Then run");
    assert!(message.contains(&rest), "{message}");
    expect_healed(&lab, &["apply", "plan.json", "--yes"]);
}

#[test]
fn a_person_at_the_terminal_decides_whether_a_run_goes_on() {
    for (answer, expect) in [("n", 0), ("y", READY - 3)] {
        let lab = hit("concurrency = 1", "GET", "/api/v1/apps", 503);
        let mut person = Terminal::start(command(lab.dir(), &["apply", "plan.json"]));
        person.await_words("Migrate 40 tenants? Type 40 to confirm");
        person.enter("40");
        person.await_words("The other tenants may end the same way. Start them?");
        // Two have met the fault. Only the last one still will.
        let fault = lab.sim.faults()[0].fault.clone();
        let mut tenants = lab.sim.tenants().into_iter().filter(|tenant| tenant.scenario == Scenario::Ready);
        lab.sim.clear_faults();
        lab.sim.add_fault(Fault { host: tenants.next_back().unwrap().domain, ..fault });
        person.enter(answer);
        let (code, screen) = person.finish();
        assert_eq!((code, lab.in_state("swapped").len()), (4, expect), "{screen}");
        assert_eq!(screen.matches("Start them? [y/n]").count(), 1, "{screen}");
    }
}

/// What was typed before the question was on the screen was meant for something else.
#[test]
fn what_was_typed_before_the_question_does_not_answer_it() {
    let lab = hit("concurrency = 1", "GET", "/api/v1/apps", 503);
    let mut person = Terminal::start(command(lab.dir(), &["apply", "plan.json"]));
    person.await_words("Migrate 40 tenants? Type 40 to confirm");
    person.enter("40");
    // The run has begun, and the question has not appeared yet: the orgs are asked again and again first.
    person.await_words("run ");
    person.enter("y");
    person.await_words("y");
    person.await_words("The other tenants may end the same way. Start them? [y/n]");
    person.enter("x");
    person.await_words("type y or n, then press Enter");
    person.await_words("Start them? [y/n]");
    person.enter("n");
    let (code, screen) = person.finish();
    assert_eq!((code, lab.in_state("swapped").len()), (4, 0), "{screen}");
}

/// Ctrl-C while the question is on the screen ends its line, and the report begins below.
#[test]
fn a_question_that_nobody_answers_ends_with_its_line() {
    let lab = hit("concurrency = 1", "GET", "/api/v1/apps", 503);
    let mut person = Terminal::start_on(command(lab.dir(), &["apply", "plan.json"]), 100, 120);
    person.await_words("Type 40 to confirm");
    person.enter("40");
    person.await_words("Start them? [y/n] ");
    person.interrupt();
    let (code, screen) = person.finish();
    let end = &screen[screen.find("Start them?").unwrap()..];
    let lines: Vec<&str> = end.lines().map(str::trim_end).collect();
    assert_eq!(lines[0], "Start them? [y/n] ^C", "{screen}");
    assert!(lines[1].starts_with("stopping"), "{screen}");
    assert_eq!((code, end.matches("Start them?").count()), (5, 1), "{screen}");
}

#[test]
fn if_the_orgs_do_not_answer_the_run_pauses_and_yes_does_not_go_on() {
    let lab = hit("concurrency = 1\nmax_failures = 1", "GET", "/api/v1/apps", 503);
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    let stops: Vec<&str> = output.stdout.lines().filter(|line| line.starts_with("stopped: ")).collect();
    let [stop] = stops[..] else { panic!("{}", output.show()) };
    assert!(stop.starts_with("stopped: flowswap cannot tell what is wrong with `"), "{stop}");
    assert!(
        stop.contains("(provider, `GET /api/v1/apps`). So no other tenant was started. 0 done, 38 not started"),
        "{stop}"
    );
    assert!(stop.contains("`flowswap resume` continues only those that were not started"), "{stop}");
    expect_healed(&lab, &["resume", "--yes"]);
}
