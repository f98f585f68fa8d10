//! Makes one request, in this order: guard, splice, journal, send, capture, journal, answer.

use std::collections::BTreeMap;

use base16ct::lower::encode_string as hex;
use bytes::Bytes;
use flowswap_contract::{Answer, Blind, Body, Custody, Error, ErrorKind, Handle, HttpAnswer, HttpAsk, Intent};
use flowswap_engine::{Entry, Event, Mode, RequestOutcome, Secret, intent_token};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sha2::{Digest, Sha256};

use crate::{
    blind::blind,
    brought::Expected,
    budget::SECRET,
    capture::{self, Extracted, OwnText},
    chain,
    guard::{Permitted, describe},
    oauth::Bearer,
    redact::Redactor,
    scope::{Performed, Scope, internal},
    secret_members::{hide_members, hide_texts_of_token},
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
    pub(crate) async fn make_request(&self, ask: &HttpAsk) -> Result<Performed, Error> {
        let permitted = self.permission().permit(ask)?;
        let expected = self.expect_captures(ask).await?;
        let secrets = self.fetch_secrets(ask, &permitted).await?;
        let request = self.assemble(ask, &permitted, splice(ask, &secrets)?)?;
        let bearer = Bearer::of(ask, &secrets);
        self.prepare_token(bearer).await?;
        self.wait_at_gate(ask, &permitted).await?;
        self.refuse_during_outage(&permitted)?;
        self.refuse_late_removal(ask)?;
        let intended = match ask.intent {
            Intent::Mutate => Some(self.intend(ask, &permitted, &expected).await?),
            Intent::Read | Intent::Authenticate => None,
        };
        let mut sending = self.send_authorized(ask, &permitted, request, bearer).await;
        let held = sending.take_held();
        self.tell_of_request(ask, &permitted, &sending);
        let answer = self.conclude(ask, &permitted, intended, sending, &secrets, expected).await?;
        Ok(Performed { answer: Answer::Http(answer), held })
    }

    /// Tells the operator how a request ended.
    pub(crate) fn tell_of_request(&self, ask: &HttpAsk, permitted: &Permitted, sending: &Sending) {
        self.emit(Event::Request {
            tenant: self.side.tenant.clone(),
            method: ask.method.clone(),
            url: permitted.url.to_string(),
            status: sending.status(),
            attempts: sending.attempts,
        });
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
            headers.insert(header::AUTHORIZATION, authorization);
        }
        if let Some(content_type) = spliced.content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        // Some gateways answer 411 to a request that could have a body and has no content length.
        if !spliced.body.is_empty() || matches!(permitted.method, Method::POST | Method::PUT | Method::PATCH) {
            headers.insert(header::CONTENT_LENGTH, spliced.body.len().into());
        }
        let mut request = http::Request::new(spliced.body);
        *request.method_mut() = permitted.method.clone();
        *request.uri_mut() = permitted.url.as_str().parse().map_err(|e: http::uri::InvalidUri| internal(&e))?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Names the run and the step for the other side's log. A dry run has neither.
    pub(crate) fn user_agent(&self) -> String {
        let agent = concat!("flowswap/", env!("CARGO_PKG_VERSION"));
        match (self.mode, self.step) {
            (Mode::DryRun, _) => agent.to_owned(),
            (Mode::Apply | Mode::Remove, None) => format!("{agent} (+run:{})", self.run),
            (Mode::Apply | Mode::Remove, Some(step)) => format!("{agent} (+intent:{})", intent_token(self.run, step)),
        }
    }

    async fn intend(&self, ask: &HttpAsk, permitted: &Permitted, expected: &Expected<'_>) -> Result<Intended, Error> {
        let Some(step) = self.step.map(str::to_owned) else {
            return Err(Error::new(ErrorKind::Internal, "a mutating request was permitted outside of any step"));
        };
        let request = self.next_mutation(&step)?;
        let entry = Entry::RequestIntended {
            step: step.clone(),
            request,
            method: ask.method.clone(),
            url: permitted.url.to_string(),
            body_sha256: ask.body.as_ref().map(digest),
            secrets: expected.handles().to_vec(),
        };
        self.record(entry).await.map_err(|e| {
            let message = format!("{} was not sent: {}", describe(&ask.method, &ask.url), chain(&e));
            Error::new(ErrorKind::Internal, message)
        })?;
        Ok(Intended { step, request })
    }

    /// Stores the secrets of the answer, records the outcome of the request, and builds the plugin's answer.
    async fn conclude(
        &self,
        ask: &HttpAsk,
        permitted: &Permitted,
        intended: Option<Intended>,
        sending: Sending,
        secrets: &BTreeMap<Handle, Secret>,
        mut expected: Expected<'_>,
    ) -> Result<HttpAnswer, Error> {
        let mutates = intended.is_some();
        if mutates && sending.may_have_changed() {
            self.touch();
        }
        let outcome = sending.outcome(self.side.dialect.as_ref().map(|d| d.request_id.as_str()));
        let answer = sending.into_answer(ask, permitted);

        // A secret is shown once, so it is stored before anything else that could fail.
        let mut stored = Ok(());
        let answer = answer.map(|mut answer| {
            let extracted =
                if answer.is_success() { self.extract(ask, secrets, &mut answer) } else { Extracted::default() };
            (answer, extracted)
        });
        if let Ok((_, extracted)) = &answer {
            stored = self.store_secrets(extracted, &mut expected).await;
        }
        // It knows the captured secrets as well: a server may repeat them anywhere, for example in the id of the request.
        let redactor = self.side.vault.redactor();
        if let Some(intended) = &intended {
            let Intended { step, request } = intended;
            let outcome = redacted(outcome, &redactor);
            let ended = Entry::RequestEnded { step: step.clone(), request: *request, outcome };
            self.record(ended).await.map_err(|e| {
                let message =
                    format!("the outcome of {} was not recorded: {}", describe(&ask.method, &ask.url), chain(&e));
                Error::new(ErrorKind::Internal, message).with_unknown_effect()
            })?;
        }
        let unknown = |error: Error| if mutates { error.with_unknown_effect() } else { error };
        let (mut answer, extracted) = answer.map_err(|mut error| {
            error.message = redactor.text(&error.message);
            error.context.values_mut().for_each(|value| *value = redactor.text(value));
            error
        })?;
        stored.map_err(unknown)?;
        self.record_stored_secrets(&extracted).await.map_err(unknown)?;
        if extracted.has_too_long {
            let message = format!("the answer to {} is not used: {SECRET}", describe(&ask.method, &ask.url));
            return Err(unknown(Error::new(ErrorKind::Invalid, message)));
        }
        if extracted.has_word {
            let message = format!(
                "the answer to {} has a word, or a text of fewer than 16 characters, where a new secret belongs",
                describe(&ask.method, &ask.url)
            );
            return Err(unknown(Error::new(ErrorKind::Invalid, message)));
        }
        if extracted.has_other {
            let message =
                format!("the answer to {} repeats something else as a new secret", describe(&ask.method, &ask.url));
            return Err(unknown(Error::new(ErrorKind::Invalid, message)));
        }
        if !extracted.missing.is_empty() {
            let request = describe(&ask.method, &ask.url);
            let message = format!("the answer to {request} has no secret at `{}`", extracted.missing.join("`, `"));
            return Err(unknown(Error::new(ErrorKind::Invalid, message)));
        }
        if answer.is_success()
            && let Some(keep) = &ask.keep
        {
            keep.prune(&mut answer.body);
        }
        let handles = extracted.captured.iter().map(|captured| &captured.handle).collect();
        hide_members(&mut answer.body, &handles);
        if ask.intent == Intent::Authenticate && answer.is_success() {
            hide_texts_of_token(&mut answer.body, &handles);
        }
        // A keyed hash of a secret would tell something about it to a plugin that knows the key.
        redact(&mut answer, &redactor);
        if let Some(Blind { key, pointers }) = ask.blind.as_deref()
            && let Some(key) = secrets.get(key)
            && answer.is_success()
        {
            blind(&mut answer.body, pointers, key);
        }
        Ok(answer)
    }

    fn extract(&self, ask: &HttpAsk, sent: &BTreeMap<Handle, Secret>, answer: &mut HttpAnswer) -> Extracted {
        let vault = &self.side.vault;
        let own_text = OwnText::of(ask);
        let is_repeated = |new: &Secret, handle: &Handle, custody| match custody {
            _ if own_text.contains(new) => true,
            Custody::Durable => vault.repeats(handle, new),
            Custody::Session => vault.repeats_credential(new, sent.values()),
        };
        let extracted = capture::extract(&ask.capture, &mut answer.body, is_repeated, |capture| self.name(capture));
        extracted.captured.iter().for_each(|captured| vault.remember(&captured.secret, captured.custody));
        extracted
    }
}

fn redact(answer: &mut HttpAnswer, redactor: &Redactor) {
    redactor.value(&mut answer.body);
    answer.headers.retain(|(name, _)| !redactor.has_secret(name));
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

fn digest(body: &Body) -> String {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
pub(crate) mod tests;
