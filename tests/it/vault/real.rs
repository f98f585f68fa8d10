//! The same over a real server. `FLOWSWAP_VAULT` names the program `bao` of OpenBao, or `vault`.

use std::{
    env, fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{LOGINS, log_in_at, server::write_private};
use crate::support::{Lab, command, finish, print};

const PROGRAM: &str = "FLOWSWAP_VAULT";
const ROOT: &str = "root-canary";
/// Longer than a server takes to start.
const FOREVER: Duration = Duration::from_secs(60);

/// A development server, which keeps everything in memory.
struct Real {
    program: PathBuf,
    url: String,
    home: PathBuf,
    server: Child,
}

impl Real {
    /// `None` if there is no program.
    fn start(lab: &Lab) -> Option<Self> {
        let program = PathBuf::from(env::var_os(PROGRAM)?);
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let home = lab.path("home-of-vault");
        fs::create_dir(&home).unwrap();
        let server = Command::new(&program)
            .args(["server", "-dev", "-dev-no-store-token"])
            .args([format!("-dev-root-token-id={ROOT}"), format!("-dev-listen-address={address}")])
            .env("HOME", &home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let real = Self { program, url: format!("http://{address}"), home, server };
        let begun = Instant::now();
        while !real.try_run(&["status"]).0 {
            assert!(begun.elapsed() < FOREVER, "the server does not start");
            thread::sleep(Duration::from_millis(100));
        }
        Some(real)
    }

    fn try_run(&self, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(&self.program);
        command.args(args).env("HOME", &self.home);
        for prefix in ["VAULT", "BAO"] {
            command.env(format!("{prefix}_ADDR"), &self.url).env(format!("{prefix}_TOKEN"), ROOT);
        }
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> String {
        let (done, printed) = self.try_run(args);
        assert!(done, "{args:?}: {printed}");
        printed.trim().to_owned()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_real_server_gives_its_secrets_and_its_refusals() {
    let lab = Lab::with_tenants(1);
    let Some(real) = Real::start(&lab) else {
        return print(&format!("skipped: {PROGRAM} names no program of OpenBao or Vault"));
    };
    let token = format!("token={}", lab.sim.tenants()[0].admin_token);
    fs::write(lab.path("policy.hcl"), "path \"secret/data/okta/*\" { capabilities = [\"read\"] }").unwrap();
    real.run(&["kv", "put", "secret/okta/acme", &token, "owner=me"]);
    real.run(&["policy", "write", "flowswap", lab.path("policy.hcl").to_str().unwrap()]);
    real.run(&["auth", "enable", "approle"]);
    real.run(&["write", "auth/approle/role/flowswap", "token_policies=flowswap", "secret_id_num_uses=2"]);
    let role = real.run(&["read", "-field=role_id", "auth/approle/role/flowswap/role-id"]);
    let secret_id = real.run(&["write", "-f", "-field=secret_id", "auth/approle/role/flowswap/secret-id"]);
    let approle = LOGINS[1].0.replace("role_id = \"flowswap\"", &format!("role_id = \"{role}\""));
    log_in_at(&lab, &real.url, &approle);
    write_private(&lab, "secret-id", &secret_id);
    let refer = |from: &str, to: &str| lab.edit_config(|text| text.replace(from, to));
    refer("{ file = \"tokens/{name}.token\" }", "{ vault = \"secret/data/okta/{name}#token\" }");
    let check = |code: i32, expected: &str| {
        let mut check = command(lab.dir(), &["check", "-v"]);
        check.env("VAULT_TOKEN", "hvs.wrong");
        let output = finish(check).expect(code);
        assert!(!output.show().contains(&secret_id), "{}", output.show());
        let said: String = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(expected), "{expected}: {}", output.show());
    };
    check(0, "with the AppRole login at `auth/approle`");
    check(0, "0 failed");
    // It may be used twice.
    check(3, "Vault refused the login at `auth/approle`: invalid role or secret ID");

    refer(&approle, "token = { file = \"root\" }");
    write_private(&lab, "root", ROOT);
    check(0, "with the token from the secret file");
    refer("#token\" }", "#tokn\" }");
    check(3, "has no field `tokn`; it has `owner`, `token`");
    refer("secret/data/okta", "secret/okta");
    check(3, "write `secret/data/okta/acme`");
    refer("secret/okta", "elsewhere/okta");
    check(3, "Vault has no secrets engine at `elsewhere/okta/acme`");
    refer("elsewhere/okta/{name}", "secret/data/none");
    check(3, "Vault has no secret at `secret/data/none`");
    refer("secret/data/none", "secret/data/okta/{name}");
    real.run(&["kv", "delete", "secret/okta/acme"]);
    check(3, "version 1 of the secret `secret/data/okta/acme` in Vault is the latest one, and it is deleted");
    real.run(&["kv", "put", "secret/okta/acme", &token]);
    real.run(&["kv", "destroy", "-versions=2", "secret/okta/acme"]);
    check(3, "version 2 of the secret `secret/data/okta/acme` in Vault is the latest one, and it is destroyed");

    let narrow = real.run(&["token", "create", "-policy=default", "-field=token"]);
    write_private(&lab, "root", &narrow);
    check(3, "Vault does not allow the token from the secret file");
    write_private(&lab, "root", "hvs.wrong");
    check(3, "Vault does not accept the token from the secret file");
    refer("token = { file = \"root\" }", "kubernetes = { role = \"flowswap\", jwt = \"root\" }");
    real.run(&["auth", "enable", "kubernetes"]);
    check(3, "Vault refused the login at `auth/kubernetes`: invalid role name \"flowswap\"");
    refer("kubernetes = { role = \"flowswap\", jwt = \"root\" }", &approle.replace(" } }", " }, mount = \"other\" }"));
    check(3, "Vault has no login at `auth/other`");
    real.run(&["operator", "seal"]);
    check(3, "is sealed");
}
