//! `--log-file`: the events of a command, each with the run, the tenant, and the step around it.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use super::schemas;
use crate::support::{Lab, finish};

fn lines(lab: &Lab) -> Vec<Value> {
    let text = fs::read_to_string(lab.path("run.log")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// The intent token is in the log of the org, so that one can search there for what a line here is about.
#[test]
fn each_line_has_the_trace_that_its_requests_carry() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    let output = lab.run(&["apply", "plan.json", "--yes", "--log-file", "run.log", "--format", "jsonl"]).expect(0);
    let streamed: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let logged = lines(&lab);
    assert_eq!(fs::metadata(lab.path("run.log")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(logged[0]["event"], "run-started");
    let trace = logged[0]["run"].as_str().unwrap().replace('-', "");
    assert_eq!(trace.len(), 32);
    let names = |events: &[Value]| -> Vec<String> {
        let mut names: Vec<String> = events.iter().map(|event| event["event"].to_string()).collect();
        names.sort();
        names
    };
    let events: Vec<Value> = streamed.into_iter().filter(|event| event["event"] != "report").collect();
    assert_eq!(names(&logged), names(&events), "the log has every event");
    let mut in_steps = 0;
    for line in &logged {
        let mut event = line.clone();
        for around in ["level", "trace_id", "span"] {
            event.as_object_mut().unwrap().remove(around);
        }
        schemas::check_document("event", &event);
        assert_eq!(line["trace_id"], *trace, "{line}");
        if let (Some(tenant), Some(of)) = (line["tenant"].as_str(), line["span"]["tenant"].as_str()) {
            assert_eq!(tenant, of, "{line}");
        }
        if line["event"] == "step-started" || line["event"] == "step-ended" {
            assert_eq!((&line["span"]["tenant"], &line["span"]["step"]), (&line["tenant"], &line["step"]), "{line}");
        }
        if line["event"] == "request" && line["span"]["step"].is_string() {
            in_steps += 1;
        }
    }
    assert!(in_steps > 10, "requests belong to steps");
    let levels: BTreeSet<&str> = logged.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, BTreeSet::from(["debug", "info"]));

    // The next command appends, and its run has a trace of its own.
    lab.run(&["rollback", "acme", "--yes", "--log-file", "run.log"]).expect(4);
    let later = lines(&lab);
    assert!(later.len() > logged.len() && later[..logged.len()] == logged[..]);
    assert!(later[logged.len()..].iter().all(|line| line["trace_id"] != *trace));
}

#[test]
fn only_a_log_is_continued() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    fs::write(lab.path("notes"), "my notes").unwrap();
    for (path, why) in [
        ("notes", "flowswap did not write it as a log"),
        ("plan.json", "flowswap did not write it as a log"),
        (".flowswap/journal.sqlite", "belongs to flowswap's state"),
        ("/dev/null", "cannot be a log"),
    ] {
        let refused = lab.run(&["detect", "--log-file", path]).expect(2);
        assert!(refused.stderr.contains(why) && !refused.stderr.contains("--force"), "{path}: {}", refused.stderr);
    }
    assert_eq!(fs::read_to_string(lab.path("notes")).unwrap(), "my notes");
}

#[test]
fn the_log_and_the_metrics_are_two_files() {
    let lab = Lab::with_tenants(1);
    for metrics in ["both", "./both"] {
        let refused = lab.run(&["detect", "--log-file", "both", "--metrics", metrics]).expect(2);
        assert!(refused.stderr.contains("`both` cannot be both the log and the metrics"), "{}", refused.stderr);
        assert!(!fs::read_to_string(lab.path("both")).unwrap().contains("flowswap_"));
    }
}

/// A machine that went down, or a full disk, leaves a part of a line.
#[test]
fn a_line_that_was_cut_off_spoils_no_other() {
    let lab = Lab::with_tenants(1);
    lab.run(&["detect", "--log-file", "run.log"]).expect(0);
    let whole = fs::read_to_string(lab.path("run.log")).unwrap();
    fs::write(lab.path("run.log"), &whole[..whole.len() - 5]).unwrap();
    lab.run(&["detect", "--log-file", "run.log"]).expect(0);
    let text = fs::read_to_string(lab.path("run.log")).unwrap();
    let broken = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count();
    assert_eq!((broken, text.lines().count()), (1, 2 * whole.lines().count()));
}

/// A log that may not grow costs the log, and not the run.
#[test]
fn a_limit_of_the_file_size_ends_no_run() {
    const LIMIT: usize = 8 << 20;
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let line = "{\"format\":1,\"at\":\"2026-03-01T08:00:00Z\",\"event\":\"progress\"}\n";
    fs::write(lab.path("run.log"), line.repeat((LIMIT - 1_000) / line.len())).unwrap();
    let mut limited = std::process::Command::new("bash");
    limited.env_clear().env("HOME", lab.dir()).env("NO_COLOR", "1").current_dir(lab.dir());
    let script = format!("ulimit -f {}; exec \"$0\" apply plan.json --yes --log-file run.log", LIMIT >> 10);
    let output = finish({
        limited.args(["-c", &script, env!("CARGO_BIN_EXE_flowswap")]);
        limited
    });
    assert_eq!(output.code, 1, "{}", output.show());
    assert!(
        output.stderr.contains("the command itself ran to its end; only the log is incomplete"),
        "{}",
        output.show()
    );
    assert_eq!(lab.in_state("swapped").len(), 1);
    assert!(fs::metadata(lab.path("run.log")).unwrap().len() <= LIMIT as u64);
}
