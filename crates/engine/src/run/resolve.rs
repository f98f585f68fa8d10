//! A person says what is so of a step that nothing else could settle, and the journal keeps who, when and why.

use flowswap_contract::{Handle, ObserveReply, Observed, Phase, Step, Values};

use super::{
    Runner,
    progress::{defect, held},
};
use crate::{
    Draft, Entry, JournalError, Resolution, SecretStoreError, Tenant, TenantHistory, TenantState, Work,
    compare::{self, is_shown},
};

/// What a person says of the step that a tenant is stuck at.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Whether the step's change is in place.
    pub stands: Resolution,
    /// The outputs that the person knows, where it is. Never secrets: those are in custody or lost.
    pub outputs: Values,
    /// Why the person thinks so.
    pub reason: String,
    /// The user of the operating system.
    pub by: String,
}

/// What a decision settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The step.
    pub step: String,
    /// The outputs that nobody has: a secret that was shown once. The step goes on to be looked at, and gets another.
    pub missing: Vec<String>,
}

/// Why a decision is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is nothing to decide.
    #[error("the tenant is {state}, and only one that is stuck needs a decision")]
    NotStuck {
        /// Where it stands.
        state: TenantState,
    },
    /// What is wrong is no question of whether a step was carried out.
    #[error("it is stuck at `{step}`, which only looks: there is nothing that could be in place or not")]
    OnlyLooks {
        /// The step.
        step: String,
    },
    /// The step stands beyond doubt.
    #[error("step `{step}` has not been begun")]
    NotBegun {
        /// The step.
        step: String,
    },
    /// A later step cannot go on without it.
    #[error("step `{step}` gives `{output}`, and nobody knows it")]
    UnknownOutput {
        /// The step.
        step: String,
        /// The output.
        output: String,
    },
    /// The step makes credentials, and the journal does not say which of its outputs are secrets: no request of it was
    /// recorded, or by a version that did not note them.
    #[error("nothing is recorded of what step `{step}` was to bring, so it cannot be said to be in place")]
    NothingSent {
        /// The step.
        step: String,
    },
    /// The world shows the contrary.
    #[error("step `{step}` is said to be {stands}, and it was just seen {}: {seen}", contrary(*stands))]
    Contradicted {
        /// The step.
        step: String,
        /// What the person says.
        stands: Resolution,
        /// What was seen.
        seen: String,
    },
    /// The step does not give such a value, or it is a secret.
    #[error("step `{step}` gives no value `{output}` that can be said: it gives {}", gives.join(", "))]
    ForeignOutput {
        /// The step.
        step: String,
        /// The output.
        output: String,
        /// What can be said.
        gives: Vec<String>,
    },
    /// A decision without a reason is worth nothing later.
    #[error("the reason is empty")]
    NoReason,
    /// The custody failed.
    #[error(transparent)]
    Secrets(#[from] SecretStoreError),
    /// The journal failed, and nothing is decided.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Runner {
    /// Takes a decision on the step that a tenant is stuck at.
    ///
    /// The step is looked at first: a word that the world contradicts is refused. Where the look fails, or cannot tell, the
    /// word stands.
    pub async fn resolve(
        &self,
        tenant: &Tenant,
        history: &TenantHistory,
        decision: Decision,
    ) -> Result<Resolved, ResolveError> {
        if decision.reason.trim().is_empty() {
            return Err(ResolveError::NoReason);
        }
        let (step, work) = find_step(history)?;
        let name = tenant.spec.name.as_str();
        let held = held(self.ports.secrets.as_ref(), name, step).await?;
        let Decision { stands, mut outputs, reason, by } = decision;
        let mut missing = Vec::new();
        match stands {
            Resolution::Applied if !work.is_done(&step.id) => {
                refuse_unrecorded(step, work)?;
                refuse_foreign(step, work, &outputs)?;
                outputs.extend(held.clone());
                missing = find_missing(step, work, &outputs)?;
            }
            Resolution::Applied | Resolution::NotApplied => outputs.clear(),
        }
        let mut known = held.clone();
        known.extend(outputs.clone());
        if let Ok(seen) = compare::observe(tenant, work, step, compare::seen_by(step), known, self.run).await {
            refuse_contradicted(step, stands, &seen)?;
        }
        let entry = Entry::Resolved { step: step.id.clone(), stands, outputs, reason, by };
        let at = self.ports.clock.now();
        // The fold has the last word on what may follow, and has it before anything is done.
        history.clone().take(&entry, self.run, at).map_err(|problem| defect(&problem))?;
        if stands == Resolution::NotApplied {
            // What was kept for a step that is not carried out would be taken for the secret of the next try.
            for handle in held.values().filter_map(Handle::from_value) {
                self.ports.secrets.remove(&handle).await?;
            }
        }
        let draft = Draft { at, run: self.run, tenant: Some(name.to_owned()), entry };
        self.ports.journal.append(draft).await?;
        Ok(Resolved { step: step.id.clone(), missing })
    }
}

