//! The spans of a run: one for the run, one in it for each tenant, and one in that for each step. The events of the engine open
//! and close them. The engine itself knows nothing of spans.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use flowswap_contract::Level;
use flowswap_engine::{Event, EventSink, RunId, TenantState};
use tracing::{Dispatch, Span, dispatcher, event, info_span};

use crate::{
    documents,
    events::{EventLine, Happened},
};

/// A sink that also puts each event into its span.
pub(super) struct Traced {
    events: Arc<dyn EventSink>,
    dispatch: Dispatch,
    spans: Mutex<Spans>,
}

/// The spans that are open.
#[derive(Default)]
struct Spans {
    run: Option<Span>,
    tenants: BTreeMap<String, Span>,
    steps: BTreeMap<String, Span>,
}

impl Traced {
    pub(super) fn new(events: Arc<dyn EventSink>, dispatch: Dispatch) -> Self {
        Self { events, dispatch, spans: Mutex::default() }
    }

    fn trace(&self, happened: &Event) {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        spans.open(happened);
        let Ok(line) = documents::print_line(&EventLine::<()>::now(Happened::Event(happened))) else { return };
        let (parent, line) = (spans.around(happened).and_then(Span::id), line.as_str());
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

impl Spans {
    fn open(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, .. } => self.run = Some(info_span!("run", trace_id = trace_id(*run))),
            Event::TenantStarted { tenant, .. } => {
                let span = info_span!(parent: self.run.as_ref().and_then(Span::id), "tenant", tenant);
                self.tenants.insert(tenant.clone(), span);
            }
            Event::StepStarted { tenant, step, .. } => {
                let parent = self.tenants.get(tenant).or(self.run.as_ref()).and_then(Span::id);
                self.steps.insert(tenant.clone(), info_span!(parent: parent, "step", step));
            }
            _ => {}
        }
    }

    /// The innermost span of an event.
    fn around(&self, event: &Event) -> Option<&Span> {
        let tenant = tenant_of(event);
        let of_tenant = tenant.and_then(|tenant| self.steps.get(tenant).or_else(|| self.tenants.get(tenant)));
        of_tenant.or(self.run.as_ref())
    }

    fn close(&mut self, event: &Event) {
        match event {
            Event::StepEnded { tenant, .. } | Event::StepFailed { tenant, .. } => drop(self.steps.remove(tenant)),
            Event::TenantEnded { tenant, .. } => {
                self.steps.remove(tenant);
                self.tenants.remove(tenant);
            }
            _ => {}
        }
    }
}

/// The id of a run as OpenTelemetry writes it. With hyphens, it is the first part of every intent token.
fn trace_id(run: RunId) -> String {
    run.to_string().replace('-', "")
}

fn tenant_of(event: &Event) -> Option<&str> {
    match event {
        Event::RunStarted { .. }
        | Event::FewerAtOnce { .. }
        | Event::RunPaused { .. }
        | Event::RunUnpaused { .. }
        | Event::RunCanceled { .. } => None,
        Event::TenantStarted { tenant, .. }
        | Event::ChangesAccepted { tenant, .. }
        | Event::StepStarted { tenant, .. }
        | Event::StepEnded { tenant, .. }
        | Event::StepFailed { tenant, .. }
        | Event::Request { tenant, .. }
        | Event::Waiting { tenant, .. }
        | Event::OperatorAsked { tenant, .. }
        | Event::Progress { tenant, .. }
        | Event::TenantEnded { tenant, .. }
        | Event::TenantRefused { tenant, .. }
        | Event::TenantSkipped { tenant, .. } => Some(tenant),
        Event::Log { tenant, .. } => tenant.as_deref(),
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
