//! A way back that a person ends before its end: the tenant stays migrated, and goes on from there.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{Phase, Step, Values};
use jiff::Timestamp;

use super::{
    tenant::TenantHistory,
    work::{DoneStep, Work},
};
use crate::{Direction, TenantState};

impl TenantHistory {
    /// Whether the tenant is on a way back that can be ended: it is not at its end, and what `swap` needs is not taken back.
    pub fn can_abandon(&self) -> bool {
        let is_open = matches!(self.state, TenantState::Stuck | TenantState::RollingBack | TenantState::Waiting);
        let work = self.work.as_ref().filter(|_| is_open && self.direction == Direction::Back);
        work.is_some_and(|work| {
            let mut base = work.steps_of(&[Phase::Provision, Phase::Swap]).peekable();
            let may_stand = |step: &Step| step.proposal.phase != Phase::Provision || work.is_done(&step.id);
            base.peek().is_some() && base.all(may_stand) && !work.done_phases().contains(&Phase::Purge)
        })
    }

    /// Takes in that the way back was ended.
    pub(super) fn abandon(
        &mut self,
        stands: &BTreeMap<String, Values>,
        reason: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<(), String> {
        if !self.can_abandon() {
            return Err(format!("the way back is abandoned, and the tenant is {}", self.state));
        }
        if reason.trim().is_empty() {
            return Err("the way back is abandoned without a reason".to_owned());
        }
        let work = self.work()?;
        if let Some(step) = work.steps_of(&[Phase::Provision, Phase::Swap]).find(|step| !stands.contains_key(&step.id))
        {
            return Err(format!("the way back is abandoned, and step `{}` does not stand", step.id));
        }
        if let Some(step) = stands.keys().find(|step| work.tenant.step(step).is_none() || !work.changes_something(step))
        {
            return Err(format!("the plan has no step `{step}` that could stand"));
        }
        let state = work.stay(stands, at);
        (self.direction, self.taken_up, self.is_abandoned) = (Direction::Forward, false, true);
        self.enter(state, Some(format!("{by} ended the way back: {reason}")), at);
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

    /// What was seen in place stands, and nothing is in doubt or asked any more. Gives where that leaves the tenant.
    fn stay(&mut self, stands: &BTreeMap<String, Values>, at: Timestamp) -> TenantState {
        let shaken = self.doubt.take().map(|doubt| doubt.step);
        self.question = None;
        let steps: Vec<Step> = self.tenant.steps.clone();
        for step in steps.iter().filter(|step| !step.proposal.phase.is_check()) {
            match stands.get(&step.id) {
                Some(_) if self.is_done(&step.id) && shaken.as_ref() != Some(&step.id) => {}
                Some(outputs) => {
                    self.keep(outputs);
                    self.put(DoneStep { id: step.id.clone(), outputs: outputs.clone(), evidence: Vec::new(), at });
                    if step.proposal.phase == Phase::Swap {
                        // What was confirmed before the directory was connected anew is no proof any more.
                        let is_proof = |of: &Step| of.proposal.phase == Phase::Confirm;
                        self.done.retain(|done| !steps.iter().any(|of| of.id == done.id && is_proof(of)));
                    }
                }
                None => self.take_back(&step.id),
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
