//! The socket itself: who may use it, and how its path gets short enough.

use std::{fs::File, io, os::fd::AsRawFd, os::unix::fs::PermissionsExt, path::Path};

use flowswap_store::StateDir;
use tokio::net::{UnixListener, UnixStream};

/// The longest path of a socket on every system.
const LONGEST: usize = 100;

/// Opens the door. Only the writer of the journal may, so nobody else is behind a socket that is there.
pub(super) fn bind(state: &StateDir) -> io::Result<UnixListener> {
    let path = state.door();
    remove(state)?;
    let listener = with_short_path(&path, |path| UnixListener::bind(path))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Removes the socket.
pub(super) fn remove(state: &StateDir) -> io::Result<()> {
    match std::fs::remove_file(state.door()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Goes to the door. `None` if nobody is behind it.
pub(super) async fn connect(state: &StateDir) -> io::Result<Option<UnixStream>> {
    let path = state.door();
    // The path is used while the folder is open, and connecting to a local socket does not wait.
    let stream = with_short_path(&path, |path| {
        let stream = std::os::unix::net::UnixStream::connect(path)?;
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    });
    match stream {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Fails if another user is at the other end.
pub(super) fn require_same_user(stream: &UnixStream) -> io::Result<()> {
    let (other, me) = (stream.peer_cred()?.uid(), rustix::process::geteuid().as_raw());
    if other == me {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("user {other} is at the other end, and not user {me}")))
}

/// Uses a path of a socket. One that is too long is reached through its folder.
fn with_short_path<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return act(path) };
    if path.as_os_str().len() <= LONGEST || !cfg!(target_os = "linux") {
        return act(path);
    }
    let folder = File::open(folder)?;
    act(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}
