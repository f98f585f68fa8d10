//! Waves: how plans are filled, when a wave begins, and what holds it.

use flowswap_sim::{Fault, FaultKind, Scenario, SimConfig};
use serde_json::Value;

use crate::{
    documents::documented,
    support::{Lab, Output, command, terminal::Terminal},
};

/// A fleet whose configuration has these waves.
fn lab(tenants: usize, waves: &str) -> Lab {
    let lab = Lab::new(SimConfig::default().scenarios(vec![Scenario::Ready; tenants]));
    lab.edit_config(|text| format!("{waves}\n{text}"));
    lab
}

/// The waves of a plan, with the names of their tenants.
fn waves(plan: &Value) -> Vec<(&str, Vec<&str>)> {
    let waves = plan["waves"].as_array().unwrap().iter();
    waves.map(|wave| (word(&wave["name"]), wave["tenants"].as_array().unwrap().iter().map(word).collect())).collect()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn waves_take_tenants_by_number_part_and_selector() {
    let configured = "[[wave]]\nname = \"canary\"\npick = 2\n\
                      [[wave]]\nname = \"amer\"\npick = { labels = { region = \"amer\" }, except = \"globex\" }\norder = \"inventory\"\n\
                      [[wave]]\nname = \"part\"\npick = \"25%\"\norder = \"inventory\"\nopens_after = \"by hand\"\n";
    let lab = lab(9, configured);
    let plan = lab.json(&["plan"], 0);
    let of = waves(&plan);
    let names = of.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    assert_eq!(names, ["canary", "amer", "part", "rest"]);
    assert_eq!(of.iter().map(|(_, tenants)| tenants.len()).sum::<usize>(), 9);
    // The connections of these die first.
    let detected = lab.json(&["detect"], 0);
    let mut days: Vec<(i64, &str)> = detected["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["days_left"].as_i64().unwrap(), word(&row["name"])))
        .collect();
    days.sort_unstable();
    let mut canary = of[0].1.clone();
    canary.sort_unstable();
    let mut first: Vec<_> = days[..2].iter().map(|(_, name)| *name).collect();
    first.sort_unstable();
    assert_eq!(canary, first);
    let amer = lab.json(&["status", "--label", "region=amer", "--except", "globex"], 0);
    let amer: Vec<_> = amer["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| word(&row["name"]))
        .filter(|name| !canary.contains(name))
        .collect();
    assert_eq!(of[1].1, amer);
    assert_eq!(of[2].1.len(), 3, "25% of 9, rounded up");

    let auto = lab.json(&["plan", "--split", "auto"], 0);
    let of = waves(&auto);
    assert_eq!(of.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["canary", "tenth", "rest"]);
    assert_eq!(of[1].1.len(), 1);
    let report = lab.json(&["plan", "--split", "none"], 0);
    assert_eq!(report["waves"], Value::Null);
}

#[test]
fn a_wave_begins_when_the_one_before_is_swapped() {
    let lab = lab(4, "[[wave]]\nname = \"canary\"\npick = { tenants = \"acme\" }\n");
    lab.plan().expect(0);
    let (host, method) = (lab.sim.tenants()[0].domain.clone(), Some("POST".to_owned()));
    let path = "/integrations/api/v1/api-services".to_owned();
    let fault =
        Fault { host, method, path, query: String::new(), kind: FaultKind::Status { status: 400 }, times: 1, skip: 0 };
    lab.sim.add_fault(fault);
    let failed = lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    assert!(failed.stdout.contains("the wave `rest` (3 tenants) does not begin"), "{}", failed.show());
    assert!(
        failed.stdout.contains("tenants of earlier waves are not swapped yet: acme is failed"),
        "{}",
        failed.show()
    );
    assert_eq!((lab.in_state("failed"), lab.in_state("planned").len()), (vec!["acme".to_owned()], 3));
    let report = lab.json(&["apply", "plan.json", "--yes"], 0);
    assert_eq!(report["waves"][0]["wave"], "canary");
    assert_eq!(lab.in_state("swapped").len(), 4);
    let back = lab.run(&["rollback", "--wave", "canary", "--yes"]).expect(4);
    assert!(back.stdout.contains("acme"), "{}", back.show());
    assert_eq!(lab.in_state("rolling-back"), ["acme"]);
    let again = lab.run(&["apply", "plan.json", "--yes"]).expect(6);
    assert!(again.stdout.contains("acme: refused\n  the tenant is being rolled back"), "{}", again.show());
}

#[test]
fn a_person_opens_and_holds_waves() {
    let configured = "[run]\nplan_lifetime = \"2000h\"\n\
                      [[wave]]\nname = \"canary\"\npick = { tenants = \"acme\" }\n\
                      [[wave]]\nname = \"second\"\npick = { tenants = \"globex\" }\n\
                      [[wave]]\nname = \"later\"\npick = { tenants = \"initech\" }\nopens_after = \"confirmed for 1000h\"\n\
                      [[wave]]\nname = \"rest\"\nopens_after = \"by hand\"\n";
    let lab = lab(5, configured);
    lab.plan().expect(0);
    let unknown = lab.run(&["apply", "plan.json", "--yes", "--hold-after", "canry"]).expect(2);
    assert!(
        unknown.stderr.contains("the plan has no wave `canry`") && unknown.stderr.contains("did you mean `canary`?")
    );
    lab.run(&["apply", "plan.json", "--yes", "--hold-after", "canary"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ["acme"]);
    let held = lab.json(&["apply", "plan.json", "--yes"], 4);
    assert_eq!(held["waves"].as_array().unwrap().len(), 1);
    assert_eq!((&held["waves"][0]["wave"], &held["held"]["wave"]), (&"second".into(), &"later".into()));
    assert!(word(&held["held"]["reason"]).starts_with("it opens at "), "{held}");
    assert_eq!(lab.in_state("swapped"), ["acme", "globex"]);
    // Nothing runs before that, so nobody is asked anything, and the command says the same.
    assert_eq!(lab.json(&["apply", "plan.json"], 4)["held"], held["held"]);
    lab.run(&["apply", "plan.json", "--yes", "--wave", "later"]).expect(0);
    let by_hand = lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert!(
        by_hand.stdout.contains("the wave `rest` (2 tenants) does not begin: it is opened by hand"),
        "{}",
        by_hand.show()
    );
    assert!(by_hand.stdout.contains("next: flowswap apply plan.json --wave rest"), "{}", by_hand.show());
    lab.run(&["apply", "plan.json", "--yes", "--wave", "rest"]).expect(0);
    assert_eq!(lab.in_state("swapped").len(), 5);
    assert_eq!(lab.json(&["status", "--wave", "rest"], 0)["tenants"].as_array().unwrap().len(), 2);
}

/// What a person opened once need not be opened again for what did not begin at that time.
#[test]
fn a_wave_that_a_person_opened_stays_open() {
    let configured = "[[wave]]\nname = \"canary\"\npick = { tenants = \"acme\" }\n\
                      [[wave]]\nname = \"rest\"\nopens_after = \"confirmed for 20h\"\n";
    let lab = lab(3, configured);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes", "--hold-after", "canary"]).expect(0);
    let (host, kind) = (lab.sim.tenants()[1].domain.clone(), FaultKind::Status { status: 400 });
    lab.sim.add_fault(Fault {
        host,
        method: None,
        path: String::new(),
        query: String::new(),
        kind,
        times: 100,
        skip: 0,
    });
    let opened = lab.run(&["apply", "plan.json", "--yes", "--wave", "rest"]);
    assert_eq!((lab.in_state("swapped"), lab.in_state("planned")), (names(&["acme", "initech"]), names(&["globex"])));
    assert!(opened.code != 0, "{}", opened.show());
    lab.sim.clear_faults();
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped").len(), 3);
}

/// A wave that waits for tenants of others names the command for those, if the same plan does not take them further.
#[test]
fn a_wave_that_waits_names_what_it_waits_for() {
    let lab = lab(2, "[[wave]]\nname = \"canary\"\npick = { tenants = \"acme\" }\n");
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes", "--hold-after", "canary"]).expect(0);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let next = |output: &Output| output.stdout.lines().last().unwrap_or_default().to_owned();
    let held = lab.run(&["apply", "plan.json", "globex"]).expect(4);
    assert_eq!(next(&held), "next: flowswap rollback acme", "{}", held.show());
    lab.outlive_tokens();
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    let held = lab.run(&["apply", "plan.json", "globex"]).expect(4);
    assert_eq!(next(&held), "next: flowswap plan acme -o acme.json", "{}", held.show());
}

/// The number to type is that of the tenants on which the command can begin.
#[test]
fn a_person_types_the_number_of_tenants_that_can_begin() {
    let configured = "[[wave]]\nname = \"canary\"\npick = 21\n\
                      [[wave]]\nname = \"rest\"\nopens_after = \"by hand\"\n";
    let lab = lab(24, configured);
    lab.plan().expect(0);
    let mut terminal = Terminal::start(command(lab.dir(), &["apply", "plan.json"]));
    terminal.await_words("Migrate 21 tenants of the wave `canary`? Type 21 to confirm");
    terminal.enter("20");
    assert_eq!(terminal.finish().0, 5);
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_wave_with_a_misspelt_label_is_refused() {
    let lab = lab(2, "[[wave]]\nname = \"canary\"\npick = { labels = { region = \"emae\" } }\n");
    let refused = lab.run(&["plan", "-o", "plan.json"]).expect(2);
    assert!(
        refused.stderr.contains("the wave `canary` of the configuration: no tenant has the label `region=emae`"),
        "{}",
        refused.show()
    );
}

#[test]
fn the_commands_of_the_documentation() {
    let lab = Lab::with_tenants(12);
    let session = documented("waves").whole();
    let typed = |line: &str, code: i32| {
        let output = lab.run(&line.split(' ').collect::<Vec<_>>()).expect(code);
        session.typed(&format!("flowswap {line}"), &output);
        output
    };
    typed("plan --split auto -o plan.json", 4);
    let shown = typed("show plan.json", 0);
    assert!(shown.stdout.contains("  tenth         1 tenant"), "{}", shown.stdout);
    typed("apply plan.json --hold-after canary --yes", 0);
    let canary = typed("status --wave canary", 0);
    assert!(canary.stdout.contains("swapped") && !canary.stdout.contains("planned"), "{}", canary.stdout);
    assert!(!lab.in_state("planned").is_empty());
    typed("apply plan.json --yes", 0);
    assert_eq!(lab.in_state("planned"), [""; 0]);
    typed("rollback --wave tenth --yes", 4);
    assert_eq!(lab.in_state("rolling-back").len(), 1);
}

#[test]
fn a_tenant_is_finalized_only_after_its_soak() {
    let lab = lab(3, "[run]\nsoak = \"48h\"\n");
    lab.plan().expect(0);
    let applied = lab.run(&["apply", "plan.json", "--yes", "--except", "initech"]).expect(0);
    assert!(!applied.stdout.contains("finalize"), "{}", applied.show());
    lab.outlive_tokens();
    let status = lab.json(&["status", "acme", "initech"], 0);
    let [swapped, planned] = &status["tenants"].as_array().unwrap()[..] else { panic!("{status}") };
    assert_eq!((&swapped["state"], &swapped["next"]), (&"swapped".into(), &Value::Null));
    let from: jiff::Timestamp = word(&swapped["finalize_from"]).parse().unwrap();
    let since: jiff::Timestamp = word(&swapped["since"]).parse().unwrap();
    assert_eq!(from.duration_since(since).as_hours(), 48);
    assert_eq!((&planned["next"], &planned["finalize_from"]), (&"flowswap apply plan.json".into(), &Value::Null));
    let named = lab.run(&["finalize", "acme", "--yes"]).expect(6);
    assert!(named.stderr.contains("`acme` has been swapped only since "), "{}", named.show());
    assert!(named.stderr.contains("or later: flowswap finalize acme"), "{}", named.show());
    let all = lab.run(&["finalize", "--all", "--yes"]).expect(4);
    assert!(all.stderr.contains("2 tenants must stay swapped for 48h (`soak` in `[run]`)"), "{}", all.show());
    assert_eq!(lab.sim.world().orgs.iter().map(|org| org.legacy[0].status.clone()).collect::<Vec<_>>(), ["ACTIVE"; 3]);
    // A rollback waits for nothing.
    lab.run(&["rollback", "globex", "--yes"]).expect(0);
    lab.edit_config(|text| text.replace("soak = \"48h\"\n", ""));
    assert_eq!(lab.json(&["status", "acme"], 0)["tenants"][0]["next"], "flowswap finalize acme");
    lab.run(&["finalize", "acme", "--yes"]).expect(0);
    assert_eq!(lab.in_state("retired"), ["acme"]);
}

#[test]
fn a_wave_that_fails_holds_the_others_of_the_same_command() {
    let configured = "[run]\nmax_failures = 1\nconcurrency = 1\n\
                      [[wave]]\nname = \"canary\"\npick = { tenants = [\"acme\", \"globex\"] }\n";
    for named in [&[][..], &["--wave", "canary,rest"]] {
        let lab = lab(4, configured);
        lab.plan().expect(0);
        let (host, method) = (lab.sim.tenants()[0].domain.clone(), Some("POST".to_owned()));
        let path = "/integrations/api/v1/api-services".to_owned();
        let kind = FaultKind::Status { status: 400 };
        lab.sim.add_fault(Fault { host, method, path, query: String::new(), kind, times: 1, skip: 0 });
        let stopped = lab.json(&[&["apply", "plan.json", "--yes"], named].concat(), 3);
        assert_eq!(stopped["waves"].as_array().unwrap().len(), 1, "{stopped}");
        assert_eq!(stopped["held"]["reason"], "the run of the wave `canary` stopped");
        assert_eq!((lab.in_state("failed").len(), lab.in_state("swapped").len()), (1, 0));
    }
    let lab = lab(4, &configured.replace("max_failures = 1\n", ""));
    lab.plan().expect(0);
    let (host, method) = (lab.sim.tenants()[0].domain.clone(), Some("POST".to_owned()));
    let path = "/integrations/api/v1/api-services".to_owned();
    let kind = FaultKind::Status { status: 400 };
    lab.sim.add_fault(Fault { host, method, path, query: String::new(), kind, times: 1, skip: 0 });
    let held = lab.json(&["apply", "plan.json", "--yes", "--wave", "canary,rest"], 3);
    assert_eq!(
        held["held"]["reason"],
        "tenants of earlier waves are not swapped yet: acme is failed; `--wave rest` begins it all the same"
    );
    // Somebody who has seen that may begin with the wave all the same.
    lab.run(&["apply", "plan.json", "--yes", "--wave", "rest"]).expect(0);
    assert_eq!(lab.in_state("swapped").len(), 3);
}
