//! Rolls a tenant back: undoes what was done, the last step first.

use flowswap_contract::{self as contract, ApplyReply, Effect, ErrorKind, Observed, Op, Reversibility, Step};

use super::{
    EarlyEnd, is_transient,
    progress::Progress,
    removal::{MAX_PUT_OFFS, is_put_off},
    with_hint,
};
use crate::{Direction, TenantState};

/// Seconds before an undo is tried again.
const RETRY_WAITS_SECS: [u64; 3] = [1, 4, 15];

impl Progress<'_> {
    /// Rolls back everything that was done.
    pub(super) async fn roll_back(&mut self) -> Result<TenantState, EarlyEnd> {
        self.settle_before_rollback().await?;
        let done: Vec<Step> =
            self.work()?.done.iter().rev().filter_map(|done| self.planned.step(&done.id).cloned()).collect();
        for step in done.iter().filter(|step| !step.proposal.phase.is_check()) {
            match step.proposal.reversibility {
                Reversibility::Unattended => self.undo(step).await?,
                Reversibility::Attended => self.wait_for_operator(step, Direction::Back).await?,
                Reversibility::Irreversible => {
                    return Err(EarlyEnd::InState(
                        TenantState::Finalized,
                        format!("step `{}` cannot be rolled back", step.id),
                    ));
                }
            }
        }
        self.expect_directory_restored().await?;
        self.forget_secrets().await?;
        Ok(TenantState::RolledBack)
    }

    /// Settles the step in doubt. A step that is half done counts as done with what is known of it, so that it is rolled back
    /// too.
    async fn settle_before_rollback(&mut self) -> Result<(), EarlyEnd> {
        self.settle().await?;
        let found = std::mem::take(&mut self.found);
        for (id, outputs) in found {
            let Some(step) = self.planned.step(&id).cloned() else { continue };
            self.take_turn(&step, Direction::Forward).await?;
            self.begin(&step, Direction::Forward).await?;
            self.succeed(&step, Direction::Forward, outputs, Vec::new()).await?;
        }
        Ok(())
    }

    async fn undo(&mut self, step: &Step) -> Result<(), EarlyEnd> {
        let mut waits = RETRY_WAITS_SECS.iter();
        let mut put_offs = 0..MAX_PUT_OFFS;
        loop {
            self.take_turn(step, Direction::Back).await?;
            self.expect_unused(step, Direction::Back).await?;
            self.begin(step, Direction::Back).await?;
            let error = match self.call::<ApplyReply>(step, Op::Undo).await {
                Ok(reply) => {
                    self.succeed(step, Direction::Back, Default::default(), reply.evidence).await?;
                    return Ok(());
                }
                Err(error) => error,
            };
            self.record_failed_attempt(step, Direction::Back, error.clone()).await?;
            if error.kind == ErrorKind::Interrupted {
                return Err(EarlyEnd::InState(
                    TenantState::RollingBack,
                    format!("rolling back step `{}`: {error}", step.id),
                ));
            }
            if error.effect == Effect::Unknown && self.observe(step, Direction::Back).await? == Observed::NotApplied {
                return Ok(());
            }
            let waiting_helps = error.effect == Effect::Unknown || is_transient(error.kind);
            let wait = if is_put_off(step, Direction::Back, &error) {
                put_offs.next().map(|_| 0)
            } else {
                waits.next().copied().filter(|_| waiting_helps)
            };
            let Some(seconds) = wait else { return Err(stuck(step, &error)) };
            if self.pause_after(&error, seconds).await.is_err() {
                return Err(EarlyEnd::InState(
                    TenantState::RollingBack,
                    format!("stopped while rolling back step `{}`", step.id),
                ));
            }
        }
    }
}

fn stuck(step: &Step, error: &contract::Error) -> EarlyEnd {
    EarlyEnd::InState(TenantState::Stuck, format!("step `{}` could not be rolled back: {}", step.id, with_hint(error)))
}
