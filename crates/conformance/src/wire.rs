//! The connection between the host and the world. It counts requests and can inject a fault into one of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flowswap_host::{HttpService, Sent, TransportError};
use http::StatusCode;
use tower::{ServiceExt, util::BoxCloneSyncService};

/// A fault that is injected into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The request never arrives, and the host cannot know that.
    LostBefore,
    /// The world carries out the request, and the answer is lost.
    LostAfter,
    /// The world carries out the request, and the answer is a 500.
    FailsAfter,
    /// The request is refused with this status and not carried out. So is every later request like it, because the host
    /// repeats requests with such answers.
    Status(u16),
    /// The request is never answered.
    Silence,
    /// The request is not carried out, and the answer is a 200 with this body.
    Body(&'static str),
}

/// The wire of one case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The number of requests since the last call of `arm`.
    requests: usize,
    armed: Option<(usize, Fault)>,
    /// The request that the fault hit.
    hit: Option<String>,
}

impl Wire {
    /// Restarts the count, and arms a fault for the request with this number, counted from 0. `None` arms no fault.
    pub(crate) fn arm(&self, fault: Option<(usize, Fault)>) {
        *self.lock() = State { armed: fault, ..State::default() };
    }

    /// How many requests there were since the last call of [`arm`](Self::arm).
    pub(crate) fn requests(&self) -> usize {
        self.lock().requests
    }

    /// The request that the fault hit, if any.
    pub(crate) fn hit(&self) -> Option<String> {
        self.lock().hit.clone()
    }

    /// Wraps the world's service with this wire.
    pub(crate) fn connect(&self, world: HttpService) -> HttpService {
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
        match self.fault_for(&request) {
            None => world.oneshot(request).await,
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::LostAfter) => world.oneshot(request).await.and_then(|_| Err(lost())),
            Some(Fault::FailsAfter) => world.oneshot(request).await.map(|_| answer(500, "{}")),
            Some(Fault::Status(status)) => Ok(answer(status, "{}")),
            Some(Fault::Silence) => std::future::pending().await,
            Some(Fault::Body(body)) => Ok(answer(200, body)),
        }
    }

    fn fault_for(&self, request: &http::Request<Bytes>) -> Option<Fault> {
        let mut state = self.lock();
        let number = state.requests;
        state.requests += 1;
        let (at, fault) = state.armed?;
        let name = format!("{} {}", request.method(), request.uri().path());
        let is_repetition = matches!(fault, Fault::Status(_)) && state.hit.as_ref() == Some(&name);
        if at != number && !is_repetition {
            return None;
        }
        state.hit = Some(name);
        Some(fault)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer with `retry-after: 0`, so that the host repeats the request without waiting.
fn answer(status: u16, body: &'static str) -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("0"));
    response
}
