//! What programs read and write: JSON documents and their schemas, errors, events, and variables.

/// What a shell completes at a Tab.
mod completion;
/// A variable has the effect of an option.
mod environment;
/// Errors as JSON, on the last line of stderr.
mod errors;
/// `--format jsonl`.
mod events;
/// A strict reader of metrics.
pub(crate) mod exposition;
/// `--log-file`.
mod log_file;
/// `--metrics`.
mod metrics;
/// Documents follow their schemas, which change only on purpose.
pub(crate) mod schemas;
/// `watch` under a service manager.
#[cfg(target_os = "linux")]
mod service;
/// Traces to a collector.
#[cfg(feature = "otlp")]
mod traces;
