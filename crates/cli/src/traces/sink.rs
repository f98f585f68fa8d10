//! Makes spans of the events of a run.

use std::sync::{Arc, Mutex, PoisonError};

use flowswap_engine::{Event, EventSink, TenantState};
use opentelemetry::{
    Context, KeyValue, SpanId, TraceId, Value,
    trace::{Status, TraceContextExt, Tracer},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer};
use serde_json::Value as Json;

use super::Open;
use crate::spans::{Begun, trace_id};

/// A sink that also makes spans.
pub(super) struct Spanned {
    events: Arc<dyn EventSink>,
    tracer: SdkTracer,
    ids: RunIds,
    spans: Open,
}

/// Gives each trace the id of its run.
#[derive(Debug, Clone, Default)]
pub(super) struct RunIds {
    run: Arc<Mutex<Option<TraceId>>>,
    random: RandomIdGenerator,
}

impl Spanned {
    pub(super) fn new(events: Arc<dyn EventSink>, tracer: SdkTracer, ids: RunIds, spans: Open) -> Self {
        Self { events, tracer, ids, spans }
    }

    fn trace(&self, event: &Event) {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        spans.open(event, |begun, around| self.begin(begun, around));
        if let Some(context) = spans.around(event) {
            let span = context.span();
            let (name, attributes) = describe(event);
            span.add_event(name, attributes);
            if let Some(problem) = problem(event) {
                span.set_status(Status::error(problem.to_owned()));
            }
        }
        spans.close(event);
    }

    fn begin(&self, begun: Begun<'_>, around: Option<&Context>) -> Context {
        let builder = match begun {
            Begun::Run(run) => {
                *self.ids.run.lock().unwrap_or_else(PoisonError::into_inner) = TraceId::from_hex(&trace_id(run)).ok();
                self.tracer.span_builder("run")
            }
            Begun::Tenant(tenant) => {
                let attribute = KeyValue::new("flowswap.tenant", tenant.to_owned());
                self.tracer.span_builder("tenant").with_attributes([attribute])
            }
            Begun::Step(step) => self.tracer.span_builder(step.to_owned()),
        };
        let around = around.cloned().unwrap_or_default();
        let span = builder.start_with_context(&self.tracer, &around);
        around.with_span(span)
    }
}

impl EventSink for Spanned {
    fn emit(&self, event: Event) {
        self.trace(&event);
        self.events.emit(event);
    }
}

impl IdGenerator for RunIds {
    fn new_trace_id(&self) -> TraceId {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.unwrap_or_else(|| self.random.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.random.new_span_id()
    }
}

/// The name of an event, and its members that are no lists.
fn describe(event: &Event) -> (String, Vec<KeyValue>) {
    let Ok(Json::Object(mut members)) = serde_json::to_value(event) else { return ("event".to_owned(), Vec::new()) };
    let name = members.remove("event").and_then(|name| name.as_str().map(str::to_owned));
    let attributes = members.into_iter().filter_map(|(name, value)| {
        let value: Value = match value {
            Json::String(text) => text.into(),
            Json::Bool(value) => value.into(),
            Json::Number(number) => number.as_i64()?.into(),
            Json::Null | Json::Array(_) | Json::Object(_) => return None,
        };
        Some(KeyValue::new(format!("flowswap.{name}"), value))
    });
    (name.unwrap_or_else(|| "event".to_owned()), attributes.collect())
}

/// Why the span around an event failed.
fn problem(event: &Event) -> Option<&str> {
    match event {
        Event::StepFailed { message, .. } => Some(message),
        Event::TenantEnded { state: TenantState::Failed | TenantState::Stuck, reason, .. } => {
            Some(reason.as_deref().unwrap_or_default())
        }
        _ => None,
    }
}
