//! A step that only a person can carry out or roll back. flowswap asks the person, whose confirmation is only a claim. The step
//! is done once flowswap sees it done. Until then the tenant waits, and other tenants continue.

use std::time::Duration;

use flowswap_contract::{
    self as contract, ApplyReply, ErrorKind, Evidence, EvidenceResult, Handle, ObserveReply, Observed, Op, RunSheet,
    SheetAct, SheetLine, Step,
};
use tokio::time::Instant;

use super::{EarlyEnd, progress::Progress, reply::OperatorReply, with_hint};
use crate::{Actor, Direction, Entry, Event, JournalError, Question, TenantState, compare::is_shown};

/// How often a step is checked while its run sheet is on the screen. A provider's log lags by some seconds anyway.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// How often a step is checked while its run sheet waits for its turn. Rarely, so that a hundred such steps do not use up the
/// other side's rate limit.
const CHECK_IN_BACKGROUND_EVERY: Duration = Duration::from_secs(60);

/// Whether a person's step is done, as far as flowswap sees.
enum DoneCheck {
    Done(ObserveReply),
    /// The other side infers it. This counts once it has lasted, or once a person has confirmed it.
    Inferred(String),
    NotYet(String),
    /// The check failed, so it says nothing.
    Failed(String),
}

impl Progress<'_> {
    /// Asks a person, unless one is already asked, and returns once flowswap sees the step done.
    pub(super) async fn wait_for_operator(&mut self, step: &Step, direction: Direction) -> Result<(), EarlyEnd> {
        self.take_turn(step, direction).await?;
        if self.is_asked_for(step, direction) {
            self.end_turn();
        } else {
            self.expect_unused(step, direction).await?;
            self.begin(step, direction).await?;
        }
        // A person may have done it without confirming it.
        let check = match self.check_done(step, direction).await? {
            DoneCheck::Done(reply) => return self.record_done(step, direction, reply).await,
            check => check,
        };
        if !self.is_asked_for(step, direction) {
            self.ask(step, direction).await?;
        }
        // A pause does not wait for the person.
        self.end_turn();
        let mut seen = self.notice(step, check).await?;
        loop {
            let question = self.work()?.question.clone();
            let question =
                question.ok_or_else(|| EarlyEnd::Journal(JournalError::invalid("the open question is missing")))?;
            match self.wait_for_answer(step, &question).await? {
                Answer::Done(reply) => {
                    self.ports.operator.notify(self.name(), &reply.detail);
                    return self.record_done(step, direction, reply).await;
                }
                Answer::Replied(OperatorReply::Done { note }) => {
                    let by = self.ports.actor.clone();
                    self.record(Entry::Confirmed { step: step.id.clone(), by, note }).await?;
                    match self.check_done(step, direction).await? {
                        DoneCheck::Done(reply) => return self.record_done(step, direction, reply).await,
                        check => seen = self.notice(step, check).await?,
                    }
                    self.ports.operator.notify(self.name(), &expected_and_found(&question.sheet, &seen));
                }
                Answer::Replied(OperatorReply::Declined { reason }) => {
                    let by = self.ports.actor.clone();
                    let entry = Entry::Declined { step: step.id.clone(), by: by.clone(), reason: reason.clone() };
                    self.record(entry).await?;
                    return Err(EarlyEnd::InState(declined(direction), decline_reason(&by, &step.id, &reason)));
                }
                Answer::Replied(OperatorReply::Later) => {
                    // The question was updated with what was seen in the meantime.
                    let question = self.work()?.question.clone().unwrap_or(question);
                    return Err(waiting(self.name(), &question, &seen));
                }
            }
        }
    }

    /// Gets the run sheet from the plugin and asks a person to follow it.
    async fn ask(&mut self, step: &Step, direction: Direction) -> Result<(), EarlyEnd> {
        let op = match direction {
            Direction::Forward => Op::Apply,
            Direction::Back => Op::Undo,
        };
        let sheet = match self.call::<ApplyReply>(step, op).await {
            Ok(reply) => reply.operator.unwrap_or_else(|| Box::new(plain_sheet(step, direction))),
            Err(error) if error.kind == ErrorKind::Unsupported => Box::new(plain_sheet(step, direction)),
            Err(error) => {
                self.record_failed_attempt(step, direction, error.clone()).await?;
                let state = match direction {
                    _ if error.kind == ErrorKind::Interrupted => self.interrupted_state(),
                    Direction::Forward => TenantState::Failed,
                    Direction::Back => TenantState::RollingBack,
                };
                let reason = format!("step `{}`: {}", step.id, with_hint(&error));
                return Err(EarlyEnd::InState(state, reason).caused_by(self.cause_of(step.role, &error)));
            }
        };
        if let Some(handle) = self.find_foreign_secret(step, &sheet)? {
            let message = format!(
                "the run sheet of step `{}` names the secret `{handle}`, which the step does not need",
                step.id
            );
            self.record_failed_attempt(step, direction, contract::Error::new(ErrorKind::Protocol, message.clone()))
                .await?;
            return Err(EarlyEnd::InState(declined(direction), message));
        }
        let owner = self.assignment.owner.clone();
        let deadline = self.deadline()?;
        let event =
            Event::OperatorAsked { tenant: self.name().to_owned(), step: step.id.clone(), owner: owner.clone() };
        self.record(Entry::OperatorAsked { step: step.id.clone(), direction, sheet, owner, deadline }).await?;
        self.ports.events.emit(event);
        Ok(())
    }

    fn is_asked_for(&self, step: &Step, direction: Direction) -> bool {
        let is_it = |question: &Question| question.step == step.id && question.direction == direction;
        self.work().is_ok_and(|work| work.question.as_ref().is_some_and(is_it))
    }

    /// Finds a secret in the run sheet that is not among the step's inputs. The plugin writes the run sheet, and a person can
    /// have its secrets shown. So it must not name others.
    fn find_foreign_secret(&self, step: &Step, sheet: &RunSheet) -> Result<Option<Handle>, EarlyEnd> {
        let inputs = self.work()?.inputs(step);
        let own: Vec<Handle> = inputs.values().flat_map(Handle::find_all).collect();
        let named = sheet.lines.iter().filter_map(|line| line.value.as_ref()).flat_map(Handle::find_all);
        Ok(named.into_iter().find(|handle| !own.contains(handle)))
    }

    fn deadline(&self) -> Result<jiff::Timestamp, EarlyEnd> {
        let deadline = self.ports.clock.now().checked_add(self.assignment.due_within);
        deadline.map_err(|_| EarlyEnd::Journal(JournalError::invalid("the deadline is out of range")))
    }

    /// Waits until the person replies or flowswap sees the step done.
    async fn wait_for_answer(&mut self, step: &Step, question: &Question) -> Result<Answer, EarlyEnd> {
        let operator = std::sync::Arc::clone(&self.ports.operator);
        let name = self.name().to_owned();
        let recorder = self.recorder();
        let reply = operator.await_reply(&name, question, &*recorder);
        tokio::pin!(reply);
        let mut checked_at = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = self.ports.stop.stopped() => {
                    let reason = format!("stopped while waiting for a person at step `{}`", step.id);
                    return Err(EarlyEnd::InState(TenantState::Waiting, reason));
                }
                answer = &mut reply => return Ok(Answer::Replied(answer)),
                () = tokio::time::sleep(CHECK_EVERY) => {
                    let rest = if operator.is_showing(&name) { CHECK_EVERY } else { CHECK_IN_BACKGROUND_EVERY };
                    if checked_at.elapsed() < rest {
                        continue;
                    }
                    // The person is served meanwhile: what the person does may hold the recorder until it is done.
                    let mut answered = None;
                    let check = {
                        let checking = self.check_and_notice(step, question.direction);
                        tokio::pin!(checking);
                        loop {
                            tokio::select! {
                                biased;
                                check = &mut checking => break check?,
                                answer = &mut reply, if answered.is_none() => answered = Some(answer),
                            }
                        }
                    };
                    match (check, answered) {
                        (Some(done), _) => return Ok(Answer::Done(done)),
                        (None, Some(answer)) => return Ok(Answer::Replied(answer)),
                        (None, None) => checked_at = Instant::now(),
                    }
                }
            }
        }
    }

    /// Checks whether the step is done, and records what is new.
    async fn check_and_notice(&mut self, step: &Step, direction: Direction) -> Result<Option<ObserveReply>, EarlyEnd> {
        match self.check_done(step, direction).await? {
            DoneCheck::Done(reply) => Ok(Some(reply)),
            check => self.notice(step, check).await.map(|_| None),
        }
    }

    /// Records when the other side begins or ceases to infer that the step is done. Returns what was seen.
    async fn notice(&mut self, step: &Step, check: DoneCheck) -> Result<String, EarlyEnd> {
        let was_seen = self.work()?.question.as_ref().is_some_and(|question| question.noticed.is_some());
        let (detail, is_seen) = match check {
            DoneCheck::Inferred(detail) => (detail, true),
            DoneCheck::NotYet(detail) => (detail, false),
            DoneCheck::Done(reply) => (reply.detail, was_seen),
            DoneCheck::Failed(detail) => (detail, was_seen),
        };
        if is_seen != was_seen {
            self.record(Entry::Noticed { step: step.id.clone(), seen: is_seen }).await?;
            if is_seen {
                self.ports.operator.notify(self.name(), &format!("{detail}. Finish the run sheet"));
            }
        }
        Ok(detail)
    }

    /// Checks whether the step is done, and records nothing.
    async fn check_done(&self, step: &Step, direction: Direction) -> Result<DoneCheck, EarlyEnd> {
        match self.call::<ObserveReply>(step, Op::Observe).await {
            Ok(reply) => Ok(match (reply.state, direction) {
                (Observed::Applied, Direction::Forward) if is_shown(step) || self.is_believed() => {
                    DoneCheck::Done(reply)
                }
                (Observed::Applied, Direction::Forward) => DoneCheck::Inferred(reply.detail),
                // Nothing shows whether it was done.
                (Observed::Partial, _) if self.is_claimed() => DoneCheck::Done(reply),
                // After this, the new client is deleted. The other side's inference is not enough for that; a person must
                // confirm it too.
                (Observed::NotApplied, Direction::Back) if is_shown(step) || self.is_claimed() => {
                    DoneCheck::Done(reply)
                }
                (Observed::NotApplied, Direction::Back) => {
                    DoneCheck::NotYet(format!("{}; nobody has run `flowswap confirm` yet", reply.detail))
                }
                _ => DoneCheck::NotYet(reply.detail),
            }),
            Err(error) if error.kind == ErrorKind::Interrupted => {
                let state =
                    if self.work()?.question.is_some() { TenantState::Waiting } else { self.interrupted_state() };
                Err(EarlyEnd::InState(state, format!("stopped while checking step `{}`", step.id)))
            }
            Err(error) => Ok(DoneCheck::Failed(format!("the check failed: {}", with_hint(&error)))),
        }
    }

    /// Whether the other side's inference counts: a person has confirmed it, or it has lasted.
    fn is_believed(&self) -> bool {
        let work = self.work().ok();
        let believed_at = work.as_ref().and_then(|work| work.question.as_ref()?.believed_at());
        self.is_claimed() || believed_at.is_some_and(|at| at <= self.ports.clock.now())
    }

    fn is_claimed(&self) -> bool {
        self.work().is_ok_and(|work| work.question.as_ref().is_some_and(|question| !question.claims.is_empty()))
    }

    async fn record_done(&mut self, step: &Step, direction: Direction, reply: ObserveReply) -> Result<(), EarlyEnd> {
        let work = self.work()?;
        let claims = work.question.iter().flat_map(|question| &question.claims);
        let said = claims.map(|claim| {
            let note = claim.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
            Evidence::new("operator", EvidenceResult::Pass, format!("{} confirmed at {}{note}", claim.by, claim.at))
        });
        let mut evidence: Vec<Evidence> = said.collect();
        evidence.push(Evidence::new("seen", EvidenceResult::Pass, reply.detail));
        let outputs = if direction == Direction::Forward { reply.outputs } else { Default::default() };
        Ok(self.succeed(step, direction, outputs, evidence).await?)
    }
}

