//! Sends requests to the org: adds its origin and the administrator's token, follows pages, and turns refusals into errors.

use std::{cell::Cell, collections::BTreeSet, future::poll_fn, task::Poll};

use flowswap_contract::{
    Auth, Error, ErrorKind, Evidence, EvidenceResult, HeaderDialect, HttpAnswer, HttpAsk, Intent, sdk::Host,
};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use serde::de::DeserializeOwned;

use crate::{config::Config, credential::Credential, links, refusal, service_app};

/// The header that identifies a request (Okta API overview). Okta support asks for it.
pub(crate) const REQUEST_ID: &str = "x-okta-request-id";

/// API service integrations (Okta management API).
pub(crate) const SERVICES: &str = "/integrations/api/v1/api-services";

/// Okta's rate limits: every answer has these headers (developer.okta.com, "Monitor rate limits"), and these paths have limits of
/// their own (the tables of "Rate limits" until December 2025). No public source says how those of integrations count.
pub(crate) fn limits() -> HeaderDialect {
    let buckets = [
        "/api/v1/apps/*",
        "/api/v1/apps/**",
        "/api/v1/groups/**",
        "/api/v1/users/**",
        "/api/v1/logs",
        "/api/v1/**",
        "/oauth2/v1/token",
        "/integrations/**",
    ];
    HeaderDialect {
        remaining: "x-rate-limit-remaining".to_owned(),
        reset: "x-rate-limit-reset".to_owned(),
        request_id: REQUEST_ID.to_owned(),
        limit: Some("x-rate-limit-limit".to_owned()),
        buckets: buckets.map(str::to_owned).into(),
    }
}

/// The most requests that are in flight together. Each needs a connection of its own: its handshake costs as much as several
/// requests, and its memory counts for every tenant.
const MOST_AT_ONCE: usize = 2;

/// Twice as many pages as an org with 200,000 users has. Guards against a server that never ends a list.
const MAX_PAGES: usize = 2000;

/// The connection of one call to the org.
pub(crate) struct Api<'a> {
    pub(crate) host: &'a Host,
    config: &'a Config,
    /// The time of the org's clock in its last answer.
    org_time: Cell<Option<Timestamp>>,
    /// How many requests are in flight.
    in_flight: Cell<usize>,
}

impl<'a> Api<'a> {
    pub(crate) fn new(host: &'a Host, config: &'a Config) -> Self {
        Self { host, config, org_time: Cell::new(None), in_flight: Cell::new(0) }
    }

    /// Makes a request, once fewer than [`MOST_AT_ONCE`] are in flight. Those that wait start in the order in which they asked.
    pub(crate) async fn http(&self, ask: HttpAsk) -> Result<HttpAnswer, Error> {
        // Needs no waker: the SDK polls the whole call whenever an answer arrives. One will arrive, because a request waits only
        // while others are in flight.
        poll_fn(|_| if self.in_flight.get() < MOST_AT_ONCE { Poll::Ready(()) } else { Poll::Pending }).await;
        self.in_flight.set(self.in_flight.get() + 1);
        let answer = self.host.http(ask).await;
        self.in_flight.set(self.in_flight.get() - 1);
        answer
    }

    /// Prepares a request as the administrator.
    pub(crate) fn ask(&self, intent: Intent, method: &str, path: &str) -> HttpAsk {
        self.ask_as(self.config.credential.auth(&self.origin(), intent, path), intent, method, path)
    }

    /// Prepares a read as the administrator's service app, with a token that has this scope. `None` if it is an API token.
    pub(crate) fn ask_with_scope(&self, scope: &str, path: &str) -> Option<HttpAsk> {
        let Credential::ServiceApp(app) = &self.config.credential else { return None };
        Some(self.ask_as(app.auth(&self.origin(), scope), Intent::Read, "GET", path))
    }

    /// The client ID of the administrator's service app. `None` if it is an API token.
    pub(crate) fn client_id(&self) -> Option<&str> {
        match &self.config.credential {
            Credential::ServiceApp(app) => Some(&app.client_id),
            Credential::ApiToken(_) => None,
        }
    }

    /// Prepares a request with other credentials.
    pub(crate) fn ask_as(&self, auth: Auth, intent: Intent, method: &str, path: &str) -> HttpAsk {
        HttpAsk { auth: Some(auth), ..self.ask_unauthenticated(intent, method, path) }
    }

    /// Prepares a request that needs no authentication.
    pub(crate) fn ask_unauthenticated(&self, intent: Intent, method: &str, path: &str) -> HttpAsk {
        let mut ask = HttpAsk::new(intent, method, format!("{}{path}", self.origin()));
        ask.headers.insert("accept".to_owned(), "application/json".to_owned());
        ask
    }

