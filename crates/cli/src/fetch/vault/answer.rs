//! What an answer of Vault means. Only answers in the form that Vault gives them count: a proxy or a portal must not decide what a
//! secret is, or that it does not exist.

use bytes::Bytes;
use flowswap_config::VaultField;
use flowswap_engine::Secret;
use http::{Response, header};
use serde_json::Value;
use zeroize::Zeroize;

use super::error::VaultError;

/// How many characters of a reason are shown.
const MAX_SHOWN: usize = 200;

/// An answer in Vault's form.
pub(super) struct Answer {
    pub(super) status: u16,
    body: Value,
}

/// The lease of a token is over after so many seconds. `None` if it does not end.
pub(super) type Lease = Option<u64>;

impl Answer {
    /// Reads an answer of the server at this address.
    pub(super) fn read(address: &str, answer: Response<Bytes>) -> Result<Self, VaultError> {
        let (head, bytes) = answer.into_parts();
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        if let (300..=399, Some(to)) = (head.status.as_u16(), text(header::LOCATION)) {
            return Err(VaultError::Redirected { address: address.to_owned(), to: origin_of(to) });
        }
        let status = head.status.as_u16();
        let body = serde_json::from_slice(&bytes);
        // Succeeds unless something else still has the bytes.
        if let Ok(mut bytes) = bytes.try_into_mut() {
            bytes.zeroize();
        }
        let answer = Self { status, body: body.unwrap_or_default() };
        if answer.is_of_vault() {
            return Ok(answer);
        }
        let content = text(header::CONTENT_TYPE).map_or("no type".to_owned(), |kind| format!("`{}`", cut(kind)));
        Err(VaultError::NotVault { address: address.to_owned(), status, content })
    }

    /// Vault gives every result an id, and every refusal a list of errors, which may be empty. Only a secret without a version to
    /// show has both a status of 404 and an id.
    fn is_of_vault(&self) -> bool {
        let has_id = self.body["request_id"].is_string();
        let has_errors = self.body["errors"].is_array();
        match self.status {
            200..=299 => has_id,
            404 => has_id || has_errors,
            _ => has_errors,
        }
    }

    /// Whether the same request may soon get another answer: after a quota, while the servers elect a leader, or if a server is behind
    /// the one that knows the token (412).
    pub(super) fn may_change(&self) -> bool {
        matches!(self.status, 412 | 429 | 500 | 502 | 504)
    }

    /// Why Vault refused, without these secrets.
    pub(super) fn said(&self, secrets: &[&Secret]) -> String {
        let errors: Vec<&str> =
            self.body["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut said = errors.join("; ").split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in secrets.iter().filter(|secret| !secret.expose().is_empty()) {
            said = said.replace(secret.expose(), "[secret]");
        }
        if said.is_empty() { "it gave no reason".to_owned() } else { cut(&said) }
    }

    /// Whether a reason contains these words.
    pub(super) fn mentions(&self, words: &str) -> bool {
        let lists = [&self.body["errors"], &self.body["warnings"]];
        let mut texts = lists.into_iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
        texts.any(|text| text.contains(words))
    }

    /// The token of a login, and how long it lasts.
    pub(super) fn token(&self) -> Option<(Secret, Lease)> {
        let auth = &self.body["auth"];
        let token = auth["client_token"].as_str().filter(|token| !token.is_empty())?;
        Some((Secret::new(token), auth["lease_duration"].as_u64().filter(|seconds| *seconds > 0)))
    }

    /// A field of the secret.
    pub(super) fn field(&self, wanted: &VaultField) -> Result<Secret, VaultError> {
        let data = &self.body["data"];
        let fields = if version(data).is_some() { &data["data"] } else { data };
        let fields = fields.as_object().ok_or_else(|| VaultError::NotFound { path: wanted.path.clone() })?;
        let wanted = || wanted.clone();
        let kind = match fields.get(&wanted().field) {
            Some(Value::String(text)) => return Ok(Secret::new(text.as_str())),
            Some(Value::Null) => "empty",
            Some(Value::Bool(_)) => "a boolean",
            Some(Value::Number(_)) => "a number",
            Some(Value::Array(_)) => "a list",
            Some(Value::Object(_)) => "a table",
            None => return Err(VaultError::NoField { wanted: wanted(), there: fields.keys().cloned().collect() }),
        };
        Err(VaultError::NotText { wanted: wanted(), kind })
    }

    /// Why there is nothing at the path of an answer with the status 404.
    pub(super) fn why_nothing(&self, path: &str) -> VaultError {
        let path = path.to_owned();
        let data = &self.body["data"];
        match version(data) {
            Some(version) if data["metadata"]["destroyed"] == true => VaultError::Destroyed { path, version },
            Some(version) => VaultError::Deleted { path, version },
            None if self.mentions("Invalid path for a versioned K/V") => VaultError::Versioned { path },
            None if self.mentions("no handler for route") => VaultError::NoEngine { path },
            None => VaultError::NotFound { path },
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        wipe(&mut self.body);
    }
}

/// The version of a secret in KV version 2. `None` for other secrets.
fn version(data: &Value) -> Option<u64> {
    data.get("data")?;
    data.get("metadata")?.get("version")?.as_u64()
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The scheme and the host of a URL. Its path may name a secret.
fn origin_of(url: &str) -> String {
    let end = url.match_indices('/').nth(2).map_or(url.len(), |(end, _)| end);
    if url.contains("://") { format!("`{}`", cut(&url[..end])) } else { "another path".to_owned() }
}

fn cut(text: &str) -> String {
    let cut: String = text.chars().take(MAX_SHOWN).collect();
    if cut.len() < text.len() { cut + "…" } else { cut }
}
