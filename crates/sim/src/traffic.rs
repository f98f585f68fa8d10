//! The record of all exchanges, kept in memory. Tests search it for data that must not leave flowswap.

use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;

use crate::message::{Reply, Request};

/// One request and its answer, complete and in clear text.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The virtual host, without port.
    pub host: String,
    /// The method.
    pub method: String,
    /// The path, and the query if there was one.
    pub path_and_query: String,
    /// The request's header lines, names in lower case.
    pub request_headers: Vec<(String, String)>,
    /// The request's body.
    pub request_body: Bytes,
    /// The status of the answer. `None` if the connection was closed without an answer.
    pub status: Option<u16>,
    /// The answer's header lines.
    pub response_headers: Vec<(String, String)>,
    /// The answer's body.
    pub response_body: Bytes,
    /// When the request was read, by the clock of this machine.
    pub began: Instant,
    /// When the answer was ready, by the clock of this machine.
    pub ended: Instant,
}

impl Exchange {
    pub(crate) fn new(request: &Request, reply: Option<&Reply>, began: Instant) -> Self {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        Self {
            host: request.host(),
            method: request.method.to_string(),
            path_and_query: format!("{}{query}", request.path),
            request_headers: lines(&request.headers),
            request_body: request.body.clone(),
            status: reply.map(|reply| reply.status.as_u16()),
            response_headers: reply.map(|reply| lines(&reply.headers)).unwrap_or_default(),
            response_body: reply.map(|reply| reply.body.clone()).unwrap_or_default(),
            began,
            ended: Instant::now(),
        }
    }
}

fn lines(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
