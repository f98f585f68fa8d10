//! The context of a request: one side of one tenant, and one call to its plugin.

use std::{
    collections::BTreeMap,
    num::TryFromIntError,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use flowswap_contract::{Answer, Ask, Error, ErrorKind, Handle, HeaderDialect, HttpAsk, Op, Role};
use flowswap_engine::{Entry, Event, JournalError, Mode, Recording, RunId, Secret, Stop};
use tokio::time::Instant;

use crate::{
    Effects, HttpService,
    brought::Brought,
    budget::{ASKS, MUTATIONS, PAUSE, Spent},
    chain,
    guard::{Permission, Permitted, describe},
    lent::Lent,
    of_table::OfTable,
    origin::Origins,
    places::{Kind, may_stand, secrets_in},
    room::Held,
    vault::Vault,
};

/// One side of one tenant, with what its requests need.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) plugin: String,
    pub(crate) tenant: String,
    pub(crate) role: Role,
    pub(crate) origins: Origins,
    /// The paths of the token endpoints on these.
    pub(crate) token_paths: Vec<String>,
    /// What the tenant's table allows.
    pub(crate) of_table: OfTable,
    /// Makes requests to these origins.
    pub(crate) http: HttpService,
    pub(crate) dialect: Option<HeaderDialect>,
    pub(crate) vault: Vault,
    pub(crate) effects: Arc<Effects>,
    /// How many mutating requests each step of each run has made.
    pub(crate) mutations: Mutex<BTreeMap<(RunId, String), usize>>,
}

/// One call to a plugin, with what its requests need.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) side: &'a Side,
    pub(crate) op: Op,
    pub(crate) mode: Mode,
    pub(crate) run: RunId,
    pub(crate) step: Option<&'a str>,
    /// Takes the records of the call. `None` in a call that changes nothing.
    pub(crate) recorder: Option<&'a dyn Recording>,
    /// The stored secrets that the call may use.
    pub(crate) lent: Lent,
    /// Stops when the call is finished. Then nothing that it asked for is worth waiting for.
    pub(crate) closing: Stop,
    /// Whether a mutating request of this call may have changed the world.
    pub(crate) touched: AtomicBool,
    /// When the call began.
    pub(crate) started: Instant,
    /// Milliseconds after which a request that was put off may be sent again; 0 if none was put off.
    pub(crate) put_off_ms: AtomicU64,
    /// How many things it has asked for.
    pub(crate) asks: Spent,
    /// How many secrets it has asked for.
    pub(crate) secrets: Spent,
    pub(crate) brought: Brought,
}

/// What a plugin gets for its ask.
#[derive(Debug)]
pub(crate) struct Performed {
    pub(crate) answer: Answer,
    /// The room that the answer takes up until the plugin has it.
    pub(crate) held: Option<Held>,
}

impl From<Answer> for Performed {
    fn from(answer: Answer) -> Self {
        Self { answer, held: None }
    }
}

