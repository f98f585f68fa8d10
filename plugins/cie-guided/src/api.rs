//! Sends requests to Cloud Identity Engine with tokens of the service account, and turns failures into errors.

use std::cell::{Cell, RefCell};

use flowswap_contract::{
    Auth, Body, Capture, Custody, Error, ErrorKind, Handle, HttpAnswer, HttpAsk, Intent, sdk::Host,
};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use serde_json::{Value, json};

use crate::{config::Config, refusal};

/// How long a token lives if the answer does not say (Prisma SASE documentation, "Access tokens": 15 minutes).
const LIFETIME: SignedDuration = SignedDuration::from_mins(15);
/// How long before its end a token is no longer used: the request takes time to arrive, and clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_mins(2);

/// The path of the token endpoint (Prisma SASE documentation, "Access tokens").
pub(crate) const TOKEN: &str = "/oauth2/access_token";

/// An access token of the service account.
pub(crate) struct Token {
    handle: Handle,
    usable_until: Timestamp,
}

/// The connection of one call to the interface.
pub(crate) struct Api<'a> {
    pub(crate) host: &'a Host,
    pub(crate) config: &'a Config,
    token: &'a RefCell<Option<Token>>,
    /// The time of the directory service's clock in its last answer.
    service_time: Cell<Option<Timestamp>>,
}

impl<'a> Api<'a> {
    pub(crate) fn new(host: &'a Host, config: &'a Config, token: &'a RefCell<Option<Token>>) -> Self {
        Self { host, config, token, service_time: Cell::new(None) }
    }

    /// Prepares a request to one of the directory service's operations.
    pub(crate) fn ask(&self, intent: Intent, method: &str, operation: &str) -> HttpAsk {
        let mut ask = HttpAsk::new(intent, method, self.config.url_of(operation));
        ask.headers.insert("accept".to_owned(), "application/json".to_owned());
        ask
    }

    /// Sends a request and returns the `result` of its answer. `what` completes "the directory service refused to …".
    pub(crate) async fn send(&self, what: &str, ask: HttpAsk) -> Result<Value, Error> {
        let mut answer = self.send_once(&ask).await?;
        if answer.status == 401 {
            // The token may expire during a long call, or be revoked. The service refused it before doing any work.
            self.token.take();
            answer = self.send_once(&ask).await?;
        }
        refusal::read_result(what, &ask, answer)
    }

    async fn send_once(&self, ask: &HttpAsk) -> Result<HttpAnswer, Error> {
        let auth = Auth::Token { scheme: "Bearer".to_owned(), token: self.token().await? };
        let answer = self.host.http(HttpAsk { auth: Some(auth), ..ask.clone() }).await?;
        let date = answer.header("date").and_then(|date| rfc2822::parse(date).ok());
        self.service_time.set(date.map(|date| date.timestamp()).or(self.service_time.get()));
        Ok(answer)
    }

    /// Returns a token that is still valid for a while, and requests a new one if necessary.
    pub(crate) async fn token(&self) -> Result<Handle, Error> {
        let now = self.now()?;
        if let Some(token) = self.token.borrow().as_ref().filter(|token| now < token.usable_until) {
            return Ok(token.handle.clone());
        }
        let ask = self.token_ask();
        let answer = self.host.http(ask.clone()).await?;
        if !answer.is_success() {
            return Err(refusal::explain_token(&self.config.tsg_id, &ask, &answer));
        }
        let handle = answer.body.pointer("/access_token").and_then(Handle::from_value);
        let handle =
            handle.ok_or_else(|| Error::new(ErrorKind::Invalid, "the answer to the token request has no token"))?;
        // Measured by this machine's clock. An implausible lifetime is ignored.
        let said = answer.body["expires_in"].as_i64().filter(|seconds| (0..=86_400).contains(seconds));
        let lifetime = said.map_or(LIFETIME, SignedDuration::from_secs);
        self.token.replace(Some(Token { handle: handle.clone(), usable_until: now + (lifetime - MARGIN) }));
        Ok(handle)
    }

    fn token_ask(&self) -> HttpAsk {
        let url = format!("{}{TOKEN}", self.config.auth_url);
        let mut ask = HttpAsk::new(Intent::Authenticate, "POST", url);
        ask.headers.insert("accept".to_owned(), "application/json".to_owned());
        ask.auth =
            Some(Auth::Basic { username: self.config.client_id.clone(), password: self.config.client_secret.clone() });
        ask.body = Some(Body::Form(vec![
            ("grant_type".to_owned(), json!("client_credentials")),
            ("scope".to_owned(), json!(format!("tsg_id:{}", self.config.tsg_id))),
        ]));
        let name = "cie_access_token".to_owned();
        ask.capture = vec![Capture { pointer: "/access_token".to_owned(), name, custody: Custody::Session }];
        ask
    }

    /// The current time by the clock that dates the syncs (RFC 9110, `Date`). `None` if no answer stated it: no other clock may be
    /// compared with them.
    pub(crate) fn service_now(&self) -> Option<Timestamp> {
        self.service_time.get()
    }

    /// The host's time at the start of the call.
    pub(crate) fn now(&self) -> Result<Timestamp, Error> {
        read_time("now", self.host.now())
    }
}

/// Parses a time that the engine passed on.
pub(crate) fn read_time(name: &str, text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|e| Error::new(ErrorKind::Protocol, format!("`{name}` is not an RFC 3339 time: {text}: {e}")))
}
