//! The two ports: TLS for all virtual hosts, and plain HTTP for the console. Each accepts connections and serves HTTP/1.1
//! until it must stop.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::CONSOLE_HOST;
use crate::message::Reply;
use crate::service::SimService;
use crate::wire::WireBody;

/// How a port serves its connections.
#[derive(Clone)]
pub(crate) enum Port {
    /// With TLS, for the virtual host that the request names.
    Tls(TlsAcceptor),
    /// Without TLS, for the console. A browser uses this address.
    Console(SocketAddr),
}

/// Serves until `stop` is true or its sender is gone. Then finishes the requests in flight.
pub(crate) async fn run(listener: TcpListener, port: Port, service: SimService, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let stops = stop.clone();
    loop {
        tokio::select! {
            () = wait_for_stop(&mut stop) => break,
            accepted = listener.accept() => {
                // Accepting fails if the peer has left or if descriptors are short for a moment. The port stays open.
                let Ok((stream, _)) = accepted else { tokio::task::yield_now().await; continue };
                connections.spawn(serve_one(stream, port.clone(), service.clone(), stops.clone()));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn serve_one(stream: TcpStream, port: Port, service: SimService, mut stop: watch::Receiver<bool>) {
    // Otherwise a small answer waits for the peer's delayed acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let acceptor = match port {
        Port::Tls(acceptor) => acceptor,
        Port::Console(address) => return serve_http(stream, Some(address), service, stop).await,
    };
    let stream = tokio::select! {
        accepted = acceptor.accept(stream) => match accepted {
            Ok(stream) => stream,
            Err(_) => return,
        },
        () = wait_for_stop(&mut stop) => return,
    };
    serve_http(stream, None, service, stop).await;
}

async fn serve_http<S>(stream: S, console: Option<SocketAddr>, service: SimService, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        let is_foreign = console.is_some_and(|address| !is_for_console(request.headers(), address));
        if console.is_some() {
            request.headers_mut().insert(header::HOST, HeaderValue::from_static(CONSOLE_HOST));
        }
        let service = service.clone();
        async move {
            if is_foreign {
                let message = "only the pages of the console may use it, at the address that the simulator shows";
                let body = json!({ "error": { "code": "foreign_page", "message": message } });
                return Ok(Reply::json(StatusCode::FORBIDDEN, &body).into_response(WireBody::whole));
            }
            service.call_on_wire(request).await
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // An error means that the peer has left, or that a fault closes the connection. It ends either way.
        _ = connection.as_mut() => return,
        () = wait_for_stop(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}

/// Whether the request names the console's own address, and comes from no other page. A browser could send it for a page of
/// somebody else: under a name that was bound to this address, or from a form of that page. It states the origin of every POST
/// (Fetch standard, "Origin header").
fn is_for_console(headers: &HeaderMap, address: SocketAddr) -> bool {
    let own = [address.to_string(), format!("localhost:{}", address.port())];
    let is_own = |value: &HeaderValue, scheme: &str| {
        value
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix(scheme))
            .is_some_and(|text| own.iter().any(|own| own == text))
    };
    let host = headers.get(header::HOST).is_some_and(|host| is_own(host, ""));
    let origin = headers.get(header::ORIGIN).is_none_or(|origin| is_own(origin, "http://"));
    host && origin
}

/// Waits until `stop` is true or its sender is gone.
async fn wait_for_stop(stop: &mut watch::Receiver<bool>) {
    // Drop the guard of the value at once. Across an await it would make the future not `Send`.
    drop(stop.wait_for(|stop| *stop).await);
}
