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
            Some(outcome) => text!("{}", outcome),
        };
        text!("{} {} at {}: {}", method, url, at, outcome)
    }
}
