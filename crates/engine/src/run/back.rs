//! A tenant on its way back: what was done is undone, the last step first.

use flowswap_contract::{self as contract, ApplyReply, Effect, ErrorKind, Observed, Op, Reversibility, Step};

use super::{
    Pause, is_transient,
    progress::Progress,
    removal::{MAX_PUT_OFFS, is_put_off},
    tell,
};
use crate::{Direction, TenantState};

/// Seconds before an undo is tried again.
const RETRY_WAITS_SECS: [u64; 3] = [1, 4, 15];

impl Progress<'_> {
    /// Takes back everything that was done.
    pub(super) async fn go_back(&mut self) -> Result<TenantState, Pause> {
        self.settle_for_return().await?;
        let done: Vec<Step> =
            self.work()?.done.iter().rev().filter_map(|done| self.planned.step(&done.id).cloned()).collect();
        for step in done.iter().filter(|step| !step.proposal.phase.is_check()) {
            if self.ports.stop.is_stopped() {
                return Err(Pause::End(
                    TenantState::RollingBack,
                    format!("stopped before taking back step `{}`", step.id),
                ));
            }
            match step.proposal.reversibility {
                Reversibility::Unattended => self.undo(step).await?,
                Reversibility::Attended => self.await_operator(step, Direction::Back).await?,
                Reversibility::Irreversible => {
                    return Err(Pause::End(
                        TenantState::Finalized,
                        format!("there is no way back from step `{}`", step.id),
                    ));
                }
            }
        }
        self.expect_left().await?;
        self.forget_secrets().await?;
        Ok(TenantState::RolledBack)
    }

    /// A step that was begun forward and not finished is undone as well, with what is known of it.
    async fn settle_for_return(&mut self) -> Result<(), Pause> {
        self.settle().await?;
        let found = std::mem::take(&mut self.found);
        for (id, outputs) in found {
            let Some(step) = self.planned.step(&id).cloned() else { continue };
            self.begin(&step, Direction::Forward).await?;
            self.succeed(&step, Direction::Forward, outputs, Vec::new()).await?;
        }
        Ok(())
    }

    async fn undo(&mut self, step: &Step) -> Result<(), Pause> {
        let (mut waits, mut put_offs) = (RETRY_WAITS_SECS.iter(), 0..MAX_PUT_OFFS);
        loop {
            self.expect_unused(step, Direction::Back).await?;
            self.begin(step, Direction::Back).await?;
            let error = match self.call::<ApplyReply>(step, Op::Undo).await {
                Ok(reply) => {
                    self.succeed(step, Direction::Back, Default::default(), reply.evidence).await?;
                    return Ok(());
                }
                Err(error) => error,
            };
            self.fail_try(step, Direction::Back, error.clone()).await?;
            if error.kind == ErrorKind::Interrupted {
                return Err(Pause::End(TenantState::RollingBack, format!("taking back step `{}`: {error}", step.id)));
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
                return Err(Pause::End(
                    TenantState::RollingBack,
                    format!("stopped while taking back step `{}`", step.id),
                ));
            }
        }
    }
}

fn stuck(step: &Step, error: &contract::Error) -> Pause {
    Pause::End(TenantState::Stuck, format!("step `{}` could not be taken back: {}", step.id, tell(error)))
}
