//! When connections stop working if nobody does anything.

use serde::Serialize;

use crate::tenant::TenantLine;

/// Weeks that the timeline shows. A connection that was signed in for today lives just as long.
const WEEKS: usize = 13;

/// How many connections stop working in which week after the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// They stopped working before.
    pub dead: usize,
    /// By week, the first one first.
    pub weeks: Vec<Week>,
    /// The connection dies some day, but nobody knows when.
    pub unknown: usize,
}

/// One week of a [`Timeline`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Week {
    /// Connections that this plan migrates.
    pub migrated: usize,
    /// Connections that it leaves as they are.
    pub left: usize,
}

impl Timeline {
    /// `None` if no connection is of the authorization-code flow.
    pub(crate) fn of(tenants: &[TenantLine], unknown: usize) -> Option<Self> {
        let mut timeline = Self { dead: 0, weeks: vec![Week::default(); WEEKS], unknown };
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
