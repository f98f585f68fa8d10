//! All checks. The order in which they run is that of the list.

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
    candidate::{Candidate, Subject},
    findings::Findings,
    list::Group,
};

/// Runs the checks of a group. Returns the reason for all checks that have no result.
pub(crate) async fn examine(candidate: &Candidate, group: Group, findings: &mut Findings) -> String {
    let subject = match candidate.start().await {
        Ok(subject) => subject,
        Err(error) => {
            let why = error.to_string();
            if group == Group::Hello || candidate.make.is_some() {
                findings.fail_next(Failure::new("a plugin that starts", why.clone()));
            }
            return why;
        }
    };
    match group {
        Group::Hello => {
            hello::examine(candidate, &subject, findings).await;
            return String::new();
        }
        Group::Protocol => return protocol::examine(candidate, &subject, findings).await,
        Group::ReadOnly | Group::Steps | Group::LostAnswers | Group::Errors | Group::Secrets => {}
    }
    let Some(make) = &candidate.make else { return candidate.no_world.clone() };
    let harness = Harness { candidate, subject, make: MakeWorld::clone(make) };
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
    pub(crate) candidate: &'a Candidate,
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
const MAX_RESTARTS: usize = 2;

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
    read_only::positions(read_only::reversible(steps)).into_iter().filter(is_by_plugin).collect()
}

/// Turns an unexpected error into a failure.
fn unexpected(expected: &str) -> impl Fn(flowswap_contract::Error) -> Failure + '_ {
    move |error| Failure::new(expected, describe(&error))
}
