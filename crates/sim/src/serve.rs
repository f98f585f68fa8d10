//! The one TLS port: accepts connections and serves HTTP/1.1 on them until told to stop.

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::service::SimService;

/// Serves until `stop` says so or its sender is gone; then finishes the requests in flight.
pub(crate) async fn run(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    service: SimService,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let stops = stop.clone();
    loop {
        tokio::select! {
            () = wait_for_stop(&mut stop) => break,
            accepted = listener.accept() => {
                // A failed accept is the peer's trouble or a passing lack of descriptors; the port stays open.
                let Ok((stream, _)) = accepted else { tokio::task::yield_now().await; continue };
                connections.spawn(serve_one(stream, acceptor.clone(), service.clone(), stops.clone()));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn serve_one(stream: TcpStream, acceptor: TlsAcceptor, service: SimService, mut stop: watch::Receiver<bool>) {
    // Small answers must not wait for the peer's delayed acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let stream = tokio::select! {
        accepted = acceptor.accept(stream) => match accepted {
            Ok(stream) => stream,
            Err(_) => return,
        },
        () = wait_for_stop(&mut stop) => return,
    };
    let service = service_fn(move |request| service.clone().call_on_wire(request));
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
