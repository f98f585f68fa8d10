//! Secrets are fetched unchanged, and no error or debug output shows them.

use std::{fs, time::Duration};

use insta::assert_snapshot;

use super::{Folder, accept, refuse, refuse_toml};
use crate::config::{SecretRef, program::WaitLimits, secret::SecretRefError};

const CANARY: &str = "canary-5f0e";

fn set_mode(folder: &Folder, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn file(folder: &Folder, content: &[u8]) -> SecretRef {
    fs::write(folder.path("token"), content).unwrap();
    set_mode(folder, "token", 0o600);
    SecretRef::File(folder.path("token"))
}

fn shell(script: &str) -> SecretRef {
    SecretRef::Command(["sh", "-c", script].map(str::to_owned).to_vec())
}

/// The error's whole chain. Neither its display nor its debug form may contain the secret.
fn fail(secret: &SecretRef) -> String {
    let error: SecretRefError = secret.resolve().unwrap_err();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text += &format!(": {next}");
        cause = next.source();
    }
    for shown in [&text, &format!("{error:?}")] {
        assert!(!shown.contains(CANARY), "{shown}");
    }
    text
}

#[test]
fn one_line_break_at_the_end_is_dropped() {
    let folder = Folder::new(&[]);
    for (content, secret) in
        [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a b ", " a b "), ("a\nb\n", "a\nb")]
    {
        assert_eq!(file(&folder, content.as_bytes()).resolve().unwrap().expose(), secret, "{content:?}");
    }
}

#[test]
fn each_kind_is_fetched() {
    let path = std::env::var("PATH").unwrap();
    assert_eq!(SecretRef::Env("PATH".to_owned()).resolve().unwrap().expose(), path);
    assert_eq!(shell("echo out; echo err >&2").resolve().unwrap().expose(), "out");
    // No shell expands the arguments.
    let argv = ["printf", "%s", "$HOME; `id`"].map(str::to_owned).to_vec();
    assert_eq!(SecretRef::Command(argv).resolve().unwrap().expose(), "$HOME; `id`");
}

#[test]
fn a_file_that_everyone_can_read_is_refused() {
    let folder = Folder::new(&[]);
    let secret = file(&folder, CANARY.as_bytes());
    for (mode, is_fine) in [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o604, false)] {
        set_mode(&folder, "token", mode);
        assert_eq!(secret.resolve().is_ok(), is_fine, "{mode:o}");
    }
    assert_snapshot!(folder.shorten(&fail(&secret)), @r"the secret file `token` is readable by every user of this machine; run `chmod 600 token`");
}

