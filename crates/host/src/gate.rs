//! What all sessions of a process know of the servers that they talk to.

use std::collections::BTreeMap;

use crate::{
    governor::{Governor, Share, Usage},
    outage::Outages,
    skew::Skews,
    tokens::Tokens,
};

/// What is known of each server. Clones share one state, so that an answer to one session counts for all of them.
#[derive(Debug, Clone)]
pub struct Gate {
    pub(crate) governor: Governor,
    pub(crate) outages: Outages,
    pub(crate) skews: Skews,
    pub(crate) tokens: Tokens,
}

impl Gate {
    /// Knows nothing yet. All sessions together use this share of each rate limit; the seed decides by how much waits differ.
    pub fn new(share: Share, seed: u64) -> Self {
        let governor = Governor::new(share, seed);
        Self { governor, outages: Outages::default(), skews: Skews::default(), tokens: Tokens::default() }
    }

    /// How much of each server's rate limits the sessions have used, by origin.
    pub fn usage(&self) -> BTreeMap<String, Usage> {
        self.governor.usage()
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(Share::HALF, fastrand::u64(..))
    }
}
