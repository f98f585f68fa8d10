//! Requests to the interface: templates filled in, the token added, refusals turned into errors.

use flowswap_contract::{
    Auth, Body, Error, ErrorKind, Evidence, EvidenceResult, HttpAnswer, HttpAsk, Intent, sdk::Host, sdk::encode,
};
use serde_json::Value;

use crate::{
    config::{Config, Gone, Operation},
    template::Bindings,
    time::Timestamp,
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

    /// When the interface gave this answer, by its own clock (RFC 9110, `Date`), to the second.
    pub(crate) fn date_of(answer: &HttpAnswer) -> Option<Timestamp> {
        answer.header("date").and_then(Timestamp::parse_http_date)
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
        let speaker = self.tell_speaker(answer);
        // Only what the owner points at is repeated: the rest of a refusal may echo what was sent.
        let reason = self.config.error.as_deref().and_then(|p| answer.body.pointer(p)).and_then(Value::as_str);
        let colon = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let status = answer.status;
        let (kind, message, hint) = match speaker {
            Speaker::Foreign => (
                ErrorKind::Unavailable,
                format!("something in between may have answered, and not the directory, to `{what}`: {status}{colon}"),
                Some(self.hint_foreign(status)),
            ),
            Speaker::Directory | Speaker::Undescribed => {
                let (kind, hint) = classify(status);
                (kind, format!("the directory refused to {what}: {status}{colon}"), hint)
            }
        };
        let mut error = Error::new(kind, message)
            .with_context("request", format!("{} {}", ask.method, ask.url))
            .with_context("status", status.to_string());
        if let Speaker::Foreign = speaker {
            error = error.with_context("answered_by", "foreign");
        }
        if let Some(id) = answer.header(&self.config.request_id_header) {
            error = error.with_context("request_id", id);
        }
        if let Some(hint) = hint {
            error = error.with_hint(hint);
        }
        // The directory's own 4xx was refused before work, but for 408, which does not say.
        let is_refusal_before_work =
            matches!(speaker, Speaker::Directory) && (400..500).contains(&status) && status != 408;
        if ask.intent == Intent::Mutate && !is_refusal_before_work { error.with_unknown_effect() } else { error }
    }

    /// Who refused, as far as the description tells: a proxy or a load balancer has the same statuses, and other bodies.
    fn tell_speaker(&self, answer: &HttpAnswer) -> Speaker {
        let is_gone = self.config.gone.as_ref().is_some_and(|gone| gone.is_said_by(answer));
        let reason = self.config.error.as_deref().map(|pointer| answer.body.pointer(pointer));
        match (answer.status, reason) {
            _ if is_gone => Speaker::Directory,
            // No status is taken for a missing directory on its own; and a redirect leads somewhere else.
            (404 | 410 | 300..400, _) => Speaker::Foreign,
            (_, Some(Some(reason))) if reason.is_string() => Speaker::Directory,
            (400..500, Some(_)) => Speaker::Foreign,
            _ => Speaker::Undescribed,
        }
    }

    fn hint_foreign(&self, status: u16) -> &'static str {
        match (status, &self.config.gone) {
            (404 | 410, None) => {
                "describe in `gone` how the directory itself says that it is not there; look at `id`, too"
            }
            (404 | 410, Some(_)) => {
                "it is not what `gone` describes; look at the operation's `path`, and what is in between"
            }
            _ => "look at `base_url`, at the proxy, and whether `error` points at the reason of a refusal",
        }
    }
}

/// Who gave an answer that is no success.
enum Speaker {
    /// It has what the description says the directory's own have.
    Directory,
    /// The description says nothing that would tell.
    Undescribed,
    /// It lacks that.
    Foreign,
}

impl Gone {
    /// Whether the answer is the interface's own word that there is no such directory.
    fn is_said_by(&self, answer: &HttpAnswer) -> bool {
        u64::from(answer.status) == self.status && answer.body.pointer(&self.pointer) == Some(&self.equals)
    }
}

fn classify(status: u16) -> (ErrorKind, Option<&'static str>) {
    match status {
        401 => (ErrorKind::Auth, Some("check `credential` and `auth_scheme`")),
        403 => (ErrorKind::Permission, Some("the token does not permit this operation")),
        404 | 410 => (ErrorKind::NotFound, Some("check `id`")),
        405 | 501 => (ErrorKind::Unsupported, Some("check the operation's `method`")),
        408 => (ErrorKind::TimedOut, None),
        409 | 412 | 423 => (ErrorKind::Conflict, None),
        429 => (ErrorKind::RateLimited, None),
        500.. => (ErrorKind::Unavailable, None),
        _ => (ErrorKind::Invalid, None),
    }
}
