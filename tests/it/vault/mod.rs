//! Secrets that are in HashiCorp Vault or OpenBao: each login, each failure with its message, and no trace of a secret.

mod failures;
mod real;
mod server;

use std::{fs, process::Command};

use flowswap_store::Identity;
use serde_json::json;

use self::server::{JWT, OTHER, SECRET_ID, TOKEN, Trouble, Vault, write_private};
use crate::{
    support::{Lab, Output, command, finish},
    tidy::walk,
};

/// The three ways to log in.
const LOGINS: [(&str, &str, &[&str]); 3] = [
    ("token = { env = \"VAULT_TOKEN\" }", "the token from the environment variable `VAULT_TOKEN`", &[]),
    (
        "approle = { role_id = \"flowswap\", secret_id = { file = \"secret-id\" } }",
        "the AppRole login at `auth/approle`",
        &["POST /v1/auth/approle/login"],
    ),
    (
        "kubernetes = { role = \"flowswap\", mount = \"k8s/emea\", jwt = \"jwt\" }",
        "the Kubernetes login of the role `flowswap` at `auth/k8s/emea`",
        &["POST /v1/auth/k8s/emea/login"],
    ),
];

/// Lets the lab log in to Vault in this way.
fn log_in_with(lab: &Lab, vault: &Vault, auth: &str) {
    log_in_at(lab, &vault.url(), auth);
}

fn log_in_at(lab: &Lab, url: &str, auth: &str) {
    write_private(lab, "secret-id", &format!("{SECRET_ID}\n"));
    write_private(lab, "jwt", JWT);
    // The token of a service account is readable by all users of its pod.
    fs::set_permissions(lab.path("jwt"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    lab.edit_config(|text| format!("{text}\n[vault]\naddress = \"{url}\"\nauth = {{ {auth} }}\n"));
}

/// A command with the token in its variable.
fn prepare(lab: &Lab, args: &[&str]) -> Command {
    let mut command = command(lab.dir(), args);
    command.env("VAULT_TOKEN", TOKEN);
    command
}

/// Runs the binary, which must show no secret of Vault.
fn run(lab: &Lab, args: &[&str]) -> Output {
    let output = finish(prepare(lab, args));
    for secret in [TOKEN, SECRET_ID, JWT, OTHER, lab.sim.tenants()[0].admin_token.as_str()] {
        assert!(!output.show().contains(secret), "{args:?}: {}", output.show());
    }
    output
}

#[test]
fn each_login_is_made_once_for_all_secrets_of_a_command() {
    for (auth, described, logins) in LOGINS {
        let lab = Lab::with_tenants(2);
        let vault = Vault::for_lab(&lab);
        log_in_with(&lab, &vault, auth);
        let mut expected: Vec<_> = logins.to_vec();
        expected.extend(["GET /v1/kv/data/okta/acme", "GET /v1/kv/data/okta/globex"]);

        let checked = run(&lab, &["check", "-v"]).expect(0).stdout;
        let said: String = checked.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&format!("secrets come from `{}`, with {described}", vault.url())), "{checked}");
        let mut asked = vault.take_asked();
        asked.sort_by_key(|line| (!line.starts_with("POST"), line.clone()));
        assert_eq!(asked, expected);

        run(&lab, &["plan", "-o", "plan.json"]).expect(0);
        run(&lab, &["apply", "plan.json", "--yes"]).expect(0);
        let mut asked = vault.take_asked();
        asked.sort_by_key(|line| (!line.starts_with("POST"), line.clone()));
        asked.dedup();
        assert_eq!(asked, expected);
        assert_eq!(lab.in_state("swapped").len(), 2);
    }
}

#[test]
fn the_environment_says_where_vault_is_and_in_which_namespace() {
    let lab = Lab::with_tenants(1);
    let vault = Vault::for_lab(&lab);
    vault.inside.lock().unwrap().namespace = Some("teams/identity");
    let mut check = prepare(&lab, &["check", "-v"]);
    check.env("VAULT_ADDR", format!("{}/", vault.url())).env("VAULT_NAMESPACE", "teams/identity");
    let said = finish(check).expect(0).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(&format!("from `{}` in the namespace `teams/identity`, with", vault.url())), "{said}");
}

