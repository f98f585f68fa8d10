//! The waves of a plan, and what differs between those of two plans.

use std::collections::BTreeMap;

use flowswap_engine::{Plan, Wave};
use schemars::JsonSchema;
use serde::Serialize;

use crate::number::number;

/// How many of the tenants that moved are named.
const MOST_NAMES: usize = 5;

/// A wave of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WaveLine {
    /// Its name.
    pub name: String,
    /// What the waves before it must have reached, and what must be shown, as the configuration says it. `None` if it is open.
    pub opens_after: Option<String>,
    /// The names of its tenants, in its order.
    pub tenants: Vec<String>,
}

impl WaveLine {
    /// The waves of a plan, in their order.
    pub fn of_plan(plan: &Plan) -> Vec<Self> {
        let line = |(index, wave): (usize, &Wave)| Self {
            name: wave.name.clone(),
            opens_after: describe_gate(index, wave),
            tenants: wave.tenants.clone(),
        };
        plan.waves.iter().enumerate().map(line).collect()
    }
}

/// What must be so before the wave opens. `None` if nothing must.
fn describe_gate(index: usize, wave: &Wave) -> Option<String> {
    let opens_after = (index > 0).then(|| wave.opens_after.to_string());
    let requires = wave.requires.map(|requirement| format!("a {requirement}"));
    let all: Vec<String> = opens_after.into_iter().chain(requires).collect();
    (!all.is_empty()).then(|| all.join(", and "))
}

/// What differs between the waves of two plans, in sentences.
pub(crate) fn compare_waves(old: &[WaveLine], new: &[WaveLine]) -> Vec<String> {
    let names = |waves: &[WaveLine]| waves.iter().map(|wave| format!("`{}`", wave.name)).collect::<Vec<_>>().join(", ");
    let mut sentences = Vec::new();
    let is_same_order = old.iter().map(|wave| &wave.name).eq(new.iter().map(|wave| &wave.name));
    match (old, new) {
        _ if is_same_order => {}
        ([], new) => sentences.push(format!("The new plan has waves: {}.", names(new))),
        (_, []) => sentences.push("The new plan has no waves: it migrates all tenants at once.".to_owned()),
        (old, new) => sentences.push(format!("The waves are {}, and no longer {}.", names(new), names(old))),
    }
    for (old, new) in new.iter().filter_map(|new| Some((old.iter().find(|old| old.name == new.name)?, new))) {
        if old.opens_after != new.opens_after {
            let word = |wave: &WaveLine| wave.opens_after.clone().unwrap_or_else(|| "nothing".to_owned());
            let (now, before) = (word(new), word(old));
            sentences.push(format!("The wave `{}` opens after: {now}, and no longer after: {before}.", new.name));
        }
    }
    let (of_old, of_new) = (wave_of(old), wave_of(new));
    let mut moved: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (tenant, now) in &of_new {
        if let Some(before) = of_old.get(tenant).filter(|before| *before != now) {
            moved.entry((before, now)).or_default().push(tenant);
        }
    }
    let moved = moved.into_iter().map(|((before, now), tenants)| {
        let first = tenants.iter().take(MOST_NAMES).copied().collect::<Vec<_>>().join(", ");
        let more = tenants.len().saturating_sub(MOST_NAMES);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let count = number(tenants.len(), "tenant", "tenants");
        format!("{count} moved from the wave `{before}` to `{now}`: {first}{more}.")
    });
    sentences.extend(moved);
    sentences
}

fn wave_of(waves: &[WaveLine]) -> BTreeMap<&str, &str> {
    waves.iter().flat_map(|wave| wave.tenants.iter().map(|tenant| (tenant.as_str(), wave.name.as_str()))).collect()
}
