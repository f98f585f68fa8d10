//! Runs the program that gives a secret. It may wait for a person: to touch a key, to unlock a vault. Then this says what is
//! waited for, and lets through what the program has to say; and it does not wait forever.

use std::{
    io::{self, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use crate::{
    display::text::{Text, text},
    terminal,
};

/// How long a program is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From then on a person is told.
    pub(super) quiet: Duration,
    /// Then it is ended.
    pub(super) limit: Duration,
}

/// A person needs some time, and a pipeline must not wait for one who is not there.
pub(super) const PATIENCE: Patience = Patience { quiet: Duration::from_secs(2), limit: Duration::from_secs(120) };

/// How often a program that has nothing more to say is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What came of a program.
pub(super) enum Ran {
    Ended {
        status: ExitStatus,
        stdout: Vec<u8>,
        stderr: Vec<u8>,
    },
    /// It gave more than it may; what is kept is one byte more than that.
    TooMuch(Vec<u8>),
    TimedOut,
}

/// What comes out of a program.
enum Said {
    /// Everything of stdout, or as much as is read of it.
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
}

/// Runs it, and takes no more than `most` bytes of what it gives.
pub(super) fn run(mut command: Command, name: &str, most: u64, patience: Patience) -> io::Result<Ran> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let said = listen(&mut child, most);
    let begun = Instant::now();
    let end = begun + patience.limit;
    let mut hush = Some(begun + patience.quiet);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        match said.recv_timeout(hush.unwrap_or(end).min(end).saturating_duration_since(Instant::now())) {
            Ok(Said::Stdout(bytes)) if bytes.len() as u64 > most => {
                give_up(&mut child);
                return Ok(Ran::TooMuch(bytes));
            }
            Ok(Said::Stdout(bytes)) => stdout = bytes,
            Ok(Said::Stderr(bytes)) => {
                if hush.is_none() {
                    let_through(&bytes);
                }
                stderr.extend(bytes);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => {
                give_up(&mut child);
                return Ok(Ran::TimedOut);
            }
            Err(RecvTimeoutError::Timeout) => {
                hush = None;
                tell(name, patience.limit);
                let_through(&stderr);
            }
        }
    }
    // It has closed its outputs, and may live on.
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ran::Ended { status, stdout, stderr });
        }
        if Instant::now() >= end {
            give_up(&mut child);
            return Ok(Ran::TimedOut);
        }
        thread::sleep(LOOK);
    }
}

/// Reads both outputs side by side; the channel closes once both are at their end.
fn listen(child: &mut Child, most: u64) -> Receiver<Said> {
    let (sender, said) = channel();
    if let Some(stdout) = child.stdout.take() {
        let sender: Sender<Said> = sender.clone();
        thread::spawn(move || {
            // Room for all of it from the start: growing would leave copies of a secret behind in freed memory.
            let mut bytes = Vec::with_capacity(most as usize + 1);
            let _ = stdout.take(most + 1).read_to_end(&mut bytes);
            let _ = sender.send(Said::Stdout(bytes));
        });
    }
    if let Some(mut stderr) = child.stderr.take() {
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut bytes) {
                if sender.send(Said::Stderr(bytes[..read].to_vec())).is_err() {
                    break;
                }
            }
        });
    }
    said
}

/// Ends it. What it started itself may live on, and nobody waits for that.
fn give_up(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn tell(name: &str, limit: Duration) {
    terminal::insist(&text!("waiting for `{}`, which is to give a secret, for {} s at most", name, limit.as_secs()));
}

/// A program speaks to a person, who may have to answer at once: half a line is shown, too.
fn let_through(said: &[u8]) {
    terminal::pass_on(&Text::of_lines(&String::from_utf8_lossy(said).replace("\r\n", "\n")));
}
