//! `watch` under a service manager: what it tells the manager, how it ends, and the units in the packaging.

use std::{
    fs, io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use flowswap_sim::{Fault, FaultKind};

use crate::support::{Background, Lab, command, folder, print, repository};

/// A lab with a tenant whose rollback waits for tokens to expire.
fn waiting() -> Lab {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    lab
}

/// The next message of a service.
#[track_caller]
fn receive(manager: &UnixDatagram) -> String {
    let mut message = [0; 4096];
    let length = manager.recv(&mut message).unwrap();
    String::from_utf8(message[..length].to_vec()).unwrap().trim_end().to_owned()
}

/// Lets `watch` wait, and then ends it as a service manager does.
#[track_caller]
fn watch(lab: &Lab, manager: &UnixDatagram, socket: &str) {
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut watch = command(lab.dir(), &["watch"]);
    watch.env("NOTIFY_SOCKET", socket);
    let watch = Background::spawn(watch);
    assert_eq!(receive(manager), "READY=1");
    let status = receive(manager);
    assert!(status.starts_with("STATUS=1 tenant waiting; next check at 20"), "{status}");
    // The first check may come at once, and another status after it.
    let begun = Instant::now();
    watch.terminate();
    let last = std::iter::from_fn(|| Some(receive(manager))).find(|message| !message.starts_with("STATUS="));
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
    assert_eq!(watch.finish().code, 5);
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
}

#[test]
fn a_service_manager_hears_how_watch_begins_waits_and_ends() {
    let lab = waiting();
    let path = lab.path("notify.sock");
    watch(&lab, &UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
}

/// systemd uses such a socket in containers.
#[test]
fn the_socket_of_a_service_manager_can_have_an_abstract_name() {
    let lab = waiting();
    let name = format!("flowswap-test-{}", std::process::id());
    let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    watch(&lab, &manager, &format!("@{name}"));
}

/// The manager hears at once that it must wait, and nothing is left in doubt.
#[test]
fn a_step_that_has_begun_is_done_before_watch_ends() {
    let lab = waiting();
    lab.outlive_tokens();
    let (host, kind) = (lab.sim.tenants()[0].domain.clone(), FaultKind::DelayAfterCommit { milliseconds: 1500 });
    let (method, path) = (Some("DELETE".to_owned()), "/integrations/".to_owned());
    lab.sim.add_fault(Fault { host, method, path, query: String::new(), kind, times: 1, skip: 0 });
    let socket = lab.path("notify.sock");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut watch = command(lab.dir(), &["watch"]);
    watch.env("NOTIFY_SOCKET", &socket);
    let mut watch = Background::spawn(watch);
    watch.await_faults(&lab);
    watch.terminate();
    while receive(&manager) != "STOPPING=1" {}
    assert!(!watch.has_ended(), "the request is still under way");
    let ended = watch.finish();
    assert!([0, 5].contains(&ended.code), "{}", ended.stderr);
    assert_eq!(lab.in_state("rolled-back"), ["acme"], "{}", ended.stderr);
}

#[test]
fn a_watchdog_hears_that_watch_is_alive() {
    let lab = waiting();
    let path = lab.path("notify.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut watch = command(lab.dir(), &["watch"]);
    watch.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let watch = Background::spawn(watch);
    let mut alive = std::iter::from_fn(|| Some(receive(&manager))).filter(|message| message == "WATCHDOG=1");
    assert_eq!(alive.by_ref().take(3).count(), 3);
    watch.terminate();
    assert_eq!(watch.finish().code, 5);
}

#[test]
fn other_commands_tell_a_service_manager_nothing() {
    let lab = Lab::with_tenants(1);
    let path = lab.path("notify.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    let mut detect = command(lab.dir(), &["detect"]);
    detect.env("NOTIFY_SOCKET", &path);
    assert!(detect.output().unwrap().status.success());
    assert_eq!(manager.recv(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

fn units() -> Vec<(String, String)> {
    let folder = repository().join("crates/cli/packaging/systemd");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.map(|path| (name(&path), fs::read_to_string(path).unwrap())).collect()
}

/// The command lines of the units are real ones.
#[test]
fn the_units_start_commands_that_exist() {
    let lab = Lab::with_tenants(1);
    let mut started = 0;
    for (name, text) in units() {
        for line in text.lines().filter_map(|line| line.strip_prefix("ExecStart=/usr/bin/flowswap ")) {
            let args: Vec<&str> = line.split(' ').chain(["--help"]).collect();
            assert!(lab.run(&args).expect(0).stderr.is_empty(), "{name}");
            started += 1;
        }
    }
    assert_eq!(started, 2);
}

#[test]
fn systemd_accepts_the_units() {
    let dir = folder();
    for (name, text) in units() {
        fs::write(dir.path().join(name), text.replace("/usr/bin/flowswap", env!("CARGO_BIN_EXE_flowswap"))).unwrap();
    }
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).args(units().iter().map(|(name, _)| dir.path().join(name)));
    let Ok(output) = verify.env("SYSTEMD_UNIT_PATH", format!("{}:", dir.path().display())).output() else {
        return print("skipped: there is no systemd-analyze");
    };
    let complaints = String::from_utf8(output.stderr).unwrap();
    let about_these = complaints.lines().filter(|line| line.contains("flowswap"));
    assert_eq!(about_these.collect::<Vec<_>>(), [""; 0], "{complaints}");
}
