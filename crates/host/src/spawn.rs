//! Starts the process that holds a plugin, and tells how it ended.

use std::{
    ffi::OsString,
    io,
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
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The program; it is to call [`serve`](crate::serve).
    pub exe: PathBuf,
    /// What leads it there.
    pub args: Vec<OsString>,
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
