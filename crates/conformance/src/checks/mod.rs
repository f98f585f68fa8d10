//! The checks, all of them, and the order in which they are made.

mod errors;
mod hello;
mod laws;
mod looks;
mod lost;
mod protocol;
mod secrets;

use flowswap_contract::{By, Reversibility, Step};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    Failure, MakeWorld,
    bench::{Bench, own, say},
    kit::{Findings, Kit, Subject},
};

/// Checks that belong together and can be made without the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What the plugin says of itself.
    Hello,
    /// How it bears what no host would send, and what only a host that is in trouble would.
    Protocol,
    /// What must not change anything.
    Looks,
    /// What holds of every step: once, twice, and back.
    Laws,
    /// What happens when an answer is lost.
    Lost,
    /// What it makes of refusals and of answers that make no sense.
    Errors,
    /// What it must never tell.
    Secrets,
}

impl Group {
    /// In the order in which they are made.
    pub const ALL: [Self; 7] =
        [Self::Hello, Self::Protocol, Self::Looks, Self::Laws, Self::Lost, Self::Errors, Self::Secrets];

    /// The group that a check belongs to, if there is one of this name.
    pub fn of(check: &str) -> Option<Self> {
        CHECKS.iter().find(|(_, id, _)| *id == check).map(|(group, _, _)| *group)
    }
}

