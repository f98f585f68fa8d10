//! Handles a request: reads all of it, routes it by host, applies a fault, carries it out, and records it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Body;
use jiff::SignedDuration;
use serde_json::json;

use crate::clock::{shift, to_http_date};
use crate::config::{ADMIN_HOST, CIE_API_HOST, CIE_AUTH_HOST, CONSOLE_HOST, GATEWAY_HOST};
use crate::faults::FaultKind;
use crate::gateway::schedule;
use crate::lock::lock;
use crate::message::{Reply, Request};
use crate::okta::refusal::Refusal;
use crate::okta::{self, limits};
use crate::state::State;
use crate::traffic::Exchange;
use crate::wire::{ConnectionClosed, WireBody};
use crate::{admin, cie, console, falsify, gateway, script};

/// The maximum size of a request body. No request here needs more.
const MAX_BODY: usize = 1 << 20;

/// The whole simulator as a `tower` service, for use without a socket. An in-process request names its host in the
/// `Host` header or in its URI. It needs a `Content-Length` where a client on the wire needs one.
#[derive(Clone, Debug)]
pub struct SimService {
    state: Arc<State>,
}

impl SimService {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state }
    }
}

impl<B> tower::Service<http::Request<B>> for SimService
where
    B: Body<Data: Send> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = http::Response<Full<Bytes>>;
    type Error = ConnectionClosed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectionClosed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectionClosed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            match service.respond(request).await? {
                Outcome::Whole(reply) => Ok(reply.into_response(Full::new)),
                // Without a socket, nobody can receive half of an answer.
                Outcome::Cut(_, wait) => {
                    tokio::time::sleep(wait).await;
                    Err(ConnectionClosed)
                }
            }
        })
    }
}

impl SimService {
    /// Answers a request that came over a socket, where an answer can also end in the middle.
    pub(crate) async fn call_on_wire<B>(
        self,
        request: http::Request<B>,
    ) -> Result<http::Response<WireBody>, ConnectionClosed>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.respond(request).await? {
            Outcome::Whole(reply) => Ok(reply.into_response(WireBody::whole)),
            Outcome::Cut(reply, wait) if reply.body.is_empty() => {
                tokio::time::sleep(wait).await;
                Err(ConnectionClosed)
            }
            Outcome::Cut(reply, wait) => Ok(reply.into_response(|body| WireBody::cut(body, wait))),
        }
    }

    async fn respond<B>(&self, request: http::Request<B>) -> Result<Outcome, ConnectionClosed>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let request = read_request(request).await?;
        let began = Instant::now();
        let outcome = answer(&self.state, &request).await;
        if self.state.config.record {
            let reply = match &outcome {
                Some(Outcome::Whole(reply)) => Some(reply),
                Some(Outcome::Cut(..)) | None => None,
            };
            lock(&self.state.traffic).push(Exchange::new(&request, reply, began));
        }
        outcome.ok_or(ConnectionClosed)
    }
}

/// The result of a request whose connection stays open.
enum Outcome {
    Whole(Reply),
    /// The answer ends in the middle of its body. After a wait, the connection ends.
    Cut(Reply, Duration),
}

async fn read_request<B>(request: http::Request<B>) -> Result<Request, ConnectionClosed>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| ConnectionClosed)?.to_bytes();
    let from_header = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = head.uri.authority().map(|authority| authority.as_str()).or(from_header).unwrap_or_default();
    Ok(Request {
        authority: authority.to_owned(),
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    })
}

