//! The report of a plan: what will happen to whom, what is odd, and how each step is rolled back.

use std::collections::BTreeMap;

use flowswap_engine::{Actor, Plan, Severity, Time, Verdict, all_rules};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    class::{Class, classify},
    problem::Problem,
    summary::summarize,
    tenant::{SeenTenant, TenantLine},
    timeline::Timeline,
    unknown::{Unknown, is_undated, unknowns},
    wave::WaveLine,
};

/// The format of reports as JSON.
pub const REPORT_FORMAT: u32 = 1;

/// What a reviewer reads of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PlanReport {
    /// The format of the document.
    #[schemars(extend("const" = REPORT_FORMAT))]
    pub format: u32,
    /// The digest of the plan. An approval is an approval of this.
    pub digest: String,
    /// When the plan was made.
    #[schemars(with = "Time")]
    pub created_at: Timestamp,
    /// Who made it: the user, the name that the user goes by, and the machine. `None` in plans from before they said so.
    pub made_by: Option<String>,
    /// After this time the plan starts no tenant.
    #[schemars(with = "Time")]
    pub not_after: Timestamp,
    /// The plugins that carry it out.
    pub plugins: Vec<PluginLine>,
    /// What the plan does, in sentences.
    pub summary: Vec<String>,
    /// How many tenants have each verdict.
    pub verdicts: BTreeMap<Verdict, usize>,
    /// The tenants that need a person before they can be migrated, by cause. The most frequent cause comes first.
    pub problems: Vec<Problem>,
    /// Tenants that are planned alike.
    pub classes: Vec<Class>,
    /// All tenants, in the order of the plan.
    pub tenants: Vec<TenantLine>,
    /// The rules that matched, most severe first.
    pub findings: Vec<FindingLine>,
    /// The waves in which it migrates them. Empty if it migrates all at once.
    pub waves: Vec<WaveLine>,
    /// When connections stop working if nobody does anything.
    pub timeline: Option<Timeline>,
    /// What is not known, or only inferred.
    pub unknowns: Vec<Unknown>,
}

/// A plugin of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
        let timeline = Timeline::of(&lines, undated);
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
            summary: summarize(&classes, &lines, timeline.as_ref()),
            waves: WaveLine::of_plan(plan),
            timeline,
            tenants: lines,
            findings: findings(plan),
            unknowns: unknowns(&tenants),
            problems: Problem::of_plan(&tenants),
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

/// What a finding means, by the id of its rule. Empty for a rule of another version.
pub fn explain_finding(id: &str) -> &'static str {
    all_rules().find(|rule| rule.id == id).map(|rule| rule.about).unwrap_or_default()
}

fn findings(plan: &Plan) -> Vec<FindingLine> {
    let mut lines: BTreeMap<(Severity, &str), FindingLine> = BTreeMap::new();
    for tenant in &plan.tenants {
        for finding in &tenant.findings {
            let line = lines.entry((finding.severity, &finding.id)).or_insert_with(|| {
                let rule = all_rules().find(|rule| rule.id == finding.id);
                FindingLine {
                    id: finding.id.clone(),
                    severity: finding.severity,
                    about: explain_finding(&finding.id).to_owned(),
                    fix: rule.map_or_else(|| finding.fix.clone(), |rule| rule.fix.to_owned()),
                    tenants: Vec::new(),
                }
            });
            line.tenants.push(tenant.name.clone());
        }
    }
    lines.into_values().collect()
}
