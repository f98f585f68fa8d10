//! The journal as the engine, the host, and the commands use it: who reads the state of a tenant reads it here, and who adds
//! to it does so through the tenant's [`Recorder`].
//!
//! The logbook knows every tenant in a few words ([`Overview`]), and reads everything that was ever done for a tenant only
//! when somebody asks for it.

mod recorder;
mod snapshot;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use crate::{
    Backend, Clock, Draft, Entry, Intent, Journal, JournalError, Overview, Position, RunId, Tenant, TenantHistory,
    WriterReplaced,
};
pub use recorder::Recorder;
pub use snapshot::{SNAPSHOT_FORMAT, Snapshot};

/// The journal, with the state of its tenants. It accepts no more records after the first failure of any writer, because a run
/// must not continue with half of its actions unrecorded.
pub struct Logbook {
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    content: Mutex<Content>,
    desks: Mutex<BTreeMap<String, Desk>>,
}

/// The place of the one recorder that a tenant can have.
#[derive(Default)]
struct Desk {
    seat: Arc<futures::lock::Mutex<()>>,
    recorder: Weak<Recorder>,
}

struct Content {
    tenants: BTreeMap<String, Overview>,
    position: Position,
    /// The tenants with records after their overview was made. None are left once all recorders are gone, unless one failed.
    stale: BTreeSet<String>,
    /// The starts of runs that have not written anything else. A run that finds nothing new leaves no record.
    unwritten: BTreeMap<RunId, Draft>,
    failure: Option<Cause>,
}

/// Why no more records are accepted. Every later caller gets this cause.
#[derive(Clone)]
enum Cause {
    WriterReplaced(WriterReplaced),
    Other(String),
}

impl Logbook {
    /// Opens a journal. Reads only what was written after the snapshot; without one, or with one of another journal, reads
    /// everything.
    pub async fn open(
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        snapshot: Option<Snapshot>,
    ) -> Result<Arc<Self>, JournalError> {
        let (tenants, position) = match snapshot.filter(|snapshot| snapshot::can_have(&snapshot.tenants)) {
            None => snapshot::read_all(&*journal).await?,
            Some(snapshot) => match snapshot::read_on(&*journal, snapshot).await {
                Err(JournalError::UnknownPosition(_)) => snapshot::read_all(&*journal).await?,
                read => read?,
            },
        };
        let (stale, unwritten) = (BTreeSet::new(), BTreeMap::new());
        let content = Content { tenants, position, stale, unwritten, failure: None };
        Ok(Arc::new(Self { journal, clock, content: Mutex::new(content), desks: Mutex::default() }))
    }

    /// Every tenant of the journal, by name.
    pub fn overviews(&self) -> BTreeMap<String, Overview> {
        self.content().tenants.clone()
    }

    /// One tenant in a few words, from its records alone. What acts on a tenant goes by this, because a snapshot may be wrong.
    pub async fn overview_from_records(&self, tenant: &str) -> Result<Option<Overview>, JournalError> {
        let of_cut_off_run =
            self.overview(tenant).filter(|known| known.intent.as_ref().is_some_and(Intent::is_of_cut_off_run));
        match (self.tenant(tenant).await?, of_cut_off_run) {
            (Some(history), None) => Ok(Some(history.overview())),
            // The records of the run itself were read, because no snapshot has such an intent.
            (Some(history), Some(known)) => Ok(Some(Overview { intent: known.intent, ..history.overview() })),
            (None, known) => Ok(known),
        }
    }

    /// The end of the journal, as far as this logbook knows it.
    pub fn position(&self) -> Position {
        self.content().position
    }

    /// One tenant in a few words. `None` if the journal has no record of it.
    pub fn overview(&self, tenant: &str) -> Option<Overview> {
        self.content().tenants.get(tenant).cloned()
    }

    /// The orgs with a migration that is started and not finished, and the tenant of each.
    pub fn busy_orgs(&self) -> BTreeMap<(String, String), String> {
        let content = self.content();
        let busy = content.tenants.iter().filter(|(_, tenant)| !tenant.state.is_swapped_or_later());
        busy.filter_map(|(name, tenant)| Some((tenant.org.clone()?, name.clone()))).collect()
    }

    /// Everything that the journal has of a tenant now. `None` if it has no record of it.
    pub async fn tenant(&self, name: &str) -> Result<Option<TenantHistory>, JournalError> {
        snapshot::read_tenant(&*self.journal, name).await
    }

    /// The journal itself, to read its records.
    pub fn journal(&self) -> &dyn Journal {
        &*self.journal
    }

    /// The recorder of a tenant for one run. Nobody else writes about the tenant meanwhile: while it has another recorder, this
    /// waits.
    pub async fn recorder(self: &Arc<Self>, tenant: &str, run: RunId) -> Result<Arc<Recorder>, JournalError> {
        self.recorder_without_secrets_of(None, tenant, run).await
    }

