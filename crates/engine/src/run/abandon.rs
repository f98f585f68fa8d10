//! The way out of a way back that is stuck: the tenant stays on the new client, if the directory is seen to be on it.

use std::collections::BTreeMap;

use flowswap_contract::{self as contract, ObserveReply, Observed, Phase, Step, Values};

use super::{Runner, progress::defect};
use crate::{
    Draft, Entry, JournalError, Tenant, TenantHistory, TenantState,
    compare::{self, said_of},
};

/// Why a way back is not abandoned.
#[derive(Debug, thiserror::Error)]
pub enum AbandonError {
    /// There is no way back that could be ended.
    #[error("the tenant is {state}, and only a way back that is not at its end can be abandoned")]
    NotOnTheWayBack {
        /// Where it stands.
        state: TenantState,
    },
    /// A decision without a reason is worth nothing later.
    #[error("the reason is empty")]
    NoReason,
    /// The tenant cannot stay migrated: something of it is not there.
    #[error("step `{step}` is seen {how}, so the tenant cannot stay migrated: {seen}")]
    NotInPlace {
        /// The step.
        step: String,
        /// How it was seen.
        how: &'static str,
        /// What was seen.
        seen: String,
    },
    /// A step could not be looked at.
    #[error("step `{step}` could not be looked at: {error}")]
    Unseen {
        /// The step.
        step: String,
        /// Why.
        error: contract::Error,
    },
    /// The journal failed, and nothing is recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Runner {
    /// Ends a way back: looks that the directory is on the new client and all that it needs is there, and records that the
    /// tenant stays migrated. Gives what was seen of the directory.
    pub async fn abandon(
        &self,
        tenant: &Tenant,
        history: &TenantHistory,
        by: &str,
        reason: &str,
    ) -> Result<String, AbandonError> {
        if reason.trim().is_empty() {
            return Err(AbandonError::NoReason);
        }
        if !history.can_abandon() {
            return Err(AbandonError::NotOnTheWayBack { state: history.state });
        }
        let mut stands = BTreeMap::new();
        let mut seen = String::new();
        let work = history.work.as_ref().ok_or(AbandonError::NotOnTheWayBack { state: history.state })?;
        let changing = work.tenant.steps.iter().filter(|step| !step.proposal.phase.is_check());
        for step in changing.filter(|step| is_needed(step) || said_of(work, step).is_some()) {
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
        let entry = Entry::Abandoned { stands, seen: seen.clone(), reason: reason.to_owned(), by: by.to_owned() };
        let at = self.ports.clock.now();
        history.clone().take(&entry, self.run, at).map_err(|problem| defect(&problem))?;
        self.ports.journal.append(Draft { at, run: self.run, tenant: Some(tenant.spec.name.clone()), entry }).await?;
        Ok(seen)
    }
}

/// What the new client needs to be in use.
fn is_needed(step: &Step) -> bool {
    matches!(step.proposal.phase, Phase::Provision | Phase::Swap)
}

/// Whether the step is in place. What the new client needs must be; of the rest it must be known.
fn is_in_place(step: &Step, seen: &ObserveReply) -> Result<bool, AbandonError> {
    let how = match seen.state {
        Observed::Applied => return Ok(true),
        Observed::NotApplied if !is_needed(step) => return Ok(false),
        Observed::NotApplied => "not to be in place",
        Observed::Partial => "half in place",
        Observed::Unknown => "in a way that cannot be told",
    };
    Err(AbandonError::NotInPlace { step: step.id.clone(), how, seen: seen.detail.clone() })
}
