//! `--log-file`: the events of a command, each with the run, the tenant, and the step around it.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use super::schemas;
use crate::support::Lab;

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
