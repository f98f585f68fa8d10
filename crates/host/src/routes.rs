//! Which calls wait for a plugin process, and the rules for its messages.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flowswap_contract::{Ask, Error, ErrorKind, FromPlugin, Level, PluginEvent};
use flowswap_engine::{Event, EventSink};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use crate::{
    budget::{ASKS_AT_ONCE, ASKS_LENGTH, REPLY, SAID, SAID_LENGTH, SAID_OUTSIDE, Spent},
    density,
    shown::{map_texts, one_line},
};

/// What to do about a plugin that hangs or ends again and again.
pub(crate) const FIX_PLUGIN: &str = "fix the plugin, then run the same command again";

/// A plugin's message within a call.
#[derive(Debug)]
pub(crate) enum FromCall {
    Ask { n: u32, ask: Ask },
    Event(PluginEvent),
    Reply(Result<Value, Error>),
}

/// Why a process can no longer be used.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

/// Which calls wait for the process.
pub(crate) struct Routes {
    pub(crate) plugin: String,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) waiting: Mutex<Waiting>,
    /// Set to kill the process, with the reason.
    pub(crate) kill_request: watch::Sender<Option<Ended>>,
}

#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) calls: HashMap<u64, Route>,
    pub(crate) canceled: HashSet<u64>,
    /// Calls that are finished.
    replied: HashSet<u64>,
    /// The message that broke the protocol belongs to a finished call, so the calls in flight are not the cause.
    pub(crate) broken_by_finished_call: bool,
    pub(crate) opening: HashMap<u64, oneshot::Sender<Result<(), Error>>>,
    pub(crate) ended: Option<Ended>,
    /// How many calls and openings were in flight when the process ended.
    pub(crate) in_flight_at_end: usize,
    /// When the process sent its last message.
    pub(crate) heard: Option<Instant>,
    /// How much it has said outside of calls.
    said: Spent,
}

pub(crate) struct Route {
    inbox: mpsc::UnboundedSender<FromCall>,
    asked: u32,
    /// The length of each ask that is not answered, by its number.
    unanswered: HashMap<u32, usize>,
    said: usize,
}

impl Route {
    /// The route of a call that has just begun.
    pub(crate) fn to(inbox: mpsc::UnboundedSender<FromCall>) -> Self {
        Self { inbox, asked: 0, unanswered: HashMap::new(), said: 0 }
    }
}

impl Ended {
    pub(crate) fn error(&self) -> Error {
        Error::new(self.kind, self.message.clone())
    }
}

