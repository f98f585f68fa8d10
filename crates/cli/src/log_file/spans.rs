//! Puts each event of a run into its span.

use std::sync::{Arc, Mutex, PoisonError};

use flowswap_contract::Level;
use flowswap_engine::{Event, EventSink, TenantState};
use tracing::{Dispatch, Span, dispatcher, event, info_span};

use crate::{
    documents,
    events::{EventLine, Happened},
    spans::{Begun, Spans, trace_id},
};

/// A sink that also puts each event into its span.
pub(super) struct Traced {
    events: Arc<dyn EventSink>,
    dispatch: Dispatch,
    spans: Mutex<Spans<Span>>,
}

impl Traced {
    pub(super) fn new(events: Arc<dyn EventSink>, dispatch: Dispatch) -> Self {
        Self { events, dispatch, spans: Mutex::default() }
    }

    fn trace(&self, happened: &Event) {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        spans.open(happened, begin);
        let Ok(line) = documents::print_line(&EventLine::<()>::now(Happened::Event(happened))) else { return };
        let (parent, line) = (spans.around(happened).and_then(|span| span.id()), line.as_str());
        // The level of an event is part of its place in the code.
        match level(happened) {
            tracing::Level::ERROR => event!(parent: parent, tracing::Level::ERROR, line),
            tracing::Level::WARN => event!(parent: parent, tracing::Level::WARN, line),
            tracing::Level::INFO => event!(parent: parent, tracing::Level::INFO, line),
            _ => event!(parent: parent, tracing::Level::DEBUG, line),
        }
        spans.close(happened);
    }
}

impl EventSink for Traced {
    fn emit(&self, event: Event) {
        dispatcher::with_default(&self.dispatch, || self.trace(&event));
        self.events.emit(event);
    }
}

fn begin(begun: Begun<'_>, around: Option<&Span>) -> Span {
    let around = around.and_then(Span::id);
    match begun {
        Begun::Run(run) => info_span!("run", trace_id = trace_id(run)),
        Begun::Tenant(tenant) => info_span!(parent: around, "tenant", tenant),
        Begun::Step(step) => info_span!(parent: around, "step", step),
    }
}

fn level(event: &Event) -> tracing::Level {
    match event {
        Event::TenantEnded { state: TenantState::Failed | TenantState::Stuck, .. } => tracing::Level::ERROR,
        Event::StepFailed { .. }
        | Event::TenantRefused { .. }
        | Event::TenantSkipped { .. }
        | Event::Log { level: Level::Warn, .. } => tracing::Level::WARN,
        Event::Request { .. }
        | Event::Waiting { .. }
        | Event::Progress { .. }
        | Event::Log { level: Level::Debug, .. } => tracing::Level::DEBUG,
        _ => tracing::Level::INFO,
    }
}
