//! The bearer tokens of Cloud Identity Engine's interface. Each is for one tenant service group.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::ids::Mint;

/// PAN, "Access tokens": 15 minutes.
pub(crate) const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// The live tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    mint: Mint,
    /// The group of each token, and when it expires.
    live: HashMap<String, (String, Timestamp)>,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        Self { mint: Mint::new(seed, "cie-tokens"), live: HashMap::new() }
    }

    /// Makes a token for a group, and forgets those that have expired.
    pub(crate) fn grant(&mut self, tsg_id: &str, now: Timestamp) -> String {
        let token = self.mint.token("eyJhbGciOiJzaW0ifQ.");
        self.live.retain(|_, (_, expires)| *expires > now);
        self.live.insert(token.clone(), (tsg_id.to_owned(), now + LIFETIME));
        token
    }

    /// The group of a token that has not expired.
    pub(crate) fn group_of(&self, token: &str, now: Timestamp) -> Option<String> {
        self.live.get(token).filter(|(_, expires)| *expires > now).map(|(tsg_id, _)| tsg_id.clone())
    }
}
