//! Who shares connections: all sessions that talk to one origin. The last of them to end closes the connections, because an
//! org is rarely asked again, and the connections of a large fleet take much memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use http::Uri;
use reqwest::Client;
use rustls::ClientConfig;
use tower::util::BoxCloneSyncService;

use crate::{
    proxy,
    resolve::{self, Overrides},
    room::Room,
    transport::{self, HttpService, Network, NetworkError, Sent, TransportError},
};

/// Opens the connections of sessions.
pub trait Connect: Send + Sync {
    /// A service for requests to these origins, such as `https://acme.okta.com`. Services with the same origin share its
    /// connections, which close when the last of these services is dropped.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be set up.
    fn connect(&self, origins: &[&str]) -> Result<HttpService, NetworkError>;
}

/// A service without connections, such as a simulated world.
impl Connect for HttpService {
    fn connect(&self, _: &[&str]) -> Result<HttpService, NetworkError> {
        Ok(self.clone())
    }
}

/// The HTTP clients of the origins that are in use.
pub(crate) struct Clients {
    tls: ClientConfig,
    overrides: Arc<Overrides>,
    /// Whether to use the proxies of the environment.
    system_proxy: bool,
    /// Whether the environment names a proxy.
    names_proxy: bool,
    /// How long a connection that is not used stays open.
    idle_timeout: Duration,
    in_use: Mutex<HashMap<String, Weak<OriginClient>>>,
    room: Room,
}

/// Makes the real connections.
pub fn build(network: &Network) -> Result<Arc<dyn Connect>, NetworkError> {
    let clients = clients(network, transport::POOL_IDLE_TIMEOUT)?;
    // If no client can be set up, no session should have to find out.
    clients.connect(&["https://localhost"])?;
    Ok(Arc::new(clients))
}

/// `idle_timeout` is how long a connection that is not used stays open.
pub(crate) fn clients(network: &Network, idle_timeout: Duration) -> Result<Clients, NetworkError> {
    let roots = match &network.ca_file {
        Some(path) => transport::read_ca_file(path)?,
        None => Vec::new(),
    };
    let names_proxy = network.system_proxy
        && proxy::check(|name| std::env::var_os(name))
            .map_err(|proxy::BadVariable { name, problem }| NetworkError::ProxyVariable { name, problem })?;
    Ok(Clients {
        tls: transport::tls(roots)?,
        overrides: Arc::new(network.resolve.clone()),
        system_proxy: network.system_proxy,
        names_proxy,
        idle_timeout,
        in_use: Mutex::default(),
        room: Room::default(),
    })
}

/// The client of one origin. It keeps connections, and closes them when it is dropped.
pub(crate) struct OriginClient {
    origin: String,
    client: Client,
    /// Whether its connections may use a proxy.
    proxied: bool,
}

impl Connect for Clients {
    fn connect(&self, origins: &[&str]) -> Result<HttpService, NetworkError> {
        let clients: Vec<_> = origins.iter().map(|origin| self.client(origin)).collect::<Result<_, _>>()?;
        let room = self.room.clone();
        Ok(BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Bytes>| {
            let room = room.clone();
            let client = clients.iter().find(|client| client.serves(request.uri())).map(Arc::clone);
            async move {
                let foreign = || TransportError::new(Sent::NotSent, "the session has no connection to this origin");
                let OriginClient { client, proxied, .. } = &*client.ok_or_else(foreign)?;
                transport::send(client, request, *proxied, &room).await
            }
        })))
    }
}

impl Clients {
    fn client(&self, origin: &str) -> Result<Arc<OriginClient>, NetworkError> {
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = in_use.get(origin).and_then(Weak::upgrade) {
            return Ok(client);
        }
        in_use.retain(|_, client| client.strong_count() > 0);
        // A proxy would look up the name itself, without the override.
        let host = origin.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        let is_overridden = host.is_some_and(|host| resolve::find(&self.overrides, &host).is_some());
        let builder = transport::client(self.tls.clone(), &self.overrides).pool_idle_timeout(self.idle_timeout);
        let builder = if self.system_proxy && !is_overridden { builder } else { builder.no_proxy() };
        let client = Arc::new(OriginClient {
            origin: origin.to_owned(),
            client: builder.build().map_err(NetworkError::Client)?,
            proxied: self.names_proxy && !is_overridden,
        });
        in_use.insert(origin.to_owned(), Arc::downgrade(&client));
        Ok(client)
    }
}

impl OriginClient {
    fn serves(&self, uri: &Uri) -> bool {
        let (scheme, authority) = self.origin.split_once("://").unwrap_or_default();
        uri.scheme_str() == Some(scheme) && uri.authority().is_some_and(|known| known.as_str() == authority)
    }
}
