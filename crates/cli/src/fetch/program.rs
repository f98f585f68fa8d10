//! Runs the program that prints a secret. The program may wait for a person, who touches a key or unlocks a vault. After a
//! while flowswap says that it waits and shows the program's stderr; at a limit it ends the program.

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

/// How long to wait for a program.
#[derive(Debug, Clone, Copy)]
pub(super) struct WaitLimits {
    /// After this time, tell the person.
    pub(super) notify_after: Duration,
    /// After this time, end the program.
    pub(super) kill_after: Duration,
}

/// Long enough for a person to act, and short enough that a pipeline with nobody there fails soon.
pub(super) const WAIT_LIMITS: WaitLimits =
    WaitLimits { notify_after: Duration::from_secs(2), kill_after: Duration::from_secs(120) };

/// How often to check whether a program that closed its outputs has exited.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How a program ended.
pub(super) enum ProgramResult {
    Exited {
        status: ExitStatus,
        stdout: Vec<u8>,
        stderr: Vec<u8>,
    },
    /// It printed more than the limit. The bytes are one more than the limit.
    TooMuchOutput(Vec<u8>),
    TimedOut,
}

/// Output of a program.
enum Output {
    /// All of stdout, cut at one byte more than the limit.
    Stdout(Vec<u8>),
    /// A part of stderr.
    Stderr(Vec<u8>),
}

/// Runs the program, and reads at most `max_bytes` of its stdout, plus one to detect more.
pub(super) fn run(mut command: Command, name: &str, max_bytes: u64, limits: WaitLimits) -> io::Result<ProgramResult> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let outputs = read_outputs(&mut child, max_bytes);
    let started = Instant::now();
    let end = started + limits.kill_after;
    // `None` once the person was told.
    let mut notify_at = Some(started + limits.notify_after);
    let mut stdout = Vec::new();
    let mut stderr = Vec::new();
    loop {
        match outputs.recv_timeout(notify_at.unwrap_or(end).min(end).saturating_duration_since(Instant::now())) {
            Ok(Output::Stdout(bytes)) if bytes.len() as u64 > max_bytes => {
                kill(&mut child);
                return Ok(ProgramResult::TooMuchOutput(bytes));
            }
            Ok(Output::Stdout(bytes)) => stdout = bytes,
            Ok(Output::Stderr(bytes)) => {
                if notify_at.is_none() {
                    show_stderr(&bytes);
                }
                stderr.extend(bytes);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => {
                kill(&mut child);
                return Ok(ProgramResult::TimedOut);
            }
            Err(RecvTimeoutError::Timeout) => {
                notify_at = None;
                announce_wait(name, limits.kill_after);
                show_stderr(&stderr);
            }
        }
    }
    // A program can close its outputs and continue to run.
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(ProgramResult::Exited { status, stdout, stderr });
        }
        if Instant::now() >= end {
            kill(&mut child);
            return Ok(ProgramResult::TimedOut);
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Reads both outputs in parallel. The channel closes once both have ended.
fn read_outputs(child: &mut Child, max_bytes: u64) -> Receiver<Output> {
    let (sender, outputs) = channel();
    if let Some(stdout) = child.stdout.take() {
        let sender: Sender<Output> = sender.clone();
        thread::spawn(move || {
            // Reserves the full size at once: a growing buffer would leave copies of the secret in freed memory.
            let mut bytes = Vec::with_capacity(max_bytes as usize + 1);
            let _ = stdout.take(max_bytes + 1).read_to_end(&mut bytes);
            let _ = sender.send(Output::Stdout(bytes));
        });
    }
    if let Some(mut stderr) = child.stderr.take() {
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut bytes) {
                if sender.send(Output::Stderr(bytes[..read].to_vec())).is_err() {
                    break;
                }
            }
        });
    }
    outputs
}

/// Ends the program. Processes that it started may continue; flowswap does not wait for them.
fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn announce_wait(name: &str, limit: Duration) {
    terminal::say_always(&text!("waiting up to {} s for `{}` to print a secret", limit.as_secs(), name));
}

/// Shows the program's stderr as it arrives, half lines included, because it may be a prompt.
fn show_stderr(bytes: &[u8]) {
    terminal::forward(&Text::of_lines(&String::from_utf8_lossy(bytes).replace("\r\n", "\n")));
}
