//! The origins that a session may talk to. An origin is `https`, a host, and a port.

use std::net::Ipv4Addr;

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

/// The origins that a plugin declares for a session.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Origins {
    /// The session may use them: the operator named them.
    pub(crate) allowed: Vec<Origin>,
    /// Only the plugin named them.
    pub(crate) unlisted: Vec<Origin>,
}

/// Fills a plugin's templates, such as `https://{domain}`, with the values of its table. A template whose optional key
/// is missing yields no origin.
///
/// Secrets go to these origins, so the operator decides about them: in the table, or in `listed`, the origins that the
/// configuration allows this plugin. A plugin alone cannot add one.
pub(crate) fn fill(
    templates: &[String],
    keys: &[ConfigKey],
    config: &Map<String, Value>,
    listed: &[String],
) -> Result<Origins, Error> {
    let mut origins = Origins::default();
    for template in templates {
        let Some(text) = fill_one(template, keys, config)? else { continue };
        let origin = parse(&text).ok_or_else(|| not_an_origin(template, &text))?;
        if allows(template, Some(&origin), listed) {
            origins.allowed.push(origin);
        } else {
            origins.unlisted.push(origin);
        }
    }
    Ok(origins)
}

/// Whether the whole host of a template is the value of one key, so that the plugin has no part in it.
fn has_host_of_key(template: &str) -> bool {
    let key = template.strip_prefix("https://").unwrap_or(template);
    let key = key.strip_prefix('{').and_then(|key| key.strip_suffix('}'));
    key.is_some_and(|key| !key.is_empty() && !key.contains(['{', '}']))
}

/// Whether a session of a plugin may use an origin that it declares. `listed` has the origins that the operator allows it.
pub fn is_allowed(template: &str, listed: &[String]) -> bool {
    allows(template, parse(template).as_ref(), listed)
}

/// Whether the operator named the origin of a template: as a key of the table, or in `listed`.
fn allows(template: &str, origin: Option<&Origin>, listed: &[String]) -> bool {
    let is_listed = |origin| listed.iter().any(|listed| parse(listed).as_ref() == Some(origin));
    has_host_of_key(template) || origin.is_some_and(is_listed)
}

/// Whether a text is an `https` origin, such as `https://acme.okta.com`.
pub fn is_origin(text: &str) -> bool {
    parse(text).is_some()
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

/// The origin that a text is; `None` if it is more or less than an `https` origin.
pub(crate) fn parse(text: &str) -> Option<Origin> {
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    // The parser accepts white space, backslashes, missing slashes, and an empty user name. They would mislead a reader
    // of the configuration.
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\' || c == '@');
    // A URL with a number as its host leads to an IPv4 address (WHATWG URL §3.5). An operator who writes the number of a tenant
    // names no server.
    let is_hidden_address = url.host_str().is_some_and(|host| host.parse::<Ipv4Addr>().is_ok() && !text.contains(host));
    if bare && plain && !is_hidden_address && text.starts_with("https://") { Origin::of(&url) } else { None }
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
        let listed = ["https://a.x".to_owned(), "https://Fixed.test:443/".to_owned()];
        let got = fill(&[template.to_owned()], &keys, config.as_object().unwrap(), &listed);
        let got = got.map(|origins| origins.allowed.iter().map(|o| o.as_str().to_owned()).collect::<Vec<_>>());
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
        check("https://{domain}", json!({"domain": "127.0.0.1:8443"}), Ok(&["https://127.0.0.1:8443"]));
    }

    #[test]
    fn a_plugin_alone_names_no_origin() {
        for template in ["https://fixed.test", "https://{domain}.evil.test", "https://evil.test:{domain}"] {
            let (config, keys) = (json!({ "domain": "443" }), [key("domain", true)]);
            let origins = fill(&[template.to_owned()], &keys, config.as_object().unwrap(), &[]).unwrap();
            assert_eq!((origins.allowed.len(), origins.unlisted.len()), (0, 1), "{template}");
        }
        assert!(has_host_of_key("{base_url}") && has_host_of_key("https://{domain}"));
        for template in ["{}", "https://{a}{b}", "https://{a}.x", "https://x.{a}", "http://{a}", "https://{a}/x"] {
            assert!(!has_host_of_key(template), "{template}");
        }
    }

    #[test]
    fn other_values_are_refused() {
        check("https://{domain}", json!({}), Err("`domain` is missing"));
        check("https://{domain}", json!({"domain": 3}), Err("`domain` must be a string"));
        check("https://{domain", json!({}), Err("the plugin's origin `https://{domain` has an unmatched brace"));
        for domain in [
            "",
            "a.test/x",
            "a.test?x",
            "a.test#x",
            "me@a.test",
            "@a.test",
            "a.test\\x",
            "a b",
            "a.test\n",
            "2130706433",
            "0x7f.1",
            "127.1",
        ] {
            let text = format!("`https://{domain}` is not an https origin");
            check("https://{domain}", json!({ "domain": domain }), Err(&text));
        }
        for url in ["http://a.test", "ftp://a.test", "a.test", "https:a.test", "file:///etc"] {
            check("{domain}", json!({ "domain": url }), Err(&format!("`{url}` is not an https origin")));
        }
    }
}
