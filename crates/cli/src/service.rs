//! What a service manager wants to know of a command that runs for long (sd_notify(3)): that it is ready, what it does, that it
//! is alive, and that it ends. Without `NOTIFY_SOCKET`, nothing is sent. Children get an empty environment, so none of them can
//! speak for flowswap.

use std::{fmt, time::Duration};

use flowswap_engine::Stop;
use tokio::task::JoinHandle;

use crate::display::{text::Text, times};

/// A shorter one would only be a mistake, and zero cannot be halved.
const SHORTEST_WATCHDOG: Duration = Duration::from_millis(2);

/// A command that a service manager may have started. Dropping this tells the manager that the command ends.
pub(crate) struct Service {
    tasks: Vec<JoinHandle<()>>,
}

enum State {
    Ready,
    Status(String),
    Watchdog,
    Stopping,
}

impl Service {
    /// Tells the manager that the command is ready. From now on, the manager also hears that it is alive, if it wants to, and that
    /// somebody stopped it.
    pub(crate) fn ready(stop: Stop) -> Self {
        tell(&State::Ready);
        let mut tasks = vec![tokio::spawn(async move {
            stop.stopped().await;
            // A step that has begun is done first, and the manager must not take that for a hang.
            tell(&State::Stopping);
        })];
        tasks.extend(watchdog().map(|limit| tokio::spawn(keep_alive(limit))));
        Self { tasks }
    }

    /// Tells the manager what the command does now.
    pub(crate) fn status(&self, text: &Text) {
        tell(&State::Status(times::in_text(text).plain()));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        // The manager may have heard it before, which does no harm.
        tell(&State::Stopping);
    }
}

/// Twice as often as the manager wants it, as sd_watchdog_enabled(3) recommends.
async fn keep_alive(limit: Duration) {
    let mut ticks = tokio::time::interval(limit / 2);
    loop {
        ticks.tick().await;
        tell(&State::Watchdog);
    }
}

/// A manager that does not listen changes nothing about the work.
fn tell(state: &State) {
    #[cfg(target_os = "linux")]
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
        let _ = socket::send(&socket, &state.to_string());
    }
    #[cfg(not(target_os = "linux"))]
    let _ = state;
}

/// How long the manager waits for a sign of life (sd_watchdog_enabled(3)). `None` if it does not, or waits for another process.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let is_other = number("WATCHDOG_PID").is_some_and(|process| process != u64::from(std::process::id()));
    let limit = Duration::from_micros(number("WATCHDOG_USEC")?);
    (!is_other && limit >= SHORTEST_WATCHDOG).then_some(limit)
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("READY=1"),
            // A line break would begin another message.
            Self::Status(text) => write!(f, "STATUS={}", text.replace('\n', " ")),
            Self::Watchdog => f.write_str("WATCHDOG=1"),
            Self::Stopping => f.write_str("STOPPING=1"),
        }
    }
}

/// The crate `sd-notify` does not know sockets with an abstract name.
#[cfg(target_os = "linux")]
mod socket {
    use std::{
        ffi::OsStr,
        io,
        os::{
            linux::net::SocketAddrExt,
            unix::{
                ffi::OsStrExt,
                net::{SocketAddr, UnixDatagram},
            },
        },
    };

    /// Sends a message to a socket with a path, or with an abstract name after `@`. Never waits for the reader.
    pub(super) fn send(socket: &OsStr, message: &str) -> io::Result<()> {
        let address = match socket.as_bytes().split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(socket)?,
        };
        let sender = UnixDatagram::unbound()?;
        sender.set_nonblocking(true)?;
        sender.send_to_addr(message.as_bytes(), &address).map(drop)
    }
}
