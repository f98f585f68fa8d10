//! The clipboard of this machine, for one secret. A process of its own reaches it, so that the code for X11, Wayland, or macOS
//! runs beside one secret and not beside all of them.
//!
//! The binary starts itself again as `__clipboard`. That process answers each request with one line. It gets the secret on
//! stdin, never as an argument. It removes the secret at the end of its input, so also if flowswap is killed.

mod process;

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use flowswap_engine::Secret;

pub(crate) use self::process::serve;
use crate::{CLIPBOARD_PROCESS, exit::Failure};

/// The variables that lead to a clipboard: of X11, of Wayland, and the home folder with the cookie of X11.
const VARIABLES: [&str; 5] = ["DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "HOME"];
/// How long to wait for an answer. A display that is there answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// The answer to a request that succeeded. Any other answer is an error message.
const DONE: &str = "done";

/// Why the clipboard could not be used.
#[derive(Debug, thiserror::Error)]
enum ClipboardError {
    #[error("{0}")]
    Refused(String),
    #[error("its process ended without an answer")]
    Ended,
    #[error("the display did not answer within {} s", PATIENCE.as_secs())]
    Silent,
}

/// The process that has the clipboard. Dropping this removes the secret and ends the process.
pub(crate) struct Clipboard {
    child: Child,
    /// `None` once the secret is removed.
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
    holds_secret: bool,
}

impl Clipboard {
    /// Opens the clipboard.
    pub(crate) fn open() -> Result<Self, Failure> {
        let exe = env::current_exe().map_err(Failure::at("find the flowswap binary"))?;
        let mut command = Command::new(exe);
        command.arg(CLIPBOARD_PROCESS).env_clear();
        command.envs(VARIABLES.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        Self::start(command)
    }

    fn start(mut command: Command) -> Result<Self, Failure> {
        #[cfg(unix)]
        // Ctrl-C in the terminal must reach only the parent, which then removes the secret.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = spawned.map_err(Failure::at("start the process of the clipboard"))?;
        let requests = child.stdin.take();
        let (sender, answers) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                let lines = BufReader::new(stdout).lines().map_while(Result::ok);
                let _ = lines.into_iter().try_for_each(|line| sender.send(line));
            });
        }
        let clipboard = Self { child, requests, answers, holds_secret: false };
        let opened = clipboard.await_answer().map_err(Failure::at("open the clipboard"));
        opened.map_err(|failure| failure.hint("pass `--print` to show the secret in this terminal instead"))?;
        Ok(clipboard)
    }

    /// Writes the secret to the clipboard and, where the system allows it, keeps it out of clipboard histories.
    pub(crate) fn put(&mut self, secret: &Secret) -> Result<(), Failure> {
        let doing = "write to the clipboard";
        let Some(requests) = &mut self.requests else { return Err(Failure::at(doing)(ClipboardError::Ended)) };
        let bytes = secret.expose().as_bytes();
        let length = u32::try_from(bytes.len()).map_err(Failure::at(doing))?.to_le_bytes();
        let sent = requests.write_all(&length).and_then(|()| requests.write_all(bytes));
        sent.map_err(|_| ClipboardError::Ended).and_then(|()| self.await_answer()).map_err(Failure::at(doing))?;
        self.holds_secret = true;
        Ok(())
    }

    /// Removes the secret from the clipboard. Content that somebody else has put there since then stays.
    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        if self.requests.take().is_none() {
            return Ok(());
        }
        let cleared = if self.holds_secret { self.await_answer() } else { Ok(()) };
        if cleared.is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        cleared.map_err(Failure::at("clear the clipboard"))
    }

    fn await_answer(&self) -> Result<(), ClipboardError> {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(answer) if answer == DONE => Ok(()),
            Ok(answer) => Err(ClipboardError::Refused(answer)),
            Err(RecvTimeoutError::Disconnected) => Err(ClipboardError::Ended),
            Err(RecvTimeoutError::Timeout) => Err(ClipboardError::Silent),
        }
    }
}

impl Drop for Clipboard {
    fn drop(&mut self) {
        // A caller that needs the result calls `clear` itself.
        let _ = self.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A process that the script plays, in place of one that has a display.
    fn start(script: &str) -> Result<Clipboard, Failure> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Clipboard::start(command)
    }

    fn told(failure: &Failure) -> String {
        format!("{}: {}", failure.error, failure.error.source().map(ToString::to_string).unwrap_or_default())
    }

    #[test]
    fn the_secret_goes_to_the_process_and_the_end_of_its_input_removes_it() {
        let dir = tempfile::tempdir().unwrap();
        let (got, gone) = (dir.path().join("got"), dir.path().join("gone"));
        let script =
            format!("echo done; head -c 10 > '{}'; echo done; cat > '{}'; echo done", got.display(), gone.display());
        let mut clipboard = start(&script).unwrap();
        clipboard.put(&Secret::new("secret")).unwrap();
        assert_eq!(fs::read(&got).unwrap(), b"\x06\0\0\0secret");
        assert!(clipboard.child.try_wait().unwrap().is_none(), "it waits for the end of its input");
        clipboard.clear().unwrap();
        assert_eq!(fs::read(&gone).unwrap(), b"");
        // Once is enough.
        clipboard.clear().unwrap();
        assert!(clipboard.put(&Secret::new("again")).is_err());
    }

    #[test]
    fn what_the_process_answers_is_the_error() {
        let failure = start("echo 'no display'").err().unwrap();
        assert_eq!(told(&failure), "failed to open the clipboard: no display");
        assert!(failure.hint.unwrap().contains("--print"));
        let failure = start("exit 1").err().unwrap();
        assert_eq!(told(&failure), "failed to open the clipboard: its process ended without an answer");

        let mut refusing = start("echo done; head -c 5 > /dev/null; echo 'it is locked'; cat > /dev/null").unwrap();
        let failure = refusing.put(&Secret::new("s")).unwrap_err();
        assert_eq!(told(&failure), "failed to write to the clipboard: it is locked");
        refusing.clear().unwrap();

        let mut dying = start("echo done; head -c 5 > /dev/null; echo done").unwrap();
        dying.put(&Secret::new("s")).unwrap();
        assert_eq!(
            told(&dying.clear().unwrap_err()),
            "failed to clear the clipboard: its process ended without an answer"
        );
    }
}
