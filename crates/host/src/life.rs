//! One life of a plugin's process, from its greeting to its death: carries messages between it and the calls that wait for
//! them.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use flowswap_contract::{
    Answer, Call, Error, ErrorKind, FromPlugin, Op, Open, Outcome, PROTOCOL, PluginHello, ToPlugin,
};
use flowswap_engine::EventSink;
use tokio::{
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use crate::{
    Limits, StartError, Tap, Traffic, frame,
    relay::one_line,
    routes::{Ended, FromCall, Route, Routes},
    spawn::{Running, Transport},
};

/// One process, from its greeting to its death.
pub(crate) struct Life {
    name: String,
    limits: Limits,
    tap: Option<Tap>,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    pub(crate) routes: Arc<Routes>,
}

/// A running call as the process sees it. Dropping it cancels the call.
pub(crate) struct Conversation {
    life: Arc<Life>,
    id: u64,
    op: Op,
    inbox: mpsc::UnboundedReceiver<FromCall>,
}

impl Life {
    /// Shakes hands with the plugin at the other end.
    pub(crate) async fn begin_with(
        plugin: &str,
        mut transport: Transport,
        events: Arc<dyn EventSink>,
        limits: &Limits,
        tap: Option<Tap>,
    ) -> Result<(PluginHello, Arc<Self>), StartError> {
        let hello = match timeout(limits.greeting, greet(&mut transport.stream)).await {
            Ok(Ok(hello)) => hello,
            Ok(Err(problem)) => {
                // Of a process that has ended, how it ended says more.
                let problem = match transport.running {
                    Some(running) => running.obituary(&problem).await,
                    None => problem,
                };
                return Err(StartError::Handshake { plugin: plugin.to_owned(), problem });
            }
            Err(_) => {
                let problem = format!("no greeting within {} s", limits.greeting.as_secs());
                return Err(StartError::Handshake { plugin: plugin.to_owned(), problem });
            }
        };
        let (life, queue) = Self::after_greeting(plugin, &hello, events, limits, tap.clone())?;
        let (reader, writer) = transport.stream.into_split();
        tokio::spawn(write_all(writer, queue));
        tokio::spawn(read_all(reader, Arc::clone(&life.routes), transport.running, tap));
        Ok((hello, life))
    }

    /// A plugin that has greeted, and what is to be carried to it; whoever carries passes on to the routes what it says.
    pub(crate) fn after_greeting(
        plugin: &str,
        hello: &PluginHello,
        events: Arc<dyn EventSink>,
        limits: &Limits,
        tap: Option<Tap>,
    ) -> Result<(Arc<Self>, mpsc::UnboundedReceiver<Vec<u8>>), StartError> {
        if hello.protocol.major != PROTOCOL.major {
            return Err(StartError::Protocol { plugin: plugin.to_owned(), found: hello.protocol });
        }
        if hello.name != plugin {
            return Err(StartError::Name { plugin: plugin.to_owned(), found: one_line(&hello.name) });
        }
        let (outgoing, queue) = mpsc::unbounded_channel();
        let routes = Arc::new(Routes {
            plugin: plugin.to_owned(),
            events,
            waiting: Mutex::default(),
            doom: watch::Sender::new(None),
        });
        let life = Self { name: plugin.to_owned(), limits: limits.clone(), tap, outgoing, routes };
        Ok((Arc::new(life), queue))
    }

    /// Why it ended, if it has.
    pub(crate) fn end(&self) -> Option<Ended> {
        self.routes.lock().ended.clone()
    }

    /// Whether it ended while it was busy with more than one thing, so that nobody knows which one ended it, or by what
    /// was said in a call that is over.
    pub(crate) fn ended_in_company(&self) -> bool {
        let waiting = self.routes.lock();
        waiting.ended.is_some() && (waiting.cut_off > 1 || waiting.is_broken_by_others)
    }

    /// How long the plugin may take for what.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Opens a session.
    pub(crate) async fn open(&self, open: Open) -> Result<(), Error> {
        let (sender, opened) = oneshot::channel();
        {
            let mut waiting = self.routes.lock();
            if let Some(ended) = &waiting.ended {
                return Err(ended.error());
            }
            waiting.opening.insert(open.session, sender);
        }
        self.send(&ToPlugin::Open(open))?;
        match timeout(self.limits.opening, opened).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(self.ended()),
            Err(_) => Err(self.doom("open a session", self.limits.opening)),
        }
    }

    /// Ends a session.
    pub(crate) fn close(&self, session: u64) {
        // Where that cannot be said, the process is gone, and the session with it.
        let _ = self.send(&ToPlugin::Close { session });
    }

    /// Starts a call; none, if the process has ended before it could begin.
    pub(crate) fn begin(self: &Arc<Self>, call: Call) -> Result<Option<Conversation>, Error> {
        let (id, op) = (call.id, call.op);
        let (sender, inbox) = mpsc::unbounded_channel();
        {
            let mut waiting = self.routes.lock();
            if waiting.ended.is_some() {
                // Nothing of this call has happened, whatever the verb.
                return Ok(None);
            }
            waiting.calls.insert(id, Route { inbox: sender, asked: 0, unanswered: 0 });
        }
        let conversation = Conversation { life: Arc::clone(self), id, op, inbox };
        self.send(&ToPlugin::Call(call))?;
        Ok(Some(conversation))
    }

    fn send(&self, message: &ToPlugin) -> Result<(), Error> {
        let bytes = serde_json::to_vec(message)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("a message does not encode: {e}")))?;
        if bytes.len() > frame::MAX_FRAME {
            let message = format!("a message to the plugin has {} bytes, which is too long", bytes.len());
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        if let Some(tap) = &self.tap {
            tap(Traffic::ToPlugin(&bytes));
        }
        // Where nobody takes it, the reader finds out why, and tells every call.
        let _ = self.outgoing.send(bytes);
        Ok(())
    }

    /// Ends the process, because it did not do something in time.
    fn doom(&self, what: &str, limit: Duration) -> Error {
        let message = format!("the plugin `{}` did not {what} within {} s and was ended", self.name, limit.as_secs());
        let ended = Ended { kind: ErrorKind::TimedOut, message };
        // At once, so that nothing is begun that will not be carried out.
        self.routes.end(ended.clone());
        self.routes.doom.send_replace(Some(ended.clone()));
        ended.error()
    }

    fn ended(&self) -> Error {
        match &self.routes.lock().ended {
            Some(ended) => ended.error(),
            None => Error::new(ErrorKind::Crashed, format!("the plugin `{}` is gone", self.name)),
        }
    }
}

