//! A running simulator, and what those who started it need to know of it.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, MutexGuard};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::beliefs::Belief;
use crate::clock::Clock;
use crate::config::{CONSOLE_HOST, GATEWAY_HOST, Interface, SimConfig, VariantTypes};
use crate::faults::{Fault, FaultReport};
use crate::gateway::model::Directory;
use crate::gateway::natural;
use crate::mutation::{self, Mutation};
use crate::serve::{self, Door};
use crate::service::SimService;
use crate::state::{State, lock};
use crate::tls;
use crate::traffic::Exchange;
use crate::world::scenario::Scenario;
use crate::world::{connection, snapshot, view};

/// One tenant of the simulated fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimTenant {
    /// The tenant's name, which is its directory's too.
    pub name: String,
    /// The host name of its org.
    pub domain: String,
    /// Whether its directory collects application data.
    pub app_data: bool,
    /// The API token (SSWS) of its org's administrator.
    pub admin_token: String,
    /// The condition it began in.
    pub scenario: Scenario,
    /// The id of its directory at the gateway.
    pub directory_id: String,
    /// The service account of its own tenant service group.
    pub account: ServiceAccount,
    /// The id of its second directory, if the settings asked for one.
    pub neighbour_id: Option<String>,
}

/// A service account of a tenant service group, with which a program gets tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// Its client id, which looks like an address.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The ten digits of its group.
    pub tsg_id: String,
}

/// A simulator: the world, and the ports it is served on.
#[derive(Debug)]
pub struct Sim {
    state: Arc<State>,
    addr: SocketAddr,
    console: Option<SocketAddr>,
    ca_pem: String,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
}

impl Sim {
    /// Builds a world and serves it at `addr`, which has to be a loopback address: the simulator hands out its
    /// administrators' tokens to whoever asks for its world.
    pub async fn start(config: SimConfig, addr: SocketAddr) -> io::Result<Self> {
        if !addr.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{addr} is not a loopback address")));
        }
        let (ca_pem, acceptor) = tls::issue(config.certificate)?;
        let listener = TcpListener::bind(addr).await?;
        let console = TcpListener::bind((addr.ip(), 0)).await?;
        let mut sim = Self::in_process(config);
        sim.addr = listener.local_addr()?;
        sim.console = Some(console.local_addr()?);
        sim.ca_pem = ca_pem;
        for (listener, door) in [(listener, Door::Tls(acceptor)), (console, Door::Console)] {
            sim.servers.push(tokio::spawn(serve::run(listener, door, sim.service(), sim.stop.subscribe())));
        }
        Ok(sim)
    }

    /// Builds a world without a port; [`Sim::service`] is the way in.
    pub fn in_process(config: SimConfig) -> Self {
        Self {
            state: Arc::new(State::new(config)),
            addr: (Ipv4Addr::LOCALHOST, 0).into(),
            console: None,
            ca_pem: String::new(),
            stop: watch::Sender::new(false),
            servers: Vec::new(),
        }
    }

    /// Where it listens; port 0 if it does not.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where a browser finds the console, without a slash at the end; without a port, its virtual host.
    pub fn console_url(&self) -> String {
        self.console.map_or_else(|| format!("https://{CONSOLE_HOST}"), |addr| format!("http://{addr}"))
    }

    /// The certificate of the throw-away authority, as PEM; empty without a port.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// All tenants.
    pub fn tenants(&self) -> Vec<SimTenant> {
        self.state.tenants.clone()
    }

    /// The bearer token for the automation gateway.
    pub fn gateway_token(&self) -> &str {
        &self.state.gateway_token
    }

    /// The service account of the group above all tenants' groups, which may ask for a token of each.
    pub fn parent_account(&self) -> &ServiceAccount {
        &self.state.parent
    }

    /// What the client's configuration is written for.
    pub(crate) fn interface(&self) -> Interface {
        self.state.config.interface
    }

    /// A directory as it is now.
    pub(crate) fn directory(&self, id: &str) -> Option<MutexGuard<'_, Directory>> {
        self.state.directory(id)
    }

    /// The virtual host of the automation gateway.
    pub fn gateway_host(&self) -> &'static str {
        GATEWAY_HOST
    }

    /// The bearer token for the admin host.
    pub fn admin_token(&self) -> &str {
        &self.state.admin_token
    }

    /// The OIN type keys of the two integrations.
    pub fn variant_types(&self) -> VariantTypes {
        VariantTypes::SIMULATED
    }

    /// The world's clock.
    pub fn clock(&self) -> Clock {
        self.state.clock.clone()
    }

    /// The world at a glance, as `flowswap sim world` prints it.
    pub fn world(&self) -> view::World {
        natural::catch_up(&self.state);
        view::look(&self.state)
    }

    /// All objects, canonical and without volatile values; compare two with [`diff`](crate::diff).
    pub fn snapshot(&self) -> Value {
        natural::catch_up(&self.state);
        snapshot::take(&self.state)
    }

    /// Why a directory's present connection cannot work, judged by what its org has; none if it can. Asks nobody.
    pub fn find_defect(&self, directory_id: &str) -> Option<String> {
        connection::find_defect(&self.state, directory_id)
    }

    /// Whether the value is that of an active secret of the service client.
    pub fn accepts_secret(&self, domain: &str, client_id: &str, value: &str) -> bool {
        connection::accepts_secret(&self.state, domain, client_id, value)
    }

    /// Every exchange so far, if the settings asked for a record.
    pub fn traffic(&self) -> Vec<Exchange> {
        lock(&self.state.traffic).clone()
    }

    /// Orders a fault.
    pub fn add_fault(&self, fault: Fault) {
        lock(&self.state.faults).add(fault);
    }

    /// The beliefs that are false in this world, and how often each has made a difference.
    pub fn played(&self) -> BTreeMap<Belief, u32> {
        self.state.contrary.report()
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        lock(&self.state.faults).clear();
    }

    /// The ordered faults and how often each has fired.
    pub fn faults(&self) -> Vec<FaultReport> {
        lock(&self.state.faults).report()
    }

    /// Sets how far a host's clock is ahead of the world's from now on; negative for behind.
    pub fn set_skew(&self, host: &str, ahead: SignedDuration) {
        self.state.set_skew(host, ahead);
    }

    /// Changes the world behind everybody's back. Answers with the id of what was made, if anything was.
    pub fn mutate(&self, mutation: Mutation) -> Result<Option<String>, String> {
        mutation::apply(&self.state, mutation)
    }

    /// The whole simulator as a service, for use without a socket.
    pub fn service(&self) -> SimService {
        SimService::new(Arc::clone(&self.state))
    }

    /// Closes the ports after the requests in flight.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for server in self.servers.drain(..) {
            // The only way to fail is a panic in the server, which its own output has told.
            let _ended = server.await;
        }
    }
}
