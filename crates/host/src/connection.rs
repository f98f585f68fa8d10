//! The connection to one plugin process, from its greeting to its end. Carries messages between the process and the calls
//! that wait for them.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use flowswap_contract::{Call, Error, ErrorKind, FromPlugin, Op, Open, Outcome, PROTOCOL, PluginHello, ToPlugin};
use flowswap_engine::EventSink;
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout},
};

use crate::{
    Limits, StartError, Tap, Traffic,
    budget::{GREETING, MESSAGE, OPENING},
    frame, guard,
    room::Held,
    routes::{Ended, FIX_PLUGIN, FromCall, Route, Routes},
    scope::Performed,
    shown::one_line,
    spawn::{Running, Transport},
};

/// How many messages are written at once.
const MOST_AT_ONCE: usize = 64;

/// The buffer for messages that are written at once keeps at most this many bytes.
const LARGEST_BUFFER: usize = 64 * 1024;

/// The connection to one process, from its greeting to its end.
pub(crate) struct Connection {
    name: String,
    limits: Limits,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    pub(crate) routes: Arc<Routes>,
}

/// A message that waits to be sent to the plugin.
pub(crate) struct Outgoing {
    pub(crate) bytes: Vec<u8>,
    /// The ask that it answers: the call, and the number of the ask.
    pub(crate) answers: Option<(u64, u32)>,
    /// The room that it takes up until it is sent.
    #[expect(dead_code, reason = "dropping it gives the room back")]
    held: Option<Held>,
}

/// A call that the process is working on. Dropping it cancels the call.
pub(crate) struct RunningCall {
    connection: Arc<Connection>,
    id: u64,
    op: Op,
    inbox: mpsc::UnboundedReceiver<FromCall>,
}

