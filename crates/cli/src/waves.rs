//! Puts the tenants of a plan into waves.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_config::{Config, Pick, REST, Selector, WaveOrder, WaveRule};
use flowswap_contract::Reversibility;
use flowswap_engine::{Opening, Plan, PlannedTenant, Requirement, Severity, Wave};
use flowswap_report::PlanReport;

use crate::{
    args::{Select, Split},
    exit::{Exit, Failure},
    selection::{Candidate, Pool},
};

/// The wave of the first tenants if flowswap itself chooses: one of each class.
const CANARY: &str = "canary";
/// The wave after it: a tenth of the tenants.
const TENTH: &str = "tenth";

/// Puts the tenants of a plan into the waves of the configuration, or into those that flowswap chooses.
pub(crate) fn plan_in_waves(plan: Plan, config: &Config, split: Split) -> Result<Plan, Failure> {
    let is_whole = split == Split::None || (split == Split::Configured && config.waves.is_empty());
    if is_whole || plan.ready().next().is_none() {
        return Ok(plan);
    }
    let tenants = order_by(&plan);
    let waves = if split == Split::Auto { choose(&tenants) } else { fill(&config.waves, &tenants, config)? };
    plan.in_waves(waves).map_err(|error| Failure::new(Exit::Failed, error))
}

/// A tenant with steps, and what waves are ordered by.
struct Ready<'a> {
    planned: &'a PlannedTenant,
    class: String,
    days_left: Option<i64>,
    /// The number of warnings, and whether its rollback needs a person.
    risk: (bool, usize),
}

fn order_by(plan: &Plan) -> Vec<Ready<'_>> {
    let report = PlanReport::of(plan);
    let lines: BTreeMap<&str, _> = report.tenants.iter().map(|line| (line.name.as_str(), line)).collect();
    let ready = plan.ready().map(|planned| {
        let line = lines.get(planned.name.as_str());
        let warnings = planned.findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
        let is_attended = planned.way_back.iter().any(|step| step.reversibility == Reversibility::Attended);
        Ready {
            planned,
            class: line.map(|line| line.class.clone()).unwrap_or_default(),
            days_left: line.and_then(|line| line.days_left),
            risk: (is_attended, warnings),
        }
    });
    ready.collect()
}

/// One of each class, then a tenth of all, then the rest. Those whose connections die first come first.
fn choose(tenants: &[Ready<'_>]) -> Vec<Wave> {
    let mut left = sorted(tenants.iter().collect(), WaveOrder::DaysLeft);
    let mut seen = BTreeSet::new();
    let canaries: Vec<_> = left.extract_if(.., |tenant| seen.insert(tenant.class.as_str())).collect();
    let tenth = tenants.len().div_ceil(10).min(left.len());
    let tenth: Vec<_> = left.drain(..tenth).collect();
    let waves = [(CANARY, canaries), (TENTH, tenth), (REST, left)];
    let waves = waves.into_iter().filter(|(_, tenants)| !tenants.is_empty());
    waves.map(|(name, tenants)| wave(name, Opening::Swapped, None, &tenants)).collect()
}

/// Fills the waves of the configuration, one after the other. The last one is called `rest` and takes what is left.
fn fill(rules: &[WaveRule], tenants: &[Ready<'_>], config: &Config) -> Result<Vec<Wave>, Failure> {
    let mut left: Vec<&Ready<'_>> = tenants.iter().collect();
    let mut waves = Vec::new();
    for rule in rules {
        left = sorted(left, rule.order);
        let count = |count: usize, left: &[&Ready<'_>]| count.min(left.len());
        let taken: Vec<_> = match &rule.pick {
            Pick::Count(number) => left.drain(..count(*number, &left)).collect(),
            Pick::Percent(percent) => {
                let number = (tenants.len() * usize::from(*percent)).div_ceil(100);
                left.drain(..count(number, &left)).collect()
            }
            Pick::Matching(selector) => {
                let names = matching(selector, config).map_err(|failure| in_wave(&rule.name, failure))?;
                let fits = |tenant: &Ready<'_>| names.contains(&tenant.planned.name) && has_finding(tenant, selector);
                left.extract_if(.., |tenant| fits(tenant)).collect()
            }
            Pick::Rest => std::mem::take(&mut left),
        };
        if !taken.is_empty() {
            waves.push(wave(&rule.name, rule.opens_after, rule.requires, &taken));
        }
    }
    if !left.is_empty() {
        waves.push(wave(REST, Opening::Swapped, None, &sorted(left, WaveOrder::DaysLeft)));
    }
    Ok(waves)
}

fn wave(name: &str, opens_after: Opening, requires: Option<Requirement>, tenants: &[&Ready<'_>]) -> Wave {
    let tenants = tenants.iter().map(|it| it.planned.name.clone()).collect();
    Wave { name: name.to_owned(), opens_after, requires, tenants }
}

fn sorted<'a, 'p>(mut tenants: Vec<&'a Ready<'p>>, order: WaveOrder) -> Vec<&'a Ready<'p>> {
    match order {
        WaveOrder::DaysLeft => tenants.sort_by_key(|tenant| (tenant.days_left.is_none(), tenant.days_left)),
        WaveOrder::Risk => tenants.sort_by_key(|tenant| tenant.risk),
        WaveOrder::Inventory => {}
    }
    tenants
}

/// The tenants of the configuration that fit, whether or not the plan has them: a selector that fits none is a mistake.
fn matching(selector: &Selector, config: &Config) -> Result<BTreeSet<String>, Failure> {
    let Selector { tenants, owners, labels, findings: _, except } = selector.clone();
    let select = Select { tenants, owners, labels, except, ..Select::default() };
    let known = BTreeMap::new();
    let candidates = config.tenants.iter().map(|tenant| Candidate::of(&tenant.name, Some(tenant), &known));
    Ok(Pool::of_fleet(candidates).select(&select)?.names.into_iter().collect())
}

fn has_finding(tenant: &Ready<'_>, selector: &Selector) -> bool {
    let findings = &tenant.planned.findings;
    selector.findings.is_empty() || findings.iter().any(|finding| selector.findings.contains(&finding.id))
}

fn in_wave(name: &str, failure: Failure) -> Failure {
    let Failure { exit, error, hint } = failure;
    Failure { exit, error: format!("the wave `{name}` of the configuration: {error}").into(), hint }
}
