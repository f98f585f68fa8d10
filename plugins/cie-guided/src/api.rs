//! Requests to Cloud Identity Engine: tokens of the service account, and answers that say they failed.

use std::cell::{Cell, RefCell};

use flowswap_contract::{
    Auth, Body, Capture, Custody, Error, ErrorKind, Handle, HttpAnswer, HttpAsk, Intent, sdk::Host,
};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use serde_json::{Value, json};

use crate::{config::Config, refusal};

/// How long a token lives where its answer does not say (Prisma SASE documentation, "Access tokens": 15 minutes).
const LIFETIME: SignedDuration = SignedDuration::from_mins(15);
/// So long before its end a token is not used any more: the request has to arrive, and clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_mins(2);

/// An access token of the service account.
pub(crate) struct Token {
    handle: Handle,
    usable_until: Timestamp,
}

/// One call's way to the interface.
pub(crate) struct Api<'a> {
    pub(crate) host: &'a Host,
    pub(crate) config: &'a Config,
    token: &'a RefCell<Option<Token>>,
    /// What the other side's clock said in its last answer.
    their_time: Cell<Option<Timestamp>>,
}

impl<'a> Api<'a> {
    pub(crate) fn new(host: &'a Host, config: &'a Config, token: &'a RefCell<Option<Token>>) -> Self {
        Self { host, config, token, their_time: Cell::new(None) }
    }

    /// A request to one of the directory service's operations.
    pub(crate) fn ask(&self, intent: Intent, method: &str, operation: &str) -> HttpAsk {
        let url = format!("{}/cie/directory-sync/v1/{operation}", self.config.api_url);
        let mut ask = HttpAsk::new(intent, method, url);
        ask.headers.insert("accept".to_owned(), "application/json".to_owned());
        ask
    }

    /// Sends a request and returns the `result` of its answer. `what` completes "the directory service refused to …".
    pub(crate) async fn send(&self, what: &str, ask: HttpAsk) -> Result<Value, Error> {
        let mut answer = self.send_once(&ask).await?;
        if answer.status == 401 {
            // A long call outlives its token, and a token can be revoked. It was refused before any work.
            self.token.take();
            answer = self.send_once(&ask).await?;
        }
        refusal::read_result(what, &ask, answer)
    }

    async fn send_once(&self, ask: &HttpAsk) -> Result<HttpAnswer, Error> {
        let auth = Auth::Token { scheme: "Bearer".to_owned(), token: self.token().await? };
        let answer = self.host.http(HttpAsk { auth: Some(auth), ..ask.clone() }).await?;
        let date = answer.header("date").and_then(|date| rfc2822::parse(date).ok());
        self.their_time.set(date.map(|date| date.timestamp()).or(self.their_time.get()));
        Ok(answer)
    }

    /// A token that lives for some time yet.
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
            handle.ok_or_else(|| Error::new(ErrorKind::Invalid, "the answer to the token request has none"))?;
        // By this machine's clock from one look to the next; what is no sensible number is not believed.
        let said = answer.body["expires_in"].as_i64().filter(|seconds| (0..=86_400).contains(seconds));
        let lifetime = said.map_or(LIFETIME, SignedDuration::from_secs);
        self.token.replace(Some(Token { handle: handle.clone(), usable_until: now + (lifetime - MARGIN) }));
        Ok(handle)
    }

    fn token_ask(&self) -> HttpAsk {
        let url = format!("{}/oauth2/access_token", self.config.auth_url);
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

    /// The present by the clock that the times of syncs are read from (RFC 9110, `Date`). None where no answer said it: another
    /// clock tells nothing of them.
    pub(crate) fn their_now(&self) -> Option<Timestamp> {
        self.their_time.get()
    }

    /// The host's time when the call began.
    pub(crate) fn now(&self) -> Result<Timestamp, Error> {
        read_time("now", self.host.now())
    }
}

/// A time that the engine passed on.
pub(crate) fn read_time(name: &str, text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|e| Error::new(ErrorKind::Protocol, format!("`{name}` is no RFC 3339 time: {text}: {e}")))
}
