//! Checks plans, no matter what wrote them. A plan with a defect is neither written nor carried out.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{Handle, Phase, Reversibility, Role, Rotation, SentSecret, Step, Variant};

use super::{
    OfSides, Plan, PlanError, PlannedTenant, Seen,
    order::{is_first, way_back},
};
use crate::{Verdict, Wave};

/// Lists the defects of a plan, one per line. Empty if the plan is valid.
pub fn lint(plan: &Plan) -> Vec<String> {
    Linter::of(plan).into_defects()
}

/// Checks the tenants of a plan one after the other.
pub(super) struct Linter<'a> {
    /// The plan; its tenants do not count.
    head: &'a Plan,
    names: BTreeSet<String>,
    /// The plugins of all tenants.
    used: BTreeSet<String>,
    /// The tenant of each org that has steps.
    orgs: BTreeMap<(String, String), String>,
    /// The tenants that have steps.
    ready: BTreeSet<String>,
    defects: Vec<String>,
}

impl<'a> Linter<'a> {
    pub(super) fn new(head: &'a Plan) -> Self {
        let mut defects = Vec::new();
        if head.not_after < head.created_at {
            defects.push(format!("it expires at {}, before it was made at {}", head.not_after, head.created_at));
        }
        Self {
            head,
            names: BTreeSet::new(),
            used: BTreeSet::new(),
            orgs: BTreeMap::new(),
            ready: BTreeSet::new(),
            defects,
        }
    }

    /// With all tenants of the plan checked.
    pub(super) fn of(plan: &'a Plan) -> Self {
        let mut linter = Self::new(plan);
        plan.tenants.iter().for_each(|tenant| linter.check(tenant));
        linter
    }

    /// All defects, with those that only show after the last tenant.
    fn into_defects(mut self) -> Vec<String> {
        let unused = self.head.plugins.keys().filter(|name| !self.used.contains(*name));
        self.defects.extend(unused.map(|name| format!("no tenant uses the plugin `{name}`")));
        let waves = lint_waves(&self.head.waves, &self.ready);
        self.defects.extend(waves);
        self.defects
    }

    pub(super) fn check(&mut self, tenant: &PlannedTenant) {
        let seen = (!tenant.steps.is_empty()).then(|| tenant.seen()).flatten();
        let mut found = lint_tenant(tenant, seen.as_ref());
        if !self.names.insert(tenant.name.clone()) {
            found.push("it is planned twice".to_owned());
        }
        for plugin in [&tenant.provider_plugin, &tenant.directory_plugin] {
            self.used.insert(plugin.clone());
            if !tenant.steps.is_empty() && !self.head.plugins.contains_key(plugin) {
                found.push(format!("its plugin `{plugin}` is not pinned"));
            }
        }
        if let Some(seen) = seen {
            let org = (tenant.provider_plugin.clone(), seen.provider.domain);
            if let Some(other) = self.orgs.insert(org, tenant.name.clone()).filter(|other| *other != tenant.name) {
                found.push(format!("it is connected to the same org as `{other}`, which the plan migrates too"));
            }
        }
        if !tenant.steps.is_empty() {
            self.ready.insert(tenant.name.clone());
        }
        self.defects.extend(found.into_iter().map(|defect| format!("tenant `{}`: {defect}", tenant.name)));
    }

    pub(super) fn finish(self) -> Result<(), PlanError> {
        let defects = self.into_defects();
        if defects.is_empty() { Ok(()) } else { Err(PlanError::Unsound(defects)) }
    }
}

