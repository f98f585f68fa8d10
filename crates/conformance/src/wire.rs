//! What lies between the host and the world: counts requests, spoils one of them, and keeps what was answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flowswap_host::{HttpService, Sent, TransportError};
use http::StatusCode;
use tower::{ServiceExt, util::BoxCloneSyncService};

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never arrives, and nobody can tell.
    LostBefore,
    /// It is carried out, and the answer is lost.
    LostAfter,
    /// It is carried out and answered with 500.
    FailsAfter,
    /// It is refused with this status before any work, and so is every later one like it: the host waits such things out.
    Status(u16),
    /// It is never answered.
    Silence,
    /// It is not carried out and answered with 200 and this body.
    Body(&'static str),
}

/// The wire of one case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Requests since the last arming.
    requests: usize,
    armed: Option<(usize, Fault)>,
    /// The request that was hit.
    hit: Option<String>,
}

impl Wire {
    /// Lets the fault hit the request of this number, counted from now on; none only counts.
    pub(crate) fn arm(&self, fault: Option<(usize, Fault)>) {
        *self.lock() = State { armed: fault, ..State::default() };
    }

    /// How many requests there were since the last arming.
    pub(crate) fn requests(&self) -> usize {
        self.lock().requests
    }

    /// The request that the fault hit, if it did.
    pub(crate) fn hit(&self) -> Option<String> {
        self.lock().hit.clone()
    }

    /// The world's service behind this wire.
    pub(crate) fn lead_to(&self, world: HttpService) -> HttpService {
        let wire = self.clone();
        BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Bytes>| {
            let (wire, world) = (wire.clone(), world.clone());
            async move { wire.pass(request, world).await }
        }))
    }

    async fn pass(
        &self,
        request: http::Request<Bytes>,
        world: HttpService,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let lost = || TransportError::new(Sent::MaybeSent, "the connection was closed without an answer");
        match self.take(&request) {
            None => world.oneshot(request).await,
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::LostAfter) => world.oneshot(request).await.and_then(|_| Err(lost())),
            Some(Fault::FailsAfter) => world.oneshot(request).await.map(|_| answer(500, "{}")),
            Some(Fault::Status(status)) => Ok(answer(status, "{}")),
            Some(Fault::Silence) => std::future::pending().await,
            Some(Fault::Body(body)) => Ok(answer(200, body)),
        }
    }

    fn take(&self, request: &http::Request<Bytes>) -> Option<Fault> {
        let mut state = self.lock();
        let number = state.requests;
        state.requests += 1;
        let (at, fault) = state.armed?;
        let name = format!("{} {}", request.method(), request.uri().path());
        let is_like_it = matches!(fault, Fault::Status(_)) && state.hit.as_ref() == Some(&name);
        if at != number && !is_like_it {
            return None;
        }
        state.hit = Some(name);
        Some(fault)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With `retry-after: 0`, so that the host's own patience costs no time.
fn answer(status: u16, body: &'static str) -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("0"));
    response
}
