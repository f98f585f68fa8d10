//! A small gateway in memory: five directories in pages of two, one receipt, and one restore.

use flowswap_contract::{Auth, Body, Error, Handle, HttpAnswer, HttpAsk};
use serde_json::{Value, json};

use crate::driver::{Secrets, World, answer, lost, reveal};

const ORIGIN: &str = "https://gateway.cie.test";

pub(crate) struct FakeGateway {
    pub(crate) directories: Vec<Value>,
    /// The connection that `restore` brings back.
    pub(crate) previous: Option<Value>,
    /// The client id and secret of a passed test.
    pub(crate) tested: Option<(String, String)>,
    /// The next request whose path contains this gets this answer and has no effect.
    pub(crate) refusal: Option<(&'static str, HttpAnswer)>,
    /// The `Date` of its answers, if any.
    pub(crate) date: Option<&'static str>,
    /// The answer to the next request whose path contains this is lost.
    pub(crate) lose: Option<&'static str>,
}

impl FakeGateway {
    pub(crate) fn new() -> Self {
        let directories = (0..5).map(|n| {
            json!({
                "id": format!("dir-{n}"), "name": format!("tenant{n}"), "type": "okta",
                "domain": format!("tenant{n}.okta.test"),
                "connection": {"flow": "authorization_code", "client_id": format!("0oaOLD{n}"),
                               "collect_applications": true, "last_sign_in": "2025-11-01T08:00:00+00:00"},
                "sync": {"status": "success", "last_success": "2026-01-01T11:55:00Z",
                         "users": 1000, "groups": 20, "applications": 7},
            })
        });
        Self {
            directories: directories.collect(),
            previous: None,
            tested: None,
            refusal: None,
            date: Some("Thu, 01 Jan 2026 12:00:00 GMT"),
            lose: None,
        }
    }

    /// The directory under test.
    pub(crate) fn directory(&mut self) -> &mut Value {
        &mut self.directories[1]
    }

    fn serve(&mut self, ask: &HttpAsk, secrets: &Secrets) -> HttpAnswer {
        let rest = &ask.url[ORIGIN.len()..];
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let body = match &ask.body {
            Some(Body::Json(body)) => body.clone(),
            _ => Value::Null,
        };
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').skip(2).collect();
        match (ask.method.as_str(), segments.as_slice()) {
            ("GET", []) => self.list(query),
            (method, [id, rest @ ..]) => match self.directories.iter().position(|d| d["id"] == *id) {
                None => error(404, "there is no such directory"),
                Some(at) => self.serve_directory(method, at, rest, &body, secrets),
            },
            _ => error(404, "there is no such path"),
        }
    }

    fn list(&self, query: &str) -> HttpAnswer {
        let start =
            query.strip_prefix("cursor=at%2D").or(query.strip_prefix("cursor=at-")).map_or(0, |n| n.parse().unwrap());
        let next = start + 2;
        let cursor = (next < self.directories.len()).then(|| format!("at-{next}"));
        let page: Vec<_> = self.directories.iter().skip(start).take(2).collect();
        answer(200, json!({"directories": page, "next": cursor}))
    }

    fn serve_directory(
        &mut self,
        method: &str,
        at: usize,
        rest: &[&str],
        body: &Value,
        secrets: &Secrets,
    ) -> HttpAnswer {
        let credentials = || {
            let secret = Handle::from_value(&body["client_secret"]).expect("the secret is a handle");
            (body["client_id"].as_str().unwrap().to_owned(), reveal(&secret, secrets).to_owned())
        };
        let directory = &mut self.directories[at];
        match (method, rest) {
            ("GET", []) => answer(200, directory.clone()),
            ("GET", ["status"]) => answer(
                200,
                json!({
                    "flow": directory["connection"]["flow"], "client_id": directory["connection"]["client_id"],
                    "sync": directory["sync"],
                }),
            ),
            ("POST", ["test-connection"]) if credentials().1 != "CANARY-new-secret" => {
                answer(200, json!({"result": "failed", "reason": "okta answered 401 invalid_client"}))
            }
            ("POST", ["test-connection"]) => {
                self.tested = Some(credentials());
                answer(200, json!({"result": "success", "receipt": "rcp-1"}))
            }
            ("POST", ["reconnect"]) if self.tested != Some(credentials()) || body["receipt"] != "rcp-1" => {
                error(409, "the receipt is for other credentials")
            }
            ("POST", ["reconnect"]) if body["domain"] != directory["domain"] => {
                error(422, "the domain cannot be changed")
            }
            ("POST", ["reconnect"]) => {
                self.tested = None;
                self.previous = Some(directory["connection"].clone());
                directory["connection"] = json!({
                    "flow": body["flow"], "client_id": body["client_id"],
                    "collect_applications": body["collect_applications"], "last_sign_in": null,
                });
                answer(200, directory.clone())
            }
            ("POST", ["restore"]) => match self.previous.take() {
                None => error(409, "there is nothing to restore"),
                Some(previous) => {
                    directory["connection"] = previous;
                    answer(200, directory.clone())
                }
            },
            _ => error(405, "no such method"),
        }
    }
}

impl World for FakeGateway {
    fn answer(&mut self, ask: &HttpAsk, secrets: &Secrets) -> Result<HttpAnswer, Error> {
        assert!(ask.url.starts_with(&format!("{ORIGIN}/")), "a request to another origin: {}", ask.url);
        let Some(Auth::Token { scheme, token }) = &ask.auth else { panic!("no token: {ask:?}") };
        assert_eq!((scheme.as_str(), reveal(token, secrets)), ("Bearer", "CANARY-admin-token"));
        if self.refusal.as_ref().is_some_and(|(at, _)| ask.url.contains(at)) {
            return Ok(self.refusal.take().unwrap().1);
        }
        let mut answer = self.serve(ask, secrets);
        answer.headers.extend(self.date.map(|date| ("date".to_owned(), date.to_owned())));
        match self.lose.take_if(|at| ask.url.contains(*at)) {
            Some(_) => Err(lost()),
            None => Ok(answer),
        }
    }
}

pub(crate) fn error(status: u16, message: &str) -> HttpAnswer {
    answer(status, json!({"error": {"code": "x", "message": message}}))
}
