//! The plugin process: loads one library and carries messages between it and the socket that is its standard input.

use std::{
    error::Error,
    io::{self, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    path::Path,
    process::ExitCode,
};

use crate::{frame, library::Library, scope::chain};

/// Runs the plugin at `library` until the other end of the socket is closed. What the hidden subcommand does that
/// [`Launcher`](crate::Launcher) names; nothing else may have read from standard input before.
pub fn serve(library: &Path) -> ExitCode {
    match run(library) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The last line on standard error is what the parent shows. There is nobody to tell if that fails.
            let _ = writeln!(io::stderr(), "{}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(library: &Path) -> Result<(), Box<dyn Error>> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Anything but a socket has no peer.
    socket.peer_addr().map_err(|e| format!("flowswap starts this command itself, with a socket as its input ({e})"))?;
    let mut library = Library::load(library)?;
    while let Some(message) = frame::read(&mut socket)? {
        for emitted in library.deliver(&message)? {
            frame::write(&mut socket, &emitted)?;
        }
    }
    Ok(())
}
