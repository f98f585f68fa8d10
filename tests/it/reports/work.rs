//! `flowswap report`: what was done, from the journal of real runs and of every earlier format.

use std::fs;

use flowswap_sim::{Fault, FaultKind, Interface, SimConfig};
use flowswap_store::StateDir;
use insta::assert_snapshot;
use serde_json::Value;

use crate::{
    documents::documented,
    support::{Lab, clock::simulation_at, command, folder, repository, run_in, terminal::Terminal},
};

#[test]
fn an_auditor_gets_a_page() {
    let lab = Lab::with_tenants(3);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let session = documented("what-was-done").whole();
    for line in [
        "report",
        "report --run last -o report.html",
        "report acme --since 30d --as markdown",
        "report -o junit.xml -o report.json",
    ] {
        let output = lab.run(&line.split(' ').collect::<Vec<_>>()).expect(0);
        session.typed(&format!("flowswap {line}"), &output);
    }
    let page = fs::read_to_string(lab.path("report.html")).unwrap();
    assert!(page.contains("3 tenants use the client-credential flow, and that is confirmed."), "{page}");
    // A report may be replaced by a later one.
    lab.run(&["report", "-o", "report.html", "-o", "report.json", "-o", "junit.xml"]).expect(0);
    let json = lab.run(&["report", "--as", "json"]).expect(0).stdout;
    assert_eq!(lab.run(&["report", "--format", "json"]).expect(0).stdout, json);
}