impl Conversation {
    /// What the plugin says next. An error means that it will not say anything any more.
    pub(crate) async fn next(&mut self) -> Result<FromCall, Error> {
        match self.inbox.recv().await {
            Some(message) => Ok(message),
            None => Err(of_op(self.life.ended(), self.op)),
        }
    }

    /// Answers an ask.
    pub(crate) fn answer(&self, n: u32, outcome: Result<Answer, Error>) {
        if let Some(route) = self.life.routes.lock().calls.get_mut(&self.id) {
            route.unanswered = route.unanswered.saturating_sub(1);
        }
        let id = self.id;
        if let Err(error) = self.life.send(&ToPlugin::Answer { id, n, outcome: outcome.into() }) {
            // An answer that is too long for a message; what it answers may have changed the world.
            let outcome = Outcome::Error(error.with_unknown_effect());
            let _ = self.life.send(&ToPlugin::Answer { id, n, outcome });
        }
    }

    /// Ends the process, because the plugin thinks for longer than any plugin has to.
    pub(crate) fn doom(&self, limit: Duration) -> Error {
        of_op(self.life.doom(&format!("go on with `{}`", self.op), limit), self.op)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let mut waiting = self.life.routes.lock();
        let unfinished = waiting.calls.remove(&self.id).is_some();
        if unfinished && waiting.ended.is_none() {
            // What it still says of this call has crossed the cancellation.
            waiting.cancelled.insert(self.id);
            drop(waiting);
            let _ = self.life.send(&ToPlugin::Cancel { id: self.id });
        }
    }
}

/// The error of a call that was cut off. Of a verb that changes nothing, it is known that it changed nothing.
pub(crate) fn of_op(error: Error, op: Op) -> Error {
    if matches!(op, Op::Apply | Op::Undo) { error.with_unknown_effect() } else { error }
}

async fn write_all(mut stream: OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(message) = queue.recv().await {
        if frame::write_async(&mut stream, &message).await.is_err() {
            return;
        }
    }
}

async fn read_all(mut stream: OwnedReadHalf, routes: Arc<Routes>, running: Option<Running>, tap: Option<Tap>) {
    let mut doom = routes.doom.subscribe();
    let plugin = &routes.plugin;
    let ended = loop {
        let read = tokio::select! {
            biased;
            doomed = doom.wait_for(Option::is_some) => match doomed.ok().and_then(|doomed| doomed.clone()) {
                Some(ended) => break ended,
                None => continue,
            },
            read = frame::read_async(&mut stream) => read,
        };
        let problem = match read {
            Ok(Some(bytes)) => {
                if let Some(tap) = &tap {
                    tap(Traffic::FromPlugin(&bytes));
                }
                match routes.route(&bytes) {
                    Ok(()) => continue,
                    Err(problem) => {
                        let message = format!("the plugin `{plugin}` broke the protocol and was ended: it {problem}");
                        break Ended { kind: ErrorKind::Protocol, message };
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let message = format!("the plugin `{plugin}` broke the protocol and was ended: {error}");
                break Ended { kind: ErrorKind::Protocol, message };
            }
            Ok(None) => "it closed its connection".to_owned(),
            Err(error) => error.to_string(),
        };
        let how = match running {
            Some(running) => running.obituary(&problem).await,
            None => problem,
        };
        routes.end(Ended {
            kind: ErrorKind::Crashed,
            message: format!("the process of the plugin `{plugin}` ended: {how}"),
        });
        return;
    };
    routes.end(ended);
    if let Some(mut running) = running {
        // It may have ended by itself in the meantime.
        let _ = running.child.kill().await;
    }
}

async fn greet(stream: &mut UnixStream) -> Result<PluginHello, String> {
    frame::write_async(stream, &our_greeting()?).await.map_err(|e| e.to_string())?;
    let greeting = frame::read_async(stream).await.map_err(|e| e.to_string())?;
    read_greeting(&greeting.ok_or("it closed its connection")?)
}

/// The first message to a plugin.
pub(crate) fn our_greeting() -> Result<Vec<u8>, String> {
    let hello = ToPlugin::Hello { protocol: PROTOCOL, features: Vec::new() };
    serde_json::to_vec(&hello).map_err(|e| e.to_string())
}

/// The plugin's first message.
pub(crate) fn read_greeting(greeting: &[u8]) -> Result<PluginHello, String> {
    match serde_json::from_slice(greeting) {
        Ok(FromPlugin::Hello(hello)) => Ok(hello),
        Ok(_) => Err("its first message is no greeting".to_owned()),
        Err(error) => Err(format!("its greeting does not decode: {error}")),
    }
}

#[cfg(test)]
mod tests;
