//! Plans that were edited, have expired, or were made with other code are refused before anything is sent.

use std::fs;

use flowswap_sim::{Fault, FaultKind, GATEWAY_HOST, SimConfig};

use crate::support::{Lab, plugin_file};

/// A lab with a plan for two tenants, and the number of requests so far.
fn planned() -> (Lab, usize) {
    let lab = Lab::new(SimConfig::default().tenants(2).record(true));
    lab.plan().expect(0);
    let requests = lab.sim.traffic().len();
    (lab, requests)
}

/// What flowswap says of a file that it cannot take for a plan. To name one is a mistake of the command line.
const NO_PLAN: &str = "the file is not a plan";

/// Applies the plan. Asserts that it is refused with these words and that no request is sent.
#[track_caller]
fn refuse(lab: &Lab, requests: usize, args: &[&str], words: &str) {
    let output =
        lab.run(&[&["apply", "plan.json", "--yes"], args].concat()).expect(if words == NO_PLAN { 2 } else { 6 });
    assert!(output.stderr.contains(words), "`{words}` is missing:\n{}", output.stderr);
    assert!(output.stderr.contains("hint: "), "{}", output.stderr);
    assert_eq!(lab.sim.traffic().len(), requests, "something was sent");
    assert_eq!(output.stdout, "");
}

#[test]
fn a_changed_plan_is_refused() {
    let (lab, requests) = planned();
    let path = lab.path("plan.json");
    let text = fs::read_to_string(&path).unwrap();
    let digest = text.find("\"digest\": \"").unwrap() + "\"digest\": \"".len();
    let replace_at = |at: usize| {
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    };
    let changed = "digest does not match";
    let table: Vec<(&str, String, &str)> = vec![
        ("a name", text.replacen("globex", "globey", 1), changed),
        ("a digit of the digest", replace_at(digest), changed),
        ("a digit of a plugin's hash", replace_at(text.find("\"sha256\": \"").unwrap() + 12), changed),
        ("a digit of a time", text.replacen("not_after\": \"2", "not_after\": \"3", 1), changed),
        ("a space more", text.replacen(": ", ":  ", 1), changed),
        ("a space less", text.replacen("  ", " ", 1), changed),
        ("a line end more", format!("{text}\n"), changed),
        ("no line end", text.trim_end().to_owned(), changed),
        ("a carriage return", text.replacen('\n', "\r\n", 1), changed),
        ("a word", text.replacen("\"unattended\"", "\"irreversible\"", 1), changed),
        ("a key more", text.replacen("{\n", "{\n  \"note\": 1,\n", 1), changed),
        ("a byte-order mark", format!("\u{feff}{text}"), NO_PLAN),
        ("truncated", text[..text.len() / 2].to_owned(), NO_PLAN),
        ("nothing", String::new(), NO_PLAN),
        ("another format", text.replacen("\"format\": 1", "\"format\": 2", 1), "reads format 1"),
    ];
    for (what, edited, words) in table {
        assert_ne!(edited, text, "{what}: the edit changed nothing");
        fs::write(&path, edited).unwrap();
        refuse(&lab, requests, &[], words);
    }
    assert!(lab.in_state("planned").len() == 2);
    fs::write(&path, text).unwrap();
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
}

#[test]
fn an_expired_plan_is_refused() {
    let lab = Lab::new(SimConfig::default().tenants(2).record(true));
    lab.edit_config(|text| format!("{text}\n[run]\nplan_lifetime = \"1ms\"\n"));
    lab.plan().expect(0);
    let requests = lab.sim.traffic().len();
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(6);
    assert!(output.stdout.starts_with("2 tenants: refused (acme, globex)\n"), "{}", output.stdout);
    assert!(output.stdout.contains("/plan.json) expired at "), "{}", output.stdout);
    assert_eq!(lab.sim.traffic().len(), requests, "something was sent");
}

/// Anyone who seals a plan again can also let it expire later.
#[test]
fn a_plan_that_is_valid_longer_than_the_configuration_allows_is_refused() {
    let lab = Lab::new(SimConfig::default().tenants(1).record(true));
    lab.plan().expect(0);
    lab.edit_config(|text| format!("{text}\n[run]\nplan_lifetime = \"1h\"\n"));
    let requests = lab.sim.traffic().len();
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(6);
    assert!(output.stderr.contains("but `run.plan_lifetime` allows only 1h"), "{}", output.stderr);
    assert_eq!(lab.sim.traffic().len(), requests, "something was sent");
}

/// The commands can be pasted: they name the tenants, quote the files, and lead to the same configuration.
#[test]
fn a_refusal_names_the_plan_and_the_command_that_helps() {
    let lab = Lab::with_tenants(2);
    lab.edit_config(|text| format!("{text}\n[run]\nplan_lifetime = \"1ms\"\n"));
    fs::rename(lab.path("migrate.toml"), lab.path("my fleet.toml")).unwrap();
    let run = |args: &[&str], code| lab.run(&[&["--config", "my fleet.toml"], args].concat()).expect(code);
    let planned = run(&["plan", "-o", "my plan.json"], 0).stderr;
    assert!(planned.ends_with("flowswap --config 'my fleet.toml' apply 'my plan.json'\n"), "{planned}");
    let names: Vec<String> = lab.sim.tenants().into_iter().map(|tenant| tenant.name).collect();

    let expired = run(&["apply", "my plan.json", "--yes"], 6).stdout;
    let again = format!("next: flowswap --config 'my fleet.toml' plan {} -o NEW.json\n", names.join(" "));
    assert!(expired.contains(&again), "{expired}");
    let status = lab.json(&["--config", "my fleet.toml", "status"], 0);
    let again = format!("flowswap --config 'my fleet.toml' plan {0} -o {0}.json", names[0]);
    assert_eq!(status["tenants"][0]["next"], again);
    assert!(run(&["status"], 0).stdout.contains(&again), "also for a person");
    let digest = run(&["apply", "my plan.json", "--yes", "--digest", "1234"], 6).stderr;
    assert!(digest.ends_with("flowswap --config 'my fleet.toml' show 'my plan.json'\n"), "{digest}");
    let text = fs::read_to_string(lab.path("my plan.json")).unwrap();
    fs::write(lab.path("my plan.json"), text + " ").unwrap();
    for command in [&["show", "my plan.json"][..], &["apply", "my plan.json", "--yes"]] {
        let changed = run(command, 6).stderr;
        assert!(changed.starts_with("error: failed to read the plan `my plan.json`\n"), "{changed}");
    }
}

