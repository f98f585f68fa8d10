//! A request that was to change something, and what became of it, as reports tell it.

use flowswap_engine::{RequestOutcome, SentRequest};
use jiff::Timestamp;
use serde::Serialize;

/// Part of reports; scripts rely on its names.
#[derive(Serialize)]
pub(crate) struct Request {
    method: String,
    url: String,
    at: Timestamp,
    outcome: Option<RequestOutcome>,
}

impl From<&SentRequest> for Request {
    fn from(sent: &SentRequest) -> Self {
        Self { method: sent.method.clone(), url: sent.url.clone(), at: sent.at, outcome: sent.outcome.clone() }
    }
}

impl Request {
    pub(crate) fn show(&self) -> String {
        let Self { method, url, at, outcome } = self;
        let outcome = match outcome {
            None => "what came of it was not recorded".to_owned(),
            Some(RequestOutcome::Answered { status, request_id: Some(id) }) => {
                format!("answered {status}, request id {id}")
            }
            Some(RequestOutcome::Answered { status, request_id: None }) => format!("answered {status}"),
            Some(RequestOutcome::NotSent { message }) => format!("not sent: {message}"),
            Some(RequestOutcome::Lost { message }) => message.clone(),
        };
        format!("{method} {url} at {at}: {outcome}")
    }
}
