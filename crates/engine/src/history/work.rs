//! Work on one tenant: the steps that stand, the one in doubt, the requests that were made, the secrets that are kept.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{Attempt, By, Effect, Evidence, Handle, Phase, Step, Values};
use jiff::Timestamp;

use super::question::{HandedOver, Question};
use crate::{Direction, Entry, PlannedTenant, PluginPin, RequestOutcome, Resolution, RunId, intent_token};

/// Work on a tenant that was begun and not taken back.
#[derive(Debug, Clone)]
pub struct Work {
    /// The digest of the plan.
    pub plan: String,
    /// The tenant's part of the plan.
    pub tenant: PlannedTenant,
    /// The plugins that did it.
    pub plugins: BTreeMap<String, PluginPin>,
    /// The steps that were carried out and not taken back, in order.
    pub done: Vec<DoneStep>,
    /// The changing steps that were carried out and taken back, in the order in which that happened, as they were done.
    pub undone: Vec<DoneStep>,
    /// The secrets that were kept and not forgotten.
    pub secrets: BTreeSet<Handle>,
    /// The step of which it is not known whether it was carried out, or taken back.
    pub doubt: Option<Doubt>,
    /// The mutating requests that were made for it, as far as the journal was read; a run does not take in its own.
    pub requests: Vec<SentRequest>,
    /// What a person was asked to do, and is not seen to be done yet.
    pub question: Option<Question>,
    /// What a person did, for as long as it stands: whoever finds it done wrongly does it again by the same sheet.
    pub answered: Option<Question>,
    /// The last look of each check, and the last try of each other step, on the way forward.
    pub looks: BTreeMap<String, Look>,
    /// The secrets that were given to a person.
    pub handed_over: Vec<HandedOver>,
    /// When a person said that what only a person can do is done; that it was declined later does not undo it.
    pub(super) claimed_at: Option<Timestamp>,
    /// A person said that the client that stood is gone, and nothing was seen to be so.
    pub(crate) is_gone_on_word: bool,
    /// What checks that did not pass have noted for their next look.
    notes: BTreeMap<String, Values>,
    /// Which runs have begun which step.
    attempts: BTreeMap<String, Vec<(RunId, Timestamp)>>,
}

/// A step that was carried out.
#[derive(Debug, Clone)]
pub struct DoneStep {
    /// The step.
    pub id: String,
    /// The values that it gave.
    pub outputs: Values,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// When.
    pub at: Timestamp,
}

/// What a step's last look or try saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// When.
    pub at: Timestamp,
    /// Whether all was as it must be.
    pub passed: bool,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// Before this another look cannot see more.
    pub again_at: Option<Timestamp>,
}

/// A step that was begun and has no end, or ended with an unknown effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    /// The step.
    pub step: String,
    /// Which way.
    pub direction: Direction,
    /// What a person said of its outputs.
    pub known: Values,
    /// How many requests the work had when the doubt arose.
    first_request: usize,
}

/// A mutating request that was about to leave.
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
    /// The secrets that the answer was to bring.
    pub secrets: Vec<Handle>,
    /// What became of it; none if that was not recorded.
    pub outcome: Option<RequestOutcome>,
}

impl Work {
    pub(super) fn new(plan: &str, tenant: &PlannedTenant, plugins: &BTreeMap<String, PluginPin>) -> Self {
        Self {
            plan: plan.to_owned(),
            tenant: tenant.clone(),
            plugins: plugins.clone(),
            done: Vec::new(),
            undone: Vec::new(),
            secrets: BTreeSet::new(),
            doubt: None,
            requests: Vec::new(),
            question: None,
            answered: None,
            looks: BTreeMap::new(),
            handed_over: Vec::new(),
            claimed_at: None,
            is_gone_on_word: false,
            notes: BTreeMap::new(),
            attempts: BTreeMap::new(),
        }
    }

    /// Whether the step was carried out and not taken back.
    pub fn is_done(&self, step: &str) -> bool {
        self.done.iter().any(|done| done.id == step)
    }

    /// The values that the steps so far gave, by name.
    pub fn values(&self) -> Values {
        self.done.iter().flat_map(|done| done.outputs.clone()).collect()
    }

    /// The values that a step needs, as far as they were given.
    pub fn inputs(&self, step: &Step) -> Values {
        self.of_need(step, self.values())
    }

    /// The same for a look at what was taken back: what steps that are gone gave still names it. Their secrets are forgotten.
    pub fn inputs_once(&self, step: &Step) -> Values {
        let mut values: Values = self.undone.iter().flat_map(|done| named(&done.outputs)).collect();
        values.extend(self.values());
        self.of_need(step, values)
    }

    /// What a step gave that was taken back, without its secrets, which are forgotten.
    pub fn outputs_once(&self, step: &str) -> Option<Values> {
        self.undone.iter().find(|done| done.id == step).map(|done| named(&done.outputs).collect())
    }

    fn of_need(&self, step: &Step, mut values: Values) -> Values {
        values.retain(|name, _| step.proposal.needs.contains(name));
        values
    }

