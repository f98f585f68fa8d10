//! Makes a tenant's part of a plan: reads both sides, assesses what they show, and asks the plugins for steps.

use flowswap_contract::{self as contract, Json, Op, PlanParams, PlanReply, Role, StepProposal};
use jiff::Timestamp;

use crate::{
    BackendCall, Finding, Inventories, Packed, PlanError, PlannedTenant, Seen, Tenant, Verdict,
    assess::{NOT_PLANNABLE, assess},
    plan::{order, way_back},
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
        (Ok(provider), Ok(directory)) => {
            let seen = Seen::new(&tenant.spec, provider.clone(), directory.clone());
            Some(Packed::new(&seen).map_err(PlanError::Unwritable)?)
        }
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
    let params = Json::encode(&PlanParams {
        tenant: tenant.spec.name.clone(),
        app_data: tenant.spec.app_data,
        provider: sides.provider.clone()?,
        directory: sides.directory.clone()?,
    })?;
    let mut proposals = Vec::new();
    for role in [Role::Provider, Role::Directory] {
        let reply: PlanReply = tenant.call(role, BackendCall::dry(Op::Plan, params.clone())).await?;
        proposals.extend(reply.steps.into_iter().map(|step| (role, step)));
    }
    Ok(proposals)
}

fn not_plannable(error: &contract::Error) -> Finding {
    let finding = Finding::of(NOT_PLANNABLE, format!("the plugin cannot plan this tenant: {error}"));
    match &error.hint {
        Some(hint) => Finding { fix: hint.clone(), ..finding },
        None => finding,
    }
}
