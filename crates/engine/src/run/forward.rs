//! A tenant on its way forward, step by step.

use std::time::Duration;

use flowswap_contract::{
    self as contract, ApplyReply, By, Effect, ErrorKind, EvidenceResult, Observed, Op, Phase, Step, TestReply,
};

use super::{
    Pause, is_unanswered,
    progress::Progress,
    removal::{MAX_PUT_OFFS, is_put_off},
    tell,
};
use crate::{Direction, TenantState};

/// Seconds before a step is tried again, when it turned out that the try before changed nothing.
const TRY_WAITS_SECS: [u64; 2] = [1, 4];

/// How long a confirmation is waited for within a run. Directories synchronize every five minutes; an interface may
/// synchronize at once, and then a few seconds are enough. Whoever has not confirmed by then is soaking.
const CONFIRM_WAITS_SECS: [u64; 3] = [1, 2, 4];

impl Progress<'_> {
    /// Carries out what is left of the plan up to and including a phase.
    pub(super) async fn go_forward(&mut self, last: Phase) -> Result<TenantState, Pause> {
        self.settle().await?;
        let steps: Vec<Step> = self.planned.steps_until(last).cloned().collect();
        // What is half done comes first: while it is in doubt, nothing else may begin.
        let in_doubt = self.work()?.doubt.as_ref().map(|doubt| doubt.step.clone());
        if let Some(step) = steps.iter().find(|step| Some(&step.id) == in_doubt.as_ref()) {
            self.take_step(step).await?;
        }
        // What one side has confirmed counts only together with the other, seen in one run: a token that was got before
        // the directory went on as before is no proof of anything.
        let is_confirm = |step: &&Step| step.proposal.phase == Phase::Confirm;
        let is_confirmed = steps.iter().filter(is_confirm).all(|step| self.is_done(step));
        let mut unconfirmed = None;
        for (index, step) in steps.iter().enumerate() {
            let is_proven = is_confirmed || !is_confirm(&step);
            if self.is_done(step) && is_proven && !self.is_outdated(step, &steps[index + 1..]) {
                continue;
            }
            if let Some(end) = unconfirmed.take_if(|_| step.proposal.phase > Phase::Confirm) {
                return Err(end);
            }
            match self.take_step(step).await {
                // What one side does not confirm, the other may explain: all of them are looked at.
                Err(end) if step.proposal.phase == Phase::Confirm && is_unconfirmed(&end) && !self.is_in_doubt() => {
                    unconfirmed = Some(graver(unconfirmed, end));
                }
                taken => taken?,
            }
        }
        if let Some(end) = unconfirmed {
            return Err(end);
        }
        let reached = self.state_reached();
        if reached == TenantState::Finalized {
            // Nothing is compared any more, and without its key what was noted of people is of nobody.
            let baselines: Vec<Step> =
                steps.into_iter().filter(|step| step.proposal.phase == Phase::Baseline).collect();
            for step in &baselines {
                self.forget_secrets_of(step).await?;
            }
        }
        Ok(reached)
    }

    async fn take_step(&mut self, step: &Step) -> Result<(), Pause> {
        self.heed_stop(step)?;
        match (step.proposal.phase.is_check(), step.proposal.by) {
            (true, _) => self.check(step).await,
            (false, By::Plugin) => self.carry_out(step).await,
            (false, By::Operator) => self.await_operator(step, Direction::Forward).await,
        }
    }

    fn is_done(&self, step: &Step) -> bool {
        self.history.work.as_ref().is_some_and(|work| work.is_done(&step.id))
    }

    fn heed_stop(&self, step: &Step) -> Result<(), Pause> {
        if self.ports.stop.is_stopped() {
            return Err(Pause::End(self.interrupted_state(), format!("stopped before step `{}`", step.id)));
        }
        Ok(())
    }

    /// What a check saw in an earlier run is no ground for a change in this one: a receipt may have expired, and before
    /// the legacy client is retired, or deleted, the directory must be seen to work without it today.
    fn is_outdated(&self, step: &Step, rest: &[Step]) -> bool {
        let is_ahead = |step: &Step| self.history.work.as_ref().is_some_and(|work| !work.is_done(&step.id));
        let mut changes = rest.iter().filter(|step| !step.proposal.phase.is_check());
        match step.proposal.phase {
            Phase::Confirm => changes.any(is_ahead),
            // What is compared with after the swap is noted right before it, however early it was noted first.
            Phase::Baseline => changes.any(|step| step.proposal.phase == Phase::Swap && is_ahead(step)),
            phase => phase.is_check() && changes.next().is_some_and(is_ahead),
        }
    }

    async fn carry_out(&mut self, step: &Step) -> Result<(), Pause> {
        let (mut waits, mut put_offs) = (TRY_WAITS_SECS.iter(), 0..MAX_PUT_OFFS);
        loop {
            self.heed_stop(step)?;
            self.expect_unused(step, Direction::Forward).await?;
            self.begin(step, Direction::Forward).await?;
            let error = match self.call::<ApplyReply>(step, Op::Apply).await {
                Ok(reply) => {
                    self.succeed(step, Direction::Forward, reply.outputs, reply.evidence).await?;
                    return Ok(());
                }
                Err(error) => error,
            };
            self.fail_try(step, Direction::Forward, error.clone()).await?;
            let wait = match error.effect {
                Effect::None if is_put_off(step, Direction::Forward, &error) => put_offs.next().map(|_| 0),
                Effect::None => None,
                Effect::Unknown if self.observe(step, Direction::Forward).await? == Observed::Applied => return Ok(()),
                Effect::Unknown => waits.next().copied(),
            };
            let Some(seconds) = wait else { return Err(self.give_up(step, &error)) };
            // Stopped or not, `heed_stop` says so next.
            let _ = self.pause_after(&error, seconds).await;
        }
    }

    async fn check(&mut self, step: &Step) -> Result<(), Pause> {
        let waits: &[u64] = if step.proposal.phase == Phase::Confirm { &CONFIRM_WAITS_SECS } else { &[] };
        let mut waits = waits.iter();
        loop {
            self.begin(step, Direction::Forward).await?;
            let reply = match self.call::<TestReply>(step, Op::Test).await {
                Ok(reply) => reply,
                Err(error) => {
                    self.fail(step, Direction::Forward, error.clone()).await?;
                    return Err(self.give_up(step, &error));
                }
            };
            let Some((result, detail)) = shortcoming(&reply) else {
                self.succeed(step, Direction::Forward, reply.outputs, reply.evidence).await?;
                return Ok(());
            };
            let mut error = contract::Error::new(ErrorKind::Conflict, detail);
            error.retry_after_ms = reply.wait_ms.filter(|_| result == EvidenceResult::Inconclusive);
            self.fail_as_seen(step, Direction::Forward, error.clone(), reply).await?;
            if result == EvidenceResult::Fail || step.proposal.phase != Phase::Confirm {
                return Err(self.give_up(step, &error));
            }
            let in_vain = |seconds: u64| error.retry_after_ms.is_some_and(|ms| ms > seconds.saturating_mul(1000));
            let Some(seconds) = waits.next().filter(|seconds| !in_vain(**seconds)) else {
                return Err(Pause::End(TenantState::Soaking, format!("proof is still awaited: {error}")));
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep(Duration::from_secs(*seconds)) => {}
                () = self.ports.stop.stopped() => {
                    return Err(Pause::End(TenantState::Soaking, "stopped while proof was awaited".to_owned()));
                }
            }
        }
    }

    fn give_up(&self, step: &Step, error: &contract::Error) -> Pause {
        let state = match error.kind {
            ErrorKind::Interrupted => self.interrupted_state(),
            // The directory is on the new client. Either nobody could look, or something is wrong with it, which is for
            // a person to weigh.
            kind if step.proposal.phase == Phase::Confirm && is_unanswered(kind) => TenantState::Soaking,
            _ if step.proposal.phase == Phase::Confirm => TenantState::Stuck,
            // Half carried out, however often it was tried.
            _ if !step.proposal.phase.is_check() && self.is_in_doubt() => TenantState::Stuck,
            _ => TenantState::Failed,
        };
        Pause::End(state, format!("step `{}`: {}", step.id, tell(error)))
    }

    fn is_in_doubt(&self) -> bool {
        self.history.work.as_ref().is_some_and(|work| work.doubt.is_some())
    }

    /// Where a tenant stands that is left between two steps.
    pub(super) fn interrupted_state(&self) -> TenantState {
        match (self.history.direction, self.state_reached()) {
            (Direction::Back, _) => TenantState::RollingBack,
            (Direction::Forward, TenantState::Planned) => TenantState::Running,
            (Direction::Forward, reached) => reached,
        }
    }

    /// Where the steps that are done have brought the tenant.
    fn state_reached(&self) -> TenantState {
        let Some(work) = &self.history.work else { return TenantState::Planned };
        let all_done = |phase: Phase| {
            let mut steps = self.planned.steps.iter().filter(|step| step.proposal.phase == phase).peekable();
            steps.peek().is_some() && steps.all(|step| work.is_done(&step.id))
        };
        if all_done(Phase::Purge) {
            TenantState::Finalized
        } else if all_done(Phase::Retire) {
            TenantState::Retired
        } else if all_done(Phase::Confirm) {
            TenantState::Swapped
        } else if all_done(Phase::Swap) {
            TenantState::Soaking
        } else {
            TenantState::Planned
        }
    }
}

fn is_unconfirmed(end: &Pause) -> bool {
    matches!(end, Pause::End(TenantState::Soaking | TenantState::Stuck, _))
}

/// A failure goes before what is only awaited, and else the first before the second.
fn graver(first: Option<Pause>, second: Pause) -> Pause {
    match (first, &second) {
        (Some(Pause::End(TenantState::Soaking, _)) | None, Pause::End(TenantState::Stuck, _)) | (None, _) => second,
        (Some(first), _) => first,
    }
}

/// What does not let the check pass: a failure before something inconclusive, and that nothing was looked at after both.
fn shortcoming(reply: &TestReply) -> Option<(EvidenceResult, String)> {
    let find = |result| reply.evidence.iter().find(|evidence| evidence.result == result);
    match find(EvidenceResult::Fail).or_else(|| find(EvidenceResult::Inconclusive)) {
        Some(evidence) => Some((evidence.result, format!("{}: {}", evidence.check, evidence.detail))),
        None if find(EvidenceResult::Pass).is_some() => None,
        None => Some((EvidenceResult::Inconclusive, "the check reported no evidence".to_owned())),
    }
}
