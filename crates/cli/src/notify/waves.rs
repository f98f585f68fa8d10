//! Which waves are done: all their tenants are swapped, and not only for a rehearsal.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use flowswap_engine::{Entry, Journal, JournalError, Overview, Record, TenantState, Wave};
use flowswap_store::StateDir;
use serde::Deserialize;

use super::{notification::Notification, tenant::TenantRecords};

/// The tenants that are swapped, and those that have just become so.
#[derive(Debug)]
pub(super) struct WaveWatch {
    state: StateDir,
    /// The digest of the plan of each tenant's work.
    plans: BTreeMap<String, String>,
    swapped: BTreeSet<String>,
    fresh: BTreeSet<String>,
    /// The waves of the plans so far, by digest.
    waves: BTreeMap<String, Vec<Wave>>,
}

/// The waves of a plan, without the rest of it.
#[derive(Deserialize)]
struct OnlyWaves {
    #[serde(default)]
    waves: Vec<Wave>,
}

impl WaveWatch {
    pub(super) fn of<'a>(
        state: StateDir,
        overviews: impl IntoIterator<Item = (&'a String, &'a Overview)> + Clone,
    ) -> Self {
        let plan = |(name, tenant): (&String, &Overview)| Some((name.clone(), tenant.plan.clone()?));
        let is_swapped = |(_, tenant): &(&String, &Overview)| tenant.is_swapped_for_good();
        Self {
            state,
            plans: overviews.clone().into_iter().filter_map(plan).collect(),
            swapped: overviews.into_iter().filter(is_swapped).map(|(name, _)| name.clone()).collect(),
            fresh: BTreeSet::new(),
            waves: BTreeMap::new(),
        }
    }

    /// Takes note of a record.
    pub(super) fn notice(&mut self, record: &Record) {
        let Some(name) = &record.draft.tenant else { return };
        match &record.draft.entry {
            Entry::TenantStarted { plan, .. } => drop(self.plans.insert(name.clone(), plan.clone())),
            Entry::TenantEnded { state: TenantState::Swapped, .. } => {
                self.swapped.insert(name.clone());
                self.fresh.insert(name.clone());
            }
            Entry::TenantEnded { state, .. } if !state.is_swapped_or_later() => drop(self.swapped.remove(name)),
            _ => {}
        }
    }

    /// The waves that are done since the last call. A wave is done with the last record that says that a tenant of it is swapped.
    pub(super) fn done(&mut self, journal: &dyn Journal) -> Result<Vec<Notification>, JournalError> {
        let mut seen = BTreeSet::new();
        let mut done = Vec::new();
        while let Some(name) = self.fresh.first().cloned() {
            if let Some((wave, tenants)) = self.wave_of(&name)
                && seen.insert((self.plans.get(&name).cloned(), wave.clone()))
                && tenants.iter().all(|tenant| self.swapped.contains(tenant))
            {
                let mut last = None;
                let mut is_done = true;
                for tenant in &tenants {
                    let since = TenantRecords::read(journal, tenant)?.swapped_since();
                    is_done &= since.is_some();
                    last = last.max(since);
                }
                if let (true, Some((record, at))) = (is_done, last) {
                    done.push(Notification::of_wave(&wave, record, at));
                }
            }
            self.fresh.remove(&name);
        }
        Ok(done)
    }

    /// The wave of a tenant in the plan of its work, and the tenants of that wave.
    fn wave_of(&mut self, tenant: &str) -> Option<(String, Vec<String>)> {
        let digest = self.plans.get(tenant)?;
        if !self.waves.contains_key(digest) {
            // Without the copy of the plan, as in a state of an earlier version, its waves are not known.
            let waves = fs::read(self.state.plan(digest)).ok().and_then(|text| serde_json::from_slice(&text).ok());
            let OnlyWaves { waves } = waves.unwrap_or(OnlyWaves { waves: Vec::new() });
            self.waves.insert(digest.clone(), waves);
        }
        let wave = self.waves.get(digest)?.iter().find(|wave| wave.tenants.iter().any(|it| it == tenant))?;
        Some((wave.name.clone(), wave.tenants.clone()))
    }
}
