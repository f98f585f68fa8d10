//! What must be true of every step: it gives what it promises, can be repeated, is observed correctly, and can be
//! undone.

use flowswap_contract::{ApplyReply, ErrorKind, Observed, Reversibility, Step, Values};

use super::{
    Harness, NO_CHANGE, NO_PERSON, NO_UNDO, PlannedSteps, each,
    read_only::{positions, reversible},
    undone_by_plugin, unexpected,
};
use crate::{Failure, bench::describe, findings::Findings};

pub(crate) async fn examine(harness: &Harness<'_>, planned: &PlannedSteps, findings: &mut Findings) {
    findings.note("apply.plan", plan(harness, planned).await);
    let checks = StepChecks { harness, planned };
    findings.note_cases("apply.gives", each(checks.changing(), |at| checks.gives(at)).await, NO_CHANGE);
    findings.note_cases("operator.asks", each(&planned.by_operator, |step| checks.asks(step)).await, NO_PERSON);
    findings.note_cases("apply.twice", each(checks.changing(), |at| checks.apply_twice(at)).await, NO_CHANGE);
    findings.note_cases("undo.twice", each(checks.undoable(), |at| checks.undo_twice(at)).await, NO_UNDO);
    findings.note_cases("undo.unapplied", each(checks.undoable(), |at| checks.undo_unapplied(at)).await, NO_UNDO);
    findings.note_cases("undo.every-prefix", each(checks.reversible(), |at| checks.undo_prefix(at)).await, NO_UNDO);
    findings.note_cases("observe.before", each(checks.changing(), |at| checks.observe_before(at)).await, NO_CHANGE);
    findings.note_cases(
        "observe.after-apply",
        each(checks.changing(), |at| checks.observe_after_apply(at)).await,
        NO_CHANGE,
    );
    findings.note_cases(
        "observe.after-undo",
        each(checks.undoable(), |at| checks.observe_after_undo(at)).await,
        NO_UNDO,
    );
}

async fn plan(harness: &Harness<'_>, planned: &PlannedSteps) -> Result<(), Failure> {
    harness.bench().await?.advance(&planned.steps).await
}

struct StepChecks<'a> {
    harness: &'a Harness<'a>,
    planned: &'a PlannedSteps,
}

