//! The two ports: TLS for all virtual hosts, and plain HTTP for the console. Each accepts connections and serves HTTP/1.1
//! until it must stop.

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

/// How a port serves its connections.
#[derive(Clone)]
pub(crate) enum Port {
    /// With TLS, for the virtual host that the request names.
    Tls(TlsAcceptor),
    /// Without TLS, for the console, whatever host the request names: a browser uses the address of the port.
    Console,
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
    let Port::Tls(acceptor) = port else { return serve_http(stream, true, service, stop).await };
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
        // An error means that the peer has left, or that a fault closes the connection. It ends either way.
        _ = connection.as_mut() => return,
        () = wait_for_stop(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}

/// Waits until `stop` is true or its sender is gone.
async fn wait_for_stop(stop: &mut watch::Receiver<bool>) {
    // Drop the guard of the value at once. Across an await it would make the future not `Send`.
    drop(stop.wait_for(|stop| *stop).await);
}
