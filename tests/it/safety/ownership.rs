//! Whose files flowswap trusts: every kind of file, every folder above it, and root in the folder of another user.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::Path,
    process::Command,
};

use flowswap_sim::SimConfig;

use crate::support::{Lab, Output, command, copy_binary, finish, plugin_file, print};

/// `nobody`.
const OTHER: u32 = 65_534;

/// A lab with every kind of file that flowswap trusts, and a plan that was applied.
fn lab() -> Lab {
    let lab = Lab::new(SimConfig::default().tenants(1).record(true));
    fs::create_dir(lab.path("plugins")).unwrap();
    for name in ["okta", "rest"] {
        fs::copy(plugin_file(name), lab.path("plugins").join(plugin_file(name).file_name().unwrap())).unwrap();
    }
    fs::create_dir(lab.path("keys")).unwrap();
    fs::rename(lab.path(".flowswap/identity.txt"), lab.path("keys/identity.txt")).unwrap();
    write(&lab.path("more.csv"), "name\n", 0o644);
    write(&lab.path("keys/program"), "#!/bin/sh\ncat gateway.token\n", 0o755);
    lab.edit_config(|text| {
        let text = text.replace("{ file = \"gateway.token\" }", "{ command = [\"keys/program\"] }");
        format!("inventory = \"more.csv\"\n{}", text.replace(".flowswap/identity.txt", "keys/identity.txt"))
    });
    lab.plan().expect(0);
    let _ = run(&lab, "apply plan.json --yes");
    lab
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn run(lab: &Lab, command: &str) -> Output {
    lab.run(&[command.split(' ').collect(), vec!["--plugin-dir", "plugins"]].concat())
}

/// The commands that read each file, and some that do not.
const ALL: &[&str] =
    &["status", "detect", "check", "plan -o new.json", "history", "report", "audit verify", "rollback --all --yes"];
const ONLINE: &[&str] = &["detect", "check", "plan -o new.json", "rollback --all --yes"];
const OFFLINE: &[&str] = &["status", "history", "report"];
const FILES: [(&str, &[&str], &[&str]); 14] = [
    ("migrate.toml", ALL, &[]),
    ("more.csv", ALL, &[]),
    (".flowswap", ALL, &[]),
    (".flowswap/journal.sqlite", ALL, &[]),
    (".flowswap/secrets", ALL, &[]),
    ("keys", ALL, &[]),
    ("keys/identity.txt", ALL, &[]),
    ("plugins/LIBRARY", ONLINE, OFFLINE),
    ("plugins", ONLINE, OFFLINE),
    ("tokens/TOKEN", ONLINE, OFFLINE),
    ("tokens", ONLINE, OFFLINE),
    ("keys/program", ONLINE, OFFLINE),
    ("ca.pem", ONLINE, OFFLINE),
    (".", ALL, &[]),
];

/// The path of one of [`FILES`] in the lab.
fn find(lab: &Lab, name: &str) -> std::path::PathBuf {
    let library = plugin_file("okta").file_name().unwrap().to_str().unwrap().to_owned();
    let token = format!("{}.token", lab.sim.tenants()[0].name);
    let name = name.replace("LIBRARY", &library).replace("TOKEN", &token);
    if name == "." { lab.dir().to_owned() } else { lab.path(&name) }
}

/// Every command that reads the file refuses it and sends nothing. What the hint says mends it.
fn check(lab: &Lab, path: &Path, refusing: &[&str], working: &[&str], why: &str) {
    let mut hints = Vec::new();
    for command in refusing {
        let requests = lab.sim.traffic().len();
        let output = run(lab, command).expect(2);
        let told = format!("`{}` {why}", path.display());
        assert!(output.stderr.contains(&told), "{command}, {told}: {}", output.stderr);
        assert_eq!(lab.sim.traffic().len(), requests, "{command}");
        hints.push(output.stderr);
    }
    for command in working {
        assert_ne!(run(lab, command).code, 2, "{command}, {}", path.display());
    }
    let hint =
        hints[0].lines().find_map(|line| Some(line[line.find("ch")?..].to_owned()).filter(|it| mends(it))).unwrap();
    let mended = Command::new("sh").args(["-c", &hint]).current_dir(lab.dir()).status().unwrap();
    assert!(mended.success(), "{hint}");
    for command in refusing {
        let output = run(lab, command);
        assert_ne!(output.code, 2, "{command} after {hint}: {}", output.stderr);
    }
}

fn mends(text: &str) -> bool {
    ["chmod go-w ", "chown root "].iter().any(|command| text.starts_with(command))
}

#[test]
fn what_others_can_write_is_refused() {
    let lab = lab();
    for (name, refusing, working) in FILES {
        let path = find(&lab, name);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777 | 0o022;
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let root = rustix::process::geteuid();
        let owner = if root.is_root() { "root".to_owned() } else { root.as_raw().to_string() };
        check(&lab, &path, refusing, working, &format!("(owner {owner}, mode {mode:04o})"));
    }
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    if !is_root() {
        return;
    }
    let lab = lab();
    for (name, refusing, working) in FILES {
        let path = find(&lab, name);
        chown(&path, Some(OTHER), None).unwrap();
        check(&lab, &path, refusing, working, "belongs to another user (owner 65534, mode");
    }
}

#[test]
fn a_link_does_not_hide_where_a_file_is() {
    let lab = lab();
    fs::create_dir(lab.path("open")).unwrap();
    for (name, refusing) in [("migrate.toml", ALL), ("tokens", ONLINE), ("ca.pem", ONLINE), (".flowswap", ALL)] {
        let target = lab.path("open").join(name);
        fs::rename(lab.path(name), &target).unwrap();
        symlink(&target, lab.path(name)).unwrap();
        fs::set_permissions(lab.path("open"), Permissions::from_mode(0o755)).unwrap();
        run(&lab, "detect").expect(0);
        fs::set_permissions(lab.path("open"), Permissions::from_mode(0o777)).unwrap();
        for command in refusing {
            let output = run(&lab, command).expect(2);
            assert!(output.stderr.contains("other users can change the folder `"), "{name}: {}", output.stderr);
        }
        fs::remove_file(lab.path(name)).unwrap();
        fs::rename(&target, lab.path(name)).unwrap();
    }
}

/// Root in the folder of another user runs none of that user's code, not even with `sudo`. The user itself can work there.
#[test]
fn root_does_not_trust_the_folder_of_another_user() {
    if !is_root() {
        return;
    }
    let lab = lab();
    let binary = copy_binary(lab.dir());
    let all = Command::new("chown").args(["-R", "65534:65534"]).arg(lab.dir()).status().unwrap();
    assert!(all.success());
    for args in [&["detect", "--plugin-dir", "plugins"][..], &["status"], &["init", "--config", "new/migrate.toml"]] {
        let mut as_root = command(lab.dir(), args);
        as_root.env("SUDO_UID", "65534").env("SUDO_USER", "nobody");
        let output = finish(as_root).expect(2);
        let why = format!("the folder `{}` belongs to another user (owner 65534, mode", lab.dir().display());
        assert!(output.stderr.contains(&why), "{}", output.stderr);
        assert!(output.stderr.contains("run flowswap as user 65534"), "{}", output.stderr);
    }
    assert!(!lab.path("new").exists());
    let mut as_user = Command::new("setpriv");
    as_user.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(binary).current_dir(lab.dir());
    as_user.env_clear().args(["detect", "--plugin-dir", "plugins"]);
    finish(as_user).expect(0);
}

#[test]
fn a_state_folder_that_others_can_look_into_is_refused() {
    let lab = Lab::with_tenants(1);
    let mode = |mode| fs::set_permissions(lab.path(".flowswap"), Permissions::from_mode(mode)).unwrap();
    mode(0o755);
    for command in [&["status"][..], &["plan", "-o", "plan.json"]] {
        let refused = lab.run(command).expect(2).stderr;
        assert!(refused.contains("other users can look into the folder `"), "{refused}");
        assert!(refused.contains("hint: chmod go-rwx "), "{refused}");
    }
    mode(0o700);
    lab.run(&["status"]).expect(0);
}

/// The kernel shows every owner as `nobody` there, and the user too.
#[test]
fn a_user_that_its_namespace_does_not_map_trusts_no_file() {
    let unshare = || Command::new("unshare");
    if !unshare().args(["--user", "true"]).output().is_ok_and(|output| output.status.success()) {
        return print("skipped: this machine makes no user namespace");
    }
    let lab = Lab::with_tenants(1);
    let mut unmapped = unshare();
    unmapped.arg("--user").arg(env!("CARGO_BIN_EXE_flowswap")).arg("status").current_dir(lab.dir()).env_clear();
    let output = finish(unmapped).expect(2);
    assert!(output.stderr.contains("the folder `/` belongs to another user (owner 65534"), "{}", output.stderr);
    assert!(output.stderr.contains("a user namespace hides the owners of files"), "{}", output.stderr);
}

/// In a shared temporary folder, another user can be first.
#[test]
fn a_configuration_that_another_user_left_in_a_shared_folder_is_refused() {
    if !is_root() {
        return;
    }
    let lab = lab();
    fs::set_permissions(lab.dir(), Permissions::from_mode(0o1777)).unwrap();
    run(&lab, "status").expect(0);
    chown(lab.path("migrate.toml"), Some(OTHER), None).unwrap();
    run(&lab, "status").expect(2);
    // The secrets in this folder belong to another identity, so a new configuration needs a folder of its own.
    lab.run(&["init", "--config", "new.toml"]).expect(2);
    let output = lab.run(&["init", "--config", "new/migrate.toml"]).expect(0);
    assert!(output.stderr.contains("wrote new/migrate.toml"), "{}", output.stderr);
}

/// Whatever the umask is, others cannot change what `init` makes, so that the next command accepts it.
#[test]
fn init_makes_trusted_files_under_any_umask() {
    for umask in ["000", "002", "077"] {
        let folder = crate::support::folder();
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_flowswap"), "init", "--config", "new/migrate.toml"]);
        finish({
            shell.current_dir(folder.path()).env_clear();
            shell
        })
        .expect(0);
        let output = finish(command(folder.path(), &["status", "--config", "new/migrate.toml"]));
        assert_eq!(output.code, 0, "{umask}: {}", output.stderr);
    }
}

/// Whether the test can make files of another user. If not, it says so.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        print("skipped: only root can make files of another user");
    }
    is_root
}
