//! All checks, and the order in which they run.

mod errors;
mod hello;
mod lost_answers;
mod protocol;
mod read_only;
mod secrets;
mod steps;

use flowswap_contract::{By, Reversibility, Step};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    Failure, MakeWorld,
    bench::{Bench, describe, own_steps},
    kit::{Findings, Kit, Subject},
};

/// A group of checks that can run without the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The greeting.
    Hello,
    /// Messages that no host would send, or that a host would send only in trouble.
    Protocol,
    /// Calls that must not change anything.
    ReadOnly,
    /// Steps that are applied, repeated, and undone.
    Steps,
    /// Recovery after a lost answer.
    LostAnswers,
    /// Refusals and meaningless answers.
    Errors,
    /// Secrets that the plugin must never reveal.
    Secrets,
}

impl Group {
    /// All groups, in the order in which they run.
    pub const ALL: [Self; 7] =
        [Self::Hello, Self::Protocol, Self::ReadOnly, Self::Steps, Self::LostAnswers, Self::Errors, Self::Secrets];

    /// The group of the check with this name, if there is one.
    pub fn of(check: &str) -> Option<Self> {
        CHECKS.iter().find(|(_, id, _)| *id == check).map(|(group, _, _)| *group)
    }
}

/// Every check: its group, its name, and what it demands.
pub(crate) const CHECKS: &[(Group, &str, &str)] = &[
    (Group::Hello, "hello.starts", "the library loads and greets as the contract requires"),
    (Group::Hello, "hello.once", "the plugin answers a greeting with exactly one greeting"),
    (Group::Hello, "hello.same", "the greeting is the same every time and in every process"),
    (
        Group::Hello,
        "hello.version-skew",
        "the plugin greets a host that has a later minor version and unknown features",
    ),
    (Group::Hello, "hello.roles", "the plugin serves at least one side, and names no side twice"),
    (Group::Hello, "hello.keys", "every configuration key has a unique name and a description"),
    (Group::Hello, "hello.origins", "every origin is https, and uses only declared keys that are not secret"),
    (Group::Protocol, "protocol.not-json", "bytes that are not a message are ignored"),
    (Group::Protocol, "protocol.unknown-type", "a message of an unknown type is ignored"),
    (Group::Protocol, "protocol.unknown-fields", "unknown fields are ignored"),
    (Group::Protocol, "protocol.huge-message", "the plugin accepts a message of eight million bytes"),
    (Group::Protocol, "protocol.stray-answer", "an answer to an ask that was never made is ignored"),
    (Group::Protocol, "protocol.stray-cancel", "the cancellation of a call that is not running is ignored"),
    (Group::Protocol, "protocol.close-twice", "closing a session that is not open is ignored"),
    (Group::Protocol, "protocol.unknown-session", "a call to a session that was never opened gets an error"),
    (Group::Protocol, "protocol.open-empty", "a session without its required keys gets a configuration error"),
    (
        Group::Protocol,
        "protocol.open-wrong-types",
        "a session whose required keys have values of the wrong type gets a configuration error",
    ),
    (Group::Protocol, "protocol.opens", "a session opens with the world's configuration"),
    (
        Group::Protocol,
        "protocol.wrong-params",
        "a call whose parameters do not decode gets an error, and the plugin asks for nothing",
    ),
    (Group::Protocol, "protocol.unknown-words", "an unknown verb is ignored or refused, and the next call is served"),
    (
        Group::Protocol,
        "protocol.wrong-answer",
        "an answer of a different kind than the ask ends the call with an error",
    ),
    (Group::Protocol, "protocol.cancel", "a canceled call sends nothing more, and the next call is served"),
    (Group::Protocol, "protocol.close-mid-call", "a session can be closed in the middle of a call"),
    (Group::Protocol, "protocol.many-calls", "a hundred concurrent calls are kept apart"),
    (Group::ReadOnly, "world.repeats", "two new worlds are equal (this checks the world, not the plugin)"),
    (Group::ReadOnly, "detect.answers", "`detect` returns the inventory of the side that the session serves"),
    (Group::ReadOnly, "detect.pure", "`detect` changes nothing"),
    (Group::ReadOnly, "detect.dropped", "after a `detect` is dropped in the middle, the next one is served"),
    (Group::ReadOnly, "access.pure", "`test` without a step returns evidence and changes nothing"),
    (Group::ReadOnly, "plan.asks-nothing", "`plan` asks for nothing"),
    (Group::ReadOnly, "plan.same", "`plan` proposes the same steps every time and in every process"),
    (Group::ReadOnly, "plan.sound", "the plan passes the engine's own lint"),
    (Group::ReadOnly, "observe.pure", "`observe` of every step changes nothing"),
    (Group::ReadOnly, "test.pure", "`test` of every step changes nothing"),
    (Group::ReadOnly, "asks.awaited", "no call ends before all of its asks are answered"),
    (Group::ReadOnly, "messages.same", "two processes answer the same messages with the same bytes"),
    (Group::Steps, "apply.plan", "the whole plan can be carried out"),
    (Group::Steps, "apply.gives", "every step gives the outputs that its proposal names"),
    (Group::Steps, "operator.asks", "`apply` and `undo` of a step by a person return a run sheet and change nothing"),
    (Group::Steps, "apply.twice", "every step can be applied twice without harm"),
    (Group::Steps, "undo.twice", "every step can be undone twice without harm"),
    (Group::Steps, "undo.unapplied", "undoing a step that was never applied changes nothing"),
    (Group::Steps, "undo.every-prefix", "undoing any first part of the plan restores the initial state"),
    (Group::Steps, "observe.before", "`observe` sees that a step is not applied yet"),
    (Group::Steps, "observe.after-apply", "`observe` sees that a step is applied"),
    (Group::Steps, "observe.after-undo", "`observe` sees that a step is undone"),
    (Group::LostAnswers, "lost.apply.before", "`apply` recovers when any one of its requests never arrives"),
    (Group::LostAnswers, "lost.apply.after", "`apply` recovers when the answer to any one of its requests is lost"),
    (
        Group::LostAnswers,
        "lost.apply.fails-after",
        "`apply` recovers when any one of its requests is carried out and answered with 500",
    ),
    (
        Group::LostAnswers,
        "lost.apply.undone",
        "a step can be undone after the answer to any one of its requests was lost",
    ),
    (Group::LostAnswers, "lost.undo.before", "`undo` recovers when any one of its requests never arrives"),
    (Group::LostAnswers, "lost.undo.after", "`undo` recovers when the answer to any one of its requests is lost"),
    (
        Group::LostAnswers,
        "lost.undo.fails-after",
        "`undo` recovers when any one of its requests is carried out and answered with 500",
    ),
    (Group::Errors, "errors.401", "a 401 to any request becomes an error of credentials, permission, or configuration"),
    (Group::Errors, "errors.403", "a 403 to any request becomes a permission error"),
    (Group::Errors, "errors.404", "a 404 to any request becomes an error, or means that an object is gone"),
    (Group::Errors, "errors.409", "a 409 to any request becomes a conflict"),
    (Group::Errors, "errors.429", "a persistent 429 to any request becomes a rate-limit error"),
    (Group::Errors, "errors.500", "a 500 to any request means that the other side is unavailable"),
    (Group::Errors, "errors.503", "a persistent 503 to any request means that the other side is unavailable"),
    (Group::Errors, "errors.wrong-json", "an answer with unexpected content becomes an error of the other side"),
    (Group::Errors, "errors.no-json", "an answer that is not JSON becomes an error of the other side"),
    (Group::Secrets, "secrets.untold", "no secret value is in anything that the plugin sends or prints"),
];

