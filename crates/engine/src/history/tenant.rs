//! What the journal says of one tenant: which records may follow which, and where they bring it.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::Evidence;
use jiff::{SignedDuration, Timestamp};

use super::{
    question::{Claim, HandedOver, Question},
    work::{DoneStep, Look, Work},
};
use crate::{Direction, Entry, PlannedTenant, PluginPin, RunId, TenantState, Verdict};

/// What the journal says of one tenant.
#[derive(Debug, Clone)]
pub struct TenantHistory {
    /// Where it stands.
    pub state: TenantState,
    /// Since when.
    pub since: Timestamp,
    /// Why, where that is not plain.
    pub reason: Option<String>,
    /// The last step that was begun.
    pub step: Option<String>,
    /// Which way the last work on it went.
    pub direction: Direction,
    /// Where its last plan was written.
    pub plan_path: Option<String>,
    /// The digests of the plans that were taken back.
    pub taken_back: BTreeSet<String>,
    /// What its last plan says of it.
    pub verdict: Option<Verdict>,
    /// The last thing that a check of it saw, and when.
    pub evidence: Option<(Timestamp, Evidence)>,
    /// The work that was begun on it; none before the first, and none after it was taken back whole.
    pub work: Option<Work>,
    /// The work that was taken back whole, until other work is begun: what it had made must stay gone.
    pub former: Option<Work>,
    /// A person has ended its way back, and no run has taken it up since.
    pub is_abandoned: bool,
    /// A run is at work on it, or was cut off while it was.
    pub(super) taken_up: bool,
}

impl TenantHistory {
    /// A tenant that the journal does not know.
    pub(crate) fn new(at: Timestamp) -> Self {
        Self {
            state: TenantState::Unplanned,
            since: at,
            reason: None,
            step: None,
            direction: Direction::Forward,
            plan_path: None,
            taken_back: BTreeSet::new(),
            verdict: None,
            evidence: None,
            work: None,
            former: None,
            is_abandoned: false,
            taken_up: false,
        }
    }

