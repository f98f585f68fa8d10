//! The plugin's side of an ask: a future that is ready once the host has answered.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    rc::Rc,
    task::Poll,
};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    Answer, Ask, Error, ErrorKind, FromPlugin, Handle, HttpAnswer, HttpAsk, Intent, Level, Outcome, PluginEvent,
};

/// Messages that the plugin has emitted and the runtime has not returned yet.
pub(super) type Outbox = Rc<RefCell<Vec<Emitted>>>;

/// A message that the plugin has emitted. The result of a reply is encoded already, so that it is encoded only once.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Emitted {
    Message(FromPlugin),
    Reply(RawReply),
}

/// [`FromPlugin::Reply`] with an encoded result.
#[derive(Serialize)]
#[serde(tag = "type", rename = "reply")]
pub(super) struct RawReply {
    pub(super) id: u64,
    pub(super) outcome: Outcome<Box<RawValue>>,
}

impl Emitted {
    pub(super) fn into_message(self) -> FromPlugin {
        match self {
            Self::Message(message) => message,
            Self::Reply(RawReply { id, outcome }) => {
                let result = Result::from(outcome).and_then(|raw| {
                    serde_json::from_str(raw.get()).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
                });
                FromPlugin::Reply { id, outcome: result.into() }
            }
        }
    }
}

/// Answers that have arrived, by the ask's number.
pub(super) type Answers = Rc<RefCell<BTreeMap<u32, Outcome<Answer>>>>;

/// What one call can ask the host for.
pub struct Host {
    call: u64,
    now: String,
    asked: Cell<u32>,
    outbox: Outbox,
    answers: Answers,
}

impl Host {
    pub(super) fn new(call: u64, now: String, outbox: Outbox, answers: Answers) -> Self {
        Self { call, now, asked: Cell::new(0), outbox, answers }
    }

    /// The host's time when the call started, RFC 3339.
    pub fn now(&self) -> &str {
        &self.now
    }

    /// Makes a request. Any status is an answer; an error means that there is no answer.
    pub async fn http(&self, ask: HttpAsk) -> Result<HttpAnswer, Error> {
        match self.ask(Ask::Http(ask)).await? {
            Answer::Http(answer) => Ok(answer),
            Answer::Slept | Answer::Minted { .. } => Err(wrong_answer()),
        }
    }

    /// Reads a URL without authentication.
    pub async fn get(&self, url: impl Into<String>) -> Result<HttpAnswer, Error> {
        self.http(HttpAsk::new(Intent::Read, "GET", url)).await
    }

    /// Waits this many milliseconds.
    pub async fn sleep(&self, ms: u64) -> Result<(), Error> {
        match self.ask(Ask::Sleep { ms }).await? {
            Answer::Slept => Ok(()),
            Answer::Http(_) | Answer::Minted { .. } => Err(wrong_answer()),
        }
    }

    /// Makes a random secret and stores it like an output of the step. Works only within a step, and `name` must be one of
    /// the step's outputs.
    pub async fn mint(&self, name: &str) -> Result<Handle, Error> {
        match self.ask(Ask::Mint { name: name.to_owned() }).await? {
            Answer::Minted { handle } => Ok(handle),
            Answer::Http(_) | Answer::Slept => Err(wrong_answer()),
        }
    }

    /// Tells the operator what the call is doing now.
    pub fn progress(&self, message: impl Into<String>) {
        self.emit(PluginEvent::Progress { message: message.into() });
    }

    /// Writes a line to the log.
    pub fn log(&self, level: Level, message: impl Into<String>) {
        self.emit(PluginEvent::Log { level, message: message.into() });
    }

    fn emit(&self, event: PluginEvent) {
        self.outbox.borrow_mut().push(Emitted::Message(FromPlugin::Event { id: Some(self.call), event }));
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, Error> {
        let n = self.asked.replace(self.asked.get() + 1);
        self.outbox.borrow_mut().push(Emitted::Message(FromPlugin::Ask { id: self.call, n, ask }));
        // Needs no waker: the runtime polls the whole call whenever an answer for it arrives.
        poll_fn(|_| match self.answers.borrow_mut().remove(&n) {
            Some(outcome) => Poll::Ready(outcome.into()),
            None => Poll::Pending,
        })
        .await
    }
}

fn wrong_answer() -> Error {
    Error::new(ErrorKind::Protocol, "the host gave an answer of the wrong kind").with_unknown_effect()
}
