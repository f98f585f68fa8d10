//! Starts the process that runs a plugin, and describes how it ended.

use std::{
    ffi::OsString,
    fmt, io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{Arc, PoisonError},
    time::Duration,
};

use flowswap_contract::Level;
use flowswap_engine::EventSink;
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    Cage, PluginFile,
    relay::{LastLine, relay},
};

/// How long a process may take to exit after it closed its socket.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// How a plugin process is started: `exe`, then `args`, then the path of the library, then the word for its cage.
#[derive(Clone)]
pub struct Launcher {
    /// The program; it must call [`serve`](crate::serve).
    pub exe: PathBuf,
    /// The arguments that make it call `serve`.
    pub args: Vec<OsString>,
    /// The plugin's time limits.
    pub limits: Limits,
    /// Whether the process is caged.
    pub cage: Cage,
    /// Listens to each process that is started, for tools that examine a plugin.
    pub listen: Option<Listen>,
}

/// How long a plugin may take before flowswap stops its process.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For its first message.
    pub greeting: Duration,
    /// To open a session.
    pub opening: Duration,
    /// Between two messages of a call that waits for no answer. The plugin only computes then, but all sessions share
    /// its thread.
    pub thinking: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { greeting: seconds(10), opening: seconds(30), thinking: seconds(60) }
    }
}

/// Begins to listen to the process that is about to run this library.
pub type Listen = Arc<dyn Fn(&PluginFile) -> Tap + Send + Sync>;

/// Takes what happens on the connection to one process, in this order. Must not block.
pub type Tap = Arc<dyn Fn(Traffic<'_>) + Send + Sync>;

/// What happens on the connection to a process.
#[derive(Debug, Clone, Copy)]
pub enum Traffic<'a> {
    /// The host writes a message. A message that answers it comes later.
    ToPlugin(&'a [u8]),
    /// The host has read a message.
    FromPlugin(&'a [u8]),
    /// The host closes its end. The process will end by itself.
    Closed,
    /// The process has ended. The text says how.
    Ended(&'a str),
    /// The host stops the process.
    Stopped {
        /// Why.
        why: &'a str,
        /// Whether that is because it did not answer in time. Otherwise, it said something that it must not say.
        is_late: bool,
    },
}

impl Launcher {
    /// A launcher with the default limits and the default cage.
    pub fn new(exe: impl Into<PathBuf>, args: Vec<OsString>) -> Self {
        Self { exe: exe.into(), args, limits: Limits::default(), cage: Cage::default(), listen: None }
    }

    /// The command that starts the process of a plugin. `socket` is the process's end of its connection.
    ///
    /// # Errors
    ///
    /// If the library cannot be handed down.
    pub fn command(&self, file: &PluginFile, socket: OwnedFd) -> io::Result<Command> {
        let mut command = Command::new(&self.exe);
        command.args(&self.args);
        file.sealed().hand_to(&mut command)?;
        command
            .arg(self.cage.to_string())
            // Keeps tokens in the environment away from the plugin.
            .env_clear()
            // Ctrl-C in the terminal must reach only the parent, which then stops everything in order.
            .process_group(0)
            .stdin(socket)
            .kill_on_drop(true);
        Ok(command)
    }
}

impl fmt::Debug for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launcher").field("exe", &self.exe).field("args", &self.args).finish_non_exhaustive()
    }
}

/// The stream to a plugin, and the process behind it.
pub(crate) struct Transport {
    pub(crate) stream: UnixStream,
    pub(crate) running: Option<Running>,
}

/// The plugin's process at the other end of the stream.
pub(crate) struct Running {
    pub(crate) child: Child,
    last: LastLine,
    relays: Vec<JoinHandle<()>>,
}

/// Starts the process. Its output goes to `events` as log lines.
pub(crate) fn spawn(file: &PluginFile, launcher: &Launcher, events: &Arc<dyn EventSink>) -> io::Result<Transport> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut command = launcher.command(file, theirs.into())?;
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let last = LastLine::default();
    let mut relays = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        relays.push(tokio::spawn(relay(stdout, file.name().to_owned(), Level::Info, Arc::clone(events), None)));
    }
    if let Some(stderr) = child.stderr.take() {
        let last = Some(Arc::clone(&last));
        relays.push(tokio::spawn(relay(stderr, file.name().to_owned(), Level::Warn, Arc::clone(events), last)));
    }
    Ok(Transport { stream: UnixStream::from_std(ours)?, running: Some(Running { child, last, relays }) })
}

impl Running {
    /// Waits for the process to exit, and fails if it did not exit as it should.
    pub(crate) async fn end(self) -> Result<(), String> {
        let (succeeded, how) = self.await_end("it did not end").await;
        if succeeded { Ok(()) } else { Err(how) }
    }

    /// Waits for the process to exit and describes how it ended, with its last line of output. Uses `problem` if it does not exit
    /// by itself.
    pub(crate) async fn describe_end(self, problem: &str) -> String {
        self.await_end(problem).await.1
    }

    async fn await_end(mut self, problem: &str) -> (bool, String) {
        let status = timeout(EXIT_TIMEOUT, self.child.wait()).await;
        if status.is_err() {
            let _ = self.child.kill().await;
        }
        // Its last output may not have arrived yet. The timeout covers a grandchild that keeps the pipe open.
        let _ = timeout(EXIT_TIMEOUT, futures::future::join_all(self.relays)).await;
        let succeeded = matches!(&status, Ok(Ok(status)) if status.success());
        let how = match status {
            Ok(Ok(status)) => describe_status(status),
            Ok(Err(error)) => error.to_string(),
            Err(_) => problem.to_owned(),
        };
        match self.last.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(line) => (succeeded, format!("{how}: {line}")),
            None => (succeeded, how),
        }
    }
}

/// How a process ended. The cage ends it with this signal (seccomp(2)).
fn describe_status(status: ExitStatus) -> String {
    if status.signal() == Some(libc::SIGSYS) {
        format!("it made a system call that its cage forbids ({status})")
    } else {
        status.to_string()
    }
}
