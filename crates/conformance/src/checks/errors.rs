//! Refusals and meaningless answers, at every request of every verb. The plugin must report an error of the right kind,
//! and must report correctly whether anything may have changed.

use flowswap_contract::{self as contract, Effect, ErrorKind, EvidenceResult, Op, Step, TestReply, Values};
use serde_json::{Value, json};

use super::{Harness, NO_REQUEST, PlannedSteps, each, undone_by_plugin};
use crate::{
    Failure,
    bench::{Bench, describe},
    findings::Findings,
    wire::Fault,
};

use ErrorKind::{Auth, Config, Conflict, Invalid, NotFound, Permission, RateLimited, Unavailable, Unsupported};

/// Each check with its wrong answer, and the kinds of error that this answer may become.
const ANSWERS: [(&str, Fault, &[ErrorKind]); 9] = [
    ("errors.401", Fault::Status(401), &[Auth, Permission, Config]),
    ("errors.403", Fault::Status(403), &[Permission, Auth]),
    ("errors.404", Fault::Status(404), &[NotFound, Conflict, Unsupported, Config]),
    ("errors.409", Fault::Status(409), &[Conflict]),
    ("errors.429", Fault::Status(429), &[RateLimited]),
    ("errors.500", Fault::Status(500), &[Unavailable]),
    ("errors.503", Fault::Status(503), &[Unavailable]),
    ("errors.wrong-json", Fault::Body(r#"{"surprise": true}"#), &[Invalid, Conflict, NotFound, Unavailable]),
    ("errors.no-json", Fault::Body("<html>surprise</html>"), &[Invalid, Conflict, NotFound, Unavailable]),
];

/// One call: a verb, and the state of the plan when the call is made.
#[derive(Debug, Clone, Copy)]
struct PlannedCall {
    op: Op,
    /// The index of the step of the call; `None` for a call without a step.
    at: Option<usize>,
    /// How many steps are done before the call.
    done: usize,
}

/// A call that was made without faults, for comparison.
struct Reference {
    call: PlannedCall,
    requests: usize,
    reply: Value,
    outcome: Value,
}

pub(crate) async fn examine(harness: &Harness<'_>, planned: &PlannedSteps, findings: &mut Findings) {
    let errors = Errors { harness, planned };
    let mut references = Vec::new();
    for call in errors.calls() {
        match errors.run_reference(call).await {
            Ok(reference) => references.push(reference),
            Err(failure) => {
                for (id, ..) in ANSWERS {
                    findings.note(id, Err(failure.clone()));
                }
                return;
            }
        }
    }
    for (id, fault, kinds) in ANSWERS {
        let cases =
            references.iter().flat_map(|reference| (0..reference.requests).map(move |request| (reference, request)));
        let verdict = each(cases, |(reference, request)| errors.run_with_fault(reference, request, fault, kinds)).await;
        findings.note_cases(id, verdict, NO_REQUEST);
    }
}

struct Errors<'a> {
    harness: &'a Harness<'a>,
    planned: &'a PlannedSteps,
}

impl Errors<'_> {
    fn calls(&self) -> Vec<PlannedCall> {
        let mut calls = vec![PlannedCall { op: Op::Detect, at: None, done: 0 }];
        let undoable = undone_by_plugin(&self.planned.steps);
        for (at, step) in self.planned.steps.iter().enumerate() {
            let call = |op, done| PlannedCall { op, at: Some(at), done };
            if step.proposal.phase.is_check() {
                calls.push(call(Op::Test, at));
                continue;
            }
            calls.extend([call(Op::Apply, at), call(Op::Observe, at + 1)]);
            calls.extend(undoable.contains(&at).then(|| call(Op::Undo, at + 1)));
        }
        calls
    }

    async fn prepare(&self, call: PlannedCall) -> Result<Bench, Failure> {
        let mut bench = self.harness.bench().await?;
        bench.advance(&self.planned.steps[..call.done]).await?;
        Ok(bench)
    }

    async fn make(&self, bench: &Bench, call: PlannedCall) -> Result<Value, contract::Error> {
        let Some(step) = call.at.map(|at| &self.planned.steps[at]) else {
            return bench.detect().await.map(|inventory| json!(inventory));
        };
        match call.op {
            Op::Test => bench.test(step).await.map(|reply| json!(reply)),
            Op::Observe => bench.observe(step, bench.outputs(step)).await.map(|reply| json!(reply)),
            Op::Undo => bench.undo(step, bench.outputs(step)).await.map(|reply| json!(reply)),
            _ => bench.apply(step, Values::new()).await.map(|reply| json!(reply)),
        }
    }

    async fn run_reference(&self, call: PlannedCall) -> Result<Reference, Failure> {
        let bench = self.prepare(call).await?;
        bench.wire.arm(None);
        let reply = self.make(&bench, call).await;
        let reply = reply
            .map_err(|error| Failure::new(format!("`{}` to succeed without faults", call.op), describe(&error)))?;
        Ok(Reference { call, requests: bench.wire.requests(), reply, outcome: bench.world.outcome() })
    }

    async fn run_with_fault(
        &self,
        reference: &Reference,
        request: usize,
        fault: Fault,
        kinds: &[ErrorKind],
    ) -> Result<(), Failure> {
        let call = reference.call;
        let bench = self.prepare(call).await?;
        let before = bench.world.snapshot();
        let mutations = bench.memory.mutations();
        bench.wire.arm(Some((request, fault)));
        let reply = self.make(&bench, call).await;
        let step = call.at.map_or(String::new(), |at| format!(" of `{}`", self.planned.steps[at].id));
        let hit = bench.wire.hit().unwrap_or_else(|| "not made".to_owned());
        let case = format!("{}{step}, request {} ({hit})", call.op, request + 1);
        let judged = match reply {
            Ok(reply) => self.judge_success(&bench, reference, &reply, fault, &hit),
            // A plugin that gets a 404 for what it deletes, but still sees the object, may report an unknown effect.
            Err(error) if error.effect == Effect::Unknown && fault == Fault::Status(404) => Ok(()),
            Err(error) => judge_error(&bench, &before, mutations, &error, kinds)
                .and(self.undo_failed_apply(&bench, call, &before, &error).await),
        };
        judged.map_err(|failure| failure.during(&case))
    }

    /// A call that succeeds despite the fault must reach the same result as without it, or report what it saw.
    fn judge_success(
        &self,
        bench: &Bench,
        reference: &Reference,
        reply: &Value,
        fault: Fault,
        hit: &str,
    ) -> Result<(), Failure> {
        let is_read = hit.starts_with("GET");
        match (reference.call.op, fault) {
            // That an object is gone can be the wanted result.
            (_, Fault::Status(404)) => Ok(()),
            // A plugin need not doubt a 200 to a change.
            (Op::Apply | Op::Undo, Fault::Body(_)) if !is_read => Ok(()),
            (Op::Apply | Op::Undo, _) => bench.expect_outcome(&reference.outcome, "without faults, or an error"),
            (Op::Test, _) if has_failed_evidence(reply) => Ok(()),
            // A `detect` that may not read something can still return the rest.
            (Op::Detect, Fault::Status(403)) if is_subset(reply, &reference.reply) => Ok(()),
            (Op::Observe, _) if reply["state"] == "unknown" || reply["state"] == reference.reply["state"] => Ok(()),
            _ if *reply == reference.reply => Ok(()),
            _ => Err(Failure::new("an error, or the usual reply", crate::bench::shorten(&reply.to_string()))),
        }
    }

    /// After an `apply` that failed with effect none, an undo must change nothing.
    async fn undo_failed_apply(
        &self,
        bench: &Bench,
        call: PlannedCall,
        before: &Value,
        error: &contract::Error,
    ) -> Result<(), Failure> {
        let undoable = undone_by_plugin(&self.planned.steps);
        let step: Option<&Step> = call.at.filter(|at| undoable.contains(at)).map(|at| &self.planned.steps[at]);
        let (Op::Apply, Effect::None, Some(step)) = (call.op, error.effect, step) else { return Ok(()) };
        bench.wire.arm(None);
        let _ = bench.undo(step, Values::new()).await;
        bench.expect_snapshot(before, "before the undo of an `apply` that failed with effect none")
    }
}

