//! A changing request and its outcome, as reports show it.

use flowswap_engine::{RequestOutcome, SentRequest};
use jiff::Timestamp;
use serde::Serialize;

use crate::display::text::{Text, text};

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
    pub(crate) fn show(&self) -> Text {
        let Self { method, url, at, outcome } = self;
        let outcome = match outcome {
            None => Text::from("the journal does not record its outcome"),
            Some(RequestOutcome::Answered { status, request_id: Some(id) }) => {
                text!("answered {}, request id {}", status, id)
            }
            Some(RequestOutcome::Answered { status, request_id: None }) => text!("answered {}", status),
            Some(RequestOutcome::NotSent { message }) => text!("not sent: {}", message),
            Some(RequestOutcome::Lost { message }) => Text::of(message),
        };
        text!("{} {} at {}: {}", method, url, at, outcome)
    }
}
