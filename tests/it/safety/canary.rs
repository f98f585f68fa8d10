//! Secrets are only in the secret store and in requests to their own side. The test searches every file and every output after
//! each command, and every request, for every secret of a fleet, in every form in which it could leak.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    process::Command,
};

use flowswap_sim::{Exchange, Fault, FaultKind, GATEWAY_HOST, SimConfig};
use serde_json::Value;

use super::{
    patrol::Patrol,
    search::{Canary, Search, files_of_the_client, read_request},
};
use crate::support::{Background, Lab, finish};

#[test]
fn secrets_are_only_in_the_secret_store_and_in_requests_to_their_own_side() {
    let lab = Lab::new(SimConfig::default().tenants(8).record(true));
    let collect = || collect(&lab);
    let mut patrol = Patrol::new(&lab, &collect);
    use_everything(&mut patrol);
    let search = patrol.end();
    let kinds: BTreeSet<&str> = search.canaries.iter().map(Canary::kind).collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["access_token", "admin", "client_secret", "clientSecret", "gateway", "identity"])
    );
    let files: Vec<String> = files_of_the_client(lab.dir()).into_iter().map(|(name, _)| name).collect();
    assert!(files.iter().any(|name| name.ends_with(".age")), "no secret is in custody");
    assert!(files.iter().any(|name| name.ends_with("journal.sqlite")), "there is no journal");
    let seen = search_requests(&lab, &search);
    // The search works: it found every kind that is sent, in requests to orgs and to the gateway.
    assert!(seen["admin"].len() == 8 && seen["access_token"].len() >= 4, "{seen:#?}");
    assert!(seen["gateway"].len() == 1 && seen["clientSecret"].contains(GATEWAY_HOST), "{seen:#?}");
    // The client whose creation had no answer got a new secret, as `client_secret`, and so did the one whose secret was rotated.
    let got_another = &seen["client_secret"];
    assert!(got_another.contains(GATEWAY_HOST) && got_another.contains(&lab.sim.tenants()[0].domain), "{seen:#?}");
    assert_eq!((seen["clientSecret"].len(), got_another.len()), (4, 3), "{seen:#?}");
    assert!(!seen.contains_key("identity"));
}

