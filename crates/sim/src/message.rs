//! A request and its answer as the simulated services see them. Both are complete, so the services are plain functions.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

use crate::encoding::parse_pairs;

/// A request, with its body read.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The `Host` as it was sent, with its port if it has one. Links in answers use it.
    pub(crate) authority: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    /// The host name without its port, in lower case.
    pub(crate) fn host(&self) -> String {
        self.authority.split(':').next().unwrap_or_default().to_ascii_lowercase()
    }

    /// The origin to which links point.
    pub(crate) fn base(&self) -> String {
        format!("https://{}", self.authority)
    }

    /// The path, split at its slashes.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.trim_start_matches('/').split('/').collect()
    }

    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The text after `scheme ` in the `Authorization` header. The case of the scheme does not matter (RFC 9110).
    pub(crate) fn credential(&self, scheme: &str) -> Option<&str> {
        let (given, rest) = self.header(header::AUTHORIZATION)?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    /// The pairs of the query. A query with a broken escape counts as empty.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        parse_pairs(&self.query).unwrap_or_default()
    }

    /// The last value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.pairs().into_iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Whether the request states the length of its body. A POST that does not is refused with 411.
    pub(crate) fn states_length(&self) -> bool {
        self.headers.contains_key(header::CONTENT_LENGTH) || self.headers.contains_key(header::TRANSFER_ENCODING)
    }

    pub(crate) fn has_content_type(&self, wanted: &str) -> bool {
        let given = self.header(header::CONTENT_TYPE).unwrap_or_default();
        given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
    }
}

/// A complete answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A JSON answer. Its content type has no charset, as in recordings of the Okta management API.
    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let mut reply = Self::empty(status);
        reply.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        reply.body = serde_json::to_vec(body).unwrap_or_default().into();
        reply
    }

    /// Adds a header line.
    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    /// Converts the answer to an HTTP response. `body` makes its body from the bytes.
    pub(crate) fn into_response<B>(self, body: impl FnOnce(Bytes) -> B) -> http::Response<B> {
        let mut response = http::Response::new(body(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    /// The body as JSON, for a service that calls another service inside the simulator.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}
