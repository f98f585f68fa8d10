//! `--format jsonl`: each event is a line of JSON on stdout as it happens, and the last line is the report.

use flowswap_engine::{Clock, Event, Time};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    clock::SystemClock,
    documents::{Document, DocumentName},
};

/// One line of `--format jsonl`.
#[derive(Serialize, JsonSchema)]
#[schemars(bound = "")]
pub(crate) struct EventLine<'a, R = ()> {
    /// When it happened, by the clock of this machine.
    #[schemars(with = "Time")]
    at: Timestamp,
    #[serde(flatten)]
    happened: Happened<'a, R>,
}

/// What happened.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(bound = "")]
pub(crate) enum Happened<'a, R> {
    /// In a run, or in a request.
    Event(&'a Event),
    /// While a command only reads.
    Reading(Reading<'a>),
    /// The command ended with a report.
    Report(Last<'a, R>),
}

/// How far a command is that only reads.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Reading<'a> {
    /// The command began to read tenants.
    ReadingStarted {
        /// How many tenants it reads.
        tenants: usize,
    },
    /// The command read a tenant.
    TenantRead {
        /// The tenant.
        tenant: &'a str,
    },
}

/// The last line.
#[derive(Serialize, JsonSchema)]
#[schemars(bound = "")]
pub(crate) struct Last<'a, R> {
    /// The last event.
    event: LastEvent,
    /// The name of the document; `flowswap schema` prints its schema.
    document: String,
    /// The document, as `--format json` prints it.
    #[schemars(with = "Value")]
    report: &'a R,
}

/// The name of the last event.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum LastEvent {
    /// The command ended with a report.
    Report,
}

impl<R: Serialize> Document for EventLine<'_, R> {
    const NAME: DocumentName = DocumentName::Event;
}

impl<'a, R> EventLine<'a, R> {
    /// What happens now.
    pub(crate) fn now(happened: Happened<'a, R>) -> Self {
        Self { at: SystemClock.now(), happened }
    }

    /// A report of this name, now.
    pub(crate) fn of_report(name: DocumentName, report: &'a R) -> Self {
        Self::now(Happened::Report(Last { event: LastEvent::Report, document: name.word(), report }))
    }
}
