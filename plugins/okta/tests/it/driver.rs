//! Drives a plugin's runtime the way the host does, against a world in memory. Only the world gets secrets. The driver captures
//! secrets from its answers, and searches everything that the plugin emits for them.

use std::collections::BTreeMap;

use flowswap_contract::{
    Answer, Ask, Auth, Blind, Body, Call, Error, FromPlugin, Handle, HttpAnswer, HttpAsk, Json, Op, Open, Role,
    ToPlugin,
    sdk::{Plugin, Runtime},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The secret values behind the handles, which a world gets with each request.
pub(crate) type Secrets = BTreeMap<String, String>;

/// Answers requests; an error is a request without an answer.
pub(crate) trait World {
    fn answer(&mut self, ask: &HttpAsk, secrets: &Secrets) -> Result<HttpAnswer, Error>;
}

impl<F: FnMut(&HttpAsk) -> Result<HttpAnswer, Error>> World for F {
    fn answer(&mut self, ask: &HttpAsk, _: &Secrets) -> Result<HttpAnswer, Error> {
        self(ask)
    }
}

/// A plugin with one open session.
pub(crate) struct Driver<P> {
    runtime: Runtime<P>,
    calls: u64,
    pub(crate) secrets: Secrets,
    /// Every request of the plugin, as a reviewer reads it.
    pub(crate) asked: Vec<String>,
    pub(crate) now: String,
}

impl<P: Plugin> Driver<P> {
    pub(crate) fn open(role: Role, config: Value) -> Result<Self, Error> {
        let Value::Object(config) = config else { panic!("a table is wanted") };
        Self::open_with(role, config, [("credential".to_owned(), Handle::new("admin-token"))].into())
    }

    pub(crate) fn open_with(
        role: Role,
        config: Map<String, Value>,
        secrets: BTreeMap<String, Handle>,
    ) -> Result<Self, Error> {
        let mut runtime = Runtime::<P>::default();
        let emitted = runtime.deliver(ToPlugin::Open(Open { session: 1, role, config, secrets }));
        let [FromPlugin::Opened { session: 1, outcome }] = emitted.as_slice() else { panic!("{emitted:?}") };
        Result::from(outcome.clone())?;
        let secrets = [("admin-token".to_owned(), "CANARY-admin-token".to_owned())].into();
        Ok(Self { runtime, calls: 0, secrets, asked: vec![], now: "2026-01-01T12:00:00Z".to_owned() })
    }

    pub(crate) fn call<T: DeserializeOwned>(
        &mut self,
        world: &mut impl World,
        op: Op,
        params: impl serde::Serialize,
    ) -> Result<T, Error> {
        self.calls += 1;
        let params = Json::encode(&params).unwrap();
        let call = Call { id: self.calls, session: 1, op, key: "run/step".to_owned(), now: self.now.clone(), params };
        let mut emitted = self.runtime.deliver(ToPlugin::Call(call));
        loop {
            let mut next = Vec::new();
            for message in emitted {
                self.look_for_secrets(&message);
                match message {
                    FromPlugin::Ask { id, n, ask } => {
                        let outcome = self.perform(world, ask).into();
                        next.extend(self.runtime.deliver(ToPlugin::Answer { id, n, outcome }));
                    }
                    FromPlugin::Reply { id, outcome } => {
                        assert_eq!(id, self.calls);
                        return Result::from(outcome).map(|value| serde_json::from_value(value).unwrap());
                    }
                    FromPlugin::Event { .. } => {}
                    other => panic!("not now: {other:?}"),
                }
            }
            assert!(!next.is_empty(), "the plugin waits for nothing");
            emitted = next;
        }
    }

    fn perform(&mut self, world: &mut impl World, ask: Ask) -> Result<Answer, Error> {
        match ask {
            Ask::Sleep { ms } => {
                self.asked.push(format!("sleep {ms} ms"));
                Ok(Answer::Slept)
            }
            Ask::Mint { name } => {
                self.asked.push(format!("mint {name}"));
                let handle = Handle::new(format!("acme/step/{name}"));
                self.secrets.insert(handle.as_str().to_owned(), format!("CANARY-{name}"));
                Ok(Answer::Minted { handle })
            }
            Ask::Http(ask) => {
                self.asked.push(write_down(&ask));
                let mut answer = world.answer(&ask, &self.secrets)?;
                if answer.is_success() {
                    self.capture(&ask, &mut answer);
                    ask.keep.iter().for_each(|keep| keep.prune(&mut answer.body));
                    self.blind(&ask, &mut answer);
                }
                Ok(Answer::Http(answer))
            }
        }
    }

    fn capture(&mut self, ask: &HttpAsk, answer: &mut HttpAnswer) {
        for capture in &ask.capture {
            let place = answer.body.pointer_mut(&capture.pointer).expect("the answer has what is to be captured");
            let value = place.as_str().expect("a secret is a string").to_owned();
            let handle = Handle::new(format!("{}-{}", capture.name, self.secrets.len()));
            *place = handle.to_value();
            self.secrets.insert(handle.as_str().to_owned(), value);
        }
    }

    fn blind(&self, ask: &HttpAsk, answer: &mut HttpAnswer) {
        let Some(blind) = &ask.blind else { return };
        let key = self.secrets.get(blind.key.as_str()).expect("people are hashed with a key that was made before");
        for pointer in &blind.pointers {
            let segments: Vec<&str> = pointer.split('/').skip(1).collect();
            blind_below(&mut answer.body, &segments, key);
        }
    }

    fn look_for_secrets(&self, message: &FromPlugin) {
        let text = serde_json::to_string(message).unwrap();
        for value in self.secrets.values() {
            assert!(!text.contains(value.as_str()), "the plugin emits a secret: {text}");
        }
    }
}

/// Hashes every text at or below the path of these segments; `*` stands for every child.
fn blind_below(place: &mut Value, segments: &[&str], key: &str) {
    let (first, rest) = match segments.split_first() {
        None => ("*", segments),
        Some((first, rest)) => (*first, rest),
    };
    match place {
        Value::String(text) if segments.is_empty() => *place = blinded(text, key).into(),
        Value::Array(items) if first == "*" => items.iter_mut().for_each(|item| blind_below(item, rest, key)),
        Value::Object(fields) if first == "*" => fields.values_mut().for_each(|field| blind_below(field, rest, key)),
        Value::Object(fields) => fields.get_mut(first).into_iter().for_each(|field| blind_below(field, rest, key)),
        _ => {}
    }
}

/// The hash of a text with a key: FNV-1a instead of the host's HMAC, in the same form.
pub(crate) fn blinded(text: &str, key: &str) -> String {
    let text = text.trim().to_lowercase();
    let bytes = key.bytes().chain(*b"\n").chain(text.bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{:0width$x}", hash >> 16, width = Blind::DIGITS)
}

fn write_down(ask: &HttpAsk) -> String {
    let mut line = format!("{:?} {} {}", ask.intent, ask.method, ask.url).replacen("Read GET", "GET", 1);
    match &ask.auth {
        Some(Auth::Basic { username, password }) => line.push_str(&format!("\n  auth: Basic {username}:<{password}>")),
        Some(Auth::Token { scheme, token }) => line.push_str(&format!("\n  auth: {scheme} <{token}>")),
        Some(Auth::Client(client)) => {
            let (id, scopes, credential) = (&client.client_id, client.scopes.join(" "), client.proof.credential());
            line.push_str(&format!("\n  auth: token of {id} for {scopes}, by <{credential}>"));
        }
        Some(Auth::WrongSecret { username }) => line.push_str(&format!("\n  auth: Basic {username}:<a wrong secret>")),
        None => line.push_str("\n  auth: none"),
    }
    for (name, value) in ask.headers.iter().filter(|(name, _)| *name != "accept") {
        line.push_str(&format!("\n  {name}: {value}"));
    }
    match &ask.body {
        Some(Body::Json(value)) => line.push_str(&format!("\n  json: {}", sort(value))),
        Some(Body::Form(fields)) => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", as_text(value))).collect();
            line.push_str(&format!("\n  form: {}", fields.join("&")));
        }
        None => {}
    }
    for capture in &ask.capture {
        line.push_str(&format!("\n  capture: {} as {} ({:?})", capture.pointer, capture.name, capture.custody));
    }
    if let Some(blind) = &ask.blind {
        line.push_str(&format!("\n  blind: {} by {}", blind.pointers.join(", "), blind.key));
    }
    if ask.idempotent {
        line.push_str("\n  idempotent");
    }
    line
}

/// JSON with sorted keys: the order of a map depends on the features that the workspace is built with.
fn sort(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            let fields: Vec<_> = sorted.into_iter().map(|(key, value)| format!("\"{key}\":{}", sort(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(sort).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The secret value behind a handle in a request.
pub(crate) fn reveal<'a>(handle: &Handle, secrets: &'a Secrets) -> &'a str {
    secrets.get(handle.as_str()).map_or("", String::as_str)
}

/// An answer with a JSON body and a request id.
pub(crate) fn answer(status: u16, body: Value) -> HttpAnswer {
    let headers = vec![("x-okta-request-id".to_owned(), "req-1".to_owned())];
    HttpAnswer { status, headers, body, attempts: 1 }
}

/// A step as the engine makes it from a proposal.
pub(crate) fn step_params(role: Role, proposal: &Value, inputs: Value, outputs: Value) -> Value {
    let id = format!("{role}-{}", proposal["phase"].as_str().unwrap());
    json!({ "step": { "id": id, "role": role, "proposal": proposal }, "inputs": inputs, "outputs": outputs })
}

/// The proposal of one phase.
pub(crate) fn proposal_of(steps: &Value, phase: &str) -> Value {
    let found = steps["steps"].as_array().unwrap().iter().find(|step| step["phase"] == phase);
    found.unwrap_or_else(|| panic!("no step of phase {phase}")).clone()
}

/// `check: Result` of each piece of evidence.
pub(crate) fn results(evidence: &[flowswap_contract::Evidence]) -> Vec<String> {
    evidence.iter().map(|e| format!("{}: {:?}", e.check, e.result)).collect()
}

/// The error of a request that left and got no answer.
pub(crate) fn lost() -> Error {
    Error::new(flowswap_contract::ErrorKind::Unavailable, "connection reset").with_unknown_effect()
}

/// The error of a call that must fail.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Error {
    result.expect_err("the call should fail")
}
