//! One side of one tenant: an open session of a plugin, as the engine's port.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use flowswap_contract::{Ask, Call, Error, ErrorKind, Handle, Intent, Op, Open, PluginEvent, PluginHello, Role};
use flowswap_engine::{Backend, BackendCall, Event, Secret, StopSwitch, intent_token};
use futures::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::{
    Effects, PluginProcess,
    life::{Conversation, Life, of_op},
    origin::{self, Origin},
    relay::one_line,
    routes::FromCall,
    scope::{Scope, Side, interrupted},
    vault::Vault,
};

/// A call may have many requests, each with its own limits; this one is for what escapes all of them.
const CALL_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// What a session is opened with.
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
}

/// An open session. Dropping it closes it.
pub struct Session {
    process: Arc<PluginProcess>,
    side: Side,
    /// With it the session is opened again, should the process die.
    open: Open,
    /// The process in which it was opened last.
    home: tokio::sync::Mutex<Option<Arc<Life>>>,
    /// A call of it was in flight when the process died, so it may be the one that killed it.
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
        let side = Side {
            plugin: process.name().to_owned(),
            origins: origin::fill(&hello.origins, &hello.config, &config.config)?,
            dialect: hello.headers.clone(),
            vault: Vault::default(),
            effects,
            mutations: Mutex::default(),
            role: config.role,
            tenant: config.tenant,
        };
        let mut handles = BTreeMap::new();
        for (key, secret) in config.secrets {
            let handle = Handle::new(format!("{}/{}/{key}", side.tenant, side.role));
            side.vault.keep(handle.clone(), secret);
            handles.insert(key, handle);
        }
        let open = Open { session: process.next_id(), role: side.role, config: config.config, secrets: handles };
        let session = Self { process, side, open, home: Default::default(), is_suspect: AtomicBool::new(false) };
        session.home().await?;
        Ok(Arc::new(session))
    }

    /// The process that the session lives in.
    pub fn process(&self) -> &Arc<PluginProcess> {
        &self.process
    }

    /// The process in which the session is open. Where that has died, the session is opened in the next one.
    async fn home(&self) -> Result<Arc<Life>, Error> {
        let mut home = self.home.lock().await;
        loop {
            if let Some(life) = home.as_ref().filter(|life| life.end().is_none()) {
                return Ok(Arc::clone(life));
            }
            let life = self.process.life().await?;
            match life.open(self.open.clone()).await {
                Ok(()) => *home = Some(life),
                // Somebody else has ended it.
                Err(_) if life.ended_in_company() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes a call; that of a suspect only while no other suspect makes one, so that whoever kills the process does not
    /// take the same others with it a second time. A call that changes nothing is made again where it may have been
    /// another one that killed the process. In the end every killer is a suspect, and found out when it is alone.
    async fn converse(&self, call: BackendCall<'_>) -> Result<Value, Error> {
        let changes = matches!(call.op, Op::Apply | Op::Undo);
        loop {
            let is_suspect = self.is_suspect.load(Ordering::Relaxed);
            let _alone = if is_suspect { Some(self.process.revival.suspects.lock().await) } else { None };
            let home = self.home().await?;
            // Somebody else may end the process before the call begins; then it begins in the next one.
            let Some(result) = self.converse_in(&home, call.clone()).await.transpose() else { continue };
            if result.is_ok() && changes {
                // Whoever kills by what it changes does not get this far.
                self.is_suspect.store(false, Ordering::Relaxed);
            }
            if result.is_ok() || home.end().is_none() {
                return result;
            }
            self.is_suspect.store(true, Ordering::Relaxed);
            if changes || !home.ended_in_company() {
                return result;
            }
        }
    }

    /// Makes a call in this process; none, if that has ended before the call could begin.
    async fn converse_in(&self, home: &Arc<Life>, call: BackendCall<'_>) -> Result<Option<Value>, Error> {
        if self.side.effects.stop.is_stopped() {
            return Err(interrupted());
        }
        let closing = StopSwitch::default();
        let scope = Scope {
            side: &self.side,
            op: call.op,
            mode: call.mode,
            run: call.run,
            step: call.step,
            lent: Handle::find_all(&call.params).into_iter().collect(),
            closing: closing.listen(),
            touched: AtomicBool::new(false),
            begun: tokio::time::Instant::now(),
            put_off_ms: AtomicU64::new(0),
        };
        let began = home.begin(Call {
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
        let Some(mut conversation) = began else { return Ok(None) };
        let mut result = self.carry_out(&scope, &mut conversation, home.limits().thinking, &closing).await;
        if let Err(error) = &mut result {
            // The plugin knows what it was told; the host knows what has left.
            if scope.touched.load(Ordering::Relaxed) {
                *error = error.clone().with_unknown_effect();
            }
            let put_off_ms = scope.put_off_ms.load(Ordering::Relaxed);
            error.retry_after_ms = Some(put_off_ms).filter(|ms| *ms > 0).or(error.retry_after_ms);
        }
        self.clean(result).map(Some)
    }

    /// Does what the plugin asks for until it replies. Never leaves a request behind whose outcome is not recorded.
    async fn carry_out(
        &self,
        scope: &Scope<'_>,
        conversation: &mut Conversation,
        thinking: Duration,
        closing: &StopSwitch,
    ) -> Result<Value, Error> {
        let mut asks = FuturesUnordered::new();
        let mut refusal = None;
        let deadline = tokio::time::sleep(CALL_TIMEOUT);
        tokio::pin!(deadline);
        let result = loop {
            tokio::select! {
                biased;
                message = conversation.next() => match message {
                    Ok(FromCall::Ask { n, ask }) => asks.push(async move {
                        let outcome = scope.perform(&ask).await;
                        (n, ask, outcome)
                    }),
                    Ok(FromCall::Event(event)) => self.tell(event),
                    Ok(FromCall::Reply(result)) => break result,
                    Err(error) => break Err(error),
                },
                Some((n, _, outcome)) = asks.next() => {
                    remember(&mut refusal, &outcome);
                    conversation.answer(n, outcome);
                }
                () = tokio::time::sleep(thinking), if asks.is_empty() => {
                    break Err(conversation.doom(thinking));
                }
                () = &mut deadline => {
                    let message = format!("`{}` took longer than {} min", scope.op, CALL_TIMEOUT.as_secs() / 60);
                    break Err(of_op(Error::new(ErrorKind::TimedOut, message), scope.op));
                }
            }
        };
        closing.stop();
        let mut unheard = false;
        while let Some((_, ask, outcome)) = asks.next().await {
            remember(&mut refusal, &outcome);
            unheard |= matches!(ask, Ask::Http(ask) if ask.intent == Intent::Mutate);
        }
        match (result, refusal) {
            // Refused is refused, whatever the plugin makes of it.
            (_, Some(refusal)) => Err(refusal),
            (Ok(_), None) if unheard => {
                let message = format!("the plugin `{}` replied without waiting for its own request", self.side.plugin);
                Err(Error::new(ErrorKind::Protocol, message))
            }
            (result, None) => result,
        }
    }

    fn tell(&self, event: PluginEvent) {
        let redactor = self.side.vault.redactor();
        let tenant = self.side.tenant.clone();
        self.side.effects.events.emit(match event {
            PluginEvent::Progress { message } => {
                Event::Progress { tenant, message: redactor.text(&one_line(&message)) }
            }
            PluginEvent::Log { level, message } => Event::Log {
                plugin: self.side.plugin.clone(),
                tenant: Some(tenant),
                level,
                message: redactor.text(&one_line(&message)),
            },
        });
    }

    /// A plugin holds no secret, and so none can come out of it. This is for the day when that is not true.
    fn clean(&self, result: Result<Value, Error>) -> Result<Value, Error> {
        let redactor = self.side.vault.redactor();
        match result {
            Ok(mut value) => {
                redactor.value(&mut value);
                Ok(value)
            }
            Err(error) => Err(Error {
                message: redactor.text(&one_line(&error.message)),
                hint: error.hint.map(|hint| redactor.text(&one_line(&hint))),
                context: error.context.iter().map(|(k, v)| (redactor.text(k), redactor.text(v))).collect(),
                ..error
            }),
        }
    }
}

impl Backend for Session {
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, Error>> {
        Box::pin(self.converse(call))
    }

    fn skews(&self) -> BTreeMap<String, SignedDuration> {
        let skews = &self.side.effects.gate.skews;
        let measured = self.side.origins.iter().map(Origin::as_str);
        measured.filter_map(|origin| Some((origin.to_owned(), skews.of(origin)?))).collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(home) = self.home.get_mut() {
            home.close(self.open.session);
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
        return fail(format!("the plugin `{}` cannot serve as {}", hello.name, config.role));
    }
    for key in hello.config.iter().filter(|key| key.required) {
        let there =
            if key.secret { config.secrets.contains_key(&key.name) } else { config.config.contains_key(&key.name) };
        if !there {
            return fail(format!("`{}` is missing, which the plugin `{}` needs: {}", key.name, hello.name, key.about));
        }
    }
    Ok(())
}

fn remember<T>(refusal: &mut Option<Error>, outcome: &Result<T, Error>) {
    if let Err(error) = outcome
        && error.kind == ErrorKind::Refused
    {
        refusal.get_or_insert_with(|| error.clone());
    }
}

#[cfg(test)]
mod tests;
