//! What the journal records of one tenant: which records may follow which, and the state that they lead to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use flowswap_contract::Evidence;
use jiff::{SignedDuration, Timestamp};

use super::{
    intent::{Intent, Refusal},
    question::{Claim, Handover, Question},
    settled::Settled,
    work::{DoneStep, LastResult, Work},
};
use crate::{
    Direction, Entry, PlanPart, PlannedTenant, PluginPin, Record, Rehearsal, Rehearsed, RunId, TenantState, Verdict,
};

/// What the journal records of one tenant.
#[derive(Debug, Clone)]
pub struct TenantHistory {
    /// Its state.
    pub state: TenantState,
    /// Since when it has this state.
    pub since: Timestamp,
    /// When its last record was written. `None` before the first.
    pub last_at: Option<Timestamp>,
    /// Why, if the state alone does not say it.
    pub reason: Option<String>,
    /// The last step that was started.
    pub step: Option<String>,
    /// The direction of the last run that worked on it.
    pub direction: Direction,
    /// Where its last plan was written.
    pub plan_path: Option<String>,
    /// The digest of that plan.
    pub(super) planned: Option<String>,
    /// The digests of all plans that `flowswap plan` wrote for it with this journal since its last rollback.
    pub noted_plans: BTreeSet<String>,
    /// What the operator accepted last, one change per item.
    pub accepted: Vec<String>,
    /// The digests of the plans before its last rollback. None of them is carried out any more. The rollback of a rehearsal adds
    /// none.
    pub taken_back: BTreeSet<String>,
    /// Its verdict in the last plan.
    pub verdict: Option<Verdict>,
    /// The ids of its findings in the last plan.
    pub findings: Vec<String>,
    /// The wave of its last plan that it is in.
    pub wave: Option<String>,
    /// Since when its swap is done and confirmed, also after its legacy client was retired.
    pub swapped_at: Option<Timestamp>,
    /// The last evidence, and when it was recorded.
    pub evidence: Option<(Timestamp, Evidence)>,
    /// The current work. `None` before the first work, and after a complete rollback.
    pub work: Option<Arc<Work>>,
    /// The last work that was completely rolled back, until other work starts. What it made must stay gone.
    pub former: Option<Arc<Work>>,
    /// The work that was done when the current rotation began. What it made is still in use.
    pub settled: Option<Settled>,
    /// How many rotations have begun.
    pub rotations: u32,
    /// The part of a plan that was stored last.
    pub part: Option<Arc<PlanPart>>,
    /// What a run set out to do for it and has not ended.
    pub intent: Option<Intent>,
    /// Why the last run did nothing for it, if so.
    pub refusal: Option<Refusal>,
    /// The rehearsal that is under way, or that a run set out to begin.
    pub rehearsal: Option<Rehearsal>,
    /// Its last rehearsal that was carried out as a whole.
    pub rehearsed: Option<Rehearsed>,
    /// The run that works on it, or was cut off while it did.
    pub(crate) taken_up: Option<RunId>,
    /// The epoch of its last record.
    epoch: u64,
}

impl TenantHistory {
    /// The history of a tenant without records.
    pub(crate) fn new(at: Timestamp) -> Self {
        Self {
            state: TenantState::Unplanned,
            since: at,
            last_at: None,
            reason: None,
            step: None,
            direction: Direction::Forward,
            plan_path: None,
            planned: None,
            noted_plans: BTreeSet::new(),
            accepted: Vec::new(),
            taken_back: BTreeSet::new(),
            verdict: None,
            findings: Vec::new(),
            wave: None,
            swapped_at: None,
            evidence: None,
            work: None,
            former: None,
            settled: None,
            rotations: 0,
            part: None,
            intent: None,
            refusal: None,
            rehearsal: None,
            rehearsed: None,
            taken_up: None,
            epoch: 0,
        }
    }

    /// Adds one more record of the tenant from the journal. The records of a tenant are in the order of their writers.
    pub(crate) fn add_record(&mut self, record: &Record) -> Result<(), String> {
        if record.epoch < self.epoch {
            return Err(format!("its epoch is {}, but an earlier record has epoch {}", record.epoch, self.epoch));
        }
        self.epoch = record.epoch;
        self.add(&record.draft.entry, record.draft.run, record.draft.at)
    }

