//! Requests to the org: its origin, the administrator's token, pages, and refusals as errors.

use std::{cell::Cell, collections::BTreeSet};

use flowswap_contract::{Auth, Error, ErrorKind, Evidence, EvidenceResult, HttpAnswer, HttpAsk, Intent, sdk::Host};
use jiff::{Timestamp, fmt::rfc2822};
use serde::de::DeserializeOwned;

use crate::{config::Config, refusal};

/// The header that names a request (Okta API overview); support asks for it.
pub(crate) const REQUEST_ID: &str = "x-okta-request-id";

/// API service integrations (Okta management API).
pub(crate) const SERVICES: &str = "/integrations/api/v1/api-services";

/// Far more pages than any org has; stops a server that never stops.
const MAX_PAGES: usize = 2000;

/// One call's way to the org.
pub(crate) struct Api<'a> {
    pub(crate) host: &'a Host,
    config: &'a Config,
    /// What the org's clock said in its last answer.
    their_time: Cell<Option<Timestamp>>,
}

impl<'a> Api<'a> {
    pub(crate) fn new(host: &'a Host, config: &'a Config) -> Self {
        Self { host, config, their_time: Cell::new(None) }
    }

    /// A request as the administrator.
    pub(crate) fn ask(&self, intent: Intent, method: &str, path: &str) -> HttpAsk {
        let token = self.config.credential.clone();
        self.ask_as(Auth::Token { scheme: "SSWS".to_owned(), token }, intent, method, path)
    }

    /// A request as somebody else.
    pub(crate) fn ask_as(&self, auth: Auth, intent: Intent, method: &str, path: &str) -> HttpAsk {
        HttpAsk { auth: Some(auth), ..self.ask_as_nobody(intent, method, path) }
    }

    /// A request that needs no authentication.
    pub(crate) fn ask_as_nobody(&self, intent: Intent, method: &str, path: &str) -> HttpAsk {
        let mut ask = HttpAsk::new(intent, method, format!("{}{path}", self.origin()));
        ask.headers.insert("accept".to_owned(), "application/json".to_owned());
        ask
    }

    /// Sends a request; whatever is no 2xx is an error. `what` completes "okta refused to …".
    pub(crate) async fn send(&self, what: &str, ask: HttpAsk) -> Result<HttpAnswer, Error> {
        let answer = self.host.http(ask.clone()).await?;
        let date = answer.header("date").and_then(|date| rfc2822::parse(date).ok());
        self.their_time.set(date.map(|date| date.timestamp()).or(self.their_time.get()));
        if answer.is_success() { Ok(answer) } else { Err(refusal::explain(what, &ask, &answer)) }
    }

    /// Reads one object.
    pub(crate) async fn read<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<T, Error> {
        decode(what, &self.send(what, self.ask(Intent::Read, "GET", path)).await?)
    }

    /// Reads one object that may be gone.
    pub(crate) async fn find<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<Option<T>, Error> {
        unless_gone(self.read(what, path).await)
    }

    /// Reads a list, all pages. Only for lists that end: the System Log's `next` never does.
    pub(crate) async fn list<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        let mut pages = Pages::new(self, what, self.ask(Intent::Read, "GET", path));
        while let Some(page) = pages.next::<T>().await? {
            items.extend(page);
        }
        Ok(items)
    }

    /// The present by the clock that events are dated by (RFC 9110, `Date`); the host's where no answer said it.
    pub(crate) fn their_now(&self) -> Result<Timestamp, Error> {
        let read = |now: &str| {
            now.parse().map_err(|e| Error::new(ErrorKind::Protocol, format!("`now` is no RFC 3339 time: {now}: {e}")))
        };
        self.their_time.get().map_or_else(|| read(self.host.now()), Ok)
    }

    fn origin(&self) -> String {
        format!("https://{}", self.config.domain)
    }
}