#[test]
fn a_failure_to_fetch_a_secret_is_explained() {
    let folder = Folder::new(&[]);
    let long = format!("echo {CANARY}; echo {CANARY} >&2; printf '%01000d' 7 >&2; exit 3");
    let failures = [
        SecretRef::Env("FLOWSWAP_TEST_IS_NOT_SET".to_owned()),
        SecretRef::File(folder.path("gone")),
        SecretRef::File(folder.path("")),
        file(&folder, b" \n"),
        SecretRef::Command(vec!["./no-such-program".to_owned(), CANARY.to_owned()]),
        shell("exit 3"),
        shell("echo 'cannot log in:\n  no session' >&2; exit 1"),
        shell(&format!("echo {CANARY}; echo 'this is no good: {CANARY}' >&2; exit 1")),
        shell("true"),
    ];
    let texts: Vec<_> = failures
        .iter()
        .map(|secret| folder.shorten(&fail(secret)).replace(&folder.0.path().display().to_string(), ""))
        .collect();
    assert_snapshot!(texts.join("\n"), @r"
    the environment variable `FLOWSWAP_TEST_IS_NOT_SET` is not set
    failed to read the secret file `gone`: No such file or directory (os error 2)
    failed to read the secret file ``: Is a directory (os error 21)
    the secret file `token` gave an empty secret
    failed to run `./no-such-program`: No such file or directory (os error 2)
    `sh` failed (exit status: 3)
    `sh` failed (exit status: 1): cannot log in: no session
    `sh` failed (exit status: 1): this is no good: [secret]
    `sh` gave an empty secret
    ");
    let bounded = fail(&shell(&long));
    assert!(bounded.len() < 600 && bounded.contains("…0000"), "{bounded}");
    let mut binary = CANARY.as_bytes().to_vec();
    binary.push(0xff);
    assert!(fail(&file(&folder, &binary)).ends_with("gave data that is not UTF-8 text"));
    assert!(fail(&file(&folder, CANARY.repeat(10_000).as_bytes())).ends_with("no secret is that long"));
    assert!(fail(&SecretRef::File("/dev/zero".into())).ends_with("no secret is that long"));
}

/// A program ends at its limit, no matter which outputs it closed; output before the limit is used.
#[test]
fn a_slow_program_is_given_time_up_to_a_limit() {
    let limits = WaitLimits { notify_after: Duration::from_millis(1), kill_after: Duration::from_millis(400) };
    let in_time =
        ["echo out", "sleep 0.1; echo 'touch the key' >&2; sleep 0.1; echo out", "echo out; exec >&- 2>&-; sleep 0.1"];
    for script in in_time {
        assert_eq!(shell(script).resolve_with_limits(limits).unwrap().expose(), "out", "{script}");
    }
    for script in ["sleep 60", "echo out; sleep 60", "exec >&- 2>&-; sleep 60", "sleep 60 & sleep 60"] {
        let started = std::time::Instant::now();
        let error = shell(script).resolve_with_limits(limits).unwrap_err().to_string();
        assert!(error.starts_with("`sh` printed no secret within 0 s"), "{script}: {error}");
        assert!(started.elapsed() < Duration::from_secs(20), "{script}");
    }
    let endless = shell("yes").resolve_with_limits(limits).unwrap_err().to_string();
    assert!(endless.ends_with("no secret is that long"), "{endless}");
}

#[test]
fn the_debug_output_of_a_configuration_shows_only_references() {
    let toml = r#"
        [secrets]
        passphrase = { env = "PATH" }
        [[tenant]]
        name = "acme"
        provider = { plugin = "okta", credential = { file = "token" } }
        directory = { plugin = "rest", credential = { command = ["cat", "token"] } }
    "#;
    let (folder, config) = accept(&[("migrate.toml", toml)]);
    let secret = file(&folder, CANARY.as_bytes());
    assert_eq!(config.tenants[0].provider.secrets["credential"], secret);
    assert_eq!(config.tenants[0].provider.secrets["credential"].resolve().unwrap().expose(), CANARY);
    let shown = format!("{config:?} {:?}", secret.resolve());
    assert!(shown.contains("/token\")") && shown.contains("[secret]") && !shown.contains(CANARY), "{shown}");
    assert!(!shown.contains(&std::env::var("PATH").unwrap()), "{shown}");
}

/// No matter where a secret was pasted, no error shows it: neither the error about it nor others about the same line.
#[test]
fn a_pasted_secret_is_masked() {
    let sides = [
        format!("credential = \"{CANARY}\""),
        format!("credential = '''\n{CANARY}\n{CANARY}'''"),
        format!("api_token = \"{CANARY}\", unknown = 99999999999999999999"),
        format!("credential = {{ value = \"{CANARY}\" }}"),
        format!("credential = {{ env = \"0 {CANARY}\" }}"),
        format!("credential = [\"{CANARY}\", {{ a = \"{CANARY}\" }}]"),
        format!("deep = {{ password = \"{CANARY}\" }}, credential = 1"),
        format!("credential = \"{CANARY}\", credential = 2"),
        format!("credential = \"{CANARY}"),
        format!("credential.env = 0{CANARY}"),
        format!("credential.file = {CANARY} {CANARY}"),
        format!("\"credential\"={CANARY} x"),
    ];
    for side in sides {
        for text in [
            format!("[[tenant]]\nname = \"A\"\nprovider = {{ plugin = 1, {side} }}\n"),
            format!("[defaults]\nprovider = {{ plugin = 1, {side} }}\n[[tenant]]\nname = \"A\"\n"),
        ] {
            let shown = refuse_toml(&text);
            assert!(!shown.contains(CANARY), "{shown}");
        }
    }
    let toml = "inventory = \"t.csv\"\n[defaults]\nprovider = { plugin = \"p\" }\ndirectory = { plugin = \"d\" }\n";
    let misshapen =
        format!("name,app_data,okta_token\nb,{CANARY}\nc,no,\"{CANARY}\"\nC,maybe,,{CANARY}\nd,\"no,{CANARY}\n");
    let shown = refuse(&[("migrate.toml", toml), ("t.csv", &misshapen)]);
    assert!(!shown.contains(CANARY) && shown.contains("has 4 cells"), "{shown}");
    for column in ["provider.credential", "credential", "okta_token", "directory.api_token"] {
        let shown =
            refuse(&[("migrate.toml", toml), ("t.csv", &format!("name,{column},app_data\nB,\"{CANARY}\",what\n"))]);
        assert!(!shown.contains(CANARY) && shown.contains("invalid value `what` for `app_data`"), "{shown}");
    }
}

/// A placeholder for a secret, which a plugin fills in, is not refused and not masked.
#[test]
fn a_placeholder_for_a_secret_is_accepted() {
    let toml = "[[tenant]]\nname = \"A\"\nprovider = { plugin = \"p\" }\ndirectory = { plugin = \"d\", body = { \
                client_secret = \"$client_secret\" }, use_token = true, unknown = inf }\n";
    let shown = refuse_toml(toml);
    assert!(shown.contains("\"$client_secret\""), "{shown}");
    assert!(!shown.contains("plain-text"), "{shown}");
}
