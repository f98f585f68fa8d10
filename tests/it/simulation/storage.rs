//! The journal and the secret store of one simulated process. Their content survives the process, and they can fail.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use flowswap_engine::{
    Draft, Entry, Handle, Journal, JournalError, Position, Records, RequestOutcome, Secret, SecretStore,
    SecretStoreError, Visitor,
};
use flowswap_store::SqliteJournal;
use futures::future::BoxFuture;

use super::{fate::Fate, schedule::FaultKind, watch::Watch};

/// The maximum latency of a write.
const SLOWEST_WRITE: Duration = Duration::from_millis(5);

/// The journal.
pub(crate) struct Ledger {
    pub(crate) fate: Arc<Fate>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) journal: Arc<SqliteJournal>,
    /// The journal has failed and accepts no more records in this process.
    pub(crate) is_broken: AtomicBool,
}

impl Ledger {
    async fn write(&self, drafts: Vec<Draft>) -> Result<Position, JournalError> {
        // What a look held back is written with the record that is news.
        let Some(news) = drafts.last() else { return Ok(Position::default()) };
        let (tenant, at) = (news.tenant.clone(), name(&news.entry));
        let tenant = tenant.as_deref();
        tokio::time::sleep(self.fate.latency(tenant, &at, SLOWEST_WRITE)).await;
        self.fate.live().await;
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(disk_full());
        }
        let options =
            [FaultKind::CrashBefore, FaultKind::CrashAfter, FaultKind::Stop, FaultKind::Fail, FaultKind::FailAfter];
        let what = self.fate.decide(tenant, &at, &options);
        match what {
            Some(FaultKind::CrashBefore) => self.fate.die().await,
            Some(FaultKind::Fail) => {
                self.is_broken.store(true, Ordering::Relaxed);
                return Err(disk_full());
            }
            _ => {}
        }
        let position = self.journal.append(drafts.clone()).await?;
        for (seq, draft) in (position.seq + 1 - drafts.len() as u64..).zip(&drafts) {
            self.watch.recorded(seq, draft);
        }
        match what {
            Some(FaultKind::CrashAfter) => self.fate.die().await,
            Some(FaultKind::FailAfter) => {
                self.is_broken.store(true, Ordering::Relaxed);
                return Err(disk_full());
            }
            _ => {}
        }
        Ok(position)
    }
}

impl Journal for Ledger {
    fn append(&self, drafts: Vec<Draft>) -> BoxFuture<'_, Result<Position, JournalError>> {
        Box::pin(self.write(drafts))
    }

    fn load<'a>(&'a self, records: Records<'a>, visit: Visitor<'a>) -> BoxFuture<'a, Result<Position, JournalError>> {
        self.journal.load(records, visit)
    }
}

fn disk_full() -> JournalError {
    JournalError::Storage { doing: "append to the journal", source: "the simulated disk is full".into() }
}

fn name(entry: &Entry) -> String {
    let step = match entry {
        Entry::StepStarted { step, .. }
        | Entry::RequestIntended { step, .. }
        | Entry::RequestEnded { step, .. }
        | Entry::SecretStored { step, .. }
        | Entry::StepEnded { step, .. }
        | Entry::StepFailed { step, .. }
        | Entry::SecretMade { step, .. }
        | Entry::OperatorAsked { step, .. }
        | Entry::Noticed { step, .. }
        | Entry::Confirmed { step, .. }
        | Entry::Declined { step, .. }
        | Entry::Resolved { step, .. } => format!(" {step}"),
        _ => String::new(),
    };
    let kind = match entry {
        Entry::RequestEnded { outcome: RequestOutcome::Lost { .. }, .. } => "request-lost",
        entry => entry.kind(),
    };
    format!("record {kind}{step}")
}

/// The stored secrets, by handle.
pub(crate) type Kept = Arc<Mutex<BTreeMap<Handle, Secret>>>;

/// The secret store.
pub(crate) struct Custody {
    pub(crate) fate: Arc<Fate>,
    pub(crate) kept: Kept,
}

impl Custody {
    /// Accesses a secret, or fails if a fault occurs.
    async fn access<T>(
        &self,
        doing: &'static str,
        verb: &str,
        handle: &Handle,
        access: impl FnOnce(&mut BTreeMap<Handle, Secret>) -> T,
    ) -> Result<T, SecretStoreError> {
        let (tenant, secret) = handle.as_str().split_once('/').unwrap_or_default();
        let at = format!("{verb} {secret}");
        tokio::time::sleep(self.fate.latency(Some(tenant), &at, SLOWEST_WRITE)).await;
        self.fate.live().await;
        let what = self.fate.decide(
            Some(tenant),
            &at,
            &[FaultKind::CrashBefore, FaultKind::CrashAfter, FaultKind::Stop, FaultKind::Fail],
        );
        match what {
            Some(FaultKind::CrashBefore) => self.fate.die().await,
            Some(FaultKind::Fail) => {
                let source = "the simulated disk does not answer".into();
                return Err(SecretStoreError { doing, handle: handle.clone(), source });
            }
            _ => {}
        }
        let result = access(&mut self.kept.lock().unwrap());
        if what == Some(FaultKind::CrashAfter) {
            self.fate.die().await;
        }
        Ok(result)
    }
}

impl SecretStore for Custody {
    fn put<'a>(&'a self, handle: &'a Handle, secret: &'a Secret) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        Box::pin(self.access("store", "keep", handle, |kept| drop(kept.insert(handle.clone(), secret.clone()))))
    }

    fn get<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Secret>, SecretStoreError>> {
        Box::pin(self.access("read", "fetch", handle, |kept| kept.get(handle).cloned()))
    }

    fn remove<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        Box::pin(self.access("remove", "forget", handle, |kept| drop(kept.remove(handle))))
    }
}
