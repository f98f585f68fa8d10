//! Loses the answer to every request of every `apply` and `undo`, and then recovers as the engine does.

use flowswap_contract::{Effect, Observed, Step, Values};

use super::{
    Harness, NO_REQUEST, NO_UNDO, PlannedSteps, each,
    read_only::{positions, reversible},
    undone_by_plugin,
};
use crate::{
    Failure,
    bench::{Bench, describe},
    findings::Findings,
    wire::Fault,
};

const FAULTS: [(Fault, &str, &str); 3] = [
    (Fault::LostBefore, "lost.apply.before", "lost.undo.before"),
    (Fault::LostAfter, "lost.apply.after", "lost.undo.after"),
    (Fault::FailsAfter, "lost.apply.fails-after", "lost.undo.fails-after"),
];

/// One lost answer: in the `apply` or `undo` of this step, to the request with this number.
#[derive(Clone, Copy)]
struct Loss {
    step: usize,
    request: usize,
    fault: Fault,
}

pub(crate) async fn examine(harness: &Harness<'_>, planned: &PlannedSteps, findings: &mut Findings) {
    let losses = Losses { harness, planned };
    let no_undo = if undone_by_plugin(&planned.steps).is_empty() { NO_UNDO } else { NO_REQUEST };
    for (fault, apply, undo) in FAULTS {
        findings.note_cases(apply, losses.of_apply(fault).await, NO_REQUEST);
        findings.note_cases(undo, losses.of_undo(fault).await, no_undo);
    }
    findings.note_cases("lost.apply.undone", losses.taken_back().await, no_undo);
}

struct Losses<'a> {
    harness: &'a Harness<'a>,
    planned: &'a PlannedSteps,
}

