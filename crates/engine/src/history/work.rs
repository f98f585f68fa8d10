//! The work on one tenant: the steps that are done, the step in doubt, the requests that were sent, the secrets that are
//! stored.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use flowswap_contract::{Attempt, By, Effect, Evidence, Handle, Phase, Rotation, Step, Values};
use jiff::Timestamp;
use serde_json::Value;

use super::question::{Handover, Question};
use crate::{Direction, Entry, PlannedTenant, PluginPin, RequestOutcome, Resolution, RunId, intent_token};

/// The work on a tenant that was started and not completely rolled back.
#[derive(Debug, Clone)]
pub struct Work {
    /// The digest of the plan.
    pub plan: String,
    /// The tenant's part of the plan.
    pub tenant: Arc<PlannedTenant>,
    /// The org of the tenant: the provider's plugin, and the domain that the org shows.
    pub org: Option<(String, String)>,
    /// The plugins that carried it out last.
    pub plugins: BTreeMap<String, PluginPin>,
    /// The values that no step makes: the previous client secret of a rotation.
    brought: Values,
    /// The steps that were carried out and not rolled back, in order.
    pub done: Vec<DoneStep>,
    /// The steps that changed something and were rolled back, in the order of their rollback.
    pub undone: Vec<DoneStep>,
    /// The secrets that were stored and not deleted.
    pub secrets: BTreeSet<Handle>,
    /// The step in doubt: started, with an unknown outcome.
    pub doubt: Option<Doubt>,
    /// The mutating requests.
    pub requests: Vec<SentRequest>,
    /// What a person was asked to do, until flowswap sees it done.
    pub question: Option<Question>,
    /// What a person did, while it is in place. A person who finds it done wrongly repeats it by the same run sheet.
    pub answered: Option<Question>,
    /// The last result of each check, and the last attempt at each other step, of forward runs.
    pub last_results: BTreeMap<String, LastResult>,
    /// The secrets that were given to a person.
    pub handed_over: Vec<Handover>,
    /// When a person last confirmed a step. Declining it later does not clear this.
    pub(super) claimed_at: Option<Timestamp>,
    /// A person said that the new client is gone, and flowswap has not checked that.
    pub(crate) is_gone_by_claim: bool,
    /// What checks that did not pass have noted for their next execution.
    notes: BTreeMap<String, Values>,
    /// Which runs have started which step.
    attempts: BTreeMap<String, Vec<(RunId, Timestamp)>>,
}

/// A step that was carried out.
#[derive(Debug, Clone)]
pub struct DoneStep {
    /// The step.
    pub id: String,
    /// The values that it produced.
    pub outputs: Arc<Values>,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// When.
    pub at: Timestamp,
}

/// The result of a step's last check or attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct LastResult {
    /// When.
    pub at: Timestamp,
    /// Whether it passed.
    pub passed: bool,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// The earliest time at which another check can see more.
    pub again_at: Option<Timestamp>,
}

/// A step that was started and has no recorded end, or ended with an unknown effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    /// The step.
    pub step: String,
    /// Forward or back.
    pub direction: Direction,
    /// The outputs that a person passed.
    pub known: Values,
    /// How many requests the work had when the doubt arose.
    first_request: usize,
}

/// A mutating request that was about to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct SentRequest {
    /// The step.
    pub step: String,
    /// The run.
    pub run: RunId,
    /// Its number within run and step.
    pub number: u32,
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// When the intent was recorded.
    pub at: Timestamp,
    /// The secrets that the answer should bring.
    pub secrets: Vec<Handle>,
    /// What became of it. `None` if that was not recorded.
    pub outcome: Option<RequestOutcome>,
}

