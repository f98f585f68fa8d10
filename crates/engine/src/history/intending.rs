//! Begins and ends what runs set out to do for a tenant.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    TenantHistory,
    intent::{Intent, NewerPlan, Refusal},
};
use crate::{Direction, Goal, PlanPart, RunId, TenantState, Verdict};

impl TenantHistory {
    /// Adds that a run is going to work on the tenant.
    pub(super) fn intend(
        &mut self,
        goal: Goal,
        plan: &str,
        part: Option<&Arc<PlanPart>>,
        run: RunId,
        at: Timestamp,
    ) -> Result<(), String> {
        if let Some(part) = part {
            if part.plan != plan {
                return Err(format!("plan {plan} is intended, with a part of plan {}", part.plan));
            }
            self.wave.clone_from(&part.wave);
            self.part = Some(Arc::clone(part));
        }
        let is_known = self.work.as_ref().is_some_and(|work| work.plan == plan);
        let part = self.part.as_ref().filter(|part| part.plan == plan);
        if !is_known && part.is_none() {
            return Err(format!("plan {plan} is intended, but the journal has no part of it for the tenant"));
        }
        let path = part.and_then(|part| part.path.clone());
        if self.work.is_none() && goal == Goal::Swapped && self.state == TenantState::Unplanned {
            self.enter(TenantState::Planned, None, at);
        }
        let plan = Some(plan.to_owned());
        let same = self.intent.take().filter(|intent| intent.plan == plan);
        let newer_plan = same.and_then(|intent| intent.newer_plan);
        self.intent = Some(Intent { goal, plan, path, run, at, is_refused: false, newer_plan });
        Ok(())
    }

    /// Adds that a plan was made before any work started. A plan changes nothing, so what a run left is still to be
    /// continued, with the plan of that run. A plan that a run refused is out of date, so the new one takes its place.
    pub(super) fn plan_while_intended(&mut self, plan: &str, path: &str, verdict: Verdict, at: Timestamp) {
        let is_other = |intent: &Intent| intent.plan.as_deref() != Some(plan);
        self.intent.take_if(|intent| intent.is_refused && is_other(intent));
        let is_left = self.intent.is_some();
        self.refusal.take_if(|refusal| !(is_left && refusal.is_skipped));
        if let Some(intent) = self.intent.as_mut().filter(|intent| verdict == Verdict::Ready && is_other(intent)) {
            intent.newer_plan = Some(NewerPlan { at, plan: plan.to_owned(), path: path.to_owned() });
        }
    }

    /// Whether the tenant only waits on its way to a goal.
    pub(crate) fn waits_for(&self, goal: Goal) -> bool {
        self.state.waits() && self.taken_up.is_none() && self.direction == goal.direction()
    }

    /// Whether the work has reached a goal, and nobody set out to do anything else.
    pub(crate) fn is_done_for(&self, goal: Goal) -> bool {
        let is_idle = self.intent.is_none() && self.taken_up.is_none();
        is_idle && self.work.is_some() && goal.is_reached(self.state)
    }

    /// Whether a run would only record that it looked.
    pub(crate) fn has_nothing_left_for(&self, goal: Goal) -> bool {
        self.is_done_for(goal) && self.refusal.is_none()
    }

    /// Whether the journal already has it that a run did nothing, for the same reasons.
    pub(crate) fn has_refusal(&self, goal: Goal, reasons: &[String], is_skipped: bool) -> bool {
        let is_it = |last: &Refusal| (last.goal, last.is_skipped) == (goal, is_skipped) && last.reasons == reasons;
        self.refusal.as_ref().is_some_and(is_it)
    }

    /// Ends what a run set out to do, when the run ends its work without being interrupted, or has reached its goal.
    pub(super) fn end_intent(&mut self, state: TenantState, interrupted: bool) {
        self.intent.take_if(|intent| intent.goal.is_reached(state) || !interrupted);
    }

    /// The stored part of a plan that a run set out to carry out and did not start.
    pub fn intended_part(&self) -> Option<&Arc<PlanPart>> {
        let plan = self.intent.as_ref()?.plan.as_ref()?;
        let part = self.part.as_ref().filter(|part| part.plan == *plan && !self.taken_back.contains(plan))?;
        (self.work.is_none() || self.would_rotate(part)).then_some(part)
    }

    /// Adds that a run did nothing for the tenant.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        if let Some(intent) = self.intent.as_mut().filter(|intent| intent.goal == refusal.goal) {
            // A rollback that a side could not be read for is still to come: the person who asked for it expects it to happen.
            intent.is_refused = !(refusal.is_skipped || refusal.is_unread && refusal.goal == Goal::RolledBack);
        }
        self.refusal = Some(refusal);
    }

    /// The rollback that a run set out to do, if it did not reach the tenant.
    pub fn rollback_to_come(&self) -> Option<&Intent> {
        let is_reached = self.direction == Direction::Back || self.work.is_none();
        self.intent.as_ref().filter(|intent| intent.is_unrefused_rollback() && !is_reached)
    }

    /// Adds that a person gave up what a run had set out to do.
    ///
    /// The intent of a run of format 2 is not among the tenant's own records.
    /// A forward run that was cut off before is to be continued again.
    pub(super) fn give_up(&mut self, goal: Goal) {
        let given_up = self.intent.take_if(|intent| intent.goal == goal);
        if self.work.is_none() {
            self.rehearsal = None;
        }
        self.refusal = None;
        let (Some(given_up), Some(cut_off), Some(work)) = (given_up, self.taken_up, &self.work) else { return };
        if self.direction == Direction::Forward {
            let goal = if self.is_swapped() { Goal::Retired } else { Goal::Swapped };
            let (plan, path) = (Some(work.plan.clone()), self.plan_path.clone());
            self.intent =
                Some(Intent { goal, plan, path, run: cut_off, at: given_up.at, is_refused: false, newer_plan: None });
        }
    }
}
