//! Describes errors of the TOML parser in plain words.

use toml::de::Error;

use crate::{diagnostic::Diagnostic, location::Location};

/// The error with its place in `text`.
pub(crate) fn describe(error: &Error, source: usize, text: &str) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    let at = Location::new(source, span.clone());
    let (what, expected) = error.message().split_once(", expected ").unwrap_or((error.message(), ""));
    let rest = &text[span.start..];
    match what {
        // The parser reports this for everything that it does not recognize as a value.
        "string values must be quoted" if rest.is_empty() || rest.starts_with(['\n', '\r', '#']) => {
            Diagnostic::new("a key has no value").at(at, "expected a value")
        }
        "string values must be quoted" => {
            Diagnostic::new("a value is not in quotes").at(at, "").help("put it in double quotes")
        }
        "duplicate key" => Diagnostic::new("duplicate key")
            .at(at, "second definition")
            .help("define each key and each `[table]` once; write `[[table]]` for a list of tables"),
        "invalid basic string" | "invalid literal string" if rest.is_empty() || rest.starts_with(['\n', '\r']) => {
            Diagnostic::new("a string has no closing quote")
                .at(at, format!("expected {expected} before the end of the line"))
        }
        _ if expected.is_empty() => Diagnostic::new(format!("invalid TOML: {what}")).at(at, ""),
        _ => Diagnostic::new(format!("invalid TOML: {what}")).at(at, format!("expected {expected}")),
    }
}
