//! A rollback that a person abandons before its end. The tenant stays migrated and continues from there.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{Phase, Step, Values};
use jiff::Timestamp;

use super::{
    tenant::TenantHistory,
    work::{DoneStep, Work},
};
use crate::{Actor, Direction, TenantState};

impl TenantHistory {
    /// Whether the tenant has an unfinished rollback that can be abandoned: what `swap` needs must not be rolled back yet.
    pub fn can_abandon(&self) -> bool {
        let is_open = matches!(self.state, TenantState::Stuck | TenantState::RollingBack | TenantState::Waiting);
        let work = self.work.as_ref().filter(|_| is_open && self.direction == Direction::Back);
        work.is_some_and(|work| {
            let mut base = work.steps_of(&[Phase::Provision, Phase::Swap]).peekable();
            let may_stand = |step: &Step| step.proposal.phase != Phase::Provision || work.is_done(&step.id);
            base.peek().is_some() && base.all(may_stand) && !work.done_phases().contains(&Phase::Purge)
        })
    }

    /// Adds the record that the rollback was abandoned.
    pub(super) fn abandon(
        &mut self,
        stands: &BTreeMap<String, Values>,
        reason: &str,
        by: &Actor,
        at: Timestamp,
    ) -> Result<(), String> {
        if !self.can_abandon() {
            return Err(format!("the rollback is abandoned, but the tenant is {}", self.state));
        }
        if reason.trim().is_empty() {
            return Err("the rollback is abandoned without a reason".to_owned());
        }
        let work = self.work()?;
        if let Some(step) = work.steps_of(&[Phase::Provision, Phase::Swap]).find(|step| !stands.contains_key(&step.id))
        {
            return Err(format!("the rollback is abandoned, but step `{}` is not in place", step.id));
        }
        if let Some(step) = stands.keys().find(|step| work.tenant.step(step).is_none() || !work.changes_something(step))
        {
            return Err(format!("the plan has no step `{step}` that could be in place"));
        }
        let state = work.keep_in_place(stands, at);
        self.direction = Direction::Forward;
        self.taken_up = None;
        self.intent = None;
        self.enter(state, Some(format!("{by} abandoned the rollback: {reason}")), at);
        Ok(())
    }
}

impl Work {
    fn steps_of<'a>(&'a self, phases: &'a [Phase]) -> impl Iterator<Item = &'a Step> {
        self.tenant.steps.iter().filter(|step| phases.contains(&step.proposal.phase))
    }

    fn done_phases(&self) -> BTreeSet<Phase> {
        self.done.iter().filter_map(|done| self.tenant.step(&done.id)).map(|step| step.proposal.phase).collect()
    }

    /// Marks the steps in `stands` as done and all others as rolled back. Clears the doubt and the open question. Returns the
    /// state that results.
    fn keep_in_place(&mut self, stands: &BTreeMap<String, Values>, at: Timestamp) -> TenantState {
        let doubted = self.doubt.take().map(|doubt| doubt.step);
        self.question = None;
        let steps: Vec<Step> = self.tenant.steps.clone();
        for step in steps.iter().filter(|step| !step.proposal.phase.is_check()) {
            match stands.get(&step.id) {
                Some(_) if self.is_done(&step.id) && doubted.as_ref() != Some(&step.id) => {}
                Some(outputs) => {
                    self.keep(outputs);
                    self.mark_done(DoneStep {
                        id: step.id.clone(),
                        outputs: outputs.clone().into(),
                        evidence: Vec::new(),
                        at,
                    });
                    if step.proposal.phase == Phase::Swap {
                        // The directory was connected again, so earlier confirmations no longer count.
                        let is_proof = |of: &Step| of.proposal.phase == Phase::Confirm;
                        self.done.retain(|done| !steps.iter().any(|of| of.id == done.id && is_proof(of)));
                    }
                }
                None => self.mark_undone(&step.id),
            }
        }
        let place = |id: &str| steps.iter().position(|step| step.id == id);
        self.done.sort_by_key(|done| place(&done.id));
        let all_done = |phase| {
            let mut of_phase = self.steps_of(std::slice::from_ref(phase)).peekable();
            of_phase.peek().is_some() && of_phase.all(|step| self.is_done(&step.id))
        };
        match (all_done(&Phase::Retire), all_done(&Phase::Confirm)) {
            (true, _) => TenantState::Retired,
            (false, true) => TenantState::Swapped,
            (false, false) => TenantState::Soaking,
        }
    }
}
