//! Nothing is forgotten: what was done for a tenant, by whom, and from which plan, however its work ended.

use std::time::Duration;

use flowswap_sim::SimConfig;
use jiff::Timestamp;

use super::{
    decisions::{clients, in_doubt},
    resume::{cut_off, slow_lab},
};
use crate::support::{Lab, command, finish};

/// Runs the binary as a person with a name.
fn run_as(lab: &Lab, name: &str, args: &[&str], code: i32) -> String {
    let mut command = command(lab.dir(), args);
    command.env("FLOWSWAP_USER", name);
    finish(command).expect(code).stdout
}

/// A tenant that was stuck, resolved, rolled back, and migrated again.
#[test]
fn the_history_of_a_tenant_tells_everything_that_was_done() {
    let (lab, ours, _) = in_doubt();
    let applied = ["resolve", "acme", "--yes", "--as", "applied", "--reason", "seen in the admin console", "--output"];
    run_as(&lab, "Dana", &[&applied[..], &[&format!("client_id={ours}")]].concat(), 0);
    run_as(&lab, "Dana", &["apply", "plan.json", "--yes"], 0);
    lab.outlive_tokens();
    run_as(&lab, "Erik", &["rollback", "acme", "--yes"], 0);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);

    let history = lab.run(&["history", "acme"]).expect(0).stdout;
    let line = |words: &[&str]| {
        let is_it = |line: &&str| words.iter().all(|word| line.contains(word));
        let found = history.lines().position(|line| is_it(&line));
        found.unwrap_or_else(|| panic!("no line has {words:?}:\n{history}"))
    };
    let order = [
        line(&["planned it: plan ", "plan.json"]),
        line(&["set out to apply plan "]),
        line(&["POST https://", "no answer"]),
        line(&["ended, and the tenant is stuck"]),
        line(&["Dana (", "decided that `provision` is applied (“seen in the admin console”)"]),
        line(&["ended, and the tenant is swapped"]),
        line(&["Erik (", "set out to roll back plan "]),
        line(&["deleted the secret `acme/provision/client_secret`"]),
        line(&["ended, and the tenant is rolled-back"]),
    ];
    assert!(order.is_sorted(), "{order:?}\n{history}");
    assert_eq!(history.matches("ended, and the tenant is swapped").count(), 2, "{history}");
    assert_eq!(history.matches("planned it").count(), 2, "{history}");

    // A script gets the same, with the user of the operating system and the machine.
    let report = lab.json(&["history", "acme"], 0);
    let events = report["tenants"]["acme"].as_array().unwrap();
    assert_eq!(events.len(), history.lines().count() - 1);
    let decided = events.iter().find(|event| event["kind"] == "resolved").unwrap();
    assert_eq!(decided["by"]["as"], "Dana");
    assert!(decided["by"]["user"].is_string() && decided["by"]["host"].is_string(), "{decided}");
    // Evidence is about the present work alone.
    let evidence = lab.json(&["evidence", "acme"], 0);
    assert_eq!(evidence["said"].as_array().unwrap().len(), 0);
    assert_eq!(clients(&lab).len(), 2, "the stranger's client, and the one in use");

    let since = events.last().unwrap()["at"].as_str().unwrap();
    let recent = lab.json(&["history", "--since", since], 0);
    // As points in time: as text, `01.5Z` comes after `01.52Z`.
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let is_recent = |event: &&serde_json::Value| time(event["at"].as_str().unwrap()) >= time(since);
    assert_eq!(recent["tenants"]["acme"].as_array().unwrap().len(), events.iter().filter(is_recent).count());
    assert!(lab.run(&["history", "nobody"]).expect(2).stderr.contains("there is no tenant `nobody`"));
    lab.audit(1);
}

/// A pilot with its own plan, and then the rest with a plan that is older.
#[test]
fn a_plan_from_before_the_pilot_migrates_the_rest() {
    let lab = Lab::with_tenants(3);
    lab.run(&["plan", "-o", "all.json"]).expect(0);
    lab.run(&["plan", "acme", "-o", "pilot.json"]).expect(0);
    lab.run(&["apply", "pilot.json", "--yes"]).expect(0);
    let output = lab.run(&["apply", "all.json", "--yes", "-v"]).expect(0);
    assert!(output.stdout.contains("already swapped by plan "), "{}", output.stdout);
    assert_eq!(lab.in_state("swapped").len(), 3);
    let report = lab.json(&["apply", "all.json", "--yes"], 0);
    assert_eq!(report["tenants"][0]["outcome"], "already-done");
    lab.audit(3);
}

