//! The text format of Prometheus, version 0.0.4, as the textfile collector of node_exporter reads it:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>. The crates for metrics write OpenMetrics, which names counters
//! in another way, and that collector does not read it.

use std::fmt::Display;

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Type {
    /// It goes up and down.
    Gauge,
    /// It only goes up, and begins again with each run.
    Counter,
}

/// The labels of a sample, and its value.
pub(super) type Sample = (Vec<(&'static str, String)>, String);

/// A text of metrics.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Adds all samples of one metric, with what it means. A metric without samples is left out.
    pub(super) fn add(
        &mut self,
        name: &'static str,
        kind: Type,
        help: &'static str,
        samples: impl IntoIterator<Item = Sample>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let kind = match kind {
            Type::Gauge => "gauge",
            Type::Counter => "counter",
        };
        self.0 += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in samples {
            let labels: Vec<String> =
                labels.into_iter().map(|(label, text)| format!("{label}=\"{}\"", escape(&text))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            self.0 += &format!("{name}{labels} {value}\n");
        }
    }

    /// The text so far.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// The value of a sample. Rust writes every finite number as the format reads it.
pub(super) fn value(number: impl Display) -> String {
    number.to_string()
}

/// Only these three characters have a meaning in the value of a label.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
