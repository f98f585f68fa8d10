//! An answer that is lost at every request of every `apply` and `undo`, and what the engine then makes of it.

use flowswap_contract::{Effect, Observed, Step, Values};

use super::{Known, NO_REQUEST, NO_UNDO, Trial, each, laws::positions, looks::reversible, undone_by_plugin};
use crate::{
    Failure,
    bench::{Bench, say},
    kit::Findings,
    wire::Fault,
};

const FAULTS: [(Fault, &str, &str); 3] = [
    (Fault::LostBefore, "lost.apply.before", "lost.undo.before"),
    (Fault::LostAfter, "lost.apply.after", "lost.undo.after"),
    (Fault::FailsAfter, "lost.apply.fails-after", "lost.undo.fails-after"),
];

/// One loss: of this step's apply or undo, at the request of this number.
#[derive(Clone, Copy)]
struct Loss {
    step: usize,
    request: usize,
    fault: Fault,
}

pub(crate) async fn examine(trial: &Trial<'_>, known: &Known, findings: &mut Findings) {
    let losses = Losses { trial, known };
    let no_undo = if undone_by_plugin(&known.steps).is_empty() { NO_UNDO } else { NO_REQUEST };
    for (fault, apply, undo) in FAULTS {
        findings.note_cases(apply, losses.of_apply(fault).await, NO_REQUEST);
        findings.note_cases(undo, losses.of_undo(fault).await, no_undo);
    }
    findings.note_cases("lost.apply.undone", losses.taken_back().await, no_undo);
}

struct Losses<'a> {
    trial: &'a Trial<'a>,
    known: &'a Known,
}