/// Runs the checks of a group. Returns the reason for all checks that have no result.
pub(crate) async fn examine(kit: &Kit, group: Group, findings: &mut Findings) -> String {
    let subject = match kit.start().await {
        Ok(subject) => subject,
        Err(error) => {
            let why = error.to_string();
            if group == Group::Hello || kit.make.is_some() {
                findings.fail_next(Failure::new("a plugin that starts", why.clone()));
            }
            return why;
        }
    };
    match group {
        Group::Hello => {
            hello::examine(kit, &subject, findings).await;
            return String::new();
        }
        Group::Protocol => return protocol::examine(kit, &subject, findings).await,
        Group::ReadOnly | Group::Steps | Group::LostAnswers | Group::Errors | Group::Secrets => {}
    }
    let Some(make) = &kit.make else { return kit.no_world().to_owned() };
    let harness = Harness { kit, subject, make: MakeWorld::clone(make) };
    if group == Group::ReadOnly {
        return read_only::examine(&harness, findings).await;
    }
    let planned = match harness.plan_steps().await {
        Ok(planned) => planned,
        Err(failure) => {
            let why = format!("there is no plan: {}", failure.seen);
            findings.fail_next(failure);
            return why;
        }
    };
    match group {
        Group::Steps => steps::examine(&harness, &planned, findings).await,
        Group::LostAnswers => lost_answers::examine(&harness, &planned, findings).await,
        Group::Errors => errors::examine(&harness, &planned, findings).await,
        _ => secrets::examine(&harness, &planned, findings).await,
    }
    String::new()
}

