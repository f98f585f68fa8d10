//! The operator's wish to stop, seen by everything that would start or wait for something.

use tokio::sync::watch;

/// Says that a run is to stop. Steps that run are finished; nothing new is begun, no back-off is waited out.
#[derive(Debug)]
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
    /// A listener.
    pub fn listen(&self) -> Stop {
        Stop(self.0.subscribe())
    }

    /// Stops; a second time has no further effect.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether the run is to stop.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the run is to stop; never, if the switch is gone without having been used.
    pub async fn stopped(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