    /// Sends a request. Any answer other than a 2xx is an error. `what` completes "okta refused to …".
    pub(crate) async fn send(&self, what: &str, ask: HttpAsk) -> Result<HttpAnswer, Error> {
        let answer = self.http(ask.clone()).await.map_err(|error| service_app::explain(error, self.config))?;
        let date = answer.header("date").and_then(|date| rfc2822::parse(date).ok());
        self.org_time.set(date.map(|date| date.timestamp()).or(self.org_time.get()));
        if answer.is_success() { Ok(answer) } else { Err(refusal::explain(what, &ask, &answer)) }
    }

    /// Reads all pages of a list. Only for lists that end: the System Log's `next` never does.
    pub(crate) async fn list<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<Vec<T>, Error> {
        self.list_by(what, self.ask(Intent::Read, "GET", path)).await
    }

    /// The same with this request for the first page.
    pub(crate) async fn list_by<T: DeserializeOwned>(&self, what: &str, ask: HttpAsk) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        let mut pages = Pages::new(self, what, ask);
        while let Some(page) = pages.next::<T>().await? {
            items.extend(page);
        }
        Ok(items)
    }

    /// The current time by the clock that dates events (RFC 9110 §6.6.1, `Date`). `None` if no answer stated it. Only this time may
    /// prove anything: this machine's clock may be wrong.
    pub(crate) fn org_now(&self) -> Option<Timestamp> {
        self.org_time.get()
    }

    /// The current time by this machine's clock. It may limit a search, but it proves nothing.
    pub(crate) fn host_now(&self) -> Result<Timestamp, Error> {
        let now = self.host.now();
        now.parse().map_err(|e| Error::new(ErrorKind::Protocol, format!("`now` is not an RFC 3339 time: {now}: {e}")))
    }

    fn origin(&self) -> String {
        format!("https://{}", self.config.domain)
    }
}

/// A list that is read page by page, so that only one page is in memory.
pub(crate) struct Pages<'a> {
    api: &'a Api<'a>,
    what: &'a str,
    ask: HttpAsk,
    is_over: bool,
    seen: BTreeSet<String>,
}

impl<'a> Pages<'a> {
    /// Starts with this request.
    pub(crate) fn new(api: &'a Api<'a>, what: &'a str, ask: HttpAsk) -> Self {
        Self { api, what, ask, is_over: false, seen: BTreeSet::new() }
    }

    /// The next page, unless the last one has been read.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<Vec<T>>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let what = self.what;
        let endless = |why: String| {
            Err(Error::new(ErrorKind::Invalid, format!("okta's answer to `{what}` has endless pages: {why}")))
        };
        if !self.seen.insert(self.ask.url.clone()) {
            return endless("a page leads back to an earlier one".to_owned());
        }
        if self.seen.len() > MAX_PAGES {
            return endless(format!("more than {MAX_PAGES}"));
        }
        let answer = self.api.send(what, self.ask.clone()).await?;
        let page = decode(what, &answer)?;
        let next = links::find_next(answer.header_values("link")).map_err(|line| {
            let message = format!("okta's answer to `{what}` has an unreadable `Link` header: {line}");
            Error::new(ErrorKind::Invalid, message)
        })?;
        match next {
            Some(next) if next.strip_prefix(&self.api.origin()).is_some_and(|rest| rest.starts_with('/')) => {
                self.ask.url = next.to_owned();
            }
            Some(next) => {
                let message = format!("okta's answer to `{what}` continues at another origin: {next}");
                return Err(Error::new(ErrorKind::Invalid, message).with_hint("set `domain` to the host of that link"));
            }
            None => self.is_over = true,
        }
        Ok(Some(page))
    }
}

/// Parses the time in the field `name`.
pub(crate) fn read_time(name: &str, text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|_| Error::new(ErrorKind::Protocol, format!("`{name}` is not an RFC 3339 time: {text}")))
}

/// A day before a time by this machine's clock. That is early enough by any other clock that is accurate enough for TLS.
pub(crate) fn a_day_before(at: &str) -> Result<String, Error> {
    let at: Timestamp =
        at.parse().map_err(|e| Error::new(ErrorKind::Protocol, format!("not an RFC 3339 time: {at}: {e}")))?;
    Ok((at - SignedDuration::from_hours(24)).to_string())
}

/// Decodes the body. After a mutation the caller adds the unknown effect.
pub(crate) fn decode<T: DeserializeOwned>(what: &str, answer: &HttpAnswer) -> Result<T, Error> {
    T::deserialize(&answer.body).map_err(|e| {
        let error = Error::new(ErrorKind::Invalid, format!("flowswap cannot read Okta's answer to `{what}`: {e}"));
        match answer.header(REQUEST_ID) {
            Some(id) => error.with_context("request_id", id),
            None => error,
        }
    })
}

/// Evidence from an answer, with the id of its request.
pub(crate) fn evidence_from(
    check: &str,
    result: EvidenceResult,
    detail: impl Into<String>,
    answer: &HttpAnswer,
) -> Evidence {
    let request_id = answer.header(REQUEST_ID).map(str::to_owned);
    Evidence::new(check, result, detail).by_request(request_id)
}
