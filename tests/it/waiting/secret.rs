//! The secret of a sheet goes to the person who asks for it, and nowhere else.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use flowswap_contract::Handle;
use flowswap_engine::{Secret, SecretStore};
use flowswap_store::{AgeSecretStore, Identity};

use super::story::{CANARY, Story};
use crate::support::{Background, children, command, print, terminal::Terminal};

#[test]
fn the_secret_is_printed_to_a_terminal_and_recorded() {
    let story = Story::new();
    let screen = Terminal::start(command(story.dir(), &["secret", "copy", "acme", "--print"]));
    let (code, seen) = screen.finish();
    assert_eq!((code, seen.trim()), (0, CANARY));

    let evidence = story.run("evidence acme").expect(0).stdout;
    let mut given = evidence.lines().filter(|line| line.starts_with("  `acme/provision/client_secret` to "));
    assert_eq!(given.clone().count(), 2, "{evidence}");
    assert!(given.next_back().unwrap().ends_with("(terminal)"), "{evidence}");
    assert_nowhere(story.dir());
}

#[test]
fn the_secret_goes_to_no_pipe_and_is_not_copied_without_a_clipboard() {
    let story = Story::new();
    for line in ["secret copy acme --print", "secret copy acme --print --format json"] {
        let output = story.run(line).expect(2);
        assert_eq!(output.stdout, "");
        assert!(output.stderr.contains("flowswap prints a secret only to a terminal"), "{}", output.stderr);
    }
    // The test's environment has no display and no other clipboard.
    let output = story.run("secret copy acme").expect(1);
    assert!(output.stderr.contains("failed to open the clipboard"), "{}", output.stderr);
    assert!(output.stderr.contains("hint: pass `--print`"), "{}", output.stderr);
    let evidence = story.run("evidence acme").expect(0).stdout;
    assert_eq!(evidence.matches("to dana at").count(), 1, "the secret was given to nobody else: {evidence}");
    assert_nowhere(story.dir());
}

#[test]
fn the_secret_of_another_tenant_is_not_given_although_its_file_has_the_right_name() {
    let story = Story::new();
    let path = |tenant: &str| story.dir().join(format!(".flowswap/secrets/{tenant}%2fprovision%2fclient_secret.age"));
    let identity = Identity::load(&story.dir().join(".flowswap/identity.txt")).unwrap();
    let secrets = AgeSecretStore::open(story.dir().join(".flowswap/secrets"), identity).unwrap();
    let globex = Handle::new("globex/provision/client_secret");
    futures::executor::block_on(secrets.put(&globex, &Secret::new("canary-of-globex"))).unwrap();
    fs::rename(path("globex"), path("acme")).unwrap();
    for line in ["secret copy acme --print", "secret copy acme"] {
        let args: Vec<_> = line.split_whitespace().collect();
        let (code, seen) = Terminal::start(command(story.dir(), &args)).finish();
        let words = "its file is that of another secret, `globex/provision/client_secret`";
        assert!(code == 1 && seen.contains(words) && !seen.contains("canary"), "{code}: {seen}");
    }
    let evidence = story.run("evidence acme").expect(0).stdout;
    assert_eq!(evidence.matches("to dana at").count(), 1, "nobody received a secret: {evidence}");
}

#[test]
fn the_secret_is_given_only_if_a_sheet_names_it() {
    let story = Story::new();
    for (tenant, code, words) in [
        ("initech", 2, "the tenant `initech` has no open run sheet; it is soaking"),
        ("hooli", 2, "the run sheet of the tenant `hooli` does not ask for a secret"),
        ("globex", 1, "names the secret `acme/provision/client_secret`, which belongs to another tenant"),
        ("nobody", 2, "there is no tenant `nobody`"),
    ] {
        let (ended, seen) = Terminal::start(command(story.dir(), &["secret", "copy", tenant, "--print"])).finish();
        assert_eq!(ended, code, "{seen}");
        assert!(seen.contains(words), "{seen}");
        assert!(!seen.contains(CANARY), "{seen}");
    }
    fs::remove_dir_all(story.dir().join(".flowswap/secrets")).unwrap();
    let (ended, seen) = Terminal::start(command(story.dir(), &["secret", "copy", "acme", "--print"])).finish();
    let words = "the secret store does not have `acme/provision/client_secret`, which the run sheet names";
    assert!(ended == 1 && seen.contains(words), "{ended}: {seen}");
}

