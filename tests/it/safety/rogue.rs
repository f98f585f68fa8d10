//! A plugin that exceeds its rights or crashes its process. The host refuses or survives, reports which plugin did
//! what, and the other tenants continue unaffected.

use std::{
    fs,
    path::{Path, PathBuf},
};

use flowswap_sim::SimConfig;
use serde_json::Value;

use crate::support::{Lab, plugin_file};

/// Misbehavior, and what the output must contain.
const MISBEHAVIORS: &[(&str, &[&str])] = &[
    ("mutate-in-detect", &["`rogue`", "POST", "/rogue", "must not change anything"]),
    ("read-by-post-in-detect", &["`rogue`", "POST", "/rogue", "only GET and HEAD count as reading"]),
    ("foreign-origin-in-detect", &["`rogue`", "GET https://elsewhere.test/rogue", "foreign origin"]),
    ("foreign-secret-in-detect", &["`rogue`", "another-tenant/provider/credential"]),
    ("override-method-in-detect", &["`rogue`", "the header `x-http-method-override`", "only the host may set"]),
    ("own-header-in-detect", &["`rogue`", "the header `x-original-url`", "which you have not allowed"]),
    ("panic-in-detect", &["the plugin panicked in a call", "rogue: the rogue panics as it was told to"]),
];

#[test]
fn a_misbehaving_provider_is_refused() {
    refuse("provider");
}

#[test]
fn a_misbehaving_directory_is_refused() {
    refuse("directory");
}

#[test]
fn a_well_behaved_rogue_is_planned() {
    let lab = lab("provider", None);
    // The rogue reports a directory that does not exist, so its tenant is not ready. But the host refuses it nothing.
    let output = lab.plan();
    assert!(!output.stdout.contains("plugin `rogue`"), "{}", output.stdout);
}

