//! Abandons an unfinished rollback: the tenant stays on the new client, if flowswap sees the directory use it.

use std::collections::BTreeMap;

use flowswap_contract::{self as contract, ObserveReply, Observed, Phase, Step, Values};

use super::Runner;
use crate::{
    Entry, JournalError, Recording, Tenant, TenantState,
    compare::{self, recorded_state},
};

/// Why a rollback is not abandoned.
#[derive(Debug, thiserror::Error)]
pub enum AbandonError {
    /// There is no unfinished rollback.
    #[error("the tenant is {state}; only an unfinished rollback can be abandoned")]
    NotRollingBack {
        /// Its state.
        state: TenantState,
    },
    /// The decision needs a reason, for those who read the journal later.
    #[error("the reason is empty")]
    NoReason,
    /// The tenant cannot stay migrated, because one of its steps is not in place.
    #[error("step `{step}` is {how}, so the tenant cannot stay migrated: {seen}")]
    NotInPlace {
        /// The step.
        step: String,
        /// In which state it was seen.
        how: &'static str,
        /// What was seen.
        seen: String,
    },
    /// A step could not be checked.
    #[error("failed to check step `{step}`: {error}")]
    Unseen {
        /// The step.
        step: String,
        /// Why.
        error: contract::Error,
    },
    /// The journal failed, so nothing is recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Runner {
    /// Abandons a rollback. Checks that the directory uses the new client and that everything it needs is in place, and records
    /// that the tenant stays migrated. Returns what was seen of the directory.
    pub async fn abandon(&self, tenant: &Tenant, reason: &str) -> Result<String, AbandonError> {
        if reason.trim().is_empty() {
            return Err(AbandonError::NoReason);
        }
        let recorder = self.ports.logbook.recorder_of(tenant, self.run).await?;
        let history = recorder.history()?;
        if !history.can_abandon() {
            return Err(AbandonError::NotRollingBack { state: history.state });
        }
        let mut stands = BTreeMap::new();
        let mut seen = String::new();
        let work = history.work.as_ref().ok_or(AbandonError::NotRollingBack { state: history.state })?;
        let changing = work.tenant.steps.iter().filter(|step| !step.proposal.phase.is_check());
        for step in changing.filter(|step| is_needed(step) || recorded_state(work, step).is_some()) {
            let look = compare::observe(tenant, work, step, compare::seen_by(step), Values::new(), self.run).await;
            let look = look.map_err(|error| AbandonError::Unseen { step: step.id.clone(), error })?;
            if !is_in_place(step, &look)? {
                continue;
            }
            if step.proposal.phase == Phase::Swap {
                seen = look.detail;
            }
            stands.insert(step.id.clone(), look.outputs);
        }
        let (reason, by) = (reason.to_owned(), self.ports.actor.clone());
        recorder.record(Entry::Abandoned { stands, seen: seen.clone(), reason, by }).await?;
        Ok(seen)
    }
}

/// Whether the new client needs this step to be in use.
fn is_needed(step: &Step) -> bool {
    matches!(step.proposal.phase, Phase::Provision | Phase::Swap)
}

/// Whether the step is in place. A step that the new client needs must be in place; for any other it must be known.
fn is_in_place(step: &Step, seen: &ObserveReply) -> Result<bool, AbandonError> {
    let how = match seen.state {
        Observed::Applied => return Ok(true),
        Observed::NotApplied if !is_needed(step) => return Ok(false),
        Observed::NotApplied => "not in place",
        Observed::Partial => "half in place",
        Observed::Unknown => "in an unknown state",
    };
    Err(AbandonError::NotInPlace { step: step.id.clone(), how, seen: seen.detail.clone() })
}
