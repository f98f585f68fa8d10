//! Each thing that can go wrong with Vault has a message of its own, and one hint.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{
    LOGINS, SECRET_ID, TOKEN, log_in_with, prepare,
    server::{Trouble, Vault, write_private},
};
use crate::support::{Lab, finish};

/// What `check` says about the credential of the org, and the hint. `VAULT` stands for the address.
fn check(auth: &str, go_wrong: impl FnOnce(&Lab, &Vault)) -> String {
    check_with(auth, go_wrong, TOKEN)
}

fn check_with(auth: &str, go_wrong: impl FnOnce(&Lab, &Vault), token: &str) -> String {
    let lab = Lab::with_tenants(1);
    let vault = Vault::for_lab(&lab);
    log_in_with(&lab, &vault, auth);
    go_wrong(&lab, &vault);
    let mut command = prepare(&lab, &["check", "--format", "json"]);
    command.env("VAULT_TOKEN", token);
    let output = finish(command).expect(3);
    for secret in [TOKEN, SECRET_ID, &lab.sim.tenants()[0].admin_token] {
        assert!(!output.show().contains(secret), "{}", output.show());
    }
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let failed = checks.iter().find(|check| check["role"] == "provider" && check["result"] == "fail").unwrap();
    let text = |key: &str| failed[key].as_str().unwrap_or("(none)").replace(&vault.url(), "VAULT");
    let detail = text("detail");
    let why = detail.strip_prefix("the provider's `credential` cannot be read: ").unwrap_or(&detail);
    let logins = vault.take_asked().into_iter().filter(|line| line.starts_with("POST")).count();
    assert!(logins <= 1, "{logins} logins");
    format!("{why}\n  hint: {}", text("hint"))
}

/// With the wrong reference in place of the right one.
fn refer(reference: &'static str) -> impl FnOnce(&Lab, &Vault) {
    move |lab: &Lab, _: &Vault| lab.edit_config(|text| text.replace("kv/data/okta/{name}#token", reference))
}

/// With an answer of something that is not Vault, or not well.
fn answer(status: u16, headers: &'static str, body: &'static str) -> impl FnOnce(&Lab, &Vault) {
    move |_: &Lab, vault: &Vault| vault.disturb(Trouble::Answer(status, headers, body))
}

