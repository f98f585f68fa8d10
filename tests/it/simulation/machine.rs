//! The operator's machine: the state that survives the end of a process, and the processes that run on it.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, OnceLock, atomic::AtomicBool},
    time::Duration,
};

use flowswap_contract::Role;
use flowswap_engine::{
    Actor, Clock, Event, EventSink, Logbook, Plan, PluginPin, Ports, RunId, Secret, Tenant, TenantSpec, digest_config,
};
use flowswap_host::{Effects, Gate, PluginFile, PluginProcess, Session, SessionConfig, Share};
use flowswap_sim::{GATEWAY_HOST, Interface, OKTA_SUFFIX, Sim, SimConfig, SimTenant};
use flowswap_store::SqliteJournal;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::task::LocalSet;

use super::{
    dice::name,
    fate::Fate,
    network::Network,
    schedule::Fleet,
    storage::{Custody, Kept, Ledger},
    watch::Watch,
};
use crate::support::plugin_file;

/// When every simulated world begins.
pub(crate) const START: &str = "2026-03-01T08:00:00Z";

/// How often a directory syncs by itself: less often than a real one, so that an hour is cheap to simulate.
const SYNC_EVERY: Duration = Duration::from_secs(20 * 60);

/// Longer than any simulation.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The plugins' libraries, read once.
static PLUGINS: LazyLock<[PluginFile; 3]> = LazyLock::new(|| {
    ["okta", "rest", "cie-guided"]
        .map(|name| PluginFile::read(name, &plugin_file(&name.replace('-', "_")), None).unwrap())
});

/// The state that survives a process.
pub(crate) struct Machine {
    pub(crate) fleet: Fleet,
    pub(crate) sim: Arc<Sim>,
    pub(crate) journal: Arc<SqliteJournal>,
    pub(crate) kept: Kept,
    pub(crate) plans: Mutex<Vec<Plan>>,
    pub(crate) fate: Arc<Fate>,
    pub(crate) watch: Arc<Watch>,
    /// The interface of the directories.
    interface: Interface,
    /// The two tables of each tenant's configuration. They stay the same while the world changes.
    tables: BTreeMap<String, [Map<String, Value>; 2]>,
}

/// A flowswap process with open sessions for all tenants.
pub(crate) struct Process {
    pub(crate) ports: Ports,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) pins: BTreeMap<String, PluginPin>,
    pub(crate) run: RunId,
}

impl Machine {
    pub(crate) fn new(fleet: Fleet, fate: Fate) -> Self {
        let orgs_ahead = SignedDuration::from_secs(fleet.orgs_ahead);
        let names = (0..fleet.tenants.len()).map(name);
        let config = names.fold(SimConfig::default(), |config, name| config.skew(name + OKTA_SUFFIX, orgs_ahead));
        let config = config
            .skew(GATEWAY_HOST, SignedDuration::from_secs(fleet.gateway_ahead))
            .scenarios(fleet.tenants.clone())
            .seed(u64::from(fleet.seed))
            .app_data_every(fleet.app_data_every)
            .without_authorization_servers_every(fleet.without_authorization_servers_every)
            .page_size(fleet.page_size)
            .scheduled_sync(SYNC_EVERY)
            .start(START.parse().unwrap());
        Self::in_world(fleet, fate, config)
    }

    /// A machine with a world of this configuration.
    pub(crate) fn in_world(fleet: Fleet, fate: Fate, config: SimConfig) -> Self {
        let interface = config.interface;
        let sim = Arc::new(Sim::in_process(config));
        Self {
            fleet,
            journal: Arc::new(SqliteJournal::in_memory().unwrap()),
            kept: Kept::default(),
            plans: Mutex::default(),
            fate: Arc::new(fate),
            watch: Arc::new(Watch::new(Arc::clone(&sim))),
            interface,
            tables: sim.tenants().iter().map(|tenant| (tenant.name.clone(), tables(&sim, interface, tenant))).collect(),
            sim,
        }
    }

    /// Runs a process until it ends or dies. Returns `None` if it died. Faults occur as in the move `on`.
    pub(crate) async fn run<T>(&self, on: Option<usize>, work: impl AsyncFnOnce(Process) -> T) -> Option<T> {
        let number = self.fate.begin(on);
        self.watch.begin();
        let local = LocalSet::new();
        let living = async {
            let process = self.open(number).await;
            work(process).await
        };
        let ended = local.run_until(async {
            tokio::select! {
                biased;
                () = self.fate.death() => None,
                result = living => Some(result),
            }
        });
        ended.await
    }

