//! Writes everything about one tenant: what the engine does, what the host does, and what a command does between runs.
//!
//! A record is added to the state first, and then written. So the journal never gets a record that cannot follow the others,
//! and the state is always the journal's: after a failure there is no state at all.
//!
//! A *look* is a run that continues a tenant which only waits, and may find nothing new. Its first records are held back until
//! something happens that was not so before. A look that finds nothing new leaves no record.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flowswap_contract::Evidence;
use futures::{future::BoxFuture, lock::OwnedMutexGuard};

use super::Logbook;
use crate::{Backend, Draft, Entry, JournalError, Recording, RunId, TenantHistory, last_filter::without_secrets};

/// Records what one run does for one tenant.
pub struct Recorder {
    logbook: Arc<Logbook>,
    tenant: String,
    run: RunId,
    /// Keeps the tenant's secrets out. `None` if nobody talks to the tenant.
    side: Option<Arc<dyn Backend>>,
    /// Held while a record is written, so that the state and the journal have the same order.
    look: tokio::sync::Mutex<Look>,
    /// `None` after a failure.
    history: Mutex<Option<Arc<TenantHistory>>>,
    /// Keeps others from writing about the tenant. Given up last.
    _seat: OwnedMutexGuard<()>,
}

/// The records of a look that has found nothing new.
#[derive(Debug, Default)]
struct Look {
    held: Vec<Draft>,
    /// The state before the first of them.
    before: Option<Arc<TenantHistory>>,
}

impl Recorder {
    pub(super) fn new(
        logbook: Arc<Logbook>,
        tenant: String,
        run: RunId,
        history: TenantHistory,
        side: Option<Arc<dyn Backend>>,
        seat: OwnedMutexGuard<()>,
    ) -> Self {
        let history = Mutex::new(Some(Arc::new(history)));
        Self { logbook, tenant, run, side, look: tokio::sync::Mutex::default(), history, _seat: seat }
    }

    /// The state of the tenant, as the journal has it.
    pub fn history(&self) -> Result<Arc<TenantHistory>, JournalError> {
        self.lock().clone().ok_or_else(|| self.logbook.closed())
    }

    /// Adds an entry. When this returns, it is durable, unless it belongs to a look that has found nothing new.
    async fn add(&self, entry: Entry) -> Result<(), JournalError> {
        let entry = match &self.side {
            Some(side) => without_secrets(entry, &**side).map_err(|error| JournalError::invalid(&error.to_string()))?,
            None => entry,
        };
        let mut look = self.look.lock().await;
        let is_news = look.is_news(&*self.history()?, &entry);
        if let (false, None) = (is_news, &look.before) {
            look.before = Some(self.history()?);
        }
        let is_end = matches!(entry, Entry::TenantEnded { .. });
        let draft = Draft { at: self.logbook.clock.now(), run: self.run, tenant: Some(self.tenant.clone()), entry };
        self.fold(&draft)?;
        look.held.push(draft);
        if is_news {
            let Look { held, .. } = std::mem::take(&mut *look);
            return self.logbook.append(self.run, held).await.inspect_err(|_| *self.lock() = None);
        }
        if is_end {
            *self.lock() = std::mem::take(&mut *look).before;
        }
        Ok(())
    }

    /// Whether an entry could be added now. Changes nothing.
    pub(crate) fn check(&self, entry: &Entry) -> Result<(), JournalError> {
        let mut history = TenantHistory::clone(&*self.history()?);
        history.add(entry, self.run, self.logbook.clock.now()).map_err(|problem| JournalError::invalid(&problem))
    }

    fn fold(&self, draft: &Draft) -> Result<(), JournalError> {
        let mut state = self.lock();
        let Some(history) = state.as_mut() else { return Err(self.logbook.closed()) };
        let added = Arc::make_mut(history).add(&draft.entry, draft.run, draft.at);
        added.map_err(|problem| {
            *state = None;
            JournalError::invalid(&problem)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<TenantHistory>>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("tenant", &self.tenant).field("run", &self.run).finish_non_exhaustive()
    }
}

impl Recording for Recorder {
    fn record(&self, entry: Entry) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(self.add(entry))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // A look that did not end leaves the state as it was.
        let state = self.look.get_mut().before.take().or_else(|| self.lock().take());
        if let Some(history) = state {
            self.logbook.keep(&self.tenant, history.overview());
        }
    }
}

impl Look {
    /// Whether the entry must be written, given the state before it.
    fn is_news(&self, now: &TenantHistory, entry: &Entry) -> bool {
        let Some(before) = &self.before else { return !begins_look(now, entry) };
        let check = |step: &str| before.work.as_ref().filter(|work| !work.changes_something(step));
        match entry {
            Entry::TenantStarted { plugins, accepted, .. } => {
                !plugins.is_empty() || (!accepted.is_empty() && before.accepted != *accepted)
            }
            Entry::StepStarted { step, .. } => check(step).is_none(),
            Entry::StepFailed { step, evidence, outputs, .. } => check(step).is_none_or(|work| {
                let last = work.last_results.get(step).filter(|last| !last.passed);
                let has_new_notes = !outputs.is_empty() && work.notes(step) != *outputs;
                last.is_none_or(|last| !is_same(&last.evidence, evidence)) || has_new_notes
            }),
            Entry::StepEnded { step, evidence, outputs, .. } => check(step).is_none_or(|work| {
                let done = work.done.iter().find(|done| done.id == *step);
                done.is_none_or(|done| !is_same(&done.evidence, evidence) || done.outputs != *outputs)
            }),
            Entry::TenantEnded { state, reason, interrupted } => {
                // An intent of an earlier run ends with this one.
                let ends_intent = !interrupted && before.intent.is_some();
                before.state != *state || ends_intent || !(*interrupted || before.reason == *reason)
            }
            _ => true,
        }
    }
}

/// Whether this starts a run on a tenant that only waits, in the direction in which it waits.
fn begins_look(now: &TenantHistory, entry: &Entry) -> bool {
    matches!(entry, Entry::Intended { goal, part: None, .. } if now.waits_for(*goal) && now.refusal.is_none())
}

/// Whether two checks saw the same. The ids of requests and events differ every time.
fn is_same(one: &[Evidence], other: &[Evidence]) -> bool {
    let content = |evidence: &Evidence| {
        let Evidence { check, result, detail, rule, .. } = evidence.clone();
        (check, result, detail, rule)
    };
    one.iter().map(content).eq(other.iter().map(content))
}