impl Losses<'_> {
    async fn of_apply(&self, fault: Fault) -> Result<usize, Failure> {
        let mut count = 0;
        for step in positions(&self.planned.steps) {
            // First without faults, for the number of requests and the outcome.
            let mut bench = self.harness.bench().await?;
            bench.advance(&self.planned.steps[..step]).await?;
            bench.wire.arm(None);
            bench.advance(&self.planned.steps[step..=step]).await?;
            let outcome = bench.world.outcome();
            let cases = (0..bench.wire.requests()).map(|request| Loss { step, request, fault });
            let outcome = &outcome;
            count += each(cases, |loss| self.lose_in_apply(loss, outcome)).await?;
        }
        Ok(count)
    }

    async fn lose_in_apply(&self, loss: Loss, usual: &serde_json::Value) -> Result<(), Failure> {
        let (before, through) = (&self.planned.steps[..loss.step], &self.planned.steps[..=loss.step]);
        let step = &self.planned.steps[loss.step];
        let mut bench = self.harness.bench().await?;
        bench.advance(before).await?;
        let mutations = bench.memory.mutations();
        bench.wire.arm(Some((loss.request, loss.fault)));
        let tried = bench.apply(step, Values::new()).await;
        let case = self.case(step, loss, &bench)?;
        let recovered = match tried {
            Ok(reply) => {
                bench.mark_done(step, reply.outputs);
                Ok(())
            }
            Err(error) => {
                expect_unknown_effect(&bench, mutations, &error).map_err(|failure| failure.during(&case))?;
                bench.recover_apply(step, error).await
            }
        };
        recovered.map_err(|failure| failure.during(&case))?;
        let compared = bench.expect_outcome(usual, &format!("of `{}` without faults", step.id));
        compared.map_err(|failure| failure.during(&case))?;
        // A step that recovered can be rolled back like any other.
        if reversible(through).len() == through.len() {
            bench.roll_back(through).await.map_err(|failure| failure.during(&case))?;
            let back = bench.expect_initial_state("everything");
            back.map_err(|failure| failure.during(&case))?;
        }
        Ok(())
    }

    /// A run that ended in the middle of a step, followed by a rollback.
    async fn taken_back(&self) -> Result<usize, Failure> {
        let mut count = 0;
        for step in undone_by_plugin(&self.planned.steps) {
            let mut bench = self.harness.bench().await?;
            bench.advance(&self.planned.steps[..step]).await?;
            bench.wire.arm(None);
            bench.advance(&self.planned.steps[step..=step]).await?;
            let cases = (0..bench.wire.requests()).map(|request| Loss { step, request, fault: Fault::LostAfter });
            count += each(cases, |loss| self.take_back(loss)).await?;
        }
        Ok(count)
    }

    async fn take_back(&self, loss: Loss) -> Result<(), Failure> {
        let step = &self.planned.steps[loss.step];
        let mut bench = self.harness.bench().await?;
        bench.advance(&self.planned.steps[..loss.step]).await?;
        let before = bench.world.snapshot();
        bench.wire.arm(Some((loss.request, loss.fault)));
        let tried = bench.apply(step, Values::new()).await;
        let case = self.case(step, loss, &bench)?;
        let begun = match tried {
            Ok(reply) => Some(reply.outputs),
            Err(error) if error.effect == Effect::None => None,
            Err(_) => {
                let seen = bench
                    .observe_or_fail(step, bench.in_custody(step))
                    .await
                    .map_err(|failure| failure.during(&case))?;
                (seen.state != Observed::NotApplied).then_some(seen.outputs)
            }
        };
        if let Some(outputs) = begun {
            bench.mark_done(step, outputs);
            bench.roll_back(std::slice::from_ref(step)).await.map_err(|failure| failure.during(&case))?;
        }
        let back = bench.expect_snapshot(&before, &format!("before `{}` was started and taken back", step.id));
        back.map_err(|failure| failure.during(&case))
    }

    async fn of_undo(&self, fault: Fault) -> Result<usize, Failure> {
        let mut count = 0;
        for step in undone_by_plugin(&self.planned.steps) {
            let mut bench = self.harness.bench().await?;
            bench.advance(&self.planned.steps[..=step]).await?;
            bench.wire.arm(None);
            bench.roll_back(&self.planned.steps[step..=step]).await?;
            let cases = (0..bench.wire.requests()).map(|request| Loss { step, request, fault });
            count += each(cases, |loss| self.lose_in_undo(loss)).await?;
        }
        Ok(count)
    }

    async fn lose_in_undo(&self, loss: Loss) -> Result<(), Failure> {
        let (before, through) = (&self.planned.steps[..loss.step], &self.planned.steps[..=loss.step]);
        let step = &self.planned.steps[loss.step];
        let mut bench = self.harness.bench().await?;
        bench.advance(through).await?;
        let mutations = bench.memory.mutations();
        bench.wire.arm(Some((loss.request, loss.fault)));
        let tried = bench.undo(step, bench.outputs(step)).await;
        let case = format!("undo: {}", self.case(step, loss, &bench)?);
        let recovered = match tried {
            Ok(_) => {
                bench.mark_undone(step);
                Ok(())
            }
            Err(error) => {
                expect_unknown_effect(&bench, mutations, &error).map_err(|failure| failure.during(&case))?;
                bench.recover_undo(step, error).await
            }
        };
        recovered.map_err(|failure| failure.during(&case))?;
        bench.roll_back(before).await.map_err(|failure| failure.during(&case))?;
        let back = bench.expect_initial_state("everything");
        back.map_err(|failure| failure.during(&case))
    }

    /// Describes the request that the fault hit. Fails if the fault hit nothing.
    fn case(&self, step: &Step, loss: Loss, bench: &Bench) -> Result<String, Failure> {
        let (id, number) = (&step.id, loss.request + 1);
        match bench.wire.hit() {
            Some(request) => Ok(format!("`{id}`, request {number} ({request})")),
            None => Err(Failure::new(format!("`{id}` to make at least {number} requests, as before"), "fewer")),
        }
    }
}

/// Fails if a change may have happened and the error does not have effect unknown.
fn expect_unknown_effect(bench: &Bench, mutations: usize, error: &flowswap_contract::Error) -> Result<(), Failure> {
    match error.effect {
        Effect::None if bench.memory.may_have_changed_since(mutations) => {
            Err(Failure::new("an error with effect unknown", describe(error)))
        }
        _ => Ok(()),
    }
}
