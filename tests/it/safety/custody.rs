//! Who can read and write flowswap's state and the code that it runs.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use flowswap_sim::{Fault, FaultKind, SimConfig};

use crate::support::{Background, Lab, children, command, copy_binary};

#[test]
fn only_the_owner_can_access_the_state_folder() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let mut seen = Vec::new();
    let mut folders = vec![lab.path(".flowswap")];
    while let Some(folder) = folders.pop() {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            seen.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
    for name in ["journal.sqlite", "identity.txt", "secrets"] {
        assert!(seen.iter().any(|path| path == name), "{name} is not among {seen:?}");
    }
    assert!(seen.iter().filter(|path| path.ends_with(".age")).count() == 2, "{seen:?}");
}

#[test]
fn an_identity_that_others_can_read_is_refused() {
    let lab = Lab::new(SimConfig::default().tenants(1).record(true));
    lab.plan().expect(0);
    let requests = lab.sim.traffic().len();
    fs::set_permissions(lab.path(".flowswap/identity.txt"), Permissions::from_mode(0o644)).unwrap();
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(1);
    assert!(output.stderr.contains("chmod 600"), "the hint is missing: {}", output.stderr);
    assert_eq!(lab.sim.traffic().len(), requests);
    let check = lab.run(&["check"]).expect(3);
    assert!(check.stdout.contains("identity"), "{}", check.stdout);
}

#[test]
fn a_plugin_that_is_not_the_pinned_one_is_refused() {
    let lab = Lab::new(SimConfig::default().tenants(1).record(true));
    let pinned = "0".repeat(64);
    lab.edit_config(|text| format!("{text}\n[plugins.okta]\nsha256 = \"{pinned}\"\n"));
    for command in ["check", "detect", "plan"] {
        let output = lab.run(&[command]).expect(2);
        let inspected = lab.run(&["plugins", "inspect", "rest", "--format", "json"]).expect(0);
        assert!(inspected.stdout.contains("\"sha256\""));
        assert!(output.stderr.contains(&pinned), "{}", output.stderr);
        let found = output.stderr.split("sha256 is ").nth(1).and_then(|rest| rest.get(..64)).unwrap_or_default();
        assert!(found.bytes().all(|byte| byte.is_ascii_hexdigit()) && found != pinned, "{}", output.stderr);
        assert!(output.stderr.contains("hint: "), "the hint is missing: {}", output.stderr);
    }
    assert_eq!(lab.sim.traffic().len(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_plugin_process_finds_no_secret_in_its_environment() {
    let lab = Lab::with_tenants(1);
    lab.edit_config(|text| text.replace("{ file = \"tokens/{name}.token\" }", "{ env = \"OKTA_TOKEN\" }"));
    let tenant = lab.sim.tenants().remove(0);
    let kind = FaultKind::Delay { milliseconds: 600_000 };
    lab.sim.add_fault(Fault {
        host: tenant.domain,
        method: None,
        path: String::new(),
        query: String::new(),
        kind,
        times: 1,
        skip: 0,
    });
    let mut command = command(lab.dir(), &["detect"]);
    command.env("OKTA_TOKEN", &tenant.admin_token);
    let mut running = Background::spawn(command);
    while lab.sim.faults()[0].fired == 0 && !running.has_ended() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let of = |process: &str, file: &str| {
        String::from_utf8_lossy(&fs::read(format!("/proc/{process}/{file}")).unwrap()).into_owned()
    };
    let own = running.id().to_string();
    assert!(of(&own, "environ").contains(&tenant.admin_token), "the test cannot find the token where it must be");
    let threads = fs::read_dir(format!("/proc/{own}/task")).unwrap().map(|entry| entry.unwrap().path());
    let children: String = threads.map(|thread| fs::read_to_string(thread.join("children")).unwrap()).collect();
    assert_eq!(children.split_whitespace().count(), 2, "{children}");
    for child in children.split_whitespace() {
        for file in ["environ", "cmdline"] {
            assert!(!of(child, file).contains(&tenant.admin_token), "{file} of {}", of(child, "cmdline"));
        }
    }
    running.kill();
    running.finish().expect(-9);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// While a run is held, no process of flowswap can leave a core file.
#[cfg(target_os = "linux")]
#[test]
fn no_process_of_a_run_can_leave_a_core_file() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let (host, method) = (lab.sim.tenants()[0].domain.clone(), Some("POST".to_owned()));
    let kind = FaultKind::Delay { milliseconds: 600_000 };
    lab.sim.add_fault(Fault { host, method, path: "/".to_owned(), query: String::new(), kind, times: 1, skip: 0 });
    let mut running = Background::start(lab.dir(), &["apply", "plan.json", "--yes"]);
    running.await_faults(&lab);
    let ids = [vec![running.id()], children(running.id())].concat();
    assert_eq!(ids.len(), 3, "flowswap and two plugins");
    for id in ids {
        let limits = fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let words: Vec<_> = core.split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{core}");
    }
    running.kill();
    running.finish().expect(-9);
}

/// Other processes of the same user can read neither its memory nor its environment: the kernel gives the files of such a
/// process in `/proc` to root.
#[cfg(target_os = "linux")]
#[test]
fn flowswap_is_closed_to_other_processes_of_its_user() {
    use std::{os::unix::fs::MetadataExt, process::Stdio};

    let folder = crate::support::folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let binary = copy_binary(folder.path());
    // It waits for a plan on stdin. Root runs it as another user, because all files of root belong to root.
    let mut command = match rustix::process::getuid().is_root() {
        true => {
            let mut command = std::process::Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&binary);
            command
        }
        false => std::process::Command::new(&binary),
    };
    command.args(["show", "-"]).current_dir(folder.path()).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let environment = format!("/proc/{}/environ", child.id());
    // Until then it is `setpriv`, or has not reached its first line.
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while fs::metadata(&environment).unwrap().uid() != 0 || !is_running(child.id(), &binary) {
        assert!(std::time::Instant::now() < limit, "{environment} still belongs to the user");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[cfg(target_os = "linux")]
fn is_running(id: u32, binary: &Path) -> bool {
    fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe == binary)
}
