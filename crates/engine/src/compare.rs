//! Compares the journal with what both sides show. Changes neither.

use flowswap_contract::{self as contract, Json, ObserveReply, Observed, Op, Phase, Role, Step, StepParams, Values};

use crate::{BackendCall, Mode, RunId, Tenant, TenantHistory, Work};

/// What the journal records of a step, and what `observe` saw.
#[derive(Debug)]
pub struct Comparison {
    /// The step.
    pub step: Step,
    /// What the journal records.
    pub recorded: Recorded,
    /// What `observe` saw.
    pub seen: Result<ObserveReply, contract::Error>,
}

/// What the journal records of a step that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It was carried out.
    Done,
    /// It was carried out and rolled back.
    RolledBack,
    /// It was started, and its outcome is not known.
    InDoubt,
}

impl Comparison {
    /// Whether what was seen agrees with the journal. A step in doubt agrees with anything. If only the other side can see
    /// the step, it may have forgotten a step that was rolled back: logs expire.
    pub fn agrees(&self) -> bool {
        match (self.recorded, &self.seen) {
            (Recorded::InDoubt, _) => true,
            // Nothing may show whether it is in place.
            (Recorded::Done, Ok(reply)) => match reply.state {
                Observed::Applied => true,
                Observed::Partial => !is_shown(&self.step),
                Observed::NotApplied | Observed::Unknown => false,
            },
            (Recorded::RolledBack, Ok(reply)) => match reply.state {
                Observed::NotApplied => true,
                Observed::Unknown => !is_shown(&self.step),
                Observed::Applied | Observed::Partial => false,
            },
            (_, Err(_)) => false,
        }
    }
}

/// Whether the side that the step changes also shows whether the step is applied.
pub(crate) fn is_shown(step: &Step) -> bool {
    seen_by(step) == step.role
}

/// The side that can see whether the step is applied.
pub(crate) fn seen_by(step: &Step) -> Role {
    step.proposal.seen_by.unwrap_or(step.role)
}

/// Observes every step of the tenant that is done, in doubt, or rolled back, one after the other.
pub async fn compare(tenant: &Tenant, history: &TenantHistory) -> Vec<Comparison> {
    let Some(work) = history.work.as_deref().or(history.former.as_deref()) else { return Vec::new() };
    let is_purged = work.done.iter().any(|done| phase(work, &done.id) == Some(Phase::Purge));
    let mut comparisons = Vec::new();
    for step in work.tenant.steps.iter().filter(|step| !step.proposal.phase.is_check()) {
        // A deleted app cannot be seen as deactivated.
        let is_covered = is_purged && step.proposal.phase == Phase::Retire;
        if let Some(recorded) = recorded_state(work, step).filter(|_| !is_covered) {
            let seen = observe(tenant, work, step, seen_by(step), Values::new(), RunId::none()).await;
            comparisons.push(Comparison { step: step.clone(), recorded, seen });
        }
    }
    comparisons
}

/// What the journal records of a step. `None` if it was never carried out.
pub(crate) fn recorded_state(work: &Work, step: &Step) -> Option<Recorded> {
    if work.doubt.as_ref().is_some_and(|doubt| doubt.step == step.id) {
        Some(Recorded::InDoubt)
    } else if work.is_done(&step.id) {
        Some(Recorded::Done)
    } else {
        work.undone.iter().any(|undone| undone.id == step.id).then_some(Recorded::RolledBack)
    }
}

/// Lets one side observe a step. It gets everything that is known of the step, even if the step was rolled back, and the
/// `extra` outputs.
pub(crate) async fn observe(
    tenant: &Tenant,
    work: &Work,
    step: &Step,
    role: Role,
    extra: Values,
    run: RunId,
) -> Result<ObserveReply, contract::Error> {
    let done = work.done.iter().find(|done| done.id == step.id);
    let known = work.doubt.as_ref().filter(|doubt| doubt.step == step.id).map(|doubt| doubt.known.clone());
    let mut outputs = work.former_outputs(&step.id).unwrap_or_default();
    outputs.extend(done.map(|done| Values::clone(&done.outputs)).or(known).unwrap_or_default());
    outputs.extend(extra);
    let inputs = work.inputs_with_former(step);
    let attempts = work.attempts(&step.id);
    let given_at = work.given_at(step).map(|at| at.to_string());
    let rotation = work.tenant.rotation.as_ref().map(|rotation| rotation.number);
    let params = StepParams { step: step.clone(), inputs, outputs, attempts, given_at, rotation };
    let mode = Mode::DryRun;
    let params = Json::encode(&params)?;
    let call = BackendCall { op: Op::Observe, mode, run, step: Some(&step.id), params, recorder: None };
    tenant.call(role, call).await
}

fn phase(work: &Work, step: &str) -> Option<Phase> {
    work.tenant.step(step).map(|step| step.proposal.phase)
}