    async fn open(&self, number: usize) -> Process {
        let clock = Arc::new(WorldClock(self.sim.clock()));
        let ledger = Ledger {
            fate: Arc::clone(&self.fate),
            watch: Arc::clone(&self.watch),
            journal: Arc::clone(&self.journal),
            is_broken: AtomicBool::new(false),
        };
        let custody = Custody { fate: Arc::clone(&self.fate), kept: Arc::clone(&self.kept) };
        let network = Network {
            fate: Arc::clone(&self.fate),
            watch: Arc::clone(&self.watch),
            service: self.sim.service(),
            clock: self.sim.clock(),
            ahead: [self.fleet.orgs_ahead, self.fleet.gateway_ahead],
        };
        let logbook = Logbook::open(Arc::new(ledger), clock.clone(), None).await;
        let logbook = match logbook {
            Ok(logbook) => logbook,
            Err(error) => {
                self.watch.fail(error.to_string());
                std::future::pending().await
            }
        };
        let ports = Ports {
            logbook,
            secrets: Arc::new(custody),
            clock: clock.clone(),
            events: Arc::new(DiscardEvents),
            stop: self.fate.stop(),
            turns: flowswap_engine::Turns::default(),
            operator: Arc::new(flowswap_engine::NoOperator),
            actor: Actor::user("operator"),
        };
        let effects = Arc::new(Effects {
            http: Arc::new(network.into_service()),
            secrets: Arc::clone(&ports.secrets),
            clock: clock.clone(),
            events: Arc::clone(&ports.events),
            stop: ports.stop.clone(),
            gate: Gate::new(Share::HALF, u64::from(self.fleet.seed) << 16 | number as u64),
            timeout: REQUEST_TIMEOUT,
        });
        let directory = match self.interface {
            Interface::Rest => 1,
            Interface::CieGuided => 2,
        };
        let plugins =
            [0, directory].map(|index| PluginProcess::inline(&PLUGINS[index], Arc::new(DiscardEvents)).unwrap());
        let pin = |plugin: &Arc<PluginProcess>| PluginPin {
            version: plugin.hello().version.clone(),
            sha256: plugin.sha256().to_owned(),
            uncaged: false,
        };
        let pins = plugins.iter().map(|plugin| (plugin.name().to_owned(), pin(plugin))).collect();
        let mut tenants = Vec::new();
        for tenant in &self.watch.tenants {
            tenants.push(self.open_tenant(tenant, &plugins, &effects, &ports.logbook).await);
        }
        let random = fastrand::Rng::with_seed(u64::from(self.fleet.seed) << 16 | number as u64).u128(..);
        let random = random.to_le_bytes()[..10].try_into().unwrap();
        let run = RunId::from_parts(clock.now().as_millisecond().cast_unsigned(), random);
        Process { ports, tenants, pins, run }
    }

    async fn open_tenant(
        &self,
        tenant: &SimTenant,
        plugins: &[Arc<PluginProcess>; 2],
        effects: &Arc<Effects>,
        logbook: &Logbook,
    ) -> Tenant {
        let [provider, directory] = &self.tables[&tenant.name];
        let open = async |role: Role, config: &Map<String, Value>, (name, secret): (&str, &str)| {
            let config = SessionConfig {
                tenant: tenant.name.clone(),
                role,
                config: config.clone(),
                secrets: [(name.to_owned(), Secret::new(secret))].into(),
                known: Arc::default(),
                origins: Vec::new(),
            };
            let plugin = &plugins[usize::from(role == Role::Directory)];
            Session::open(Arc::clone(plugin), Arc::clone(effects), config).await.unwrap()
        };
        let credential = match self.interface {
            Interface::Rest => ("credential", self.sim.gateway_token()),
            Interface::CieGuided => ("client_secret", self.sim.parent_account().client_secret.as_str()),
        };
        Tenant {
            provider: open(Role::Provider, provider, ("credential", &tenant.admin_token)).await,
            directory: open(Role::Directory, directory, credential).await,
            spec: TenantSpec {
                name: tenant.name.clone(),
                domain: tenant.domain.clone(),
                app_data: tenant.app_data,
                provider_plugin: "okta".to_owned(),
                directory_plugin: plugins[1].name().to_owned(),
                // A connection that looks dead is blocked. So a person accepts it here, and the story goes on.
                rotation: None,
                accepted: flowswap_engine::ACCEPTABLE.map(str::to_owned).to_vec(),
                begun: logbook.overview(&tenant.name).is_some_and(|known| known.plan.is_some()),
                config: digest_config(&json!({ "provider": provider, "directory": directory })).unwrap(),
            },
        }
    }
}

/// A tenant's two tables from the configuration that the simulator writes for its clients, without the keys of the CLI.
fn tables(sim: &Sim, interface: Interface, tenant: &SimTenant) -> [Map<String, Value>; 2] {
    static GATEWAY: OnceLock<[Map<String, Value>; 2]> = OnceLock::new();
    let own_table = |config: &toml::Table| {
        let tenants = config["tenant"].as_array().unwrap();
        let own = tenants.iter().find(|own| own["name"].as_str() == Some(&tenant.name)).unwrap();
        let Value::Object(own) = json!(own["directory"]) else { panic!("no table") };
        own
    };
    let ([mut provider, mut directory], own) = match interface {
        // The tables that all tenants share are the same in every world.
        Interface::Rest => {
            let common = GATEWAY.get_or_init(|| common_tables(&read(sim))).clone();
            (common, [("id".to_owned(), json!(tenant.directory_id))].into_iter().collect())
        }
        Interface::CieGuided => {
            let config = read(sim);
            (common_tables(&config), own_table(&config))
        }
    };
    provider.insert("domain".to_owned(), json!(tenant.domain));
    directory.extend(own);
    // A console would need a port, which this simulator does not have.
    directory.remove("console_url");
    [provider, directory]
}

fn read(sim: &Sim) -> toml::Table {
    sim.configuration("").parse().unwrap()
}

fn common_tables(config: &toml::Table) -> [Map<String, Value>; 2] {
    ["provider", "directory"].map(|side| {
        let Value::Object(mut table) = json!(config["defaults"][side]) else { panic!("{side}") };
        for name in ["plugin", "credential", "client_secret"] {
            table.remove(name);
        }
        table
    })
}

/// The clock of the world, which is also the machine's.
struct WorldClock(flowswap_sim::Clock);

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// Ignores all events.
struct DiscardEvents;

impl EventSink for DiscardEvents {
    fn emit(&self, _: Event) {}
}
