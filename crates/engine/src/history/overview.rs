//! What a list of tenants shows of each. It is small, so a command that lists ten thousand tenants need not know what was
//! ever done for them.

use std::collections::BTreeSet;

use flowswap_contract::{Phase, Step};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Intent, Question, Refusal, TenantHistory, Work};
use crate::{Direction, Goal, Rehearsal, Rehearsed, TenantState, Verdict};

/// A tenant in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// Its state.
    pub state: TenantState,
    /// Since when it has this state.
    pub since: Timestamp,
    /// When its last record was written. `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// Why, if the state alone does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last step that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The direction of the last run that worked on it.
    pub direction: Direction,
    /// Where its last plan was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_path: Option<String>,
    /// Its verdict in the last plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The ids of its findings in the last plan. None of plans of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// The wave of its last plan that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// Since when its swap is done and confirmed, also after its legacy client was retired. `None` if it is not, and for a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swapped_at: Option<Timestamp>,
    /// The digest of the plan of the current work. `None` if no work was started, or if it was rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The digests of plans that were carried out and rolled back. They cannot be carried out again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub taken_back: BTreeSet<String>,
    /// Which rotation of its client secret the current work is. `None` if the work is a migration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<u32>,
    /// When the client secret that the directory has, or is about to get, was made by flowswap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_made_at: Option<Timestamp>,
    /// It is rolled back, and that was a rotation of a tenant that flowswap had not migrated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_rotation: bool,
    /// Its last rotation was rolled back. What was there before it is not rolled back any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_back_from_rotation: bool,
    /// The org of the current work: the provider's plugin, and the domain that the org shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<(String, String)>,
    /// The phase of the last step that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// It moves forward, and its swap is done and confirmed.
    pub is_swapped: bool,
    /// Its rollback is not finished, but the directory has its previous connection again.
    pub is_restored: bool,
    /// It has an unfinished rollback that can be abandoned.
    pub can_abandon: bool,
    /// The step that a person was asked to carry out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// The person who was asked. `None` if anybody may do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_owner: Option<String>,
    /// A check before this time cannot see more. `None` if any time is as good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Timestamp>,
    /// What a run set out to do for it and has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Why the last run did nothing for it, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The rehearsal that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// Its last rehearsal that was carried out as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed: Option<Rehearsed>,
}

impl Overview {
    /// A tenant that the journal has nothing of, since a time.
    pub fn unplanned(since: Timestamp) -> Self {
        TenantHistory::new(since).overview()
    }

    /// Whether a run that set out to do something has begun it. A run that was cut off may not have reached the tenant.
    pub fn has_begun(&self, intent: &Intent) -> bool {
        match intent.goal {
            Goal::Swapped => self.plan.is_some() && (intent.plan.is_none() || intent.plan == self.plan),
            Goal::RolledBack => self.plan.is_none() || self.direction == Direction::Back,
            // It checks the swap again before it removes anything.
            Goal::Retired => self.state == TenantState::Running || self.phase >= Some(Phase::Retire),
            Goal::Purged => self.state == TenantState::Running || self.phase >= Some(Phase::Purge),
        }
    }

    /// Whether it is swapped for good, and not only for a rehearsal.
    pub fn is_swapped_for_good(&self) -> bool {
        self.state.is_swapped_or_later() && self.rehearsal.is_none()
    }

    /// Whether it is swapped only for a rehearsal, which ends with a rollback.
    pub fn is_swapped_for_rehearsal(&self) -> bool {
        self.state == TenantState::Swapped && self.rehearsal.is_some()
    }

    /// Whether a run set out to roll it back, and did not reach it.
    pub fn waits_for_rollback(&self) -> bool {
        let is_to_come = |intent: &Intent| intent.is_unrefused_rollback() && !self.has_begun(intent);
        self.intent.as_ref().is_some_and(is_to_come)
    }

    /// Whether it only waits on its way to a goal, and no run has set out to do anything else.
    pub(crate) fn only_waits_for(&self, goal: Goal) -> bool {
        self.state.waits() && self.intent.is_none() && self.direction == goal.direction()
    }
}

impl TenantHistory {
    /// The tenant in a few words.
    pub fn overview(&self) -> Overview {
        let work = self.work.as_deref();
        let question = work.and_then(|work| work.question.as_ref());
        let step = work.zip(self.step.as_ref()).and_then(|(work, step)| work.tenant.step(step));
        Overview {
            state: self.state,
            since: self.since,
            last_at: self.last_at,
            reason: self.reason.clone(),
            step: self.step.clone(),
            direction: self.direction,
            plan_path: self.plan_path.clone(),
            verdict: self.verdict,
            findings: self.findings.clone(),
            wave: self.wave.clone(),
            swapped_at: self.swapped_at,
            plan: work.map(|work| work.plan.clone()),
            taken_back: self.taken_back.clone(),
            rotation: work.and_then(|work| Some(work.tenant.rotation.as_ref()?.number)),
            secret_made_at: work.and_then(Work::client_secret_made_at),
            was_rotation: self.former.as_ref().is_some_and(|former| former.tenant.rotation.is_some()),
            is_back_from_rotation: self.is_back_from_rotation(),
            org: work.and_then(|work| work.org.clone()),
            phase: step.map(|step| step.proposal.phase),
            is_swapped: self.is_swapped(),
            is_restored: self.is_restored(),
            can_abandon: self.can_abandon(),
            asked: question.map(|question| question.step.clone()),
            asked_owner: question.and_then(|question| question.owner.clone()),
            earliest: self.earliest(),
            intent: self.intent.clone(),
            refusal: self.refusal.clone(),
            rehearsal: self.open_rehearsal().cloned(),
            rehearsed: self.rehearsed.clone(),
        }
    }

    /// Whether the tenant moves forward and its swap is done and confirmed.
    pub fn is_swapped(&self) -> bool {
        self.work.as_ref().is_some_and(|work| {
            let mut confirms = work.of_phase(Phase::Confirm).peekable();
            self.direction == Direction::Forward
                && confirms.peek().is_some()
                && confirms.all(|step| work.is_done(&step.id))
        })
    }

    /// Whether its rollback is not finished, but the directory has its previous connection again.
    fn is_restored(&self) -> bool {
        self.state == TenantState::RollingBack
            && self.work.as_ref().is_some_and(|work| {
                let was_undone = |step: &Step| work.undone.iter().any(|undone| undone.id == step.id);
                work.of_phase(Phase::Swap).any(was_undone)
            })
    }

    /// The earliest time at which a check of a forward migration can see more, if it is known.
    pub fn earliest(&self) -> Option<Timestamp> {
        let work = self.work.as_ref().filter(|_| self.direction == Direction::Forward)?;
        let ahead = work.tenant.steps_until(Phase::Confirm).filter(|step| !work.is_done(&step.id));
        let again = ahead.filter_map(|step| work.last_results.get(&step.id).filter(|last| !last.passed)?.again_at);
        let believed_at = work.question.as_ref().and_then(Question::believed_at);
        again.chain(believed_at).min()
    }
}

impl Work {
    fn of_phase(&self, phase: Phase) -> impl Iterator<Item = &Step> {
        self.tenant.steps.iter().filter(move |step| step.proposal.phase == phase)
    }
}
