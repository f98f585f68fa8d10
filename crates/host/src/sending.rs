//! Sends one request, repeats it if needed, and evaluates each attempt: who answered, and what that says about the effect.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use flowswap_contract::{Error, ErrorKind, HttpAnswer, HttpAsk, Intent};
use flowswap_engine::{Mode, RequestOutcome};
use http::{StatusCode, header};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::{
    governor::{Permit, Place, Reason},
    guard::{Permitted, describe},
    provenance::{self, Foreign},
    retry::{self, Decision, RetryPolicy},
    room::{Held, Waited},
    scope::{Scope, Side, interrupted},
    transport::{Sent, TransportError},
};

/// The longest timeout that a plugin may set.
const MAX_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// From here on, a person notices a wait and wants to know its reason.
const NOTICED: Duration = Duration::from_secs(1);

/// In a step that removes a client, the longest time from the start of the call to the change.
const MAX_BEFORE_REMOVAL: Duration = Duration::from_secs(15);

type AttemptResult = Result<http::Response<Bytes>, TransportError>;

/// How sending ended.
pub(crate) struct Sending {
    /// The result of the last attempt; `None` if there was no attempt.
    seen: Option<AttemptResult>,
    /// The number of attempts.
    pub(crate) attempts: u32,
    /// Whether an attempt may have arrived without an answer that tells its outcome.
    lost: bool,
    /// Why it was not repeated, if the result of the last attempt is not the reason.
    cut_short: Option<Error>,
    /// The last answer, if it does not come from the other side itself.
    foreign: Option<Foreign>,
}

