//! The cage of a plugin's process. `fixtures/attacker` makes each of its attacks in its constructor and in a message, in a cage
//! and without one.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use flowswap_engine::{Event, EventSink};
use flowswap_host::{Cage, Launcher, PluginFile, PluginProcess};
use futures::{StreamExt, stream};
use rustix::io::{FdFlags, fcntl_setfd};
use serde_json::Value;

use super::{rogue, stage};
use crate::support::{Background, children, copy_binary};

const SOURCE: &str = include_str!("../../../fixtures/attacker/attacker.c");
const MARK: &[u8] = b"attacker-choice:";

/// What still works in the constructor: the loader looks up files and maps code.
const HARMLESS: [&str; 4] = ["stat_file", "map_code", "make_code", "map_file"];

/// Attacks that an uncaged plugin can make as any user. They show that the attacks are real.
const REAL: [&str; 42] = [
    "read_file",
    "read_own_maps",
    "read_passwd",
    "list_folder",
    "read_inherited",
    "create_file",
    "write_file",
    "append_file",
    "truncate_on_open",
    "temporary_file",
    "open_null",
    "path_descriptor",
    "openat2_file",
    "truncate_file",
    "symlink_file",
    "make_folder",
    "make_fifo",
    "change_mode",
    "stat_file",
    "statx_file",
    "access_file",
    "change_folder",
    "watch_files",
    "load_library",
    "connect_tcp",
    "send_udp",
    "listen_tcp",
    "connect_unix",
    "socket_pair",
    "fork_process",
    "start_thread",
    "execute",
    "open_process",
    "find_parent",
    "outlive_parent",
    "control_device",
    "copy_descriptor",
    "anonymous_file",
    "map_code",
    "clock_of_process",
    "processors_of_process",
    // The last one, because the others need the file.
    "rename_file",
];

/// What the attacks aim at, and the attacking library.
struct Range {
    folder: tempfile::TempDir,
    library: Vec<u8>,
    binary: PathBuf,
    port: u16,
    _listeners: (TcpListener, UnixListener),
    _inherited: File,
}

impl Range {
    fn new() -> Self {
        let folder = crate::support::folder();
        let path = |name: &str| folder.path().join(name);
        // Another user attacks as well, and permissions must not be what stops it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        for name in ["secret", "victim"] {
            fs::write(path(name), "canary").unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o666)).unwrap();
        }
        let sockets = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(path("socket")).unwrap());
        fs::set_permissions(path("socket"), fs::Permissions::from_mode(0o777)).unwrap();
        let inherited = File::open(path("secret")).unwrap();
        fcntl_setfd(&inherited, FdFlags::empty()).unwrap();
        let library = path("attacker.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/attacker/attacker.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-std=gnu11", "-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
        assert!(compiler.status().expect("a C compiler").success());
        let binary = copy_binary(folder.path());
        let library = fs::read(library).unwrap();
        Self {
            port: sockets.0.local_addr().unwrap().port(),
            library,
            binary,
            folder,
            _listeners: sockets,
            _inherited: inherited,
        }
    }

    /// A copy of the library that makes this attack.
    fn plugin(&self, stage: &str, attack: &str) -> PluginFile {
        let folder = self.folder.path();
        let choice = format!("{stage} {attack} {} {} {}\0", std::process::id(), self.port, folder.display());
        let mut library = self.library.clone();
        let at = library.windows(MARK.len()).position(|bytes| bytes == MARK).unwrap();
        library[at..at + choice.len()].copy_from_slice(choice.as_bytes());
        let own = crate::support::folder();
        let path = own.path().join("libattacker.so");
        fs::write(&path, library).unwrap();
        PluginFile::read("attacker", &path, None).unwrap()
    }

    /// How to start the plugin's process, as this user or as `nobody`.
    fn launcher(&self, user: User, cage: Cage) -> Launcher {
        let own: [OsString; 2] = [self.binary.clone().into(), "__plugin".into()];
        let (exe, args) = match user {
            User::Same => (PathBuf::from(&own[0]), own[1..].to_vec()),
            User::Nobody => {
                let change = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"].map(OsString::from);
                (PathBuf::from("/usr/bin/setpriv"), [&change[..], &own[..]].concat())
            }
        };
        Launcher { cage, ..Launcher::new(exe, args) }
    }

    /// Makes an attack.
    async fn attack(&self, user: User, cage: Cage, stage: &str, attack: &str) -> Outcome {
        let log = Arc::new(Log::default());
        let file = self.plugin(stage, attack);
        let started = PluginProcess::start(&file, &self.launcher(user, cage), Arc::clone(&log) as _).await;
        let end = started.map(drop).expect_err("the attacker never greets").to_string();
        let said = log.0.lock().unwrap().join("\n");
        let found = |word: &str| said.lines().any(|line| line == format!("{word} {attack}"));
        assert!(found("attempting"), "{stage} {attack} was not attempted: {end}: {said}");
        Outcome {
            got_through: found("got through"),
            was_killed: end.contains("it made a system call that its cage forbids (signal: 31 (SIGSYS)"),
            told: format!("{end}: {said}"),
        }
    }
}

/// Who attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    Same,
    Nobody,
}

/// How an attack ended.
struct Outcome {
    got_through: bool,
    was_killed: bool,
    told: String,
}

