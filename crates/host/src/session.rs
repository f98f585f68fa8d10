//! An open session of a plugin for one side of one tenant, as the engine's port.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use flowswap_contract::{Ask, Call, Error, ErrorKind, Handle, Intent, Level, Op, Open, PluginEvent, PluginHello, Role};
use flowswap_engine::{Backend, BackendCall, Event, Secret, StopSwitch, intent_token};
use futures::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::{
    Effects, PluginProcess,
    budget::{CALL, SAID},
    connection::{Connection, RunningCall, of_op},
    lent::Lent,
    of_table::OfTable,
    origin::{self, Origin},
    places::Kind,
    routes::FromCall,
    scope::{Scope, Side, internal, interrupted},
    shown::{cut_texts, map_texts, one_line},
    vault::{KnownSecrets, Vault},
};

/// What a session needs to open.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The tenant.
    pub tenant: String,
    /// The side that the session serves.
    pub role: Role,
    /// The tenant's table of this side, without its secrets.
    pub config: Map<String, Value>,
    /// The secrets of the table, by key. They stay in this process.
    pub secrets: BTreeMap<String, Secret>,
    /// The origins that the operator allows the plugin beside those in the table, such as `https://api.example.com`.
    pub origins: Vec<String>,
    /// The secrets of the tenant that must not be shown; its other side has the same.
    pub known: Arc<KnownSecrets>,
}

/// An open session. Dropping it closes it.
pub struct Session {
    process: Arc<PluginProcess>,
    side: Side,
    /// Opens the session again after the process died.
    open: Open,
    /// The connection to the process in which the session was last opened.
    connection: tokio::sync::Mutex<Option<Arc<Connection>>>,
    /// A call of this session was in flight when the process died, so this session may have killed it.
    is_suspect: AtomicBool,
}

impl Session {
    /// Opens a session in the plugin's process.
    pub async fn open(
        process: Arc<PluginProcess>,
        effects: Arc<Effects>,
        config: SessionConfig,
    ) -> Result<Arc<Self>, Error> {
        let hello = process.hello();
        check_config(hello, &config)?;
        let origins = origin::fill(&hello.origins, &hello.config, &config.config, &config.origins)?;
        let names: Vec<_> = origins.allowed.iter().map(Origin::as_str).collect();
        let side = Side {
            plugin: process.name().to_owned(),
            http: effects.http.connect(&names).map_err(|error| internal(&error))?,
            origins,
            token_paths: hello.token_paths.clone(),
            of_table: OfTable::new(&config.config),
            dialect: hello.headers.clone(),
            vault: Vault::of(config.known),
            effects,
            mutations: Mutex::default(),
            role: config.role,
            tenant: config.tenant,
        };
        let mut handles = BTreeMap::new();
        for (key, secret) in config.secrets {
            let handle = Handle::of_side(&side.tenant, side.role, &key);
            side.vault.keep(handle.clone(), Kind::Configured, secret);
            handles.insert(key, handle);
        }
        let open = Open { session: process.next_id(), role: side.role, config: config.config, secrets: handles };
        let session = Self { process, side, open, connection: Default::default(), is_suspect: AtomicBool::new(false) };
        session.connect().await?;
        Ok(Arc::new(session))
    }

    /// The plugin's process.
    pub fn process(&self) -> &Arc<PluginProcess> {
        &self.process
    }

