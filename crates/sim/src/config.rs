//! What a simulated world is made of: the settings, with defaults that suit a demonstration.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::beliefs::Belief;
use crate::world::scenario::Scenario;

/// How often real directories synchronize by themselves: Cloud Identity Engine collects what has changed every five minutes (PAN,
/// "Configure Okta Directory").
pub const SYNC_EVERY: Duration = Duration::from_secs(5 * 60);

/// The virtual host of the automation gateway in front of all directories.
pub const GATEWAY_HOST: &str = "gateway.cie.test";
/// The virtual host at which service accounts get tokens for Cloud Identity Engine's interface.
pub const CIE_AUTH_HOST: &str = "auth.cie.test";
/// The virtual host of Cloud Identity Engine's public interface.
pub const CIE_API_HOST: &str = "api.cie.test";
/// The virtual host of the console as a person sees it; it has a port of its own as well, see
/// [`Sim::console_url`](crate::Sim::console_url).
pub const CONSOLE_HOST: &str = "console.cie.test";
/// The virtual host of the simulator's own interface: world, snapshot, faults, mutations.
pub const ADMIN_HOST: &str = "admin.sim.test";
/// What follows the tenant's name in the host name of its org.
pub const OKTA_SUFFIX: &str = ".okta.test";

/// The OIN `type` keys of the two integrations, as this simulator's orgs know them.
///
/// The real keys are in no public source and cannot be computed from the names (Okta's own recording shows
/// `anzennaapiservice` for "Anzenna"), so these are made up, and a client must be told or must learn them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariantTypes {
    /// Users, groups, authorization servers and logs.
    pub plain: &'static str,
    /// The same and apps.
    pub application_enabled: &'static str,
}

impl VariantTypes {
    /// The keys which every simulated org uses.
    pub const SIMULATED: Self = Self { plain: "panw_cie_sim", application_enabled: "panw_cie_apps_sim" };
}

/// How a client reaches the directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// By the automation gateway, described for the plugin `rest`.
    Rest,
    /// By Cloud Identity Engine's own interface and a person at the console, as the plugin `cie-guided` does.
    CieGuided,
}

/// What the simulator shows for all of its hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// One that its authority signed and that is good now.
    Good,
    /// One whose time was over years ago.
    Expired,
    /// One that it signed itself, which no authority knows.
    SelfSigned,
}

/// The settings of a simulated world. `Default` is a fast, truthful world of 12 tenants.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// How many tenants, each an org and a directory. From 8 on, some are not `ready`.
    pub tenants: usize,
    /// The conditions of the first tenants, instead of those that a fleet of this size has.
    pub scenarios: Vec<Scenario>,
    /// Every id, secret, token and order follows from it.
    pub seed: u64,
    /// How long each request waits before it is carried out.
    pub latency: Duration,
    /// The most items a page of a list holds, whatever `limit` was asked for.
    pub page_size: usize,
    /// Every n-th org lacks the API access management feature (401 E0000015 on authorization servers); 0 for none.
    pub without_authorization_servers_every: usize,
    /// Every n-th directory collects application data; 0 for none.
    pub app_data_every: usize,
    /// How old a directory's last sync has to be before a read of its status makes the next one.
    pub sync_interval: Duration,
    /// How often a directory syncs by itself; `None` for never, so that only what the gateway does is seen.
    pub natural_sync: Option<Duration>,
    /// Whether a directory keeps its access token for the hour that it lives, instead of getting one for every sync. No
    /// public source says which of both Cloud Identity Engine does.
    pub cached_tokens: bool,
    /// How long an access token lives, by the word of its answer as well.
    pub token_lifetime: SignedDuration,
    /// How long after it happened an event appears in an org's System Log.
    pub log_delay: Duration,
    /// How many users and groups every org has; `None` for a few, other ones in each.
    pub population: Option<(usize, usize)>,
    /// What the client's configuration is written for.
    pub interface: Interface,
    /// Give every tenant a second directory, of another org that has nothing to do with the first.
    pub neighbours: bool,
    /// Requests a minute which an org allows before it answers 429; `None` for no limit.
    pub rate_limit: Option<u32>,
    /// Keep every exchange for [`Sim::traffic`](crate::Sim::traffic). Secrets are in it, in clear.
    pub record: bool,
    /// Hosts whose clocks are wrong, and by how much they are ahead; negative for behind.
    pub skews: BTreeMap<String, SignedDuration>,
    /// The certificate that every host shows.
    pub certificate: Certificate,
    /// The instant at which the world begins; `None` for the real present.
    pub start: Option<Timestamp>,
    /// What is not so in this world, of all that proofs assume.
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
            natural_sync: None,
            cached_tokens: false,
            token_lifetime: crate::okta::token::LIFETIME,
            log_delay: Duration::ZERO,
            population: None,
            interface: Interface::Rest,
            neighbours: false,
            rate_limit: None,
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

    /// Sets the tenants by their conditions.
    #[must_use]
    pub fn scenarios(mut self, scenarios: Vec<Scenario>) -> Self {
        (self.tenants, self.scenarios) = (scenarios.len(), scenarios);
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

    /// Sets the most items a page holds.
    #[must_use]
    pub fn page_size(mut self, page_size: usize) -> Self {
        self.page_size = page_size;
        self
    }

    /// Sets which orgs lack the authorization-server feature: every n-th, or none for 0.
    #[must_use]
    pub fn without_authorization_servers_every(mut self, n: usize) -> Self {
        self.without_authorization_servers_every = n;
        self
    }

    /// Sets which directories collect application data: every n-th, or none for 0.
    #[must_use]
    pub fn app_data_every(mut self, n: usize) -> Self {
        self.app_data_every = n;
        self
    }

    /// Sets how old a sync has to be before the next one is made.
    #[must_use]
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.sync_interval = interval;
        self
    }

    /// Lets every directory sync by itself, so often.
    #[must_use]
    pub fn natural_sync(mut self, interval: Duration) -> Self {
        self.natural_sync = Some(interval);
        self
    }

    /// Lets directories keep their access tokens, or get one for every sync.
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

    /// Sets how many users and groups every org has, "Everyone" among the groups.
    #[must_use]
    pub fn population(mut self, users: usize, groups: usize) -> Self {
        self.population = Some((users, groups));
        self
    }

    /// Sets what the client's configuration is written for.
    #[must_use]
    pub fn interface(mut self, interface: Interface) -> Self {
        self.interface = interface;
        self
    }

    /// Gives every tenant a second directory, or none.
    #[must_use]
    pub fn neighbours(mut self, neighbours: bool) -> Self {
        self.neighbours = neighbours;
        self
    }

    /// Sets the requests a minute which an org allows.
    #[must_use]
    pub fn rate_limit(mut self, per_minute: u32) -> Self {
        self.rate_limit = Some(per_minute);
        self
    }

    /// Keeps, or does not keep, every exchange.
    #[must_use]
    pub fn record(mut self, record: bool) -> Self {
        self.record = record;
        self
    }

    /// Sets how far a host's clock is ahead of the world's; negative for behind. Its `Date`, the times of its events and of
    /// its syncs all follow that clock.
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

    /// Sets the instant at which the world begins.
    #[must_use]
    pub fn start(mut self, start: Timestamp) -> Self {
        self.start = Some(start);
        self
    }

    /// Makes beliefs false.
    #[must_use]
    pub fn without(mut self, beliefs: &[Belief]) -> Self {
        self.false_beliefs.extend(beliefs);
        self
    }
}