impl Work {
    pub(super) fn new(plan: &str, tenant: Arc<PlannedTenant>, plugins: BTreeMap<String, PluginPin>) -> Self {
        Self {
            plan: plan.to_owned(),
            // Every record makes an overview, which names the org, and what was seen is packed.
            org: tenant.org(),
            brought: brought(&tenant),
            tenant,
            plugins,
            done: Vec::new(),
            undone: Vec::new(),
            secrets: BTreeSet::new(),
            doubt: None,
            requests: Vec::new(),
            question: None,
            answered: None,
            last_results: BTreeMap::new(),
            handed_over: Vec::new(),
            claimed_at: None,
            is_gone_by_claim: false,
            notes: BTreeMap::new(),
            attempts: BTreeMap::new(),
        }
    }

    /// The handles under which the secret store may have a secret of this tenant. A run that was cut off may have stored one without
    /// a record of it, so the outputs of all steps are among them.
    pub fn may_be_stored(&self) -> BTreeSet<Handle> {
        let steps = self.tenant.steps.iter();
        let given = steps
            .flat_map(|step| step.proposal.gives.iter().map(|name| Handle::of_step(&self.tenant.name, &step.id, name)));
        let intended = self.requests.iter().flat_map(|sent| sent.secrets.iter().cloned());
        let brought = self.brought.values().filter_map(Handle::from_value);
        self.secrets.iter().cloned().chain(intended).chain(given).chain(brought).collect()
    }

    /// Whether the step was carried out and not rolled back.
    pub fn is_done(&self, step: &str) -> bool {
        self.done.iter().any(|done| done.id == step)
    }

    /// The values that are there from the start, and that the done steps produced, by name.
    pub fn values(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.brought.iter().chain(self.done.iter().flat_map(|done| done.outputs.iter()))
    }

    /// The values that a step needs, as far as they are known.
    pub fn inputs(&self, step: &Step) -> Values {
        of_need(step, self.values())
    }

    /// The values that a step needs, including those of steps that were rolled back, to observe that it is gone. Without the
    /// secrets of these steps, which are deleted.
    pub fn inputs_with_former(&self, step: &Step) -> Values {
        let former = self.undone.iter().flat_map(|done| without_secrets(&done.outputs));
        of_need(step, former.chain(self.values()))
    }

    /// The outputs of a step that was rolled back, without its secrets, which are deleted.
    pub fn former_outputs(&self, step: &str) -> Option<Values> {
        let done = self.undone.iter().find(|done| done.id == step)?;
        Some(owned(without_secrets(&done.outputs)))
    }

    /// Whether a step changes something, that is, is not a check.
    pub fn changes_something(&self, step: &str) -> bool {
        self.tenant.step(step).is_some_and(|step| !step.proposal.phase.is_check())
    }

    /// Whether a request should bring the output of this name as a secret.
    pub fn brings_secret(&self, output: &str) -> bool {
        let handles = self.requests.iter().flat_map(|sent| &sent.secrets);
        handles.map(Handle::output).any(|name| name == output)
    }

    /// Whether no request of the step in doubt can have arrived: every request since the doubt arose was not sent, and no
    /// person said otherwise. Valid only at the start of a run, because a run does not add its own requests.
    pub(crate) fn nothing_was_sent(&self) -> bool {
        let Some(doubt) = self.doubt.as_ref().filter(|doubt| doubt.known.is_empty()) else { return false };
        let mut requests = self.requests.iter().skip(doubt.first_request).filter(|sent| sent.step == doubt.step);
        requests.all(|sent| matches!(sent.outcome, Some(RequestOutcome::NotSent { .. })))
    }

    /// Whether a request of the step may have changed something: it was sent, and its answer is not a refusal. Valid only at
    /// the start of a run, because a run does not add its own requests.
    pub(crate) fn may_have_arrived(&self, step: &str) -> bool {
        let is_refused = |outcome: &RequestOutcome| match outcome {
            RequestOutcome::NotSent { .. } => true,
            RequestOutcome::Answered { status, .. } => (400..500).contains(status) && *status != 408,
            RequestOutcome::Lost { .. } => false,
        };
        let mut requests = self.requests.iter().filter(|sent| sent.step == step);
        requests.any(|sent| !sent.outcome.as_ref().is_some_and(is_refused))
    }

