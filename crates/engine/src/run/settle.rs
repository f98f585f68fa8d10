//! Finds out what became of a step that was begun and has no certain end.

use flowswap_contract::{
    self as contract, By, ErrorKind, Evidence, EvidenceResult, ObserveReply, Observed, Op, Reversibility, Step, Values,
};

use super::{Pause, progress::Progress, tell};
use crate::{Direction, Doubt, TenantState, compare::is_shown};

impl Progress<'_> {
    /// Settles the doubt that an earlier run left behind, if there is one.
    pub(super) async fn settle(&mut self) -> Result<(), Pause> {
        let Some(Doubt { step, direction, .. }) = self.work()?.doubt.clone() else { return Ok(()) };
        // Whoever is asked for it may take days; the step is taken up where it stands.
        if self.is_asked(self.history.direction) {
            return Ok(());
        }
        let Some(step) = self.planned.step(&step).cloned() else {
            return Err(Pause::End(TenantState::Stuck, format!("step `{step}` is in doubt and not part of the plan")));
        };
        if step.proposal.phase.is_check() {
            return Ok(self.fail(&step, direction, not_finished()).await?);
        }
        // What another side infers needs time, or a word; whoever declined is asked again.
        if is_done_by_person(&step, direction) && !is_shown(&step) && direction == self.history.direction {
            return Ok(());
        }
        // What the journal knows is not asked of the world, where somebody else's doing could be taken for ours.
        if !is_done_by_person(&step, direction) && self.work()?.nothing_was_sent() {
            return Ok(self.fail(&step, direction, never_left()).await?);
        }
        if self.history.direction == Direction::Back && direction == Direction::Forward && self.may_be_done(&step)? {
            return self.take_as_begun(&step).await;
        }
        self.observe(&step, direction).await.map(drop)
    }

    /// Whether a person who was asked may have done the step although that is not seen: somebody said so, or has the secret.
    fn may_be_done(&self, step: &Step) -> Result<bool, Pause> {
        Ok(!is_shown(step) && self.work()?.given_at(step).is_some())
    }

    /// What may be done is taken back as what is done: that it is not seen yet would be no reason to delete what the directory
    /// may use by now.
    async fn take_as_begun(&mut self, step: &Step) -> Result<(), Pause> {
        let outputs = match self.call::<ObserveReply>(step, Op::Observe).await {
            Ok(reply) if reply.state == Observed::Applied => reply.outputs,
            Ok(_) => Values::new(),
            Err(error) => {
                let reason = format!("it is not known whether step `{}` was carried out: {}", step.id, tell(&error));
                return Err(Pause::End(self.interrupted_state(), reason));
            }
        };
        let detail = "a person may have done it, so it is taken back as if it were done";
        let evidence = vec![Evidence::new("assumed", EvidenceResult::Inconclusive, detail)];
        Ok(self.succeed(step, Direction::Forward, outputs, evidence).await?)
    }

    /// Looks whether a step is carried out, and records what is so. Afterwards there is no doubt any more, or it is half
    /// carried out, or the tenant is stuck.
    pub(super) async fn observe(&mut self, step: &Step, direction: Direction) -> Result<Observed, Pause> {
        let reply: ObserveReply = match self.call(step, Op::Observe).await {
            Ok(reply) => reply,
            Err(error) if error.kind == ErrorKind::Interrupted => {
                let reason = format!("stopped before it was known whether step `{}` was carried out", step.id);
                return Err(Pause::End(self.interrupted_state(), reason));
            }
            Err(error) => {
                let reason = format!(
                    "it is not known whether step `{}` was carried out, and observing it failed: {}",
                    step.id,
                    tell(&error)
                );
                return Err(Pause::End(TenantState::Stuck, reason));
            }
        };
        match (reply.state, direction) {
            (Observed::Unknown, _) => {
                let reason = format!("it is not known whether step `{}` was carried out: {}", step.id, reply.detail);
                return Err(Pause::End(TenantState::Stuck, reason));
            }
            (Observed::NotApplied, Direction::Back) => {
                self.succeed(step, direction, Default::default(), Vec::new()).await?
            }
            (Observed::Applied, Direction::Forward) => self.succeed(step, direction, reply.outputs, Vec::new()).await?,
            (Observed::Partial, _) => {
                // What was found is not recorded, so the doubt must stand: after a crash it is found again.
                if direction == Direction::Forward {
                    self.found.insert(step.id.clone(), reply.outputs);
                }
                self.fail(step, direction, observed(&reply.detail).with_unknown_effect()).await?;
            }
            (Observed::NotApplied, Direction::Forward) if self.is_said_to_stand(step) => {
                let reason =
                    format!("a person said that step `{}` is applied, and it is not seen: {}", step.id, reply.detail);
                return Err(Pause::End(TenantState::Stuck, reason));
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
    contract::Error::new(ErrorKind::Interrupted, "the check was begun and not finished; it is done again")
}

impl Progress<'_> {
    /// Whether a person is asked for something in this direction.
    pub(super) fn is_asked(&self, direction: Direction) -> bool {
        let question = self.history.work.as_ref().and_then(|work| work.question.as_ref());
        question.is_some_and(|question| question.direction == direction)
    }

    fn is_said_to_stand(&self, step: &Step) -> bool {
        let doubt = self.history.work.as_ref().and_then(|work| work.doubt.as_ref());
        doubt.is_some_and(|doubt| doubt.step == step.id && !doubt.known.is_empty())
    }
}

/// A person acts without a request.
fn is_done_by_person(step: &Step, direction: Direction) -> bool {
    match direction {
        Direction::Forward => step.proposal.by == By::Operator,
        Direction::Back => step.proposal.reversibility == Reversibility::Attended,
    }
}

fn never_left() -> contract::Error {
    contract::Error::new(ErrorKind::Interrupted, "no request of the step had left; it is done again")
}

/// What is recorded of a step that turned out not to be finished.
fn observed(detail: &str) -> contract::Error {
    contract::Error::new(ErrorKind::Interrupted, format!("not finished, as observed: {detail}"))
}
