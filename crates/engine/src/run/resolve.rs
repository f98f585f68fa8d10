//! Lets a person decide whether a step in doubt took effect. The journal keeps who decided, when, and why.

use flowswap_contract::{Handle, ObserveReply, Observed, Phase, Step, Values};

use super::{Runner, progress::stored_secrets};
use crate::{
    Entry, JournalError, Recording, Resolution, SecretStoreError, Tenant, TenantHistory, TenantState, Work,
    compare::{self, is_shown},
};

/// A person's decision on the step that a tenant is stuck at.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Whether the step's change is in place.
    pub stands: Resolution,
    /// The outputs that the person knows, if it is in place. Never secrets: they are in the secret store, or lost.
    pub outputs: Values,
    /// Why the person decided so.
    pub reason: String,
}

/// The result of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The step.
    pub step: String,
    /// The outputs that nobody has: secrets that were shown only once. The next run observes the step and replaces them.
    pub missing: Vec<String>,
}

/// Why a decision is refused.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is nothing to decide.
    #[error("the tenant is {state}; only a stuck tenant needs a decision")]
    NotStuck {
        /// Its state.
        state: TenantState,
    },
    /// The tenant is stuck at a check, so no change is in doubt.
    #[error("the tenant is stuck at `{step}`, which is a check: it changes nothing, so there is nothing to decide")]
    IsCheck {
        /// The step.
        step: String,
    },
    /// The step is certainly not in place.
    #[error("step `{step}` has not been started")]
    NotStarted {
        /// The step.
        step: String,
    },
    /// A later step needs this output.
    #[error("step `{step}` gives `{output}`, but its value is not known")]
    UnknownOutput {
        /// The step.
        step: String,
        /// The output.
        output: String,
    },
    /// The step makes credentials, but the journal does not record which of its outputs are secrets. Either it has no request
    /// of the step, or a version that did not record them wrote it.
    #[error(
        "the journal does not record which secrets step `{step}` should bring, so you cannot resolve it as applied"
    )]
    NoSecretsRecorded {
        /// The step.
        step: String,
    },
    /// flowswap just saw the opposite.
    #[error("you say that step `{step}` is {stands}, but flowswap just saw it {}: {seen}", opposite(*stands))]
    Contradicted {
        /// The step.
        step: String,
        /// What the person decided.
        stands: Resolution,
        /// What was seen.
        seen: String,
    },
    /// The step does not give such a value, or it is a secret.
    #[error("step `{step}` takes no output `{output}`; you can pass {}", gives.join(", "))]
    ForeignOutput {
        /// The step.
        step: String,
        /// The output.
        output: String,
        /// The outputs that a person can pass.
        gives: Vec<String>,
    },
    /// The person passed a secret as an output. The journal keeps every word for ever.
    #[error("output `{0}` has a stored secret in it, and the journal would keep it for ever")]
    HasSecret(String),
    /// The decision needs a reason, for those who read the journal later.
    #[error("the reason is empty")]
    NoReason,
    /// The secret store failed.
    #[error(transparent)]
    Secrets(#[from] SecretStoreError),
    /// The journal failed, so nothing is decided.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Runner {
    /// Records a decision on the step that a tenant is stuck at.
    ///
    /// Observes the step first, and refuses a decision that contradicts what it sees. If observing fails or cannot tell, the
    /// decision counts.
    pub async fn resolve(&self, tenant: &Tenant, decision: Decision) -> Result<Resolved, ResolveError> {
        if decision.reason.trim().is_empty() {
            return Err(ResolveError::NoReason);
        }
        let name = tenant.spec.name.as_str();
        let recorder = self.ports.logbook.recorder_of(tenant, self.run).await?;
        let history = recorder.history()?;
        let (step, work) = find_step(&history)?;
        let held = stored_secrets(self.ports.secrets.as_ref(), name, step).await?;
        let Decision { stands, mut outputs, reason } = decision;
        for (output, value) in &outputs {
            if self.find_secret_in(&value.to_string(), &history).await.is_some() {
                return Err(ResolveError::HasSecret(output.clone()));
            }
        }
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
        let entry = Entry::Resolved { step: step.id.clone(), stands, outputs, reason, by: self.ports.actor.clone() };
        // Checks before anything is done that the record may follow the others.
        recorder.check(&entry)?;
        if stands == Resolution::NotApplied {
            // Otherwise the next attempt would use the secrets stored for this one.
            for handle in held.values().filter_map(Handle::from_value) {
                self.ports.secrets.remove(&handle).await?;
            }
        }
        recorder.record(entry).await?;
        Ok(Resolved { step: step.id.clone(), missing })
    }
}

/// How flowswap sees a step that contradicts this decision.
fn opposite(stands: Resolution) -> &'static str {
    match stands {
        Resolution::Applied => "not in place",
        Resolution::NotApplied => "in place",
    }
}

/// The step that the tenant is stuck at.
fn find_step(history: &TenantHistory) -> Result<(&Step, &Work), ResolveError> {
    let is_open = history.state == TenantState::Stuck || history.has_unconfirmed_claim();
    let work = history.work.as_deref().filter(|_| is_open);
    let work = work.ok_or(ResolveError::NotStuck { state: history.state })?;
    let id = history.step.clone().unwrap_or_default();
    let Some(step) = work.tenant.step(&id) else { return Err(ResolveError::NotStarted { step: id }) };
    if step.proposal.phase.is_check() {
        return Err(ResolveError::IsCheck { step: id });
    }
    if work.doubt.is_none() && !work.is_done(&id) {
        return Err(ResolveError::NotStarted { step: id });
    }
    Ok((step, work))
}

/// Refuses a decision that contradicts what was seen. If only the other side can infer the step, seeing nothing is no
/// contradiction.
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

/// Refuses if the journal does not record which outputs are secrets, because then flowswap could ask a person for a secret.
fn refuse_unrecorded(step: &Step, work: &Work) -> Result<(), ResolveError> {
    let brings_secrets = work.requests.iter().any(|sent| sent.step == step.id && !sent.secrets.is_empty());
    match step.proposal.phase {
        Phase::Provision if !brings_secrets => Err(ResolveError::NoSecretsRecorded { step: step.id.clone() }),
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

/// The secrets that nobody has. Any other output that is not known must be passed.
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