    /// The runs that have started the step, oldest first.
    pub fn attempts(&self, step: &str) -> Vec<Attempt> {
        let started = self.attempts.get(step).into_iter().flatten();
        started.map(|(run, at)| Attempt { token: intent_token(*run, step), at: at.to_string() }).collect()
    }

    /// The latest time at which a person received a secret or confirmed a step, and so may have carried this step out. `None`
    /// if no person carries out the step, or if neither has happened.
    pub fn given_at(&self, step: &Step) -> Option<Timestamp> {
        let handed_over = self.handed_over.iter().map(|handed_over| handed_over.at).max();
        handed_over.max(self.claimed_at).filter(|_| step.proposal.by == By::Operator)
    }

    pub(super) fn begin(&mut self, step: &str, direction: Direction, run: RunId, at: Timestamp) -> Result<(), String> {
        if self.tenant.step(step).is_none() {
            return Err(format!("the plan has no step `{step}`"));
        }
        match direction {
            Direction::Forward if self.is_done(step) && self.changes_something(step) => {
                return Err(format!("step `{step}` starts, but is already done"));
            }
            Direction::Back if !self.is_done(step) => {
                return Err(format!("step `{step}` is rolled back, but is not done"));
            }
            _ => {}
        }
        let (known, first_request) = match &self.doubt {
            Some(doubt) if doubt.step != step => {
                return Err(format!("step `{step}` starts while step `{}` is in doubt", doubt.step));
            }
            Some(doubt) => (doubt.known.clone(), doubt.first_request),
            None => (Values::new(), self.requests.len()),
        };
        self.doubt = Some(Doubt { step: step.to_owned(), direction, known, first_request });
        let attempts = self.attempts.entry(step.to_owned()).or_default();
        if attempts.last().is_none_or(|(last, _)| *last != run) {
            attempts.push((run, at));
        }
        Ok(())
    }

    pub(super) fn end(&mut self, done: DoneStep, direction: Direction) -> Result<(), String> {
        self.expect_started_in(&done.id, direction)?;
        self.doubt = None;
        self.notes.remove(&done.id);
        match (self.question.take(), direction) {
            (Some(question), Direction::Forward) => self.answered = Some(question),
            (_, Direction::Back) => {
                if self.answered.as_ref().is_some_and(|answered| answered.step == done.id) {
                    self.answered = None;
                }
            }
            (None, Direction::Forward) => {}
        }
        match direction {
            Direction::Forward => {
                self.keep(&done.outputs);
                self.mark_done(done);
            }
            Direction::Back => self.mark_undone(&done.id),
        }
        Ok(())
    }

    /// Marks the step as done.
    pub(super) fn mark_done(&mut self, done: DoneStep) {
        for steps in [&mut self.done, &mut self.undone] {
            steps.retain(|other| other.id != done.id);
        }
        self.done.push(done);
    }

    /// Marks the step as rolled back. Its outputs stay known, so that flowswap can check that its change is gone.
    pub(super) fn mark_undone(&mut self, step: &str) {
        let Some(index) = self.done.iter().position(|done| done.id == step) else { return };
        let done = self.done.remove(index);
        if self.changes_something(step) {
            self.undone.push(done);
        }
    }

    pub(super) fn fail(
        &mut self,
        step: &str,
        direction: Direction,
        effect: Effect,
        notes: &Values,
    ) -> Result<(), String> {
        self.expect_started_in(step, direction)?;
        if !notes.is_empty() {
            self.notes.insert(step.to_owned(), notes.clone());
        }
        // A check that passed before and fails now has not passed.
        if direction == Direction::Forward {
            self.done.retain(|done| done.id != step);
        }
        if effect == Effect::None {
            self.doubt = None;
            self.question = None;
        }
        Ok(())
    }

