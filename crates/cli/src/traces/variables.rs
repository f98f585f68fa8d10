//! The variables of OpenTelemetry that say whether traces are sent, and where to. The SDK reads them too, and ignores one that it
//! does not understand. Here it is an error: its author would search for traces that never come. Pure.

use http::{HeaderName, HeaderValue, Uri};

/// Each of them names a collector. The first one goes before the second one.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const HEADERS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
/// The samplers of the specification that need nothing else to run.
const SAMPLERS: [&str; 6] = [
    "always_off",
    "always_on",
    "parentbased_always_off",
    "parentbased_always_on",
    "parentbased_traceidratio",
    "traceidratio",
];
/// The client sets these itself.
const FRAMING: [&str; 5] = ["connection", "content-length", "content-type", "host", "transfer-encoding"];

/// The value of a variable. An error if it is not UTF-8.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Result<Option<String>, String>;

/// Whether the variables ask for traces. An empty one counts as not set.
///
/// # Errors
///
/// If one of them is wrong. The message never has a value, because headers are secrets.
pub(super) fn ask_for_traces(variable: Lookup<'_>) -> Result<bool, String> {
    let value = |name: &str| variable(name).map(|value| value.filter(|value| !value.is_empty()));
    let is =
        |name, expected: &str| Ok::<_, String>(value(name)?.is_some_and(|value| value.eq_ignore_ascii_case(expected)));
    let mut is_asked = false;
    for name in ENDPOINTS {
        is_asked |= value(name)?.is_some();
    }
    if !is_asked || is("OTEL_SDK_DISABLED", "true")? || is("OTEL_TRACES_EXPORTER", "none")? {
        return Ok(false);
    }
    for name in ENDPOINTS {
        let is_url = |text: &str| text.parse::<Uri>().is_ok_and(|url| url.scheme().is_some() && url.host().is_some());
        if value(name)?.is_some_and(|text| !is_url(&text)) {
            return Err(format!("`{name}` is not a URL such as `https://collector.example.com:4318`"));
        }
    }
    for name in HEADERS {
        let headers = value(name)?.unwrap_or_default();
        for (index, entry) in headers.split(',').map(str::trim).enumerate().filter(|(_, entry)| !entry.is_empty()) {
            check_header(entry).map_err(|problem| format!("entry {} of `{name}` {problem}", index + 1))?;
        }
    }
    match value(SAMPLER)? {
        Some(sampler) if !SAMPLERS.contains(&sampler.as_str()) => {
            Err(format!("`{SAMPLER}` is not one of {}", SAMPLERS.join(", ")))
        }
        _ => Ok(true),
    }
}

/// The form is that of the specification: `name=value`, with the value percent-encoded.
fn check_header(entry: &str) -> Result<(), &'static str> {
    let (name, value) = entry.split_once('=').ok_or("is not `name=value`")?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| "has a name that no header can have")?;
    if FRAMING.contains(&name.as_str()) {
        return Err("names a header that only flowswap may set");
    }
    let value = percent_encoding::percent_decode_str(value.trim()).collect::<Vec<u8>>();
    HeaderValue::from_bytes(&value).map(drop).map_err(|_| "has a value that a header cannot hold")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.test");

    fn ask(variables: &[(&str, &str)]) -> Result<bool, String> {
        ask_for_traces(&|name| {
            Ok(variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        })
    }

    #[test]
    fn traces_are_sent_only_if_the_variables_ask_for_it() {
        for more in [
            ("OTEL_SDK_DISABLED", "false"),
            ("OTEL_TRACES_EXPORTER", "otlp"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, x-tenant = 7,"),
        ] {
            assert_eq!(ask(&[ENDPOINT, more]), Ok(true), "{more:?}");
        }
        assert_eq!(ask(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://localhost:4318/v1/traces")]), Ok(true));
        assert_eq!(ask(&[]), Ok(false));
        assert_eq!(ask(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), Ok(false));
        assert_eq!(ask(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")]), Ok(false));
        assert_eq!(ask(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]), Ok(false));
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_named_without_its_value() {
        for (name, value, problem) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "canary not a url", "is not a URL"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "canary", "is not a URL"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,canary", "is not `name=value`"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "bad name=canary", "has a name that no header can have"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=canary%0d%0ax: y", "has a value that a header cannot hold"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "Content-Length=canary", "names a header that only flowswap may set"),
            ("OTEL_TRACES_SAMPLER", "canary", "is not one of always_off"),
        ] {
            let error = ask(&[ENDPOINT, (name, value)]
                .into_iter()
                .filter(|it| it.0 != name || it.1 == value)
                .collect::<Vec<_>>());
            let error = error.unwrap_err();
            assert!(error.contains(name) && error.contains(problem) && !error.contains("canary"), "{error}");
        }
        let error = ask_for_traces(&|name| Err(format!("`{name}` is not UTF-8"))).unwrap_err();
        assert!(error.contains("UTF-8"));
    }
}