    /// Adds one more entry of the tenant.
    pub(crate) fn add(&mut self, entry: &Entry, run: RunId, at: Timestamp) -> Result<(), String> {
        if is_written_at_work(entry) {
            self.expect_taken_up(run)?;
        }
        self.last_at = Some(at);
        if let Entry::Planned { plan, .. } = entry {
            self.noted_plans.insert(plan.clone());
        }
        match entry {
            Entry::RunStarted { .. }
            | Entry::RunPaused { .. }
            | Entry::RunUnpaused { .. }
            | Entry::RunCanceled { .. }
            | Entry::RunEnded { .. } => {}
            Entry::Intended { goal, plan, part, approvals: _, rehearsal } => {
                self.intend(*goal, plan, part.as_ref(), run, at)?;
                self.intend_rehearsal(*goal, plan, *rehearsal)?;
            }
            Entry::Refused { goal, reasons, unapproved, unread } => {
                let (is_unapproved, is_unread) = (*unapproved, *unread);
                self.refuse(Refusal { is_unapproved, is_unread, ..Refusal::new(at, *goal, reasons.clone()) });
            }
            // A run that was stopped has nothing left to do for it, so nothing was missed.
            Entry::Skipped { goal, .. } if self.is_done_for(*goal) => {}
            Entry::Skipped { goal, reason } => {
                self.refuse(Refusal { is_skipped: true, ..Refusal::new(at, *goal, vec![reason.clone()]) });
            }
            Entry::GivenUp { goal, .. } => self.give_up(*goal),
            // Work that was started continues with its own plan.
            Entry::Planned { .. } if self.work.is_some() => {}
            Entry::Planned { plan, path, verdict, findings, wave, .. } => {
                self.planned = Some(plan.clone());
                self.plan_while_intended(plan, path, *verdict, at);
                self.plan_path = Some(path.clone());
                self.verdict = Some(*verdict);
                self.findings.clone_from(findings);
                self.wave.clone_from(wave);
                let is_ready = *verdict == Verdict::Ready;
                self.enter(if is_ready { TenantState::Planned } else { TenantState::Unplanned }, None, at);
            }
            Entry::TenantStarted { direction, plan, tenant, plugins, accepted } => {
                if !accepted.is_empty() {
                    self.accepted.clone_from(accepted);
                }
                self.start(plan, tenant.as_ref(), plugins)?;
                self.direction = *direction;
                self.taken_up = Some(run);
                self.refusal = None;
                self.enter(under_way(*direction), None, at);
            }
            Entry::TenantEnded { state, reason, interrupted } => {
                if *state == TenantState::RolledBack {
                    self.work()?.expect_taken_back()?;
                    self.former = self.work.take();
                    if !self.end_rehearsal(at) {
                        self.taken_back.append(&mut self.noted_plans);
                        self.taken_back.extend(self.former.as_ref().map(|work| work.plan.clone()));
                    }
                }
                if let (TenantState::Swapped, Some(rehearsal)) = (state, &mut self.rehearsal) {
                    rehearsal.swapped_at = Some(at);
                }
                self.taken_up = None;
                self.end_intent(*state, *interrupted);
                if *state == TenantState::Finalized {
                    self.settled = None;
                }
                if *state == TenantState::RolledBack && self.restore_settled(at) {
                    return Ok(());
                }
                if matches!(state, TenantState::Soaking | TenantState::Stuck)
                    && let Some(step) = self.work.as_ref().and_then(|work| work.first_unconfirmed())
                {
                    // All confirmations run; the first that did not pass is not necessarily the last that ran.
                    self.step = Some(step);
                }
                self.enter(*state, reason.clone(), at);
            }
            Entry::StepStarted { step, direction } => {
                if self.direction == Direction::Forward && *direction == Direction::Back {
                    return Err(format!("step `{step}` is rolled back by a run that goes forward"));
                }
                self.work()?.begin(step, *direction, run, at)?;
                self.step = Some(step.clone());
            }
            Entry::StepEnded { step, direction, outputs, evidence } => {
                let done = DoneStep { id: step.clone(), outputs: outputs.clone(), evidence: evidence.clone(), at };
                self.work()?.end(done, *direction)?;
                self.work()?.set_result(
                    step,
                    *direction,
                    LastResult { at, passed: true, evidence: evidence.clone(), again_at: None },
                );
                self.note(evidence, at);
            }
            Entry::StepFailed { step, direction, error, evidence, outputs } => {
                self.work()?.fail(step, *direction, error.effect, outputs)?;
                let again_at = error.retry_after_ms.and_then(|ms| later(at, ms));
                self.work()?.set_result(
                    step,
                    *direction,
                    LastResult { at, passed: false, evidence: evidence.clone(), again_at },
                );
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
            Entry::Noticed { step, seen } => self.work()?.notice(step, *seen, at)?,
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
                if self.taken_up.is_none() {
                    self.enter(state, Some(format!("{by} declined step `{step}`: {reason}")), at);
                }
            }
            Entry::SecretHandedOver { handle, by, way } => {
                let hand_over = Handover { handle: handle.clone(), by: by.clone(), way: *way, at };
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
                if self.state != TenantState::Stuck && !self.has_unconfirmed_claim() {
                    return Err(format!("step `{step}` is resolved, but the tenant is {}", self.state));
                }
                if reason.trim().is_empty() {
                    return Err(format!("step `{step}` is resolved without a reason"));
                }
                if self.step.as_deref() != Some(step) {
                    return Err(format!("step `{step}` is resolved, but the tenant is stuck at another step"));
                }
                self.work()?.resolve(step, *stands, outputs, at)?;
                let reason = format!("{by} says that step `{step}` is {stands}: {reason}");
                self.enter(under_way(self.direction), Some(reason), at);
            }
            Entry::Abandoned { stands, reason, by, .. } => self.abandon(stands, reason, by, at)?,
        }
        Ok(())
    }