impl StepChecks<'_> {
    /// The indexes of the steps that change something.
    fn changing(&self) -> Vec<usize> {
        positions(&self.planned.steps)
    }

    /// The indexes of the steps that change something and can be rolled back with all steps before them.
    fn reversible(&self) -> Vec<usize> {
        positions(reversible(&self.planned.steps))
    }

    /// The indexes of the steps that the plugin itself undoes.
    fn undoable(&self) -> Vec<usize> {
        undone_by_plugin(&self.planned.steps)
    }

    fn step(&self, at: usize) -> (&Step, &[Step], &[Step]) {
        let steps = &self.planned.steps;
        (&steps[at], &steps[..at], &steps[..=at])
    }

    async fn gives(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.harness.bench().await?;
        bench.advance(through).await?;
        let outputs = bench.outputs(step);
        match step.proposal.gives.iter().find(|name| outputs.get(*name).is_none_or(|value| value.is_null())) {
            Some(name) => Err(Failure::new(format!("`{}` to give `{name}`", step.id), "it does not")),
            None => Ok(()),
        }
    }

    /// For a step by a person, the plugin must return instructions and must not carry out the step itself.
    async fn asks(&self, step: &Step) -> Result<(), Failure> {
        let before = self.planned.steps.iter().take_while(|own| own.proposal.phase < step.proposal.phase).count();
        let mut bench = self.harness.bench().await?;
        bench.advance(&self.planned.steps[..before]).await?;
        let untouched = bench.world.snapshot();
        let forward = bench.apply(step, Values::new()).await;
        expect_run_sheet(step, "apply", forward)?;
        if step.proposal.reversibility == Reversibility::Attended {
            let back = bench.undo(step, Values::new()).await;
            expect_run_sheet(step, "undo", back)?;
        }
        bench.expect_snapshot(&untouched, &format!("before a person was asked for `{}`", step.id))
    }

    /// Sends the same `apply` a second time. The plugin may refuse it, but it must not change anything, and not only because the
    /// host refuses what it asks for.
    async fn apply_twice(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.harness.bench().await?;
        bench.advance(through).await?;
        let once = bench.world.snapshot();
        match bench.apply(step, Values::new()).await {
            Err(error) if error.kind == ErrorKind::Refused => {
                return Err(Failure::new("a second `apply` that asks for nothing forbidden", describe(&error)));
            }
            _ => {}
        }
        bench.expect_snapshot(&once, &format!("after the first `apply` of `{}`", step.id))
    }

    async fn undo_twice(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.harness.bench().await?;
        bench.advance(through).await?;
        let outputs = bench.outputs(step);
        bench.undo(step, outputs.clone()).await.map_err(unexpected("an undo that succeeds without faults"))?;
        let once = bench.world.snapshot();
        let _ = bench.undo(step, outputs).await;
        bench.expect_snapshot(&once, &format!("after the first `undo` of `{}`", step.id))
    }

    async fn undo_unapplied(&self, at: usize) -> Result<(), Failure> {
        let (step, before, _) = self.step(at);
        let mut bench = self.harness.bench().await?;
        bench.advance(before).await?;
        let untouched = bench.world.snapshot();
        let _ = bench.undo(step, Values::new()).await;
        bench.expect_snapshot(&untouched, &format!("before an `undo` of `{}`, which was never applied", step.id))
    }

    async fn undo_prefix(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.harness.bench().await?;
        bench.advance(through).await?;
        bench.roll_back(through).await?;
        bench.expect_initial_state(&format!("everything up to `{}`", step.id))
    }

    async fn observe_before(&self, at: usize) -> Result<(), Failure> {
        let (step, before, _) = self.step(at);
        let mut bench = self.harness.bench().await?;
        bench.advance(before).await?;
        expect_observed(step, Observed::NotApplied, bench.observe(step, Values::new()).await)
    }

    async fn observe_after_apply(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.harness.bench().await?;
        bench.advance(through).await?;
        expect_observed(step, Observed::Applied, bench.observe(step, bench.outputs(step)).await)
    }

    async fn observe_after_undo(&self, at: usize) -> Result<(), Failure> {
        let (step, _, through) = self.step(at);
        let mut bench = self.harness.bench().await?;
        bench.advance(through).await?;
        let outputs = bench.outputs(step);
        bench.undo(step, outputs.clone()).await.map_err(unexpected("an undo that succeeds without faults"))?;
        expect_observed(step, Observed::NotApplied, bench.observe(step, outputs).await)
    }
}

fn expect_run_sheet(
    step: &Step,
    verb: &str,
    reply: Result<ApplyReply, flowswap_contract::Error>,
) -> Result<(), Failure> {
    let expected = format!("`{verb}` of `{}` to reply with a run sheet", step.id);
    let reply = reply.map_err(unexpected(&expected))?;
    match reply.operator {
        Some(sheet) if !sheet.lines.is_empty() && !sheet.proof.is_empty() => Ok(()),
        Some(_) => Err(Failure::new(expected, "a run sheet without instructions or without proof")),
        None => Err(Failure::new(expected, "a reply without a run sheet")),
    }
}

fn expect_observed(
    step: &Step,
    expected: Observed,
    reply: Result<flowswap_contract::ObserveReply, flowswap_contract::Error>,
) -> Result<(), Failure> {
    let expected_text = format!("`{}` to be observed as {expected:?}", step.id);
    let reply = reply.map_err(unexpected(&expected_text))?;
    if reply.state == expected {
        return Ok(());
    }
    Err(Failure::new(expected_text, format!("{:?}: {}", reply.state, reply.detail)))
}
