//! Ctrl-C: the first lets running steps finish, the second ends the process at once.

use flowswap_engine::{Stop, StopSwitch};

use crate::{exit::Exit, terminal::Terminal};

/// Starts to listen for Ctrl-C and SIGTERM.
pub(crate) fn listen(terminal: Terminal) -> Stop {
    let switch = StopSwitch::default();
    let stop = switch.listen();
    tokio::spawn(async move {
        signal().await;
        terminal.say("stopping after the running steps finish; press Ctrl-C again to stop at once");
        switch.stop();
        signal().await;
        std::process::exit(Exit::Interrupted as i32);
    });
    stop
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};

    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => if interrupted.is_err() { std::future::pending().await },
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