    /// The first confirmation that ran and did not pass.
    pub(super) fn first_unconfirmed(&self) -> Option<String> {
        let mut confirms = self.tenant.steps.iter().filter(|step| step.proposal.phase == Phase::Confirm);
        let found = confirms.find(|step| self.last_results.get(&step.id).is_some_and(|look| !look.passed))?;
        self.doubt.is_none().then(|| found.id.clone())
    }

    /// What a check has noted for its next execution.
    pub fn notes(&self, step: &str) -> Values {
        self.notes.get(step).cloned().unwrap_or_default()
    }

    pub(super) fn set_result(&mut self, step: &str, direction: Direction, look: LastResult) {
        if direction == Direction::Forward {
            self.last_results.insert(step.to_owned(), look);
        } else {
            self.last_results.remove(step);
        }
    }

    /// Adds an [`Entry::RequestIntended`].
    pub(super) fn intend(&mut self, step: &str, entry: &Entry, run: RunId, at: Timestamp) -> Result<(), String> {
        self.expect_started(step)?;
        let Entry::RequestIntended { request, method, url, secrets, .. } = entry else { return Ok(()) };
        // Numbers only increase: one whose record failed is not used again.
        let last = self.requests.iter().rfind(|sent| sent.run == run && sent.step == step);
        if let Some(last) = last.filter(|last| last.number >= *request) {
            return Err(format!("request {request} of step `{step}` comes after request {}", last.number));
        }
        self.requests.push(SentRequest {
            step: step.to_owned(),
            run,
            number: *request,
            method: method.clone(),
            url: url.clone(),
            at,
            secrets: secrets.clone(),
            outcome: None,
        });
        Ok(())
    }

    pub(super) fn conclude(
        &mut self,
        step: &str,
        run: RunId,
        number: u32,
        outcome: &RequestOutcome,
    ) -> Result<(), String> {
        self.expect_started(step)?;
        let is_it = |sent: &&mut SentRequest| sent.run == run && sent.step == step && sent.number == number;
        match self.requests.iter_mut().find(is_it) {
            None => Err(format!("request {number} of step `{step}` ends, but was not intended")),
            Some(sent) if sent.outcome.is_some() => Err(format!("request {number} of step `{step}` ends twice")),
            Some(sent) => {
                sent.outcome = Some(outcome.clone());
                Ok(())
            }
        }
    }

    pub(super) fn store(&mut self, step: &str, handle: &Handle) -> Result<(), String> {
        self.expect_started(step)?;
        // Up to format 1 an intent did not name the secrets.
        let mut requests = self.requests.iter().filter(|sent| sent.step == step);
        if !requests.any(|sent| sent.secrets.is_empty() || sent.secrets.contains(handle)) {
            return Err(format!("step `{step}` stores the secret `{handle}`, but none of its requests brings it"));
        }
        self.secrets.insert(handle.clone());
        Ok(())
    }

    /// Adds a generated secret. Its handle must name one of the step's outputs, because no request brings it.
    pub(super) fn keep_made(&mut self, step: &str, handle: &Handle) -> Result<(), String> {
        self.expect_started(step)?;
        let gives = self.tenant.step(step).map(|step| step.proposal.gives.as_slice()).unwrap_or_default();
        if !handle.is_of_step(&self.tenant.name, step) || !gives.iter().any(|output| output == handle.output()) {
            return Err(format!("step `{step}` makes the secret `{handle}`, but has no such output"));
        }
        self.secrets.insert(handle.clone());
        Ok(())
    }

