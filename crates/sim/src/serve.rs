//! The two ports, TLS for all virtual hosts and plain HTTP for the console: each accepts connections and serves HTTP/1.1
//! on them until told to stop.

use http::{HeaderValue, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::CONSOLE_HOST;
use crate::service::SimService;

/// How one gets in.
#[derive(Clone)]
pub(crate) enum Door {
    /// By TLS, to the virtual host that the request names.
    Tls(TlsAcceptor),
    /// In clear, to the console whatever the request names: a browser knows the port by its address.
    Console,
}

/// Serves until `stop` says so or its sender is gone; then finishes the requests in flight.
pub(crate) async fn run(listener: TcpListener, door: Door, service: SimService, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let stops = stop.clone();
    loop {
        tokio::select! {
            () = wait_for_stop(&mut stop) => break,
            accepted = listener.accept() => {
                // A failed accept is the peer's trouble or a passing lack of descriptors; the port stays open.
                let Ok((stream, _)) = accepted else { tokio::task::yield_now().await; continue };
                connections.spawn(serve_one(stream, door.clone(), service.clone(), stops.clone()));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn serve_one(stream: TcpStream, door: Door, service: SimService, mut stop: watch::Receiver<bool>) {
    // Small answers must not wait for the peer's delayed acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Door::Tls(acceptor) = door else { return serve_http(stream, true, service, stop).await };
    let stream = tokio::select! {
        accepted = acceptor.accept(stream) => match accepted {
            Ok(stream) => stream,
            Err(_) => return,
        },
        () = wait_for_stop(&mut stop) => return,
    };
    serve_http(stream, false, service, stop).await;
}

async fn serve_http<S>(stream: S, to_console: bool, service: SimService, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        if to_console {
            request.headers_mut().insert(header::HOST, HeaderValue::from_static(CONSOLE_HOST));
        }
        service.clone().call_on_wire(request)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // An error is a peer gone or a drop on order: the connection ends either way.
        _ = connection.as_mut() => return,
        () = wait_for_stop(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}

/// Waits for the word to stop, or for the end of whoever could give it.
async fn wait_for_stop(stop: &mut watch::Receiver<bool>) {
    // The guard of the value is dropped at once: held across an await, it would bind the task to one thread.
    drop(stop.wait_for(|stop| *stop).await);
}