/// A rollback that was cut off is continued, whatever ran since, in another folder, and never becomes a finalize.
#[test]
fn a_rollback_that_was_cut_off_outlives_other_commands() {
    let lab = slow_lab();
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    cut_off(&lab, &["rollback", "acme", "globex", "--yes"], "acme: swap rollback done");
    for name in ["acme", "globex"] {
        let status = lab.json(&["status", name], 0);
        assert_eq!(status["tenants"][0]["next"], format!("flowswap resume {name}"), "{status}");
    }
    // Another tenant, another command.
    lab.run(&["finalize", "initech", "--yes"]).expect(0);
    let (elsewhere, config) = (crate::support::folder(), lab.path("migrate.toml"));
    std::fs::remove_file(lab.path("plan.json")).unwrap();
    let mut resume = command(elsewhere.path(), &["resume", "--yes", "--config", config.to_str().unwrap()]);
    resume.env_remove("FLOWSWAP_CONFIG");
    let output = finish(resume).expect(0);
    assert!(output.stderr.contains(" left 2 tenants (acme, globex) unfinished"), "{}", output.stderr);
    assert_eq!(lab.in_state("rolled-back"), ["acme", "globex"]);
    assert_eq!(lab.in_state("retired"), ["initech"]);
}

/// A tenant that a run did not reach can be given up. One that the configuration lost is still shown.
#[test]
fn an_unfinished_tenant_is_given_up_or_shown_without_its_configuration() {
    let lab = Lab::new(SimConfig::default().tenants(2).latency(Duration::from_millis(20)));
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
    lab.plan().expect(0);
    cut_off(&lab, &["apply", "plan.json", "--yes"], "acme: provision done");
    let output = lab.run(&["rollback", "globex", "--yes"]).expect(0);
    assert!(output.stderr.contains("nothing was done for globex; flowswap will give it up"), "{}", output.stderr);
    lab.run(&["resume", "--yes"]).expect(0);
    assert_eq!(lab.states(), [("acme".to_owned(), "swapped".to_owned()), ("globex".to_owned(), "planned".to_owned())]);

    lab.edit_config(|text| text.replace("name = \"acme\"", "name = \"other\""));
    let status = lab.run(&["status"]).expect(0).stdout;
    assert!(status.contains("acme: the configuration no longer has this tenant"), "{status}");
    assert_eq!(lab.json(&["status", "acme"], 0)["tenants"][0]["next"], serde_json::Value::Null);
    let gone = lab.run(&["rollback", "acme", "--yes"]).expect(2);
    let what = "the configuration no longer has what flowswap started to migrate: `acme`";
    assert!(gone.stderr.contains(what), "{}", gone.stderr);
    let sides = format!("provider `okta` for acme.okta.test (domain, variant_types) and directory `rest` for {}", {
        lab.sim.tenants()[0].directory_id.clone()
    });
    assert!(gone.stderr.contains(&sides) && gone.stderr.contains("base_url, "), "{}", gone.stderr);
    for command in [&["sheet", "acme"][..], &["decline", "acme", "--reason", "gone"], &["finalize", "acme"]] {
        let gone = lab.run(command).expect(2).stderr;
        assert!(gone.contains(what) && gone.contains(&sides), "{command:?}: {gone}");
    }
}