/// The hosts that got each kind of secret. No secret may be in another request.
fn search_requests(lab: &Lab, search: &Search) -> BTreeMap<String, BTreeSet<String>> {
    let (mut leaks, mut seen) = (Vec::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for exchange in lab.sim.traffic() {
        for canary in search.find(read_request(&exchange)) {
            if !may_carry(canary, &exchange) {
                let request = format!("{} {}{}", exchange.method, exchange.host, exchange.path_and_query);
                leaks.push(format!("{} of {} is in {request}", canary.what, canary.owner));
            }
            seen.entry(canary.kind().to_owned()).or_default().insert(exchange.host.clone());
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    seen
}

/// Runs every command. A lost answer and a crash leave traces that a clean run would not.
fn use_everything(patrol: &mut Patrol<'_>) {
    let lab = patrol.lab;
    patrol.run_in_both_forms(&["check"], 0);
    patrol.run_in_both_forms(&["detect"], 4);
    patrol.run_in_both_forms(&["plan", "-o", "plan.json"], 4);
    patrol.run_in_both_forms(&["show", "plan.json"], 0);
    let org = lab.sim.tenants()[0].domain.clone();
    let post = |path: &str, kind| Fault {
        host: org.clone(),
        method: Some("POST".to_owned()),
        path: path.to_owned(),
        query: String::new(),
        kind,
        times: 1,
        skip: 0,
    };
    lab.sim.add_fault(post("/integrations/api/v1/api-services", FaultKind::DropAfterCommit));
    lab.sim.add_fault(post("/oauth2/v1/token", FaultKind::Delay { milliseconds: 600_000 }));
    let mut running = Background::spawn(with_core_files(&patrol.command(&["apply", "plan.json", "--yes"])));
    running.await_faults(lab);
    running.abort();
    let crashed = running.finish();
    assert_eq!(crashed.code, -6, "{}", crashed.stderr);
    patrol.search_after("the crash", &crashed);
    patrol.run(&["stuck"], 0);
    patrol.run_in_both_forms(&["resume", "--yes"], 0);
    patrol.run_in_both_forms(&["apply", "plan.json", "--yes"], 0);
    patrol.run_in_both_forms(&["status"], 0);
    patrol.run_in_both_forms(&["next"], 0);
    patrol.run_in_both_forms(&["stuck"], 0);
    patrol.run_in_both_forms(&["evidence", "acme"], 0);
    patrol.run_in_both_forms(&["history"], 0);
    patrol.run_in_both_forms(&["report"], 0);
    patrol.run(&["report", "-o", "report.html", "-o", "report.md", "-o", "report.xml"], 0);
    patrol.run_in_both_forms(&["sheet", "acme"], 2);
    patrol.run_in_both_forms(&["watch", "acme"], 0);
    patrol.run_in_both_forms(&["audit", "verify"], 0);
    patrol.run_in_both_forms(&["audit", "verify", "--online"], 0);
    export(patrol);
    let last = lab.in_state("swapped").pop().unwrap();
    lab.outlive_tokens();
    patrol.run_in_both_forms(&["finalize", &last, "--yes"], 0);
    patrol.run_in_both_forms(&["rotate", &last, "-o", "rotation.json"], 0);
    patrol.run(&["apply", "rotation.json", "--yes"], 0);
    patrol.run_in_both_forms(&["secret", "list", &last], 0);
    patrol.run_in_both_forms(&["secret", "verify"], 0);
    patrol.run_in_both_forms(&["secret", "recipients"], 0);
    patrol.run(&["rollback", &last, "--yes"], 0);
    patrol.run_in_both_forms(&["plugins", "list"], 0);
    patrol.run_in_both_forms(&["plugins", "inspect", "okta"], 0);
    // A wrong token leads to a refusal, which must not quote a secret either.
    let token = lab.path("tokens/acme.token");
    let right = fs::read_to_string(&token).unwrap();
    fs::write(&token, "00wrong-token-of-nobody").unwrap();
    patrol.run(&["detect", "acme"], 4);
    fs::write(&token, right).unwrap();
    patrol.run(&["rollback", "acme", "--yes"], 0);
}

/// Exports everything. The search also reads the folder of the export.
fn export(patrol: &mut Patrol<'_>) {
    let path = env::var_os("PATH").unwrap();
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", "auditor"]).current_dir(patrol.lab.dir());
    let _ = finish(keygen).expect(0);
    let mut command = patrol.command(&["audit", "export", "-o", "audit", "--key", "auditor"]);
    command.env("PATH", path);
    let exported = finish(command).expect(0);
    patrol.search_after("audit export", &exported);
    let files = files_of_the_client(patrol.lab.dir());
    assert!(files.iter().any(|(name, _)| name.ends_with("audit/journal.jsonl")), "the search does not read the export");
}

/// The same command, permitted to leave core files.
fn with_core_files(command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\""]);
    shell
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// All secrets: those from the simulator's configuration, and those that were created meanwhile.
pub(super) fn collect(lab: &Lab) -> Vec<Canary> {
    let tenants = lab.sim.tenants();
    let admin = tenants
        .iter()
        .map(|tenant| Canary::secret(format!("admin token of {}", tenant.name), &tenant.admin_token, &tenant.domain));
    let mut canaries: Vec<Canary> = admin.collect();
    canaries.push(Canary::secret("gateway token".to_owned(), lab.sim.gateway_token(), GATEWAY_HOST));
    let identity = fs::read_to_string(lab.path(".flowswap/identity.txt")).unwrap();
    let key = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    canaries.push(Canary::secret("identity".to_owned(), key, "nobody"));
    for exchange in lab.sim.traffic() {
        let Some(tenant) = tenants.iter().find(|tenant| tenant.domain == exchange.host) else { continue };
        let Ok(body) = serde_json::from_slice::<Value>(&exchange.response_body) else { continue };
        for what in ["clientSecret", "client_secret", "access_token"] {
            // Lists show secrets masked.
            let Some(value) = body[what].as_str().filter(|value| !value.contains('*')) else { continue };
            let directory = (what != "access_token").then(|| tenant.directory_id.clone());
            let canary = Canary::secret(format!("{what} of {}", tenant.name), value, &tenant.domain);
            canaries.push(canary.also_at(directory));
        }
    }
    canaries
}

pub(super) fn may_carry(canary: &Canary, exchange: &Exchange) -> bool {
    let to_its_directory = |directory: &String| {
        exchange.host == GATEWAY_HOST && exchange.path_and_query.starts_with(&format!("/v1/directories/{directory}/"))
    };
    exchange.host == canary.owner || canary.directory.as_ref().is_some_and(to_its_directory)
}
