//! What a session needs to carry out what its plugin asks for.

use std::{fmt, sync::Arc, time::Duration};

use flowswap_engine::{Clock, EventSink, Journal, SecretStore, Stop};

use crate::{Gate, HttpService, Outage, Skews};

/// The world as sessions use it. One value serves all sessions of a process.
pub struct Effects {
    /// Makes the requests; [`build`](crate::build) makes the real one.
    pub http: HttpService,
    /// Records what is about to change the world, and what came of it.
    pub journal: Arc<dyn Journal>,
    /// Keeps the secrets that answers carry.
    pub secrets: Arc<dyn SecretStore>,
    /// The time that plugins are told and that records bear. Waiting goes by tokio's clock.
    pub clock: Arc<dyn Clock>,
    /// Takes what there is to tell.
    pub events: Arc<dyn EventSink>,
    /// Ends waiting, and keeps new calls from being begun.
    pub stop: Stop,
    /// Holds requests to an origin that has no more to give.
    pub gate: Gate,
    /// Which origins cannot be reached, and whether that is the same everywhere.
    pub outage: Outage,
    /// How far the origins' clocks are from this machine's.
    pub skews: Skews,
    /// How long one attempt of a request may take where the plugin does not say.
    pub timeout: Duration,
}

impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Effects")
    }
}
