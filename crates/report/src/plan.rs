//! The report of a plan: what will happen to whom, what is odd, and how each step is rolled back.

use std::collections::BTreeMap;

use flowswap_contract::Reversibility;
use flowswap_engine::{Actor, Plan, RULES, Severity, Verdict};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    class::{Class, classify},
    number::number,
    tenant::{SeenTenant, TenantLine},
    timeline::Timeline,
    unknown::{Unknown, is_undated, unknowns},
};

/// The format of reports as JSON.
pub const REPORT_FORMAT: u32 = 1;

/// What a reviewer reads of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanReport {
    /// [`REPORT_FORMAT`].
    pub format: u32,
    /// The digest of the plan. An approval is an approval of this.
    pub digest: String,
    /// When the plan was made.
    pub created_at: Timestamp,
    /// Who made it: the user, the name that the user goes by, and the machine. `None` in plans from before they said so.
    pub made_by: Option<String>,
    /// After this time the plan starts no tenant.
    pub not_after: Timestamp,
    /// The plugins that carry it out.
    pub plugins: Vec<PluginLine>,
    /// What the plan does, in sentences.
    pub summary: Vec<String>,
    /// How many tenants have each verdict.
    pub verdicts: BTreeMap<Verdict, usize>,
    /// Tenants that are planned alike.
    pub classes: Vec<Class>,
    /// All tenants, in the order of the plan.
    pub tenants: Vec<TenantLine>,
    /// The rules that matched, most severe first.
    pub findings: Vec<FindingLine>,
    /// When connections stop working if nobody does anything.
    pub timeline: Option<Timeline>,
    /// What is not known, or only inferred.
    pub unknowns: Vec<Unknown>,
}

/// A plugin of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginLine {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its library, hexadecimal.
    pub sha256: String,
    /// Whether the operator lets it run without a cage.
    pub uncaged: bool,
}

/// A rule that matched, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingLine {
    /// Its id.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// What it means.
    pub about: String,
    /// What to do about it. A tenant's own advice may be more exact.
    pub fix: String,
    /// The names of the tenants.
    pub tenants: Vec<String>,
}

impl PlanReport {
    /// Makes the report of a plan.
    pub fn of(plan: &Plan) -> Self {
        let tenants: Vec<SeenTenant<'_>> = plan.tenants.iter().map(|tenant| (tenant, tenant.seen())).collect();
        let classes = classify(&tenants);
        let class_of: BTreeMap<&str, &str> = classes
            .iter()
            .flat_map(|class| class.tenants.iter().map(|name| (name.as_str(), class.id.as_str())))
            .collect();
        let line = |(tenant, seen): &SeenTenant<'_>| {
            let class = class_of.get(tenant.name.as_str()).copied().unwrap_or_default();
            TenantLine::of(tenant, seen.as_ref(), class, plan.created_at)
        };
        let lines: Vec<TenantLine> = tenants.iter().map(line).collect();
        let undated = tenants.iter().filter(|(_, seen)| seen.as_ref().is_some_and(is_undated)).count();
        let mut verdicts = BTreeMap::new();
        for tenant in &plan.tenants {
            *verdicts.entry(tenant.verdict).or_default() += 1;
        }
        let plugins = plan.plugins.iter().map(|(name, pin)| PluginLine {
            name: name.clone(),
            version: pin.version.clone(),
            sha256: pin.sha256.clone(),
            uncaged: pin.uncaged,
        });
        Self {
            format: REPORT_FORMAT,
            digest: plan.digest.clone(),
            created_at: plan.created_at,
            made_by: plan.made_by.as_ref().map(name_of),
            not_after: plan.not_after,
            plugins: plugins.collect(),
            verdicts,
            summary: summarize(&classes, &lines),
            timeline: Timeline::of(&lines, undated),
            tenants: lines,
            findings: findings(plan),
            unknowns: unknowns(&tenants),
            classes,
        }
    }
}

/// A user, the name that the user goes by, and the machine.
pub(crate) fn name_of(actor: &Actor) -> String {
    match &actor.host {
        Some(host) => format!("{actor} on {host}"),
        None => actor.to_string(),
    }
}

/// What the plan does, in sentences.
fn summarize(classes: &[Class], tenants: &[TenantLine]) -> Vec<String> {
    let of = |changed: bool| classes.iter().filter(move |class| class.steps.is_empty() != changed);
    let count = |classes: &[&Class]| classes.iter().map(|class| class.tenants.len()).sum::<usize>();
    let changed: Vec<_> = of(true).collect();
    let is_person = |class: &&&Class| class.rollback.iter().any(|line| line.reversibility == Reversibility::Attended);
    let attended: Vec<_> = changed.iter().filter(is_person).copied().collect();
    let by_hand: Vec<_> =
        changed.iter().filter(|class| class.steps.iter().any(|step| step.by_person)).copied().collect();
    let mut sentences = vec![format!(
        "flowswap will migrate {} of {} to the client-credential flow, in {}.",
        count(&changed),
        number(tenants.len(), "tenant", "tenants"),
        number(changed.len(), "class", "classes"),
    )];
    if !by_hand.is_empty() {
        sentences.push(format!("A person must act for {} of them.", count(&by_hand)));
    }
    if !attended.is_empty() {
        sentences.push(format!("The rollback of {} needs a person.", count(&attended)));
    }
    let blocked = tenants.iter().filter(|tenant| matches!(tenant.verdict, Verdict::Blocked | Verdict::Unknown)).count();
    if blocked > 0 {
        sentences.push(format!("{} cannot be migrated yet.", number(blocked, "tenant", "tenants")));
    }
    let first = tenants
        .iter()
        .filter(|tenant| tenant.days_left.is_some_and(|days| days >= 0))
        .min_by_key(|tenant| tenant.dies_at);
    if let Some((first, days)) = first.and_then(|tenant| Some((tenant, tenant.days_left?))) {
        sentences.push(format!(
            "The next connection stops working in {}: `{}`.",
            number(days, "day", "days"),
            first.name
        ));
    }
    sentences
}

fn findings(plan: &Plan) -> Vec<FindingLine> {
    let mut lines: BTreeMap<(Severity, &str), FindingLine> = BTreeMap::new();
    for tenant in &plan.tenants {
        for finding in &tenant.findings {
            let line = lines.entry((finding.severity, &finding.id)).or_insert_with(|| {
                let rule = RULES.iter().find(|rule| rule.id == finding.id);
                FindingLine {
                    id: finding.id.clone(),
                    severity: finding.severity,
                    about: rule.map(|rule| rule.about.to_owned()).unwrap_or_default(),
                    fix: rule.map_or_else(|| finding.fix.clone(), |rule| rule.fix.to_owned()),
                    tenants: Vec::new(),
                }
            });
            line.tenants.push(tenant.name.clone());
        }
    }
    lines.into_values().collect()
}