/// A list that is read page by page, so that no more than one of them is in memory.
pub(crate) struct Pages<'a> {
    api: &'a Api<'a>,
    what: &'a str,
    ask: HttpAsk,
    is_over: bool,
    seen: BTreeSet<String>,
}

impl<'a> Pages<'a> {
    /// Begins with this request.
    pub(crate) fn new(api: &'a Api<'a>, what: &'a str, ask: HttpAsk) -> Self {
        Self { api, what, ask, is_over: false, seen: BTreeSet::new() }
    }

    /// The next page, unless the last one has been read.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<Vec<T>>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let what = self.what;
        if !self.seen.insert(self.ask.url.clone()) || self.seen.len() > MAX_PAGES {
            return Err(Error::new(ErrorKind::Invalid, format!("okta's answer to `{what}` has pages without end")));
        }
        let answer = self.api.send(what, self.ask.clone()).await?;
        let page = decode(what, &answer)?;
        match find_next(&answer) {
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

/// The body as the type that it should be. After a mutation the caller adds the unknown effect.
pub(crate) fn decode<T: DeserializeOwned>(what: &str, answer: &HttpAnswer) -> Result<T, Error> {
    T::deserialize(&answer.body).map_err(|e| {
        let error = Error::new(ErrorKind::Invalid, format!("okta's answer to `{what}` does not decode: {e}"));
        match answer.header(REQUEST_ID) {
            Some(id) => error.with_context("request_id", id),
            None => error,
        }
    })
}

/// Nothing, where the object is gone.
pub(crate) fn unless_gone<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// One line of evidence, with the request's id.
pub(crate) fn see(check: &str, result: EvidenceResult, detail: impl Into<String>, answer: &HttpAnswer) -> Evidence {
    let request_id = answer.header(REQUEST_ID).map(str::to_owned);
    Evidence::new(check, result, detail).by_request(request_id)
}

/// One line of evidence that rests on no single request.
pub(crate) fn note(check: &str, result: EvidenceResult, detail: impl Into<String>) -> Evidence {
    Evidence::new(check, result, detail)
}

/// The target of the `rel="next"` link (RFC 8288), in however many header lines.
fn find_next(answer: &HttpAnswer) -> Option<&str> {
    answer.header_values("link").find_map(|line| {
        let mut rest = line;
        while let Some((target, after)) = rest.split_once('<').and_then(|(_, r)| r.split_once('>')) {
            let (parameters, others) = after.split_once('<').map_or((after, ""), |(p, _)| (p, &after[p.len()..]));
            let is_next = |p: &str| matches!(p.trim().trim_end_matches(',').trim_end(), "rel=\"next\"" | "rel=next");
            if parameters.split(';').any(is_next) {
                return Some(target);
            }
            rest = others;
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn next_links_are_found() {
        let table: [(&[&str], Option<&str>); 8] = [
            (
                &[r#"<https://x/a?limit=2>; rel="self""#, r#"<https://x/a?after=q&limit=2>; rel="next""#],
                Some("https://x/a?after=q&limit=2"),
            ),
            (&[r#"<https://x/a>; rel="self", <https://x/b?q=1,2>; rel="next""#], Some("https://x/b?q=1,2")),
            (&[r#"<https://x/b>; rel="next", <https://x/a>; rel="self""#], Some("https://x/b")),
            (&[r#"<https://x/b>; title="t"; rel=next"#], Some("https://x/b")),
            (&[r#"<https://x/a>; rel="self""#], None),
            (&[r#"<https://x/next>; rel="prev""#], None),
            (&["nonsense"], None),
            (&[], None),
        ];
        for (lines, expected) in table {
            let headers = lines.iter().map(|line| ("link".to_owned(), (*line).to_owned())).collect();
            let answer = HttpAnswer { status: 200, headers, body: Value::Null, attempts: 1 };
            assert_eq!(find_next(&answer), expected, "{lines:?}");
        }
    }
}