/// A plugin process, and the maker of the worlds to test it in.
pub(crate) struct Harness<'a> {
    pub(crate) kit: &'a Kit,
    pub(crate) subject: Subject,
    pub(crate) make: MakeWorld,
}

/// The plugin's steps in the plan; the same in every world.
pub(crate) struct PlannedSteps {
    /// The steps that the plugin itself carries out.
    pub(crate) steps: Vec<Step>,
    /// The steps of its role that a person carries out.
    pub(crate) by_operator: Vec<Step>,
}

impl Harness<'_> {
    /// Opens a session in a new world. Fails at once if the plugin died too often, so that not every check waits for a
    /// restart.
    pub(crate) async fn bench(&self) -> Result<Bench, Failure> {
        let restarts = self.subject.process.restarts().await;
        if restarts > MAX_RESTARTS {
            return Err(Failure::new("a plugin that stays alive", format!("it was restarted {restarts} times")));
        }
        Bench::open(&self.subject, &self.make).await
    }

    async fn plan_steps(&self) -> Result<PlannedSteps, Failure> {
        let bench = self.bench().await?;
        let planned = read_only::plan(&bench).await?;
        let is_by_operator = |step: &&Step| step.role == bench.role && step.proposal.by == By::Operator;
        let by_operator = planned.steps.iter().filter(is_by_operator).cloned().collect();
        Ok(PlannedSteps { steps: own_steps(&planned.steps, bench.role), by_operator })
    }
}

/// A group of checks stops when the plugin was restarted more often than this.
const MAX_RESTARTS: u32 = 2;

/// How many cases run at once. Most of their time is spent waiting in the host.
const AT_ONCE: usize = 8;

/// Runs all cases and counts them. The first failure ends the check.
async fn each<C, F>(cases: impl IntoIterator<Item = C>, run: impl Fn(C) -> F) -> Result<usize, Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let cases = stream::iter(cases.into_iter().map(run)).buffered(AT_ONCE);
    cases.try_fold(0, |count, ()| async move { Ok(count + 1) }).await
}

// Why a check has no case.
const NO_CHANGE: &str = "no step of the plan changes anything";
const NO_PERSON: &str = "no step of the plan is carried out by a person";
const NO_UNDO: &str = "the plugin undoes no step of the plan";
const NO_REQUEST: &str = "no request was made";

/// The indexes of the steps that change something and that the plugin itself undoes.
fn undone_by_plugin(steps: &[Step]) -> Vec<usize> {
    let is_by_plugin = |at: &usize| steps[*at].proposal.reversibility == Reversibility::Unattended;
    steps::positions(read_only::reversible(steps)).into_iter().filter(is_by_plugin).collect()
}

/// Turns an unexpected error into a failure.
fn unexpected(expected: &str) -> impl Fn(flowswap_contract::Error) -> Failure + '_ {
    move |error| Failure::new(expected, describe(&error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_unique_name_and_every_group_has_a_check() {
        let names: BTreeSet<_> = CHECKS.iter().map(|(_, id, _)| id).collect();
        assert_eq!(names.len(), CHECKS.len());
        assert!(Group::ALL.iter().all(|group| CHECKS.iter().any(|(of, _, _)| of == group)));
    }
}
