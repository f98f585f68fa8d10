//! Carries a tenant's plan out, step by step.

use std::time::Duration;

use flowswap_contract::{
    self as contract, ApplyReply, By, Effect, ErrorKind, Evidence, EvidenceResult, Observed, Op, Phase, Step, TestReply,
};

use super::{
    Cause, EarlyEnd, is_unanswered,
    progress::Progress,
    removal::{MAX_PUT_OFFS, is_put_off},
    with_hint,
};
use crate::{Direction, TenantState};

/// Seconds before a step is tried again after an attempt that changed nothing.
const TRY_WAITS_SECS: [u64; 2] = [1, 4];

/// Seconds between the attempts to confirm within a run. Directories synchronize every five minutes, but an interface may
/// synchronize at once, and then a few seconds are enough. A tenant that is not confirmed by then is soaking.
const CONFIRM_WAITS_SECS: [u64; 3] = [1, 2, 4];

impl Progress<'_> {
    /// Carries out the rest of the plan, up to and including a phase.
    pub(super) async fn go_forward(&mut self, last: Phase) -> Result<TenantState, EarlyEnd> {
        self.settle().await?;
        let steps: Vec<Step> = self.planned.steps_until(last).cloned().collect();
        // The step in doubt comes first: nothing else may start before it is settled.
        let in_doubt = self.work()?.doubt.as_ref().map(|doubt| doubt.step.clone());
        if let Some(step) = steps.iter().find(|step| Some(&step.id) == in_doubt.as_ref()) {
            self.take_step(step).await?;
        }
        // Both sides must confirm in the same run. A token from before the directory continued with the old connection
        // confirms nothing.
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
                // Runs the other confirmations too, because the other side may explain the failure.
                Err(end) if step.proposal.phase == Phase::Confirm && is_unconfirmed(&end) && !self.is_in_doubt() => {
                    unconfirmed = Some(more_severe(unconfirmed, end));
                }
                taken => taken?,
            }
        }
        if let Some(end) = unconfirmed {
            return Err(end);
        }
        if last == Phase::Retire && self.rotates() {
            self.confirm_without_previous(&steps).await?;
        }
        let reached = self.state_reached();
        if reached == TenantState::Finalized {
            // Baselines are no longer needed. Deleting their key makes the hashes of people meaningless.
            let baselines: Vec<Step> =
                steps.into_iter().filter(|step| step.proposal.phase == Phase::Baseline).collect();
            for step in &baselines {
                self.forget_secrets_of(step).await?;
            }
            self.forget_settled().await?;
        }
        Ok(reached)
    }

    async fn take_step(&mut self, step: &Step) -> Result<(), EarlyEnd> {
        match (step.proposal.phase.is_check(), step.proposal.by) {
            (true, _) => self.check(step).await,
            (false, By::Plugin) => self.carry_out(step).await,
            (false, By::Operator) => self.wait_for_operator(step, Direction::Forward).await,
        }
    }

    fn is_done(&self, step: &Step) -> bool {
        self.work().is_ok_and(|work| work.is_done(&step.id))
    }

    /// Confirms the directory once more after the previous secret was deactivated: until then it may have used that one unnoticed.
    async fn confirm_without_previous(&mut self, steps: &[Step]) -> Result<(), EarlyEnd> {
        let mut unconfirmed = None;
        for step in steps.iter().filter(|step| step.proposal.phase == Phase::Confirm) {
            if !self.is_older_than_retirement(step)? {
                continue;
            }
            match self.take_step(step).await {
                Err(end) if is_unconfirmed(&end) => unconfirmed = Some(more_severe(unconfirmed, end)),
                taken => taken?,
            }
        }
        unconfirmed.map_or(Ok(()), Err)
    }

    /// Whether a confirmation is from before the previous secret was deactivated.
    fn is_older_than_retirement(&self, confirm: &Step) -> Result<bool, EarlyEnd> {
        let work = self.work()?;
        let is_retirement = |id: &str| work.tenant.step(id).is_some_and(|step| step.proposal.phase == Phase::Retire);
        let retired = work.done.iter().position(|done| is_retirement(&done.id));
        let confirmed = work.done.iter().position(|done| done.id == confirm.id);
        Ok(confirmed < retired)
    }

    /// Whether a check of an earlier run must run again before the next change. A receipt may have expired. Before the legacy
    /// client is retired or deleted, the directory must work without it now.
    fn is_outdated(&self, step: &Step, rest: &[Step]) -> bool {
        let is_ahead = |step: &Step| self.work().is_ok_and(|work| !work.is_done(&step.id));
        let mut changes = rest.iter().filter(|step| !step.proposal.phase.is_check());
        match step.proposal.phase {
            Phase::Confirm => changes.any(is_ahead),
            // A baseline is taken again right before the swap, however early it was taken first.
            Phase::Baseline => changes.any(|step| step.proposal.phase == Phase::Swap && is_ahead(step)),
            phase => phase.is_check() && changes.next().is_some_and(is_ahead),
        }
    }

    async fn carry_out(&mut self, step: &Step) -> Result<(), EarlyEnd> {
        let mut waits = TRY_WAITS_SECS.iter();
        let mut put_offs = 0..MAX_PUT_OFFS;
        loop {
            self.take_turn(step, Direction::Forward).await?;
            self.expect_unused(step, Direction::Forward).await?;
            self.begin(step, Direction::Forward).await?;
            let error = match self.call::<ApplyReply>(step, Op::Apply).await {
                Ok(reply) => {
                    self.succeed(step, Direction::Forward, reply.outputs, reply.evidence).await?;
                    return Ok(());
                }
                Err(error) => error,
            };
            self.record_failed_attempt(step, Direction::Forward, error.clone()).await?;
            let wait = match error.effect {
                Effect::None if is_put_off(step, Direction::Forward, &error) => put_offs.next().map(|_| 0),
                Effect::None => None,
                Effect::Unknown if self.observe(step, Direction::Forward).await? == Observed::Applied => return Ok(()),
                Effect::Unknown => waits.next().copied(),
            };
            let Some(seconds) = wait else { return Err(self.give_up(step, &error)) };
            // If the run was stopped, it gets no turn.
            let _ = self.pause_after(&error, seconds).await;
        }
    }

    async fn check(&mut self, step: &Step) -> Result<(), EarlyEnd> {
        let waits: &[u64] = if step.proposal.phase == Phase::Confirm { &CONFIRM_WAITS_SECS } else { &[] };
        let mut waits = waits.iter();
        loop {
            self.take_turn(step, Direction::Forward).await?;
            self.begin(step, Direction::Forward).await?;
            let reply = match self.call::<TestReply>(step, Op::Test).await {
                Ok(reply) => reply,
                Err(error) => {
                    self.fail(step, Direction::Forward, error.clone()).await?;
                    return Err(self.give_up(step, &error));
                }
            };
            let Some((missing, detail)) = missing_proof(&reply) else {
                self.succeed(step, Direction::Forward, reply.outputs, reply.evidence).await?;
                return Ok(());
            };
            let mut error = contract::Error::new(ErrorKind::Conflict, detail);
            error.retry_after_ms = reply.wait_ms.filter(|_| missing.result == EvidenceResult::Inconclusive);
            self.fail_as_seen(step, Direction::Forward, error.clone(), reply).await?;
            if missing.result == EvidenceResult::Fail || step.proposal.phase != Phase::Confirm {
                return Err(self.give_up_because(
                    step,
                    &error,
                    Cause::of_evidence(step.role, &missing, &self.own_words()),
                ));
            }
            let is_too_early = |seconds: u64| error.retry_after_ms.is_some_and(|ms| ms > seconds.saturating_mul(1000));
            let Some(seconds) = waits.next().filter(|seconds| !is_too_early(**seconds)) else {
                return Err(EarlyEnd::InState(TenantState::Soaking, format!("not confirmed yet: {error}")));
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep(Duration::from_secs(*seconds)) => {}
                () = self.ports.stop.stopped() => {
                    return Err(EarlyEnd::InState(TenantState::Soaking, "stopped while waiting for confirmation".to_owned()));
                }
            }
        }
    }

    fn give_up(&self, step: &Step, error: &contract::Error) -> EarlyEnd {
        self.give_up_because(step, error, self.cause_of(step.role, error))
    }

    fn give_up_because(&self, step: &Step, error: &contract::Error, cause: Cause) -> EarlyEnd {
        let state = match error.kind {
            ErrorKind::Interrupted => self.interrupted_state(),
            // The directory uses the new client. Either the check got no answer, or it failed and a person must decide.
            kind if step.proposal.phase == Phase::Confirm && is_unanswered(kind) => TenantState::Soaking,
            _ if step.proposal.phase == Phase::Confirm => TenantState::Stuck,
            // The step is still half done after the last attempt.
            _ if !step.proposal.phase.is_check() && self.is_in_doubt() => TenantState::Stuck,
            _ => TenantState::Failed,
        };
        EarlyEnd::InState(state, format!("step `{}`: {}", step.id, with_hint(error))).caused_by(cause)
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.work().is_ok_and(|work| work.doubt.is_some())
    }

    /// The state of a tenant when a run stops between two steps.
    pub(super) fn interrupted_state(&self) -> TenantState {
        match (self.goal.direction(), self.state_reached()) {
            (Direction::Back, _) => TenantState::RollingBack,
            (Direction::Forward, TenantState::Planned) => TenantState::Running,
            (Direction::Forward, reached) => reached,
        }
    }

    /// The state that the done steps have led to.
    fn state_reached(&self) -> TenantState {
        let Ok(work) = self.work() else { return TenantState::Planned };
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

fn is_unconfirmed(end: &EarlyEnd) -> bool {
    matches!(end.state(), Some(TenantState::Soaking | TenantState::Stuck))
}

/// The more severe of two ends: a failed confirmation before one that is only not complete yet, otherwise the first.
fn more_severe(first: Option<EarlyEnd>, second: EarlyEnd) -> EarlyEnd {
    let Some(first) = first else { return second };
    match (first.state(), second.state()) {
        (Some(TenantState::Soaking), Some(TenantState::Stuck)) => second,
        _ => first,
    }
}

/// What keeps the check from passing, if so, and in words. A failure comes before inconclusive evidence, and that before no
/// evidence at all.
fn missing_proof(reply: &TestReply) -> Option<(Evidence, String)> {
    let find = |result| reply.evidence.iter().find(|evidence| evidence.result == result);
    match find(EvidenceResult::Fail).or_else(|| find(EvidenceResult::Inconclusive)) {
        Some(evidence) => Some((evidence.clone(), format!("{}: {}", evidence.check, evidence.detail))),
        None if find(EvidenceResult::Pass).is_some() => None,
        None => {
            let detail = "the check reported no evidence";
            Some((Evidence::new("evidence", EvidenceResult::Inconclusive, detail), detail.to_owned()))
        }
    }
}
