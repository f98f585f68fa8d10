//! Runs the program of a target. It gets the notifications on its stdin, and never as arguments, which every user of the machine
//! can see. At a limit, its whole process group is ended.

use std::{
    io,
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{io::AsyncWriteExt, time::timeout};

/// Runs the program. `None` if it took longer than this time.
pub(super) async fn run(command: Command, input: &str, within: Duration) -> io::Result<Option<ExitStatus>> {
    let mut command = tokio::process::Command::from(command);
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut group = Group(child.id());
    let stdin = child.stdin.take();
    let ended = timeout(within, async {
        if let Some(mut stdin) = stdin {
            // A program need not read what it gets.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        child.wait().await
    });
    let status = ended.await.ok().transpose()?;
    if status.is_some() {
        group.0 = None;
    }
    Ok(status)
}

/// The process group of a program that runs. Dropping this ends all its processes, also when flowswap gives up waiting.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(leader) = leader {
            // If this fails, it has just ended.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_program_gets_the_input_on_stdin() {
        let limit = Duration::from_secs(60);
        let long = "x".repeat(1 << 20);
        for (script, input, code) in [
            ("read line && test \"$line\" = hello", "hello\n", 0),
            ("exit 3", "hello\n", 3),
            // It reads nothing of much.
            ("exit 0", &long, 0),
            ("test $(wc -c) = 1048576", &long, 0),
        ] {
            let status = run(shell(script), input, limit).await.unwrap().unwrap();
            assert_eq!(status.code(), Some(code), "{script}");
        }
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        // The child keeps the FIFO open, so reading it ends only after the child has ended.
        let fifo = folder.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let script = format!("sleep 1000 > {} & wait", fifo.display());
        let running = tokio::spawn(async move { run(shell(&script), "", Duration::from_millis(500)).await });
        let end = tokio::task::spawn_blocking(move || std::fs::read(fifo));
        assert!(running.await.unwrap().unwrap().is_none());
        assert_eq!(end.await.unwrap().unwrap(), b"");
    }
}
