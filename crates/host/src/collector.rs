//! A collector of traces. It takes them over https like every other server, or over http if it is on this machine: most
//! collectors run as an agent beside what they observe.

use std::sync::Arc;

use bytes::Bytes;
use http::Uri;
use tower::{service_fn, util::BoxCloneSyncService};

use crate::{
    clients::Connect,
    room::Room,
    transport::{self, HttpService, NetworkError},
};

/// Why a collector cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// It is at no URL that flowswap sends to.
    #[error("its URL is neither an https URL nor an http URL of this machine, such as `http://localhost:4318`")]
    Url,
    /// There is no connection to it.
    #[error("failed to prepare the network")]
    Network(#[from] NetworkError),
}

/// The connection to a collector at this URL.
///
/// # Errors
///
/// If the URL is neither https nor of this machine, or the HTTP client cannot be set up.
pub fn connect_to_collector(connect: &dyn Connect, url: &Uri) -> Result<HttpService, CollectorError> {
    let authority = url.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(CollectorError::Url)?;
    match (url.scheme_str(), authority.host()) {
        (Some("https"), _) => Ok(connect.connect(&[&format!("https://{authority}")])?),
        (Some("http"), "localhost" | "127.0.0.1" | "[::1]") => Ok(connect_here()?),
        _ => Err(CollectorError::Url),
    }
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
    fn a_collector_is_at_https_or_on_this_machine() {
        let nowhere: HttpService = BoxCloneSyncService::new(service_fn(async |_| unreachable!("nothing is sent")));
        let connect = |url: &str| connect_to_collector(&nowhere, &url.parse().unwrap());
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
            assert!(matches!(error, CollectorError::Url) && !error.to_string().contains("canary"), "{url}");
        }
    }
}