    /// Whether a person confirmed the open question, but flowswap does not see it done.
    pub(crate) fn has_unconfirmed_claim(&self) -> bool {
        let question = self.work.as_ref().and_then(|work| work.question.as_ref());
        self.state == TenantState::Waiting && question.is_some_and(|question| !question.claims.is_empty())
    }

    pub(super) fn enter(&mut self, state: TenantState, reason: Option<String>, at: Timestamp) {
        // A run that retires the legacy client and stops leaves the swap as it is.
        self.swapped_at = match state {
            TenantState::RollingBack | TenantState::RolledBack | TenantState::Planned | TenantState::Unplanned => None,
            state if state.is_swapped_or_later() => self.swapped_at.or(Some(at)),
            _ => self.swapped_at,
        };
        self.state = state;
        self.reason = reason;
        self.since = at;
    }

    fn note(&mut self, evidence: &[Evidence], at: Timestamp) {
        if let Some(last) = evidence.last() {
            self.evidence = Some((at, last.clone()));
        }
    }

    /// Starts work with a plan, or continues it. Up to format 2 the record itself has the tenant's part of the plan.
    fn start(
        &mut self,
        plan: &str,
        tenant: Option<&Arc<PlannedTenant>>,
        plugins: &BTreeMap<String, PluginPin>,
    ) -> Result<(), String> {
        if self.part.as_ref().is_some_and(|part| part.plan == plan && self.would_rotate(part)) {
            self.settle();
        }
        match &mut self.work {
            Some(work) if work.plan != plan => {
                return Err(format!("plan {plan} starts while plan {} is not rolled back", work.plan));
            }
            Some(work) if !plugins.is_empty() && work.plugins != *plugins => {
                Arc::make_mut(work).plugins.clone_from(plugins);
            }
            Some(_) => {}
            None => {
                let part = self.part.as_ref().filter(|part| part.plan == plan);
                let (tenant, plugins) = match (tenant, part) {
                    (Some(tenant), _) => (tenant, plugins),
                    (None, Some(part)) => (&part.tenant, if plugins.is_empty() { &part.plugins } else { plugins }),
                    (None, None) => return Err(format!("plan {plan} starts, but the journal has no part of it")),
                };
                if let Some(rotation) = &tenant.rotation {
                    self.rotations = rotation.number;
                }
                self.work = Some(Arc::new(Work::new(plan, Arc::clone(tenant), plugins.clone())));
                // The path that the person gave is shorter than the one that works in every folder.
                if let Some(part) = part.filter(|_| self.planned.as_deref() != Some(plan)) {
                    self.plan_path = part.path.clone().or(self.plan_path.take());
                }
                self.former = None;
            }
        }
        Ok(())
    }

    fn expect_taken_up(&self, run: RunId) -> Result<(), String> {
        match self.taken_up {
            Some(taken_up) if taken_up == run => Ok(()),
            Some(other) => Err(format!("it belongs to run {run}, but run {other} has worked on the tenant since")),
            None => Err("no run works on the tenant".to_owned()),
        }
    }

    pub(super) fn work(&mut self) -> Result<&mut Work, String> {
        self.work.as_mut().map(Arc::make_mut).ok_or_else(|| "no work was started".to_owned())
    }
}

/// Whether only the run that works on the tenant writes this entry.
fn is_written_at_work(entry: &Entry) -> bool {
    match entry {
        Entry::StepStarted { .. }
        | Entry::StepEnded { .. }
        | Entry::StepFailed { .. }
        | Entry::RequestIntended { .. }
        | Entry::RequestEnded { .. }
        | Entry::SecretStored { .. }
        | Entry::SecretMade { .. }
        | Entry::SecretRemoved { .. }
        | Entry::OperatorAsked { .. }
        | Entry::Noticed { .. }
        | Entry::TenantEnded { .. } => true,
        Entry::Planned { .. }
        | Entry::RunStarted { .. }
        | Entry::RunPaused { .. }
        | Entry::RunUnpaused { .. }
        | Entry::RunCanceled { .. }
        | Entry::RunEnded { .. }
        | Entry::Intended { .. }
        | Entry::TenantStarted { .. }
        | Entry::Refused { .. }
        | Entry::Skipped { .. }
        | Entry::GivenUp { .. }
        | Entry::Confirmed { .. }
        | Entry::Declined { .. }
        | Entry::SecretHandedOver { .. }
        | Entry::Resolved { .. }
        | Entry::Abandoned { .. } => false,
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