#[test]
fn the_secret_is_cleared_from_the_clipboard_and_nothing_else_is() {
    let Some(screen) = Screen::start() else { return };
    let story = Story::new();
    let copy = || {
        let mut command = command(story.dir(), &["secret", "copy", "acme"]);
        command.env("DISPLAY", &screen.display);
        let mut copying = Background::spawn(command);
        copying.await_talk("the secret is on the clipboard for 60 s; paste it into “Client Secret”");
        copying
    };
    let copying = copy();
    assert_eq!(screen.paste().as_deref(), Some(CANARY));
    copying.interrupt();
    let output = copying.finish().expect(0);
    assert!(output.stderr.ends_with("the secret is no longer on the clipboard\n"), "{}", output.stderr);
    assert!(!output.show().contains(CANARY));
    assert_ne!(screen.paste().as_deref(), Some(CANARY));

    // Other content that was copied meanwhile stays on the clipboard.
    let copying = copy();
    screen.copy("something else");
    copying.interrupt();
    copying.finish().expect(0);
    assert_eq!(screen.paste().as_deref(), Some("something else"));
    let evidence = story.run("evidence acme").expect(0).stdout;
    assert_eq!(evidence.matches("(clipboard)").count(), 3, "{evidence}");
    assert_nowhere(story.dir());
}

/// The display is a socket that accepts the connection and never answers, so the process of the clipboard can be looked at.
#[cfg(target_os = "linux")]
#[test]
fn the_process_of_the_clipboard_gets_no_credential() {
    let story = Story::new();
    let display = UnixListener::bind(story.dir().join("wayland-9")).unwrap();
    let mut copy = command(story.dir(), &["secret", "copy", "acme"]);
    copy.env("XDG_RUNTIME_DIR", story.dir()).env("WAYLAND_DISPLAY", "wayland-9").env("LANG", "C");
    copy.env("OKTA_TOKEN", "canary-of-a-credential");
    let copying = Background::spawn(copy);
    let connection = display.accept().unwrap();
    let of = |id: u32, file: &str| {
        String::from_utf8_lossy(&fs::read(format!("/proc/{id}/{file}")).unwrap()).replace('\0', "\n")
    };
    let [clipboard] = children(copying.id())[..] else { panic!("one child") };
    assert!(of(clipboard, "cmdline").ends_with("\n__clipboard\n"), "{}", of(clipboard, "cmdline"));
    let environment = of(clipboard, "environ");
    let mut names: Vec<_> = environment.lines().map(|line| line.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"], "{environment}");
    assert!(of(copying.id(), "environ").contains("canary-of-a-credential"), "the test looks at the wrong place");
    drop((connection, display));
    let output = copying.finish().expect(1);
    assert!(output.stderr.contains("failed to open the clipboard"), "{}", output.stderr);
    let evidence = story.run("evidence acme").expect(0).stdout;
    assert_eq!(evidence.matches("to dana at").count(), 1, "the secret was given to nobody else: {evidence}");
}

/// A virtual display with a clipboard.
pub(super) struct Screen {
    server: Child,
    pub(super) display: String,
}

impl Screen {
    /// Starts the display. If the programs are not installed, prints that the test is skipped and returns `None`.
    pub(super) fn start() -> Option<Self> {
        if Command::new("xclip").arg("-version").stderr(Stdio::null()).status().is_err() {
            return skip("there is no `xclip` to look at a clipboard with");
        }
        let server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", "64x64x8"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut server) = server else {
            return skip("there is no `Xvfb` to have a clipboard with");
        };
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        Some(Self { server, display: format!(":{}", number.trim()) })
    }

    fn xclip(&self, args: &[&str]) -> Command {
        let mut command = Command::new("xclip");
        command.args(["-selection", "clipboard"]).args(args).env("DISPLAY", &self.display).stderr(Stdio::null());
        command
    }

    pub(super) fn paste(&self) -> Option<String> {
        let output = self.xclip(&["-o"]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    fn copy(&self, text: &str) {
        let mut copying = self.xclip(&["-i"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        copying.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(copying.wait().unwrap().success());
    }
}

/// Prints why a test is skipped.
fn skip(why: &str) -> Option<Screen> {
    assert!(std::env::var_os("FLOWSWAP_SCREEN").is_none(), "FLOWSWAP_SCREEN is set, and {why}");
    print(&format!("skipped: {why}"));
    None
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Asserts that no file contains the secret in clear text.
fn assert_nowhere(dir: &Path) {
    let mut looked = 0;
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            looked += 1;
            let bytes = fs::read(entry.path()).unwrap();
            let is_there = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            assert!(!is_there, "{}", entry.path().display());
        }
    }
    assert!(looked >= 4, "only {looked} files were searched");
}
