//! The access tokens of a process: requested once, used by all sessions of the client, and renewed before they expire.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use flowswap_contract::{Error, ErrorKind, OAuthClient};
use flowswap_engine::Secret;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::jose::SigningKey;

/// How long before its end a token is renewed: the longest time that a request waits for its turn and for its answer.
const EARLY: Duration = Duration::from_secs(5 * 60);

/// How long a token is used whose server does not say how long it lives (RFC 6749 section 5.1 recommends it).
const UNSAID: Duration = Duration::from_secs(60);

/// The tokens, and what is known of the servers that issue them. Clones share one state.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Shared>);

#[derive(Default)]
struct Shared {
    slots: Mutex<HashMap<Id, Arc<Slot>>>,
    /// The last nonce of each origin (RFC 9449 section 8).
    nonces: Mutex<HashMap<String, String>>,
    /// The clients from which a server wanted a proof of possession, by token endpoint and client id.
    bound: Mutex<HashSet<(String, String)>>,
    /// Proves possession in this process. Made when a server first asks for a proof.
    key: OnceLock<SigningKey>,
}

/// Whose token it is, and for what. Another credential is another client, so nobody gets a token for which they have no
/// credential.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    token_url: String,
    client_id: String,
    credential: [u8; 32],
    scopes: BTreeSet<String>,
    dpop: Option<bool>,
}

/// The place of one token. The lock is held while it is requested, so that many requests wait for one token.
pub(crate) type Slot = futures::lock::Mutex<Option<Issued>>;

/// A token that a server issued.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) token: Secret,
    /// Whether it is bound to the key of this process.
    pub(crate) is_bound: bool,
    /// When it is no longer used.
    pub(crate) until: Instant,
}

impl Id {
    pub(crate) fn of(client: &OAuthClient, credential: &Secret) -> Self {
        Self {
            token_url: client.token_url.clone(),
            client_id: client.client_id.clone(),
            credential: Sha256::digest(credential.expose()).into(),
            scopes: client.scopes.iter().cloned().collect(),
            dpop: client.dpop,
        }
    }
}

impl Issued {
    /// A token that the server says to live so long.
    pub(crate) fn new(token: Secret, is_bound: bool, lifetime: Option<Duration>) -> Self {
        let lifetime = lifetime.unwrap_or(UNSAID);
        Self { token, is_bound, until: Instant::now() + lifetime.saturating_sub(EARLY.min(lifetime / 2)) }
    }

    pub(crate) fn is_usable(&self) -> bool {
        Instant::now() < self.until
    }
}

impl Tokens {
    /// The place of a token.
    pub(crate) fn slot(&self, id: Id) -> Arc<Slot> {
        let mut slots = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(id).or_default())
    }

    /// What the server last asked to put into proofs.
    pub(crate) fn nonce(&self, origin: &str) -> Option<String> {
        self.0.nonces.lock().unwrap_or_else(PoisonError::into_inner).get(origin).cloned()
    }

    /// From now on, proofs for this server have this nonce.
    pub(crate) fn note_nonce(&self, origin: &str, nonce: &str) {
        self.0.nonces.lock().unwrap_or_else(PoisonError::into_inner).insert(origin.to_owned(), nonce.to_owned());
    }

    /// Whether the server wanted a proof from this client before.
    pub(crate) fn wants_proof(&self, client: &OAuthClient) -> bool {
        self.bound().contains(&(client.token_url.clone(), client.client_id.clone()))
    }

    /// From now on, requests for a token of this client have a proof.
    pub(crate) fn note_proof_wanted(&self, client: &OAuthClient) {
        self.bound().insert((client.token_url.clone(), client.client_id.clone()));
    }

    fn bound(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.0.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that proves possession.
    pub(crate) fn key(&self) -> Result<&SigningKey, Error> {
        if let Some(key) = self.0.key.get() {
            return Ok(key);
        }
        let key = SigningKey::generate();
        let key = key.map_err(|error| Error::new(ErrorKind::Internal, format!("failed to make a key: {error}")))?;
        Ok(self.0.key.get_or_init(|| key))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}