impl Scope<'_> {
    /// Waits until the request may be sent. It does not count yet.
    pub(crate) async fn wait_at_gate(&self, ask: &HttpAsk, permitted: &Permitted) -> Result<(), Error> {
        if self.must_not_wait(ask) {
            return Ok(());
        }
        let place = self.place(permitted);
        while let Some((wait, reason)) = self.side.effects.gate.governor.hold(place) {
            self.wait_for(place, wait, reason).await?;
        }
        Ok(())
    }

    /// The same, and counts the request.
    async fn pass_gate(&self, ask: &HttpAsk, permitted: &Permitted) -> Result<Permit, Error> {
        let (governor, place) = (&self.side.effects.gate.governor, self.place(permitted));
        if self.must_not_wait(ask) {
            return Ok(governor.admit_at_once(place));
        }
        loop {
            match governor.admit(place) {
                Ok(permit) => return Ok(permit),
                Err((wait, reason)) => self.wait_for(place, wait, reason).await?,
            }
        }
    }

    /// Waits. The operator is told if it takes a time that a person notices.
    async fn wait_for(&self, place: Place<'_>, wait: Duration, reason: Reason) -> Result<(), Error> {
        let begun = Instant::now();
        let waited = if wait < NOTICED {
            self.sleep(wait).await
        } else {
            let origin = place.origin;
            let why = match reason {
                Reason::Refused => format!("{origin} has reached its rate limit"),
                Reason::Spread => format!("flowswap spreads its requests to {origin}"),
                Reason::Share => format!("flowswap leaves the rest of the rate limit of {origin} to others"),
                Reason::Unknown => format!("the first answer of {origin} will show its rate limit"),
                Reason::InFlight => format!("{origin} has too many requests in flight"),
            };
            self.pause(wait, &why).await
        };
        self.side.effects.gate.governor.note_wait(place, begun.elapsed());
        waited
    }

    fn place<'p>(&'p self, permitted: &'p Permitted) -> Place<'p> {
        let dialect = self.side.dialect.as_ref();
        let bucket = retry::find_bucket(dialect, permitted.url.path());
        let shows_limits = dialect.is_some_and(|dialect| dialect.limit.is_some());
        Place { origin: permitted.origin.as_str(), bucket, shows_limits }
    }

    /// Whether the request must not wait. In a step that removes a client, nothing waits before the change, because the client
    /// may come into use meanwhile.
    fn must_not_wait(&self, ask: &HttpAsk) -> bool {
        let is_over = self.touched.load(Ordering::Relaxed) && ask.intent != Intent::Mutate;
        self.mode == Mode::Remove && !is_over
    }

    /// Puts off a removal that comes long after the start of its call: the checks before it may be outdated.
    pub(crate) fn refuse_late_removal(&self, ask: &HttpAsk) -> Result<(), Error> {
        let is_first = ask.intent == Intent::Mutate && !self.touched.load(Ordering::Relaxed);
        if !is_first || self.mode != Mode::Remove || self.started.elapsed() <= MAX_BEFORE_REMOVAL {
            return Ok(());
        }
        self.put_off(Duration::from_secs(1));
        let request = describe(&ask.method, &ask.url);
        let message =
            format!("{request} was not sent: the work before it took longer than {} s", MAX_BEFORE_REMOVAL.as_secs());
        Err(Error::new(ErrorKind::TimedOut, message))
    }

    /// Refuses a request that has just failed for many other tenants.
    pub(crate) fn refuse_during_outage(&self, permitted: &Permitted) -> Result<(), Error> {
        let outages = &self.side.effects.gate.outages;
        let Some(cause) = outages.rules_out(self.side.role, permitted.origin.as_str()) else { return Ok(()) };
        let host = permitted.origin.host();
        // Without their number, which grows from tenant to tenant: reports group equal messages.
        let message =
            format!("{host} was not tried: other tenants failed in the same way, and no server answered: {cause}");
        Err(Error::new(ErrorKind::Unavailable, message)
            .with_hint("check the network of this machine: the same cause affects all of them")
            .with_context("host", host)
            .with_context("cause", cause)
            .with_context("tried", "no"))
    }

    /// Sends the request, and repeats it as long as a repetition may help. `request` makes it for each attempt.
    pub(crate) async fn send(
        &self,
        ask: &HttpAsk,
        permitted: &Permitted,
        request: &(dyn Fn() -> Result<http::Request<Bytes>, Error> + Sync),
    ) -> Sending {
        let mut sending = Sending { seen: None, attempts: 0, lost: false, cut_short: None, foreign: None };
        loop {
            let permit = match self.pass_gate(ask, permitted).await {
                Ok(permit) => permit,
                Err(stopped) => {
                    sending.cut_short = Some(stopped);
                    return sending;
                }
            };
            let request = match request() {
                Ok(request) => request,
                Err(error) => {
                    sending.cut_short = Some(error);
                    return sending;
                }
            };
            sending.attempts += 1;
            let left = self.side.effects.clock.now();
            let seen = self.send_once(ask, request).await;
            let decision = self.evaluate(ask, permitted, left, &seen, &mut sending);
            drop(permit);
            sending.seen = Some(seen);
            let Decision::Repeat { wait, reason } = decision else { return sending };
            sending.drop_long_answer();
            if self.must_not_wait(ask) {
                self.put_off(wait);
                return sending;
            }
            if let Err(stopped) = self.pause(wait, &format!("{}: {reason}", describe(&ask.method, &ask.url))).await {
                sending.cut_short = Some(stopped);
                return sending;
            }
            // Other tenants may have failed in the same way meanwhile.
            if sending.cause().is_some_and(|cause| self.is_common(&cause)) {
                return sending;
            }
        }
    }

    /// Records the result of an attempt, and decides whether to repeat the request.
    fn evaluate(
        &self,
        ask: &HttpAsk,
        permitted: &Permitted,
        left: Timestamp,
        seen: &AttemptResult,
        sending: &mut Sending,
    ) -> Decision {
        let Side { role, tenant, dialect, effects, .. } = self.side;
        let gate = &effects.gate;
        let origin = permitted.origin.as_str();
        let dialect = dialect.as_ref();
        let policy =
            RetryPolicy { intent: ask.intent, idempotent: ask.idempotent, attempts: sending.attempts, dialect };
        let redactor = self.side.vault.redactor();
        sending.foreign =
            seen.as_ref().ok().and_then(|answer| provenance::judge(&permitted.url, answer, |text| redactor.text(text)));
        let (decision, cause, host_specific) = match (seen, &sending.foreign) {
            (Ok(answer), None) => {
                let status = answer.status();
                gate.skews.measure(origin, answer.headers(), left, effects.clock.now());
                let refused = policy.wait_of_refusal(status, answer.headers());
                gate.governor.learn(self.place(permitted), retry::read_limits(answer.headers(), dialect), refused);
                // These answers do not say what was done. Every other refusal means that nothing was done.
                sending.lost |= status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
                let decision = policy.after_answer(status, answer.headers());
                if !status.is_server_error() || self.mode != Mode::DryRun {
                    gate.outages.record_answer(*role, origin);
                    return decision;
                }
                // If the servers of many tenants answer 5xx, a dry run need not ask each of them five times.
                (decision, brief_of(status), true)
            }
            (Ok(answer), Some(foreign)) => {
                sending.lost = true;
                (policy.after_foreign(foreign, answer.headers()), foreign.brief(), true)
            }
            (Err(error), _) => {
                sending.lost |= error.sent == Sent::MaybeSent;
                (policy.after_error(error), error.cause().brief(), error.cause().is_host_specific())
            }
        };
        gate.outages.record_failure(*role, tenant, &cause, host_specific);
        if self.is_common(&cause) { Decision::Accept } else { decision }
    }

    fn is_common(&self, cause: &str) -> bool {
        self.side.effects.gate.outages.is_common(self.side.role, cause)
    }

    async fn send_once(&self, ask: &HttpAsk, mut request: http::Request<Bytes>) -> AttemptResult {
        let limit = ask.timeout_ms.map_or(self.side.effects.timeout, |ms| Duration::from_millis(ms).min(MAX_TIMEOUT));
        let waited = Waited::default();
        request.extensions_mut().insert(waited.clone());
        let answer = self.side.http.clone().oneshot(request);
        tokio::pin!(answer);
        let mut rest = limit;
        loop {
            if let Ok(answer) = tokio::time::timeout(rest, &mut answer).await {
                return answer;
            }
            rest = waited.take();
            if rest.is_zero() {
                return Err(TransportError::gave_up(limit));
            }
        }
    }
}

