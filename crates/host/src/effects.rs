//! What a session needs to do what its plugin asks for.

use std::{fmt, sync::Arc, time::Duration};

use flowswap_engine::{Clock, EventSink, SecretStore, Stop};

use crate::{Connect, Gate};

/// The outside world as sessions use it. All sessions of a process share one value.
pub struct Effects {
    /// Connects sessions; [`build`](crate::build) makes the real connections.
    pub http: Arc<dyn Connect>,
    /// Keeps the secrets that answers carry.
    pub secrets: Arc<dyn SecretStore>,
    /// The time that plugins get. Waiting uses tokio's clock.
    pub clock: Arc<dyn Clock>,
    /// Takes events for the operator.
    pub events: Arc<dyn EventSink>,
    /// Ends waiting, and keeps new calls from starting.
    pub stop: Stop,
    /// Holds requests to an origin that has reached its rate limit.
    pub gate: Gate,
    /// How long one attempt of a request may take if the plugin sets no limit.
    pub timeout: Duration,
}

impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Effects")
    }
}
