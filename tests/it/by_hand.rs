//! The simulator in one terminal and the commands in another, as in `try-it.md`, and the output that scripts may rely
//! on.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::{
    documents::{Session, documented},
    machine::schemas,
    support::{Background, Output, run_in},
};

/// How the documents name the binary that Cargo built. The tests run the same binary.
const ALIAS: &str = "alias flowswap=\"$PWD/target/debug/flowswap\"";

/// Runs the binary in the folder of the simulator, and compares it with a block of a document, if one is given.
struct Terminal<'a> {
    dir: &'a Path,
    session: Option<Session>,
}

impl<'a> Terminal<'a> {
    fn open(dir: &'a Path) -> Self {
        Self { dir, session: None }
    }

    #[track_caller]
    fn run(&self, line: &str, code: i32) -> Output {
        // Scripts add these flags; people do not type them.
        let typed = line.trim_end_matches(" --yes").trim_end_matches(" --format json");
        let output = run_in(self.dir, &line.split(' ').collect::<Vec<_>>()).expect(code);
        if let Some(session) = &self.session {
            session.typed(&format!("flowswap {typed}"), &output);
        }
        output
    }

    #[track_caller]
    fn json(&self, line: &str, code: i32) -> Value {
        let printed = serde_json::from_str(&self.run(&format!("{line} --format json"), code).stdout).unwrap();
        schemas::check(&line.split(' ').collect::<Vec<_>>(), &printed);
        printed
    }

    fn world(&self) -> Value {
        let world = serde_json::from_str(&self.run("sim world --dir .", 0).stdout).unwrap();
        schemas::check(&["sim", "world"], &world);
        world
    }
}

#[test]
fn the_simulator_prints_the_address_of_its_console_and_its_clock_can_be_moved() {
    let dir = crate::support::folder();
    let args = ["sim", "--tenants", "2", "--latency", "0s", "--directory", "cie-guided", "--dir", "fleet"];
    let mut sim = Background::start(dir.path(), &args);
    assert!(sim.first_line().starts_with("ready: 2 tenants on https://127.0.0.1:"));
    let console = sim.first_line().strip_prefix("console: ").unwrap().to_owned();
    let fleet = dir.path().join("fleet");
    let config = fs::read_to_string(fleet.join("migrate.toml")).unwrap();
    assert!(config.contains("plugin = \"cie-guided\""), "{config}");
    assert!(config.contains(&format!("console_url = \"{console}/tenants/{{name}}/directories\"")), "{config}");
    let good = |terminal: &Terminal<'_>| terminal.world()["directories"][0]["sync"]["good"].as_u64().unwrap();
    let terminal = Terminal::open(&fleet);
    let before = good(&terminal);
    terminal.run("sim advance --dir . 10m", 0);
    // Syncs are five minutes apart, so two are due within ten minutes, and a third if the test is slow.
    assert!((2..=3).contains(&(good(&terminal) - before)), "{}", terminal.world());
    let answer = terminal.run("sim advance --dir elsewhere 10m", 2);
    assert!(answer.stderr.contains("with the folder of a running `flowswap sim`"), "{}", answer.stderr);
}

