//! No secret is in the memory of a plugin's process, and none is in the arguments or in the environment of any process of
//! flowswap. The test reads them as only root can, while commands are held up.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
};

use flowswap_sim::{Fault, FaultKind, GATEWAY_HOST, Scenario, SimConfig, SimTenant};
use rustix::process::geteuid;

use super::{canary::collect, patrol::Patrol, search::Search, stage::CAGES};
use crate::support::{Background, Lab, children, command, print};

/// The commands, with the method and the path of the request at which each is held up, and the secrets that flowswap uses until
/// then. `{directory}` is the path of a tenant's directory at the gateway. Other paths are those of the tenant's org.
const HELD: &[(&[&str], &str, &str, &[&str])] = &[
    (&["check"], "GET", "{directory}", &["gateway"]),
    (&["detect"], "GET", "{directory}", &["gateway"]),
    (&["plan", "acme", "-o", "plan.json"], "GET", "{directory}", &["gateway"]),
    // The org gets the new secret.
    (&["apply", "plan.json", "--yes"], "POST", "/oauth2/v1/token", &["admin", "clientSecret"]),
    // The directory gets it, and by then every secret of the migration is in use.
    (&["resume", "--yes"], "POST", "{directory}/reconnect", &["gateway", "clientSecret"]),
    (&["audit", "verify", "--online"], "GET", "{directory}", &["gateway"]),
    (&["rollback", "acme", "--yes"], "POST", "{directory}/restore", &["gateway"]),
    (&["finalize", "globex", "--yes"], "POST", "/api/v1/apps/", &["admin token of globex"]),
];

/// How many tenants [`the_credentials_of_most_tenants_are_gone_after_their_work`] works on.
const TENANTS: usize = 24;

#[test]
fn a_plugin_has_no_secret_in_its_memory() {
    if cfg!(not(target_os = "linux")) || !geteuid().is_root() {
        return print("skipped: only root can read the memory of a process that is not dumpable, and only on Linux");
    }
    for cage in CAGES {
        let lab = Lab::new(SimConfig::default().scenarios(vec![Scenario::Ready; 2]).record(true));
        let plugins = ["okta", "rest"].map(|name| format!("\n[plugins.{name}]\ncage = \"{cage}\"\n"));
        lab.edit_config(|text| text + &plugins.concat());
        let collect = || collect(&lab);
        let mut patrol = Patrol::new(&lab, &collect);
        let [acme, globex] = [0, 1].map(|at| lab.sim.tenants()[at].clone());
        for (args, method, path, used) in HELD {
            let tenant = if args.contains(&"globex") { &globex } else { &acme };
            if args[0] == "finalize" {
                patrol.run(&["plan", "globex", "-o", "globex.json"], 0);
                patrol.run(&["apply", "globex.json", "--yes"], 0);
            }
            if ["rollback", "finalize"].contains(&args[0]) {
                lab.outlive_tokens();
            }
            lab.sim.add_fault(delay(tenant, method, path));
            let mut running = Background::spawn(patrol.command(args));
            running.await_faults(&lab);
            assert!(!running.has_ended(), "{args:?}: {}", running.finish().stderr);
            let search = Search::new(collect());
            look_into(running.id(), &search, (args, used), &tenant.name);
            running.kill();
            patrol.search_after(&format!("{args:?}, which was killed"), &running.finish());
            lab.sim.clear_faults();
            // What it was to do must be done for the next command.
            if !["apply", "detect"].contains(&args[0]) {
                patrol.run(args, 0);
            }
        }
        patrol.end();
    }
}

