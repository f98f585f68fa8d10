//! The settings of a simulated world, with defaults that suit a demonstration.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::beliefs::Belief;
use crate::okta::limits::RateLimits;
use crate::okta::token;
use crate::scenario::Scenario;

/// How often real directories synchronize by themselves. Cloud Identity Engine collects changes every five minutes (PAN,
/// "Configure Okta Directory").
pub const SYNC_EVERY: Duration = Duration::from_secs(5 * 60);

/// The virtual host of the automation gateway in front of all directories.
pub const GATEWAY_HOST: &str = "gateway.cie.test";
/// The virtual host at which service accounts get tokens for Cloud Identity Engine's interface.
pub const CIE_AUTH_HOST: &str = "auth.cie.test";
/// The virtual host of Cloud Identity Engine's public interface.
pub const CIE_API_HOST: &str = "api.cie.test";
/// The virtual host of the console for a person. It also has its own port: see
/// [`Sim::console_url`](crate::Sim::console_url).
pub const CONSOLE_HOST: &str = "console.cie.test";
/// The virtual host of the simulator's own interface: world, snapshot, faults, and mutations.
pub const ADMIN_HOST: &str = "admin.sim.test";
/// The suffix after the tenant's name in the host name of its org.
pub const OKTA_SUFFIX: &str = ".okta.test";

/// How a client reaches the directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// Through the automation gateway, as described for the plugin `rest`.
    Rest,
    /// Through Cloud Identity Engine's own interface and a person at the console, like the plugin `cie-guided`.
    CieGuided,
}

/// What the configuration of a client names as the credential of the orgs' administrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminCredential {
    /// An API token.
    ApiToken,
    /// The key of a service app.
    ServiceApp {
        /// Whether its tokens must be bound to a key (RFC 9449).
        dpop: bool,
    },
}

/// The certificate that the simulator shows for all hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Signed by the authority of the simulator, and valid now.
    Good,
    /// Expired years ago.
    Expired,
    /// Self-signed.
    SelfSigned,
}

/// The settings of a simulated world. `Default` is a fast world of 12 tenants in which all beliefs are true.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// The number of tenants. Each has an org and a directory. With 8 or more, some are not `ready`.
    pub tenants: usize,
    /// The conditions of the first tenants, instead of the usual ones for a fleet of this size.
    pub scenarios: Vec<Scenario>,
    /// Determines every id, secret, token, and order.
    pub seed: u64,
    /// The wait before each request is carried out.
    pub latency: Duration,
    /// The maximum number of items on a page of a list, whatever `limit` the client sends.
    pub page_size: usize,
    /// Every n-th org lacks the API access management feature (401 E0000015 on authorization servers). 0 for no org.
    pub without_authorization_servers_every: usize,
    /// Every n-th directory collects application data. 0 for no directory.
    pub app_data_every: usize,
    /// The minimum age of a directory's last sync at which a read of its status makes the next one.
    pub sync_interval: Duration,
    /// How often a directory syncs by itself. With `None` it never does, and only requests to the gateway cause syncs.
    pub scheduled_sync: Option<Duration>,
    /// Whether a directory keeps its access token for its whole lifetime of an hour, instead of getting one for every sync.
    /// No public source says which of the two Cloud Identity Engine does.
    pub cached_tokens: bool,
    /// The lifetime of an access token, which its answer also states.
    pub token_lifetime: SignedDuration,
    /// The delay with which an event appears in an org's System Log.
    pub log_delay: Duration,
    /// How many users and groups every org has. With `None`, each org has a different small number.
    pub population: Option<(usize, usize)>,
    /// How many apps every org has that have nothing to do with its directory, besides the usual few.
    pub apps: usize,
    /// The interface for which the client's configuration is written.
    pub interface: Interface,
    /// The credential of the orgs' administrators in the client's configuration.
    pub admin: AdminCredential,
    /// Whether every tenant has a second directory, which belongs to an unrelated org.
    pub neighbors: bool,
    /// How many requests of each kind an org allows in a minute.
    pub rate_limits: RateLimits,
    /// Which part of each limit other clients of the org use, in percent. They send evenly.
    pub others: u32,
    /// Whether to keep every exchange for [`Sim::traffic`](crate::Sim::traffic), including secrets in clear text.
    pub record: bool,
    /// Hosts whose clocks are wrong, and how far each is ahead. Negative values put a clock behind.
    pub skews: BTreeMap<String, SignedDuration>,
    /// The certificate that every host shows.
    pub certificate: Certificate,
    /// The time at which the world starts. `None` for the real time.
    pub start: Option<Timestamp>,
    /// The beliefs that are false in this world.
    pub false_beliefs: Vec<Belief>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            tenants: 12,
            scenarios: Vec::new(),
            seed: 1,
            latency: Duration::ZERO,
            page_size: 2,
            without_authorization_servers_every: 5,
            app_data_every: 3,
            sync_interval: Duration::from_millis(250),
            scheduled_sync: None,
            cached_tokens: false,
            token_lifetime: token::LIFETIME,
            log_delay: Duration::ZERO,
            population: None,
            apps: 0,
            interface: Interface::Rest,
            admin: AdminCredential::ApiToken,
            neighbors: false,
            rate_limits: RateLimits::Unlimited,
            others: 0,
            record: false,
            skews: BTreeMap::new(),
            certificate: Certificate::Good,
            start: None,
            false_beliefs: Vec::new(),
        }
    }
}

