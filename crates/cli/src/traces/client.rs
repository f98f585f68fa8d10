//! What the exporter sends through: the network of flowswap, with its proxy and its certificates.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use flowswap_host::{Connect, HttpService, TransportError, chain, connect_nearby};
use http::{Request, Response, Uri};
use opentelemetry_http::{HttpClient, HttpError};
use serde_json::Value;
use tokio::{runtime::Handle, time::timeout};
use tower::ServiceExt;

/// How long the collector may take to answer.
const WITHIN: Duration = Duration::from_secs(10);

/// The first reason why a trace is incomplete.
#[derive(Debug, Clone, Default)]
pub(super) struct FirstFailure(Arc<Mutex<Option<String>>>);

/// Sends from the thread of the exporter, which has no runtime.
pub(super) struct Client {
    connect: Arc<dyn Connect>,
    service: OnceLock<HttpService>,
    runtime: Handle,
    failure: FirstFailure,
}

impl FirstFailure {
    pub(super) fn note(&self, failure: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| failure.to_owned());
    }

    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Client {
    /// Sends in the runtime of the caller.
    pub(super) fn new(connect: Arc<dyn Connect>, failure: FirstFailure) -> Self {
        Self { connect, service: OnceLock::new(), runtime: Handle::current(), failure }
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let service = self.connect(request.uri())?;
        let sending = self.runtime.spawn(async { timeout(WITHIN, service.oneshot(request)).await });
        let answer = sending.await.map_err(|_| "the command ended before the collector answered")?;
        let answer = answer.map_err(|_| format!("the collector did not answer within {} s", WITHIN.as_secs()))?;
        let answer = answer.map_err(|error: TransportError| format!("the collector: {}", chain(&error)))?;
        if !answer.status().is_success() {
            return Err(format!("the collector answered {}", answer.status()));
        }
        // A collector that takes only a part answers 200 (OTLP, "Partial Success").
        let rejected = serde_json::from_slice::<Value>(answer.body()).ok().and_then(|body| count_rejected(&body));
        rejected.into_iter().for_each(|spans| self.failure.note(&format!("the collector rejected {spans} spans")));
        Ok(answer)
    }

    fn connect(&self, url: &Uri) -> Result<HttpService, String> {
        if let Some(service) = self.service.get() {
            return Ok(service.clone());
        }
        let service =
            connect_nearby(&*self.connect, url).map_err(|error| format!("the collector: {}", chain(&error)))?;
        Ok(self.service.get_or_init(|| service).clone())
    }
}

/// A number of 64 bits may be a text (Protocol Buffers, "JSON Mapping").
fn count_rejected(body: &Value) -> Option<u64> {
    let spans = &body["partialSuccess"]["rejectedSpans"];
    spans.as_u64().or_else(|| spans.as_str()?.parse().ok()).filter(|spans| *spans > 0)
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.send(request).await.map_err(|problem| {
            self.failure.note(&problem);
            problem.into()
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
