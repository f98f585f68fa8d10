//! Looks whether the world is as the journal says, and changes neither.

use flowswap_contract::{self as contract, ObserveReply, Observed, Op, Phase, Role, Step, StepParams, Values};
use serde_json::json;

use crate::{Mode, RunId, Tenant, TenantHistory, Work};

/// What the journal says of a step, and what was seen of it.
#[derive(Debug)]
pub struct Comparison {
    /// The step.
    pub step: Step,
    /// What the journal says.
    pub said: Said,
    /// What `observe` saw.
    pub seen: Result<ObserveReply, contract::Error>,
}

/// What the journal says of a step that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It is carried out.
    Done,
    /// It was carried out and taken back.
    TakenBack,
    /// It is not known which.
    InDoubt,
}

impl Comparison {
    /// Whether what was seen is what the journal says. Of a step in doubt it says nothing. Where only another side can tell,
    /// what it does not see any more contradicts nothing: a log forgets.
    pub fn agrees(&self) -> bool {
        match (self.said, &self.seen) {
            (Said::InDoubt, _) => true,
            (Said::Done, Ok(reply)) => reply.state == Observed::Applied,
            (Said::TakenBack, Ok(reply)) => match reply.state {
                Observed::NotApplied => true,
                Observed::Unknown => !is_shown(&self.step),
                Observed::Applied | Observed::Partial => false,
            },
            (_, Err(_)) => false,
        }
    }
}

/// Whether the side that the step is about shows itself how it stands.
pub(crate) fn is_shown(step: &Step) -> bool {
    seen_by(step) == step.role
}

/// The side that can tell how the step stands.
pub(crate) fn seen_by(step: &Step) -> Role {
    step.proposal.seen_by.unwrap_or(step.role)
}

/// Observes every step of the tenant that stands, is in doubt or was taken back, one after the other.
pub async fn compare(tenant: &Tenant, history: &TenantHistory) -> Vec<Comparison> {
    let Some(work) = history.work.as_ref().or(history.former.as_ref()) else { return Vec::new() };
    let is_purged = work.done.iter().any(|done| phase(work, &done.id) == Some(Phase::Purge));
    let mut comparisons = Vec::new();
    for step in work.tenant.steps.iter().filter(|step| !step.proposal.phase.is_check()) {
        // What is deleted is not there to be seen as deactivated.
        let is_covered = is_purged && step.proposal.phase == Phase::Retire;
        if let Some(said) = said_of(work, step).filter(|_| !is_covered) {
            let seen = observe(tenant, work, step, seen_by(step), Values::new(), RunId::none()).await;
            comparisons.push(Comparison { step: step.clone(), said, seen });
        }
    }
    comparisons
}

/// What the journal says of a step; none where it was never carried out.
pub(crate) fn said_of(work: &Work, step: &Step) -> Option<Said> {
    if work.doubt.as_ref().is_some_and(|doubt| doubt.step == step.id) {
        Some(Said::InDoubt)
    } else if work.is_done(&step.id) {
        Some(Said::Done)
    } else {
        work.undone.iter().any(|undone| undone.id == step.id).then_some(Said::TakenBack)
    }
}

/// Has one side look at a step with all that is known of it, also of what was taken back, and with what else is said of its
/// outputs.
pub(crate) async fn observe(
    tenant: &Tenant,
    work: &Work,
    step: &Step,
    role: Role,
    said: Values,
    run: RunId,
) -> Result<ObserveReply, contract::Error> {
    let done = work.done.iter().find(|done| done.id == step.id);
    let known = work.doubt.as_ref().filter(|doubt| doubt.step == step.id).map(|doubt| doubt.known.clone());
    let mut outputs = work.outputs_once(&step.id).unwrap_or_default();
    outputs.extend(done.map(|done| done.outputs.clone()).or(known).unwrap_or_default());
    outputs.extend(said);
    let (inputs, attempts) = (work.inputs_once(step), work.attempts(&step.id));
    let given_at = work.given_at(step).map(|at| at.to_string());
    let params = StepParams { step: step.clone(), inputs, outputs, attempts, given_at };
    tenant.call(role, Op::Observe, Mode::DryRun, run, Some(&step.id), json!(params)).await
}

fn phase(work: &Work, step: &str) -> Option<Phase> {
    work.tenant.step(step).map(|step| step.proposal.phase)
}