/// Every tenant with steps is in exactly one wave, and every wave has a tenant.
fn lint_waves(waves: &[Wave], ready: &BTreeSet<String>) -> Vec<String> {
    if waves.is_empty() {
        return Vec::new();
    }
    let (mut defects, mut names, mut placed) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for wave in waves {
        let Wave { name, tenants, .. } = wave;
        if !names.insert(name) {
            defects.push(format!("two waves have the name `{name}`"));
        }
        if tenants.is_empty() {
            defects.push(format!("the wave `{name}` has no tenant"));
        }
        let idle = tenants.iter().filter(|tenant| !ready.contains(*tenant));
        defects.extend(idle.map(|tenant| format!("the wave `{name}` has `{tenant}`, which has no steps")));
        let twice = tenants.iter().filter(|tenant| !placed.insert(*tenant));
        defects.extend(twice.map(|tenant| format!("tenant `{tenant}` is in a wave twice")));
    }
    let missing = ready.iter().filter(|tenant| !placed.contains(tenant));
    defects.extend(missing.map(|tenant| format!("tenant `{tenant}` is in no wave")));
    defects
}

fn lint_tenant(tenant: &PlannedTenant, seen: Option<&Seen>) -> Vec<String> {
    let mut defects = Vec::new();
    if tenant.steps.is_empty() {
        return defects;
    }
    if tenant.verdict != Verdict::Ready {
        defects.push(format!("it is `{}` but has steps", tenant.verdict));
    }
    if seen.is_none() {
        defects.push("it does not record what was seen".to_owned());
    }
    let names_both =
        |of: &Option<OfSides>| of.as_ref().is_some_and(|of| of.keys().eq(&[Role::Provider, Role::Directory]));
    if !names_both(&tenant.origins) {
        defects.push("it does not say which servers get its credentials".to_owned());
    }
    if !names_both(&tenant.token_paths) {
        defects.push("it does not say where it asks for tokens".to_owned());
    }
    if tenant.way_back != way_back(&tenant.steps) {
        defects.push("its rollback does not match its steps".to_owned());
    }
    defects.extend(lint_order(&tenant.steps));
    defects.extend(lint_values(tenant));
    defects.extend(tenant.steps.iter().flat_map(lint_step));
    defects.extend(tenant.steps.iter().flat_map(|step| lint_queries(tenant, step)));
    defects.extend(lint_facts(tenant, seen));
    defects
}

/// A query goes only to the servers of the step's own side.
fn lint_queries(tenant: &PlannedTenant, step: &Step) -> Vec<String> {
    let origins = tenant.origins.as_ref().and_then(|of| of.get(&step.role));
    let is_known = |url: &&String| {
        let mut rests = origins.into_iter().flatten().filter_map(|origin| url.strip_prefix(origin.as_str()));
        rests.any(|rest| rest.starts_with('/'))
    };
    let foreign = step.proposal.queries.iter().filter(|url| !is_known(url));
    foreign
        .map(|url| format!("step `{}` asks by POST at `{url}`, which is not a server of the {}", step.id, step.role))
        .collect()
}

fn lint_order(steps: &[Step]) -> Vec<String> {
    let mut defects = Vec::new();
    let mut ids = BTreeSet::new();
    for pair in steps.windows(2) {
        if pair[0].proposal.phase > pair[1].proposal.phase && !is_first(&pair[0].proposal) {
            defects.push(format!("step `{}` must not come after `{}`", pair[1].id, pair[0].id));
        }
    }
    for step in steps {
        if !ids.insert(&step.id) {
            defects.push(format!("step `{}` exists twice", step.id));
        }
    }
    let has = |phase| steps.iter().any(|step| step.proposal.phase == phase);
    let has_of = |phase, role| steps.iter().any(|step| step.proposal.phase == phase && step.role == role);
    for (later, earlier) in [
        (Phase::Swap, Phase::Provision),
        (Phase::Swap, Phase::Prove),
        (Phase::Retire, Phase::Swap),
        (Phase::Retire, Phase::Confirm),
        (Phase::Purge, Phase::Retire),
    ] {
        if has(later) && !has(earlier) {
            defects.push(format!("no `{earlier}` comes before `{later}`"));
        }
    }
    for swap in steps.iter().filter(|step| step.proposal.phase == Phase::Swap) {
        // A `test` by the provider only notes the time; it does not test the connection.
        if !has_of(Phase::Test, Role::Directory) {
            defects.push(format!("no `test` by the directory comes before step `{}`", swap.id));
        }
        let by = swap.proposal.confirmed_by.unwrap_or(Role::Directory);
        if !has_of(Phase::Confirm, by) {
            defects.push(format!("the {by} must confirm step `{}`, but has no `confirm`", swap.id));
        }
    }
    defects
}

