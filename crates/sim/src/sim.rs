//! A running simulator, and what its user needs to know about it.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, MutexGuard};

use jiff::SignedDuration;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::beliefs::Belief;
use crate::clock::Clock;
use crate::config::{AdminCredential, CONSOLE_HOST, GATEWAY_HOST, Interface, SimConfig};
use crate::directory::Directory;
use crate::faults::{Fault, FaultReport};
use crate::gateway::schedule;
use crate::lock::lock;
use crate::mutation::{self, Mutation};
use crate::okta::services::VariantTypes;
use crate::serve::{self, Port};
use crate::service::SimService;
use crate::state::State;
use crate::tenant::{ServiceAccount, SimTenant};
use crate::tls;
use crate::traffic::Exchange;
use crate::world::{connection, snapshot, start, view};

/// A simulator: the world, and the ports that serve it.
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
    /// Builds a world and serves it at `addr`. This must be a loopback address, because the simulator gives its
    /// administrators' tokens to its clients.
    pub async fn start(config: SimConfig, addr: SocketAddr) -> io::Result<Self> {
        if !addr.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{addr} is not a loopback address")));
        }
        let (ca_pem, acceptor) = tls::issue(config.certificate)?;
        let listener = TcpListener::bind(addr).await?;
        let console = TcpListener::bind((addr.ip(), 0)).await?;
        let mut sim = Self::in_process(config);
        sim.addr = listener.local_addr()?;
        let console_addr = console.local_addr()?;
        sim.console = Some(console_addr);
        sim.ca_pem = ca_pem;
        for (listener, port) in [(listener, Port::Tls(acceptor)), (console, Port::Console(console_addr))] {
            sim.servers.push(tokio::spawn(serve::run(listener, port, sim.service(), sim.stop.subscribe())));
        }
        Ok(sim)
    }

    /// Builds a world without a port. Use [`Sim::service`] to reach it.
    pub fn in_process(config: SimConfig) -> Self {
        Self {
            state: Arc::new(start::start(config)),
            addr: (Ipv4Addr::LOCALHOST, 0).into(),
            console: None,
            ca_pem: String::new(),
            stop: watch::Sender::new(false),
            servers: Vec::new(),
        }
    }

    /// The address on which it listens. The port is 0 if it does not listen.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of the console, without a slash at the end. Without a port, this is its virtual host.
    pub fn console_url(&self) -> String {
        self.console.map_or_else(|| format!("https://{CONSOLE_HOST}"), |addr| format!("http://{addr}"))
    }

    /// Where a client asks how far the clock was moved.
    pub fn clock_url(&self) -> String {
        format!("{}/clock", self.console_url())
    }

    /// The certificate of the throw-away authority, as PEM. Empty without a port.
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

    /// The service account of the group above all tenants' groups. It may request a token for each of them.
    pub fn parent_account(&self) -> &ServiceAccount {
        &self.state.parent
    }

    /// The credential of the orgs' administrators in the client's configuration.
    pub(crate) fn admin(&self) -> AdminCredential {
        self.state.config.admin
    }

    /// The interface for which the client's configuration is written.
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

    /// An overview of the world, as `flowswap sim world` prints it.
    pub fn world(&self) -> view::World {
        schedule::catch_up(&self.state);
        view::show(&self.state)
    }

    /// All objects in a canonical form, without volatile values. Compare two snapshots with [`diff`](crate::diff).
    pub fn snapshot(&self) -> Value {
        schedule::catch_up(&self.state);
        snapshot::take(&self.state)
    }

    /// Why a directory's current connection cannot work, judged by the objects of its org. `None` if it can work. Sends
    /// no request.
    pub fn find_defect(&self, directory_id: &str) -> Option<String> {
        connection::find_defect(&self.state, directory_id)
    }

    /// Whether the value belongs to an active secret of the service client.
    pub fn accepts_secret(&self, domain: &str, client_id: &str, value: &str) -> bool {
        connection::accepts_secret(&self.state, domain, client_id, value)
    }

    /// Every exchange so far, if the settings request a record.
    pub fn traffic(&self) -> Vec<Exchange> {
        lock(&self.state.traffic).clone()
    }

    /// Adds a fault.
    pub fn add_fault(&self, fault: Fault) {
        lock(&self.state.faults).add(fault);
    }

    /// The beliefs that are false in this world, and how often each took effect.
    pub fn false_belief_effects(&self) -> BTreeMap<Belief, u32> {
        self.state.false_beliefs.count_effects()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        lock(&self.state.faults).clear();
    }

    /// The faults, and how often each has fired.
    pub fn faults(&self) -> Vec<FaultReport> {
        lock(&self.state.faults).report()
    }

    /// Sets how far a host's clock is ahead of the world's from now on. Negative values put it behind.
    pub fn set_skew(&self, host: &str, ahead: SignedDuration) {
        self.state.set_skew(host, ahead);
    }

    /// Changes the world without the knowledge of flowswap. Returns the id of the new object, if the change creates one.
    pub fn mutate(&self, mutation: Mutation) -> Result<Option<String>, String> {
        mutation::apply(&self.state, mutation)
    }

    /// The whole simulator as a service, for use without a socket.
    pub fn service(&self) -> SimService {
        SimService::new(Arc::clone(&self.state))
    }

    /// Finishes the requests in flight, and then closes the ports.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for server in self.servers.drain(..) {
            // The task fails only if the server panics, and then the panic was printed already.
            let _ended = server.await;
        }
    }
}