/// One tenant fails, one is rolled back, and one waits for a person, who gets the secret and confirms.
#[test]
fn it_tells_what_really_happened() {
    let lab = Lab::new(SimConfig::default().tenants(3).interface(Interface::CieGuided));
    let tenants = lab.sim.tenants();
    let [acme, globex, initech] = [0, 1, 2].map(|index| tenants[index].name.as_str());
    lab.plan().expect(0);
    lab.sim.add_fault(Fault {
        host: tenants[2].domain.clone(),
        method: Some("POST".to_owned()),
        path: "/integrations/api/v1/api-services".to_owned(),
        query: String::new(),
        kind: FaultKind::Status { status: 400 },
        times: 1,
        skip: 0,
    });
    lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    lab.run(&["rollback", globex, "--yes"]).expect(0);
    assert_eq!(Terminal::start(command(lab.dir(), &["secret", "copy", acme, "--print"])).finish().0, 0);
    lab.run(&["confirm", acme, "--note", "ticket 4711"]).expect(4);

    let report = lab.json(&["report"], 0);
    let states: Vec<_> = lab.states();
    let told = |tenant: &Value| (text(&tenant["name"]).to_owned(), text(&tenant["state"]).to_owned());
    assert_eq!(report["tenants"].as_array().unwrap().iter().map(told).collect::<Vec<_>>(), states);
    let tenant =
        |name: &str| report["tenants"].as_array().unwrap().iter().find(|tenant| tenant["name"] == name).unwrap();
    // Every request that changed something is there, with the id that the org gave it.
    for name in [acme, globex] {
        let evidence = lab.json(&["evidence", name], 0);
        let shown = evidence["steps"].as_array().unwrap().iter().flat_map(|step| step["requests"].as_array().unwrap());
        let told = tenant(name)["attempts"].as_array().unwrap();
        let told: Vec<&Value> = told.iter().flat_map(|attempt| attempt["requests"].as_array().unwrap()).collect();
        for request in shown {
            let is_it = |told: &&Value| told["at"] == request["at"] && told["outcome"] == request["outcome"];
            assert!(told.iter().copied().any(|told| is_it(&told)), "{request} is not in {told:#?}");
        }
        let created = told.iter().find(|request| request["outcome"]["status"] == 201).unwrap();
        assert!(text(&created["outcome"]["request_id"]).starts_with("req"), "{created}");
    }
    assert_eq!(report["failures"].as_array().unwrap().len(), 1, "{report:#}");
    assert_eq!(report["failures"][0]["tenants"], serde_json::json!([initech]));
    assert_eq!(report["failures"][0]["step"], "provision");
    let handed_over: Vec<_> =
        tenant(acme)["secrets"].as_array().unwrap().iter().filter(|line| line["event"] == "handed-over").collect();
    assert_eq!(handed_over.len(), 1);
    assert_eq!(text(&handed_over[0]["handle"]), format!("{acme}/provision/client_secret"));
    assert_eq!((text(&handed_over[0]["way"]), text(&handed_over[0]["by"]["user"]).is_empty()), ("terminal", false));
    let said = tenant(acme)["statements"].as_array().unwrap().iter().find(|said| said["kind"] == "confirmed").unwrap();
    assert_eq!((text(&said["step"]), text(&said["note"])), ("swap", "ticket 4711"));
    assert_eq!(report["unknowns"], serde_json::json!([]), "nothing is in doubt");

    let audit = lab.json(&["audit", "verify"], 0);
    let told = ["records", "hash"].map(|member| report["journal"][member].clone());
    assert_eq!(told, ["records", "head"].map(|member| audit["journal"][member].clone()));

    let page = lab.run(&["report", "--as", "html"]).expect(0).stdout;
    for words in
        ["ticket 4711", "/provision/client_secret</code> (terminal)", "1 tenant failed or is stuck.", "request id req"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let last = lab.json(&["report", "--run", "last"], 0);
    assert_eq!(last["runs"].as_array().unwrap().len(), 1);
    let id = text(&last["runs"][0]["id"]);
    assert_eq!(lab.json(&["report", "--run", id], 0), {
        let mut expect = last.clone();
        expect["selection"]["run"] = id.into();
        expect
    });
}

#[test]
fn a_selection_with_nothing_in_it_says_what_there_is() {
    let lab = Lab::with_tenants(1);
    let refuse = |line: &str, error: &str, hint: &str| {
        let output = lab.run(&line.split(' ').collect::<Vec<_>>()).expect(2);
        assert!(output.stderr.contains(error) && output.stderr.contains(hint), "{line}: {}", output.stderr);
        assert_eq!(output.stdout, "");
    };
    refuse("report", "the journal has no record yet", "flowswap plan -o plan.json");
    lab.plan().expect(0);
    refuse("report --run last", "the journal has no run yet", "flowswap apply plan.json");
    refuse("report --since 2999-01-01T00:00:00Z", "nothing in this range", "flowswap history");
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    refuse("report nobody", "there is no tenant `nobody`", "flowswap status");
    refuse("report --run ffff", "no run of the journal begins with `ffff`", "(apply, ");
    refuse("report --run 0", "2 runs begin with `0`", "(rollback, ");
    refuse("report --since 2999-01-01T00:00:00Z", "the journal has nothing in this range", "the last runs: ");
    refuse("report --since 7d --run last", "cannot be used with", "");
    refuse("report -o report.pdf", "the name of a report must end in", "pass `--as html`");
}

/// Journals of earlier formats lack some facts. The report says so, and tells nothing else about them than `status`.
#[test]
fn a_journal_of_every_format_gives_a_report() {
    let mut fixtures: Vec<_> = fs::read_dir(repository().join("fixtures/journals"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sqlite"))
        .collect();
    fixtures.sort();
    let mut shown = String::new();
    for fixture in &fixtures {
        let dir = folder();
        fs::write(dir.path().join("migrate.toml"), simulation_at("2026-12-02T12:00:30Z") + CONFIG).unwrap();
        let state = StateDir::create(dir.path().join(".flowswap")).unwrap();
        fs::copy(fixture, state.journal()).unwrap();
        let name = fixture.file_name().unwrap().to_str().unwrap();
        let run = |args: &[&str]| run_in(dir.path(), args).expect(0).stdout;
        let report: Value = serde_json::from_str(&run(&["report", "--format", "json"])).unwrap();
        let status: Value = serde_json::from_str(&run(&["status", "--format", "json"])).unwrap();
        let facts = |value: &Value| -> Vec<[Value; 3]> {
            let tenants = value["tenants"].as_array().unwrap().iter();
            tenants.map(|tenant| ["name", "state", "since"].map(|member| tenant[member].clone())).collect()
        };
        assert_eq!(facts(&report), facts(&status), "{name}");
        for face in ["html", "markdown", "junit"] {
            assert!(!run(&["report", "--as", face]).is_empty());
        }
        let is_anonymous = report["runs"].as_array().unwrap().iter().any(|run| run["by"].is_null());
        assert_eq!(is_anonymous, name < "format-4", "{name}: before format 4, some runs do not say who started them");
        shown += &format!("{name}\n{}\n", run(&["report"]));
    }
    assert_eq!(fixtures.len(), 5, "read what the new journal gives");
    let filters = vec![(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "RUN")];
    insta::with_settings!({ filters => filters }, {
        assert_snapshot!(shown);
    });
}

const CONFIG: &str = "[defaults]\nprovider = { plugin = \"okta\", domain = \"{name}.okta.test\" }\n\
    directory = { plugin = \"rest\" }\n[[tenant]]\nname = \"acme\"\n[[tenant]]\nname = \"globex\"\n\
    [[tenant]]\nname = \"initech\"\n";

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