    /// Whether a step is one that changes the world.
    pub fn changes_something(&self, step: &str) -> bool {
        self.tenant.step(step).is_some_and(|step| !step.proposal.phase.is_check())
    }

    /// Whether a request was to bring the output of this name as a secret.
    pub fn brings_secret(&self, output: &str) -> bool {
        let handles = self.requests.iter().flat_map(|sent| &sent.secrets);
        handles.filter_map(|handle| handle.as_str().rsplit('/').next()).any(|name| name == output)
    }

    /// Whether no request of the step in doubt can have arrived: none was intended since the doubt arose, or those that
    /// were never left, and nobody said otherwise. Good only at the beginning of a run, which does not take its own requests in.
    pub(crate) fn nothing_was_sent(&self) -> bool {
        let Some(doubt) = self.doubt.as_ref().filter(|doubt| doubt.known.is_empty()) else { return false };
        let mut requests = self.requests.iter().skip(doubt.first_request).filter(|sent| sent.step == doubt.step);
        requests.all(|sent| matches!(sent.outcome, Some(RequestOutcome::NotSent { .. })))
    }

    /// Whether a request of the step may have been carried out: it was not refused before anything was done. Good only at the
    /// beginning of a run, like the one before.
    pub(crate) fn may_have_arrived(&self, step: &str) -> bool {
        let is_refused = |outcome: &RequestOutcome| match outcome {
            RequestOutcome::NotSent { .. } => true,
            RequestOutcome::Answered { status, .. } => (400..500).contains(status) && *status != 408,
            RequestOutcome::Lost { .. } => false,
        };
        let mut requests = self.requests.iter().filter(|sent| sent.step == step);
        requests.any(|sent| !sent.outcome.as_ref().is_some_and(is_refused))
    }

    /// The runs that have begun the step, oldest first.
    pub fn attempts(&self, step: &str) -> Vec<Attempt> {
        let begun = self.attempts.get(step).into_iter().flatten();
        begun.map(|(run, at)| Attempt { token: intent_token(*run, step), at: at.to_string() }).collect()
    }

