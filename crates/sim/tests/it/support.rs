//! A client without a socket, and requests that many tests share.

use base64::Engine as _;
use bytes::Bytes;
use flowswap_sim::{Scenario, Sim, SimConfig, SimTenant};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// The scopes that the plain integration is registered with.
pub(crate) const PLAIN: [&str; 5] =
    ["okta.users.read", "okta.users.read.self", "okta.groups.read", "okta.authorizationServers.read", "okta.logs.read"];

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) json: Value,
}

impl Answer {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The URL of the `Link` with a relation.
    pub(crate) fn link(&self, relation: &str) -> Option<String> {
        let ending = format!("; rel=\"{relation}\"");
        let lines = self.headers.get_all(header::LINK).iter().map(|line| line.to_str().unwrap());
        let line = lines.into_iter().find_map(|line| line.strip_suffix(ending.as_str()))?;
        Some(line.trim_matches(['<', '>']).to_owned())
    }
}

/// A request under construction.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    length: bool,
}

/// Starts a request from a line like `GET https://acme.okta.test/api/v1/apps`.
pub(crate) fn ask(line: &str) -> Ask {
    let (method, url) = line.split_once(' ').unwrap();
    Ask { method: method.to_owned(), url: url.to_owned(), headers: Vec::new(), body: Bytes::new(), length: true }
}

impl Ask {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn auth(self, value: &str) -> Self {
        self.header("authorization", value)
    }

    pub(crate) fn ssws(self, tenant: &SimTenant) -> Self {
        self.auth(&format!("SSWS {}", tenant.admin_token))
    }

    pub(crate) fn basic(self, id: &str, secret: &str) -> Self {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
        self.auth(&format!("Basic {pair}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", &body.to_string())
    }

    pub(crate) fn form(self, body: &str) -> Self {
        self.body("application/x-www-form-urlencoded", body)
    }

    pub(crate) fn body(mut self, kind: &str, body: &str) -> Self {
        self.body = Bytes::copy_from_slice(body.as_bytes());
        self.header("content-type", kind)
    }

    pub(crate) fn without_length(mut self) -> Self {
        self.length = false;
        self
    }

    /// Sends the request. `None` if the connection was closed without an answer.
    pub(crate) async fn try_send(self, sim: &Sim) -> Option<Answer> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.url);
        if self.length && self.method != "GET" && self.method != "DELETE" {
            request = request.header("content-length", self.body.len());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = sim.service().oneshot(request.body(Full::new(self.body)).unwrap()).await.ok()?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Some(Answer { status: head.status.as_u16(), headers: head.headers, body, json })
    }

    pub(crate) async fn send(self, sim: &Sim) -> Answer {
        self.try_send(sim).await.expect("an answer")
    }
}

/// A world of twelve tenants in all conditions, which records its traffic.
pub(crate) fn mixed_world() -> Sim {
    Sim::in_process(SimConfig::default().record(true))
}

/// The first tenant in a condition.
pub(crate) fn find(sim: &Sim, scenario: Scenario) -> SimTenant {
    sim.tenants().into_iter().find(|tenant| tenant.scenario == scenario).expect("a tenant in this condition")
}

/// Creates a plain service client. The answer has its id and secret.
pub(crate) async fn create_service(sim: &Sim, tenant: &SimTenant) -> Answer {
    let body = json!({ "type": sim.variant_types().plain, "grantedScopes": PLAIN });
    ask(&format!("POST https://{}/integrations/api/v1/api-services", tenant.domain))
        .ssws(tenant)
        .json(&body)
        .send(sim)
        .await
}

/// The id and the secret in the answer to a creation.
pub(crate) fn credentials(created: &Answer) -> (String, String) {
    let text = |name: &str| created.json[name].as_str().unwrap().to_owned();
    (text("id"), text("clientSecret"))
}

/// Requests a token with `client_secret_basic`.
pub(crate) async fn take_token(sim: &Sim, domain: &str, id: &str, secret: &str, scope: &str) -> Answer {
    let form = format!("grant_type=client_credentials&scope={}", scope.replace(' ', "+"));
    ask(&format!("POST https://{domain}/oauth2/v1/token")).basic(id, secret).form(&form).send(sim).await
}
