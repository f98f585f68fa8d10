//! What a tenant's table allows a plugin to put into requests. A person wrote it for an interface that needs it. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The schemes (RFC 9110 §11.1) that every plugin may use: RFC 6750, and Okta's own. Servers compare these tokens and do not
/// decode them. A server that decodes a token may repeat a part of it in a form that nobody recognizes.
const SCHEMES: &[&str] = &["bearer", "ssws"];

/// The names that a tenant's table has at any depth, in lower case.
#[derive(Debug, Default)]
pub(crate) struct OfTable {
    /// The keys of every table `headers`.
    headers: BTreeSet<String>,
    /// The value of every key `auth_scheme`.
    schemes: BTreeSet<String>,
}

impl OfTable {
    #[cfg(test)]
    pub(crate) const EMPTY: Self = Self { headers: BTreeSet::new(), schemes: BTreeSet::new() };

    pub(crate) fn new(table: &Map<String, Value>) -> Self {
        let mut named = Self::default();
        named.add(table);
        named
    }

    fn add(&mut self, table: &Map<String, Value>) {
        for (key, value) in table {
            match (key.as_str(), value) {
                ("headers", Value::Object(headers)) => {
                    self.headers.extend(headers.keys().map(|name| name.to_ascii_lowercase()));
                }
                ("auth_scheme", Value::String(scheme)) => {
                    self.schemes.insert(scheme.to_ascii_lowercase());
                }
                (_, Value::Object(below)) => self.add(below),
                _ => {}
            }
        }
    }

    /// Whether it names this header, which is in lower case.
    pub(crate) fn has_header(&self, lower: &str) -> bool {
        self.headers.contains(lower)
    }

    /// Whether a plugin may send a token by this scheme.
    pub(crate) fn allows_scheme(&self, scheme: &str) -> bool {
        let lower = scheme.to_ascii_lowercase();
        SCHEMES.contains(&lower.as_str()) || self.schemes.contains(&lower)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_table_adds_headers_and_schemes() {
        let table = json!({
            "headers": { "X-Tenant": "a", "Cookie": "b" },
            "read": { "path": "/", "headers": { "x-read": "$id" }, "body": { "headers": ["x-not-a-table"] } },
            "items": [{ "headers": { "x-not-a-key-of-the-table": "1" } }],
            "auth_scheme": "Token",
        });
        let named = OfTable::new(table.as_object().unwrap());
        assert_eq!(named.headers.iter().map(String::as_str).collect::<Vec<_>>(), ["cookie", "x-read", "x-tenant"]);
        for scheme in ["Bearer", "SSWS", "token"] {
            assert!(named.allows_scheme(scheme), "{scheme}");
        }
        for scheme in ["Basic", "Digest", "Negotiate", "x", ""] {
            assert!(!named.allows_scheme(scheme), "{scheme}");
        }
    }
}
