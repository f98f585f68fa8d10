//! The operator's request to stop, visible to everything that would start or wait for something.

use tokio::sync::watch;

/// Stops a run. Copies are the same switch. Running steps finish. Nothing new starts, and no back-off is waited out.
#[derive(Debug, Clone)]
pub struct StopSwitch(watch::Sender<bool>);

/// The listening end of a [`StopSwitch`].
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Default for StopSwitch {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl StopSwitch {
    /// Makes a listener.
    pub fn listen(&self) -> Stop {
        Stop(self.0.subscribe())
    }

    /// Stops the run. A second call has no effect.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether the run should stop.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the run should stop. Never returns if the switch is dropped without having been used.
    pub async fn stopped(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