enum Answer {
    Replied(OperatorReply),
    Done(ObserveReply),
}

/// The state of a tenant after a person declined a step.
fn declined(direction: Direction) -> TenantState {
    match direction {
        Direction::Forward => TenantState::Failed,
        Direction::Back => TenantState::RollingBack,
    }
}

fn decline_reason(by: &Actor, step: &str, reason: &str) -> String {
    format!("{by} declined step `{step}`: {reason}")
}

fn waiting(tenant: &str, question: &Question, seen: &str) -> EarlyEnd {
    let owner =
        question.owner.as_deref().map(|owner| format!("{owner} must act")).unwrap_or("a person must act".into());
    let reason = match question.claims.last() {
        None if let Some(at) = question.believed_at() => format!(
            "{seen}. Test Connection alone looks the same, so this counts once it has lasted until {at}. If you have finished the \
             run sheet, run `flowswap confirm {tenant}` now"
        ),
        None => format!("{owner}: {}", question.sheet.title),
        Some(claim) => {
            let what = expected_and_found(&question.sheet, seen);
            format!(
                "{} confirmed at {}, but flowswap does not see the change; {what}. Check every line: `flowswap sheet {tenant}`",
                claim.by, claim.at
            )
        }
    };
    EarlyEnd::InState(TenantState::Waiting, reason)
}

/// What flowswap expects to see after the run sheet, and what it found instead.
fn expected_and_found(sheet: &RunSheet, seen: &str) -> String {
    format!("expected: {}; found: {seen}", sheet.proof)
}

/// The run sheet of a plugin that describes the step in one sentence.
fn plain_sheet(step: &Step, direction: Direction) -> RunSheet {
    let sentence = match direction {
        Direction::Forward => step.proposal.title.clone(),
        Direction::Back => step.proposal.undo.clone().unwrap_or_else(|| format!("roll back: {}", step.proposal.title)),
    };
    RunSheet {
        title: sentence.clone(),
        url: None,
        lines: vec![SheetLine::new(SheetAct::Do, sentence)],
        keep: Vec::new(),
        care: Vec::new(),
        proof: match direction {
            Direction::Forward => "flowswap sees that the step was carried out".to_owned(),
            Direction::Back => "flowswap sees that the step was rolled back".to_owned(),
        },
    }
}
