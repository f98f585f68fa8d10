//! The origins that a session may talk to. An origin is `https`, a host, and a port.

use flowswap_contract::{ConfigKey, Error, ErrorKind};
use reqwest::Url;
use serde_json::{Map, Value};

/// An `https` origin in its canonical form (RFC 6454 §6.2), such as `https://acme.okta.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl Origin {
    /// The origin of a URL; `None` if the URL is not `https`.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        (url.scheme() == "https" && url.has_host()).then(|| Self(url.origin().ascii_serialization()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, with its port unless it is the default port.
    pub(crate) fn host(&self) -> &str {
        self.0.strip_prefix("https://").unwrap_or(&self.0)
    }
}

/// Fills a plugin's templates, such as `https://{domain}`, with the values of its table. A template whose optional key
/// is missing yields no origin.
pub(crate) fn fill(
    templates: &[String],
    keys: &[ConfigKey],
    config: &Map<String, Value>,
) -> Result<Vec<Origin>, Error> {
    let mut origins = Vec::new();
    for template in templates {
        if let Some(text) = fill_one(template, keys, config)? {
            origins.push(parse(&text).ok_or_else(|| not_an_origin(template, &text))?);
        }
    }
    Ok(origins)
}

fn fill_one(template: &str, keys: &[ConfigKey], config: &Map<String, Value>) -> Result<Option<String>, Error> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((key, after)) = after.split_once('}') else {
            let message = format!("the plugin's origin `{template}` has an unmatched brace");
            return Err(Error::new(ErrorKind::Protocol, message));
        };
        text.push_str(before);
        match config.get(key) {
            Some(Value::String(value)) => text.push_str(value),
            Some(_) => return Err(Error::new(ErrorKind::Config, format!("`{key}` must be a string"))),
            None if keys.iter().any(|k| k.name == key && !k.required) => return Ok(None),
            None => return Err(Error::new(ErrorKind::Config, format!("`{key}` is missing"))),
        }
        rest = after;
    }
    text.push_str(rest);
    Ok(Some(text))
}

fn parse(text: &str) -> Option<Origin> {
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    // The parser accepts white space, backslashes, missing slashes, and an empty user name. They would mislead a reader
    // of the configuration.
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\' || c == '@');
    if bare && plain && text.starts_with("https://") { Origin::of(&url) } else { None }
}

fn not_an_origin(template: &str, text: &str) -> Error {
    let error = Error::new(ErrorKind::Config, format!("`{text}` is not an https origin"));
    match template.split_once('{').and_then(|(_, rest)| rest.split_once('}')) {
        Some((key, _)) => error
            .with_hint(format!(
                "check `{key}`: with its value, `{template}` must be `https://` and a host, without a path"
            ))
            .with_context("key", key),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(name: &str, required: bool) -> ConfigKey {
        ConfigKey { name: name.into(), required, secret: false, about: String::new() }
    }

    fn check(template: &str, config: Value, expect: Result<&[&str], &str>) {
        let keys = [key("domain", true), key("admin", false)];
        let got = fill(&[template.to_owned()], &keys, config.as_object().unwrap());
        let got = got.map(|origins| origins.iter().map(|o| o.as_str().to_owned()).collect::<Vec<_>>());
        let expect = expect.map(|origins| origins.iter().map(|&o| o.to_owned()).collect()).map_err(str::to_owned);
        assert_eq!(got.map_err(|e| e.message), expect, "{template}");
    }

    #[test]
    fn templates_become_origins() {
        check("https://{domain}", json!({"domain": "Acme.okta.com"}), Ok(&["https://acme.okta.com"]));
        check("https://{domain}", json!({"domain": "a.test:8443"}), Ok(&["https://a.test:8443"]));
        check("{domain}", json!({"domain": "https://a.test:443/"}), Ok(&["https://a.test"]));
        check("https://{domain}.x", json!({"domain": "a"}), Ok(&["https://a.x"]));
        check("https://{admin}", json!({}), Ok(&[]));
        check("https://fixed.test", json!({}), Ok(&["https://fixed.test"]));
    }

    #[test]
    fn other_values_are_refused() {
        check("https://{domain}", json!({}), Err("`domain` is missing"));
        check("https://{domain}", json!({"domain": 3}), Err("`domain` must be a string"));
        check("https://{domain", json!({}), Err("the plugin's origin `https://{domain` has an unmatched brace"));
        for domain in ["", "a.test/x", "a.test?x", "a.test#x", "me@a.test", "@a.test", "a.test\\x", "a b", "a.test\n"] {
            let text = format!("`https://{domain}` is not an https origin");
            check("https://{domain}", json!({ "domain": domain }), Err(&text));
        }
        for url in ["http://a.test", "ftp://a.test", "a.test", "https:a.test", "file:///etc"] {
            check("{domain}", json!({ "domain": url }), Err(&format!("`{url}` is not an https origin")));
        }
    }
}
