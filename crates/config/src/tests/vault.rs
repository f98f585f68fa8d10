//! `[vault]`, references to Vault, and what a program may have beside it.

use std::time::Duration;

use insta::assert_snapshot;

use super::{accept, refuse_toml};
use crate::{ProgramCall, SecretRef, VaultField, VaultLogin};

fn login(auth: &str) -> VaultLogin {
    accept(&[("migrate.toml", &format!("[vault]\nauth = {auth}\n"))]).1.vault.login
}

#[test]
fn each_login_is_read() {
    let env = |name: &str| SecretRef::Env(name.to_owned());
    assert_eq!(accept(&[("migrate.toml", "")]).1.vault.login, VaultLogin::Token(env("VAULT_TOKEN")));
    assert_eq!(login("{ token = { env = \"OTHER\" } }"), VaultLogin::Token(env("OTHER")));
    assert_eq!(
        login("{ approle = { role_id = \"r\", secret_id = { env = \"S\" }, mount = \"/teams/approle/\" } }"),
        VaultLogin::AppRole { mount: "teams/approle".to_owned(), role_id: "r".to_owned(), secret_id: env("S") }
    );
    assert_eq!(
        login("{ kubernetes = { role = \"r\" } }"),
        VaultLogin::Kubernetes {
            mount: "kubernetes".to_owned(),
            role: "r".to_owned(),
            jwt: "/var/run/secrets/kubernetes.io/serviceaccount/token".into(),
        }
    );
}

#[test]
fn a_reference_names_a_path_and_a_field() {
    let toml = r#"
        [vault]
        address = "https://vault.test:8200/"
        [secrets]
        passphrase = { vault = "kv/data/flow swap#pass phrase" }
        [defaults]
        provider = { plugin = "okta", credential = { vault = "kv/data/{name}#token" } }
        directory = { plugin = "rest", credential = { command = ["op", "read"], timeout = "10m" } }
        [[tenant]]
        name = "acme"
    "#;
    let (_, config) = accept(&[("migrate.toml", toml)]);
    let field =
        |path: &str, field: &str| SecretRef::Vault(VaultField { path: path.to_owned(), field: field.to_owned() });
    assert_eq!(config.vault.address.as_deref(), Some("https://vault.test:8200"));
    assert_eq!(config.passphrase, Some(field("kv/data/flow swap", "pass phrase")));
    let [tenant] = &config.tenants[..] else { panic!("one tenant") };
    assert_eq!(tenant.provider.secrets.get("credential"), Some(&field("kv/data/acme", "token")));
    let SecretRef::Command(ProgramCall { timeout, .. }) = tenant.directory.secrets.get("credential").unwrap() else {
        panic!("a program")
    };
    assert_eq!(*timeout, Some(Duration::from_secs(600)));
}

