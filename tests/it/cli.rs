//! The texts that a person reads: help, reports, and refusals, each with its exit code. The snapshots are in
//! `snapshots/`. After changing a text, read the differences there as a user would (`cargo insta review`).

use std::{fs, time::Duration};

use flowswap_sim::SimConfig;

use crate::support::{Lab, Output, command, plugin_file, run_in};

/// Compares the output of the binary with its snapshot.
#[track_caller]
fn compare(name: &str, dir: &std::path::Path, output: &Output) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let plugins = plugin_file("okta").parent().unwrap().to_str().unwrap().to_owned();
    for (pattern, word) in [
        (escape(dir.to_str().unwrap()).as_str(), "DIR"),
        (escape(&plugins).as_str(), "PLUGINS"),
        (r"PLUGINS/libflowswap_(\w+)\.(so|dylib)", "PLUGINS/$1"),
        (r"\b[0-9a-f]{64}\b", "SHA256"),
        (r"\bidentity-[0-9a-f]{16}\b", "identity-ID"),
        (r"\bsha256 [0-9a-f]{12}\b", "sha256 HASH"),
        (r"\bplan(:?) [0-9a-f]{12}\b", "plan$1 DIGEST"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+Z", "TIME"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00 \((in [^)]+|[^)]+ ago|just now)\)", "LOCAL-TIME"),
        (r"Landlock \d+", "Landlock N"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (concat!(r"\b", env!("CARGO_PKG_VERSION"), r"\b"), "VERSION"),
        (r"made by [^,]+,", "made by USER,"),
    ] {
        settings.add_filter(pattern, word);
    }
    settings.bind(|| insta::assert_snapshot!(name, output.show()));
}

fn escape(path: &str) -> String {
    path.replace('.', r"\.")
}

/// Runs commands in a folder and compares each with a snapshot, which is named after the group and the command's words.
#[track_caller]
fn compare_all(group: &str, dir: &std::path::Path, lines: &[&str]) {
    for line in lines {
        let args: Vec<&str> = line.split_whitespace().collect();
        let words = line.replace(' ', "-");
        compare(&format!("{group}@{}", words.trim_matches('-')), dir, &run_in(dir, &args));
    }
}

#[test]
fn every_command_explains_itself() {
    let dir = crate::support::folder();
    let commands = [
        "",
        "init",
        "check",
        "detect",
        "plan",
        "rotate",
        "show",
        "diff",
        "apply",
        "status",
        "resume",
        "next",
        "sheet",
        "secret",
        "secret copy",
        "secret list",
        "secret verify",
        "secret recipients",
        "confirm",
        "decline",
        "watch",
        "notify",
        "evidence",
        "history",
        "report",
        "stuck",
        "resolve",
        "audit verify",
        "audit anchor",
        "audit export",
        "rollback",
        "finalize",
        "explain",
        "plugins",
        "plugins list",
        "plugins inspect",
        "demo",
        "sim",
        "sim world",
        "sim advance",
        "schema",
        "completions",
    ];
    for command in commands {
        let args: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let name = if command.is_empty() { "flowswap".to_owned() } else { command.replace(' ', "-") };
        compare(&format!("help@{name}"), dir.path(), &run_in(dir.path(), &args).expect(0));
    }
}

#[test]
fn people_read_times_in_their_zone_and_scripts_in_utc() {
    let lab = Lab::new(SimConfig::default().tenants(2));
    lab.edit_config(|text| {
        let tokyo = text.replacen("[[tenant]]", "[[tenant]]\ntimezone = \"Asia/Tokyo\"", 1);
        format!("timezone = \"Asia/Kolkata\"\n{tokyo}")
    });
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    for (tenant, offset) in [("acme", "+09:00 ("), ("globex", "+05:30 (")] {
        let shown = lab.run(&["evidence", tenant]).expect(0).stdout;
        let first = shown.lines().next().unwrap();
        assert!(first.contains(offset), "{first}");
        let json = lab.json(&["evidence", tenant], 0);
        let since = json["since"].as_str().unwrap();
        assert!(since.ends_with('Z') && since.contains('T'), "{since}");
    }
    let planned = lab.run(&["plan", "-o", "again.json"]).expect(0).stdout;
    assert!(planned.contains("+05:30 (in 23 h "), "{planned}");
}

#[test]
fn invalid_command_lines_are_refused() {
    let dir = crate::support::folder();
    let lines = [
        "",
        "migrate",
        "detect --tenant acme",
        "apply",
        "rollback",
        "rollback acme --all",
        "status -q -v",
        "sim",
        "decline acme",
        "secret",
    ];
    compare_all("usage", dir.path(), &lines);
}

