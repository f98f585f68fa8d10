//! Secrets are fetched unchanged, and no error shows them.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use flowswap_config::SecretRef;
use insta::assert_snapshot;
use tempfile::TempDir;

use super::{fetch_secret, fetch_within, program::WaitLimits};

const CANARY: &str = "canary-5f0e";

fn set_mode(folder: &TempDir, name: &str, mode: u32) {
    fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn file(folder: &TempDir, content: &[u8]) -> SecretRef {
    let path = folder.path().join("token");
    fs::write(&path, content).unwrap();
    set_mode(folder, "token", 0o600);
    SecretRef::File(path)
}

fn shell(script: &str) -> SecretRef {
    SecretRef::Command(["sh", "-c", script].map(str::to_owned).to_vec())
}

/// The text without the folder, which differs in every run.
fn shorten(folder: &TempDir, text: &str) -> String {
    let path = folder.path().display().to_string();
    text.replace(&format!("{path}/"), "").replace(&path, "")
}

/// The error's whole chain. Neither its display nor its debug form may contain the secret.
fn fail(secret: &SecretRef) -> String {
    let error = fetch_secret(secret).unwrap_err();
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
    let folder = tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap();
    for (content, secret) in
        [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a b ", " a b "), ("a\nb\n", "a\nb")]
    {
        assert_eq!(fetch_secret(&file(&folder, content.as_bytes())).unwrap().expose(), secret, "{content:?}");
    }
}

#[test]
fn each_kind_is_fetched() {
    let path = std::env::var("PATH").unwrap();
    assert_eq!(fetch_secret(&SecretRef::Env("PATH".to_owned())).unwrap().expose(), path);
    assert_eq!(fetch_secret(&shell("echo out; echo err >&2")).unwrap().expose(), "out");
    // No shell expands the arguments.
    let argv = ["printf", "%s", "$HOME; `id`"].map(str::to_owned).to_vec();
    assert_eq!(fetch_secret(&SecretRef::Command(argv)).unwrap().expose(), "$HOME; `id`");
}

#[test]
fn a_file_that_everyone_can_read_is_refused() {
    let folder = tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap();
    let secret = file(&folder, CANARY.as_bytes());
    for (mode, is_fine) in [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o604, false)] {
        set_mode(&folder, "token", mode);
        assert_eq!(fetch_secret(&secret).is_ok(), is_fine, "{mode:o}");
    }
    assert_snapshot!(shorten(&folder, &fail(&secret)), @r"the secret file `token` is readable by every user of this machine; run `chmod 600 token`");
}

#[test]
fn a_failure_to_fetch_a_secret_is_explained() {
    let folder = tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap();
    let long = format!("echo {CANARY}; echo {CANARY} >&2; printf '%01000d' 7 >&2; exit 3");
    let failures = [
        SecretRef::Env("FLOWSWAP_TEST_IS_NOT_SET".to_owned()),
        SecretRef::File(folder.path().join("gone")),
        SecretRef::File(folder.path().join("")),
        file(&folder, b" \n"),
        SecretRef::Command(vec!["./no-such-program".to_owned(), CANARY.to_owned()]),
        shell("exit 3"),
        shell("echo 'cannot log in:\n  no session' >&2; exit 1"),
        shell(&format!("echo {CANARY}; echo 'this is no good: {CANARY}' >&2; exit 1")),
        shell("true"),
    ];
    let texts: Vec<_> = failures.iter().map(|secret| shorten(&folder, &fail(secret))).collect();
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
        assert_eq!(fetch_within(&shell(script), limits).unwrap().expose(), "out", "{script}");
    }
    for script in ["sleep 60", "echo out; sleep 60", "exec >&- 2>&-; sleep 60", "sleep 60 & sleep 60"] {
        let started = std::time::Instant::now();
        let error = fetch_within(&shell(script), limits).unwrap_err().to_string();
        assert!(error.starts_with("`sh` printed no secret within 0 s"), "{script}: {error}");
        assert!(started.elapsed() < Duration::from_secs(20), "{script}");
    }
    let endless = fetch_within(&shell("yes"), limits).unwrap_err().to_string();
    assert!(endless.ends_with("no secret is that long"), "{endless}");
}

#[test]
fn a_fetched_secret_is_not_in_its_debug_output() {
    let folder = tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap();
    let fetched = fetch_secret(&file(&folder, CANARY.as_bytes())).unwrap();
    assert_eq!(fetched.expose(), CANARY);
    assert!(!format!("{fetched:?}").contains(CANARY));
}
