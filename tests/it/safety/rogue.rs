//! A plugin that exceeds its rights or crashes its process. The host refuses or survives, reports which plugin did
//! what, and the other tenants continue unaffected.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::stage::{self, CAGES};
use crate::support::{Lab, plugin_file};

#[test]
fn a_well_behaved_rogue_is_planned() {
    let lab = stage::lab("provider", None);
    // The rogue reports a directory that does not exist, so its tenant is not ready. But the host refuses it nothing.
    let output = lab.plan();
    assert!(!output.stdout.contains("plugin `rogue`"), "{}", output.stdout);
}

#[test]
fn a_panic_in_a_dry_run_fails_only_its_own_tenant() {
    for role in ["provider", "directory"] {
        let lab = stage::lab(role, Some("panic-in-detect"));
        let said = lab.plan().expect(4).show();
        for words in ["the plugin panicked in a call", "rogue: the rogue panics as it was told to"] {
            assert!(said.contains(words), "as {role}: `{words}` is missing:\n{said}");
        }
        assert_eq!(verdicts(&lab), ["ready", "unknown", "ready"], "as {role}");
    }
}

/// The verdicts of the plan, in the order of the tenants.
fn verdicts(lab: &Lab) -> Vec<String> {
    let plan: Value = serde_json::from_str(&fs::read_to_string(lab.path("plan.json")).unwrap()).unwrap();
    let tenants = plan["tenants"].as_array().unwrap().iter();
    tenants.map(|tenant| tenant["verdict"].as_str().unwrap().to_owned()).collect()
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
    let lab = stage::shared(&[("globex", "directory", word)]);
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
    let lab = stage::shared(&[("globex", "directory", "reply-twice-in-apply")]);
    lab.plan().expect(0);
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(0).show();
    assert!(output.contains("broke the protocol, and flowswap stopped it: it replied to call"), "{output}");
    assert_eq!(lab.in_state("swapped").len(), 4, "{output}");
}

#[test]
fn a_call_in_flight_when_the_process_dies_has_an_unknown_effect() {
    let lab = stage::shared(&[("globex", "directory", "segfault-in-apply")]);
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
pub(super) fn read_state(dir: &Path) -> Vec<u8> {
    let files = fs::read_dir(dir.join(".flowswap")).unwrap().flatten().map(|entry| entry.path());
    files.filter(|path| path.is_file()).flat_map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn misbehavior_in_a_rollback_fails_only_its_own_tenant() {
    let lab = stage::shared(&[("globex", "directory", "segfault-in-undo")]);
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
    let lab = stage::shared(&everybody);
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
    let lab = stage::shared(&[("globex", "provider", "segfault-in-detect")]);
    let output = lab.plan().expect(4);
    assert_eq!(verdicts(&lab), ["ready", "unknown", "ready", "ready"], "{}", output.show());
}

#[test]
fn the_output_of_a_plugin_is_shown_up_to_a_limit() {
    let lab = stage::shared(&[("globex", "directory", "flood-prints-in-apply")]);
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
    ("wrong-major", "the plugin `rogue` uses protocol 2.8, but this flowswap uses 1.8"),
    ("wrong-abi", "it was built for another flowswap: its ABI version is 2, this one is 1"),
    ("short-table", "it was built for an older flowswap: its table has 16 bytes"),
    ("foreign-table", "it is not a flowswap plugin: its table is something else"),
    ("no-table", "it is not a flowswap plugin: its table is missing"),
    ("refuse", "it refused to start"),
];

#[test]
fn a_library_that_lies_about_itself_is_not_used() {
    for (word, said) in FROM_THE_BEGINNING {
        let lab = stage::shared(&[]);
        choose(lab.dir(), word);
        let output = lab.run(&["plan", "--plugin-dir", "."]).expect(1);
        assert!(output.stderr.contains(said), "{word}: {}", output.stderr);
    }
}

#[test]
fn a_plugin_whose_greeting_changes_after_a_restart_is_not_used() {
    let lab = stage::shared(&[("globex", "provider", "segfault-in-detect")]);
    choose(lab.dir(), "fickle-hello");
    let output = lab.run(&["plan", "--plugin-dir", "."]);
    let all = output.show();
    assert!(all.contains("describes itself differently than at its first start"), "{all}");
}

/// One request would be enough to take a credential away.
#[test]
fn a_server_that_only_the_plugin_names_gets_no_request() {
    for how in CAGES {
        let lab = stage::shared(&[("globex", "provider", "foreign-origin-in-detect")]);
        choose(lab.dir(), "own-origin");
        stage::cage(&lab, how);
        let run = |args: &[&str]| lab.run(&[args, &["--plugin-dir", "."]].concat());
        let refused = run(&["detect", "globex"]).expect(4).show();
        assert!(refused.contains("a request to https://elsewhere.test"), "{refused}");
        assert!(refused.contains("which you have not allowed"), "{refused}");
        assert!(refused.contains("add \"https://elsewhere.test\" to `origins` under [plugins.rogue]"), "{refused}");
        let shown = run(&["plugins", "inspect", "rogue"]).expect(0).stdout;
        assert!(shown.contains("{other_url}, https://elsewhere.test (not allowed)"), "{shown}");
        assert!(shown.contains("write origins = [\"https://elsewhere.test\"] under [plugins.rogue]"), "{shown}");

        lab.edit_config(|text| {
            text.replace("resolve = { ", "resolve = { \"elsewhere.test\" = \"127.0.0.1:1\", ")
                + "origins = [\"https://elsewhere.test\"]\n"
        });
        assert!(fs::read_to_string(lab.path("migrate.toml")).unwrap().contains("127.0.0.1:1\""));
        let sent = run(&["detect", "globex"]).show();
        assert!(!sent.contains("not allowed") && sent.contains("elsewhere.test"), "{sent}");
        let shown = run(&["plugins", "inspect", "rogue"]).expect(0).stdout;
        assert!(shown.contains("{other_url}, https://elsewhere.test\n"), "{shown}");
    }
}

/// A secret in a payload would be lent to the step, and a reviewer would not see where it goes.
#[test]
fn a_step_with_a_secret_in_its_payload_is_not_planned() {
    for how in CAGES {
        let lab = stage::shared(&[("globex", "provider", "secret-in-payload")]);
        stage::cage(&lab, how);
        let said = lab.plan().show();
        assert!(said.contains("step `provision` names a secret in its payload"), "{said}");
        assert!(!lab.path("plan.json").exists(), "{said}");
    }
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