/// What a plugin's process prints.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl EventSink for Log {
    fn emit(&self, event: Event) {
        if let Event::Log { message, .. } = event {
            self.0.lock().unwrap().push(message);
        }
    }
}

/// The names of all attacks, from the table in the source.
fn attacks() -> Vec<&'static str> {
    SOURCE.split("ATTACK(").skip(2).filter_map(|rest| rest.split_once(')')).map(|(name, _)| name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caged_plugin_reaches_nothing() {
    let range = Range::new();
    let attacks = attacks();
    assert!(attacks.len() >= 60, "{attacks:?}");
    let mut users = vec![User::Same];
    if rustix::process::geteuid().is_root() {
        users.push(User::Nobody);
    } else {
        eprintln!("not as another user: only root can do that");
    }
    let all = users.iter().flat_map(|user| ["constructor", "deliver"].map(|stage| (*user, stage)));
    let all = all.flat_map(|(user, stage)| attacks.iter().map(move |attack| (user, stage, *attack)));
    let made = all.map(|(user, stage, attack)| {
        let range = &range;
        async move { (user, stage, attack, range.attack(user, Cage::Required, stage, attack).await) }
    });
    let made: Vec<_> = stream::iter(made).buffer_unordered(4).collect().await;
    let mut killed = 0;
    for (user, stage, attack, outcome) in &made {
        let is_harmless = *stage == "constructor" && HARMLESS.contains(attack);
        assert_eq!(outcome.got_through, is_harmless, "{attack} of {user:?} in the {stage}: {}", outcome.told);
        killed += usize::from(outcome.was_killed);
        // In a message, everything but a request for too much memory ends the process.
        let ends = *stage == "deliver" && *attack != "much_memory";
        assert!(outcome.was_killed || !ends, "{attack} of {user:?} in the {stage}: {}", outcome.told);
    }
    eprintln!("{} attacks, {killed} of them ended the process", made.len());
    assert_eq!(fs::read(range.folder.path().join("victim")).unwrap(), b"canary");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_cage_the_attacks_are_real() {
    let range = Range::new();
    let made: Vec<_> = stream::iter(REAL)
        .then(|attack| {
            let range = &range;
            async move { (attack, range.attack(User::Same, Cage::Off, "deliver", attack).await) }
        })
        .collect()
        .await;
    let known: BTreeSet<_> = attacks().into_iter().collect();
    for (attack, outcome) in made {
        assert!(known.contains(attack), "there is no attack {attack}");
        assert!(outcome.got_through, "{attack}: {}", outcome.told);
    }
}

/// A plugin that hangs does not see that its socket is closed.
#[test]
fn a_plugin_ends_when_flowswap_is_killed() {
    let lab = stage::lab("provider", Some("loop-in-detect"));
    let mut running = Background::start(lab.dir(), &["plan", "-o", "plan.json"]);
    let id = running.id();
    let plugin = await_some(|| children(id).into_iter().find(|child| uses_processor(*child)));
    running.kill();
    running.finish().expect(-9);
    await_some(|| (!Path::new(&format!("/proc/{plugin}")).exists()).then_some(()));
}

/// Whether a process has computed for a fifth of a second.
fn uses_processor(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The fields after the name; the twelfth is the time in hundredths of a second (proc_pid_stat(5)).
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields.get(11).and_then(|ticks| ticks.parse().ok()).unwrap_or(0) > 20
}

fn await_some<T>(look: impl Fn() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < limit, "nothing happened within a minute");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Everybody who decides something is told which plugin has all rights.
#[test]
fn an_uncaged_plugin_is_named() {
    let lab = stage::shared(&[]);
    stage::cage(&lab, "off");
    let said = |args: &[&str], words: &str| {
        let said = lab.run(args).expect(0).stdout;
        assert!(said.contains(words), "{args:?}: `{words}` is missing: {said}");
    };
    said(&["check"], "not caged, and with all your rights: `rogue`");
    said(&["plugins", "inspect", "rogue"], "cage:     off, although this machine has one (seccomp, Landlock ");
    said(&["plan", "-o", "plan.json"], " runs without a cage\n");
    said(&["show", "plan.json"], " runs without a cage\n");
    let plan: Value = serde_json::from_str(&fs::read_to_string(lab.path("plan.json")).unwrap()).unwrap();
    assert_eq!(plan["plugins"]["rogue"]["uncaged"], true);
    said(&["apply", "plan.json", "--yes"], "");
    let journal = String::from_utf8_lossy(&rogue::read_state(lab.dir())).into_owned();
    assert!(journal.contains("\"uncaged\":true"), "the journal does not tell");

    // A cage that was opened after the review.
    let lab = stage::shared(&[]);
    lab.plan().expect(0);
    stage::cage(&lab, "off");
    let refused = lab.run(&["apply", "plan.json", "--yes"]).expect(6).stdout;
    assert!(refused.contains(", without a cage): plan again"), "{refused}");
    stage::cage(&lab, "required");
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    stage::cage(&lab, "off");
    lab.run(&["rollback", "globex", "--yes"]).expect(6);
    lab.run(&["rollback", "globex", "--yes", "--accept-changes"]).expect(0);
    let said = lab.run(&["history", "globex"]).expect(0).stdout;
    let words = ", without a cage";
    assert!(said.contains(words), "`{words}` is missing: {said}");
}