/// flowswap opens the credentials of a tenant when it works on it, and drops them afterwards. Some of the memory that it gave back
/// can still have them, so the test counts.
#[test]
fn the_credentials_of_most_tenants_are_gone_after_their_work() {
    if cfg!(not(target_os = "linux")) || !geteuid().is_root() {
        return print("skipped: only root can read the memory of a process that is not dumpable, and only on Linux");
    }
    let lab = Lab::new(SimConfig::default().scenarios(vec![Scenario::Ready; TENANTS]));
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
    let last = lab.sim.tenants()[TENANTS - 1].clone();
    lab.sim.add_fault(delay(&last, "GET", "{directory}"));
    let mut running = Background::spawn(command(lab.dir(), &["detect"]));
    running.await_faults(&lab);
    assert!(!running.has_ended(), "{}", running.finish().stderr);
    let search = Search::new(collect(&lab));
    let found = search.find(memory(running.id()));
    running.kill();
    let admins: Vec<&str> =
        found.iter().map(|canary| canary.what.as_str()).filter(|what| what.starts_with("admin")).collect();
    print(&format!("of {TENANTS} tenants, the credentials of {} are in memory", admins.len()));
    assert!(admins.iter().any(|what| what.ends_with(&last.name)), "the search does not find those in use: {admins:?}");
    assert!(admins.len() * 2 <= TENANTS, "the credentials of most tenants stay in memory: {admins:?}");
}

/// Reads what is in flowswap's process and in those of its plugins. flowswap itself must have what it uses.
fn look_into(flowswap: u32, search: &Search, (args, used): (&[&str], &[&str]), tenant: &str) {
    let host: Vec<&str> = search.find(memory(flowswap)).into_iter().map(|canary| canary.what.as_str()).collect();
    for used in used {
        let is_there = host.iter().any(|what| what.starts_with(used));
        assert!(is_there, "{args:?}: the search does not find the {used}, which must be there: {host:?}");
    }
    let plugins = children(flowswap);
    assert_eq!(plugins.len(), 2, "{args:?}: one process for each plugin");
    for id in [&[flowswap], plugins.as_slice()].concat() {
        let [line, environment] = ["cmdline", "environ"].map(|file| fs::read(format!("/proc/{id}/{file}")).unwrap());
        assert!(!line.is_empty(), "{args:?}: nothing is known of the process {id}");
        let found = search.leaks(&[("its arguments".to_owned(), line), ("its environment".to_owned(), environment)]);
        assert_eq!(found, [""; 0], "{args:?}: the process {id}");
    }
    for plugin in plugins {
        let memory = memory(plugin);
        // It is the right memory: the name of the tenant is in the names of its secrets.
        assert!(memory.windows(tenant.len()).any(|window| window == tenant.as_bytes()), "{args:?}: not of {plugin}");
        assert_eq!(search.leaks(&[("the memory".to_owned(), memory)]), [""; 0], "{args:?}: the plugin {plugin}");
        assert_eq!(fs::read(format!("/proc/{plugin}/environ")).unwrap(), b"", "{args:?}: a plugin has no environment");
    }
}

/// A delay that only ends with the command.
fn delay(tenant: &SimTenant, method: &str, path: &str) -> Fault {
    let directory = format!("/v1/directories/{}", tenant.directory_id);
    let host = if path.starts_with("{directory}") { GATEWAY_HOST } else { &tenant.domain };
    Fault {
        host: host.to_owned(),
        method: Some(method.to_owned()),
        path: path.replace("{directory}", &directory),
        query: String::new(),
        kind: FaultKind::Delay { milliseconds: 600_000 },
        times: 1,
        skip: 0,
    }
}

/// Everything in the memory of a process that can be written, where its data is.
fn memory(id: u32) -> Vec<u8> {
    let mut file = File::open(format!("/proc/{id}/mem")).unwrap();
    let mut memory = Vec::new();
    for line in fs::read_to_string(format!("/proc/{id}/maps")).unwrap().lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
        let mut part = vec![0; usize::try_from(end - start).unwrap()];
        file.seek(SeekFrom::Start(start)).unwrap();
        // A part that was never used, or was given back meanwhile, cannot be read.
        if file.read_exact(&mut part).is_ok() {
            memory.append(&mut part);
        }
    }
    memory
}
