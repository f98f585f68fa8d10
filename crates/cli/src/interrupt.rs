//! Ctrl-C: the first one lets running steps finish, the second one ends the process at once.

use flowswap_engine::{Stop, StopSwitch};

use crate::{exit::Exit, terminal::Terminal};

/// Begins to listen.
pub(crate) fn listen(terminal: Terminal) -> Stop {
    let switch = StopSwitch::default();
    let stop = switch.listen();
    tokio::spawn(async move {
        signal().await;
        terminal.say("stopping once the steps that run are done; Ctrl-C again stops at once");
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
