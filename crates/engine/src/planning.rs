//! Makes a tenant's part of a plan: reads both sides, assesses what they show, and asks the plugins for steps.

use std::mem;

use flowswap_contract::{self as contract, ErrorKind, Json, Op, PlanParams, PlanReply, Role, Step, StepProposal};
use jiff::Timestamp;

use crate::{
    Assessment, Backend, BackendCall, Finding, Inventories, OfSides, Packed, PlanError, PlannedTenant, Seen, Tenant,
    TenantSpec, Verdict,
    assess::{NOT_PLANNABLE, WARN_DAYS, assess, assess_rotation},
    last_filter::without_secrets,
    plan::{order, way_back},
};

/// What follows from what both sides of a tenant show.
pub(crate) struct Derivation {
    pub(crate) verdict: Verdict,
    pub(crate) findings: Vec<Finding>,
    /// `None` if a side did not answer.
    pub(crate) seen: Option<Seen>,
    /// The origins that each side may talk to, if the tenant has steps.
    pub(crate) origins: Option<OfSides>,
    /// The paths at which it asks them for tokens, if the tenant has steps.
    pub(crate) token_paths: Option<OfSides>,
    /// Only a `ready` tenant has steps.
    pub(crate) steps: Vec<Step>,
}

/// Inspects a tenant and plans it. A tenant that is not `ready`, or that a plugin cannot plan, gets no steps.
pub async fn plan_tenant(tenant: &Tenant, now: Timestamp) -> Result<PlannedTenant, PlanError> {
    let spec = &tenant.spec;
    let Derivation { verdict, findings, seen, origins, token_paths, steps } =
        derive(tenant, spec, tenant.inspect().await, now).await;
    let planned = PlannedTenant {
        name: spec.name.clone(),
        app_data: spec.app_data,
        provider_plugin: spec.provider_plugin.clone(),
        directory_plugin: spec.directory_plugin.clone(),
        rotation: spec.rotation.clone(),
        verdict,
        findings,
        seen: seen.as_ref().map(Packed::new).transpose().map_err(PlanError::Unwritable)?,
        origins,
        token_paths,
        way_back: way_back(&steps),
        steps,
    };
    without_secrets(planned, tenant.backend(Role::Provider)).map_err(PlanError::Unwritable)
}

/// Assesses a tenant and asks its plugins for steps. These follow only from what a plan records, so that `apply` gets the same ones.
pub(crate) async fn derive(tenant: &Tenant, spec: &TenantSpec, sides: Inventories, now: Timestamp) -> Derivation {
    let (mut verdict, mut findings) = match &spec.rotation {
        None => {
            let Assessment { verdict, findings, .. } = assess(spec, &sides, now, WARN_DAYS);
            (verdict, findings)
        }
        Some(rotation) => assess_rotation(spec, rotation, &sides, now),
    };
    let mut seen = match (sides.provider, sides.directory) {
        (Ok(provider), Ok(directory)) => Some(Seen::new(spec, provider, directory)),
        _ => None,
    };
    let mut steps = Vec::new();
    if let Some(seen) = seen.as_mut().filter(|_| verdict == Verdict::Ready) {
        match propose(tenant, spec, seen).await {
            Ok(proposals) => steps = order(proposals, spec.rotation.as_ref()),
            Err(error) => {
                verdict = Verdict::Blocked;
                findings.insert(0, not_plannable(&error));
            }
        }
    }
    let of_sides = |texts: fn(&dyn Backend) -> Vec<String>| {
        let sides = [Role::Provider, Role::Directory].map(|role| (role, texts(tenant.backend(role))));
        (!steps.is_empty()).then(|| OfSides::from(sides))
    };
    let (origins, token_paths) = (of_sides(|side| side.origins()), of_sides(|side| side.token_paths()));
    Derivation { verdict, findings, seen, origins, token_paths, steps }
}

async fn propose(
    tenant: &Tenant,
    spec: &TenantSpec,
    seen: &mut Seen,
) -> Result<Vec<(Role, StepProposal)>, contract::Error> {
    // Lends both inventories, because they can be large.
    let (provider, directory) = (mem::take(&mut seen.provider), mem::take(&mut seen.directory));
    let rotation = spec.rotation.clone();
    let params = PlanParams { tenant: spec.name.clone(), app_data: spec.app_data, provider, directory, rotation };
    let encoded = Json::encode(&params);
    (seen.provider, seen.directory) = (params.provider, params.directory);
    let params = encoded?;
    let mut proposals = Vec::new();
    for role in [Role::Provider, Role::Directory] {
        let reply: PlanReply = tenant.call(role, BackendCall::dry(Op::Plan, params.clone())).await?;
        if reply.rotation != spec.rotation.is_some() {
            let message = format!("the {role}'s plugin cannot rotate client secrets; it is older than protocol 1.8");
            return Err(contract::Error::new(ErrorKind::Unsupported, message));
        }
        proposals.extend(reply.steps.into_iter().map(|step| (role, bound_to_places(step))));
    }
    Ok(proposals)
}

/// A plugin from before protocol 1.3 names no places, so its steps send no secrets.
fn bound_to_places(step: StepProposal) -> StepProposal {
    StepProposal { sends: Some(step.sends.unwrap_or_default()), ..step }
}

fn not_plannable(error: &contract::Error) -> Finding {
    let finding = Finding::of(NOT_PLANNABLE, format!("the plugin cannot plan this tenant: {error}"));
    match &error.hint {
        Some(hint) => Finding { fix: hint.clone(), ..finding },
        None => finding,
    }
}
