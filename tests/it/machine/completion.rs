//! What a shell completes: the binary is asked as the scripts of the shells ask it.

use std::{fs, process::Command};

use crate::support::{Lab, command, finish, folder};

/// What is offered for the last word of a line, without explanations.
#[track_caller]
fn complete_in(lab: &Lab, shell: &str, line: &str) -> Vec<String> {
    let output = finish(ask(lab.dir(), shell, line)).expect(0);
    assert_eq!(output.stderr, "", "{line}");
    let offered = output.stdout.split(if shell == "bash" { '\u{b}' } else { '\n' });
    let offered = offered.filter(|word| !word.is_empty());
    offered.map(|word| word.split(['\t', ':']).next().unwrap().to_owned()).collect()
}

/// The command of a shell's script.
fn ask(dir: &std::path::Path, shell: &str, line: &str) -> Command {
    let words: Vec<&str> = line.split(' ').collect();
    let mut ask = command(dir, &[&["--"], &words[..]].concat());
    ask.env("_FLOWSWAP_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string());
    // bash and zsh say which character separates the answers.
    ask.env("_CLAP_IFS", if shell == "bash" { "\u{b}" } else { "\n" });
    ask
}

#[track_caller]
fn check(lab: &Lab, line: &str, expected: &[&str]) {
    assert_eq!(complete_in(lab, "bash", line), expected, "{line}");
}

#[test]
fn what_the_configuration_has_is_offered() {
    let lab = Lab::with_tenants(3);
    lab.edit_config(|text| format!("{text}\n[[wave]]\nname = \"pilot\"\npick = {{ tenants = [\"acme\"] }}\n"));
    let traffic = lab.sim.traffic().len();
    let offered = complete_in(&lab, "bash", "flowswap status ");
    assert_eq!((&offered[..3], &*offered[3]), (&["acme", "globex", "initech"].map(str::to_owned)[..], "--from"));
    check(&lab, "flowswap rollback acme gl", &["globex"]);
    check(&lab, "flowswap status --except acme,in", &["acme,initech"]);
    check(&lab, "flowswap status --wave ", &["pilot", "rest"]);
    check(&lab, "flowswap status --state rol", &["rolling-back", "rolled-back"]);
    check(&lab, "flowswap detect --verdict n", &["not-applicable"]);
    check(&lab, "flowswap detect --finding legacy-id", &["legacy-id-reused"]);
    check(&lab, "flowswap explain legacy-id", &["legacy-id-reused"]);
    check(&lab, "flowswap schema hist", &["history"]);
    assert_eq!(lab.sim.traffic().len(), traffic, "a Tab makes no request");
}

#[test]
fn every_shell_is_answered() {
    let lab = Lab::with_tenants(2);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert_eq!(complete_in(&lab, shell, "flowswap status gl"), ["globex"], "{shell}");
    }
}

#[test]
fn plan_files_are_offered() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    fs::write(lab.path("package.json"), "{}").unwrap();
    fs::write(lab.path("plain.txt"), "x").unwrap();
    check(&lab, "flowswap show pla", &["plan.json"]);
    check(&lab, "flowswap apply pa", &["package.json"]);
    check(&lab, "flowswap diff plan.json pla", &["plan.json"]);
}

#[test]
fn the_line_and_the_environment_name_the_configuration() {
    let lab = Lab::with_tenants(2);
    let config = lab.path("migrate.toml").display().to_string();
    let elsewhere = folder();
    let answers = |command: Command| finish(command).expect(0).stdout;
    let line = format!("flowswap status --config {config} ac");
    assert_eq!(answers(ask(elsewhere.path(), "bash", &line)), "acme");
    let mut by_variable = ask(elsewhere.path(), "bash", "flowswap status ac");
    by_variable.env("FLOWSWAP_CONFIG", &config);
    assert_eq!(answers(by_variable), "acme");
}

/// A person who types must not see an error.
#[test]
fn a_wrong_configuration_offers_nothing() {
    let lab = Lab::with_tenants(1);
    lab.edit_config(|text| format!("{text}\nwrong ="));
    check(&lab, "flowswap status a", &[]);
    let nowhere = folder();
    let output = finish(ask(nowhere.path(), "bash", "flowswap status a")).expect(0);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
}

#[test]
fn internal_commands_are_not_offered() {
    let lab = Lab::with_tenants(1);
    let offered = complete_in(&lab, "bash", "flowswap ");
    assert!(offered.iter().any(|word| word == "rollback"), "{offered:?}");
    assert!(!offered.iter().any(|word| word.starts_with("__")), "{offered:?}");
}

/// The script itself, in the shell that every machine has.
#[test]
fn the_script_works_in_bash() {
    let lab = Lab::with_tenants(2);
    let binary = env!("CARGO_BIN_EXE_flowswap");
    let folder = std::path::Path::new(binary).parent().unwrap().display();
    let script = format!(
        "PATH=\"$PATH:{folder}\"; source <(flowswap completions bash)
         COMP_WORDS=(flowswap status gl); COMP_CWORD=2; COMP_TYPE=9
         _clap_complete_flowswap flowswap gl status; echo \"${{COMPREPLY[@]}}\""
    );
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &script])
        .current_dir(lab.dir())
        .env_clear()
        .env("HOME", lab.dir())
        .env("PATH", "/usr/bin:/bin");
    assert_eq!(finish(bash).stdout, "globex\n");
}
