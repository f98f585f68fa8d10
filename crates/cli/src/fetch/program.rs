//! Runs the program that prints a secret. The program may wait for a person, who touches a key or unlocks a vault. After a
//! while flowswap says that it waits and shows a person the program's stderr; at a limit it ends the program.
//!
//! What a program prints may contain its secret. Without `-v` only a terminal gets its stderr, and only while it waits; a log
//! file gets nothing.

use std::{
    io::{self, IsTerminal, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

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

/// How many characters of a failed program's stderr flowswap shows.
const MAX_SHOWN: usize = 2_000;

/// How often to check whether a program that closed its outputs has exited.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How a program ended.
pub(super) enum ProgramResult {
    Exited {
        status: ExitStatus,
        stdout: Zeroizing<Vec<u8>>,
    },
    /// It printed more than the limit. The bytes are one more than the limit.
    TooMuchOutput(Zeroizing<Vec<u8>>),
    TimedOut,
}

/// Output of a program.
enum Output {
    /// All of stdout, cut at one byte more than the limit.
    Stdout(Zeroizing<Vec<u8>>),
    /// A part of stderr.
    Stderr(Vec<u8>),
}

/// Runs the program, and reads at most `max_bytes` of its stdout, plus one to detect more. If it fails and `is_verbose` is
/// set, shows its stderr.
pub(super) fn run(
    mut command: Command,
    program: &Path,
    max_bytes: u64,
    limits: WaitLimits,
    is_verbose: bool,
) -> io::Result<ProgramResult> {
    let shows_prompts = is_verbose || io::stderr().is_terminal();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let outputs = read_outputs(&mut child, max_bytes);
    let started = Instant::now();
    let end = started + limits.kill_after;
    // `None` once the person was told.
    let mut notify_at = Some(started + limits.notify_after);
    let mut stdout = Zeroizing::new(Vec::new());
    let mut stderr = Vec::new();
    loop {
        match outputs.recv_timeout(notify_at.unwrap_or(end).min(end).saturating_duration_since(Instant::now())) {
            Ok(Output::Stdout(bytes)) if bytes.len() as u64 > max_bytes => {
                kill(&mut child);
                return Ok(ProgramResult::TooMuchOutput(bytes));
            }
            Ok(Output::Stdout(bytes)) => stdout = bytes,
            Ok(Output::Stderr(bytes)) => {
                if notify_at.is_none() && shows_prompts {
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
                announce_wait(program, limits.kill_after);
                if shows_prompts {
                    show_stderr(&stderr);
                }
            }
        }
    }
    // A program can close its outputs and continue to run.
    loop {
        if let Some(status) = child.try_wait()? {
            if is_verbose && !status.success() {
                show_failure(program, &stderr, &stdout);
            }
            return Ok(ProgramResult::Exited { status, stdout });
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
            let mut bytes = Zeroizing::new(Vec::with_capacity(max_bytes as usize + 1));
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

fn announce_wait(program: &Path, limit: Duration) {
    terminal::say_always(&text!("waiting up to {} s for `{}` to print a secret", limit.as_secs(), program.display()));
}

/// Shows the end of a failed program's stderr, without what it printed on stdout, which is meant to be the secret.
fn show_failure(program: &Path, stderr: &[u8], stdout: &[u8]) {
    let stderr = String::from_utf8_lossy(stderr).replace("\r\n", "\n");
    let secret = Zeroizing::new(String::from_utf8_lossy(stdout).trim().to_owned());
    let shown = if secret.is_empty() { stderr } else { stderr.replace(secret.as_str(), "[secret]") };
    let surplus = shown.chars().count().saturating_sub(MAX_SHOWN);
    let end: String = shown.chars().skip(surplus).collect();
    let message = match end.trim() {
        "" => text!("`{}` printed nothing on stderr", program.display()),
        end => {
            text!("`{}` printed this on stderr (it may contain a secret):\n{}", program.display(), Text::of_lines(end))
        }
    };
    terminal::say_always(&message);
}

/// Shows the program's stderr as it arrives, half lines included, because it may be a prompt.
fn show_stderr(bytes: &[u8]) {
    terminal::forward(&Text::of_lines(&String::from_utf8_lossy(bytes).replace("\r\n", "\n")));
}