    /// Until when a person may have carried the step out without that being seen: since then nobody was given a secret, nor said
    /// that anything is done. None for a step that is not a person's, and while there is no sign of it.
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
                return Err(format!("step `{step}` begins, and is done"));
            }
            Direction::Back if !self.is_done(step) => {
                return Err(format!("step `{step}` is taken back, and is not done"));
            }
            _ => {}
        }
        let (known, first_request) = match &self.doubt {
            Some(doubt) if doubt.step != step => {
                return Err(format!("step `{step}` begins while it is not known what became of `{}`", doubt.step));
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
        self.expect_begun_in(&done.id, direction)?;
        self.doubt = None;
        self.notes.remove(&done.id);
        match (self.question.take(), direction) {
            (Some(question), Direction::Forward) => self.answered = Some(question),
            (_, Direction::Back) => {
                self.answered.take_if(|answered| answered.step == done.id).into_iter().for_each(drop)
            }
            (None, Direction::Forward) => {}
        }
        match direction {
            Direction::Forward => {
                self.keep(&done.outputs);
                self.put(done);
            }
            Direction::Back => self.take_back(&done.id),
        }
        Ok(())
    }

    /// The step stands.
    pub(super) fn put(&mut self, done: DoneStep) {
        for steps in [&mut self.done, &mut self.undone] {
            steps.retain(|other| other.id != done.id);
        }
        self.done.push(done);
    }

    /// The step does not stand any more. What it gave is still known, so that it can be seen to be gone.
    pub(super) fn take_back(&mut self, step: &str) {
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
        self.expect_begun_in(step, direction)?;
        if !notes.is_empty() {
            self.notes.insert(step.to_owned(), notes.clone());
        }
        // A check that did not pass again has not passed.
        if direction == Direction::Forward {
            self.done.retain(|done| done.id != step);
        }
        if effect == Effect::None {
            (self.doubt, self.question) = (None, None);
        }
        Ok(())
    }

    /// The first confirmation that was looked at and did not pass.
    pub(super) fn first_unconfirmed(&self) -> Option<String> {
        let mut confirms = self.tenant.steps.iter().filter(|step| step.proposal.phase == Phase::Confirm);
        let found = confirms.find(|step| self.looks.get(&step.id).is_some_and(|look| !look.passed))?;
        self.doubt.is_none().then(|| found.id.clone())
    }

    /// What a check has noted for its next look.
    pub fn notes(&self, step: &str) -> Values {
        self.notes.get(step).cloned().unwrap_or_default()
    }

    pub(super) fn looked(&mut self, step: &str, direction: Direction, look: Look) {
        if direction == Direction::Forward {
            self.looks.insert(step.to_owned(), look);
        } else {
            self.looks.remove(step);
        }
    }

    /// Takes in an entry of the kind [`Entry::RequestIntended`].
    pub(super) fn intend(&mut self, step: &str, entry: &Entry, run: RunId, at: Timestamp) -> Result<(), String> {
        self.expect_begun(step)?;
        let Entry::RequestIntended { request, method, url, secrets, .. } = entry else { return Ok(()) };
        // A number that could not be recorded is not used again.
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
        self.expect_begun(step)?;
        let is_it = |sent: &&mut SentRequest| sent.run == run && sent.step == step && sent.number == number;
        match self.requests.iter_mut().find(is_it) {
            None => Err(format!("request {number} of step `{step}` ends, and was not intended")),
            Some(sent) if sent.outcome.is_some() => Err(format!("request {number} of step `{step}` ends twice")),
            Some(sent) => {
                sent.outcome = Some(outcome.clone());
                Ok(())
            }
        }
    }

    pub(super) fn store(&mut self, step: &str, handle: &Handle) -> Result<(), String> {
        self.expect_begun(step)?;
        // Up to format 1 an intent did not name the secrets.
        let mut requests = self.requests.iter().filter(|sent| sent.step == step);
        if !requests.any(|sent| sent.secrets.is_empty() || sent.secrets.contains(handle)) {
            return Err(format!("step `{step}` keeps the secret `{handle}`, which no request was to bring"));
        }
        self.secrets.insert(handle.clone());
        Ok(())
    }

    /// A secret that no answer brought stands under the name of one of the step's outputs.
    pub(super) fn keep_made(&mut self, step: &str, handle: &Handle) -> Result<(), String> {
        self.expect_begun(step)?;
        let gives = self.tenant.step(step).map(|step| step.proposal.gives.as_slice()).unwrap_or_default();
        let name = |output: &String| format!("{}/{step}/{output}", self.tenant.name);
        if !gives.iter().any(|output| name(output) == handle.as_str()) {
            return Err(format!("step `{step}` makes the secret `{handle}`, which is none of its outputs"));
        }
        self.secrets.insert(handle.clone());
        Ok(())
    }

    /// A person's word settles the step; where its outputs are not all known, only what of them is.
    pub(super) fn resolve(
        &mut self,
        step: &str,
        stands: Resolution,
        outputs: &Values,
        at: Timestamp,
    ) -> Result<(), String> {
        if self.doubt.as_ref().is_some_and(|doubt| doubt.step != step) {
            return Err(format!("step `{step}` is resolved, and is not the one in doubt"));
        }
        let Some(proposal) = self.tenant.step(step).map(|step| &step.proposal) else {
            return Err(format!("the plan has no step `{step}`"));
        };
        // Whoever decides has the last word on what was asked.
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
                self.take_back(step);
                self.is_gone_on_word |= is_client && is_done;
                // They were forgotten just before.
                let kept_for_it = format!("{}/{step}/", self.tenant.name);
                self.secrets.retain(|handle| !handle.as_str().starts_with(&kept_for_it));
            }
            (Resolution::Applied, _) if is_done => self.doubt = None,
            (Resolution::Applied, Some(doubt)) if !is_whole => doubt.known = outputs.clone(),
            (Resolution::Applied, Some(_)) => {
                self.doubt = None;
                let outputs = outputs.clone();
                self.keep(&outputs);
                self.put(DoneStep { id: step.to_owned(), outputs, evidence: Vec::new(), at });
            }
            (Resolution::Applied, None) => return Err(format!("step `{step}` is not in doubt")),
        }
        Ok(())
    }

    /// Takes note of the secrets among outputs. Another tenant's are not this one's to forget, whoever gave them.
    pub(super) fn keep(&mut self, outputs: &Values) {
        let own = format!("{}/", self.tenant.name);
        let handles = outputs.values().flat_map(Handle::find_all);
        self.secrets.extend(handles.filter(|handle| handle.as_str().starts_with(&own)));
    }

    /// Whether everything that changed the world was taken back.
    pub(super) fn expect_taken_back(&self) -> Result<(), String> {
        if let Some(doubt) = &self.doubt {
            return Err(format!("it is rolled back while it is not known what became of `{}`", doubt.step));
        }
        match self.done.iter().find(|done| self.changes_something(&done.id)) {
            Some(step) => Err(format!("it is rolled back while step `{}` stands", step.id)),
            None => Ok(()),
        }
    }

    pub(super) fn expect_begun_in(&self, step: &str, direction: Direction) -> Result<(), String> {
        match &self.doubt {
            Some(doubt) if doubt.step == step && doubt.direction != direction => {
                Err(format!("step `{step}` was begun in the other direction"))
            }
            _ => self.expect_begun(step),
        }
    }

    fn expect_begun(&self, step: &str) -> Result<(), String> {
        match &self.doubt {
            Some(doubt) if doubt.step == step => Ok(()),
            _ => Err(format!("step `{step}` was not begun")),
        }
    }
}

/// The values that are no secrets.
fn named(outputs: &Values) -> impl Iterator<Item = (String, serde_json::Value)> + '_ {
    let is_named = |(_, value): &(&String, &serde_json::Value)| Handle::find_all(value).is_empty();
    outputs.iter().filter(is_named).map(|(name, value)| (name.clone(), value.clone()))
}