#[test]
fn a_tenant_in_rollback_is_refused_with_the_command_that_finishes_it() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let refused = lab.run(&["apply", "plan.json", "--yes"]).expect(6).stdout;
    assert!(refused.contains("\n  next: flowswap rollback acme\n"), "{refused}");
}

#[test]
fn a_plan_in_progress_is_not_overwritten() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let (path, kind) = ("/v1/directories/".to_owned(), FaultKind::Status { status: 403 });
    let method = Some("POST".to_owned());
    lab.sim.add_fault(Fault {
        host: GATEWAY_HOST.to_owned(),
        method,
        path,
        query: String::new(),
        kind,
        times: 1,
        skip: 0,
    });
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    let before = fs::read_to_string(lab.path("plan.json")).unwrap();
    let refused = lab.plan().expect(6);
    assert!(refused.stderr.contains("`plan.json` is still in use for `acme` (state: failed)"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(lab.path("plan.json")).unwrap(), before);
    let elsewhere = lab.run(&["plan", "-o", "other.json"]).expect(4);
    assert!(elsewhere.stdout.contains("migration-begun"), "{}", elsewhere.stdout);
}

#[test]
fn a_rolled_back_plan_is_refused() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    let before = lab.sim.snapshot();
    let again = lab.run(&["apply", "plan.json", "--yes"]).expect(6);
    assert!(again.stdout.contains("/plan.json) was made: plan it again"), "{}", again.stdout);
    assert_eq!(lab.sim.snapshot(), before);
}

#[test]
fn a_changed_configuration_does_not_roll_anything_back() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.edit_config(|text| text.replacen("acme.okta.test", "globex.okta.test", 1));
    let before = lab.sim.snapshot();
    let refused = lab.run(&["rollback", "acme", "--yes"]).expect(6);
    assert!(
        refused.stdout.contains("the configuration of `provider.domain` changed since the plan was made"),
        "{}",
        refused.stdout
    );
    assert_eq!(lab.sim.snapshot(), before);
    assert_eq!(lab.in_state("swapped"), ["acme", "globex"]);
}

#[test]
fn one_directory_that_is_configured_twice_is_planned_once() {
    let lab = Lab::with_tenants(1);
    lab.edit_config(|text| {
        let tenant = text[text.find("[[tenant]]").unwrap()..].replace("name = \"acme\"", "name = \"twin\"");
        format!("{text}\n{tenant}")
    });
    fs::copy(lab.path("tokens/acme.token"), lab.path("tokens/twin.token")).unwrap();
    let plan = lab.plan().expect(4);
    assert!(plan.stdout.contains("org-shared: this plan already migrates `acme`"), "{}", plan.stdout);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.sim.world().directories[0].submits, 1);
}

#[test]
fn a_plan_made_with_another_plugin_build_is_refused() {
    let (lab, requests) = planned();
    fs::create_dir(lab.path("plugins")).unwrap();
    let mut library = fs::read(plugin_file("okta")).unwrap();
    library.push(0);
    fs::write(lab.path("plugins").join(plugin_file("okta").file_name().unwrap()), library).unwrap();
    // Even if the operator accepts changes: nothing has started, and a new plan costs nothing.
    for args in [&[][..], &["--accept-changes"]] {
        let output = lab.run(&[&["apply", "plan.json", "--yes", "--plugin-dir", "plugins"], args].concat()).expect(6);
        let words = "plugin `okta` has not the build or not the cage that the plan was made with";
        assert!(output.stdout.contains(words) && output.stdout.contains("plan again"), "{}", output.stdout);
        assert_eq!(lab.sim.traffic().len(), requests, "something was sent");
    }

    // A started migration continues only with the same code, unless the operator passes `--accept-changes`.
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    for command in ["rollback", "finalize"] {
        let other = lab.run(&[command, "acme", "--yes", "--plugin-dir", "plugins"]).expect(6);
        assert!(other.stdout.contains("another build or another cage of plugin `okta`"), "{}", other.stdout);
        assert!(other.stdout.contains("--accept-changes"), "{}", other.stdout);
    }
    lab.outlive_tokens();
    lab.run(&["rollback", "acme", "--yes", "--plugin-dir", "plugins", "--accept-changes"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"]);
}

#[test]
fn a_plan_with_only_unknown_tenants_is_refused() {
    let (lab, requests) = planned();
    lab.edit_config(|text| {
        text.replace("name = \"globex\"", "name = \"other\"").replace("name = \"acme\"", "name = \"another\"")
    });
    refuse(&lab, requests, &[], "the plan `plan.json` has the tenant `acme`, but the configuration does not");
}