/// The answer, or `None` to close the connection without one.
async fn answer(state: &State, request: &Request) -> Option<Outcome> {
    let host = request.host();
    if host == ADMIN_HOST {
        return Some(Outcome::Whole(stamp(state, &host, admin::handle(state, request))));
    }
    if let Some(mut org) = state.org(&host) {
        okta::count(&mut org, request);
    }
    if !state.config.latency.is_zero() {
        tokio::time::sleep(state.config.latency).await;
    }
    let fault = lock(&state.faults).take(&host, request.method.as_str(), &request.path, &request.query);
    let reply = match fault {
        Some(FaultKind::DropBefore) => return None,
        Some(FaultKind::DropAfterCommit) => {
            carry_out(state, &host, request);
            return None;
        }
        Some(FaultKind::Script { status, headers, body, after_commit, milliseconds }) => {
            if after_commit {
                carry_out(state, &host, request);
            }
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            let stamped = stamp(state, &host, script::reply(status, body));
            return Some(Outcome::Whole(script::set_headers(stamped, &headers)));
        }
        Some(FaultKind::Edit { pointer, value }) => {
            script::edit(carry_out(state, &host, request), &pointer, value.as_ref())
        }
        Some(FaultKind::ErrorInResult) => cie::fail_in_result(),
        Some(FaultKind::TooManyRequests { reset_seconds }) => refuse_for_rate(state, request, reset_seconds),
        Some(FaultKind::Status { status }) => refuse_with(request, status),
        Some(FaultKind::StatusAfterCommit { status }) => {
            carry_out(state, &host, request);
            refuse_with(request, status)
        }
        Some(FaultKind::Delay { milliseconds }) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            carry_out(state, &host, request)
        }
        Some(FaultKind::DelayAfterCommit { milliseconds }) => {
            let reply = carry_out(state, &host, request);
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            reply
        }
        Some(FaultKind::CutBody { milliseconds }) => {
            let reply = stamp(state, &host, carry_out(state, &host, request));
            return Some(Outcome::Cut(reply, Duration::from_millis(milliseconds)));
        }
        None => carry_out(state, &host, request),
    };
    Some(Outcome::Whole(stamp(state, &host, reply)))
}

fn carry_out(state: &State, host: &str, request: &Request) -> Reply {
    schedule::catch_up(state);
    falsify::count_skewed_clock(state, host);
    let reply = falsify::replace_answer(state, host, request).unwrap_or_else(|| dispatch(state, host, request));
    falsify::tamper(state, host, request, reply)
}

fn dispatch(state: &State, host: &str, request: &Request) -> Reply {
    match host {
        GATEWAY_HOST => return gateway::handle(state, request),
        CIE_AUTH_HOST => return cie::token::handle(state, request),
        CIE_API_HOST => return cie::handle(state, request),
        CONSOLE_HOST => return console::handle(state, request),
        _ => {}
    }
    let now = state.clock.now();
    state.org(host).map(|mut org| okta::handle(&mut org, request, now)).unwrap_or_else(|| {
        let message = format!("no simulated host is named '{host}'");
        let body = json!({ "error": { "code": "unknown_host", "message": message } });
        Reply::json(StatusCode::MISDIRECTED_REQUEST, &body)
    })
}

/// Whether the host belongs to Cloud Identity Engine's own interface.
fn is_cie(host: &str) -> bool {
    [CIE_API_HOST, CIE_AUTH_HOST].contains(&host)
}

/// Okta's 429: its body, and headers that say that no requests remain and when the limit resets.
fn refuse_for_rate(state: &State, request: &Request, reset_seconds: u32) -> Reply {
    if is_cie(&request.host()) {
        return cie::refuse_for_rate(reset_seconds);
    }
    let now = shift(state.clock.now(), state.skew_of(&request.host()));
    let reset = now + SignedDuration::from_secs(i64::from(reset_seconds));
    let reply = Refusal::too_many_requests().into_reply("oaeRateLimit", &request.base(), &request.path);
    let reply = limits::mark(reply, 100, 0, reset.as_second());
    reply.with_header(http::HeaderName::from_static("x-okta-request-id"), "reqRateLimit")
}

/// A failure of the server. The body of an org has Okta's own code for it (Okta error codes).
fn refuse_with(request: &Request, status: u16) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if is_cie(&request.host()) {
        return cie::refuse(status);
    }
    let (code, summary) = match status {
        StatusCode::SERVICE_UNAVAILABLE => ("E0000010", "Service is in read only mode."),
        StatusCode::FORBIDDEN => ("E0000006", "You do not have permission to perform the requested action"),
        _ => ("E0000009", "Internal Server Error"),
    };
    let reply = Refusal::new(status, code, summary).into_reply("oaeFault", &request.base(), &request.path);
    reply.with_header(http::HeaderName::from_static("x-okta-request-id"), "reqFault")
}

fn stamp(state: &State, host: &str, reply: Reply) -> Reply {
    if falsify::shows_time(state, host) {
        reply.with_header(header::DATE, &to_http_date(shift(state.clock.now(), state.skew_of(host))))
    } else {
        reply
    }
}
