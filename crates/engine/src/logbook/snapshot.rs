//! A copy of the state up to one record, so that opening a journal takes as long as it has tenants, not years.
//!
//! It is only a cache: without it, or with one of another journal, everything is read again. Nothing is done for a tenant only
//! because a snapshot says so ([`Logbook::overview_from_records`](super::Logbook::overview_from_records)).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    Entry, History, IllegalRecord, Intent, Journal, JournalError, Overview, Position, Record, Records, RunId, RunScope,
    TenantHistory,
};

/// The version of what a snapshot says about a tenant. Raise it with every change of [`Overview`], or of how it is computed:
/// then snapshots of earlier versions are not used.
pub const SNAPSHOT_FORMAT: u32 = 7;

/// The tenants of a journal up to a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last record that it covers.
    pub position: Position,
    /// The tenants, by name.
    pub tenants: BTreeMap<String, Overview>,
}

type Tenants = BTreeMap<String, Overview>;

/// Whether a snapshot can have these tenants. The intents that a run of format 2 left are never in one: the records of their
/// tenants do not have them, so nothing could show that they are right.
pub(super) fn can_have(tenants: &Tenants) -> bool {
    !tenants.values().filter_map(|tenant| tenant.intent.as_ref()).any(Intent::is_of_cut_off_run)
}

/// Reads the whole journal.
pub(super) async fn read_all(journal: &dyn Journal) -> Result<(Tenants, Position), JournalError> {
    let (mut history, mut cut_off) = (History::default(), CutOff::default());
    let mut visit = |record: Record| {
        history.add(&record)?;
        cut_off.notice(&record);
        Ok(())
    };
    let position = journal.load(Records::All, &mut visit).await?;
    let mut tenants = history.tenants().map(|(name, history)| (name.to_owned(), history.overview())).collect();
    cut_off.add_intents(&mut tenants);
    Ok((tenants, position))
}

/// Reads what was written after a snapshot, and every tenant that it is about.
pub(super) async fn read_on(journal: &dyn Journal, snapshot: Snapshot) -> Result<(Tenants, Position), JournalError> {
    let Snapshot { position, mut tenants } = snapshot;
    let (mut changed, mut cut_off) = (BTreeSet::new(), CutOff::default());
    let mut visit = |record: Record| {
        cut_off.notice(&record);
        changed.extend(record.draft.tenant);
        Ok(())
    };
    let position = journal.load(Records::After(&position), &mut visit).await?;
    for name in changed {
        if let Some(history) = read_tenant(journal, &name).await? {
            tenants.insert(name, history.overview());
        }
    }
    cut_off.add_intents(&mut tenants);
    Ok((tenants, position))
}

/// Reads everything about one tenant.
pub(super) async fn read_tenant(journal: &dyn Journal, name: &str) -> Result<Option<TenantHistory>, JournalError> {
    let mut history: Option<TenantHistory> = None;
    let mut visit = |record: Record| {
        let history = history.get_or_insert_with(|| TenantHistory::new(record.draft.at));
        let added = history.add_record(&record);
        added.map_err(|problem| IllegalRecord::of_tenant(record.seq, name, &problem).into())
    };
    journal.load(Records::OfTenant(name), &mut visit).await?;
    Ok(history)
}

/// The last run, if it is of format 2 or earlier and did not end normally. Such a run names its tenants only at its start, so
/// its tenants have no intents of their own.
#[derive(Default)]
struct CutOff(Option<(RunId, RunScope, Timestamp)>);

impl CutOff {
    fn notice(&mut self, record: &Record) {
        let draft = &record.draft;
        match (&draft.entry, &draft.tenant) {
            (Entry::RunStarted { scope: Some(scope), .. }, _) => self.0 = Some((draft.run, scope.clone(), draft.at)),
            (Entry::RunEnded { interrupted: false, .. }, _) => drop(self.0.take_if(|(run, ..)| *run == draft.run)),
            // Whatever was done for the tenant since then takes the place of that run.
            (_, Some(name)) => {
                if let Some((_, scope, _)) = self.0.as_mut().filter(|(run, ..)| *run != draft.run) {
                    scope.tenants.retain(|tenant| tenant != name);
                }
            }
            _ => {}
        }
    }

    /// Adds an intent to each tenant of the run that has neither reached its goal nor waits on its way there.
    fn add_intents(self, tenants: &mut Tenants) {
        let Some((run, scope, at)) = self.0 else { return };
        for name in scope.tenants {
            let overview = tenants.entry(name).or_insert_with(|| Overview::unplanned(at));
            if !overview.state.waits() && !scope.goal.is_reached(overview.state) {
                let path = scope.plan_path.clone();
                overview.intent =
                    Some(Intent { goal: scope.goal, plan: None, path, run, at, is_refused: false, newer_plan: None });
            }
        }
    }
}
