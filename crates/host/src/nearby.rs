//! Servers beside the two sides, such as a collector of traces or Vault. flowswap reaches them over https like every other
//! server, or over http if they are on this machine: most of them have an agent that runs beside what uses it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Uri, uri::Authority};
use tower::{service_fn, util::BoxCloneSyncService};

use crate::{
    clients::Connect,
    origin::is_origin,
    room::Room,
    transport::{self, HttpService, NetworkError},
};

/// Why such a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NearbyError {
    /// It is at no URL that flowswap sends to.
    #[error("its URL is neither an https URL nor an http URL of this machine, such as `http://localhost:4318`")]
    Url,
    /// There is no connection to it.
    #[error("failed to prepare the network")]
    Network(#[from] NetworkError),
}

/// The connection to the server at this URL.
///
/// # Errors
///
/// If the URL is neither https nor of this machine, or the HTTP client cannot be set up.
pub fn connect_nearby(connect: &dyn Connect, url: &Uri) -> Result<HttpService, NearbyError> {
    let authority = url.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(NearbyError::Url)?;
    match (url.scheme_str(), authority.host()) {
        (Some("https"), _) => Ok(connect.connect(&[&format!("https://{authority}")])?),
        (Some("http"), host) if is_this_machine(host) => Ok(connect_here()?),
        _ => Err(NearbyError::Url),
    }
}

/// Whether a text is the origin of such a server: a scheme, a host, and perhaps a port.
pub fn is_nearby_origin(text: &str) -> bool {
    let text = text.strip_suffix('/').unwrap_or(text);
    let here = text.strip_prefix("http://").and_then(|authority| authority.parse::<Authority>().ok());
    is_origin(text) || here.is_some_and(|here| !here.as_str().contains('@') && is_this_machine(here.host()))
}

fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// A service for requests over http to this machine, without a proxy.
fn connect_here() -> Result<HttpService, NetworkError> {
    let client = transport::client(transport::tls(Vec::new())?, &Arc::default());
    let client = client.https_only(false).no_proxy().build().map_err(NetworkError::Client)?;
    let room = Room::default();
    Ok(BoxCloneSyncService::new(service_fn(move |request: http::Request<Bytes>| {
        let (client, room) = (client.clone(), room.clone());
        async move { transport::send(&client, request, false, &room).await }
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn such_a_server_is_at_https_or_on_this_machine() {
        let nowhere: HttpService = BoxCloneSyncService::new(service_fn(async |_| unreachable!("nothing is sent")));
        let connect = |url: &str| connect_nearby(&nowhere, &url.parse().unwrap());
        for url in [
            "https://collector.test/v1/traces",
            "https://collector.test:4318/v1/traces",
            "http://localhost:4318/v1/traces",
            "http://127.0.0.1:4318/v1/traces",
            "http://[::1]:4318/v1/traces",
        ] {
            assert!(connect(url).is_ok(), "{url}");
        }
        for url in [
            "http://collector.test:4318/v1/traces",
            "http://localhost.collector.test/v1/traces",
            "http://127.0.0.2.collector.test/v1/traces",
            "http://me:canary@localhost:4318/v1/traces",
            "https://me:canary@collector.test/v1/traces",
            "ftp://localhost/v1/traces",
            "/v1/traces",
        ] {
            let error = connect(url).unwrap_err();
            assert!(matches!(error, NearbyError::Url) && !error.to_string().contains("canary"), "{url}");
        }
    }

    #[test]
    fn an_origin_has_no_path_and_no_user() {
        for origin in ["https://vault.test", "https://vault.test:8200/", "http://127.0.0.1:8200", "http://[::1]:8200"] {
            assert!(is_nearby_origin(origin), "{origin}");
        }
        for other in
            ["", "vault.test", "http://vault.test", "http://localhost:8200/v1", "http://me@localhost", "http://"]
        {
            assert!(!is_nearby_origin(other), "{other}");
        }
    }
}
