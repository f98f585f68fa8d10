//! Makes one request: guard, splice, journal, send, journal, capture, answer.

use bytes::Bytes;
use flowswap_contract::{Blind, Body, Capture, Custody, Error, ErrorKind, Handle, HttpAnswer, HttpAsk, Intent};
use flowswap_engine::{Entry, Event, Mode, RequestOutcome, Secret, intent_token};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sha2::{Digest, Sha256};

use crate::{
    blind::blind,
    capture::{self, Taken},
    guard::{Permitted, describe},
    redact::Redactor,
    scope::{Scope, chain, internal},
    sending::Sending,
    splice::{Spliced, splice},
};

/// A journaled intent.
struct Intended {
    step: String,
    request: u32,
}

impl Scope<'_> {
    /// Makes a request that the plugin asked for, or refuses it.
    pub(crate) async fn request(&self, ask: &HttpAsk) -> Result<HttpAnswer, Error> {
        let permitted = self.permission().permit(ask)?;
        if let Some(capture) = ask.capture.iter().find(|c| !capture::is_name(&c.name)) {
            let message = format!("the plugin captures a secret under the name `{}`, which is none", capture.name);
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        let secrets = self.lend(ask).await?;
        let blinding = ask.blind.as_ref().and_then(|blind| Some((blind.as_ref(), secrets.get(&blind.key)?.clone())));
        let request = self.assemble(ask, &permitted, splice(ask, &secrets)?)?;
        self.wait_at_gate(ask, &permitted).await?;
        self.look_for_outage(&permitted)?;
        self.expect_prompt(ask)?;
        let intended = match ask.intent {
            Intent::Mutate => Some(self.intend(ask, &permitted).await?),
            Intent::Read | Intent::Authenticate => None,
        };
        let sending = self.send(ask, &permitted, request).await;
        self.emit(Event::Request {
            tenant: self.side.tenant.clone(),
            method: ask.method.clone(),
            url: permitted.url.to_string(),
            status: sending.status(),
            attempts: sending.attempts,
        });
        self.conclude(ask, &permitted, intended, sending, blinding).await
    }

    fn assemble(&self, ask: &HttpAsk, permitted: &Permitted, spliced: Spliced) -> Result<http::Request<Bytes>, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in &ask.headers {
            let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
            let (Ok(name), Ok(value)) = parsed else {
                let message = format!("the plugin asked for a malformed request: header `{}`", name.escape_debug());
                return Err(Error::new(ErrorKind::Protocol, message));
            };
            headers.insert(name, value);
        }
        let agent = HeaderValue::from_str(&self.user_agent()).map_err(|e| internal(&e))?;
        headers.insert(header::USER_AGENT, agent);
        if let Some(authorization) = spliced.authorization {
            // An echo of the header is as bad as one of the secret itself.
            if let Some((_, credentials)) = authorization.to_str().ok().and_then(|text| text.split_once(' ')) {
                self.side.vault.saw(&Secret::new(credentials));
            }
            headers.insert(header::AUTHORIZATION, authorization);
        }
        if let Some(content_type) = spliced.content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        // Some gateways answer 411 to a request that could have a body and does not say that it has none.
        if !spliced.body.is_empty() || matches!(permitted.method, Method::POST | Method::PUT | Method::PATCH) {
            headers.insert(header::CONTENT_LENGTH, spliced.body.len().into());
        }
        let mut request = http::Request::new(spliced.body);
        *request.method_mut() = permitted.method.clone();
        *request.uri_mut() = permitted.url.as_str().parse().map_err(|e: http::uri::InvalidUri| internal(&e))?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Names the run and the step to whoever reads the other side's log; what only looks has neither.
    fn user_agent(&self) -> String {
        let agent = concat!("flowswap/", env!("CARGO_PKG_VERSION"));
        match (self.mode, self.step) {
            (Mode::DryRun, _) => agent.to_owned(),
            (Mode::Apply | Mode::Remove, None) => format!("{agent} (+run:{})", self.run),
            (Mode::Apply | Mode::Remove, Some(step)) => format!("{agent} (+intent:{})", intent_token(self.run, step)),
        }
    }

    async fn intend(&self, ask: &HttpAsk, permitted: &Permitted) -> Result<Intended, Error> {
        let Some(step) = self.step.map(str::to_owned) else {
            return Err(Error::new(ErrorKind::Internal, "a mutating request was permitted outside of any step"));
        };
        let request = self.next_mutation(&step);
        let entry = Entry::RequestIntended {
            step: step.clone(),
            request,
            method: ask.method.clone(),
            url: permitted.url.to_string(),
            body_sha256: ask.body.as_ref().map(digest),
            secrets: durable(&ask.capture).map(|capture| self.name(capture)).collect(),
        };
        self.journal(entry).await.map_err(|e| {
            let message = format!("{} was not sent: {}", describe(&ask.method, &ask.url), chain(&e));
            Error::new(ErrorKind::Internal, message)
        })?;
        Ok(Intended { step, request })
    }

    /// Keeps what the answer carries, writes down what came of the request, and makes the plugin's answer of it.
    async fn conclude(
        &self,
        ask: &HttpAsk,
        permitted: &Permitted,
        intended: Option<Intended>,
        sending: Sending,
        blinding: Option<(&Blind, Secret)>,
    ) -> Result<HttpAnswer, Error> {
        let mutates = intended.is_some();
        if mutates && sending.may_have_changed() {
            self.touch();
        }
        let outcome = sending.outcome(self.side.dialect.as_ref().map(|d| d.request_id.as_str()));
        let redactor = self.side.vault.redactor();
        let answer = sending.into_answer(ask, permitted);

        // A secret is shown once. It goes into custody before anything else is done that could fail.
        let mut kept = Ok(());
        let answer = answer.map(|mut answer| {
            let taken = if answer.is_success() { self.take(ask, &mut answer) } else { Taken::default() };
            (answer, taken)
        });
        if let Ok((_, taken)) = &answer {
            kept = self.keep(taken).await;
        }
        if let Some(intended) = &intended {
            let Intended { step, request } = intended;
            let outcome = redacted(outcome, &redactor);
            let ended = Entry::RequestEnded { step: step.clone(), request: *request, outcome };
            self.journal(ended).await.map_err(|e| {
                let message =
                    format!("what came of {} was not recorded: {}", describe(&ask.method, &ask.url), chain(&e));
                Error::new(ErrorKind::Internal, message).with_unknown_effect()
            })?;
        }
        let unknown = |error: Error| if mutates { error.with_unknown_effect() } else { error };
        let (mut answer, taken) = answer.map_err(|mut error| {
            error.message = redactor.text(&error.message);
            error.context.values_mut().for_each(|value| *value = redactor.text(value));
            error
        })?;
        kept.map_err(unknown)?;
        self.record_custody(&taken).await.map_err(unknown)?;
        if !taken.missing.is_empty() {
            let request = describe(&ask.method, &ask.url);
            let message = format!("the answer to {request} has no secret at `{}`", taken.missing.join("`, `"));
            return Err(unknown(Error::new(ErrorKind::Invalid, message)));
        }
        if let (Some((Blind { pointers, .. }, key)), true) = (&blinding, answer.is_success()) {
            blind(&mut answer.body, pointers, key);
        }
        // What was just captured is known by now, and must not stand anywhere else in the answer either.
        redact(&mut answer, &self.side.vault.redactor());
        Ok(answer)
    }

    fn take(&self, ask: &HttpAsk, answer: &mut HttpAnswer) -> Taken {
        let taken = capture::take(&ask.capture, &mut answer.body, |capture| self.name(capture));
        taken.captured.iter().for_each(|captured| self.side.vault.saw(&captured.secret));
        taken
    }

    /// Names a captured secret. What lives as long as the session has a place of its own, so that it can neither be
    /// taken for a secret of the configuration nor for one in custody.
    fn name(&self, capture: &Capture) -> Handle {
        let (tenant, role, name) = (&self.side.tenant, self.side.role, &capture.name);
        match (capture.custody, self.step) {
            (Custody::Durable, Some(step)) => Handle::new(format!("{tenant}/{step}/{name}")),
            (Custody::Durable, None) | (Custody::Session, _) => Handle::new(format!("{tenant}/{role}/session/{name}")),
        }
    }

    /// Makes a random secret and takes it into custody, under the name that the step's output of this name would have.
    pub(crate) async fn mint(&self, name: &str) -> Result<Handle, Error> {
        let Some(step) = self.step.filter(|_| capture::is_name(name)) else {
            let message =
                format!("the plugin makes a secret under the name `{name}`, which is none, or outside of any step");
            return Err(Error::new(ErrorKind::Protocol, message));
        };
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|e| internal(&e))?;
        let handle = Handle::new(format!("{}/{step}/{name}", self.side.tenant));
        // What is in custody may be a secret that was shown once.
        if self.side.effects.secrets.get(&handle).await.map_err(|e| internal(&e))?.is_some() {
            return Err(self.permission().refuse(format!("asked for a new secret `{handle}`, and there is one")));
        }
        let secret = Secret::new(hex(&bytes));
        self.side.effects.secrets.put(&handle, &secret).await.map_err(|e| internal(&e))?;
        self.side.vault.keep(handle.clone(), secret);
        let entry = Entry::SecretMade { step: step.to_owned(), handle: handle.clone() };
        self.journal(entry).await.map_err(|e| internal(&e))?;
        Ok(handle)
    }

    async fn keep(&self, taken: &Taken) -> Result<(), Error> {
        for captured in &taken.captured {
            if captured.custody == Custody::Durable {
                let stored = self.side.effects.secrets.put(&captured.handle, &captured.secret).await;
                stored.map_err(|e| {
                    internal(&e).with_hint("the secret was shown once and is lost; undoing the step retires it")
                })?;
            }
            self.side.vault.keep(captured.handle.clone(), captured.secret.clone());
        }
        Ok(())
    }

    async fn record_custody(&self, taken: &Taken) -> Result<(), Error> {
        let Some(step) = self.step else { return Ok(()) };
        for captured in taken.captured.iter().filter(|c| c.custody == Custody::Durable) {
            let entry = Entry::SecretStored { step: step.to_owned(), handle: captured.handle.clone() };
            self.journal(entry).await.map_err(|e| internal(&e))?;
        }
        Ok(())
    }
}

fn redact(answer: &mut HttpAnswer, redactor: &Redactor) {
    redactor.value(&mut answer.body);
    for (_, value) in &mut answer.headers {
        *value = redactor.text(value);
    }
}

fn redacted(outcome: RequestOutcome, redactor: &Redactor) -> RequestOutcome {
    match outcome {
        RequestOutcome::Answered { status, request_id } => {
            RequestOutcome::Answered { status, request_id: request_id.map(|id| redactor.text(&id)) }
        }
        RequestOutcome::NotSent { message } => RequestOutcome::NotSent { message: redactor.text(&message) },
        RequestOutcome::Lost { message } => RequestOutcome::Lost { message: redactor.text(&message) },
    }
}

/// The captures that outlive the session.
fn durable(captures: &[Capture]) -> impl Iterator<Item = &Capture> {
    captures.iter().filter(|capture| capture.custody == Custody::Durable)
}

fn digest(body: &Body) -> String {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests;
