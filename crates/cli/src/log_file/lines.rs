//! Writes each event with the spans around it: the line of `--format jsonl`, and after it the level, the trace, the tenant, and
//! the step.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::Serialize;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

use super::Sink;

/// The layer that writes the file.
pub(super) struct Lines(Arc<Sink>);

/// The fields of a span, or of an event.
#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

/// What a line has besides its event.
#[derive(Serialize)]
struct Around<'a> {
    level: String,
    /// `None` outside of runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    /// The fields of the spans below the run.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    span: BTreeMap<&'a str, &'a str>,
}

impl Lines {
    pub(super) fn to(sink: Arc<Sink>) -> Self {
        Self(sink)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut of_event = Fields::default();
        event.record(&mut of_event);
        let Some(line) = of_event.0.get("line") else { return };
        let spans = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let mut fields: BTreeMap<&str, String> = spans.flat_map(|span| of_span(&span)).collect();
        let trace_id = fields.remove("trace_id");
        let around = Around {
            level: event.metadata().level().as_str().to_ascii_lowercase(),
            trace_id: trace_id.as_deref(),
            span: fields.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        };
        // Both are objects, so one continues the other.
        let members = line.trim_end().strip_suffix('}');
        if let (Some(members), Ok(around)) = (members, serde_json::to_string(&around)) {
            self.0.write(&format!("{members},{}\n", around.trim_start_matches('{')));
        }
    }
}

fn of_span<S: for<'a> LookupSpan<'a>>(span: &SpanRef<'_, S>) -> Vec<(&'static str, String)> {
    let extensions = span.extensions();
    let fields = extensions.get::<Fields>().into_iter().flat_map(|fields| &fields.0);
    fields.map(|(name, value)| (*name, value.clone())).collect()
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
