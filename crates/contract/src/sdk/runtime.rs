//! Runs a [`Plugin`] on messages. Each call is a future that is polled when a message for it arrives.

use std::{
    collections::BTreeMap,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Host, Plugin,
    host::{Answers, Emitted, Outbox, RawReply},
};
use crate::{
    Call, DetectParams, Error, ErrorKind, FromPlugin, Op, Open, Outcome, PlanParams, PlanReply, ToPlugin,
    decode::RawCall,
};

/// A plugin with its sessions and running calls. A plugin's own tests can use it without loading a library.
pub struct Runtime<P> {
    sessions: BTreeMap<u64, Rc<P>>,
    calls: BTreeMap<u64, Running>,
    outbox: Outbox,
}

struct Running {
    future: Pin<Box<dyn Future<Output = Result<Box<RawValue>, Error>>>>,
    answers: Answers,
}

impl<P: Plugin> Default for Runtime<P> {
    fn default() -> Self {
        Self { sessions: BTreeMap::new(), calls: BTreeMap::new(), outbox: Outbox::default() }
    }
}

impl<P: Plugin> Runtime<P> {
    /// Handles one message as bytes and returns what the plugin emits. Ignores bytes that are not a message, because they
    /// belong to no call.
    pub fn deliver_bytes(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        match RawCall::from_slice(bytes) {
            Some(call) => self.start(call),
            None => match ToPlugin::from_slice(bytes) {
                Ok(message) => self.handle(message),
                Err(_) => return Vec::new(),
            },
        }
        self.outbox.take().iter().map(|emitted| serde_json::to_vec(emitted).unwrap_or_default()).collect()
    }

    /// Handles one message and returns what the plugin emits.
    pub fn deliver(&mut self, message: ToPlugin) -> Vec<FromPlugin> {
        self.handle(message);
        self.outbox.take().into_iter().map(Emitted::into_message).collect()
    }

    fn handle(&mut self, message: ToPlugin) {
        match message {
            ToPlugin::Hello { .. } => self.emit(FromPlugin::Hello(P::hello())),
            ToPlugin::Open(open) => self.open(open),
            ToPlugin::Call(call) => self.start_decoded(call),
            ToPlugin::Answer { id, n, outcome } => {
                if let Some(running) = self.calls.get(&id) {
                    running.answers.borrow_mut().insert(n, outcome);
                }
                self.poll(id);
            }
            ToPlugin::Cancel { id } => drop(self.calls.remove(&id)),
            ToPlugin::Close { session } => drop(self.sessions.remove(&session)),
        }
    }

    fn emit(&self, message: FromPlugin) {
        self.outbox.borrow_mut().push(Emitted::Message(message));
    }

    fn reply(&self, id: u64, outcome: Outcome<Box<RawValue>>) {
        self.outbox.borrow_mut().push(Emitted::Reply(RawReply { id, outcome }));
    }

    fn open(&mut self, open: Open) {
        let session = open.session;
        let opened = catch_unwind(|| P::open(open)).unwrap_or_else(|_| Err(panicked("open")));
        let outcome = opened.map(|plugin| drop(self.sessions.insert(session, Rc::new(plugin)))).into();
        self.emit(FromPlugin::Opened { session, outcome });
    }

    fn start_decoded(&mut self, call: Call) {
        let Call { id, session, op, now, params, .. } = call;
        match to_raw_value(&params) {
            Ok(params) => self.start(RawCall { id, session, op, now, params }),
            Err(error) => self.reply(id, Outcome::Error(unreadable(&error))),
        }
    }

    fn start(&mut self, call: RawCall) {
        let id = call.id;
        let Some(plugin) = self.sessions.get(&call.session).cloned() else {
            let error = Error::new(ErrorKind::Protocol, format!("session {} is not open", call.session));
            return self.reply(id, Outcome::Error(error));
        };
        let answers = Answers::default();
        let host = Host::new(id, call.now, Rc::clone(&self.outbox), Rc::clone(&answers));
        let future = Box::pin(perform(plugin, host, call.op, call.params));
        self.calls.insert(id, Running { future, answers });
        self.poll(id);
    }

    fn poll(&mut self, id: u64) {
        let Some(running) = self.calls.get_mut(&id) else { return };
        let mut context = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| running.future.as_mut().poll(&mut context)));
        let outcome = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(result)) => result.into(),
            Err(payload) => {
                // Dropping the payload could panic again, and nothing would catch that.
                std::mem::forget(payload);
                Outcome::Error(panicked("call"))
            }
        };
        self.calls.remove(&id);
        self.reply(id, outcome);
    }
}

async fn perform<P: Plugin>(plugin: Rc<P>, host: Host, op: Op, params: Box<RawValue>) -> Result<Box<RawValue>, Error> {
    match op {
        Op::Detect => encode(match decode::<Option<DetectParams>>(&params)? {
            Some(DetectParams { secrets: true }) => plugin.detect_with_secrets(&host).await?,
            _ => plugin.detect(&host).await?,
        }),
        Op::Plan => {
            let mut params: PlanParams = decode(&params)?;
            let rotation = params.rotation.take();
            encode(PlanReply {
                rotation: rotation.is_some(),
                steps: match rotation {
                    Some(rotation) => plugin.plan_rotation(params, rotation)?,
                    None => plugin.plan(params)?,
                },
            })
        }
        Op::Observe => encode(plugin.observe(&host, decode(&params)?).await?),
        Op::Apply => encode(plugin.apply(&host, decode(&params)?).await?),
        Op::Undo => encode(plugin.undo(&host, decode(&params)?).await?),
        Op::Test => encode(plugin.test(&host, decode(&params)?).await?),
    }
}

fn decode<T: DeserializeOwned>(params: &RawValue) -> Result<T, Error> {
    serde_json::from_str(params.get()).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Protocol, format!("failed to decode the parameters: {error}"))
}

fn encode(reply: impl Serialize) -> Result<Box<RawValue>, Error> {
    to_raw_value(&reply)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("failed to encode the reply: {e}")).with_unknown_effect())
}

fn panicked(what: &str) -> Error {
    Error::new(ErrorKind::Crashed, format!("the plugin panicked in a {what}; see its output on stderr"))
        .with_unknown_effect()
}
