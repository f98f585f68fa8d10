//! Refusals and answers that make no sense, at every request of every verb: the error must be the other side's, and must
//! say rightly whether anything may have changed.

use flowswap_contract::{self as contract, Effect, ErrorKind, EvidenceResult, Op, Step, TestReply, Values};
use serde_json::{Value, json};

use super::{Known, NO_REQUEST, Trial, each, undone_by_plugin};
use crate::{
    Failure,
    bench::{Bench, say},
    kit::Findings,
    wire::Fault,
};

use ErrorKind::{Auth, Config, Conflict, Invalid, NotFound, Permission, RateLimited, Unavailable, Unsupported};

/// A wrong answer and the kinds of error that it may become.
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

/// One call: a verb, and how far the plan is when it is made.
#[derive(Debug, Clone, Copy)]
struct Occasion {
    op: Op,
    /// The step that it is about; none outside of steps.
    at: Option<usize>,
    /// How many steps are done before.
    done: usize,
}

/// What the call does in peace.
struct Peace {
    occasion: Occasion,
    requests: usize,
    reply: Value,
    outcome: Value,
}

pub(crate) async fn examine(trial: &Trial<'_>, known: &Known, findings: &mut Findings) {
    let errors = Errors { trial, known };
    let mut peaces = Vec::new();
    for occasion in errors.occasions() {
        match errors.in_peace(occasion).await {
            Ok(peace) => peaces.push(peace),
            Err(failure) => {
                ANSWERS.iter().for_each(|(id, ..)| findings.note(id, Err(failure.clone())));
                return;
            }
        }
    }
    for (id, fault, kinds) in ANSWERS {
        let cases = peaces.iter().flat_map(|peace| (0..peace.requests).map(move |request| (peace, request)));
        let verdict = each(cases, |(peace, request)| errors.disturb(peace, request, fault, kinds)).await;
        findings.note_cases(id, verdict, NO_REQUEST);
    }
}

struct Errors<'a> {
    trial: &'a Trial<'a>,
    known: &'a Known,
}

