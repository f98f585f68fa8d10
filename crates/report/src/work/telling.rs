//! Adds the records of the journal to what is told of a tenant.

use flowswap_contract::{Effect, Phase};
use flowswap_engine::{Actor, Direction, Draft, Entry, Handle, Resolution, RunId, TenantHistory};

use super::{
    attempt::{Asked, Attempt, AttemptEnd, AttemptError, RequestLine},
    statement::{EndLine, RefusalLine, SecretEvent, SecretLine, Statement, StatementKind},
    tenant::{Planned, WorkedTenant},
};

impl WorkedTenant {
    /// Adds a record of the report, given the tenant after it, and who started its run.
    pub(crate) fn add(&mut self, draft: &Draft, after: &TenantHistory, starter: Option<&Actor>) {
        let Draft { at, run, .. } = *draft;
        match &draft.entry {
            Entry::StepStarted { step, direction } => {
                let mut attempt = Attempt::new(step, phase_of(after, step), *direction, run);
                attempt.started_at = Some(at);
                self.attempts.push(attempt);
            }
            Entry::RequestIntended { step, request, method, url, .. } => {
                let (number, method, url) = (*request, method.clone(), url.clone());
                let doubt = after.work.as_ref().and_then(|work| work.doubt.as_ref());
                let direction = doubt.map_or(after.direction, |doubt| doubt.direction);
                let attempt = self.open_attempt(step, direction, run, after);
                attempt.requests.push(RequestLine { number, at, method, url, outcome: None });
            }
            Entry::RequestEnded { step, request, outcome } => {
                let of_step = self.attempts.iter_mut().filter(|attempt| attempt.run == run && attempt.step == *step);
                let mut requests = of_step.flat_map(|attempt| attempt.requests.iter_mut());
                if let Some(sent) = requests.find(|sent| sent.number == *request) {
                    sent.outcome = Some(outcome.clone());
                }
            }
            Entry::StepEnded { step, direction, evidence, .. } => {
                let attempt = self.open_attempt(step, *direction, run, after);
                (attempt.ended_at, attempt.end) = (Some(at), AttemptEnd::Done);
                attempt.evidence.clone_from(evidence);
            }
            Entry::StepFailed { step, direction, error, evidence, .. } => {
                let attempt = self.open_attempt(step, *direction, run, after);
                (attempt.ended_at, attempt.end) = (Some(at), AttemptEnd::of_failure(error.kind, evidence));
                attempt.error =
                    Some(AttemptError { kind: error.kind, message: error.message.clone(), effect: error.effect });
                attempt.evidence.clone_from(evidence);
            }
            Entry::OperatorAsked { step, direction, owner, deadline, .. } => {
                let attempt = self.open_attempt(step, *direction, run, after);
                attempt.asked = Some(Asked { at, owner: owner.clone(), deadline: *deadline, until: None });
                attempt.end = AttemptEnd::Asked;
            }
            Entry::SecretStored { handle, .. } => self.secrets.push(secret(draft, handle, SecretEvent::Stored)),
            Entry::SecretMade { handle, .. } => self.secrets.push(secret(draft, handle, SecretEvent::Generated)),
            Entry::SecretRemoved { handle } => self.secrets.push(secret(draft, handle, SecretEvent::Deleted)),
            Entry::SecretHandedOver { handle, by, way } => {
                let line = secret(draft, handle, SecretEvent::HandedOver);
                self.secrets.push(SecretLine { by: Some(by.clone()), way: Some(*way), ..line });
            }
            Entry::Refused { goal, reasons, unread, .. } => {
                let (reasons, is_unread) = (reasons.clone(), *unread);
                self.refusals.push(RefusalLine { at, run, goal: *goal, is_skipped: false, is_unread, reasons });
            }
            Entry::Skipped { goal, reason } => {
                let reasons = vec![reason.clone()];
                self.refusals.push(RefusalLine { at, run, goal: *goal, is_skipped: true, is_unread: false, reasons });
            }
            Entry::TenantEnded { state, reason, interrupted } => {
                let (state, reason, interrupted) = (*state, reason.clone(), *interrupted);
                self.ends.push(EndLine { at, run, state, reason, interrupted });
            }
            entry => self.statements.extend(statement(entry, draft, starter)),
        }
        self.follow(draft);
        self.take_state(draft, after);
    }

