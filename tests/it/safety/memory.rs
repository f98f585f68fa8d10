//! No secret is in the memory of a plugin's process. The test reads that memory as only root can, while a run is held up.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
};

use flowswap_sim::{Fault, FaultKind, SimConfig};
use rustix::process::geteuid;

use super::echo::new_secret;
use crate::support::{Background, Lab, children, print};

#[test]
fn a_plugin_has_no_secret_in_its_memory() {
    if cfg!(not(target_os = "linux")) || !geteuid().is_root() {
        return print("skipped: only root can read the memory of a process that is not dumpable, and only on Linux");
    }
    let lab = Lab::new(SimConfig::default().tenants(1).record(true));
    let tenant = lab.sim.tenants()[0].clone();
    let _ = lab.plan();
    // The directory gets the new secret in this request, so by then every secret of the migration was in use.
    lab.sim.add_fault(Fault {
        host: flowswap_sim::GATEWAY_HOST.to_owned(),
        method: Some("POST".to_owned()),
        path: format!("/v1/directories/{}/reconnect", tenant.directory_id),
        query: String::new(),
        kind: FaultKind::Delay { milliseconds: 600_000 },
        times: 1,
        skip: 0,
    });
    let mut running = Background::start(lab.dir(), &["apply", "plan.json", "--yes", "-vv"]);
    running.await_faults(&lab);
    assert!(!running.has_ended(), "{}", running.finish().stderr);

    let made = new_secret(&lab, &tenant.domain);
    let secrets = [tenant.admin_token.as_str(), lab.sim.gateway_token(), &made];
    let host = memory(running.id());
    for secret in secrets {
        assert!(contains(&host, secret), "the search does not find what must be there");
    }
    let plugins = children(running.id());
    assert_eq!(plugins.len(), 2, "one process for each plugin");
    for plugin in plugins {
        let memory = memory(plugin);
        // It searches the right memory: the plugin knows the tenant's domain.
        assert!(contains(&memory, &tenant.domain), "nothing of the tenant is in the memory of {plugin}");
        for secret in secrets {
            assert!(!contains(&memory, secret), "a secret is in the memory of the plugin's process {plugin}");
        }
    }
    running.kill();
    let _ = running.finish();
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

fn contains(memory: &[u8], text: &str) -> bool {
    memory.windows(text.len()).any(|window| window == text.as_bytes())
}