/// A tenant that the configuration no longer has stops no other one, is named in the report, and its refusal is recorded.
#[test]
fn a_tenant_without_its_configuration_stops_no_other_one() {
    const GONE: &str = "the configuration no longer has the tenant: add it again to continue it";
    let lab = Lab::with_tenants(3);
    lab.run(&["plan", "-o", "first.json"]).expect(0);
    let lose = |name: &str| lab.edit_config(|text| text.replace(&format!("name = \"{name}\""), "name = \"other\""));
    let find = |name: &str| lab.edit_config(|text| text.replace("name = \"other\"", &format!("name = \"{name}\"")));
    let others_go_on = |args: &[&str], goal: &str, end: &str| {
        lose("globex");
        let report = lab.json(args, 6);
        let rows = report["tenants"].as_array().unwrap();
        let of = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
        assert_eq!((&of("acme")["state"], &of("initech")["state"]), (&end.into(), &end.into()), "{report}");
        assert_eq!((&of("globex")["outcome"], &of("globex")["changes"][0]), (&"refused".into(), &GONE.into()));
        let status = lab.json(&["status", "globex"], 0);
        assert_eq!(status["tenants"][0]["refused"]["goal"], goal, "{status}");
        find("globex");
    };
    others_go_on(&["apply", "first.json", "--yes"], "swapped", "swapped");
    lab.run(&["apply", "first.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    others_go_on(&["finalize", "--all", "--yes"], "retired", "retired");
    others_go_on(&["rollback", "--all", "--yes"], "rolled-back", "rolling-back");
}

/// A refusal does not end what a run has to do: the command that the refusal names continues it.
#[test]
fn a_refused_resume_can_be_repeated_with_accepted_changes() {
    let lab = slow_lab();
    lab.plan().expect(0);
    cut_off(&lab, &["apply", "plan.json", "--yes"], "acme: provision done");
    std::fs::remove_file(lab.path("plan.json")).unwrap();
    let healthy = |more: &str| format!("healthy = [\"success\"{more}]");
    lab.edit_config(|text| text.replace(&healthy(""), &healthy(", \"ok\"")));
    let refused = lab.run(&["resume", "acme", "--yes"]);
    assert_eq!(refused.code, 6, "{}", refused.show());
    let status = lab.json(&["status", "acme"], 0);
    assert_eq!(status["tenants"][0]["next"], "flowswap resume acme", "{status}");
    assert_eq!(status["tenants"][0]["refused"]["goal"], "swapped", "{status}");
    let accepted = lab.run(&["resume", "acme", "--yes", "--accept-changes"]).expect(0);
    assert!(
        accepted.stderr.contains("acme: continues although it changed: the configuration of "),
        "{}",
        accepted.stderr
    );
    lab.edit_config(|text| text.replace(&healthy(", \"ok\""), &healthy("")));
    lab.run(&["resume", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped").len(), 3);
    assert!(lab.run(&["resume", "nobody", "--yes"]).expect(2).stderr.contains("no tenant `nobody`"));
}

/// The plan would be refused again.
#[test]
fn status_proposes_a_new_plan_after_a_refusal() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    assert_eq!(lab.json(&["status"], 0)["tenants"][0]["next"], "flowswap apply plan.json");
    lab.edit_config(|text| text.replace("healthy = [\"success\"]", "healthy = [\"success\", \"ok\"]"));
    lab.run(&["apply", "plan.json", "--yes"]).expect(6);
    assert_eq!(lab.json(&["status"], 0)["tenants"][0]["next"], "flowswap plan acme -o acme.json");
    lab.run(&["plan", "-o", "plan.json"]).expect(0);
    assert_eq!(lab.json(&["status"], 0)["tenants"][0]["next"], "flowswap apply plan.json");
}

/// The snapshot is only a cache: whatever happens to its file, commands tell the truth, and the audit names it.
#[test]
fn a_wrong_snapshot_never_changes_what_is_said() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let path = lab.path(".flowswap/journal.snapshot");
    let (right, states) = (std::fs::read_to_string(&path).unwrap(), lab.states());
    let (header, lines) = right.split_once('\n').unwrap();
    let damaged = [
        String::new(),
        right[..right.len() / 2].to_owned(),
        format!("{header}\n{}", lines.replace("swapped", "stuck")),
        right.replacen("\"seq\":", "\"seq\":1", 1),
        "no snapshot".to_owned(),
    ];
    for content in damaged {
        std::fs::write(&path, &content).unwrap();
        assert_eq!(lab.states(), states, "{content}");
        let audit = lab.run(&["audit", "verify"]).expect(0).stdout;
        assert!(audit.contains("no command uses it"), "{audit}");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(lab.states(), states);
    // A forged one is found by the audit, and not used for work.
    let journal = lab.path(".flowswap/journal.sqlite");
    std::fs::write(&path, &right).unwrap();
    let mut forged = flowswap_store::read_snapshot(&journal).unwrap();
    forged.tenants.get_mut("acme").unwrap().state = flowswap_engine::TenantState::RolledBack;
    flowswap_store::write_snapshot(&journal, &forged).unwrap();
    let audit = lab.run(&["audit", "verify"]).expect(3).stdout;
    assert!(audit.contains("it does not agree with the journal; delete `"), "{audit}");
    // Neither is an intent that the journal does not have, whether it names its plan or not.
    let right = {
        std::fs::write(&path, &right).unwrap();
        flowswap_store::read_snapshot(&journal).unwrap()
    };
    for plan in [None, right.tenants["acme"].plan.clone()] {
        let (mut forged, run) = (right.clone(), flowswap_engine::RunId::generate());
        let (goal, at) = (flowswap_engine::Goal::RolledBack, Timestamp::now());
        let intent = flowswap_engine::Intent { goal, plan, path: None, run, at, is_refused: false, newer_plan: None };
        forged.tenants.get_mut("acme").unwrap().intent = Some(intent);
        flowswap_store::write_snapshot(&journal, &forged).unwrap();
        let audit = lab.run(&["audit", "verify"]).expect(3).stdout;
        assert!(audit.contains("it does not agree with the journal; delete `"), "{audit}");
        let resumed = lab.run(&["resume", "--yes"]).expect(0);
        assert!(resumed.stderr.contains("there is nothing to continue"), "{}", resumed.stderr);
        assert_eq!(lab.states(), states);
    }
    std::fs::remove_file(&path).unwrap();
    lab.audit(2);
}