/// How it was seen where a person says otherwise.
fn contrary(stands: Resolution) -> &'static str {
    match stands {
        Resolution::Applied => "not to be in place",
        Resolution::NotApplied => "to be in place",
    }
}

/// The step that the tenant is stuck at.
fn find_step(history: &TenantHistory) -> Result<(&Step, &Work), ResolveError> {
    let is_open = history.state == TenantState::Stuck || history.is_claimed_in_vain();
    let work = history.work.as_ref().filter(|_| is_open);
    let work = work.ok_or(ResolveError::NotStuck { state: history.state })?;
    let id = history.step.clone().unwrap_or_default();
    let Some(step) = work.tenant.step(&id) else { return Err(ResolveError::NotBegun { step: id }) };
    if step.proposal.phase.is_check() {
        return Err(ResolveError::OnlyLooks { step: id });
    }
    if work.doubt.is_none() && !work.is_done(&id) {
        return Err(ResolveError::NotBegun { step: id });
    }
    Ok((step, work))
}

/// Refuses a word that was seen to be wrong. Where only another side infers what is so, that it sees nothing is no contradiction.
fn refuse_contradicted(step: &Step, stands: Resolution, seen: &ObserveReply) -> Result<(), ResolveError> {
    let is_contradicted = match stands {
        Resolution::NotApplied => seen.state == Observed::Applied,
        Resolution::Applied => seen.state == Observed::NotApplied && is_shown(step),
    };
    if !is_contradicted {
        return Ok(());
    }
    Err(ResolveError::Contradicted { step: step.id.clone(), stands, seen: seen.detail.clone() })
}

/// Without a record of what is secret, a person could be asked for a secret.
fn refuse_unrecorded(step: &Step, work: &Work) -> Result<(), ResolveError> {
    let brings_secrets = work.requests.iter().any(|sent| sent.step == step.id && !sent.secrets.is_empty());
    match step.proposal.phase {
        Phase::Provision if !brings_secrets => Err(ResolveError::NothingSent { step: step.id.clone() }),
        _ => Ok(()),
    }
}

fn refuse_foreign(step: &Step, work: &Work, outputs: &Values) -> Result<(), ResolveError> {
    let gives: Vec<String> = step.proposal.gives.iter().filter(|name| !work.brings_secret(name)).cloned().collect();
    match outputs.keys().find(|name| !gives.contains(name)) {
        Some(output) => Err(ResolveError::ForeignOutput { step: step.id.clone(), output: output.clone(), gives }),
        None => Ok(()),
    }
}

/// The secrets that nobody has. Any other value that is not known has to be said.
fn find_missing(step: &Step, work: &Work, outputs: &Values) -> Result<Vec<String>, ResolveError> {
    let mut missing = Vec::new();
    for output in step.proposal.gives.iter().filter(|name| !outputs.contains_key(*name)) {
        if !work.brings_secret(output) {
            return Err(ResolveError::UnknownOutput { step: step.id.clone(), output: output.clone() });
        }
        missing.push(output.clone());
    }
    Ok(missing)
}
