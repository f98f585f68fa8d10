//! The plugin process: loads one library and carries messages between it and the socket that is its standard input.

use std::{
    error::Error,
    io::{self, BufReader, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    path::Path,
    process::ExitCode,
};

use crate::{error_chain::chain, frame, hardening::harden, library::Library};

/// Runs the plugin at `library` until the other end of the socket is closed. The hidden subcommand that
/// [`Launcher`](crate::Launcher) names calls this. Nothing may read from standard input before it.
pub fn serve(library: &Path) -> ExitCode {
    match run(library) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent shows the last line on standard error. If this write fails, there is no other way to report.
            let _ = writeln!(io::stderr(), "{}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(library: &Path) -> Result<(), Box<dyn Error>> {
    harden()?;
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Only a socket has a peer.
    socket
        .peer_addr()
        .map_err(|e| format!("only flowswap itself can run this command, with a socket as standard input ({e})"))?;
    let mut library = Library::load(library)?;
    let mut incoming = BufReader::new(socket.try_clone()?);
    let mut outgoing = Vec::new();
    while let Some(message) = frame::read(&mut incoming)? {
        for emitted in library.deliver(&message)? {
            frame::push(&mut outgoing, &emitted)?;
        }
        socket.write_all(&outgoing)?;
        outgoing.clear();
    }
    Ok(())
}