#[test]
fn commands_work_or_fail_clearly_without_a_configuration() {
    let dir = crate::support::folder();
    let lines =
        ["status", "--config other.toml detect", "plugins list", "plugins inspect okta", "plugins inspect nobody"];
    compare_all("bare", dir.path(), &lines);
    compare_all("bare", dir.path(), &["show plan.json", "explain", "explain legacy-id-reused", "explain nothing"]);
    compare_all("bare", dir.path(), &["sim world --dir nowhere", "--version"]);
}

#[test]
fn the_first_steps() {
    let dir = crate::support::folder();
    compare_all("init", dir.path(), &["init"]);
    compare("init@again", dir.path(), &run_in(dir.path(), &["init"]));
    compare_all("init", dir.path(), &["status", "detect", "check"]);
    let with_folder = run_in(dir.path(), &["--config", "fleet/migrate.toml", "init"]);
    compare("init@folder", dir.path(), &with_folder);
}

#[test]
fn invalid_configurations_are_refused() {
    let dir = crate::support::folder();
    for (name, text) in [
        ("empty", ""),
        ("syntax", "[run]\nconcurrency = = 4\n"),
        (
            "several",
            "[run]\nconcurency = 4\nplan_lifetime = \"soon\"\n\n[network]\nresolve = { \"https://x\" = \"y\" }\n\n\
             [[tenant]]\nname = \"acme\"\napp_data = \"no\"\n\n[[tenant]]\nname = \"acme\"\n",
        ),
        (
            "plain-secret",
            "[[tenant]]\nname = \"acme\"\napp_data = false\n\n[tenant.provider]\nplugin = \"okta\"\n\
             domain = \"acme.okta.com\"\ncredential = \"00abcdefghijklmnop\"\n\n[tenant.directory]\nplugin = \"rest\"\n",
        ),
    ] {
        fs::write(dir.path().join("migrate.toml"), text).unwrap();
        let output = run_in(dir.path(), &["detect"]);
        assert!(!output.show().contains("00abcdefghijklmnop"), "a secret is quoted");
        compare(&format!("config@{name}"), dir.path(), &output);
    }
}

#[test]
fn a_fleet_from_beginning_to_end() {
    // With one tenant at a time, and a directory that syncs whenever it is read, the order of the lines never changes.
    let lab = Lab::new(SimConfig::default().tenants(12).seed(1).sync_interval(Duration::ZERO));
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
    let run = |lines: &[&str]| compare_all("fleet", lab.dir(), lines);
    run(&["check", "check acme -v", "detect", "detect acme globex", "detect nobody", "plan acme", "plan -o plan.json"]);
    run(&["rollback acme", "apply plan.json", "apply plan.json --yes", "status"]);
    run(&["rollback umbrella", "rollback acme --yes", "finalize globex --purge --yes", "finalize globex"]);
    compare("fleet@finalize-too-early", lab.dir(), &lab.run(&["finalize", "globex", "--yes"]));
    lab.outlive_tokens();
    compare("fleet@rollback-an-hour-later", lab.dir(), &lab.run(&["rollback", "acme", "--yes"]));
    run(&[
        "finalize globex --yes",
        "finalize globex --purge --yes -v",
        "rollback globex --yes",
        "rollback nobody --yes",
    ]);
    compare("fleet@status-at-the-end", lab.dir(), &lab.run(&["status"]));
    compare("fleet@apply-again", lab.dir(), &lab.run(&["apply", "plan.json", "--yes"]));
    run(&["status acme globex --format json", "status -q"]);
}

#[test]
fn every_shell_has_completions() {
    let dir = crate::support::folder();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = run_in(dir.path(), &["completions", shell]).expect(0);
        assert!(output.stdout.contains("_FLOWSWAP_COMPLETE"), "{shell}");
    }
}

#[test]
fn a_closed_stdout_is_not_an_error() {
    let dir = crate::support::folder();
    let mut child = command(dir.path(), &["explain"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// `.cargo/config.toml` sets the allocator up when it is built, which nothing else would notice.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_allocator_has_its_options() {
    let dir = crate::support::folder();
    let mut command = command(dir.path(), &["--version"]);
    command.env("_RJEM_MALLOC_CONF", "confirm_conf:true");
    let output = crate::support::finish(command);
    for option in ["narenas:2", "tcache_max:4096", "dirty_decay_ms:100", "muzzy_decay_ms:0"] {
        assert!(output.stderr.contains(&format!("-- Set conf value: {option}\n")), "{}", output.stderr);
    }
}
