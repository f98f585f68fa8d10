//! `--format jsonl`: a line for each event as it happens, and the report at the end.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::{Value, json};

use super::schemas;
use crate::support::{Background, Lab, Output, command};

/// The events of a command, which all follow the schema. The last one is the report, which follows its own.
#[track_caller]
fn events(output: &Output) -> Vec<Value> {
    let lines = output.stdout.lines();
    let events: Vec<Value> =
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    for event in &events {
        schemas::check_document("event", event);
    }
    let (last, before) = events.split_last().unwrap();
    assert_eq!(last["event"], "report", "{last:#}");
    assert!(before.iter().all(|event| event["event"] != "report"));
    schemas::check_document(last["document"].as_str().unwrap(), &last["report"]);
    events
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn a_run_streams_what_it_does() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    let output = lab.run(&["apply", "plan.json", "--yes", "--format", "jsonl"]).expect(0);
    let run = events(&output);
    assert_eq!(names(&run)[0], "run-started");
    for tenant in ["acme", "globex"] {
        let of_tenant: Vec<Value> = run.iter().filter(|event| event["tenant"] == tenant).cloned().collect();
        let of_tenant = names(&of_tenant);
        let milestones = of_tenant.iter().filter(|name| !["request", "progress", "waiting", "log"].contains(name));
        let milestones: Vec<&&str> = milestones.collect();
        assert_eq!((*milestones[0], *milestones[milestones.len() - 1]), ("tenant-started", "tenant-ended"));
        assert!(of_tenant.contains(&"step-ended") && of_tenant.contains(&"request"), "{of_tenant:?}");
    }
    let report = &run.last().unwrap()["report"];
    assert_eq!(report["tenants"].as_array().unwrap().len(), 2);
    assert_eq!(run[0]["run"], report["run"]);
}

#[test]
fn a_command_that_only_reads_says_how_far_it_is() {
    let lab = Lab::with_tenants(2);
    for line in ["check", "detect", "plan -o plan.json"] {
        let args: Vec<&str> = line.split(' ').chain(["--format", "jsonl"]).collect();
        let events = events(&lab.run(&args).expect(0));
        let started = events.iter().find(|event| event["event"] == "reading-started").unwrap();
        assert_eq!(started["tenants"], json!(2), "{line}");
        assert_eq!(events.iter().filter(|event| event["event"] == "tenant-read").count(), 2, "{line}");
    }
}

#[test]
fn a_command_without_events_prints_its_report() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    for line in ["status", "next", "stuck", "history", "report", "explain", "plugins list", "audit verify", "watch"] {
        let args: Vec<&str> = line.split(' ').chain(["--format", "jsonl"]).collect();
        assert_eq!(events(&lab.run(&args).expect(0)).len(), 1, "{line}");
    }
}

/// `watch` can wait for hours, and a program that stops it wants to know the state of the tenants.
#[test]
fn watch_ends_with_its_report_even_if_it_is_stopped() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let mut watch = Background::start(lab.dir(), &["watch", "--format", "jsonl"]);
    watch.await_talk("acme: rolling-back");
    watch.interrupt();
    let output = watch.finish();
    assert_eq!(output.code, 5, "{}", output.stderr);
    let report = &events(&output).pop().unwrap()["report"];
    assert_eq!(report["tenants"][0]["state"], "rolling-back");
}

/// A program that reads the events may end before flowswap does.
#[test]
fn a_run_stops_in_order_if_nobody_reads_its_events() {
    let lab = Lab::with_tenants(12);
    lab.plan().expect(4);
    let mut apply = command(lab.dir(), &["apply", "plan.json", "--yes", "--concurrency", "1", "--format", "jsonl"]);
    let mut apply = apply.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(apply.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("\"event\":\"run-started\""), "{first}");
    let output = apply.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("flowswap can no longer write events to stdout"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(lab.in_state("swapped").len() < 7, "it stopped before the end");
    lab.run(&["resume", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped").len(), 7);
}