    /// Applies a person's decision on the step. If not all of its outputs are known, the step stays in doubt with those that
    /// are.
    pub(super) fn resolve(
        &mut self,
        step: &str,
        stands: Resolution,
        outputs: &Values,
        at: Timestamp,
    ) -> Result<(), String> {
        if self.doubt.as_ref().is_some_and(|doubt| doubt.step != step) {
            return Err(format!("step `{step}` is resolved, but another step is in doubt"));
        }
        let Some(proposal) = self.tenant.step(step).map(|step| &step.proposal) else {
            return Err(format!("the plan has no step `{step}`"));
        };
        // The decision also closes the open question.
        let asked = self.question.take();
        if stands == Resolution::Applied {
            self.answered = asked.or(self.answered.take());
        }
        let is_client = proposal.phase == Phase::Provision;
        let is_whole = proposal.gives.iter().all(|name| outputs.contains_key(name));
        let is_done = self.is_done(step);
        match (stands, &mut self.doubt) {
            (Resolution::NotApplied, _) => {
                self.doubt = None;
                self.mark_undone(step);
                self.is_gone_by_claim |= is_client && is_done;
                // `Runner::resolve` has just deleted them.
                let tenant = &self.tenant.name;
                self.secrets.retain(|handle| !handle.is_of_step(tenant, step));
            }
            (Resolution::Applied, _) if is_done => self.doubt = None,
            (Resolution::Applied, Some(doubt)) if !is_whole => doubt.known = outputs.clone(),
            (Resolution::Applied, Some(_)) => {
                self.doubt = None;
                let outputs = outputs.clone();
                self.keep(&outputs);
                self.mark_done(DoneStep { id: step.to_owned(), outputs: outputs.into(), evidence: Vec::new(), at });
            }
            (Resolution::Applied, None) => return Err(format!("step `{step}` is not in doubt")),
        }
        Ok(())
    }

    /// Adds the secrets among the outputs. Secrets of other tenants are left out, because this tenant must not delete them.
    pub(super) fn keep(&mut self, outputs: &Values) {
        let handles = outputs.values().flat_map(Handle::find_all);
        self.secrets.extend(handles.filter(|handle| handle.is_of(&self.tenant.name)));
    }

    /// Requires that every step that changed something is rolled back.
    pub(super) fn expect_taken_back(&self) -> Result<(), String> {
        if let Some(doubt) = &self.doubt {
            return Err(format!("it is rolled back while step `{}` is in doubt", doubt.step));
        }
        match self.done.iter().find(|done| self.changes_something(&done.id)) {
            Some(step) => Err(format!("it is rolled back while step `{}` is in place", step.id)),
            None => Ok(()),
        }
    }

    pub(super) fn expect_started_in(&self, step: &str, direction: Direction) -> Result<(), String> {
        match &self.doubt {
            Some(doubt) if doubt.step == step && doubt.direction != direction => {
                Err(format!("step `{step}` was started in the other direction"))
            }
            _ => self.expect_started(step),
        }
    }

    fn expect_started(&self, step: &str) -> Result<(), String> {
        match &self.doubt {
            Some(doubt) if doubt.step == step => Ok(()),
            _ => Err(format!("step `{step}` was not started")),
        }
    }
}

/// The values that are not secrets.
fn without_secrets(outputs: &Values) -> impl Iterator<Item = (&String, &Value)> {
    outputs.iter().filter(|(_, value)| Handle::find_all(value).is_empty())
}

/// Those of the values that a step needs.
fn brought(tenant: &PlannedTenant) -> Values {
    let previous = tenant.rotation.as_ref().and_then(|rotation| rotation.previous.as_ref());
    previous.map(|handle| (Rotation::PREVIOUS_SECRET.to_owned(), handle.to_value())).into_iter().collect()
}

fn of_need<'a>(step: &Step, values: impl Iterator<Item = (&'a String, &'a Value)>) -> Values {
    owned(values.filter(|(name, _)| step.proposal.needs.contains(name)))
}

fn owned<'a>(values: impl Iterator<Item = (&'a String, &'a Value)>) -> Values {
    values.map(|(name, value)| (name.clone(), value.clone())).collect()
}