impl SimConfig {
    /// Sets the number of tenants.
    #[must_use]
    pub fn tenants(mut self, tenants: usize) -> Self {
        self.tenants = tenants;
        self
    }

    /// Sets the number of tenants and their conditions.
    #[must_use]
    pub fn scenarios(mut self, scenarios: Vec<Scenario>) -> Self {
        self.tenants = scenarios.len();
        self.scenarios = scenarios;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the wait before each request is carried out.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Sets the maximum number of items on a page.
    #[must_use]
    pub fn page_size(mut self, page_size: usize) -> Self {
        self.page_size = page_size;
        self
    }

    /// Sets which orgs lack the authorization-server feature: every n-th, or no org for 0.
    #[must_use]
    pub fn without_authorization_servers_every(mut self, n: usize) -> Self {
        self.without_authorization_servers_every = n;
        self
    }

    /// Sets which directories collect application data: every n-th, or no directory for 0.
    #[must_use]
    pub fn app_data_every(mut self, n: usize) -> Self {
        self.app_data_every = n;
        self
    }

    /// Sets the minimum age of a sync at which the next one is made.
    #[must_use]
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.sync_interval = interval;
        self
    }

    /// Lets every directory sync by itself at this interval.
    #[must_use]
    pub fn scheduled_sync(mut self, interval: Duration) -> Self {
        self.scheduled_sync = Some(interval);
        self
    }

    /// Sets whether directories keep their access tokens or get one for every sync.
    #[must_use]
    pub fn cached_tokens(mut self, cached: bool) -> Self {
        self.cached_tokens = cached;
        self
    }

    /// Sets how late events appear in the System Log.
    #[must_use]
    pub fn log_delay(mut self, delay: Duration) -> Self {
        self.log_delay = delay;
        self
    }

    /// Sets how many users and groups every org has. "Everyone" counts as a group.
    #[must_use]
    pub fn population(mut self, users: usize, groups: usize) -> Self {
        self.population = Some((users, groups));
        self
    }

    /// Sets how many apps every org has that have nothing to do with its directory.
    #[must_use]
    pub fn apps(mut self, apps: usize) -> Self {
        self.apps = apps;
        self
    }

    /// Sets the credential of the orgs' administrators in the client's configuration.
    #[must_use]
    pub fn admin(mut self, admin: AdminCredential) -> Self {
        self.admin = admin;
        self
    }

    /// Sets the interface for which the client's configuration is written.
    #[must_use]
    pub fn interface(mut self, interface: Interface) -> Self {
        self.interface = interface;
        self
    }

    /// Sets whether every tenant has a second directory.
    #[must_use]
    pub fn neighbors(mut self, neighbors: bool) -> Self {
        self.neighbors = neighbors;
        self
    }

    /// Sets how many requests of each kind an org allows in a minute.
    #[must_use]
    pub fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.rate_limits = limits;
        self
    }

    /// Sets which part of each limit other clients of the org use, in percent.
    #[must_use]
    pub fn others(mut self, percent: u32) -> Self {
        self.others = percent;
        self
    }

    /// Sets whether to keep every exchange.
    #[must_use]
    pub fn record(mut self, record: bool) -> Self {
        self.record = record;
        self
    }

    /// Sets how far a host's clock is ahead of the world's. Negative values put it behind. The host's `Date` and the times
    /// of its events and syncs follow that clock.
    #[must_use]
    pub fn skew(mut self, host: impl Into<String>, ahead: SignedDuration) -> Self {
        self.skews.insert(host.into(), ahead);
        self
    }

    /// Sets the certificate that every host shows.
    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }

    /// Sets the time at which the world starts.
    #[must_use]
    pub fn start(mut self, start: Timestamp) -> Self {
        self.start = Some(start);
        self
    }

    /// Makes these beliefs false.
    #[must_use]
    pub fn without(mut self, beliefs: &[Belief]) -> Self {
        self.false_beliefs.extend(beliefs);
        self
    }
}