impl Sending {
    /// It ended before the request could be sent again.
    pub(crate) fn stopped_by(error: Error, attempts: u32) -> Self {
        Self { seen: None, attempts, lost: false, cut_short: Some(error), foreign: None }
    }

    /// The last answer, if it comes from the other side itself.
    pub(crate) fn own_answer(&self) -> Option<&http::Response<Bytes>> {
        self.seen.as_ref()?.as_ref().ok().filter(|_| self.foreign.is_none())
    }

    /// The room that the last answer takes up.
    pub(crate) fn take_held(&mut self) -> Option<Held> {
        self.seen.as_mut()?.as_mut().ok()?.extensions_mut().remove()
    }

    /// Gives the room of the last answer back. A request that waits for its repetition must not keep room from others.
    fn drop_long_answer(&mut self) {
        if self.take_held().is_some()
            && let Some(Ok(answer)) = &mut self.seen
        {
            *answer.body_mut() = Bytes::new();
        }
    }

    /// The status of the last answer, no matter who gave it.
    pub(crate) fn status(&self) -> Option<u16> {
        self.seen.as_ref()?.as_ref().ok().map(|answer| answer.status().as_u16())
    }

    /// Why the other side gave no usable answer.
    fn cause(&self) -> Option<String> {
        match (self.seen.as_ref()?, &self.foreign) {
            (Err(error), _) => Some(error.cause().brief()),
            (Ok(answer), None) => Some(brief_of(answer.status())).filter(|_| answer.status().is_server_error()),
            (Ok(_), Some(foreign)) => Some(foreign.brief()),
        }
    }

    /// Whether the request may have changed something. The other side's own 4xx answers, except 408, mean that it did not.
    pub(crate) fn may_have_changed(&self) -> bool {
        self.lost || self.status().is_some_and(|status| status < 400)
    }

    /// The outcome of a mutating request for the journal.
    pub(crate) fn outcome(&self, request_id: Option<&str>) -> RequestOutcome {
        if let Some(foreign) = &self.foreign {
            // Its status does not say what the other side did.
            return RequestOutcome::Lost { message: foreign.brief() };
        }
        match &self.seen {
            Some(Ok(answer)) => RequestOutcome::Answered {
                status: answer.status().as_u16(),
                request_id: request_id.and_then(|name| answer.headers().get(name)?.to_str().ok()).and_then(read_id),
            },
            // An earlier attempt may have arrived even if the last one did not.
            Some(Err(error)) if self.lost => RequestOutcome::Lost { message: error.describe() },
            Some(Err(error)) => RequestOutcome::NotSent { message: error.describe() },
            None => RequestOutcome::NotSent { message: "the run was stopped before it was sent".to_owned() },
        }
    }

    /// The answer or the error that the plugin gets.
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

/// The cause without details, so that the same cause at many tenants is recognized.
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
        _ => serde_json::from_slice(provenance::without_bom(&bytes)).unwrap_or_else(|_| Value::String(text(&bytes))),
    };
    let headers = parts.headers.iter().filter(|(name, _)| *name != header::SET_COOKIE);
    let headers = headers.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect();
    HttpAnswer { status: parts.status.as_u16(), headers, body, attempts }
}

/// The id of a request, if it is one: the journal keeps it for ever, and a server decides what it is.
fn read_id(text: &str) -> Option<String> {
    const MAX_LENGTH: usize = 128;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    ((1..=MAX_LENGTH).contains(&text.len()) && text.chars().all(is_plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
