//! The binary running in the background: reads its lines as they come, sends signals to it, and waits for its end.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use super::{Lab, Output, command};

/// Longer than any test waits; ends a test that would wait forever.
const FOREVER: Duration = Duration::from_secs(60);

/// A running binary. Dropping this ends it.
pub(crate) struct Background {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// What has been read so far.
    heard: Output,
}

impl Background {
    /// Starts the binary in a folder as a shell does: in its own process group, to which Ctrl-C is sent.
    pub(crate) fn start(dir: &Path, args: &[&str]) -> Self {
        Self::spawn(command(dir, args))
    }

    /// Starts a prepared command.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, stdout, stderr, heard: Output { code: -1, stdout: String::new(), stderr: String::new() } }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The first line on stdout.
    #[track_caller]
    pub(crate) fn first_line(&mut self) -> String {
        self.stdout.recv_timeout(FOREVER).unwrap_or_else(|_| panic!("no line came: {}", self.rest_of_stderr()))
    }

    /// Waits for a line on stderr that contains these words.
    #[track_caller]
    pub(crate) fn await_talk(&mut self, words: &str) -> String {
        while let Ok(line) = self.stderr.recv_timeout(FOREVER) {
            self.heard.stderr += &format!("{line}\n");
            if line.contains(words) {
                return line;
            }
        }
        panic!("`{words}` is missing: {}", self.heard.stderr);
    }

    /// Waits until every fault of the lab has occurred, or the process has ended, which the caller checks.
    #[track_caller]
    pub(crate) fn await_faults(&mut self, lab: &Lab) {
        let begun = Instant::now();
        loop {
            let faults = lab.sim.faults();
            let idle: Vec<_> = faults.iter().filter(|report| report.fired == 0).collect();
            if idle.is_empty() || self.has_ended() {
                return;
            }
            assert!(begun.elapsed() < FOREVER, "these faults did not occur: {idle:#?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ctrl-C: the signal goes to the whole group.
    pub(crate) fn interrupt(&self) {
        self.signal("-INT", &format!("-{}", self.id()));
    }

    /// Ends the process as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Ends the process in the way that leaves a core file, if it may.
    pub(crate) fn abort(&self) {
        self.signal("-ABRT", &self.id().to_string());
    }

    /// Asks the process to end, by its id, as `kill` does.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM", &self.id().to_string());
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Output {
        let status = self.child.wait().unwrap();
        self.heard.code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(1));
        self.heard.stdout.extend(self.stdout.iter().map(|line| line + "\n"));
        self.heard.stderr.extend(self.stderr.iter().map(|line| line + "\n"));
        std::mem::replace(&mut self.heard, Output { code: -1, stdout: String::new(), stderr: String::new() })
    }

    fn signal(&self, signal: &str, target: &str) {
        // Ignores errors: if the process has already ended, the test notices that anyway.
        let _ = Command::new("kill").args([signal, "--", target]).stderr(Stdio::null()).status().unwrap();
    }

    fn rest_of_stderr(&self) -> String {
        self.stderr.try_iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // The process has already ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