impl Routes {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a message on to its call; an error says how the message breaks the protocol.
    pub(crate) fn route(&self, bytes: &[u8]) -> Result<(), String> {
        if bytes.len() > REPLY.limit {
            return Err(REPLY.message());
        }
        if let Some(budget) = density::beyond(bytes) {
            return Err(format!("sent a message that is not used: {budget}"));
        }
        // In memory it can be much longer.
        if bytes.len() > ASKS_LENGTH.limit && FromPlugin::is_ask(bytes) {
            return Err(ASKS_LENGTH.message());
        }
        let message =
            FromPlugin::from_slice(bytes).map_err(|e| format!("sent something that is not a message ({e})"))?;
        let mut waiting = self.lock();
        waiting.heard = Some(Instant::now());
        if let FromPlugin::Ask { id, .. } | FromPlugin::Reply { id, .. } = &message {
            waiting.broken_by_finished_call = waiting.replied.contains(id);
        }
        match message {
            FromPlugin::Hello(_) => Err("greeted twice".to_owned()),
            FromPlugin::Opened { session, outcome } => {
                let opening = waiting.opening.remove(&session);
                let opening = opening.ok_or_else(|| format!("opened session {session} without being asked to"))?;
                let opened = Result::from(outcome).map_err(|error| map_texts(error, one_line));
                let _ = opening.send(opened);
                Ok(())
            }
            FromPlugin::Ask { id, .. } | FromPlugin::Reply { id, .. } if waiting.canceled.contains(&id) => Ok(()),
            FromPlugin::Ask { id, n, ask } => {
                let route = waiting.calls.get_mut(&id);
                let route = route.ok_or_else(|| format!("asked for something in call {id}, which is not running"))?;
                if n != route.asked {
                    return Err(format!("gave an ask of call {id} the number {n} instead of {}", route.asked));
                }
                if route.unanswered.len() >= ASKS_AT_ONCE.limit {
                    return Err(format!("{ASKS_AT_ONCE} in call {id}"));
                }
                if route.unanswered.values().sum::<usize>() + bytes.len() > ASKS_LENGTH.limit {
                    return Err(format!("{ASKS_LENGTH} in call {id}"));
                }
                route.asked += 1;
                route.unanswered.insert(n, bytes.len());
                let _ = route.inbox.send(FromCall::Ask { n, ask });
                Ok(())
            }
            FromPlugin::Reply { id, outcome } => {
                let route = waiting.calls.remove(&id);
                let route = route.ok_or_else(|| format!("replied to call {id}, which is not running"))?;
                waiting.replied.insert(id);
                let _ = route.inbox.send(FromCall::Reply(outcome.into()));
                Ok(())
            }
            FromPlugin::Event { id, event } => {
                let event = if bytes.len() > SAID_LENGTH.limit { too_long(event) } else { event };
                // An event of a call may arrive after the call's reply.
                let Some(route) = id.and_then(|id| waiting.calls.get_mut(&id)) else {
                    waiting.said.spend(&SAID_OUTSIDE, 1)?;
                    self.log(event);
                    return Ok(());
                };
                route.said += 1;
                // The session shows the first beyond the budget as a warning. The others must not pile up.
                if route.said <= SAID.limit + 1 {
                    let _ = route.inbox.send(FromCall::Event(event));
                }
                Ok(())
            }
        }
    }

    fn log(&self, event: PluginEvent) {
        let (level, message) = match event {
            PluginEvent::Log { level, message } => (level, message),
            PluginEvent::Progress { message } => (Level::Debug, message),
        };
        let message = one_line(&message);
        self.events.emit(Event::Log { plugin: self.plugin.clone(), tenant: None, level, message });
    }

    /// An answer to this ask is on its way. Until then its ask counts, so that a plugin that reads nothing gets nothing more.
    pub(crate) fn answered(&self, call: u64, n: u32) {
        if let Some(route) = self.lock().calls.get_mut(&call) {
            route.unanswered.remove(&n);
        }
    }

    /// Asks for the end of the process because it did not do something in time.
    pub(crate) fn end_as_too_slow(&self, what: &str, limit: Duration) -> Error {
        self.stop(&format!("did not {what} within {} s", limit.as_secs()))
    }

    /// Asks for the end of the process because it took too long. `how` follows the name of the plugin.
    pub(crate) fn stop(&self, how: &str) -> Error {
        let message = format!("the plugin `{}` {how}, and flowswap stopped it", self.plugin);
        let ended = Ended { kind: ErrorKind::TimedOut, message };
        // Marks it as ended at once, so that no call starts that the process will not carry out.
        self.end(ended.clone());
        self.kill_request.send_replace(Some(ended.clone()));
        ended.error()
    }

    /// Tells everything that waits for the process that it has ended.
    pub(crate) fn end(&self, ended: Ended) {
        let mut waiting = self.lock();
        if waiting.ended.is_none() {
            waiting.in_flight_at_end = waiting.calls.len() + waiting.opening.len();
            waiting.ended = Some(ended);
        }
        // Dropping the senders wakes the receivers.
        waiting.calls.clear();
        waiting.opening.clear();
    }
}

/// The event without its text. Making the text fit to be shown would take long.
fn too_long(event: PluginEvent) -> PluginEvent {
    let message = SAID_LENGTH.message();
    match event {
        PluginEvent::Log { level, .. } => PluginEvent::Log { level, message },
        PluginEvent::Progress { .. } => PluginEvent::Progress { message },
    }
}
