//! What a request is made within: one side of one tenant, and one call to its plugin.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use flowswap_contract::{Answer, Ask, Error, ErrorKind, Handle, HeaderDialect, HttpAsk, Op, Role};
use flowswap_engine::{Draft, Entry, Event, JournalError, Mode, RunId, Secret, Stop};

use tokio::time::Instant;

use crate::{Effects, guard::Permission, origin::Origin, vault::Vault};

/// No plugin has a reason to wait longer in one go.
const MAX_SLEEP: Duration = Duration::from_secs(10 * 60);

/// One side of one tenant, as far as effects are concerned.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) plugin: String,
    pub(crate) tenant: String,
    pub(crate) role: Role,
    pub(crate) origins: Vec<Origin>,
    pub(crate) dialect: Option<HeaderDialect>,
    pub(crate) vault: Vault,
    pub(crate) effects: Arc<Effects>,
    /// How many mutating requests each step of each run has made.
    pub(crate) mutations: Mutex<BTreeMap<(RunId, String), u32>>,
}

/// One call, as far as effects are concerned.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) side: &'a Side,
    pub(crate) op: Op,
    pub(crate) mode: Mode,
    pub(crate) run: RunId,
    pub(crate) step: Option<&'a str>,
    /// The secrets that stand in the call's parameters.
    pub(crate) lent: BTreeSet<Handle>,
    /// The call is over, and nothing it asked for is worth waiting for.
    pub(crate) closing: Stop,
    /// A mutating request of this call may have changed the world.
    pub(crate) touched: AtomicBool,
    /// When the call began.
    pub(crate) begun: Instant,
    /// Milliseconds after which what was not sent again may be sent again; 0 where nothing was put off.
    pub(crate) put_off_ms: AtomicU64,
}

impl Scope<'_> {
    /// Does what the plugin asks for, or refuses it.
    pub(crate) async fn perform(&self, ask: &Ask) -> Result<Answer, Error> {
        self.permission().permit_asking(ask)?;
        // In a dry run every request is a beginning; a step that has begun is finished.
        if self.mode == Mode::DryRun && self.side.effects.stop.is_stopped() {
            return Err(interrupted());
        }
        match ask {
            Ask::Http(ask) => self.request(ask).await.map(Answer::Http),
            Ask::Sleep { ms } => {
                let wait = Duration::from_millis(*ms).min(MAX_SLEEP);
                self.pause(wait, &format!("plugin `{}` asked for it", self.side.plugin)).await?;
                Ok(Answer::Slept)
            }
            Ask::Mint { name } => self.mint(name).await.map(|handle| Answer::Minted { handle }),
        }
    }

    pub(crate) fn permission(&self) -> Permission<'_> {
        Permission {
            plugin: &self.side.plugin,
            op: self.op,
            mode: self.mode,
            in_step: self.step.is_some(),
            origins: &self.side.origins,
        }
    }

    /// Waits, unless the run or the call ends first.
    pub(crate) async fn pause(&self, wait: Duration, reason: &str) -> Result<(), Error> {
        let ms = wait.as_millis().try_into().unwrap_or(u64::MAX);
        self.emit(Event::Waiting { tenant: self.side.tenant.clone(), ms, reason: reason.to_owned() });
        tokio::select! {
            biased;
            () = self.side.effects.stop.stopped() => Err(interrupted()),
            () = self.closing.stopped() => Err(interrupted()),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Fetches the secrets that the request names, as far as this call may use them.
    pub(crate) async fn lend(&self, ask: &HttpAsk) -> Result<BTreeMap<Handle, Secret>, Error> {
        let mut secrets = BTreeMap::new();
        for handle in crate::splice::handles(ask) {
            let secret = match self.side.vault.get(&handle) {
                Some(secret) => secret,
                None => self.borrow(&handle).await?,
            };
            secrets.insert(handle, secret);
        }
        Ok(secrets)
    }

    async fn borrow(&self, handle: &Handle) -> Result<Secret, Error> {
        // A plan that names another tenant's secret was tampered with, or its plugin was.
        let of_tenant = handle.as_str().strip_prefix(&self.side.tenant).is_some_and(|rest| rest.starts_with('/'));
        if !of_tenant || !self.lent.contains(handle) {
            return Err(self
                .permission()
                .refuse(format!("named the secret `{handle}`, which is not this call's to use")));
        }
        let stored = self.side.effects.secrets.get(handle).await;
        let secret = stored.map_err(|e| internal(&e))?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("the secret `{handle}` is not in custody"))
                .with_hint("it was removed, or it was captured on another machine")
        })?;
        self.side.vault.saw(&secret);
        Ok(secret)
    }

    /// The number of the step's next mutating request within the run.
    pub(crate) fn next_mutation(&self, step: &str) -> u32 {
        let mut mutations = self.side.mutations.lock().unwrap_or_else(PoisonError::into_inner);
        let next = mutations.entry((self.run, step.to_owned())).or_default();
        let number = *next;
        *next += 1;
        number
    }

    pub(crate) async fn journal(&self, entry: Entry) -> Result<u64, JournalError> {
        let effects = &self.side.effects;
        let tenant = Some(self.side.tenant.clone());
        effects.journal.append(Draft { at: effects.clock.now(), run: self.run, tenant, entry }).await
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

/// The error of what was not begun because the run is to stop.
pub(crate) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "the run was stopped")
}

/// The error of what failed on this machine.
pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Error {
    Error::new(ErrorKind::Internal, chain(error))
}

/// An error and all that led to it, in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        line = format!("{line}: {error}");
        next = error.source();
    }
    line
}