    /// The recorder that is at work on the tenant, for what a person says meanwhile. Without one, a new one for this run.
    pub async fn recorder_to_join(self: &Arc<Self>, tenant: &str, run: RunId) -> Result<Arc<Recorder>, JournalError> {
        match self.recorder_at_work(tenant) {
            Some(at_work) => Ok(at_work),
            None => self.recorder(tenant, run).await,
        }
    }

    /// The recorder that is at work on the tenant, if there is one.
    pub fn recorder_at_work(&self, tenant: &str) -> Option<Arc<Recorder>> {
        self.desks().get(tenant)?.recorder.upgrade()
    }

    /// The same for a tenant with open sessions. Its secrets stay out of what is recorded.
    pub(crate) async fn recorder_of(
        self: &Arc<Self>,
        tenant: &Tenant,
        run: RunId,
    ) -> Result<Arc<Recorder>, JournalError> {
        self.recorder_without_secrets_of(Some(Arc::clone(&tenant.provider)), &tenant.spec.name, run).await
    }

    async fn recorder_without_secrets_of(
        self: &Arc<Self>,
        side: Option<Arc<dyn Backend>>,
        tenant: &str,
        run: RunId,
    ) -> Result<Arc<Recorder>, JournalError> {
        let seat = Arc::clone(&self.desks().entry(tenant.to_owned()).or_default().seat);
        let seat = seat.lock_owned().await;
        let history = self.tenant(tenant).await?.unwrap_or_else(|| TenantHistory::new(self.clock.now()));
        let recorder = Arc::new(Recorder::new(Arc::clone(self), tenant.to_owned(), run, history, side, seat));
        self.desks().entry(tenant.to_owned()).or_default().recorder = Arc::downgrade(&recorder);
        Ok(recorder)
    }

    /// The state up to the last record, for [`open`](Self::open). `None` while a recorder is at work, if one has failed, or while a
    /// tenant has an intent that only a run of format 2 tells of.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let content = self.content();
        let snapshot = || Snapshot { position: content.position, tenants: content.tenants.clone() };
        (content.stale.is_empty() && snapshot::can_have(&content.tenants)).then(snapshot)
    }

    /// Notes the start of a run. It is written with the first other record of the run.
    pub(crate) fn begin_run(&self, run: RunId, entry: Entry) {
        let draft = Draft { at: self.clock.now(), run, tenant: None, entry };
        self.content().unwritten.insert(run, draft);
    }

    /// Records the end of a run, if the run has recorded anything.
    pub(crate) async fn end_run(&self, run: RunId, entry: Entry) -> Result<(), JournalError> {
        if self.content().unwritten.remove(&run).is_some() {
            return Ok(());
        }
        self.note(run, entry).await
    }

    /// Records something about a whole run.
    pub(crate) async fn note(&self, run: RunId, entry: Entry) -> Result<(), JournalError> {
        self.append(run, vec![Draft { at: self.clock.now(), run, tenant: None, entry }]).await
    }

    async fn append(&self, run: RunId, mut drafts: Vec<Draft>) -> Result<(), JournalError> {
        let start = {
            let mut content = self.content();
            if let Some(cause) = &content.failure {
                return Err(cause.clone().into());
            }
            content.unwritten.remove(&run)
        };
        if let Some(start) = start {
            drafts.insert(0, start);
        }
        self.content().stale.extend(drafts.iter().filter_map(|draft| draft.tenant.clone()));
        let appended = self.journal.append(drafts).await;
        let mut content = self.content();
        match appended {
            Ok(position) if position.seq > content.position.seq => content.position = position,
            Ok(_) => {}
            Err(error) => {
                content.failure.get_or_insert_with(|| Cause::of(&error));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Why a recorder has no state any more.
    fn closed(&self) -> JournalError {
        let failure = self.content().failure.clone();
        failure.unwrap_or_else(|| Cause::Other("it could not follow the records before it".to_owned())).into()
    }

    fn keep(&self, tenant: &str, overview: Overview) {
        let mut content = self.content();
        content.stale.remove(tenant);
        content.tenants.insert(tenant.to_owned(), overview);
    }

    fn desks(&self) -> MutexGuard<'_, BTreeMap<String, Desk>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Logbook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logbook").field("tenants", &self.content().tenants.len()).finish_non_exhaustive()
    }
}

impl Cause {
    fn of(error: &JournalError) -> Self {
        match error {
            JournalError::WriterReplaced(replaced) => Self::WriterReplaced(replaced.clone()),
            JournalError::Storage { source, .. } => Self::Other(source.to_string()),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<Cause> for JournalError {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::WriterReplaced(replaced) => Self::WriterReplaced(replaced),
            Cause::Other(cause) => {
                let source = format!("an earlier record could not be written: {cause}").into();
                Self::Storage { doing: "append to the journal", source }
            }
        }
    }
}
