//! The HTTP effect of a simulated process. It calls the simulator as a service in this process, with latency and
//! faults.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use flowswap_host::{HttpService, Sent, TransportError};
use flowswap_sim::{CIE_API_HOST, CIE_AUTH_HOST, Clock, GATEWAY_HOST, OKTA_SUFFIX, SimService};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tower::{ServiceExt, util::BoxCloneSyncService};

use super::{fate::Fate, schedule::FaultKind, watch::Watch};

/// The maximum latency of a request, each way.
const SLOWEST_WAY: Duration = Duration::from_millis(40);

/// The faults of any request.
const ANY: [FaultKind; 14] = [
    FaultKind::CrashBefore,
    FaultKind::CrashAfter,
    FaultKind::Stop,
    FaultKind::Refused,
    FaultKind::LostBefore,
    FaultKind::LostAfter,
    FaultKind::Failed,
    FaultKind::Unavailable,
    FaultKind::Throttled,
    FaultKind::HangBefore,
    FaultKind::Forbidden,
    FaultKind::Missing,
    FaultKind::Cut,
    FaultKind::Slow,
];

/// Further faults of requests that change something. Some of these are also in [`ANY`], because faults after a change
/// matter most.
const OF_CHANGES: [FaultKind; 7] = [
    FaultKind::FailedAfter,
    FaultKind::UnavailableAfter,
    FaultKind::HangAfter,
    FaultKind::MissingAfter,
    FaultKind::LostAfter,
    FaultKind::CrashAfter,
    FaultKind::Cut,
];

/// The connection to the simulator.
pub(crate) struct Network {
    pub(crate) fate: Arc<Fate>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) service: SimService,
    pub(crate) clock: Clock,
    /// How many seconds the clocks of the orgs and of the gateway are ahead of this machine's.
    pub(crate) ahead: [i64; 2],
}

/// The facts about a request that faults and invariants need.
pub(crate) struct Place {
    pub(crate) tenant: String,
    pub(crate) url: String,
    pub(crate) method: String,
    /// The name of the point.
    at: String,
    pub(crate) changes: bool,
}

impl Network {
    pub(crate) fn into_service(self) -> HttpService {
        let network = Arc::new(self);
        BoxCloneSyncService::new(tower::service_fn(move |request| {
            let network = Arc::clone(&network);
            async move { network.send(request).await }
        }))
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let place = self.place(&request);
        let (tenant, at) = (Some(place.tenant.as_str()), place.at.as_str());
        let way = self.fate.latency(tenant, at, SLOWEST_WAY);
        tokio::time::sleep(way).await;
        self.fate.live().await;
        let mut options = ANY.to_vec();
        if place.changes {
            options.extend(OF_CHANGES);
        }
        let what = self.fate.decide(tenant, at, &options);
        match what {
            Some(FaultKind::CrashBefore) => self.fate.die().await,
            Some(FaultKind::Refused) => return Err(TransportError::new(Sent::NotSent, "connection refused")),
            Some(FaultKind::LostBefore) => return Err(lost()),
            Some(FaultKind::HangBefore) => std::future::pending().await,
            Some(FaultKind::Failed) => return Ok(answer(StatusCode::INTERNAL_SERVER_ERROR)),
            Some(FaultKind::Unavailable) => return Ok(answer(StatusCode::SERVICE_UNAVAILABLE)),
            Some(FaultKind::Throttled) => return Ok(self.throttle(&request)),
            Some(FaultKind::Forbidden) => return Ok(self.forbid(&request)),
            Some(FaultKind::Missing) => return Ok(balancer()),
            Some(FaultKind::Slow) => {
                tokio::time::sleep(Duration::from_secs(30)).await;
                self.fate.live().await;
            }
            _ => {}
        }
        let mut response = self.carry_out(&place, request).await;
        match what {
            Some(FaultKind::CrashAfter) => self.fate.die().await,
            Some(FaultKind::LostAfter) => return Err(lost()),
            Some(FaultKind::HangAfter) => std::future::pending().await,
            Some(FaultKind::FailedAfter) => return Ok(answer(StatusCode::INTERNAL_SERVER_ERROR)),
            Some(FaultKind::UnavailableAfter) => return Ok(answer(StatusCode::SERVICE_UNAVAILABLE)),
            Some(FaultKind::MissingAfter) => return Ok(balancer()),
            Some(FaultKind::Cut) => {
                let half = response.body().len() / 2;
                response.body_mut().truncate(half);
            }
            _ => {}
        }
        tokio::time::sleep(way).await;
        self.fate.live().await;
        Ok(response)
    }