#[test]
fn a_wrong_table_is_refused_with_its_line() {
    let toml = r#"
[vault]
address = "vault.example.com"
namespace = "a/../b"
auth = { approle = { role_id = "r", secret_id = { vault = "kv/a#b" } } }
ca_cert = "ca.pem"
"#;
    assert_snapshot!(refuse_toml(toml), @r#"
    error: `address` is not an address of Vault
     --> migrate.toml:3:11
      |
    3 | address = "vault.example.com"
      |           ^^^^^^^^^^^^^^^^^^^ expected an address such as "https://vault.example.com:8200"
      |
      = help: leave out the path; `http://` is only for an agent on this machine

    error: `namespace` is not a name in Vault
     --> migrate.toml:4:13
      |
    4 | namespace = "a/../b"
      |             ^^^^^^^^ expected names with `/` between them, such as "teams/identity"

    error: `secret_id` is in Vault, and flowswap needs it to log in to Vault
     --> migrate.toml:5:49
      |
    5 | auth = { approle = { role_id = "r", secret_id = { vault = "kv/a#b" } } }
      |                                                 ^^^^^^^^^^^^^^^^^^^^ expected `env`, `file`, or `command`

    error: unknown key `ca_cert`
     --> migrate.toml:6:1
      |
    6 | ca_cert = "ca.pem"
      | ^^^^^^^ not a key of `[vault]`
      |
      = help: use one of `address`, `namespace`, `auth`

    error: 4 errors in the configuration
    "#);
    let all = [
        "{ }",
        "{ ldap = { user = \"me\" } }",
        "{ token = { env = \"A\" }, kubernetes = { role = \"r\" } }",
        "{ approle = { role_id = \"r\" } }",
        "{ kubernetes = { role = \" \", mount = \"a//b\" } }",
        "{ kubernetes = \"r\" }",
        "{ kubernetes = { role = \"r\", mount = \"k8s-ü\" } }",
    ];
    let refused = all.map(|auth| refuse_toml(&format!("[vault]\nauth = {auth}\n")));
    assert_snapshot!(refused.join("\n"), @r#"
    error: `auth` does not say how to log in to Vault
     --> migrate.toml:2:8
      |
    2 | auth = { }
      |        ^^^ expected exactly one of `token`, `approle`, and `kubernetes`
      |
      = help: write `auth = { token = { env = "VAULT_TOKEN" } }`, `auth = { approle = { role_id = "…", secret_id = { env = "VAULT_SECRET_ID" } } }`, or `auth = { kubernetes = { role = "…" } }`
    error: `auth` does not say how to log in to Vault
     --> migrate.toml:2:8
      |
    2 | auth = { ldap = { user = "me" } }
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^ expected exactly one of `token`, `approle`, and `kubernetes`
      |
      = help: write `auth = { token = { env = "VAULT_TOKEN" } }`, `auth = { approle = { role_id = "…", secret_id = { env = "VAULT_SECRET_ID" } } }`, or `auth = { kubernetes = { role = "…" } }`
    error: `auth` does not say how to log in to Vault
     --> migrate.toml:2:8
      |
    2 | auth = { token = { env = "A" }, kubernetes = { role = "r" } }
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected exactly one of `token`, `approle`, and `kubernetes`
      |
      = help: write `auth = { token = { env = "VAULT_TOKEN" } }`, `auth = { approle = { role_id = "…", secret_id = { env = "VAULT_SECRET_ID" } } }`, or `auth = { kubernetes = { role = "…" } }`
    error: `approle` has no `secret_id`
     --> migrate.toml:2:10
      |
    2 | auth = { approle = { role_id = "r" } }
      |          ^^^^^^^
      |
      = help: write `auth = { token = { env = "VAULT_TOKEN" } }`, `auth = { approle = { role_id = "…", secret_id = { env = "VAULT_SECRET_ID" } } }`, or `auth = { kubernetes = { role = "…" } }`
    error: `role` is empty
     --> migrate.toml:2:32
      |
    2 | auth = { kubernetes = { role = " ", mount = "a//b" } }
      |                                ^^^ expected the name of a role

    error: `mount` is not a name in Vault
     --> migrate.toml:2:45
      |
    2 | auth = { kubernetes = { role = " ", mount = "a//b" } }
      |                                             ^^^^^^ expected names with `/` between them, such as "teams/identity"

    error: 2 errors in the configuration
    error: `kubernetes` has the wrong type
     --> migrate.toml:2:23
      |
    2 | auth = { kubernetes = "r" }
      |                       ^^^ expected a table, found a string
    error: `mount` is not a name in Vault
     --> migrate.toml:2:45
      |
    2 | auth = { kubernetes = { role = "r", mount = "k8s-ü" } }
      |                                             ^^^^^^^ expected names with `/` between them, such as "teams/identity"
    "#);
}

/// A secret that was written in place of a reference is masked.
#[test]
fn a_wrong_reference_is_refused_and_masked() {
    for wrong in
        ["hvs.canary", "canary#", "#canary", "canary#token", "kv/../canary#token", "kv/canary#a#b", "/kv/canary#a"]
    {
        let shown = refuse_toml(&format!(
            "[[tenant]]\nname = \"a\"\nprovider = {{ plugin = \"p\", credential = {{ vault = \"{wrong}\" }} }}\n"
        ));
        assert!(shown.contains("`vault` does not name a field of a secret") && !shown.contains("canary"), "{shown}");
    }
    let shown = refuse_toml("[vault]\nauth = { approle = { role_id = \"r\", secret_id = \"canary\" } }\n");
    assert!(shown.contains("`secret_id` holds a plain-text secret") && !shown.contains("canary"), "{shown}");
    let shown = refuse_toml("[secrets]\npassphrase = { command = [\"op\"], timeout = \"soon\" }\n");
    assert!(shown.contains("`timeout` is not a duration"), "{shown}");
    let shown = refuse_toml("[secrets]\npassphrase = { command = [\"op\"], file = \"a\" }\n");
    assert!(shown.contains("expected exactly one of `env`, `file`, `command`, and `vault`"), "{shown}");
}
