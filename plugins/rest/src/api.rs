//! Requests to the interface: templates filled in, the token added, refusals turned into errors.

use flowswap_contract::{
    Auth, Body, Error, ErrorKind, Evidence, EvidenceResult, HttpAnswer, HttpAsk, Intent, sdk::Host, sdk::encode,
};
use serde_json::Value;

use crate::{
    config::{Config, Operation},
    template::Bindings,
};

/// One call's way to the interface.
pub(crate) struct Api<'a> {
    pub(crate) host: &'a Host,
    pub(crate) config: &'a Config,
}

impl Api<'_> {
    /// Carries an operation out; whatever is no 2xx is an error. `what` completes "the directory refused to …".
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
        let path = operation.path.fill(bindings, encode)?;
        let mut ask = HttpAsk::new(intent, &operation.method, format!("{}{path}", self.config.base_url));
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

    /// One line of evidence, with the request's id.
    pub(crate) fn see(
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
        // Only what the owner points at is repeated: the rest of a refusal may echo what was sent.
        let reason = self.config.error.as_deref().and_then(|p| answer.body.pointer(p)).and_then(Value::as_str);
        let colon = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let message = format!("the directory refused to {what}: {}{colon}", answer.status);
        let (kind, hint) = classify(answer.status);
        let mut error = Error::new(kind, message)
            .with_context("request", format!("{} {}", ask.method, ask.url))
            .with_context("status", answer.status.to_string());
        if let Some(id) = answer.header(&self.config.request_id_header) {
            error = error.with_context("request_id", id);
        }
        if let Some(hint) = hint {
            error = error.with_hint(hint);
        }
        // A 4xx was refused before work, but for 408, which does not say.
        let is_refusal_before_work = (400..500).contains(&answer.status) && answer.status != 408;
        if ask.intent == Intent::Mutate && !is_refusal_before_work { error.with_unknown_effect() } else { error }
    }
}

fn classify(status: u16) -> (ErrorKind, Option<&'static str>) {
    match status {
        401 => (ErrorKind::Auth, Some("check `credential` and `auth_scheme`")),
        403 => (ErrorKind::Permission, Some("the token does not permit this operation")),
        404 | 410 => (ErrorKind::NotFound, Some("check `id` and the operation's `path`")),
        405 | 501 => (ErrorKind::Unsupported, Some("check the operation's `method`")),
        408 => (ErrorKind::TimedOut, None),
        409 | 412 | 423 => (ErrorKind::Conflict, None),
        429 => (ErrorKind::RateLimited, None),
        500.. => (ErrorKind::Unavailable, None),
        _ => (ErrorKind::Invalid, None),
    }
}