    async fn carry_out(&self, place: &Place, request: Request<Bytes>) -> Response<Bytes> {
        self.watch.arrives(place);
        let response = self.service.clone().oneshot(request.map(Full::new)).await.unwrap();
        let (parts, body) = response.into_parts();
        let response = Response::from_parts(parts, body.collect().await.unwrap().to_bytes());
        self.watch.carried_out(place, &response);
        response
    }

    fn place(&self, request: &Request<Bytes>) -> Place {
        let uri = request.uri();
        let host = uri.host().unwrap();
        let tenant = match (host, host.strip_suffix(OKTA_SUFFIX)) {
            (_, Some(tenant)) => tenant.to_owned(),
            (GATEWAY_HOST, None) => self.watch.tenant_of_directory(uri.path().split('/').nth(3).unwrap()),
            // Cloud Identity Engine's own interface names the tenant in the body.
            (CIE_API_HOST | CIE_AUTH_HOST, None) => {
                let [tenant] = self.watch.tenants.as_slice() else { panic!("whose is {uri}?") };
                tenant.name.clone()
            }
            _ => panic!("{host}"),
        };
        let path = mask(uri.path());
        let only_reads =
            request.method() == Method::GET || path.ends_with("/token") || path.ends_with("/test-connection");
        Place {
            tenant,
            url: uri.to_string(),
            method: request.method().to_string(),
            at: format!("request {} {path}", request.method()),
            changes: !only_reads,
        }
    }

    /// A refusal in the form of the API that was called, as if somebody had temporarily removed a permission.
    fn forbid(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let is_gateway = request.uri().host() == Some(GATEWAY_HOST);
        let (status, body) = match (is_gateway, request.uri().path()) {
            (true, _) => (StatusCode::FORBIDDEN, json!({"error": {"code": "forbidden", "message": "not allowed"}})),
            (false, "/oauth2/v1/token") => {
                (StatusCode::BAD_REQUEST, json!({"error": "invalid_scope", "error_description": "not granted"}))
            }
            (false, _) => {
                let summary = "You do not have permission to perform the requested action";
                (
                    StatusCode::FORBIDDEN,
                    json!({"errorCode": "E0000006", "errorSummary": summary, "errorId": "oae1", "errorCauses": []}),
                )
            }
        };
        let mut response = answer(status);
        *response.body_mut() = body.to_string().into();
        response.headers_mut().insert("x-okta-request-id", "req-forbidden".parse().unwrap());
        response.headers_mut().insert("date", write_date(self.time_of(request)).parse().unwrap());
        response
    }

    /// The current time by the clock of the host that was called.
    fn time_of(&self, request: &Request<Bytes>) -> Timestamp {
        let [orgs, gateway] = self.ahead;
        let is_gateway = request.uri().host() == Some(GATEWAY_HOST);
        self.clock.now() + SignedDuration::from_secs(if is_gateway { gateway } else { orgs })
    }

    /// A 429 as Okta sends it, and as any gateway may.
    fn throttle(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let now = self.time_of(request);
        let mut response = answer(StatusCode::TOO_MANY_REQUESTS);
        let date = write_date(now);
        let reset = (now.as_second() + 7).to_string();
        for (name, value) in [
            ("date", date.as_str()),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", &reset),
            ("retry-after", "7"),
        ] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    }
}

fn write_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The answer of a load balancer without a route.
fn balancer() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"<html><title>404 Not Found</title></html>"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert("content-type", "text/html".parse().unwrap());
    response
}

/// The path with placeholders for ids, which differ from seed to seed.
fn mask(path: &str) -> String {
    let is_id = |part: &&str| part.len() >= 20 && part.chars().any(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
    path.split('/').map(|part| if is_id(&part) { "{id}" } else { part }).collect::<Vec<_>>().join("/")
}

fn lost() -> TransportError {
    TransportError::new(Sent::MaybeSent, "connection reset")
}

fn answer(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"{}"));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    response
}