/// Every check: its group, its name, and what it demands.
pub(crate) const CHECKS: &[(Group, &str, &str)] = &[
    (Group::Hello, "hello.starts", "the library loads, and greets as the contract has it"),
    (Group::Hello, "hello.once", "a greeting is answered with one greeting and nothing else"),
    (Group::Hello, "hello.same", "it says the same of itself every time and in every process"),
    (
        Group::Hello,
        "hello.version-skew",
        "it greets a host of a later minor version with features that it does not know",
    ),
    (Group::Hello, "hello.roles", "it serves at least one side, and names none twice"),
    (Group::Hello, "hello.keys", "its keys have names, are named once, and say what they are about"),
    (Group::Hello, "hello.origins", "its origins are https and filled from its own keys that are no secrets"),
    (Group::Protocol, "protocol.not-json", "bytes that are no message are ignored"),
    (Group::Protocol, "protocol.unknown-type", "a message of an unknown type is ignored"),
    (Group::Protocol, "protocol.unknown-fields", "unknown fields are ignored"),
    (Group::Protocol, "protocol.huge-message", "a message of eight million bytes is borne"),
    (Group::Protocol, "protocol.stray-answer", "an answer to what was never asked is ignored"),
    (Group::Protocol, "protocol.stray-cancel", "a cancellation of what does not run is ignored"),
    (Group::Protocol, "protocol.close-twice", "closing a session that is not open is ignored"),
    (
        Group::Protocol,
        "protocol.unknown-session",
        "a call to a session that was never opened is answered with an error",
    ),
    (Group::Protocol, "protocol.open-empty", "a session without its required keys is refused as wrong configuration"),
    (
        Group::Protocol,
        "protocol.open-wrong-types",
        "a session whose required keys have values of another type is refused as wrong configuration",
    ),
    (Group::Protocol, "protocol.opens", "a session opens with the world's configuration"),
    (
        Group::Protocol,
        "protocol.wrong-params",
        "parameters that do not decode are answered with an error, and nothing is asked",
    ),
    (Group::Protocol, "protocol.unknown-words", "an unknown verb is ignored or refused, and the next call is served"),
    (
        Group::Protocol,
        "protocol.wrong-answer",
        "an answer of another kind than was asked for ends the call with an error",
    ),
    (Group::Protocol, "protocol.cancel", "a call that is cancelled is silent, and the next one is served"),
    (Group::Protocol, "protocol.close-mid-call", "closing a session in the middle of a call is borne"),
    (Group::Protocol, "protocol.many-calls", "a hundred calls at once are told apart"),
    (Group::Looks, "world.repeats", "two new worlds are equal (a demand on the world, not on the plugin)"),
    (Group::Looks, "detect.answers", "`detect` shows the side that the session serves"),
    (Group::Looks, "detect.pure", "`detect` changes nothing"),
    (Group::Looks, "detect.dropped", "after a `detect` that is dropped in the middle the next one is served"),
    (Group::Looks, "access.pure", "`test` without a step brings evidence and changes nothing"),
    (Group::Looks, "plan.asks-nothing", "`plan` asks for nothing"),
    (Group::Looks, "plan.same", "`plan` proposes the same again, in every process"),
    (Group::Looks, "plan.sound", "the plan passes the engine's own lint"),
    (Group::Looks, "observe.pure", "`observe` of every step changes nothing"),
    (Group::Looks, "test.pure", "`test` of every step changes nothing"),
    (Group::Looks, "asks.awaited", "no call is over before all that it asked for is answered"),
    (Group::Looks, "messages.same", "the same messages lead to the same messages, byte for byte, in two processes"),
    (Group::Laws, "apply.plan", "the whole plan can be carried out"),
    (Group::Laws, "apply.gives", "every step gives what its proposal says"),
    (
        Group::Laws,
        "operator.asks",
        "`apply` of a step that a person carries out, and `undo` of one that a person takes back, say what to do and do nothing",
    ),
    (Group::Laws, "apply.twice", "every step can be applied twice without harm"),
    (Group::Laws, "undo.twice", "every step can be undone twice without harm"),
    (Group::Laws, "undo.unapplied", "undoing a step that was never applied changes nothing"),
    (Group::Laws, "undo.every-prefix", "after every prefix of the plan, undoing it leads back to the beginning"),
    (Group::Laws, "observe.before", "`observe` sees that a step is not applied yet"),
    (Group::Laws, "observe.after-apply", "`observe` sees that a step is applied"),
    (Group::Laws, "observe.after-undo", "`observe` sees that a step is undone"),
    (Group::Lost, "lost.apply.before", "a request of `apply` that never arrives is survived, whichever it is"),
    (Group::Lost, "lost.apply.after", "an answer to `apply` that is lost is survived, whichever it is"),
    (
        Group::Lost,
        "lost.apply.fails-after",
        "a 500 after `apply` has changed something is survived, whichever request it is",
    ),
    (
        Group::Lost,
        "lost.apply.undone",
        "a step whose answer was lost can be taken back as it was found, whichever request it is",
    ),
    (Group::Lost, "lost.undo.before", "a request of `undo` that never arrives is survived, whichever it is"),
    (Group::Lost, "lost.undo.after", "an answer to `undo` that is lost is survived, whichever it is"),
    (
        Group::Lost,
        "lost.undo.fails-after",
        "a 500 after `undo` has changed something is survived, whichever request it is",
    ),
    (Group::Errors, "errors.401", "a 401 is an error of credential or configuration, whichever request it is"),
    (Group::Errors, "errors.403", "a 403 is a refusal of permission, whichever request it is"),
    (Group::Errors, "errors.404", "a 404 is the other side's error, or news that an object is gone"),
    (Group::Errors, "errors.409", "a 409 is a conflict, whichever request it is"),
    (Group::Errors, "errors.429", "a 429 that does not end is a rate limit, whichever request it is"),
    (Group::Errors, "errors.500", "a 500 means that the other side is unavailable, whichever request it is"),
    (Group::Errors, "errors.503", "a 503 that does not end means that the other side is unavailable"),
    (Group::Errors, "errors.wrong-json", "an answer with another content is the other side's error"),
    (Group::Errors, "errors.no-json", "an answer that is no JSON is the other side's error"),
    (Group::Secrets, "secrets.untold", "no value of a secret is in anything that the plugin says or prints"),
];

