//! What holds of every step: it gives what it promises, can be repeated, is seen for what it is, and can be taken back.

use flowswap_contract::{ApplyReply, Observed, Reversibility, Step, Values};

use super::{Known, NO_CHANGE, NO_PERSON, NO_UNDO, Trial, each, looks::reversible, undone_by_plugin, unexpected};
use crate::{Failure, kit::Findings};

pub(crate) async fn examine(trial: &Trial<'_>, known: &Known, findings: &mut Findings) {
    findings.note("apply.plan", plan(trial, known).await);
    let laws = Laws { trial, known };
    findings.note_cases("apply.gives", each(laws.changing(), |at| laws.gives(at)).await, NO_CHANGE);
    findings.note_cases("operator.asks", each(&known.by_hand, |step| laws.asks(step)).await, NO_PERSON);
    findings.note_cases("apply.twice", each(laws.changing(), |at| laws.apply_twice(at)).await, NO_CHANGE);
    findings.note_cases("undo.twice", each(laws.undoable(), |at| laws.undo_twice(at)).await, NO_UNDO);
    findings.note_cases("undo.unapplied", each(laws.undoable(), |at| laws.undo_unapplied(at)).await, NO_UNDO);
    findings.note_cases("undo.every-prefix", each(laws.revocable(), |at| laws.undo_prefix(at)).await, NO_UNDO);
    findings.note_cases("observe.before", each(laws.changing(), |at| laws.observe_before(at)).await, NO_CHANGE);
    findings.note_cases(
        "observe.after-apply",
        each(laws.changing(), |at| laws.observe_after_apply(at)).await,
        NO_CHANGE,
    );
    findings.note_cases("observe.after-undo", each(laws.undoable(), |at| laws.observe_after_undo(at)).await, NO_UNDO);
}

async fn plan(trial: &Trial<'_>, known: &Known) -> Result<(), Failure> {
    trial.bench().await?.advance(&known.steps).await
}

struct Laws<'a> {
    trial: &'a Trial<'a>,
    known: &'a Known,
}

impl Laws<'_> {
    /// Where the steps are that change something.
    fn changing(&self) -> Vec<usize> {
        positions(&self.known.steps)
    }

    /// Those of them from which, with all before them, there is a way back.
    fn revocable(&self) -> Vec<usize> {
        positions(reversible(&self.known.steps))
    }

    /// Those of them that the plugin takes back itself.
    fn undoable(&self) -> Vec<usize> {
        undone_by_plugin(&self.known.steps)
    }

    fn step(&self, at: usize) -> (&Step, &[Step], &[Step]) {
        let steps = &self.known.steps;
        (&steps[at], &steps[..at], &steps[..=at])
    }

    async fn gives(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.trial.bench().await?;
        bench.advance(through).await?;
        let outputs = bench.outputs(step);
        match step.proposal.gives.iter().find(|name| outputs.get(*name).is_none_or(|value| value.is_null())) {
            Some(name) => Err(Failure::new(format!("`{}` to give `{name}`", step.id), "it does not")),
            None => Ok(()),
        }
    }

    /// What a person does, a plugin must not have done, and the person must know what to do.
    async fn asks(&self, step: &Step) -> Result<(), Failure> {
        let before = self.known.steps.iter().take_while(|own| own.proposal.phase < step.proposal.phase).count();
        let mut bench = self.trial.bench().await?;
        bench.advance(&self.known.steps[..before]).await?;
        let untouched = bench.world.snapshot();
        let forward = bench.apply(step, Values::new()).await;
        said(step, "apply", forward)?;
        if step.proposal.reversibility == Reversibility::Attended {
            let back = bench.undo(step, Values::new()).await;
            said(step, "undo", back)?;
        }
        bench.expect_snapshot(&untouched, &format!("before a person was asked for `{}`", step.id))
    }

    /// The same message a second time. It may be refused; it must not harm.
    async fn apply_twice(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.trial.bench().await?;
        bench.advance(through).await?;
        let once = bench.world.snapshot();
        let _ = bench.apply(step, Values::new()).await;
        bench.expect_snapshot(&once, &format!("after the first `apply` of `{}`", step.id))
    }

    async fn undo_twice(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.trial.bench().await?;
        bench.advance(through).await?;
        let outputs = bench.outputs(step);
        bench.undo(step, outputs.clone()).await.map_err(unexpected("an undo that succeeds in peace"))?;
        let once = bench.world.snapshot();
        let _ = bench.undo(step, outputs).await;
        bench.expect_snapshot(&once, &format!("after the first `undo` of `{}`", step.id))
    }

    async fn undo_unapplied(&self, at: usize) -> Result<(), Failure> {
        let (step, before, _) = self.step(at);
        let mut bench = self.trial.bench().await?;
        bench.advance(before).await?;
        let untouched = bench.world.snapshot();
        let _ = bench.undo(step, Values::new()).await;
        bench.expect_snapshot(&untouched, &format!("before an `undo` of `{}`, which was never applied", step.id))
    }

    async fn undo_prefix(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.trial.bench().await?;
        bench.advance(through).await?;
        bench.retreat(through).await?;
        bench.expect_beginning(&format!("everything up to `{}`", step.id))
    }

    async fn observe_before(&self, at: usize) -> Result<(), Failure> {
        let (step, before, _) = self.step(at);
        let mut bench = self.trial.bench().await?;
        bench.advance(before).await?;
        see(step, Observed::NotApplied, bench.observe(step, Values::new()).await)
    }

    async fn observe_after_apply(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.trial.bench().await?;
        bench.advance(through).await?;
        see(step, Observed::Applied, bench.observe(step, bench.outputs(step)).await)
    }

    async fn observe_after_undo(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.trial.bench().await?;
        bench.advance(through).await?;
        let outputs = bench.outputs(step);
        bench.undo(step, outputs.clone()).await.map_err(unexpected("an undo that succeeds in peace"))?;
        see(step, Observed::NotApplied, bench.observe(step, outputs).await)
    }
}

fn said(step: &Step, verb: &str, reply: Result<ApplyReply, flowswap_contract::Error>) -> Result<(), Failure> {
    let expected = format!("`{verb}` of `{}` to reply with a run sheet", step.id);
    let reply = reply.map_err(unexpected(&expected))?;
    match reply.operator {
        Some(sheet) if !sheet.lines.is_empty() && !sheet.proof.is_empty() => Ok(()),
        Some(_) => Err(Failure::new(expected, "a sheet that does not say what to do, or what will show it")),
        None => Err(Failure::new(expected, "a reply without one")),
    }
}

pub(crate) fn positions(steps: &[Step]) -> Vec<usize> {
    let changing = steps.iter().enumerate().filter(|(_, step)| !step.proposal.phase.is_check());
    changing.map(|(at, _)| at).collect()
}

fn see(
    step: &Step,
    expected: Observed,
    reply: Result<flowswap_contract::ObserveReply, flowswap_contract::Error>,
) -> Result<(), Failure> {
    let expected_words = format!("`{}` to be observed as {expected:?}", step.id);
    let reply = reply.map_err(unexpected(&expected_words))?;
    if reply.state == expected {
        return Ok(());
    }
    Err(Failure::new(expected_words, format!("{:?}: {}", reply.state, reply.detail)))
}