impl Errors<'_> {
    fn occasions(&self) -> Vec<Occasion> {
        let mut occasions = vec![Occasion { op: Op::Detect, at: None, done: 0 }];
        let undoable = undone_by_plugin(&self.known.steps);
        for (at, step) in self.known.steps.iter().enumerate() {
            let occasion = |op, done| Occasion { op, at: Some(at), done };
            if step.proposal.phase.is_check() {
                occasions.push(occasion(Op::Test, at));
                continue;
            }
            occasions.extend([occasion(Op::Apply, at), occasion(Op::Observe, at + 1)]);
            occasions.extend(undoable.contains(&at).then(|| occasion(Op::Undo, at + 1)));
        }
        occasions
    }

    async fn prepare(&self, occasion: Occasion) -> Result<Bench, Failure> {
        let mut bench = self.trial.bench().await?;
        bench.advance(&self.known.steps[..occasion.done]).await?;
        Ok(bench)
    }

    async fn make(&self, bench: &Bench, occasion: Occasion) -> Result<Value, contract::Error> {
        let Some(step) = occasion.at.map(|at| &self.known.steps[at]) else {
            return bench.detect().await.map(|inventory| json!(inventory));
        };
        match occasion.op {
            Op::Test => bench.test(step).await.map(|reply| json!(reply)),
            Op::Observe => bench.observe(step, bench.outputs(step)).await.map(|reply| json!(reply)),
            Op::Undo => bench.undo(step, bench.outputs(step)).await.map(|reply| json!(reply)),
            _ => bench.apply(step, Values::new()).await.map(|reply| json!(reply)),
        }
    }

    async fn in_peace(&self, occasion: Occasion) -> Result<Peace, Failure> {
        let bench = self.prepare(occasion).await?;
        bench.wire.arm(None);
        let reply = self.make(&bench, occasion).await;
        let reply =
            reply.map_err(|error| Failure::new(format!("`{}` to succeed in peace", occasion.op), say(&error)))?;
        Ok(Peace { occasion, requests: bench.wire.requests(), reply, outcome: bench.world.outcome() })
    }

    async fn disturb(&self, peace: &Peace, request: usize, fault: Fault, kinds: &[ErrorKind]) -> Result<(), Failure> {
        let occasion = peace.occasion;
        let bench = self.prepare(occasion).await?;
        let (before, mutations) = (bench.world.snapshot(), bench.memory.mutations());
        bench.wire.arm(Some((request, fault)));
        let reply = self.make(&bench, occasion).await;
        let step = occasion.at.map_or(String::new(), |at| format!(" of `{}`", self.known.steps[at].id));
        let hit = bench.wire.hit().unwrap_or_else(|| "which was not made".to_owned());
        let case = format!("{}{step}, request {} ({hit})", occasion.op, request + 1);
        let judged = match reply {
            Ok(reply) => self.judge_success(&bench, peace, &reply, fault, &hit),
            // Who was told that what it deletes is gone, and sees it all the same, may be as careful as it likes.
            Err(error) if error.effect == Effect::Unknown && fault == Fault::Status(404) => Ok(()),
            Err(error) => judge_error(&bench, &before, mutations, &error, kinds)
                .and(self.undo_of_nothing(&bench, occasion, &before, &error).await),
        };
        judged.map_err(|failure| failure.during(&case))
    }

    /// Whoever succeeds in spite of it must have got where it gets in peace, or tell what it saw.
    fn judge_success(
        &self,
        bench: &Bench,
        peace: &Peace,
        reply: &Value,
        fault: Fault,
        hit: &str,
    ) -> Result<(), Failure> {
        let is_read = hit.starts_with("GET");
        match (peace.occasion.op, fault) {
            // News that something is gone may well be what a plugin wants to hear.
            (_, Fault::Status(404)) => Ok(()),
            // Who is told that a change was made need not doubt it.
            (Op::Apply | Op::Undo, Fault::Body(_)) if !is_read => Ok(()),
            (Op::Apply | Op::Undo, _) => bench.expect_outcome(&peace.outcome, "in peace, or an error"),
            (Op::Test, _) if tells(reply) => Ok(()),
            // Who may not read something can still show the rest.
            (Op::Detect, Fault::Status(403)) if is_part(reply, &peace.reply) => Ok(()),
            (Op::Observe, _) if reply["state"] == "unknown" || reply["state"] == peace.reply["state"] => Ok(()),
            _ if *reply == peace.reply => Ok(()),
            _ => Err(Failure::new("an error, or the usual reply", crate::bench::cut(&reply.to_string()))),
        }
    }

    /// A failure that changed nothing leaves nothing to undo.
    async fn undo_of_nothing(
        &self,
        bench: &Bench,
        occasion: Occasion,
        before: &Value,
        error: &contract::Error,
    ) -> Result<(), Failure> {
        let undoable = undone_by_plugin(&self.known.steps);
        let step: Option<&Step> = occasion.at.filter(|at| undoable.contains(at)).map(|at| &self.known.steps[at]);
        let (Op::Apply, Effect::None, Some(step)) = (occasion.op, error.effect, step) else { return Ok(()) };
        bench.wire.arm(None);
        let _ = bench.undo(step, Values::new()).await;
        bench.expect_snapshot(before, "before an undo of what failed with effect none")
    }
}

/// Whether one value is the other but for members of objects that are left out.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, member)| whole.get(name).is_some_and(|whole| is_part(member, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_part(part, whole))
        }
        _ => part == whole,
    }
}

/// Evidence that does not pass says that something is wrong.
fn tells(reply: &Value) -> bool {
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
    // The answer is a bare `{}`, so who knows the other side's own refusals may take it for somebody else's, and then nothing is certain.
    let is_foreign = error.kind == Unavailable && error.context.get("answered_by").is_some_and(|by| by == "foreign");
    if !is_foreign && !kinds.contains(&error.kind) {
        let words: Vec<_> = kinds.iter().map(|kind| json!(kind).as_str().unwrap_or_default().to_owned()).collect();
        return Err(Failure::new(format!("an error of kind {}", words.join(" or ")), say(error)));
    }
    match error.effect {
        Effect::None => bench.expect_snapshot(before, "before a failure with effect none"),
        Effect::Unknown if is_foreign || bench.memory.may_have_changed_since(mutations) => Ok(()),
        Effect::Unknown => Err(Failure::new("effect none, as nothing can have changed", say(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_leaves_members_out_and_nothing_else() {
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
            assert_eq!(is_part(&part, &whole), expected, "{part}");
        }
    }
}
