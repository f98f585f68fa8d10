//! Ctrl-C: the first lets running steps finish, the second ends the process at once.

use std::io;

use flowswap_engine::StopSwitch;

use crate::{
    display::progress::{CurrentProgress, StopRequest},
    exit::Exit,
    terminal::{Terminal, stdout_lost},
};

/// Listens for Ctrl-C and SIGTERM from now on, and turns the switch: a signal right after this call counts too.
///
/// # Errors
///
/// If the system refuses the handlers.
pub(crate) fn listen(terminal: Terminal, progress: CurrentProgress, switch: StopSwitch) -> io::Result<()> {
    // Not in the task: it may start late, and until then a signal would end the process in the middle of a step.
    let mut signals = Signals::install()?;
    tokio::spawn(async move {
        let by = tokio::select! {
            by = signals.next() => by,
            () = stdout_lost() => {
                terminal.say("flowswap can no longer write events to stdout");
                StopRequest::ByProgram
            }
        };
        progress.say_stopping(terminal, by);
        switch.stop();
        signals.next().await;
        progress.say_stopped(terminal);
        std::process::exit(Exit::Interrupted as i32);
    });
    Ok(())
}

#[cfg(unix)]
use on_unix::Signals;
#[cfg(windows)]
use on_windows::Signals;

#[cfg(unix)]
mod on_unix {
    use std::io;

    use rustix::process::Signal;
    use tokio::signal::unix::{self, SignalKind, signal};

    use super::StopRequest;

    pub(super) struct Signals {
        interrupt: unix::Signal,
        terminate: unix::Signal,
    }

    impl Signals {
        pub(super) fn install() -> io::Result<Self> {
            // With a handler, a file that reaches its limit (setrlimit(2)) fails the write, and does not end the process in the
            // middle of its work. The handler stays for good.
            drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?);
            Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
        }

        pub(super) async fn next(&mut self) -> StopRequest {
            tokio::select! {
                _ = self.interrupt.recv() => StopRequest::CtrlC,
                _ = self.terminate.recv() => StopRequest::ByProgram,
            }
        }
    }
}

#[cfg(windows)]
mod on_windows {
    use std::io;

    use tokio::signal::windows::{CtrlC, ctrl_c};

    use super::StopRequest;

    pub(super) struct Signals(CtrlC);

    impl Signals {
        pub(super) fn install() -> io::Result<Self> {
            ctrl_c().map(Self)
        }

        pub(super) async fn next(&mut self) -> StopRequest {
            self.0.recv().await;
            StopRequest::CtrlC
        }
    }
}