/// Whether `part` equals `whole`, except that members of objects may be missing.
fn is_subset(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, member)| whole.get(name).is_some_and(|whole| is_subset(member, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_subset(part, whole))
        }
        _ => part == whole,
    }
}

/// Whether the reply to `test` has evidence that does not pass.
fn has_failed_evidence(reply: &Value) -> bool {
    let reply: TestReply = serde_json::from_value(reply.clone()).unwrap_or_default();
    reply.evidence.iter().any(|item| item.result != EvidenceResult::Pass)
}

fn judge_error(
    bench: &Bench,
    before: &Value,
    mutations: usize,
    error: &contract::Error,
    kinds: &[ErrorKind],
) -> Result<(), Failure> {
    // The injected answer is a bare `{}`. A plugin that knows the other side's own errors may report it as the answer
    // of something in between, and then nothing is certain.
    let is_foreign = error.kind == Unavailable && error.context.get("answered_by").is_some_and(|by| by == "foreign");
    if !is_foreign && !kinds.contains(&error.kind) {
        let words: Vec<_> = kinds.iter().map(|kind| json!(kind).as_str().unwrap_or_default().to_owned()).collect();
        return Err(Failure::new(format!("an error of kind {}", words.join(" or ")), describe(error)));
    }
    match error.effect {
        Effect::None => bench.expect_snapshot(before, "before a failure with effect none"),
        Effect::Unknown if is_foreign || bench.memory.may_have_changed_since(mutations) => Ok(()),
        Effect::Unknown => Err(Failure::new("effect none, because nothing can have changed", describe(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subset_may_lack_members_and_nothing_else() {
        let whole = json!({"a": 1, "b": [{"c": 2, "d": 3}]});
        let table = [
            (whole.clone(), true),
            (json!({"a": 1, "b": [{"c": 2}]}), true),
            (json!({}), true),
            (json!({"a": 2}), false),
            (json!({"a": null}), false),
            (json!({"e": 1}), false),
            (json!({"b": []}), false),
            (json!({"b": [{"c": 3}]}), false),
            (json!([]), false),
        ];
        for (part, expected) in table {
            assert_eq!(is_subset(&part, &whole), expected, "{part}");
        }
    }
}
