//! When connections stop working if nobody does anything.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::tenant::TenantLine;

/// Weeks that the timeline shows. A connection that was signed in for today lives just as long.
const WEEKS: usize = 13;
/// Days that are listed with their tenants.
const DAYS: usize = 5;

/// How many connections stop working in which week after the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Timeline {
    /// They stopped working before.
    pub dead: usize,
    /// By week, the first one first.
    pub weeks: Vec<Week>,
    /// The first days on which connections stop working, with their tenants.
    pub next: Vec<Day>,
    /// How many connections stop working after those days.
    pub later: usize,
    /// The connection dies some day, but nobody knows when.
    pub unknown: usize,
}

/// One week of a timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Week {
    /// Connections that this plan migrates.
    pub migrated: usize,
    /// Connections that it leaves as they are.
    pub left: usize,
}

/// Connections that stop working after the same number of days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Day {
    /// Whole days after the making of the plan. All that stopped working before are at -1.
    pub days_left: i64,
    /// The tenants that this plan migrates, in the order of the plan.
    pub migrated: Vec<String>,
    /// The tenants that it leaves as they are.
    pub left: Vec<String>,
}

impl Timeline {
    /// `None` if no connection is of the authorization-code flow.
    pub(crate) fn of(tenants: &[TenantLine], unknown: usize) -> Option<Self> {
        let (next, later) = list_days(tenants);
        let mut timeline = Self { dead: 0, weeks: vec![Week::default(); WEEKS], next, later, unknown };
        for tenant in tenants {
            let Some(days) = tenant.days_left else { continue };
            let Ok(days) = usize::try_from(days) else {
                timeline.dead += 1;
                continue;
            };
            let week = &mut timeline.weeks[(days / 7).min(WEEKS - 1)];
            if tenant.is_changed {
                week.migrated += 1;
            } else {
                week.left += 1;
            }
        }
        let has_any =
            timeline.dead + timeline.unknown > 0 || timeline.weeks.iter().any(|week| week.migrated + week.left > 0);
        has_any.then_some(timeline)
    }
}

/// The first days, and how many connections stop working after them.
fn list_days(tenants: &[TenantLine]) -> (Vec<Day>, usize) {
    let mut days: BTreeMap<i64, Day> = BTreeMap::new();
    for tenant in tenants {
        let Some(days_left) = tenant.days_left.map(|days| days.max(-1)) else { continue };
        let day = days.entry(days_left).or_insert_with(|| Day { days_left, ..Day::default() });
        let names = if tenant.is_changed { &mut day.migrated } else { &mut day.left };
        names.push(tenant.name.clone());
    }
    let later = days.values().skip(DAYS).map(|day| day.migrated.len() + day.left.len()).sum();
    (days.into_values().take(DAYS).collect(), later)
}
