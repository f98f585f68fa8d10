//! Finds out what became of a step in doubt.

use flowswap_contract::{
    self as contract, By, ErrorKind, Evidence, EvidenceResult, ObserveReply, Observed, Op, Reversibility, Step, Values,
};

use super::{EarlyEnd, progress::Progress, with_hint};
use crate::{
    Direction, Doubt, TenantState,
    compare::{is_shown, seen_by},
};

impl Progress<'_> {
    /// Settles the doubt that an earlier run left, if any.
    pub(super) async fn settle(&mut self) -> Result<(), EarlyEnd> {
        let Some(Doubt { step, direction, .. }) = self.work()?.doubt.clone() else { return Ok(()) };
        // A person may need days for it. The run continues at this step.
        if self.is_asked(self.goal.direction()) {
            return Ok(());
        }
        let Some(step) = self.planned.step(&step).cloned() else {
            return Err(EarlyEnd::InState(
                TenantState::Stuck,
                format!("step `{step}` is in doubt but not part of the plan"),
            ));
        };
        if step.proposal.phase.is_check() {
            return Ok(self.fail(&step, direction, not_finished()).await?);
        }
        // The other side's inference needs time or a confirmation. A person who declined is asked again.
        if is_done_by_person(&step, direction) && !is_shown(&step) && direction == self.goal.direction() {
            return Ok(());
        }
        // The journal already knows that nothing was sent. Observing could mistake somebody else's change for ours.
        if !is_done_by_person(&step, direction) && self.work()?.nothing_was_sent() {
            return Ok(self.fail(&step, direction, nothing_sent()).await?);
        }
        if self.goal.direction() == Direction::Back && direction == Direction::Forward && self.may_be_done(&step)? {
            return self.assume_done(&step).await;
        }
        self.observe(&step, direction).await.map(drop)
    }

    /// Whether a person may have done the step although flowswap does not see it: a person confirmed it, or has the secret.
    fn may_be_done(&self, step: &Step) -> Result<bool, EarlyEnd> {
        Ok(!is_shown(step) && self.work()?.given_at(step).is_some())
    }

    /// Treats a step that a person may have done as done, so that it is rolled back. Otherwise flowswap could delete a client
    /// that the directory already uses.
    async fn assume_done(&mut self, step: &Step) -> Result<(), EarlyEnd> {
        let outputs = match self.call::<ObserveReply>(step, Op::Observe).await {
            Ok(reply) if reply.state == Observed::Applied => reply.outputs,
            Ok(_) => Values::new(),
            Err(error) => {
                let reason =
                    format!("flowswap does not know whether step `{}` took effect: {}", step.id, with_hint(&error));
                return Err(EarlyEnd::InState(self.interrupted_state(), reason));
            }
        };
        let detail = "a person may have done it, so the rollback treats it as done";
        let evidence = vec![Evidence::new("assumed", EvidenceResult::Inconclusive, detail)];
        Ok(self.succeed(step, Direction::Forward, outputs, evidence).await?)
    }

    /// Observes whether a step was carried out, and records the result. Afterwards the step is no longer in doubt, or it is half
    /// done, or the tenant is stuck.
    pub(super) async fn observe(&mut self, step: &Step, direction: Direction) -> Result<Observed, EarlyEnd> {
        let reply: ObserveReply = match self.call(step, Op::Observe).await {
            Ok(reply) => reply,
            Err(error) if error.kind == ErrorKind::Interrupted => {
                let reason = format!("stopped before flowswap knew whether step `{}` took effect", step.id);
                return Err(EarlyEnd::InState(self.interrupted_state(), reason));
            }
            Err(error) => {
                let reason = format!(
                    "flowswap does not know whether step `{}` took effect: the check failed: {}",
                    step.id,
                    with_hint(&error)
                );
                let cause = self.cause_of(seen_by(step), &error);
                return Err(EarlyEnd::InState(TenantState::Stuck, reason).caused_by(cause));
            }
        };
        match (reply.state, direction) {
            (Observed::Unknown, _) => {
                let reason = format!("flowswap does not know whether step `{}` took effect: {}", step.id, reply.detail);
                return Err(EarlyEnd::InState(TenantState::Stuck, reason));
            }
            (Observed::NotApplied, Direction::Back) => {
                self.succeed(step, direction, Default::default(), Vec::new()).await?
            }
            (Observed::Applied, Direction::Forward) => self.succeed(step, direction, reply.outputs, Vec::new()).await?,
            (Observed::Partial, _) => {
                // The found outputs are not recorded, so the step must stay in doubt. After a crash they are found again.
                if direction == Direction::Forward {
                    self.found.insert(step.id.clone(), reply.outputs);
                }
                self.fail(step, direction, observed(&reply.detail).with_unknown_effect()).await?;
            }
            (Observed::NotApplied, Direction::Forward) if self.was_resolved_as_applied(step) => {
                let reason = format!(
                    "a person said that step `{}` is applied, but flowswap does not see it: {}",
                    step.id, reply.detail
                );
                return Err(EarlyEnd::InState(TenantState::Stuck, reason));
            }
            (Observed::NotApplied, Direction::Forward) => {
                self.found.remove(&step.id);
                self.forget_secrets_of(step).await?;
                self.fail(step, direction, observed(&reply.detail)).await?;
            }
            (Observed::Applied, Direction::Back) => {
                self.fail(step, direction, observed(&reply.detail)).await?;
            }
        }
        Ok(reply.state)
    }
}

fn not_finished() -> contract::Error {
    contract::Error::new(ErrorKind::Interrupted, "the check was started and not finished; it runs again")
}

impl Progress<'_> {
    /// Whether a question to a person is open in this direction.
    pub(super) fn is_asked(&self, direction: Direction) -> bool {
        self.work().is_ok_and(|work| work.question.as_ref().is_some_and(|question| question.direction == direction))
    }

    fn was_resolved_as_applied(&self, step: &Step) -> bool {
        let is_resolved = |doubt: &Doubt| doubt.step == step.id && !doubt.known.is_empty();
        self.work().is_ok_and(|work| work.doubt.as_ref().is_some_and(is_resolved))
    }
}

/// Whether a person does the step in this direction, without a request by flowswap.
fn is_done_by_person(step: &Step, direction: Direction) -> bool {
    match direction {
        Direction::Forward => step.proposal.by == By::Operator,
        Direction::Back => step.proposal.reversibility == Reversibility::Attended,
    }
}

fn nothing_sent() -> contract::Error {
    contract::Error::new(ErrorKind::Interrupted, "the step had sent no request; it runs again")
}

/// The recorded error of a step that turned out to be unfinished.
fn observed(detail: &str) -> contract::Error {
    contract::Error::new(ErrorKind::Interrupted, format!("observed as not finished: {detail}"))
}
