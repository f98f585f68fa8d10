//! Sends one request, as often as it takes, and weighs what comes of it: whose answer it is, what it says of the effect.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use flowswap_contract::{Error, ErrorKind, HttpAnswer, HttpAsk, Intent};
use flowswap_engine::{Mode, RequestOutcome};
use http::{StatusCode, header};
use jiff::Timestamp;
use serde_json::Value;
use tower::ServiceExt;

use crate::{
    guard::{Permitted, describe},
    provenance::{self, Foreign},
    retry::{self, Decision, Tried},
    scope::{Scope, Side, interrupted},
    transport::{Sent, TransportError},
};

/// The most that a plugin may ask for.
const MAX_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The longest from the beginning of a call to the change of a step that removes a client.
const PROMPT: Duration = Duration::from_secs(15);

type Seen = Result<http::Response<Bytes>, TransportError>;

/// How sending ended.
pub(crate) struct Sending {
    /// The last attempt; none when there was none.
    seen: Option<Seen>,
    /// How many attempts there were.
    pub(crate) attempts: u32,
    /// An attempt may have arrived without an answer that would say what came of it.
    lost: bool,
    /// Why it was not sent again, where that was not decided by what was seen.
    cut_short: Option<Error>,
    /// The last answer is not the other side's own.
    foreign: Option<Foreign>,
}

impl Scope<'_> {
    /// Waits until the origin has requests left.
    pub(crate) async fn wait_at_gate(&self, ask: &HttpAsk, permitted: &Permitted) -> Result<(), Error> {
        if self.is_urgent(ask) {
            return Ok(());
        }
        let origin = permitted.origin.as_str();
        while let Some(wait) = self.side.effects.gate.wait(origin) {
            self.pause(wait, &format!("{origin} has no requests left for now")).await?;
        }
        Ok(())
    }

    /// Up to the change of a step that removes a client nothing waits: meanwhile the client may come into use.
    fn is_urgent(&self, ask: &HttpAsk) -> bool {
        let is_over = self.touched.load(Ordering::Relaxed) && ask.intent != Intent::Mutate;
        self.mode == Mode::Remove && !is_over
    }

    /// Puts a removal off that comes long after its call began: what was looked at before that may not be so any more.
    pub(crate) fn expect_prompt(&self, ask: &HttpAsk) -> Result<(), Error> {
        let is_first = ask.intent == Intent::Mutate && !self.touched.load(Ordering::Relaxed);
        if !is_first || self.mode != Mode::Remove || self.begun.elapsed() <= PROMPT {
            return Ok(());
        }
        self.put_off(Duration::from_secs(1));
        let request = describe(&ask.method, &ask.url);
        let message =
            format!("{request} was not sent: what comes before it took longer than {} seconds", PROMPT.as_secs());
        Err(Error::new(ErrorKind::TimedOut, message))
    }

    /// Does not try what many others have just tried in vain.
    pub(crate) fn look_for_outage(&self, permitted: &Permitted) -> Result<(), Error> {
        let outages = &self.side.effects.gate.outages;
        let Some(outage) = outages.rules_out(self.side.role, permitted.origin.as_str()) else { return Ok(()) };
        let (host, cause) = (permitted.origin.host(), outage.cause);
        let message = format!(
            "{host} was not tried: {} tenants failed in the same way before it, and nobody was answered: {cause}",
            outage.tenants
        );
        Err(Error::new(ErrorKind::Unavailable, message)
            .with_hint("look at the network of this machine: one cause strikes all of them")
            .with_context("host", host)
            .with_context("cause", cause)
            .with_context("tried", "no"))
    }

    /// Sends it until there is nothing to be gained by sending it again.
    pub(crate) async fn send(&self, ask: &HttpAsk, permitted: &Permitted, request: http::Request<Bytes>) -> Sending {
        let mut sending = Sending { seen: None, attempts: 0, lost: false, cut_short: None, foreign: None };
        loop {
            if let Err(stopped) = self.wait_at_gate(ask, permitted).await {
                sending.cut_short = Some(stopped);
                return sending;
            }
            sending.attempts += 1;
            let left = self.side.effects.clock.now();
            let seen = self.send_once(ask, request.clone()).await;
            let decision = self.weigh(ask, permitted, left, &seen, &mut sending);
            sending.seen = Some(seen);
            let Decision::Repeat { wait, reason } = decision else { return sending };
            if self.is_urgent(ask) {
                self.put_off(wait);
                return sending;
            }
            if let Err(stopped) = self.pause(wait, &format!("{}: {reason}", describe(&ask.method, &ask.url))).await {
                sending.cut_short = Some(stopped);
                return sending;
            }
            // Others may have failed in the same way meanwhile.
            if sending.cause().is_some_and(|cause| self.is_common(&cause)) {
                return sending;
            }
        }
    }

    /// Takes note of what was seen, and decides whether the request is sent again.
    fn weigh(
        &self,
        ask: &HttpAsk,
        permitted: &Permitted,
        left: Timestamp,
        seen: &Seen,
        sending: &mut Sending,
    ) -> Decision {
        let Side { role, tenant, dialect, effects, .. } = self.side;
        let (gate, origin) = (&effects.gate, permitted.origin.as_str());
        let dialect = dialect.as_ref();
        let tried = Tried { intent: ask.intent, idempotent: ask.idempotent, attempts: sending.attempts, dialect };
        sending.foreign = seen.as_ref().ok().and_then(|answer| provenance::judge(&permitted.url, answer));
        let (decision, cause, of_host) = match (seen, &sending.foreign) {
            (Ok(answer), None) => {
                let status = answer.status();
                gate.skews.measure(origin, answer.headers(), left, effects.clock.now());
                if let Some(wait) = retry::hold_after(answer.headers(), dialect) {
                    gate.hold(origin, wait);
                }
                // They say nothing about what was done; every other refusal says that nothing was.
                sending.lost |= status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
                let decision = tried.after_answer(status, answer.headers());
                if !status.is_server_error() || self.mode != Mode::DryRun {
                    gate.outages.answered(*role, origin);
                    return decision;
                }
                // Whoever only looks at many that all answer so need not ask each of them five times.
                (decision, brief_of(status), true)
            }
            (Ok(answer), Some(foreign)) => {
                sending.lost = true;
                (tried.after_foreign(foreign, answer.headers()), foreign.brief(), true)
            }
            (Err(error), _) => {
                sending.lost |= error.sent == Sent::MaybeSent;
                (tried.after_error(error), error.cause().brief(), error.cause().is_of_host())
            }
        };
        gate.outages.failed(*role, tenant, &cause, of_host);
        if self.is_common(&cause) { Decision::Take } else { decision }
    }

    fn is_common(&self, cause: &str) -> bool {
        self.side.effects.gate.outages.is_common(self.side.role, cause)
    }

    async fn send_once(&self, ask: &HttpAsk, request: http::Request<Bytes>) -> Seen {
        let limit = ask.timeout_ms.map_or(self.side.effects.timeout, |ms| Duration::from_millis(ms).min(MAX_TIMEOUT));
        let answer = self.side.effects.http.clone().oneshot(request);
        tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(TransportError::gave_up(limit)))
    }
}