impl Losses<'_> {
    async fn of_apply(&self, fault: Fault) -> Result<usize, Failure> {
        let mut count = 0;
        for step in positions(&self.known.steps) {
            // In peace first: how many requests it makes, and where it ends.
            let mut bench = self.trial.bench().await?;
            bench.advance(&self.known.steps[..step]).await?;
            bench.wire.arm(None);
            bench.advance(&self.known.steps[step..=step]).await?;
            let outcome = bench.world.outcome();
            let cases = (0..bench.wire.requests()).map(|request| Loss { step, request, fault });
            let outcome = &outcome;
            count += each(cases, |loss| self.lose_in_apply(loss, outcome)).await?;
        }
        Ok(count)
    }

    async fn lose_in_apply(&self, loss: Loss, usual: &serde_json::Value) -> Result<(), Failure> {
        let (before, through) = (&self.known.steps[..loss.step], &self.known.steps[..=loss.step]);
        let step = &self.known.steps[loss.step];
        let mut bench = self.trial.bench().await?;
        bench.advance(before).await?;
        let mutations = bench.memory.mutations();
        bench.wire.arm(Some((loss.request, loss.fault)));
        let tried = bench.apply(step, Values::new()).await;
        let case = self.case(step, loss, &bench)?;
        let healed = match tried {
            Ok(reply) => {
                bench.finish(step, reply.outputs);
                Ok(())
            }
            Err(error) => {
                says_unknown(&bench, mutations, &error).map_err(|failure| failure.during(&case))?;
                bench.heal_apply(step, error).await
            }
        };
        healed.map_err(|failure| failure.during(&case))?;
        let compared = bench.expect_outcome(usual, &format!("of `{}` in peace", step.id));
        compared.map_err(|failure| failure.during(&case))?;
        // What healed must be as good to go back from as what never broke.
        if reversible(through).len() == through.len() {
            bench.retreat(through).await.map_err(|failure| failure.during(&case))?;
            let back = bench.expect_beginning("everything");
            back.map_err(|failure| failure.during(&case))?;
        }
        Ok(())
    }

    /// What a run that is given up in the middle of a step leaves behind, when the next command is a rollback.
    async fn taken_back(&self) -> Result<usize, Failure> {
        let mut count = 0;
        for step in undone_by_plugin(&self.known.steps) {
            let mut bench = self.trial.bench().await?;
            bench.advance(&self.known.steps[..step]).await?;
            bench.wire.arm(None);
            bench.advance(&self.known.steps[step..=step]).await?;
            let cases = (0..bench.wire.requests()).map(|request| Loss { step, request, fault: Fault::LostAfter });
            count += each(cases, |loss| self.take_back(loss)).await?;
        }
        Ok(count)
    }

    async fn take_back(&self, loss: Loss) -> Result<(), Failure> {
        let step = &self.known.steps[loss.step];
        let mut bench = self.trial.bench().await?;
        bench.advance(&self.known.steps[..loss.step]).await?;
        let before = bench.world.snapshot();
        bench.wire.arm(Some((loss.request, loss.fault)));
        let tried = bench.apply(step, Values::new()).await;
        let case = self.case(step, loss, &bench)?;
        let begun = match tried {
            Ok(reply) => Some(reply.outputs),
            Err(error) if error.effect == Effect::None => None,
            Err(_) => {
                let seen = bench.look(step, bench.in_custody(step)).await.map_err(|failure| failure.during(&case))?;
                (seen.state != Observed::NotApplied).then_some(seen.outputs)
            }
        };
        if let Some(outputs) = begun {
            bench.finish(step, outputs);
            bench.retreat(std::slice::from_ref(step)).await.map_err(|failure| failure.during(&case))?;
        }
        let back = bench.expect_snapshot(&before, &format!("before `{}` was begun and taken back", step.id));
        back.map_err(|failure| failure.during(&case))
    }

    async fn of_undo(&self, fault: Fault) -> Result<usize, Failure> {
        let mut count = 0;
        for step in undone_by_plugin(&self.known.steps) {
            let mut bench = self.trial.bench().await?;
            bench.advance(&self.known.steps[..=step]).await?;
            bench.wire.arm(None);
            bench.retreat(&self.known.steps[step..=step]).await?;
            let cases = (0..bench.wire.requests()).map(|request| Loss { step, request, fault });
            count += each(cases, |loss| self.lose_in_undo(loss)).await?;
        }
        Ok(count)
    }

    async fn lose_in_undo(&self, loss: Loss) -> Result<(), Failure> {
        let (before, through) = (&self.known.steps[..loss.step], &self.known.steps[..=loss.step]);
        let step = &self.known.steps[loss.step];
        let mut bench = self.trial.bench().await?;
        bench.advance(through).await?;
        let mutations = bench.memory.mutations();
        bench.wire.arm(Some((loss.request, loss.fault)));
        let tried = bench.undo(step, bench.outputs(step)).await;
        let case = format!("undo: {}", self.case(step, loss, &bench)?);
        let healed = match tried {
            Ok(_) => {
                bench.unfinish(step);
                Ok(())
            }
            Err(error) => {
                says_unknown(&bench, mutations, &error).map_err(|failure| failure.during(&case))?;
                bench.heal_undo(step, error).await
            }
        };
        healed.map_err(|failure| failure.during(&case))?;
        bench.retreat(before).await.map_err(|failure| failure.during(&case))?;
        let back = bench.expect_beginning("everything");
        back.map_err(|failure| failure.during(&case))
    }

    /// Which request was hit; the fault must have fired.
    fn case(&self, step: &Step, loss: Loss, bench: &Bench) -> Result<String, Failure> {
        let (id, number) = (&step.id, loss.request + 1);
        match bench.wire.hit() {
            Some(request) => Ok(format!("`{id}`, request {number} ({request})")),
            None => Err(Failure::new(format!("`{id}` to make at least {number} requests, as before"), "fewer")),
        }
    }
}

/// Where a change may have happened, the error must say that it is not known.
fn says_unknown(bench: &Bench, mutations: usize, error: &flowswap_contract::Error) -> Result<(), Failure> {
    match error.effect {
        Effect::None if bench.memory.may_have_changed_since(mutations) => {
            Err(Failure::new("an error with effect unknown", say(error)))
        }
        _ => Ok(()),
    }
}