#[track_caller]
fn refuse(role: &str) {
    for (misbehavior, words) in MISBEHAVIORS {
        let lab = lab(role, Some(misbehavior));
        let before = lab.sim.snapshot();
        let output = lab.plan().expect(4);
        let said = format!("{}{}", output.stdout, output.stderr);
        for word in *words {
            assert!(said.contains(word), "{misbehavior} as {role}: `{word}` is missing:\n{said}");
        }
        let plan: Value = serde_json::from_str(&std::fs::read_to_string(lab.path("plan.json")).unwrap()).unwrap();
        let verdicts: Vec<_> = plan["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["verdict"]).collect();
        assert_eq!(verdicts, ["ready", "unknown", "ready"], "{misbehavior} as {role}");
        let sent: Vec<_> = lab.sim.traffic().into_iter().filter(|e| e.path_and_query.contains("rogue")).collect();
        assert!(sent.is_empty(), "{misbehavior} as {role}: {sent:?}");
        assert_eq!(before, lab.sim.snapshot());
    }
}

/// Misbehavior in `apply`, and what the output must contain. The tenant fails.
const IN_APPLY: &[(&str, &[&str])] = &[
    ("panic-in-apply", &["the plugin panicked in a call", "the rogue panics as it was told to"]),
    ("abort-in-apply", &["signal: 6", "restarting the process (restart 1 of 8)"]),
    ("segfault-in-apply", &["signal: 11", "restarting the process (restart 1 of 8)"]),
    ("exit-in-apply", &["exit status: 7", "restarting the process (restart 1 of 8)"]),
    ("huge-in-apply", &["longer than 16 MiB"]),
    ("garbage-in-apply", &["broke the protocol", "sent something that is not a message"]),
    ("foreign-reply-in-apply", &["broke the protocol", "replied to call"]),
    ("greet-in-apply", &["broke the protocol", "greeted twice"]),
    ("ask-late-in-apply", &["broke the protocol", "gave an ask of call"]),
    ("flood-asks-in-apply", &["broke the protocol", "more than 32 things at once"]),
    ("flood-events-in-apply", &["answered one message with more than"]),
    ("foreign-origin-in-apply", &["foreign origin"]),
    ("foreign-secret-in-apply", &["another-tenant/provider/credential"]),
    ("own-header-in-apply", &["with the header `x-original-url`", "which you have not allowed"]),
    ("leave-in-apply", &["replied without waiting for its own request"]),
];

/// Misbehavior that hangs until the host's time limit.
const HANGING: &[(&str, &[&str])] = &[
    ("loop-in-apply", &["did not continue `apply` within 3 s", "restarting the process"]),
    ("silence-in-apply", &["did not continue `apply` within 3 s", "restarting the process"]),
];

#[test]
fn misbehavior_in_apply_fails_only_its_own_tenant() {
    // A run mostly waits between its retries, so several can run at once.
    for words in IN_APPLY.chunks(4) {
        std::thread::scope(|scope| {
            for (word, said) in words {
                scope.spawn(move || fail_alone(word, said, &[]));
            }
        });
    }
}

#[test]
fn a_hanging_plugin_is_stopped_and_fails_only_its_own_tenant() {
    std::thread::scope(|scope| {
        let patience = &["--plugin-patience", "3s"];
        for (word, said) in HANGING {
            scope.spawn(move || fail_alone(word, said, patience));
        }
    });
}

/// Four tenants share one process of the rogue; one of them misbehaves in the swap.
#[track_caller]
fn fail_alone(word: &str, said: &[&str], options: &[&str]) {
    let lab = shared(&[("globex", "directory", word)]);
    lab.plan().expect(0);
    let output = lab.run(&[&["apply", "plan.json", "--yes"], options].concat());
    assert_eq!(output.code, 3, "{word}: {}", output.show());
    let all = output.show();
    for words in said {
        assert!(all.contains(words), "{word}: `{words}` is missing:\n{all}");
    }
    assert_eq!(lab.in_state("failed"), ["globex"], "{word}: {all}");
    assert_eq!(lab.in_state("swapped"), ["acme", "initech", "umbrella"], "{word}: {all}");
}

#[test]
fn a_plugin_that_replies_twice_has_replied_and_is_restarted() {
    let lab = shared(&[("globex", "directory", "reply-twice-in-apply")]);
    lab.plan().expect(0);
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(0).show();
    assert!(output.contains("broke the protocol, and flowswap stopped it: it replied to call"), "{output}");
    assert_eq!(lab.in_state("swapped").len(), 4, "{output}");
}

#[test]
fn a_call_in_flight_when_the_process_dies_has_an_unknown_effect() {
    let lab = shared(&[("globex", "directory", "segfault-in-apply")]);
    lab.plan().expect(0);
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    let output = output.show();
    assert!(output.contains("step `swap`"), "{output}");
    // Each try left the step in doubt, and `observe` settled that in a new process.
    let state = read_state(lab.dir());
    let text = String::from_utf8_lossy(&state);
    assert!(text.contains("signal: 11") && text.contains("\"effect\":\"unknown\""), "nothing is in doubt");
    assert!(text.contains("observed as not finished"), "nothing was observed");
}

/// The bytes of all files in the state folder, including the journal.
fn read_state(dir: &Path) -> Vec<u8> {
    let files = fs::read_dir(dir.join(".flowswap")).unwrap().flatten().map(|entry| entry.path());
    files.filter(|path| path.is_file()).flat_map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn misbehavior_in_a_rollback_fails_only_its_own_tenant() {
    let lab = shared(&[("globex", "directory", "segfault-in-undo")]);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let output = lab.run(&["rollback", "--all", "--yes"]);
    let back = lab.in_state("rolled-back");
    assert!(["acme", "initech", "umbrella"].iter().all(|name| back.contains(&(*name).to_owned())), "{}", output.show());
    // The rogue's process crashed in `undo`.
    assert!(output.show().contains("signal: 11"), "{}", output.show());
}

#[test]
fn a_plugin_process_is_restarted_only_a_limited_number_of_times() {
    let everybody = ["acme", "globex", "initech", "umbrella"].map(|name| (name, "directory", "abort-in-apply"));
    let lab = shared(&everybody);
    lab.plan().expect(0);
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    let all = output.show();
    assert!(all.contains("restarting the process (restart 8 of 8)"), "{all}");
    assert!(!all.contains("restart 9 of"), "{all}");
    assert!(all.contains("ended again after 8 restarts; this run does not restart it again"), "{all}");
    assert_eq!(lab.in_state("swapped"), [""; 0], "{all}");
}

#[test]
fn a_detect_that_another_tenant_interrupted_is_repeated() {
    let lab = shared(&[("globex", "provider", "segfault-in-detect")]);
    let output = lab.plan().expect(4);
    let plan: Value = serde_json::from_str(&fs::read_to_string(lab.path("plan.json")).unwrap()).unwrap();
    let verdicts: Vec<_> = plan["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["verdict"]).collect();
    assert_eq!(verdicts, ["ready", "unknown", "ready", "ready"], "{}", output.show());
}

#[test]
fn the_output_of_a_plugin_is_shown_up_to_a_limit() {
    let lab = shared(&[("globex", "directory", "flood-prints-in-apply")]);
    lab.plan().expect(0);
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert!(output.stderr.contains("flood 1\n"), "{}", output.stderr);
    assert!(output.stderr.contains("it prints too much; flowswap does not show the rest"), "{}", output.stderr);
    assert!(!output.stdout.contains("flood"), "{}", output.stdout);
    assert!(output.stderr.lines().count() < 2000);
}

/// Misbehavior that does not depend on the configuration, and what the output must contain.
const FROM_THE_BEGINNING: &[(&str, &str)] = &[
    ("wrong-name", "the plugin configured as `rogue` calls itself `okta`"),
    ("wrong-major", "the plugin `rogue` uses protocol 2.3, but this flowswap uses 1.3"),
    ("wrong-abi", "it was built for another flowswap: its ABI version is 2, this one is 1"),
    ("short-table", "it was built for an older flowswap: its table has 16 bytes"),
    ("foreign-table", "it is not a flowswap plugin: its table is something else"),
    ("no-table", "it is not a flowswap plugin: its table is missing"),
    ("refuse", "it refused to start"),
];

#[test]
fn a_library_that_lies_about_itself_is_not_used() {
    for (word, said) in FROM_THE_BEGINNING {
        let lab = shared(&[]);
        choose(lab.dir(), word);
        let output = lab.run(&["plan", "--plugin-dir", "."]).expect(1);
        assert!(output.stderr.contains(said), "{word}: {}", output.stderr);
    }
}

#[test]
fn a_plugin_whose_greeting_changes_after_a_restart_is_not_used() {
    let lab = shared(&[("globex", "provider", "segfault-in-detect")]);
    choose(lab.dir(), "fickle-hello");
    let output = lab.run(&["plan", "--plugin-dir", "."]);
    let all = output.show();
    assert!(all.contains("describes itself differently than at its first start"), "{all}");
}

/// One request would be enough to take a credential away.
#[test]
fn a_server_that_only_the_plugin_names_gets_no_request() {
    let lab = shared(&[("globex", "provider", "foreign-origin-in-detect")]);
    choose(lab.dir(), "own-origin");
    let run = |args: &[&str]| lab.run(&[args, &["--plugin-dir", "."]].concat());
    let refused = run(&["detect", "globex"]).expect(4).show();
    assert!(refused.contains("a request to https://elsewhere.test"), "{refused}");
    assert!(refused.contains("which you have not allowed"), "{refused}");
    assert!(refused.contains("add \"https://elsewhere.test\" to `origins` under [plugins.rogue]"), "{refused}");
    let shown = run(&["plugins", "inspect", "rogue"]).expect(0).stdout;
    assert!(shown.contains("{base_url}, https://elsewhere.test (not allowed by `origins`)"), "{shown}");

    lab.edit_config(|text| {
        let local = text.replace("resolve = { ", "resolve = { \"elsewhere.test\" = \"127.0.0.1:1\", ");
        local + "\n[plugins.rogue]\norigins = [\"https://elsewhere.test\"]\n"
    });
    assert!(fs::read_to_string(lab.path("migrate.toml")).unwrap().contains("127.0.0.1:1\""));
    let sent = run(&["detect", "globex"]).show();
    assert!(!sent.contains("not allowed") && sent.contains("elsewhere.test"), "{sent}");
    let shown = run(&["plugins", "inspect", "rogue"]).expect(0).stdout;
    assert!(shown.contains("{base_url}, https://elsewhere.test\n"), "{shown}");
}

/// Copies the rogue into the folder, and writes the misbehavior into the bytes that its library reserves for that.
pub(crate) fn choose(dir: &Path, word: &str) -> PathBuf {
    let library = plugin_file("rogue");
    let mut bytes = fs::read(&library).unwrap();
    let marker = b"rogue-choice:..........";
    let at = bytes.windows(marker.len()).position(|window| window == marker).unwrap() + "rogue-choice:".len();
    bytes[at..at + word.len()].copy_from_slice(word.as_bytes());
    let path = dir.join(library.file_name().unwrap());
    fs::write(&path, bytes).unwrap();
    path
}

/// Four tenants with the rogue as both plugins, which pretends to migrate them. Some misbehave on one side.
fn shared(misbehaving: &[(&str, &str, &str)]) -> Lab {
    let lab = Lab::new(SimConfig::default().tenants(4));
    let tenants = lab.sim.tenants();
    lab.edit_config(|text| {
        let mut config = text[..text.find("[defaults.provider]").unwrap()].to_owned();
        for tenant in &tenants {
            let (name, domain) = (&tenant.name, &tenant.domain);
            config += &format!("[[tenant]]\nname = \"{name}\"\napp_data = false\n");
            for side in ["provider", "directory"] {
                let word = misbehaving.iter().find(|(of, on, _)| of == name && *on == side).map(|(_, _, word)| word);
                let misbehave = word.map(|word| format!("misbehave = \"{word}\"\n")).unwrap_or_default();
                config += &format!(
                    "[tenant.{side}]\nplugin = \"rogue\"\nbase_url = \"https://{domain}\"\ndomain = \"{domain}\"\n\
                     credential = {{ file = \"tokens/{name}.token\" }}\n{misbehave}"
                );
            }
        }
        config
    });
    lab
}

/// Three tenants; the second one has the rogue plugin on one side.
pub(super) fn lab(role: &str, misbehave: Option<&str>) -> Lab {
    let lab = Lab::new(SimConfig::default().tenants(3).record(true));
    let misbehave = misbehave.map(|word| format!("misbehave = \"{word}\"\n")).unwrap_or_default();
    let tenants = lab.sim.tenants();
    lab.edit_config(|text| {
        let (head, rest) = text.split_at(text.find("[defaults.provider]").unwrap());
        let defaults = &rest[..rest.find("[[tenant]]").unwrap()];
        let (provider, directory) = defaults.split_at(defaults.find("[defaults.directory]").unwrap());
        let mut config = head.to_owned();
        // Defaults apply to every tenant, but the rogue does not know the keys of the other plugins.
        for tenant in &tenants {
            let own = |part: &str| part.replace("[defaults.", "[tenant.").replace("{name}", &tenant.name);
            let is_rogue = |side: &str| tenant.name == "globex" && side == role;
            config += &format!("[[tenant]]\nname = \"{}\"\napp_data = {}\n", tenant.name, tenant.app_data);
            config += &if is_rogue("provider") {
                rogue("provider", &tenant.domain, "tokens/globex.token", &misbehave)
            } else {
                with_key(&own(provider), "[tenant.provider]\n", "domain", &tenant.domain)
            };
            config += &if is_rogue("directory") {
                rogue("directory", "gateway.cie.test", "gateway.token", &misbehave)
            } else {
                with_key(&own(directory), "[tenant.directory]\n", "id", &tenant.directory_id)
            };
        }
        config
    });
    lab
}

fn rogue(role: &str, host: &str, token: &str, misbehave: &str) -> String {
    let domain = if role == "provider" { format!("domain = \"{host}\"\n") } else { String::new() };
    format!(
        "[tenant.{role}]\nplugin = \"rogue\"\nbase_url = \"https://{host}\"\ncredential = {{ file = \"{token}\" }}\n{domain}{misbehave}"
    )
}

fn with_key(text: &str, table: &str, key: &str, value: &str) -> String {
    text.replacen(table, &format!("{table}{key} = \"{value}\"\n"), 1)
}
