//! Who waits for what from a plugin process, and the rules that its messages have to keep.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flowswap_contract::{Ask, Error, ErrorKind, FromPlugin, Level, PluginEvent};
use flowswap_engine::{Event, EventSink};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use crate::relay::one_line;

/// No plugin has a reason to have more requests under way in one call.
pub(crate) const MAX_ASKS: usize = 256;

/// What a plugin says within a call.
#[derive(Debug)]
pub(crate) enum FromCall {
    Ask { n: u32, ask: Ask },
    Event(PluginEvent),
    Reply(Result<Value, Error>),
}

/// Why a process is of no use any more.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

/// Who waits for what.
pub(crate) struct Routes {
    pub(crate) plugin: String,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) waiting: Mutex<Waiting>,
    /// Set to end the process before its time.
    pub(crate) doom: watch::Sender<Option<Ended>>,
}

#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) calls: HashMap<u64, Route>,
    pub(crate) cancelled: HashSet<u64>,
    /// Calls that are over.
    replied: HashSet<u64>,
    /// What broke the protocol was said in one of those, so whoever is in flight has not done it.
    pub(crate) is_broken_by_others: bool,
    pub(crate) opening: HashMap<u64, oneshot::Sender<Result<(), Error>>>,
    pub(crate) ended: Option<Ended>,
    /// How many calls and openings were in flight then.
    pub(crate) cut_off: usize,
}

pub(crate) struct Route {
    pub(crate) inbox: mpsc::UnboundedSender<FromCall>,
    pub(crate) asked: u32,
    pub(crate) unanswered: usize,
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

    /// Passes a message on; an error says how it breaks the protocol.
    pub(crate) fn route(&self, bytes: &[u8]) -> Result<(), String> {
        let message = serde_json::from_slice(bytes).map_err(|e| format!("sent something that is no message ({e})"))?;
        let mut waiting = self.lock();
        if let FromPlugin::Ask { id, .. } | FromPlugin::Reply { id, .. } = &message {
            waiting.is_broken_by_others = waiting.replied.contains(id);
        }
        match message {
            FromPlugin::Hello(_) => Err("greeted twice".to_owned()),
            FromPlugin::Opened { session, outcome } => {
                let opening = waiting.opening.remove(&session);
                let opening = opening.ok_or_else(|| format!("opened session {session}, which nobody asked for"))?;
                let _ = opening.send(outcome.into());
                Ok(())
            }
            FromPlugin::Ask { id, .. } | FromPlugin::Reply { id, .. } if waiting.cancelled.contains(&id) => Ok(()),
            FromPlugin::Ask { id, n, ask } => {
                let route = waiting.calls.get_mut(&id);
                let route = route.ok_or_else(|| format!("asked for something in call {id}, which does not run"))?;
                if n != route.asked {
                    return Err(format!("gave an ask of call {id} the number {n} instead of {}", route.asked));
                }
                if route.unanswered >= MAX_ASKS {
                    return Err(format!("asked for more than {MAX_ASKS} things at once in call {id}"));
                }
                route.asked += 1;
                route.unanswered += 1;
                let _ = route.inbox.send(FromCall::Ask { n, ask });
                Ok(())
            }
            FromPlugin::Reply { id, outcome } => {
                let route = waiting.calls.remove(&id);
                let route = route.ok_or_else(|| format!("replied to call {id}, which does not run"))?;
                waiting.replied.insert(id);
                let _ = route.inbox.send(FromCall::Reply(outcome.into()));
                Ok(())
            }
            FromPlugin::Event { id, event } => {
                // A call's last words may come after its end.
                match id.and_then(|id| waiting.calls.get(&id)) {
                    Some(route) => drop(route.inbox.send(FromCall::Event(event))),
                    None => self.log(event),
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

    /// Tells everybody who waits that it is over.
    pub(crate) fn end(&self, ended: Ended) {
        let mut waiting = self.lock();
        if waiting.ended.is_none() {
            waiting.cut_off = waiting.calls.len() + waiting.opening.len();
            waiting.ended = Some(ended);
        }
        // Dropping the senders wakes them.
        waiting.calls.clear();
        waiting.opening.clear();
    }
}