#[test]
fn an_agent_on_this_machine_needs_no_tls() {
    let lab = Lab::with_tenants(1);
    let agent = Vault::agent_of(&Vault::for_lab(&lab));
    log_in_with(&lab, &agent, LOGINS[0].0);
    run(&lab, &["check"]).expect(0);
    assert_eq!(agent.take_asked(), ["GET /v1/kv/data/okta/acme"]);
}

/// Version 1 has no `data/` in its paths. A path is escaped, and a field may be in the defaults.
#[test]
fn a_secret_of_the_first_version_is_read_too() {
    let lab = Lab::with_tenants(1);
    let vault = Vault::for_lab(&lab);
    let token = lab.sim.tenants()[0].admin_token.clone();
    vault.put_flat("orgs%20of/acme", json!({ "api token": token, "data": "x", "metadata": "y" }));
    log_in_with(&lab, &vault, LOGINS[0].0);
    lab.edit_config(|text| text.replace("kv/data/okta/{name}#token", "old/orgs of/{name}#api token"));
    run(&lab, &["check"]).expect(0);
    assert_eq!(vault.take_asked(), ["GET /v1/old/orgs%20of/acme"]);
}

#[test]
fn the_passphrase_and_the_url_of_a_webhook_may_be_in_vault() {
    let lab = Lab::with_tenants(1);
    let vault = Vault::for_lab(&lab);
    fs::remove_file(lab.path(".flowswap/identity.txt")).unwrap();
    let passphrase = flowswap_engine::Secret::new(OTHER);
    Identity::generate(&lab.path(".flowswap/identity.txt"), Some(passphrase)).unwrap();
    vault.put("flowswap", 1, &json!({ "passphrase": OTHER, "hook": "https://127.0.0.1:1/hook" }), "", false);
    log_in_with(&lab, &vault, LOGINS[1].0);
    lab.edit_config(|text| {
        let text = text.replace("[secrets]\n", "[secrets]\npassphrase = { vault = \"kv/data/flowswap#passphrase\" }\n");
        let target = "name = \"ops\"\non = [\"stuck\"]\nwebhook = { vault = \"kv/data/flowswap#hook\" }\n";
        format!("{text}\n[[notify]]\n{target}")
    });
    let checked = run(&lab, &["check", "-v"]).expect(0).stdout;
    assert!(checked.contains("can be used; for a test message"), "{checked}");
    let logins = vault.take_asked().into_iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(logins, 1);
}

#[test]
fn no_file_has_a_secret_of_vault() {
    let lab = Lab::with_tenants(1);
    let vault = Vault::for_lab(&lab);
    log_in_with(&lab, &vault, LOGINS[1].0);
    run(&lab, &["check", "-vv"]).expect(0);
    run(&lab, &["plan", "-o", "plan.json", "-vv", "--report", "plan.html"]).expect(0);
    run(&lab, &["--log-file", "log.jsonl", "apply", "plan.json", "--yes", "-vv"]).expect(0);
    run(&lab, &["record", "-o", "recording.jsonl", "detect"]).expect(0);
    run(&lab, &["report", "-o", "report.html"]).expect(0);
    vault.disturb(Trouble::Sealed);
    run(&lab, &["check", "--format", "json"]).expect(3);
    let admin = lab.sim.tenants()[0].admin_token.clone();
    let leaks = || {
        let mut files = walk(lab.dir());
        files.extend(walk(&lab.path(".flowswap")));
        let has = |bytes: &[u8], secret: &str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        let leaking = files.into_iter().filter(|path| {
            let bytes = fs::read(path).unwrap();
            [TOKEN, SECRET_ID, OTHER, admin.as_str()].iter().any(|secret| has(&bytes, secret))
        });
        let names = leaking.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        // The lab writes the tokens of its orgs, and this test the secret ID.
        names.filter(|name| name != "acme.token" && name != "secret-id").collect::<Vec<_>>()
    };
    assert_eq!(leaks(), Vec::<String>::new());
    // The search works.
    fs::write(lab.path("leak"), SECRET_ID).unwrap();
    assert_eq!(leaks(), ["leak"]);
}