/// Makes the checks of a group; returns why those were skipped that were not made.
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
        Group::Looks | Group::Laws | Group::Lost | Group::Errors | Group::Secrets => {}
    }
    let Some(make) = &kit.make else { return kit.no_world().to_owned() };
    let trial = Trial { kit, subject, make: MakeWorld::clone(make) };
    if group == Group::Looks {
        return looks::examine(&trial, findings).await;
    }
    let known = match trial.learn().await {
        Ok(known) => known,
        Err(failure) => {
            let why = format!("there is no plan to go by: {}", failure.seen);
            findings.fail_next(failure);
            return why;
        }
    };
    match group {
        Group::Laws => laws::examine(&trial, &known, findings).await,
        Group::Lost => lost::examine(&trial, &known, findings).await,
        Group::Errors => errors::examine(&trial, &known, findings).await,
        _ => secrets::examine(&trial, &known, findings).await,
    }
    String::new()
}

/// A plugin's process and the worlds that it is tried in.
pub(crate) struct Trial<'a> {
    pub(crate) kit: &'a Kit,
    pub(crate) subject: Subject,
    pub(crate) make: MakeWorld,
}

/// The steps that the plugin itself carries out; the same in every world.
pub(crate) struct Known {
    pub(crate) steps: Vec<Step>,
    /// Those of its role that a person carries out.
    pub(crate) by_hand: Vec<Step>,
}

impl Trial<'_> {
    /// A new world with a session. A plugin that dies all the time is not waited for at every check.
    pub(crate) async fn bench(&self) -> Result<Bench, Failure> {
        let restarts = self.subject.process.restarts().await;
        if restarts > MOST_RESTARTS {
            return Err(Failure::new("a plugin that stays alive", format!("it was started again {restarts} times")));
        }
        Bench::open(&self.subject, &self.make).await
    }

    async fn learn(&self) -> Result<Known, Failure> {
        let bench = self.bench().await?;
        let planned = looks::plan(&bench).await?;
        let is_by_hand = |step: &&Step| step.role == bench.role && step.proposal.by == By::Operator;
        let by_hand = planned.steps.iter().filter(is_by_hand).cloned().collect();
        Ok(Known { steps: own(&planned.steps, bench.role), by_hand })
    }
}

/// A group of checks goes on until the plugin was started again more often than this.
const MOST_RESTARTS: u32 = 2;

/// Cases run side by side: what takes time is mostly the host's own patience.
const AT_ONCE: usize = 8;

/// Runs all cases and counts them; the first failure counts for all.
async fn each<C, F>(cases: impl IntoIterator<Item = C>, run: impl Fn(C) -> F) -> Result<usize, Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let cases = stream::iter(cases.into_iter().map(run)).buffered(AT_ONCE);
    cases.try_fold(0, |count, ()| async move { Ok(count + 1) }).await
}

/// Why there is no case of a check.
const NO_CHANGE: &str = "no step of the plan changes anything";
const NO_PERSON: &str = "no step of the plan is left to a person";
const NO_UNDO: &str = "no step of the plan is undone by the plugin";
const NO_REQUEST: &str = "no request was made";

/// Where the steps are that change something and that the plugin takes back itself.
fn undone_by_plugin(steps: &[Step]) -> Vec<usize> {
    let is_by_plugin = |at: &usize| steps[*at].proposal.reversibility == Reversibility::Unattended;
    laws::positions(looks::reversible(steps)).into_iter().filter(is_by_plugin).collect()
}

/// An unexpected error as a failure.
fn unexpected(expected: &str) -> impl Fn(flowswap_contract::Error) -> Failure + '_ {
    move |error| Failure::new(expected, say(&error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own() {
        let names: BTreeSet<_> = CHECKS.iter().map(|(_, id, _)| id).collect();
        assert_eq!(names.len(), CHECKS.len());
        assert!(Group::ALL.iter().all(|group| CHECKS.iter().any(|(of, _, _)| of == group)));
    }
}