    /// Takes one more record of the tenant in.
    pub(crate) fn take(&mut self, entry: &Entry, run: RunId, at: Timestamp) -> Result<(), String> {
        match entry {
            Entry::RunStarted { .. } | Entry::RunEnded { .. } => {}
            // Work that was begun goes on with the plan it was begun with.
            Entry::Planned { .. } if self.work.is_some() => {}
            Entry::Planned { path, verdict, .. } => {
                (self.plan_path, self.verdict) = (Some(path.clone()), Some(*verdict));
                let is_ready = *verdict == Verdict::Ready;
                self.enter(if is_ready { TenantState::Planned } else { TenantState::Unplanned }, None, at);
            }
            Entry::TenantStarted { direction, plan, tenant, plugins } => {
                self.start(plan, tenant, plugins)?;
                (self.direction, self.taken_up, self.is_abandoned) = (*direction, true, false);
                self.enter(under_way(*direction), None, at);
            }
            Entry::TenantEnded { state, reason } => {
                self.expect_taken_up()?;
                if *state == TenantState::RolledBack {
                    self.work()?.expect_taken_back()?;
                    self.former = self.work.take();
                    self.taken_back.extend(self.former.as_ref().map(|work| work.plan.clone()));
                }
                self.taken_up = false;
                if matches!(state, TenantState::Soaking | TenantState::Stuck)
                    && let Some(step) = self.work.as_ref().and_then(Work::first_unconfirmed)
                {
                    // All confirmations are looked at; what holds the tenant up need not be the last of them.
                    self.step = Some(step);
                }
                self.enter(*state, reason.clone(), at);
            }
            Entry::StepStarted { step, direction } => {
                self.expect_taken_up()?;
                if (self.direction, *direction) == (Direction::Forward, Direction::Back) {
                    return Err(format!("step `{step}` is taken back by a run that goes forward"));
                }
                self.work()?.begin(step, *direction, run, at)?;
                self.step = Some(step.clone());
            }
            Entry::StepEnded { step, direction, outputs, evidence } => {
                let done = DoneStep { id: step.clone(), outputs: outputs.clone(), evidence: evidence.clone(), at };
                self.work()?.end(done, *direction)?;
                self.work()?.looked(
                    step,
                    *direction,
                    Look { at, passed: true, evidence: evidence.clone(), again_at: None },
                );
                self.note(evidence, at);
            }
            Entry::StepFailed { step, direction, error, evidence, outputs } => {
                self.work()?.fail(step, *direction, error.effect, outputs)?;
                let again_at = error.retry_after_ms.and_then(|ms| later(at, ms));
                self.work()?.looked(step, *direction, Look { at, passed: false, evidence: evidence.clone(), again_at });
                self.note(evidence, at);
            }
            Entry::OperatorAsked { step, direction, sheet, owner, deadline } => {
                let question = Question {
                    step: step.clone(),
                    direction: *direction,
                    sheet: sheet.as_ref().clone(),
                    owner: owner.clone(),
                    since: at,
                    deadline: *deadline,
                    claims: Vec::new(),
                    noticed: None,
                };
                self.work()?.ask(question)?;
            }
            Entry::Noticed { step, seen } => {
                self.expect_taken_up()?;
                self.work()?.notice(step, *seen, at)?;
            }
            Entry::Confirmed { step, by, note } => {
                self.work()?.claim(step, Claim { by: by.clone(), at, note: note.clone() })?;
            }
            Entry::Declined { step, by, reason } => {
                if reason.trim().is_empty() {
                    return Err(format!("step `{step}` is declined without a reason"));
                }
                let question = self.work()?.decline(step)?;
                let state = match question.direction {
                    Direction::Forward => TenantState::Failed,
                    Direction::Back => TenantState::RollingBack,
                };
                if !self.taken_up {
                    self.enter(state, Some(format!("{by} declined step `{step}`: {reason}")), at);
                }
            }
            Entry::SecretHandedOver { handle, by, way } => {
                let hand_over = HandedOver { handle: handle.clone(), by: by.clone(), way: *way, at };
                self.work()?.hand_over(hand_over)?;
            }
            Entry::RequestIntended { step, .. } => self.work()?.intend(step, entry, run, at)?,
            Entry::RequestEnded { step, request, outcome } => {
                self.work()?.conclude(step, run, *request, outcome)?;
            }
            Entry::SecretStored { step, handle } => self.work()?.store(step, handle)?,
            Entry::SecretMade { step, handle } => self.work()?.keep_made(step, handle)?,
            Entry::SecretRemoved { handle } => drop(self.work()?.secrets.remove(handle)),
            Entry::Resolved { step, stands, outputs, reason, by } => {
                if self.state != TenantState::Stuck && !self.is_claimed_in_vain() {
                    return Err(format!("step `{step}` is resolved, and the tenant is {}", self.state));
                }
                if reason.trim().is_empty() {
                    return Err(format!("step `{step}` is resolved without a reason"));
                }
                if self.step.as_deref() != Some(step) {
                    return Err(format!("step `{step}` is resolved, and is not the one that is stuck"));
                }
                self.work()?.resolve(step, *stands, outputs, at)?;
                let reason = format!("{by} says that step `{step}` is {stands}: {reason}");
                self.enter(under_way(self.direction), Some(reason), at);
            }
            Entry::Abandoned { stands, reason, by, .. } => self.abandon(stands, reason, by, at)?,
        }
        Ok(())
    }

    /// A person says that something is done, and it is not seen.
    pub(crate) fn is_claimed_in_vain(&self) -> bool {
        let question = self.work.as_ref().and_then(|work| work.question.as_ref());
        self.state == TenantState::Waiting && question.is_some_and(|question| !question.claims.is_empty())
    }

    pub(super) fn enter(&mut self, state: TenantState, reason: Option<String>, at: Timestamp) {
        (self.state, self.reason, self.since) = (state, reason, at);
    }

    fn note(&mut self, evidence: &[Evidence], at: Timestamp) {
        if let Some(last) = evidence.last() {
            self.evidence = Some((at, last.clone()));
        }
    }

    fn start(
        &mut self,
        plan: &str,
        tenant: &PlannedTenant,
        plugins: &BTreeMap<String, PluginPin>,
    ) -> Result<(), String> {
        match &self.work {
            Some(work) if work.plan != plan => {
                Err(format!("plan {plan} begins while plan {} is not taken back", work.plan))
            }
            Some(_) => Ok(()),
            None => {
                self.work = Some(Work::new(plan, tenant, plugins));
                self.former = None;
                Ok(())
            }
        }
    }

    fn expect_taken_up(&self) -> Result<(), String> {
        if self.taken_up { Ok(()) } else { Err("no run has taken the tenant up".to_owned()) }
    }

    pub(super) fn work(&mut self) -> Result<&mut Work, String> {
        self.work.as_mut().ok_or_else(|| "nothing was begun".to_owned())
    }
}

fn later(at: Timestamp, ms: u64) -> Option<Timestamp> {
    at.checked_add(SignedDuration::from_millis(i64::try_from(ms).ok()?)).ok()
}

/// The state of a tenant between two steps.
fn under_way(direction: Direction) -> TenantState {
    match direction {
        Direction::Forward => TenantState::Running,
        Direction::Back => TenantState::RollingBack,
    }
}
