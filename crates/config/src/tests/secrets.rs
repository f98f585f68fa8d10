//! No error and no debug output shows a secret.

use super::{accept, refuse, refuse_toml};
use crate::SecretRef;

const CANARY: &str = "canary-5f0e";

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
    let (folder, config) = accept(&[("migrate.toml", toml), ("token", CANARY)]);
    assert_eq!(config.tenants[0].provider.secrets.get("credential"), Some(&SecretRef::File(folder.path("token"))));
    let shown = format!("{config:?}");
    assert!(shown.contains("/token\")") && !shown.contains(CANARY), "{shown}");
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
        format!("credential = {{ command = [\"op\"], env = [\"OP\", \"OP={CANARY}\"] }}"),
        format!("credential = {{ command = [\"op\"], env = {{ OP = \"{CANARY}\" }} }}"),
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
