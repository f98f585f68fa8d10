//! A step that only a person can carry out, or take back: the person is asked, and what the person says is a claim. The
//! step counts as done once it is seen, whoever says what; until then the tenant waits and holds nobody up.

use std::time::Duration;

use flowswap_contract::{
    self as contract, ApplyReply, ErrorKind, Evidence, EvidenceResult, Handle, ObserveReply, Observed, Op, RunSheet,
    SheetAct, SheetLine, Step,
};
use tokio::time::Instant;

use super::{
    Pause,
    progress::{Progress, defect},
    tell,
    word::Word,
};
use crate::{Direction, Entry, Event, Question, TenantState, compare::is_shown};

/// While its sheet is before the person's eyes, the step is looked for this often: a provider's log is some seconds late in
/// any case.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A step whose sheet waits for its turn is looked for this often, so that a hundred of them do not use up the requests
/// that the other side allows.
const LOOK_ASIDE_EVERY: Duration = Duration::from_secs(60);

/// What a look at a step saw.
enum Sight {
    Done(ObserveReply),
    /// Another side infers it, which counts once it has lasted, or a person has confirmed it.
    Inferred(String),
    NotYet(String),
    /// Nothing was seen, so nothing is different.
    Failed(String),
}

impl Progress<'_> {
    /// Asks a person, unless one is asked already, and goes on once the step is seen to be done.
    pub(super) async fn await_operator(&mut self, step: &Step, direction: Direction) -> Result<(), Pause> {
        if !self.is_asked_for(step, direction) {
            self.expect_unused(step, direction).await?;
            self.begin(step, direction).await?;
        }
        // Somebody may have done it without a word.
        let sight = match self.look(step, direction).await? {
            Sight::Done(reply) => return self.take_as_done(step, direction, reply).await,
            sight => sight,
        };
        if !self.is_asked_for(step, direction) {
            self.ask(step, direction).await?;
        }
        let mut seen = self.notice(step, sight).await?;
        loop {
            let question = self.work()?.question.clone();
            let question = question.ok_or_else(|| Pause::Journal(defect("a question was asked and is not there")))?;
            match self.attend(step, &question).await? {
                Attended::Seen(reply) => {
                    self.ports.operator.hear(self.name(), &reply.detail);
                    return self.take_as_done(step, direction, reply).await;
                }
                Attended::Said(Word::Done { note }) => {
                    let by = self.ports.user.clone();
                    self.record(Entry::Confirmed { step: step.id.clone(), by, note }).await?;
                    match self.look(step, direction).await? {
                        Sight::Done(reply) => return self.take_as_done(step, direction, reply).await,
                        sight => seen = self.notice(step, sight).await?,
                    }
                    self.ports.operator.hear(self.name(), &disagreement(&question.sheet, &seen));
                }
                Attended::Said(Word::Declined { reason }) => {
                    let by = self.ports.user.clone();
                    let entry = Entry::Declined { step: step.id.clone(), by: by.clone(), reason: reason.clone() };
                    self.record(entry).await?;
                    return Err(Pause::End(declined(direction), declination(&by, &step.id, &reason)));
                }
                Attended::Said(Word::Later) => {
                    // What was seen meanwhile is in the question.
                    let question = self.work()?.question.clone().unwrap_or(question);
                    return Err(wait(self.name(), &question, &seen));
                }
            }
        }
    }

    /// Lets the plugin say what is to be done, and asks for it.
    async fn ask(&mut self, step: &Step, direction: Direction) -> Result<(), Pause> {
        let op = match direction {
            Direction::Forward => Op::Apply,
            Direction::Back => Op::Undo,
        };
        let sheet = match self.call::<ApplyReply>(step, op).await {
            Ok(reply) => reply.operator.unwrap_or_else(|| Box::new(plain_sheet(step, direction))),
            Err(error) if error.kind == ErrorKind::Unsupported => Box::new(plain_sheet(step, direction)),
            Err(error) => {
                self.fail_try(step, direction, error.clone()).await?;
                let state = match direction {
                    _ if error.kind == ErrorKind::Interrupted => self.interrupted_state(),
                    Direction::Forward => TenantState::Failed,
                    Direction::Back => TenantState::RollingBack,
                };
                return Err(Pause::End(state, format!("step `{}`: {}", step.id, tell(&error))));
            }
        };
        if let Some(handle) = self.find_foreign_secret(step, &sheet)? {
            let message =
                format!("the sheet of step `{}` names the secret `{handle}`, which the step does not need", step.id);
            self.fail_try(step, direction, contract::Error::new(ErrorKind::Protocol, message.clone())).await?;
            return Err(Pause::End(declined(direction), message));
        }
        let (owner, deadline) = (self.terms.owner.clone(), self.deadline()?);
        let event =
            Event::OperatorAsked { tenant: self.name().to_owned(), step: step.id.clone(), owner: owner.clone() };
        self.record(Entry::OperatorAsked { step: step.id.clone(), direction, sheet, owner, deadline }).await?;
        self.ports.events.emit(event);
        Ok(())
    }

    fn is_asked_for(&self, step: &Step, direction: Direction) -> bool {
        let question = self.history.work.as_ref().and_then(|work| work.question.as_ref());
        question.is_some_and(|question| question.step == step.id && question.direction == direction)
    }

    /// A secret in the sheet that is not among the step's inputs: a sheet is a plugin's, and hands out what a person asks for.
    fn find_foreign_secret(&self, step: &Step, sheet: &RunSheet) -> Result<Option<Handle>, Pause> {
        let inputs = self.work()?.inputs(step);
        let own: Vec<Handle> = inputs.values().flat_map(Handle::find_all).collect();
        let named = sheet.lines.iter().filter_map(|line| line.value.as_ref()).flat_map(Handle::find_all);
        Ok(named.into_iter().find(|handle| !own.contains(handle)))
    }

    fn deadline(&self) -> Result<jiff::Timestamp, Pause> {
        let deadline = self.ports.clock.now().checked_add(self.terms.patience);
        deadline.map_err(|_| Pause::Journal(defect("the deadline lies beyond all time")))
    }

    /// Waits for a word of the person, and looks meanwhile.
    async fn attend(&mut self, step: &Step, question: &Question) -> Result<Attended, Pause> {
        let operator = std::sync::Arc::clone(&self.ports.operator);
        let name = self.name().to_owned();
        let attending = operator.attend(&name, question);
        tokio::pin!(attending);
        let mut looked = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = self.ports.stop.stopped() => {
                    return Err(Pause::End(TenantState::Waiting, format!("stopped while a person was asked for step `{}`", step.id)));
                }
                word = &mut attending => return Ok(Attended::Said(word)),
                () = tokio::time::sleep(LOOK_EVERY) => {
                    let rest = if operator.is_at(&name) { LOOK_EVERY } else { LOOK_ASIDE_EVERY };
                    if looked.elapsed() < rest {
                        continue;
                    }
                    match self.look(step, question.direction).await? {
                        Sight::Done(reply) => return Ok(Attended::Seen(reply)),
                        sight => drop(self.notice(step, sight).await?),
                    }
                    looked = Instant::now();
                }
            }
        }
    }

    /// Keeps since when another side infers that the step is done, and gives what was seen.
    async fn notice(&mut self, step: &Step, sight: Sight) -> Result<String, Pause> {
        let was_seen = self.work()?.question.as_ref().is_some_and(|question| question.noticed.is_some());
        let (detail, is_seen) = match sight {
            Sight::Inferred(detail) => (detail, true),
            Sight::NotYet(detail) => (detail, false),
            Sight::Done(reply) => (reply.detail, was_seen),
            Sight::Failed(detail) => (detail, was_seen),
        };
        if is_seen != was_seen {
            self.record(Entry::Noticed { step: step.id.clone(), seen: is_seen }).await?;
            if is_seen {
                self.ports.operator.hear(self.name(), &format!("{detail}; go on with the sheet to its end"));
            }
        }
        Ok(detail)
    }

    /// Looks whether the step is done, and records nothing.
    async fn look(&self, step: &Step, direction: Direction) -> Result<Sight, Pause> {
        match self.call::<ObserveReply>(step, Op::Observe).await {
            Ok(reply) => Ok(match (reply.state, direction) {
                (Observed::Applied, Direction::Forward) if is_shown(step) || self.is_believed() => Sight::Done(reply),
                (Observed::Applied, Direction::Forward) => Sight::Inferred(reply.detail),
                // What another side infers is no ground for deleting what the directory may use, unless a person says it, too.
                (Observed::NotApplied, Direction::Back) if is_shown(step) || self.is_claimed() => Sight::Done(reply),
                (Observed::NotApplied, Direction::Back) => {
                    Sight::NotYet(format!("{}; and nobody has confirmed that it was done", reply.detail))
                }
                _ => Sight::NotYet(reply.detail),
            }),
            Err(error) if error.kind == ErrorKind::Interrupted => {
                let state =
                    if self.work()?.question.is_some() { TenantState::Waiting } else { self.interrupted_state() };
                Err(Pause::End(state, format!("stopped while step `{}` was looked at", step.id)))
            }
            Err(error) => Ok(Sight::Failed(format!("it could not be looked at: {}", tell(&error)))),
        }
    }

    /// Whether what another side infers counts: a person says it, too, or it has lasted.
    fn is_believed(&self) -> bool {
        let question = self.history.work.as_ref().and_then(|work| work.question.as_ref());
        let believed_at = question.and_then(Question::believed_at);
        self.is_claimed() || believed_at.is_some_and(|at| at <= self.ports.clock.now())
    }

    fn is_claimed(&self) -> bool {
        let question = self.history.work.as_ref().and_then(|work| work.question.as_ref());
        question.is_some_and(|question| !question.claims.is_empty())
    }

    async fn take_as_done(&mut self, step: &Step, direction: Direction, reply: ObserveReply) -> Result<(), Pause> {
        let claims = self.work()?.question.iter().flat_map(|question| &question.claims);
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

enum Attended {
    Said(Word),
    Seen(ObserveReply),
}

/// Where a tenant stands of which a step was declined.
fn declined(direction: Direction) -> TenantState {
    match direction {
        Direction::Forward => TenantState::Failed,
        Direction::Back => TenantState::RollingBack,
    }
}

fn declination(by: &str, step: &str, reason: &str) -> String {
    format!("{by} declined step `{step}`: {reason}")
}

fn wait(tenant: &str, question: &Question, seen: &str) -> Pause {
    let owner =
        question.owner.as_deref().map(|owner| format!("{owner} must act")).unwrap_or("a person must act".into());
    let reason = match question.claims.last() {
        None if let Some(at) = question.believed_at() => format!(
            "{seen}; a test of the connection looks the same, so it counts if it is still seen from {at} on, or once \
             `flowswap confirm {tenant}` says that the sheet was carried out to its end"
        ),
        None => format!("{owner}: {}", question.sheet.title),
        Some(claim) => {
            let what = disagreement(&question.sheet, seen);
            format!("{} confirmed at {}, and it is not seen; {what}", claim.by, claim.at)
        }
    };
    Pause::End(TenantState::Waiting, reason)
}

/// A claim that is not borne out: what would bear it out, and what is there instead.
fn disagreement(sheet: &RunSheet, seen: &str) -> String {
    format!("expected: {}; seen: {seen}", sheet.proof)
}

/// The sheet of a plugin that has but one sentence for it.
fn plain_sheet(step: &Step, direction: Direction) -> RunSheet {
    let sentence = match direction {
        Direction::Forward => step.proposal.title.clone(),
        Direction::Back => step.proposal.undo.clone().unwrap_or_else(|| format!("take back: {}", step.proposal.title)),
    };
    RunSheet {
        title: sentence.clone(),
        url: None,
        lines: vec![SheetLine::new(SheetAct::Do, sentence)],
        keep: Vec::new(),
        care: Vec::new(),
        proof: match direction {
            Direction::Forward => "the step is seen to be carried out".to_owned(),
            Direction::Back => "the step is seen not to be in place any more".to_owned(),
        },
    }
}