impl Connection {
    /// Exchanges greetings with the plugin at the other end.
    pub(crate) async fn begin_with(
        plugin: &str,
        mut transport: Transport,
        events: Arc<dyn EventSink>,
        limits: &Limits,
        tap: Option<Tap>,
    ) -> Result<(PluginHello, Arc<Self>), StartError> {
        let tap = tap.unwrap_or_else(|| Arc::new(|_: Traffic<'_>| {}));
        let problem = match timeout(limits.greeting, greet(&mut transport.stream, &tap)).await {
            Ok(Ok(hello)) => return Self::carry(plugin, hello, transport, events, limits, tap),
            // If the process has ended, how it ended says more.
            Ok(Err(problem)) => match transport.running {
                Some(running) => running.describe_end(&problem).await,
                None => problem,
            },
            Err(_) => format!("no greeting within {} s", limits.greeting.as_secs()),
        };
        tap(Traffic::Ended(&problem));
        Err(StartError::Handshake { plugin: plugin.to_owned(), problem })
    }

    /// Starts to carry messages between the process and the calls.
    fn carry(
        plugin: &str,
        hello: PluginHello,
        transport: Transport,
        events: Arc<dyn EventSink>,
        limits: &Limits,
        tap: Tap,
    ) -> Result<(PluginHello, Arc<Self>), StartError> {
        let (connection, queue) = Self::after_greeting(plugin, &hello, events, limits)?;
        let (reader, writer) = transport.stream.into_split();
        tokio::spawn(write_all(writer, queue, Arc::clone(&connection.routes), limits.thinking, Arc::clone(&tap)));
        tokio::spawn(read_all(reader, Arc::clone(&connection.routes), transport.running, tap));
        Ok((hello, connection))
    }

    /// The connection to a plugin that has sent its greeting, and the queue of messages for it. The caller must deliver the
    /// queue, and pass the plugin's messages to the routes.
    pub(crate) fn after_greeting(
        plugin: &str,
        hello: &PluginHello,
        events: Arc<dyn EventSink>,
        limits: &Limits,
    ) -> Result<(Arc<Self>, mpsc::UnboundedReceiver<Outgoing>), StartError> {
        if hello.protocol.major != PROTOCOL.major {
            return Err(StartError::Protocol { plugin: plugin.to_owned(), found: hello.protocol });
        }
        if hello.name != plugin {
            return Err(StartError::Name { plugin: plugin.to_owned(), found: one_line(&hello.name) });
        }
        if let Some(path) = hello.token_paths.iter().find(|path| !guard::is_path(path)) {
            let problem = format!("it declares the token path `{}`, which is not the path of a URL", one_line(path));
            return Err(StartError::Handshake { plugin: plugin.to_owned(), problem });
        }
        let (outgoing, queue) = mpsc::unbounded_channel();
        let routes = Arc::new(Routes {
            plugin: plugin.to_owned(),
            events,
            waiting: Mutex::default(),
            kill_request: watch::Sender::new(None),
        });
        let connection = Self { name: plugin.to_owned(), limits: limits.clone(), outgoing, routes };
        Ok((Arc::new(connection), queue))
    }

    /// Why the process ended, if it has.
    pub(crate) fn end(&self) -> Option<Ended> {
        self.routes.lock().ended.clone()
    }

    /// Whether another call may be why the process ended: several calls were in flight, or the last message belonged to a
    /// call that was already finished.
    pub(crate) fn another_call_may_have_ended_it(&self) -> bool {
        let waiting = self.routes.lock();
        waiting.ended.is_some() && (waiting.in_flight_at_end > 1 || waiting.broken_by_finished_call)
    }

    /// The plugin's time limits.
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
        tokio::select! {
            biased;
            opened = opened => opened.unwrap_or_else(|_| Err(self.ended())),
            () = self.silence(self.limits.opening) => {
                Err(self.routes.end_as_too_slow("open a session", self.limits.opening).with_hint(FIX_PLUGIN))
            }
            // The plugin is not silent, but it does not open the session either.
            () = tokio::time::sleep(OPENING.time()) => {
                Err(self.routes.stop(&OPENING.message()).with_hint(FIX_PLUGIN))
            }
        }
    }

    /// Waits until the process has sent nothing for this time. All of its calls share one thread, so a call waits while the
    /// plugin computes for another.
    pub(crate) async fn silence(&self, limit: Duration) {
        let mut since = Instant::now();
        loop {
            tokio::time::sleep_until(since + limit).await;
            let heard = self.routes.lock().heard;
            match heard.filter(|heard| *heard > since) {
                Some(heard) => since = heard,
                None => return,
            }
        }
    }

    /// Ends a session.
    pub(crate) fn close(&self, session: u64) {
        // If this cannot be sent, the process is gone, and its sessions with it.
        let _ = self.send(&ToPlugin::Close { session });
    }

    /// Starts a call; `None` if the process ended before the call could start.
    pub(crate) fn begin(self: &Arc<Self>, call: Call) -> Result<Option<RunningCall>, Error> {
        let id = call.id;
        let op = call.op;
        let (sender, inbox) = mpsc::unbounded_channel();
        {
            let mut waiting = self.routes.lock();
            if waiting.ended.is_some() {
                // The plugin never saw this call, so it changed nothing, whatever its verb.
                return Ok(None);
            }
            waiting.calls.insert(id, Route::to(sender));
        }
        let running_call = RunningCall { connection: Arc::clone(self), id, op, inbox };
        self.send(&ToPlugin::Call(call))?;
        Ok(Some(running_call))
    }

    fn send(&self, message: &ToPlugin) -> Result<(), Error> {
        self.send_answer(message, None, None)
    }

    fn send_answer(&self, message: &ToPlugin, answers: Option<(u64, u32)>, held: Option<Held>) -> Result<(), Error> {
        let bytes = serde_json::to_vec(message)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("failed to encode a message to the plugin: {e}")))?;
        if bytes.len() > MESSAGE.limit {
            return Err(Error::new(ErrorKind::Invalid, MESSAGE.message()));
        }
        // If the process is gone, the reader finds out why and tells every call.
        let _ = self.outgoing.send(Outgoing { bytes, answers, held });
        Ok(())
    }

    fn ended(&self) -> Error {
        match &self.routes.lock().ended {
            Some(ended) => ended.error(),
            None => Error::new(ErrorKind::Crashed, format!("the plugin `{}` is gone", self.name)),
        }
    }
}

impl RunningCall {
    /// The plugin's next message. An error means that no more messages will come.
    pub(crate) async fn next(&mut self) -> Result<FromCall, Error> {
        match self.inbox.recv().await {
            Some(message) => Ok(message),
            None => Err(of_op(self.connection.ended(), self.op)),
        }
    }

    /// Answers an ask.
    pub(crate) fn answer(&self, n: u32, outcome: Result<Performed, Error>) {
        let id = self.id;
        let (outcome, held) = match outcome {
            Ok(Performed { answer, held }) => (Outcome::Ok(answer), held),
            Err(error) => (Outcome::Error(error), None),
        };
        if let Err(error) = self.connection.send_answer(&ToPlugin::Answer { id, n, outcome }, Some((id, n)), held) {
            // The answer is too long for a message. The request that it answers may have changed the world.
            let outcome = Outcome::Error(error.with_unknown_effect());
            let _ = self.connection.send_answer(&ToPlugin::Answer { id, n, outcome }, Some((id, n)), None);
        }
    }

    /// Stops the process because the plugin computed for too long without a message.
    pub(crate) fn end_as_too_slow(&self, limit: Duration) -> Error {
        of_op(self.connection.routes.end_as_too_slow(&format!("continue `{}`", self.op), limit), self.op)
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        let mut waiting = self.connection.routes.lock();
        let unfinished = waiting.calls.remove(&self.id).is_some();
        if unfinished && waiting.ended.is_none() {
            // Messages about this call that still arrive were sent before the plugin saw the cancellation.
            waiting.canceled.insert(self.id);
            drop(waiting);
            let _ = self.connection.send(&ToPlugin::Cancel { id: self.id });
        }
    }
}