fn lint_values(tenant: &PlannedTenant) -> Vec<String> {
    let mut given = BTreeSet::new();
    let mut defects = Vec::new();
    if let Some(previous) = tenant.rotation.as_ref().and_then(|rotation| rotation.previous.as_ref()) {
        given.insert(Rotation::PREVIOUS_SECRET);
        if !previous.is_of(&tenant.name) {
            defects.push(format!("its previous client secret `{previous}` is not one of its own"));
        }
    }
    for step in &tenant.steps {
        for need in step.proposal.needs.iter().filter(|need| !given.contains(need.as_str())) {
            defects.push(format!("step `{}` needs `{need}`, but no earlier step gives it", step.id));
        }
        given.extend(step.proposal.gives.iter().map(String::as_str));
    }
    defects
}

fn lint_step(step: &Step) -> Vec<String> {
    let mut defects = Vec::new();
    let proposal = &step.proposal;
    let irreversible = proposal.reversibility == Reversibility::Irreversible;
    if !Handle::find_in(&proposal.payload).is_empty() {
        defects.push(format!("step `{}` names a secret in its payload; secrets are inputs", step.id));
    }
    match &proposal.sends {
        None => defects.push(format!("step `{}` does not say where it sends secrets", step.id)),
        Some(sent) => {
            for SentSecret { input, .. } in sent.iter().filter(|sent| !proposal.needs.contains(&sent.input)) {
                defects.push(format!("step `{}` sends `{input}`, which it does not need", step.id));
            }
        }
    }
    if irreversible && proposal.phase != Phase::Purge {
        defects.push(format!("step `{}` is irreversible, but only a purge may be", step.id));
    }
    if proposal.phase == Phase::Purge && !irreversible {
        defects.push(format!("step `{}` is a purge but is not marked as irreversible", step.id));
    }
    if !proposal.phase.is_check() && irreversible == proposal.undo.is_some() {
        defects.push(format!("step `{}` must either say how it is rolled back or be irreversible", step.id));
    }
    let role = match proposal.phase {
        Phase::Provision | Phase::Prove | Phase::Retire | Phase::Purge => Some(Role::Provider),
        Phase::Swap => Some(Role::Directory),
        Phase::Baseline | Phase::Test | Phase::Confirm => None,
    };
    if role.is_some_and(|role| role != step.role) {
        defects.push(format!("step `{}` cannot belong to the {}", step.id, step.role));
    }
    defects
}

/// If a payload names the domain or the variant, it must agree with what was seen and with the configuration.
fn lint_facts(tenant: &PlannedTenant, seen: Option<&Seen>) -> Vec<String> {
    let mut defects = Vec::new();
    let wanted = if tenant.app_data { Variant::ApplicationEnabled } else { Variant::Plain }.to_string();
    for step in &tenant.steps {
        let payload = step.proposal.payload.to_value();
        let text = |key: &str| payload.get(key).and_then(|value| value.as_str());
        if let (Phase::Provision, Some(variant)) = (step.proposal.phase, text("variant"))
            && variant != wanted
        {
            defects
                .push(format!("step `{}` makes the {variant} client, but the tenant needs the {wanted} one", step.id));
        }
        if let (Phase::Swap, Some(domain), Some(seen)) = (step.proposal.phase, text("domain"), seen)
            && domain != seen.directory.domain
        {
            defects.push(format!("step `{}` would change the domain, but a directory's domain cannot change", step.id));
        }
    }
    defects
}
