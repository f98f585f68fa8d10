//! Sends requests to the interface: fills in templates, adds the token, and turns refusals into errors.

use flowswap_contract::{
    Auth, Body, Error, ErrorKind, Evidence, EvidenceResult, HttpAnswer, HttpAsk, Intent, sdk::Host, sdk::encode,
};
use jiff::{Timestamp, fmt::rfc2822};
use serde_json::Value;

use crate::{
    config::{Config, Gone, Operation},
    template::Bindings,
};

/// The connection of one call to the interface.
pub(crate) struct Api<'a> {
    pub(crate) host: &'a Host,
    pub(crate) config: &'a Config,
}

impl Operation {
    pub(crate) fn url(&self, config: &Config, bindings: &Bindings) -> Result<String, Error> {
        Ok(format!("{}{}", config.base_url, self.path.fill(bindings, encode)?))
    }
}

impl Api<'_> {
    /// Runs an operation. Any answer other than a 2xx is an error. `what` completes "the directory refused to …".
    pub(crate) async fn send(
        &self,
        what: &str,
        intent: Intent,
        operation: &Operation,
        bindings: &Bindings,
    ) -> Result<HttpAnswer, Error> {
        self.send_ask(what, self.prepare(intent, operation, bindings)?).await
    }

    pub(crate) fn prepare(&self, intent: Intent, operation: &Operation, bindings: &Bindings) -> Result<HttpAsk, Error> {
        let mut ask = HttpAsk::new(intent, &operation.method, operation.url(self.config, bindings)?);
        let scheme = self.config.auth_scheme.clone();
        ask.auth = Some(Auth::Token { scheme, token: self.config.credential.clone() });
        ask.headers.insert("accept".to_owned(), "application/json".to_owned());
        for (name, template) in &operation.headers {
            ask.headers.insert(name.clone(), template.fill(bindings, str::to_owned)?);
        }
        ask.body = operation.body.as_ref().map(|body| body.fill(bindings)).transpose()?.map(Body::Json);
        Ok(ask)
    }

    pub(crate) async fn send_ask(&self, what: &str, ask: HttpAsk) -> Result<HttpAnswer, Error> {
        let answer = self.host.http(ask.clone()).await?;
        if answer.is_success() { Ok(answer) } else { Err(self.explain(what, &ask, &answer)) }
    }

    /// The time of this answer by the interface's own clock (RFC 9110, `Date`), to the second.
    pub(crate) fn date_of(answer: &HttpAnswer) -> Option<Timestamp> {
        let date = rfc2822::parse(answer.header("date")?).ok()?;
        Some(date.timestamp())
    }

    /// Evidence from an answer, with the id of its request.
    pub(crate) fn evidence(
        &self,
        check: &str,
        result: EvidenceResult,
        detail: impl Into<String>,
        answer: &HttpAnswer,
    ) -> Evidence {
        let request_id = answer.header(&self.config.request_id_header).map(str::to_owned);
        Evidence::new(check, result, detail).by_request(request_id)
    }

    fn explain(&self, what: &str, ask: &HttpAsk, answer: &HttpAnswer) -> Error {
        let source = self.find_source(answer);
        // Messages repeat only the reason that the owner points at: the rest of a refusal may echo the request.
        let reason = self.config.error.as_deref().and_then(|p| answer.body.pointer(p)).and_then(Value::as_str);
        let colon = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let status = answer.status;
        let (kind, message, hint) = match source {
            Source::Foreign => (
                ErrorKind::Unavailable,
                format!(
                    "something between this machine and the directory may have answered the request to {what}: {status}{colon}"
                ),
                Some(self.hint_foreign(status)),
            ),
            Source::Directory | Source::Unknown => {
                let (kind, hint) = classify(status);
                (kind, format!("the directory refused to {what}: {status}{colon}"), hint)
            }
        };
        let mut error = Error::new(kind, message)
            .with_context("request", format!("{} {}", ask.method, ask.url))
            .with_context("status", status.to_string());
        if let Source::Foreign = source {
            error = error.with_context("answered_by", "foreign");
        }
        if let Some(id) = answer.header(&self.config.request_id_header) {
            error = error.with_context("request_id", id);
        }
        if let Some(hint) = hint {
            error = error.with_hint(hint);
        }
        // The directory's own 4xx means that no work was done, except 408, which does not say.
        let is_refusal_before_work =
            matches!(source, Source::Directory) && (400..500).contains(&status) && status != 408;
        if ask.intent == Intent::Mutate && !is_refusal_before_work { error.with_unknown_effect() } else { error }
    }

    /// Finds out by the description who refused: a proxy or a load balancer sends the same statuses with other bodies.
    fn find_source(&self, answer: &HttpAnswer) -> Source {
        let is_gone = self.config.gone.as_ref().is_some_and(|gone| gone.matches(answer));
        let reason = self.config.error.as_deref().map(|pointer| answer.body.pointer(pointer));
        match (answer.status, reason) {
            _ if is_gone => Source::Directory,
            // A status alone does not prove that a directory is missing, and a redirect leads somewhere else.
            (404 | 410 | 300..400, _) => Source::Foreign,
            (_, Some(Some(reason))) if reason.is_string() => Source::Directory,
            (400..500, Some(_)) => Source::Foreign,
            _ => Source::Unknown,
        }
    }

    fn hint_foreign(&self, status: u16) -> &'static str {
        match (status, &self.config.gone) {
            (404 | 410, None) => {
                "describe in `gone` how the interface itself says that the directory does not exist; also check `id`"
            }
            (404 | 410, Some(_)) => {
                "check the operation's `path` and any proxy or portal: the answer is not what `gone` describes"
            }
            _ => "check `base_url`, the proxy, and whether `error` points at the reason of a refusal",
        }
    }
}

/// Who sent an answer that is not a success.
enum Source {
    /// The directory: the answer matches the description.
    Directory,
    /// The description does not say how to recognize it.
    Unknown,
    /// Something else: the answer does not match the description.
    Foreign,
}

impl Gone {
    /// Whether the interface itself says in this answer that there is no such directory.
    fn matches(&self, answer: &HttpAnswer) -> bool {
        u64::from(answer.status) == self.status && answer.body.pointer(&self.pointer) == Some(&self.equals)
    }
}

fn classify(status: u16) -> (ErrorKind, Option<&'static str>) {
    match status {
        401 => (ErrorKind::Auth, Some("check `credential` and `auth_scheme`")),
        403 => (ErrorKind::Permission, Some("use a token that permits this operation")),
        404 | 410 => (ErrorKind::NotFound, Some("check `id`")),
        405 | 501 => (ErrorKind::Unsupported, Some("check the operation's `method`")),
        408 => (ErrorKind::TimedOut, None),
        409 | 412 | 423 => (ErrorKind::Conflict, None),
        429 => (ErrorKind::RateLimited, None),
        500.. => (ErrorKind::Unavailable, None),
        _ => (ErrorKind::Invalid, None),
    }
}