/// What counts days and hours can be rehearsed: the clock of flowswap is that of the simulator.
#[test]
fn an_advance_moves_what_flowswap_counts_from() {
    let dir = crate::support::folder();
    let args = ["sim", "--tenants", "2", "--latency", "0s", "--sync-every", "1h", "--dir", "fleet"];
    let mut sim = Background::start(dir.path(), &args);
    assert!(sim.first_line().starts_with("ready: "));
    let fleet = dir.path().join("fleet");
    let config = fleet.join("migrate.toml");
    let edited = fs::read_to_string(&config).unwrap() + "\n[run]\nsoak = \"48h\"\nplan_lifetime = \"24h\"\n";
    fs::write(&config, edited).unwrap();
    let terminal = Terminal::open(&fleet);
    let days = |detected: &Value| -> Vec<i64> {
        detected["tenants"].as_array().unwrap().iter().map(|row| row["days_left"].as_i64().unwrap()).collect()
    };
    assert_eq!(days(&terminal.json("detect", 0)), [10, 77]);
    assert_eq!(terminal.run("status", 0).stderr, "", "the clock was not moved");
    terminal.run("sim advance --dir . 30d", 0);
    let late = terminal.run("detect", 4);
    assert!(late.stdout.contains("deadline-passed"), "{}", late.stdout);
    assert_eq!(
        late.stderr.lines().next(),
        Some("all times are those of the simulator, 30 d 0 h ahead of this machine")
    );
    assert_eq!(days(&terminal.json("detect", 4)), [-20, 47]);
    assert!(terminal.run("check", 0).stdout.contains(", 0 failed"));

    terminal.run("plan globex -o plan.json", 0);
    terminal.run("sim advance --dir . 25h", 0);
    let expired = terminal.run("apply plan.json --yes", 6);
    assert!(expired.stdout.contains("expired"), "{}", expired.stdout);
    terminal.run("plan globex -o plan.json", 0);
    terminal.run("apply plan.json --yes", 0);
    terminal.run("sim advance --dir . 46h", 0);
    let early = terminal.run("finalize --all --yes", 4);
    assert!(early.stderr.contains("the first can be finalized at "), "{}", early.stderr);
    terminal.run("sim advance --dir . 2h", 0);
    terminal.run("finalize --all --yes", 0);

    // With the time of this machine, the tenants would look younger than they are.
    sim.interrupt();
    sim.finish().expect(0);
    let refused = terminal.run("status", 1);
    assert!(refused.stderr.contains("failed to ask the simulator at 127.0.0.1:"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: start a simulator in an empty folder"), "{}", refused.stderr);
}

#[test]
fn the_simulator_in_one_terminal_and_the_commands_in_another() {
    let dir = crate::support::folder();
    let first = documented("simulator");
    first.done("cargo build");
    first.done(ALIAS);
    // The test uses another folder and a shorter latency.
    first.done("flowswap sim --tenants 12 --dir target/fleet");
    let mut sim = Background::start(dir.path(), &["sim", "--tenants", "12", "--latency", "1ms", "--dir", "fleet"]);
    let ready = sim.first_line();
    assert!(ready.starts_with("ready: 12 tenants on https://127.0.0.1:"), "{ready}");
    assert!(ready.ends_with("configuration fleet/migrate.toml"), "{ready}");
    let fleet = dir.path().join("fleet");
    let second = documented("fleet");
    second.done(ALIAS);
    second.done("cd target/fleet");
    let terminal = Terminal { dir: &fleet, session: Some(second) };

    let world = terminal.world();
    let legacy =
        |world: &Value, org: usize| world["orgs"][org]["legacy"][0]["status"].as_str().unwrap_or("").to_owned();
    check_keys("world", &world, &["format", "orgs", "directories"]);
    check_keys("org", &world["orgs"][0], &["domain", "legacy", "service_clients", "sync_admin", "requests", "others"]);
    check_keys("legacy", &world["orgs"][0]["legacy"][0], &["id", "client_id", "status"]);
    check_keys("requests", &world["orgs"][0]["requests"], &["read", "authenticate", "mutate"]);
    let directory = ["name", "domain", "flow", "client_id", "app_data", "tsg_id", "auth_logs", "submits", "sync"];
    check_keys("directory", &world["directories"][0], &directory);
    let sync = ["last_success", "good", "failed", "users", "groups", "applications"];
    check_keys("sync", &world["directories"][0]["sync"], &sync);

    terminal.run("check", 0);
    let detected = terminal.json("detect", 4);
    check_keys("detect", &detected, &["format", "tenants", "learned"]);
    let row = ["name", "verdict", "flow", "findings", "legacy_client", "service_clients"];
    for tenant in detected["tenants"].as_array().unwrap() {
        has_keys("tenant", tenant, &row);
        for finding in tenant["findings"].as_array().unwrap() {
            has_keys("finding", finding, &["id", "severity", "message", "fix"]);
        }
    }
    terminal.run("plan -o plan.json", 4);
    terminal.run("show plan.json", 0);
    assert_eq!(requests(&terminal.world(), "mutate"), 0, "nothing has changed so far");
    terminal.run("apply plan.json --yes", 0);

    let status = terminal.json("status", 0);
    check_keys("status", &status, &["format", "tenants"]);
    let states = ["planned", "running", "swapped", "soaking", "retired", "finalized", "waiting", "rolling-back"];
    let states = [&states[..], &["rolled-back", "stuck", "failed", "unplanned"]].concat();
    for tenant in status["tenants"].as_array().unwrap() {
        has_keys("tenant", tenant, &["name", "state", "step", "next"]);
        assert!(states.contains(&tenant["state"].as_str().unwrap()), "{tenant}");
    }
    let world = terminal.world();
    let client = ["id", "type", "scopes", "active_secrets"];
    check_keys("service client", &world["orgs"][0]["service_clients"][0], &client);
    assert_eq!(world["directories"][0]["flow"], "client_credentials");
    assert_eq!(world["directories"][0]["client_id"], world["orgs"][0]["service_clients"][0]["id"]);

    terminal.run("rollback acme --yes", 4);
    let world = terminal.world();
    assert_eq!(world["directories"][0]["flow"], "authorization_code");
    assert_ne!(world["orgs"][0]["service_clients"], serde_json::json!([]));
    terminal.run("finalize globex --yes", 4);
    assert_eq!(legacy(&terminal.world(), 1), "ACTIVE");
    terminal.run("sim advance --dir . 90m", 0);
    terminal.run("rollback acme --yes", 0);
    assert_eq!(terminal.world()["orgs"][0]["service_clients"], serde_json::json!([]));
    terminal.run("finalize globex --yes", 0);
    assert_eq!(legacy(&terminal.world(), 1), "INACTIVE");
    terminal.run("finalize globex --purge --yes", 0);
    assert_eq!(legacy(&terminal.world(), 1), "");

    terminal.world();

    sim.terminate();
    sim.finish().expect(0);
    let gone = terminal.run("sim world --dir .", 1);
    assert!(gone.stderr.contains("start the simulator again"), "{}", gone.stderr);
}

#[test]
fn the_same_seed_gives_the_same_world_and_a_used_folder_is_refused() {
    let dir = crate::support::folder();
    let world = |seed: &str, folder: &str| {
        let mut sim = Background::start(dir.path(), &["sim", "--tenants", "3", "--seed", seed, "--dir", folder]);
        sim.first_line();
        let mut world = Terminal::open(&dir.path().join(folder)).world();
        // The request counts and the time are not part of the generated world.
        world["orgs"].as_array_mut().unwrap().iter_mut().for_each(|org| org["requests"] = Value::Null);
        let directories = world["directories"].as_array_mut().unwrap().iter_mut();
        directories.for_each(|directory| directory["sync"]["last_success"] = Value::Null);
        sim.interrupt();
        sim.finish().expect(0);
        world
    };
    assert_eq!(world("7", "a"), world("7", "b"));
    assert_ne!(world("7", "c"), world("8", "d"));

    let mut sim = Background::start(dir.path(), &["sim", "--tenants", "1", "--dir", "used"]);
    sim.first_line();
    Terminal::open(&dir.path().join("used")).run("plan -o plan.json", 0);
    sim.interrupt();
    sim.finish().expect(0);
    let again = run_in(dir.path(), &["sim", "--tenants", "1", "--dir", "used"]).expect(2);
    assert!(again.stderr.contains("holds the journal of an earlier simulation"), "{}", again.stderr);
}

fn requests(world: &Value, kind: &str) -> u64 {
    world["orgs"].as_array().unwrap().iter().map(|org| org["requests"][kind].as_u64().unwrap()).sum()
}

/// Asserts that the object has exactly these keys.
#[track_caller]
fn check_keys(what: &str, object: &Value, keys: &[&str]) {
    let is: BTreeSet<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(is, keys.iter().copied().collect(), "{what}");
}

/// Asserts that the object has at least these keys; later versions may add more.
#[track_caller]
fn has_keys(what: &str, object: &Value, keys: &[&str]) {
    let missing: Vec<_> = keys.iter().filter(|key| object.get(**key).is_none()).collect();
    assert!(missing.is_empty(), "{what} lacks {missing:?}: {object}");
}