impl Scope<'_> {
    /// Does what the plugin asks for, or refuses it.
    pub(crate) async fn perform(&self, ask: &Ask) -> Result<Performed, Error> {
        self.permission().permit_asking(ask)?;
        self.asks.spend(&ASKS, 1).map_err(|message| self.permission().refuse(message))?;
        // After a stop, a dry run makes no further request. A step that has started is finished.
        if self.mode == Mode::DryRun && self.side.effects.stop.is_stopped() {
            return Err(interrupted());
        }
        match ask {
            Ask::Http(ask) => self.make_request(ask).await,
            Ask::Sleep { ms } => {
                let wait = Duration::from_millis(*ms);
                if wait > PAUSE.time() {
                    return Err(self.permission().refuse(&PAUSE));
                }
                self.pause(wait, &format!("the plugin `{}` asked to wait", self.side.plugin)).await?;
                Ok(Answer::Slept.into())
            }
            Ask::Mint { name } => self.mint(name).await.map(|handle| Answer::Minted { handle }.into()),
        }
    }

    pub(crate) fn permission(&self) -> Permission<'_> {
        Permission {
            plugin: &self.side.plugin,
            op: self.op,
            mode: self.mode,
            in_step: self.step.is_some(),
            origins: &self.side.origins,
            token_paths: &self.side.token_paths,
            queries: self.lent.queries.as_deref(),
            of_table: &self.side.of_table,
        }
    }

    /// Waits, unless the run or the call ends first, and tells the operator.
    pub(crate) async fn pause(&self, wait: Duration, reason: &str) -> Result<(), Error> {
        let ms = wait.as_millis().try_into().unwrap_or(u64::MAX);
        self.emit(Event::Waiting { tenant: self.side.tenant.clone(), ms, reason: reason.to_owned() });
        self.sleep(wait).await
    }

    /// Waits, and tells nobody.
    pub(crate) async fn sleep(&self, wait: Duration) -> Result<(), Error> {
        tokio::select! {
            biased;
            () = self.side.effects.stop.stopped() => Err(interrupted()),
            () = self.closing.stopped() => Err(interrupted()),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Fetches the secrets that the request names. Refuses those that this call may not use, or not at this place.
    pub(crate) async fn fetch_secrets(
        &self,
        ask: &HttpAsk,
        permitted: &Permitted,
    ) -> Result<BTreeMap<Handle, Secret>, Error> {
        let mut secrets = BTreeMap::new();
        for (handle, place) in secrets_in(ask) {
            let own = self.side.vault.get(&handle);
            let kind = own.as_ref().map_or(Kind::OfStep, |(kind, _)| *kind);
            // Guards against a plan or a plugin that was tampered with to name another tenant's secret.
            if own.is_none() && !(handle.is_of(&self.side.tenant) && self.lent.secrets.contains_key(&handle)) {
                let what = format!("named the secret `{handle}`, which this call may not use");
                return Err(self.permission().refuse(what));
            }
            if !may_stand((&handle, kind), &place, ask.intent, &permitted.origin, self.lent.named.as_deref()) {
                let request = describe(&ask.method, &ask.url);
                return Err(self.permission().refuse(format!(
                    "put the secret `{handle}` {place} of a request ({request}), where it may not stand"
                )));
            }
            let secret = match own {
                Some((_, secret)) => secret,
                None => self.fetch_lent(&handle).await?,
            };
            secrets.insert(handle, secret);
        }
        Ok(secrets)
    }

    async fn fetch_lent(&self, handle: &Handle) -> Result<Secret, Error> {
        let lost = || {
            Error::new(ErrorKind::NotFound, format!("the secret `{handle}` is not in the secret store"))
                .with_hint("check whether it was removed, or stored on another machine")
        };
        let fetch = async || {
            let stored = self.side.effects.secrets.get(handle).await;
            let secret = stored?.ok_or_else(lost)?;
            self.side.vault.remember_stored(handle, &secret);
            Ok(secret)
        };
        self.lent.secrets.get(handle).ok_or_else(lost)?.get_or_try_init(fetch).await.cloned()
    }

    /// The number of the step's next mutating request within the run.
    pub(crate) fn next_mutation(&self, step: &str) -> Result<u32, Error> {
        let mut mutations = self.side.mutations.lock().unwrap_or_else(PoisonError::into_inner);
        let next = mutations.entry((self.run, step.to_owned())).or_default();
        if *next == MUTATIONS.limit {
            return Err(self.permission().refuse(&MUTATIONS));
        }
        let number = *next;
        *next += 1;
        number.try_into().map_err(|e: TryFromIntError| internal(&e))
    }

    /// Records what this call does to the world.
    pub(crate) async fn record(&self, entry: Entry) -> Result<(), JournalError> {
        match self.recorder {
            Some(recorder) => recorder.record(entry).await,
            None => {
                let source = "a call that changes nothing has no recorder".into();
                Err(JournalError::Storage { doing: "record a change", source })
            }
        }
    }

    pub(crate) fn emit(&self, event: Event) {
        self.side.effects.events.emit(event);
    }

    pub(crate) fn put_off(&self, wait: Duration) {
        self.put_off_ms.store(wait.as_millis().try_into().unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
    }

    pub(crate) fn touch(&self) {
        self.touched.store(true, Ordering::Relaxed);
    }
}

/// The error of something that did not start because the run is stopping.
pub(crate) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "the run was stopped")
}

/// The error of something that failed on this machine.
pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Error {
    Error::new(ErrorKind::Internal, chain(error))
}
