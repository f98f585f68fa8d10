//! A changing request and its outcome, as reports show it.

use flowswap_engine::{RequestOutcome, SentRequest, Time};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::display::text::{Text, text};

/// A request that changes something.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Request {
    /// The HTTP method.
    method: String,
    /// The URL.
    url: String,
    /// When it was sent.
    #[schemars(with = "Time")]
    at: Timestamp,
    /// What became of it. `None` if the journal does not record that.
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
