//! The plugin process: enters its cage, loads one library, and carries messages between it and the socket that is its
//! standard input.

use std::{
    error::Error,
    io::{self, BufReader, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    path::Path,
    process::ExitCode,
};

use crate::{
    cage::{self, Cage},
    chain, frame,
    hardening::harden,
    library::Library,
};

/// Runs the plugin at `library` until the other end of the socket is closed. The hidden subcommand that
/// [`Launcher`](crate::Launcher) names calls this. Nothing may read from standard input before it.
pub fn serve(library: &Path, cage: Cage) -> ExitCode {
    match run(library, cage) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent shows the last line on standard error. If this write fails, there is no other way to report.
            // The loader names the descriptor that it was given, which says nothing to a person.
            let told = chain(&*error).replace(&format!("{}: ", library.display()), "");
            let _ = writeln!(io::stderr(), "{told}");
            ExitCode::FAILURE
        }
    }
}

fn run(library: &Path, cage: Cage) -> Result<(), Box<dyn Error>> {
    harden()?;
    if cage == Cage::Required {
        cage::close_inherited(library)?;
    }
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Only a socket has a peer.
    socket
        .peer_addr()
        .map_err(|e| format!("only flowswap itself can run this command, with a socket as standard input ({e})"))?;
    let (mut incoming, mut outgoing) = (BufReader::new(&socket), &socket);
    if cage == Cage::Required {
        cage::close(library, socket.as_fd())?;
    }
    let mut library = Library::load(library)?;
    if cage == Cage::Required {
        cage::finish_loading()?;
    }
    let mut frames = Vec::new();
    while let Some(message) = frame::read(&mut incoming)? {
        for emitted in library.deliver(&message)? {
            frame::push(&mut frames, &emitted)?;
        }
        outgoing.write_all(&frames)?;
        frames.clear();
    }
    Ok(())
}
