//! Traces by OTLP: a span for the run, for each tenant, and for each step.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    notify::{
        hook::{CANARY, Hook, Reply},
        let_fail,
    },
    support::{Lab, Output, command, finish},
};

/// Runs the binary with a collector. Its header is a secret.
fn apply(lab: &Lab, collector: &str) -> Output {
    let mut command = command(lab.dir(), &["apply", "plan.json", "--yes", "--format", "json"]);
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector);
    command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{CANARY}"));
    let output = finish(command);
    assert!(!output.show().contains(CANARY), "{}", output.show());
    output
}

/// The spans in what a collector got.
fn spans(bodies: &[Value]) -> Vec<Value> {
    let each = |value: &Value, member: &str| value[member].as_array().unwrap().clone();
    let resources = bodies.iter().flat_map(|body| each(body, "resourceSpans"));
    let scopes = resources.flat_map(|resource| {
        let attributes = attributes(&resource["resource"]);
        assert_eq!(attributes["service.name"], "flowswap");
        each(&resource, "scopeSpans")
    });
    scopes.flat_map(|scope| each(&scope, "spans")).collect()
}

fn attributes(of: &Value) -> BTreeMap<String, Value> {
    let read = |attribute: &Value| {
        let value = attribute["value"].as_object().unwrap().values().next().unwrap();
        (attribute["key"].as_str().unwrap().to_owned(), value.clone())
    };
    of["attributes"].as_array().into_iter().flatten().map(read).collect()
}

fn text<'a>(of: &'a Value, member: &str) -> &'a str {
    of[member].as_str().unwrap_or_default()
}

#[test]
fn a_run_is_a_trace_with_its_tenants_and_their_steps() {
    let lab = Lab::with_tenants(2);
    let hook = Hook::start(&[]);
    let url = hook.trusted_by(&lab, "traces");
    lab.plan().expect(0);
    let_fail(&lab, 1);
    let output = apply(&lab, &url).expect(3);
    assert!(!output.stderr.contains("traces"), "{}", output.stderr);
    let bodies = hook.bodies();
    let all: String = bodies.iter().map(Value::to_string).collect();
    assert!(!all.contains(CANARY));
    let spans = spans(&bodies);
    let named = |name: &str| spans.iter().filter(|span| span["name"] == name).collect::<Vec<_>>();

    // The id of the run is in the user agent of each request.
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let run = text(&report, "run").replace('-', "");
    let traces: BTreeSet<&str> = spans.iter().map(|span| text(span, "traceId")).collect();
    assert_eq!(traces, BTreeSet::from([run.as_str()]));

    let [root] = named("run")[..] else { panic!("one span for the run: {spans:#?}") };
    assert_eq!(text(root, "parentSpanId"), "");
    let tenants = named("tenant");
    let names: BTreeSet<String> = tenants.iter().map(|span| attributes(span)["flowswap.tenant"].to_string()).collect();
    assert_eq!(names, BTreeSet::from(["\"acme\"".to_owned(), "\"globex\"".to_owned()]));
    assert!(tenants.iter().all(|span| span["parentSpanId"] == root["spanId"]));

    let swaps = named("swap");
    let ids: BTreeSet<&str> = tenants.iter().map(|span| text(span, "spanId")).collect();
    assert!(!swaps.is_empty() && swaps.iter().all(|span| ids.contains(text(span, "parentSpanId"))), "{spans:#?}");
    let requests = spans.iter().flat_map(|span| span["events"].as_array().into_iter().flatten());
    let requests: Vec<_> = requests.filter(|event| event["name"] == "request").map(attributes).collect();
    assert!(requests.iter().any(|request| request["flowswap.method"] == "POST"), "{requests:?}");

    // What failed says so, and why.
    let failed: Vec<&Value> = spans.iter().filter(|span| span["status"]["code"] == 2).collect();
    let failed_names: BTreeSet<&str> = failed.iter().map(|span| text(span, "name")).collect();
    assert!(failed_names.contains("tenant") && failed_names.len() == 2, "{failed:#?}");
    assert!(failed.iter().all(|span| !text(&span["status"], "message").is_empty()));
    for span in &spans {
        let time = |member| text(span, member).parse::<u64>().unwrap();
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"));
    }
}

/// The work has its result. What becomes of its trace does not change the exit code.
#[test]
fn a_collector_in_trouble_costs_only_the_trace() {
    for (replies, problem) in [
        (&[Reply::Status(401)][..], "the collector answered 401 Unauthorized"),
        (&[Reply::Body(r#"{"partialSuccess":{"rejectedSpans":"5"}}"#)], "the collector rejected 5 spans"),
        (&[Reply::Close; 4], "the collector: got no answer"),
        (&[Reply::Hang], "the collector did not"),
    ] {
        let lab = Lab::with_tenants(1);
        let hook = Hook::start(replies);
        let url = hook.trusted_by(&lab, "traces");
        lab.plan().expect(0);
        let output = apply(&lab, &url).expect(0);
        let warnings: Vec<&str> = output.stderr.lines().filter(|line| line.contains("traces")).collect();
        let [warning] = warnings[..] else { panic!("{}", output.stderr) };
        assert!(warning.starts_with(&format!("warning: traces are incomplete: {problem}")), "{warning}");
    }
}

#[test]
fn traces_go_to_https_or_to_this_machine() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let output = apply(&lab, "http://collector.test:4318/v1/traces").expect(0);
    assert!(
        output.stderr.contains("its URL is neither an https URL nor an http URL of this machine"),
        "{}",
        output.stderr
    );
}

/// An agent on this machine takes traces without TLS.
#[test]
fn a_collector_on_this_machine_needs_no_tls() {
    let lab = Lab::with_tenants(1);
    let hook = Hook::start_plain();
    lab.plan().expect(0);
    let output = apply(&lab, &hook.trusted_by(&lab, "traces")).expect(0);
    assert!(!output.stderr.contains("traces"), "{}", output.stderr);
    assert!(spans(&hook.bodies()).iter().any(|span| span["name"] == "run"));
}