    /// The connection on which the session is open. If the process has died, opens the session in the next one.
    async fn connect(&self) -> Result<Arc<Connection>, Error> {
        let mut current = self.connection.lock().await;
        loop {
            if let Some(connection) = current.as_ref().filter(|connection| connection.end().is_none()) {
                return Ok(Arc::clone(connection));
            }
            let connection = self.process.connection().await?;
            match connection.open(self.open.clone()).await {
                Ok(()) => *current = Some(connection),
                // Another session may have killed the process; try the next process.
                Err(_) if connection.another_call_may_have_ended_it() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes a call. Only one suspect makes a call at a time, so that a session that kills the process does not interrupt the
    /// same other sessions again. Repeats a call that changes nothing if another call may have killed the process. In the
    /// end, every session that kills the process is a suspect, and is identified when it runs alone.
    async fn run_call(&self, call: BackendCall<'_>) -> Result<Value, Error> {
        let changes = matches!(call.op, Op::Apply | Op::Undo);
        loop {
            let is_suspect = self.is_suspect.load(Ordering::Relaxed);
            let _alone = if is_suspect { Some(self.process.supervisor.suspects.lock().await) } else { None };
            let connection = self.connect().await?;
            // Another session may kill the process before this call starts. Then it starts in the next process.
            let Some(result) = self.run_call_on(&connection, call.clone()).await.transpose() else { continue };
            if result.is_ok() && changes {
                // A session that kills the process with its changes does not get this far.
                self.is_suspect.store(false, Ordering::Relaxed);
            }
            if result.is_ok() || connection.end().is_none() {
                return result;
            }
            self.is_suspect.store(true, Ordering::Relaxed);
            if changes || !connection.another_call_may_have_ended_it() {
                return result;
            }
        }
    }

    /// Makes a call on this connection; `None` if the process ended before the call could start.
    async fn run_call_on(&self, connection: &Arc<Connection>, call: BackendCall<'_>) -> Result<Option<Value>, Error> {
        if self.side.effects.stop.is_stopped() {
            return Err(interrupted());
        }
        let closing = StopSwitch::default();
        if call.op == Op::Apply {
            self.side.vault.publish("the step", call.params.as_str());
        }
        let scope = Scope {
            side: &self.side,
            op: call.op,
            mode: call.mode,
            run: call.run,
            step: call.step,
            recorder: call.recorder,
            lent: Lent::by(call.op, &call.params),
            closing: closing.listen(),
            touched: AtomicBool::new(false),
            started: tokio::time::Instant::now(),
            put_off_ms: AtomicU64::new(0),
            asks: Default::default(),
            secrets: Default::default(),
            brought: Default::default(),
        };
        let began = connection.begin(Call {
            id: self.process.next_id(),
            session: self.open.session,
            op: call.op,
            key: match call.step {
                Some(step) => intent_token(call.run, step),
                None => call.run.to_string(),
            },
            now: self.side.effects.clock.now().to_string(),
            params: call.params,
        })?;
        let Some(mut running_call) = began else { return Ok(None) };
        let mut result = self.carry_out(&scope, &mut running_call, connection, &closing).await;
        if let Err(error) = &mut result {
            // The plugin may report no effect, but the host knows which requests it has sent.
            if scope.touched.load(Ordering::Relaxed) {
                *error = error.clone().with_unknown_effect();
            }
            let put_off_ms = scope.put_off_ms.load(Ordering::Relaxed);
            error.retry_after_ms = Some(put_off_ms).filter(|ms| *ms > 0).or(error.retry_after_ms);
        }
        let result = self.redact_result(result);
        if let (Op::Detect, Ok(inventory)) = (scope.op, &result) {
            self.side.vault.publish(&format!("the inventory of the {}", self.side.role), &inventory.to_string());
        }
        result.map(Some)
    }

    /// Does what the plugin asks for until it replies. Finishes every request, so that each outcome is recorded.
    async fn carry_out(
        &self,
        scope: &Scope<'_>,
        running_call: &mut RunningCall,
        connection: &Connection,
        closing: &StopSwitch,
    ) -> Result<Value, Error> {
        let thinking = connection.limits().thinking;
        let mut asks = FuturesUnordered::new();
        let mut refusal = None;
        let mut said = 0;
        let deadline = tokio::time::sleep(CALL.time());
        tokio::pin!(deadline);
        let result = loop {
            tokio::select! {
                biased;
                () = &mut deadline => {
                    let message = format!("`{}` {CALL}", scope.op);
                    break Err(of_op(Error::new(ErrorKind::TimedOut, message), scope.op));
                }
                message = running_call.next() => match message {
                    Ok(FromCall::Ask { n, ask }) => asks.push(async move {
                        let outcome = scope.perform(&ask).await;
                        (n, ask, outcome)
                    }),
                    Ok(FromCall::Event(event)) => {
                        said += 1;
                        self.emit_plugin_event(said, event);
                    }
                    Ok(FromCall::Reply(result)) => break result,
                    Err(error) => break Err(error),
                },
                Some((n, _, outcome)) = asks.next() => {
                    keep_first_refusal(&mut refusal, &outcome);
                    running_call.answer(n, outcome);
                }
                () = connection.silence(thinking), if asks.is_empty() => {
                    break Err(running_call.end_as_too_slow(thinking));
                }
            }
        };
        closing.stop();
        let mut unanswered_mutation = false;
        while let Some((_, ask, outcome)) = asks.next().await {
            keep_first_refusal(&mut refusal, &outcome);
            unanswered_mutation |= matches!(ask, Ask::Http(ask) if ask.intent == Intent::Mutate);
        }
        match (result, refusal) {
            // A refusal fails the call, even if the plugin ignores it.
            (_, Some(refusal)) => Err(refusal),
            (Ok(_), None) if unanswered_mutation => {
                let message = format!("the plugin `{}` replied without waiting for its own request", self.side.plugin);
                Err(Error::new(ErrorKind::Protocol, message))
            }
            (result, None) => result,
        }
    }

    /// Shows what a plugin says, unless it has said too much in this call. `said` counts from 1.
    fn emit_plugin_event(&self, said: usize, event: PluginEvent) {
        let event = match said {
            _ if said <= SAID.limit => event,
            _ if said == SAID.limit + 1 => PluginEvent::Log { level: Level::Warn, message: SAID.message() },
            _ => return,
        };
        let redactor = self.side.vault.redactor();
        let tenant = self.side.tenant.clone();
        self.side.effects.events.emit(match event {
            PluginEvent::Progress { message } => {
                Event::Progress { tenant, message: one_line(&redactor.text(&message)) }
            }
            PluginEvent::Log { level, message } => Event::Log {
                plugin: self.side.plugin.clone(),
                tenant: Some(tenant),
                level,
                message: one_line(&redactor.text(&message)),
            },
        });
    }

    /// Redacts secrets in a result. A plugin never gets a secret; this guards against a plugin that gets one nevertheless.
    fn redact_result(&self, result: Result<Value, Error>) -> Result<Value, Error> {
        let redactor = self.side.vault.redactor();
        match result {
            Ok(mut value) => {
                redactor.value(&mut value);
                cut_texts(&mut value);
                Ok(value)
            }
            // The secrets go first: half a secret at the end of a text would not be recognized.
            Err(error) => Err(map_texts(error, |text| one_line(&redactor.text(text)))),
        }
    }
}

impl Backend for Session {
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, Error>> {
        Box::pin(self.run_call(call))
    }

    fn redact(&self, text: &str) -> Option<String> {
        self.side.vault.redactor().redact(text)
    }

    fn origins(&self) -> Vec<String> {
        let mut origins: Vec<_> = self.side.origins.allowed.iter().map(|origin| origin.as_str().to_owned()).collect();
        origins.sort();
        origins
    }

    fn token_paths(&self) -> Vec<String> {
        let mut paths = self.process.hello().token_paths.clone();
        paths.sort();
        paths
    }

    fn skews(&self) -> BTreeMap<String, SignedDuration> {
        let skews = &self.side.effects.gate.skews;
        let measured = self.side.origins.allowed.iter().map(Origin::as_str);
        measured.filter_map(|origin| Some((origin.to_owned(), skews.of(origin)?))).collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.get_mut() {
            connection.close(self.open.session);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("tenant", &self.side.tenant)
            .field("role", &self.side.role)
            .field("plugin", &self.side.plugin)
            .finish_non_exhaustive()
    }
}

fn check_config(hello: &PluginHello, config: &SessionConfig) -> Result<(), Error> {
    let fail = |message: String| Err(Error::new(ErrorKind::Config, message));
    if !hello.roles.contains(&config.role) {
        return fail(format!("the plugin `{}` cannot serve as the {}", hello.name, config.role));
    }
    for key in hello.config.iter().filter(|key| key.required) {
        let is_set =
            if key.secret { config.secrets.contains_key(&key.name) } else { config.config.contains_key(&key.name) };
        if !is_set {
            return fail(format!("`{}` is missing; the plugin `{}` needs it: {}", key.name, hello.name, key.about));
        }
    }
    Ok(())
}

fn keep_first_refusal<T>(refusal: &mut Option<Error>, outcome: &Result<T, Error>) {
    if let Err(error) = outcome
        && error.kind == ErrorKind::Refused
    {
        refusal.get_or_insert_with(|| error.clone());
    }
}

#[cfg(test)]
pub(crate) mod tests;
