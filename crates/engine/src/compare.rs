//! Looks whether the world is as the journal says, and changes neither.

use flowswap_contract::{self as contract, ObserveReply, Observed, Op, Phase, Step, StepParams};
use serde_json::json;

use crate::{Mode, RunId, Tenant, Work};

/// What the journal says of a step, and what was seen of it.
#[derive(Debug)]
pub struct Comparison {
    /// The step.
    pub step: Step,
    /// Whether the journal has it as carried out; otherwise it is in doubt.
    pub is_done: bool,
    /// What `observe` saw.
    pub seen: Result<ObserveReply, contract::Error>,
}

impl Comparison {
    /// Whether what was seen is what the journal says. Of a step in doubt it says nothing.
    pub fn agrees(&self) -> bool {
        !self.is_done || matches!(&self.seen, Ok(reply) if reply.state == Observed::Applied)
    }
}

/// Observes every step of the tenant that stands or is in doubt, one after the other.
pub async fn compare(tenant: &Tenant, work: &Work) -> Vec<Comparison> {
    let is_purged = work.done.iter().any(|done| phase(work, &done.id) == Some(Phase::Purge));
    let mut comparisons = Vec::new();
    for step in work.tenant.steps.iter().filter(|step| !step.proposal.phase.is_check()) {
        let is_done = work.is_done(&step.id);
        let is_in_doubt = work.doubt.as_ref().is_some_and(|doubt| doubt.step == step.id);
        // What is deleted is not there to be seen as deactivated.
        let is_covered = is_purged && step.proposal.phase == Phase::Retire;
        if (is_done || is_in_doubt) && !is_covered {
            let seen = observe(tenant, work, step).await;
            comparisons.push(Comparison { step: step.clone(), is_done, seen });
        }
    }
    comparisons
}

async fn observe(tenant: &Tenant, work: &Work, step: &Step) -> Result<ObserveReply, contract::Error> {
    let done = work.done.iter().find(|done| done.id == step.id);
    let known = work.doubt.as_ref().filter(|doubt| doubt.step == step.id).map(|doubt| doubt.known.clone());
    let params = StepParams {
        step: step.clone(),
        inputs: work.inputs(step),
        outputs: done.map(|done| done.outputs.clone()).or(known).unwrap_or_default(),
        attempts: work.attempts(&step.id),
    };
    tenant
        .call(
            step.proposal.seen_by.unwrap_or(step.role),
            Op::Observe,
            Mode::DryRun,
            RunId::none(),
            Some(&step.id),
            json!(params),
        )
        .await
}

fn phase(work: &Work, step: &str) -> Option<Phase> {
    work.tenant.step(step).map(|step| step.proposal.phase)
}