    /// Takes note of what a record says about attempts before it. The record itself may be after those of the report.
    pub(crate) fn follow(&mut self, draft: &Draft) {
        match &draft.entry {
            Entry::StepEnded { step, direction, .. } => self.note_success(step, *direction, draft.at),
            Entry::StepFailed { step, direction, error, .. } if error.effect == Effect::None => {
                self.end_wait(step, Some(*direction), draft.at);
            }
            Entry::Declined { step, .. } | Entry::Resolved { step, .. } => self.end_wait(step, None, draft.at),
            Entry::Abandoned { .. } => {
                let steps: Vec<String> = self.attempts.iter().map(|attempt| attempt.step.clone()).collect();
                steps.iter().for_each(|step| self.end_wait(step, None, draft.at));
            }
            _ => {}
        }
    }

    /// Takes over the state of the tenant after a record.
    fn take_state(&mut self, Draft { at, entry, .. }: &Draft, after: &TenantHistory) {
        (self.state, self.since, self.reason) = (after.state, after.since, after.reason.clone());
        (self.verdict, self.is_refused) = (after.verdict, after.refusal.is_some());
        // Many plans can be made of a tenant. What was done follows from the one that a run set out to carry out.
        match entry {
            Entry::Intended { plan, .. } | Entry::TenantStarted { plan, .. } => self.plan = Some(plan.clone()),
            Entry::Planned { plan, .. } => self.planned = Some(Planned { at: *at, plan: plan.clone() }),
            _ => {}
        }
        if self.plan.is_none() {
            // The report begins after the run set out.
            self.plan = after.work.as_ref().or(after.former.as_ref()).map(|work| work.plan.clone());
        }
        self.planned.take_if(|planned| self.plan.as_ref() == Some(&planned.plan));
    }

    /// The attempt of this run at the step that has no end yet.
    fn open_attempt(&mut self, step: &str, direction: Direction, run: RunId, after: &TenantHistory) -> &mut Attempt {
        let is_open = |attempt: &Attempt| {
            attempt.run == run
                && attempt.is_at(step, direction)
                && matches!(attempt.end, AttemptEnd::Unrecorded | AttemptEnd::Asked)
        };
        let index = self.attempts.iter().rposition(is_open).unwrap_or_else(|| {
            self.attempts.push(Attempt::new(step, phase_of(after, step), direction, run));
            self.attempts.len() - 1
        });
        &mut self.attempts[index]
    }
}

/// The phase of a step. Records of steps follow only those that brought the plan.
fn phase_of(tenant: &TenantHistory, step: &str) -> Phase {
    let work = tenant.work.as_ref().or(tenant.former.as_ref());
    work.and_then(|work| work.tenant.step(step)).map_or(Phase::Provision, |step| step.proposal.phase)
}

fn secret(draft: &Draft, handle: &Handle, event: SecretEvent) -> SecretLine {
    SecretLine { at: draft.at, handle: handle.clone(), event, by: None, way: None }
}

/// What a person said or decided, if the record tells that.
fn statement(entry: &Entry, draft: &Draft, starter: Option<&Actor>) -> Option<Statement> {
    let said = |by: Option<&Actor>, kind, step: Option<&str>, note: Option<String>| Statement {
        at: draft.at,
        by: by.cloned(),
        kind,
        step: step.map(str::to_owned),
        plan: None,
        note,
    };
    Some(match entry {
        Entry::Planned { plan, by, verdict, .. } => {
            let planned = said(by.as_ref(), StatementKind::Planned, None, Some(verdict.to_string()));
            Statement { plan: Some(plan.clone()), ..planned }
        }
        Entry::TenantStarted { accepted, .. } if !accepted.is_empty() => {
            said(starter, StatementKind::AcceptedChanges, None, Some(accepted.join("; ")))
        }
        Entry::Confirmed { step, by, note } => said(Some(by), StatementKind::Confirmed, Some(step), note.clone()),
        Entry::Declined { step, by, reason } => {
            said(Some(by), StatementKind::Declined, Some(step), Some(reason.clone()))
        }
        Entry::Resolved { step, by, reason, stands, .. } => {
            let kind = match stands {
                Resolution::Applied => StatementKind::ResolvedApplied,
                Resolution::NotApplied => StatementKind::ResolvedNotApplied,
            };
            said(Some(by), kind, Some(step), Some(reason.clone()))
        }
        Entry::Abandoned { by, reason, .. } => said(Some(by), StatementKind::Abandoned, None, Some(reason.clone())),
        Entry::GivenUp { by, goal } => said(Some(by), StatementKind::GaveUp, None, Some(goal.entered_as())),
        _ => return None,
    })
}