#[test]
fn what_is_not_there_is_named() {
    let [(token, ..), ..] = LOGINS;
    let deleted = |destroyed| {
        move |_: &Lab, vault: &Vault| vault.put("okta/acme", 4, &json!({}), "2026-03-22T02:36:43Z", destroyed)
    };
    let all = [
        check(token, refer("kv/data/okta/{name}-eu#token")),
        check(token, deleted(false)),
        check(token, deleted(true)),
        check(token, refer("kv/data/okta/{name}#tokn")),
        check(token, refer("kv/data/okta/{name}#password")),
        check(token, refer("kv/data/okta/{name}#port")),
        check(token, refer("kv/okta/{name}#token")),
        check(token, refer("old/data/okta/{name}#token")),
        check(token, refer("secret/data/okta/{name}#token")),
    ];
    assert_snapshot!(all.join("\n"), @r"
    Vault has no secret at `kv/data/okta/acme-eu`
      hint: check the path. In KV version 2 it has `data/` after the mount, in version 1 it has not
    version 4 of the secret `kv/data/okta/acme` in Vault is the latest one, and it is deleted
      hint: bring it back with `vault kv undelete`, or write a new version
    version 4 of the secret `kv/data/okta/acme` in Vault is the latest one, and it is destroyed
      hint: write a new version with `vault kv put`
    the secret `kv/data/okta/acme` in Vault has no field `tokn`; it has `owner`, `port`, `token`
      hint: did you mean `kv/data/okta/acme#token`?
    the secret `kv/data/okta/acme` in Vault has no field `password`; it has `owner`, `port`, `token`
      hint: name one of its fields after `#`
    the field `port` of the secret `kv/data/okta/acme` in Vault is a number, and not a text
      hint: store it in Vault as a text in quotes
    `kv/okta/acme` is in a secrets engine of KV version 2, whose paths have `data/` in them
      hint: write `kv/data/okta/acme`
    Vault has no secret at `old/data/okta/acme`
      hint: check the path. In KV version 2 it has `data/` after the mount, in version 1 it has not
    Vault has no secrets engine at `secret/data/okta/acme`
      hint: check the first name of the path, and `namespace` under `[vault]`
    ");
}

#[test]
fn a_refusal_says_who_was_refused() {
    let [(token, ..), (approle, ..), (kubernetes, ..)] = LOGINS;
    let write = |name: &'static str, text: &'static str| move |lab: &Lab, _: &Vault| write_private(lab, name, text);
    let all = [
        check_with(token, |_, _| {}, "hvs.expired"),
        check_with(token, |_, _| {}, "hvs.narrow"),
        check("token = { env = \"NO_SUCH_VARIABLE\" }", |_, _| {}),
        check("token = { file = \"jwt\" }", write("jwt", "two\nlines")),
        check(approle, write("secret-id", "wrong-secret-id")),
        check(kubernetes, write("jwt", "wrong-jwt")),
        check("kubernetes = { role = \"flowswap\", jwt = \"no-such-file\" }", |_, _| {}),
        check(
            "approle = { role_id = \"flowswap\", secret_id = { file = \"secret-id\" }, mount = \"other\" }",
            |_, _| {},
        ),
        check(
            "approle = { role_id = \"flowswap\", secret_id = { file = \"secret-id\" }, mount = \"older\" }",
            |_, _| {},
        ),
        check("approle = { role_id = \"flowswap\", secret_id = { file = \"secret-id\" }, mount = \"mfa\" }", |_, _| {}),
        check(token, |lab, _| lab.edit_config(|text| format!("{text}namespace = \"nowhere\"\n"))),
        check(token, |lab, vault| {
            lab.edit_config(|text| text.replace(&format!("address = \"{}\"\n", vault.url()), ""))
        }),
    ];
    assert_snapshot!(all.join("\n"), @r"
    Vault does not accept the token from the environment variable `VAULT_TOKEN`
      hint: get a new token; this one has expired, or somebody revoked it
    Vault does not allow the token from the environment variable `VAULT_TOKEN` to read `kv/data/okta/acme`
      hint: allow the path in a policy of Vault, with the capability `read`
    failed to get the token for Vault: the environment variable `NO_SUCH_VARIABLE` is not set
      hint: set the variable, or name another login with `auth` under `[vault]`
    the token for Vault contains characters that a request cannot carry
      hint: correct `auth` under `[vault]`
    Vault refused the login at `auth/approle`: invalid role or secret ID [secret]
      hint: check `role_id` and `secret_id` under `[vault]`; a secret ID can expire or be used up
    Vault refused the login at `auth/k8s/emea`: service account name not authorized
      hint: check `role` and `mount` under `[vault]`, and that the role is bound to this service account
    failed to get the token of the service account for Vault: failed to read the secret file `no-such-file`: No such file or directory (os error 2)
      hint: run flowswap in a pod with a service account, or name the file of its token with `jwt`
    Vault has no login at `auth/other`
      hint: name where the method is mounted with `mount`, and check `namespace` under `[vault]`
    Vault has no login at `auth/older`
      hint: name where the method is mounted with `mount`, and check `namespace` under `[vault]`
    Vault wants a second factor for the login at `auth/mfa`
      hint: use a login without a second factor
    Vault has no namespace `nowhere`
      hint: check `namespace` under `[vault]`, or the environment variable VAULT_NAMESPACE
    a secret is in Vault, but nothing says where Vault is
      hint: set `address` under `[vault]`, or the environment variable VAULT_ADDR
    ");
}

#[test]
fn a_server_in_trouble_and_one_that_is_no_vault_are_told_apart() {
    let [(token, ..), ..] = LOGINS;
    let json = "content-type: application/json\r\n";
    let all = [
        check(token, |_, vault| vault.disturb(Trouble::Sealed)),
        check(token, |lab, vault| {
            lab.edit_config(|text| text.replace("[network]\n", "[network]\ntimeout = \"1s\"\n"));
            vault.disturb(Trouble::Hang);
        }),
        check(token, |_, vault| vault.disturb(Trouble::Close)),
        check(token, |lab, vault| lab.edit_config(|text| text.replace(&vault.url(), "https://127.0.0.1:1"))),
        check(token, |lab, _| lab.edit_config(|text| text.replace("ca_file", "#ca_file"))),
        check(token, answer(307, "location: https://vault-2.test:8200/v1/kv/data/okta/acme\r\n", "")),
        check(token, answer(429, json, r#"{"errors":["request path \"kv\": rate limit quota exceeded"]}"#)),
        check(token, answer(500, json, r#"{"errors":["local node not active but active cluster node not found"]}"#)),
        check(token, answer(200, "content-type: text/html\r\n", "<h1>Welcome</h1>")),
        check(token, answer(200, json, r#"{"data":{"token":"canary"}}"#)),
        check(token, answer(404, "content-type: text/plain\r\n", "not here")),
    ];
    assert_snapshot!(all.join("\n"), @r"
    Vault at `VAULT` is sealed
      hint: unseal it, then run the same command again
    Vault at `VAULT` did not answer within 1 s
      hint: check that Vault runs, and that a firewall lets flowswap reach it
    failed to reach Vault at `VAULT`: got no answer: the connection was closed
      hint: check that Vault runs, then run the same command again
    failed to reach Vault at `https://127.0.0.1:1`: failed to connect: connection refused
      hint: check the address and the port, and that the server runs
    failed to reach Vault at `VAULT`: failed to connect: no trusted CA signed its certificate (UnknownIssuer)
      hint: something on the way may present its own certificate. If you trust it, set `ca_file` under `[network]` to its CA, or to the certificate itself if it is self-signed
    Vault at `VAULT` sends flowswap to another server: `https://vault-2.test:8200`
      hint: set `address` under `[vault]` to the active server, or let the standby servers forward requests
    Vault at `VAULT` limits the rate of requests, and refused one
      hint: lower `concurrency` under `[run]`, or raise the quota in Vault
    Vault at `VAULT` failed with status 500: local node not active but active cluster node not found
      hint: read what Vault wrote into its log, then run the same command again
    something other than Vault answered at `VAULT` (status 200, `text/html`)
      hint: check `address` under `[vault]`; a proxy or a load balancer on the way may have answered in its place
    something other than Vault answered at `VAULT` (status 200, `application/json`)
      hint: check `address` under `[vault]`; a proxy or a load balancer on the way may have answered in its place
    something other than Vault answered at `VAULT` (status 404, `text/plain`)
      hint: check `address` under `[vault]`; a proxy or a load balancer on the way may have answered in its place
    ");
}

#[test]
fn a_secret_is_asked_for_again_after_a_quota_and_not_after_a_refusal() {
    let asked = |status, code| {
        let lab = Lab::with_tenants(1);
        let vault = Vault::for_lab(&lab);
        log_in_with(&lab, &vault, LOGINS[0].0);
        vault.disturb_some(Trouble::Answer(status, "", r#"{"errors":[]}"#), 2);
        finish(prepare(&lab, &["check"])).expect(code);
        vault.take_asked().len()
    };
    for status in [412, 429, 500, 502, 504] {
        assert_eq!(asked(status, 0), 3, "{status}");
    }
    assert_eq!((asked(404, 3), asked(400, 3), asked(503, 3)), (1, 1, 1));
}

/// Vault locks who logs in too often with a wrong password.
#[test]
fn a_refused_login_is_not_repeated_for_every_tenant() {
    let lab = Lab::with_tenants(8);
    let vault = Vault::for_lab(&lab);
    log_in_with(&lab, &vault, LOGINS[1].0);
    write_private(&lab, "secret-id", "wrong-secret-id");
    finish(prepare(&lab, &["check"])).expect(3);
    assert_eq!(vault.take_asked(), ["POST /v1/auth/approle/login"]);
}
