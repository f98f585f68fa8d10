//! Sends traces to a collector by OTLP (<https://opentelemetry.io/docs/specs/otlp/>): a span for each run, in it one for each
//! tenant, and in that one for each step. The variables of OpenTelemetry say where to
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>). Without them, nothing is sent.
//!
//! The spans are made of the events of `--format jsonl`, so no secret is in them.

mod client;
mod sink;
mod variables;

use std::{
    env::{self, VarError},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use flowswap_config::Config;
use flowswap_engine::EventSink;
use flowswap_host::{Network, build, chain};
use opentelemetry::{Context, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};

use self::{
    client::{Client, FirstFailure},
    sink::{RunIds, Spanned},
    variables::ask_for_traces,
};
use crate::{
    display::text::text,
    spans::Spans,
    terminal::{Terminal, Tone, paint},
};

/// How long a command waits at its end for the collector.
const PATIENCE: Duration = Duration::from_secs(5);

/// The spans of one sink that are open.
type Open = Arc<Mutex<Spans<Context>>>;

/// Sends the traces of a command.
#[derive(Default)]
pub(crate) struct Traces {
    network: OnceLock<Network>,
    /// `None` if nothing is to be sent, or if the variables cannot be used.
    sender: OnceLock<Option<Sender>>,
    failure: FirstFailure,
}

struct Sender {
    provider: SdkTracerProvider,
    ids: RunIds,
    open: Mutex<Vec<Open>>,
}

impl Traces {
    /// Sends through this network. Only the first one counts.
    pub(crate) fn use_network(&self, config: &Config) {
        self.network.get_or_init(|| Network {
            ca_file: config.network.ca_file.clone(),
            resolve: config.network.resolve.clone(),
            ..Network::default()
        });
    }

    /// The same sink for one run at a time, whose events are also sent.
    pub(crate) fn beside(&self, events: Arc<dyn EventSink>) -> Arc<dyn EventSink> {
        let Some(sender) = self.sender.get_or_init(|| self.start()) else { return events };
        let spans = Open::default();
        sender.open.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&spans));
        Arc::new(Spanned::new(events, sender.provider.tracer("flowswap"), sender.ids.clone(), spans))
    }

    /// Ends all spans, and sends what was not sent. Says on stderr if the collector did not get everything: the work itself has
    /// its result, so the exit code stays as it is.
    pub(crate) async fn finish(&self, terminal: Terminal) {
        if let Some(Some(Sender { provider, open, .. })) = self.sender.get() {
            for spans in open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                *spans.lock().unwrap_or_else(PoisonError::into_inner) = Spans::default();
            }
            let provider = provider.clone();
            let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(PATIENCE)).await;
            if !matches!(ended, Ok(Ok(()))) {
                self.failure.note("the collector did not take everything in time");
            }
        }
        if let Some(failure) = self.failure.take() {
            terminal.say(text!("{} traces are incomplete: {}", paint(Tone::Care, "warning:"), failure));
        }
    }

    fn start(&self) -> Option<Sender> {
        let variable = |name: &str| match env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(format!("`{name}` is not UTF-8")),
        };
        if !ask_for_traces(&variable).map_err(|problem| self.failure.note(&problem)).ok()? {
            return None;
        }
        let ids = RunIds::default();
        let exporter = self.export().map_err(|problem| self.failure.note(&problem)).ok()?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_id_generator(ids.clone())
            .with_resource(resource())
            .build();
        Some(Sender { provider, ids, open: Mutex::default() })
    }

    fn export(&self) -> Result<SpanExporter, String> {
        let network = self.network.get().cloned().unwrap_or_default();
        let connect = build(&network).map_err(|error| chain(&error))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(connect, self.failure.clone()))
            .with_protocol(Protocol::HttpJson);
        // Its errors can name the values of variables, and those of headers are secrets.
        exporter.build().map_err(|_| {
            "a variable `OTEL_EXPORTER_OTLP_…` cannot be used; it is not the endpoint or the headers".to_owned()
        })
    }
}

/// What the spans are about. The variables can name it otherwise.
fn resource() -> Resource {
    let names_service = |name: &str| env::var(name).is_ok_and(|value| value.contains("service.name="));
    let resource = Resource::builder();
    let resource = match env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource,
        _ if names_service("OTEL_RESOURCE_ATTRIBUTES") => resource,
        _ => resource.with_service_name("flowswap"),
    };
    resource.with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build()
}