impl Sending {
    /// The last answer's, whoever gave it.
    pub(crate) fn status(&self) -> Option<u16> {
        self.seen.as_ref()?.as_ref().ok().map(|answer| answer.status().as_u16())
    }

    /// Why there is no answer of the other side.
    fn cause(&self) -> Option<String> {
        match (self.seen.as_ref()?, &self.foreign) {
            (Err(error), _) => Some(error.cause().brief()),
            (Ok(answer), None) => Some(brief_of(answer.status())).filter(|_| answer.status().is_server_error()),
            (Ok(_), Some(foreign)) => Some(foreign.brief()),
        }
    }

    /// The other side's own 4xx answers say that nothing was done, but for 408.
    pub(crate) fn may_have_changed(&self) -> bool {
        self.lost || self.status().is_some_and(|status| status < 400)
    }

    /// What the journal says of a mutating request.
    pub(crate) fn outcome(&self, request_id: Option<&str>) -> RequestOutcome {
        if let Some(foreign) = &self.foreign {
            // Its status says nothing of what the other side has done.
            return RequestOutcome::Lost { message: foreign.brief() };
        }
        match &self.seen {
            Some(Ok(answer)) => RequestOutcome::Answered {
                status: answer.status().as_u16(),
                request_id: request_id
                    .and_then(|name| answer.headers().get(name))
                    .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            },
            // An earlier attempt may have arrived even where the last one did not.
            Some(Err(error)) if self.lost => RequestOutcome::Lost { message: error.describe() },
            Some(Err(error)) => RequestOutcome::NotSent { message: error.describe() },
            None => RequestOutcome::NotSent { message: "the run was stopped before it was sent".to_owned() },
        }
    }

    /// What the plugin gets.
    pub(crate) fn into_answer(self, ask: &HttpAsk, permitted: &Permitted) -> Result<HttpAnswer, Error> {
        let mutates = ask.intent == Intent::Mutate;
        let effect = |error: Error| if mutates && self.lost { error.with_unknown_effect() } else { error };
        if let Some(error) = self.cut_short {
            return Err(effect(error));
        }
        let host = permitted.origin.host();
        match (self.seen, self.foreign) {
            (Some(Ok(_)), Some(foreign)) => Err(effect(foreign.error(host))),
            (Some(Ok(answer)), None) => Ok(decode(answer, self.attempts)),
            (Some(Err(error)), _) => Err(effect(error.error(host, &describe(&ask.method, &ask.url)))),
            (None, _) => Err(effect(interrupted())),
        }
    }
}

/// The cause that many tenants may have in common.
fn brief_of(status: StatusCode) -> String {
    format!("the answer was {}", status.as_u16())
}

fn decode(answer: http::Response<Bytes>, attempts: u32) -> HttpAnswer {
    let (parts, bytes) = answer.into_parts();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let content_type = parts.headers.get(header::CONTENT_TYPE).map(|value| text(value.as_bytes()));
    let body = match content_type {
        _ if bytes.is_empty() => Value::Null,
        Some(kind) if !kind.to_ascii_lowercase().contains("json") => Value::String(text(&bytes)),
        _ => serde_json::from_slice(provenance::without_mark(&bytes)).unwrap_or_else(|_| Value::String(text(&bytes))),
    };
    let headers = parts.headers.iter().filter(|(name, _)| *name != header::SET_COOKIE);
    let headers = headers.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect();
    HttpAnswer { status: parts.status.as_u16(), headers, body, attempts }
}

#[cfg(test)]
mod tests;
