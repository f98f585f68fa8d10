//! What is told, from the commands that cause it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{ALL, fleet, hook::Hook, let_fail};
use crate::{
    support::{Background, Lab},
    waiting::words,
};

/// What is told, each with its tenant or wave.
fn told(bodies: &[Value]) -> BTreeSet<(String, String)> {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let about = |body: &Value| word(&body["tenant"]).or_else(|| word(&body["wave"])).unwrap();
    bodies.iter().map(|body| (word(&body["on"]).unwrap(), about(body))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    pairs.iter().map(|(on, about)| ((*on).to_owned(), (*about).to_owned())).collect()
}

/// The notification without what differs in every run: its times, and the number of its record.
fn settled(mut body: Value) -> String {
    for key in ["at", "deadline"] {
        if body[key].is_string() {
            body[key] = "TIME".into();
        }
    }
    body["key"] = body["key"].as_str().unwrap().replace(&format!("{}/", body["record"]), "RECORD/").into();
    body["record"] = "RECORD".into();
    body.to_string()
}

#[test]
fn a_target_is_told_of_failures_and_of_waves_that_are_done() {
    let lab = fleet(3);
    lab.edit_config(|text| format!("[[wave]]\nname = \"canary\"\npick = {{ tenants = \"acme\" }}\n{text}"));
    let hook = Hook::start(&[]);
    hook.join(&lab, "hub", ALL, "json");
    lab.plan().expect(0);
    let near = told(&hook.bodies());
    assert!(near.iter().all(|(on, _)| on == "deadline-near"), "{near:?}");

    let_fail(&lab, 0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    let bodies = hook.bodies();
    assert_eq!(told(&bodies), pairs(&[("failed", "acme")]));
    let failed = bodies[0].clone();
    let record = failed["record"].as_u64().unwrap();
    assert_eq!(failed["key"], format!("{record}/failed"));
    insta::assert_snapshot!(settled(failed), @r#"{"at":"TIME","deadline":null,"format":1,"key":"RECORD/failed","next":"flowswap status acme","on":"failed","owner":null,"reason":"step `provision`: okta refused to create the integration: 400 E0000009 Internal Server Error","record":"RECORD","state":"failed","step":null,"tenant":"acme","wave":null}"#);

    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let bodies = hook.bodies();
    assert_eq!(told(&bodies), pairs(&[("wave-done", "canary"), ("wave-done", "rest")]));
    let rest = bodies.into_iter().find(|body| body["wave"] == "rest").unwrap();
    insta::assert_snapshot!(settled(rest), @r#"{"at":"TIME","deadline":null,"format":1,"key":"RECORD/wave-done","next":"flowswap status --wave rest","on":"wave-done","owner":null,"reason":null,"record":"RECORD","state":"swapped","step":null,"tenant":null,"wave":"rest"}"#);

    // Nothing is told twice.
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.run(&["notify"]).expect(0);
    assert_eq!(hook.bodies(), Vec::<Value>::new());
}

#[test]
fn a_wave_is_done_with_its_last_tenant_and_not_by_a_rehearsal() {
    let lab = fleet(2);
    lab.edit_config(|text| format!("[[wave]]\nname = \"both\"\npick = 2\n{text}"));
    let hook = Hook::start(&[]);
    hook.join(&lab, "hub", "\"wave-done\"", "json");
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "acme", "--yes"]).expect(0);
    lab.run(&["rehearse", "globex", "--plan", "plan.json", "--yes"]).expect(4);
    lab.outlive_tokens();
    lab.run(&["rehearse", "globex", "--yes"]).expect(0);
    assert_eq!(hook.keys(), Vec::<String>::new());
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(told(&hook.bodies()), pairs(&[("wave-done", "both")]));
}

#[test]
fn a_person_is_asked_and_reminded() {
    let lab = words::swapped(1);
    lab.edit_config(|text| text.replace("operator_deadline = \"1h\"", "operator_deadline = \"1ms\""));
    let hook = Hook::start(&[]);
    hook.join(&lab, "hub", ALL, "json");
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let bodies = hook.bodies();
    let waiting = bodies.iter().find(|body| body["on"] == "waiting").unwrap().clone();
    let record = waiting["record"].as_u64().unwrap().to_string();
    insta::assert_snapshot!(settled(waiting), @r#"{"at":"TIME","deadline":"TIME","format":1,"key":"RECORD/waiting","next":"flowswap sheet acme","on":"waiting","owner":"dana","reason":null,"record":"RECORD","state":"waiting","step":"swap","tenant":"acme","wave":null}"#);
    // The deadline may pass only after the end of the rollback.
    let mut overdue: Vec<_> = bodies.into_iter().filter(|body| body["on"] == "overdue").collect();
    lab.run(&["notify"]).expect(0);
    overdue.extend(hook.bodies());
    let [overdue] = &overdue[..] else { panic!("{overdue:#?}") };
    assert_eq!(overdue["key"], format!("{record}/overdue"));
    insta::assert_snapshot!(settled(overdue.clone()), @r#"{"at":"TIME","deadline":"TIME","format":1,"key":"RECORD/overdue","next":"flowswap sheet acme","on":"overdue","owner":"dana","reason":null,"record":"RECORD","state":"waiting","step":"swap","tenant":"acme","wave":null}"#);

    // It is told once, as long as nobody acts and afterwards.
    lab.run(&["notify"]).expect(0);
    words::sign_in(&lab, 0);
    lab.run(&["confirm", "acme"]).expect(0);
    lab.run(&["notify"]).expect(0);
    assert_eq!(hook.keys(), Vec::<String>::new());
}

/// The deadline passes while `watch` waits for the next check.
#[test]
fn watch_tells_what_is_overdue_meanwhile() {
    let lab = words::swapped(1);
    lab.edit_config(|text| text.replace("operator_deadline = \"1h\"", "operator_deadline = \"4s\""));
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let hook = Hook::start(&[]);
    hook.join(&lab, "hub", "\"overdue\"", "json");
    let watching = Background::start(lab.dir(), &["watch", "--every", "1h"]);
    let (_, overdue) = hook.next();
    assert_eq!(told(&[overdue]), pairs(&[("overdue", "acme")]));
    watching.interrupt();
    watching.finish();
    assert_eq!(hook.keys(), Vec::<String>::new());
}

/// Nobody gets years of old news.
#[test]
fn a_new_target_is_told_of_what_happens_from_now_on() {
    let lab = fleet(2);
    let_fail(&lab, 0);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    let hook = Hook::start(&[]);
    hook.join(&lab, "late", ALL, "json");
    lab.run(&["notify"]).expect(0);
    assert_eq!(hook.keys(), Vec::<String>::new());
    let_fail(&lab, 0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    assert_eq!(told(&hook.bodies()), pairs(&[("failed", "acme")]));
}

/// The state of a lab whose configuration names targets, but in which nothing has happened.
#[test]
fn nothing_is_told_of_nothing() {
    let lab = Lab::with_tenants(1);
    let hook = Hook::start(&[]);
    hook.join(&lab, "hub", ALL, "json");
    for line in [["notify"], ["watch"], ["status"]] {
        let output = lab.run(&line).expect(0);
        assert!(!output.stderr.contains("hub"), "{}", output.show());
    }
    assert_eq!(hook.keys(), Vec::<String>::new());
}