/// The error of an interrupted call. Only `apply` and `undo` may have changed something.
pub(crate) fn of_op(error: Error, op: Op) -> Error {
    if matches!(op, Op::Apply | Op::Undo) { error.with_unknown_effect() } else { error }
}

/// Writes the messages of the queue. Stops a process that reads none of them for this time.
async fn write_all(
    mut stream: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    routes: Arc<Routes>,
    limit: Duration,
    tap: Tap,
) {
    let mut waiting = Vec::new();
    let mut frames = Vec::new();
    // What waits together is written together. An answer that arrives meanwhile waits for one write, not for many.
    while queue.recv_many(&mut waiting, MOST_AT_ONCE).await > 0 {
        for message in &waiting {
            tap(Traffic::ToPlugin(&message.bytes));
            // Every message in the queue is short enough.
            let _ = frame::push(&mut frames, &message.bytes);
            message.answers.iter().for_each(|(call, n)| routes.answered(*call, *n));
        }
        let mut rest = frames.as_slice();
        while !rest.is_empty() {
            match timeout(limit, stream.write(rest)).await {
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(written)) => rest = &rest[written..],
                Err(_) => return drop(routes.end_as_too_slow("read its messages", limit)),
            }
        }
        waiting.clear();
        frames.clear();
        frames.shrink_to(LARGEST_BUFFER);
    }
    tap(Traffic::Closed);
}

async fn read_all(stream: OwnedReadHalf, routes: Arc<Routes>, running: Option<Running>, tap: Tap) {
    let mut stream = BufReader::new(stream);
    let mut kill_requests = routes.kill_request.subscribe();
    let plugin = &routes.plugin;
    let ended = loop {
        let read = tokio::select! {
            biased;
            request = kill_requests.wait_for(Option::is_some) => match request.ok().and_then(|request| request.clone()) {
                Some(ended) => break ended,
                None => continue,
            },
            read = frame::read_async(&mut stream) => read,
        };
        let problem = match read {
            Ok(Some(bytes)) => {
                tap(Traffic::FromPlugin(&bytes));
                match routes.route(&bytes) {
                    Ok(()) => continue,
                    Err(problem) => {
                        let message =
                            format!("the plugin `{plugin}` broke the protocol, and flowswap stopped it: it {problem}");
                        break Ended { kind: ErrorKind::Protocol, message };
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let message = format!("the plugin `{plugin}` broke the protocol, and flowswap stopped it: {error}");
                break Ended { kind: ErrorKind::Protocol, message };
            }
            Ok(None) => "it closed its connection".to_owned(),
            Err(error) => error.to_string(),
        };
        let how = match running {
            Some(running) => running.describe_end(&problem).await,
            None => problem,
        };
        let message = format!("the process of the plugin `{plugin}` ended: {how}");
        tap(Traffic::Ended(&message));
        return routes.end(Ended { kind: ErrorKind::Crashed, message });
    };
    tap(Traffic::Stopped { why: &ended.message, is_late: ended.kind == ErrorKind::TimedOut });
    routes.end(ended);
    if let Some(mut running) = running {
        // The kill fails if the process has exited by itself in the meantime.
        let _ = running.child.kill().await;
    }
}

async fn greet(stream: &mut UnixStream, tap: &Tap) -> Result<PluginHello, String> {
    let ours = our_greeting()?;
    tap(Traffic::ToPlugin(&ours));
    frame::write_async(stream, &ours).await.map_err(|e| e.to_string())?;
    let greeting = frame::read_async(stream).await.map_err(|e| e.to_string())?;
    let greeting = greeting.ok_or("it closed its connection")?;
    tap(Traffic::FromPlugin(&greeting));
    read_greeting(&greeting)
}

/// The first message to a plugin.
pub(crate) fn our_greeting() -> Result<Vec<u8>, String> {
    let hello = ToPlugin::Hello { protocol: PROTOCOL, features: Vec::new() };
    serde_json::to_vec(&hello).map_err(|e| e.to_string())
}

/// The plugin's first message.
pub(crate) fn read_greeting(greeting: &[u8]) -> Result<PluginHello, String> {
    if greeting.len() > GREETING.limit {
        return Err(GREETING.message());
    }
    match serde_json::from_slice(greeting) {
        Ok(FromPlugin::Hello(mut hello)) => {
            hello.version = one_line(&hello.version);
            hello.config.iter_mut().for_each(|key| key.about = one_line(&key.about));
            Ok(hello)
        }
        Ok(_) => Err("its first message is not a greeting".to_owned()),
        Err(error) => Err(format!("failed to decode its greeting: {error}")),
    }
}

#[cfg(test)]
pub(crate) mod tests;
