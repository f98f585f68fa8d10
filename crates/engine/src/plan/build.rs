//! Makes a tenant's part of a plan. The plugins propose steps; the engine orders and freezes them.

use flowswap_contract::{self as contract, Op, Phase, PlanParams, PlanReply, Role, Step, StepProposal};
use jiff::Timestamp;
use serde_json::json;

use super::{PlannedTenant, Seen, StepRollback};
use crate::{
    BackendCall, Finding, Inventories, PlanError, Tenant, Verdict,
    assess::{NOT_PLANNABLE, assess},
};

/// Inspects a tenant and plans it. A tenant that is not `ready`, or that a plugin cannot plan, gets no steps.
pub async fn plan_tenant(tenant: &Tenant, now: Timestamp) -> Result<PlannedTenant, PlanError> {
    let sides = tenant.inspect().await;
    let mut assessment = assess(&tenant.spec, &sides, now);
    let mut steps = Vec::new();
    if assessment.verdict == Verdict::Ready {
        match propose(tenant, &sides).await {
            Ok(proposals) => steps = order(proposals),
            Err(error) => {
                assessment.verdict = Verdict::Blocked;
                assessment.findings.insert(0, not_plannable(&error));
            }
        }
    }
    let seen = match (&sides.provider, &sides.directory) {
        (Ok(provider), Ok(directory)) => Some(Seen::new(&tenant.spec, provider.clone(), directory.clone())),
        _ => None,
    };
    Ok(PlannedTenant {
        name: tenant.spec.name.clone(),
        app_data: tenant.spec.app_data,
        provider_plugin: tenant.spec.provider_plugin.clone(),
        directory_plugin: tenant.spec.directory_plugin.clone(),
        verdict: assessment.verdict,
        findings: assessment.findings,
        seen,
        way_back: way_back(&steps),
        steps,
    })
}

async fn propose(tenant: &Tenant, sides: &Inventories) -> Result<Vec<(Role, StepProposal)>, contract::Error> {
    let params = json!(PlanParams {
        tenant: tenant.spec.name.clone(),
        app_data: tenant.spec.app_data,
        provider: sides.provider.clone()?,
        directory: sides.directory.clone()?,
    });
    let mut proposals = Vec::new();
    for role in [Role::Provider, Role::Directory] {
        let reply: PlanReply = tenant.call(role, BackendCall::dry(Op::Plan, params.clone())).await?;
        proposals.extend(reply.steps.into_iter().map(|step| (role, step)));
    }
    Ok(proposals)
}

/// Orders the steps by phase, and within a phase as proposed. The directory comes first, so that the provider can see what the
/// directory's check caused. A baseline that needs nothing comes before everything else, so that nothing has been made if it
/// fails.
fn order(mut proposals: Vec<(Role, StepProposal)>) -> Vec<Step> {
    proposals.sort_by_key(|(role, proposal)| (!is_first(proposal), proposal.phase, *role == Role::Provider));
    let mut steps: Vec<Step> = Vec::new();
    for (role, proposal) in proposals {
        let id = match proposal.phase {
            Phase::Baseline | Phase::Confirm => format!("{}-{role}", proposal.phase),
            // The directory's test comes right before the submission of the credentials. The provider only notes its time.
            Phase::Test if role == Role::Provider => format!("{}-{role}", proposal.phase),
            phase => phase.to_string(),
        };
        steps.push(Step { id, role, proposal });
    }
    steps
}

/// Whether a step can come before the service client exists.
pub(super) fn is_first(proposal: &StepProposal) -> bool {
    proposal.phase == Phase::Baseline && proposal.needs.is_empty()
}

/// The action of an irreversible step in a plan file. It must not change: `lint` compares it with the plans of earlier versions.
const IRREVERSIBLE: &str = "there is no way back from this step";

/// The rollback of the steps: every step that changes something, last first.
pub(super) fn way_back(steps: &[Step]) -> Vec<StepRollback> {
    let changing = steps.iter().rev().filter(|step| !step.proposal.phase.is_check());
    changing
        .map(|step| StepRollback {
            step: step.id.clone(),
            action: step.proposal.undo.clone().unwrap_or_else(|| IRREVERSIBLE.to_owned()),
            reversibility: step.proposal.reversibility,
        })
        .collect()
}

fn not_plannable(error: &contract::Error) -> Finding {
    let finding = Finding::of(NOT_PLANNABLE, format!("the plugin cannot plan this tenant: {error}"));
    match &error.hint {
        Some(hint) => Finding { fix: hint.clone(), ..finding },
        None => finding,
    }
}
