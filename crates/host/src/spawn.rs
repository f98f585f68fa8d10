//! Starts the process that holds a plugin, and tells how it ended.

use std::{
    ffi::OsString,
    fmt, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
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

use crate::relay::{LastLine, relay};

/// How long a process that has closed its socket may take to end.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// How a plugin process is started: `exe`, then `args`, then the path of the library.
#[derive(Clone)]
pub struct Launcher {
    /// The program; it is to call [`serve`](crate::serve).
    pub exe: PathBuf,
    /// What leads it there.
    pub args: Vec<OsString>,
    /// How long the plugin may take for what.
    pub limits: Limits,
    /// Sees every message that passes; for whoever examines a plugin.
    pub tap: Option<Tap>,
}

/// How long a plugin may take before its process is ended.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For its first message.
    pub greeting: Duration,
    /// To open a session.
    pub opening: Duration,
    /// Between two messages of a call while it waits for nothing. A plugin only computes then, but all sessions share
    /// its thread.
    pub thinking: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { greeting: seconds(10), opening: seconds(30), thinking: seconds(60) }
    }
}

/// Takes every message that passes, as bytes. Must not block.
pub type Tap = Arc<dyn Fn(Traffic<'_>) + Send + Sync>;

/// A message that passes.
#[derive(Debug, Clone, Copy)]
pub enum Traffic<'a> {
    /// From the host.
    ToPlugin(&'a [u8]),
    /// To the host.
    FromPlugin(&'a [u8]),
}

impl Launcher {
    /// A launcher with the usual limits.
    pub fn new(exe: impl Into<PathBuf>, args: Vec<OsString>) -> Self {
        Self { exe: exe.into(), args, limits: Limits::default(), tap: None }
    }
}

impl fmt::Debug for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launcher").field("exe", &self.exe).field("args", &self.args).finish_non_exhaustive()
    }
}

/// The way to a plugin.
pub(crate) struct Transport {
    pub(crate) stream: UnixStream,
    pub(crate) running: Option<Running>,
}

/// The process at its other end.
pub(crate) struct Running {
    pub(crate) child: Child,
    last: LastLine,
    relays: Vec<JoinHandle<()>>,
}

/// Starts the process. What it prints goes to `events` as log lines.
pub(crate) fn spawn(
    plugin: &str,
    library: &Path,
    launcher: &Launcher,
    events: &Arc<dyn EventSink>,
) -> io::Result<Transport> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut child = Command::new(&launcher.exe)
        .args(&launcher.args)
        .arg(library)
        // A plugin has no business with tokens that happen to stand in the environment.
        .env_clear()
        // Ctrl-C at the terminal is for the parent, which then ends things in order.
        .process_group(0)
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let last = LastLine::default();
    let mut relays = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        relays.push(tokio::spawn(relay(stdout, plugin.to_owned(), Level::Info, Arc::clone(events), None)));
    }
    if let Some(stderr) = child.stderr.take() {
        let last = Some(Arc::clone(&last));
        relays.push(tokio::spawn(relay(stderr, plugin.to_owned(), Level::Warn, Arc::clone(events), last)));
    }
    Ok(Transport { stream: UnixStream::from_std(ours)?, running: Some(Running { child, last, relays }) })
}

impl Running {
    /// How the process ended, and the last thing it said; `problem` where it did not end.
    pub(crate) async fn obituary(mut self, problem: &str) -> String {
        let status = timeout(EXIT_TIMEOUT, self.child.wait()).await;
        if status.is_err() {
            let _ = self.child.kill().await;
        }
        // What it printed at last is still on its way. A grandchild that holds the pipe is not waited for.
        let _ = timeout(EXIT_TIMEOUT, futures::future::join_all(self.relays)).await;
        let how = match status {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => problem.to_owned(),
        };
        match self.last.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(line) => format!("{how}: {line}"),
            None => how,
        }
    }
}
