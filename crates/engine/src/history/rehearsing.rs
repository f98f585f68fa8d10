//! Begins and ends rehearsals in the history of a tenant.

use jiff::Timestamp;

use super::TenantHistory;
use crate::{Course, Goal, Rehearsal, Rehearsed};

impl TenantHistory {
    /// Adds that a run is going to rehearse the tenant, or to migrate it for good.
    pub(super) fn intend_rehearsal(&mut self, goal: Goal, plan: &str, rehearsal: bool) -> Result<(), String> {
        match (rehearsal, &self.work) {
            (true, _) if goal != Goal::Swapped => Err("a rehearsal begins with a migration".to_owned()),
            (true, Some(_)) if self.rehearsal.is_none() => {
                Err(format!("a rehearsal of plan {plan} is intended, but work was started without one"))
            }
            (true, Some(_)) => Ok(()),
            (true, None) => {
                self.rehearsal = Some(Rehearsal { plan: plan.to_owned(), swapped_at: None });
                Ok(())
            }
            (false, None) => {
                self.rehearsal = None;
                Ok(())
            }
            (false, Some(_)) => Ok(()),
        }
    }

    /// Adds that the tenant is completely rolled back. Returns whether that was the end of a rehearsal that was swapped and proven
    /// before.
    pub(super) fn end_rehearsal(&mut self, at: Timestamp) -> bool {
        let (Some(Rehearsal { plan, swapped_at }), Some(work)) = (self.rehearsal.take(), &self.former) else {
            return false;
        };
        let Some(swapped_at) = swapped_at.filter(|_| work.plan == plan) else { return false };
        let course = Course::of(&work.tenant, &work.plugins);
        self.rehearsed = Some(Rehearsed { plan, swapped_at, rolled_back_at: at, course });
        true
    }

    /// The rehearsal that is under way: it has begun, or a run that was to begin it can go on.
    pub fn open_rehearsal(&self) -> Option<&Rehearsal> {
        self.rehearsal.as_ref().filter(|_| self.work.is_some() || self.intent.is_some())
    }
}
