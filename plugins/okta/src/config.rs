//! The tenant's `provider` table, checked once when the session opens.

use std::collections::BTreeMap;

use flowswap_contract::{Error, ErrorKind, Open, Variant};
use serde_json::{Map, Value};

use crate::credential::Credential;

/// The configuration that the administrator wrote.
pub(crate) struct Config {
    /// The host name that requests go to.
    pub(crate) domain: String,
    /// Who makes the requests.
    pub(crate) credential: Credential,
    /// OIN type keys by variant.
    pub(crate) types: BTreeMap<Variant, String>,
    /// Scopes by variant, sorted.
    pub(crate) scopes: BTreeMap<Variant, Vec<String>>,
}

impl Config {
    pub(crate) fn read(open: &Open) -> Result<Self, Error> {
        let domain = open.config.get("domain").and_then(Value::as_str);
        let domain = domain.ok_or_else(|| wrong("`domain` must be a host name such as acme.okta.com"))?;
        check_domain(domain)?;
        let credential = Credential::read(open)?;
        let types = read_by_variant(&open.config, "variant_types", |path, value| match value.as_str() {
            Some(key) if !key.is_empty() => Ok(key.to_owned()),
            _ => Err(wrong(format!("`{path}` must be a string: the integration's type key"))),
        })?;
        let scopes = read_by_variant(&open.config, "scopes", read_scopes)?;
        Ok(Self { domain: domain.to_ascii_lowercase(), credential, types, scopes })
    }
}

fn check_domain(domain: &str) -> Result<(), Error> {
    let wrong = |why: &str, hint: &str| Err(wrong(format!("`domain` {why}: {domain}")).with_hint(hint.to_owned()));
    if let Some((_, rest)) = domain.split_once("://") {
        return wrong("must not have a scheme", &format!("write {}", rest.trim_end_matches('/')));
    }
    // The admin console has its own host name, `<org>-admin`, which serves no API (Okta organizations).
    if domain.split('.').next().is_some_and(|label| label.ends_with("-admin")) {
        return wrong(
            "is the host name of the admin console",
            &format!("write {}", domain.replacen("-admin.", ".", 1)),
        );
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    if !domain.contains('.') || !domain.chars().all(is_allowed) {
        return wrong("must be a plain host name", "write a host name such as acme.okta.com");
    }
    Ok(())
}

fn read_by_variant<T>(
    config: &Map<String, Value>,
    key: &str,
    read: impl Fn(&str, &Value) -> Result<T, Error>,
) -> Result<BTreeMap<Variant, T>, Error> {
    let Some(value) = config.get(key) else { return Ok(BTreeMap::new()) };
    let table = value.as_object().ok_or_else(|| wrong(format!("`{key}` must be a table")))?;
    table
        .iter()
        .map(|(word, value)| {
            let path = format!("{key}.{word}");
            let variant = match word.as_str() {
                "plain" => Variant::Plain,
                "application-enabled" | "application_enabled" => Variant::ApplicationEnabled,
                _ => return Err(wrong(format!("`{path}` is unknown: write `plain` or `application-enabled`"))),
            };
            Ok((variant, read(&path, value)?))
        })
        .collect()
}

fn read_scopes(path: &str, value: &Value) -> Result<Vec<String>, Error> {
    let wrong = || wrong(format!("`{path}` must be a non-empty list of scopes"));
    let items = value.as_array().filter(|items| !items.is_empty()).ok_or_else(wrong)?;
    let mut scopes: Vec<_> =
        items.iter().map(|s| s.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or_else(wrong)?;
    scopes.sort();
    scopes.dedup();
    Ok(scopes)
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}
