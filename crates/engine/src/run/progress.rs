//! One tenant within a run: what is recorded is folded at once, so the state here is always the journal's.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{self as contract, ErrorKind, Evidence, Handle, Op, Step, StepParams, TestReply, Values};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Job, Pause, Ports, Terms};
use crate::{
    Direction, Draft, Entry, Event, JournalError, Mode, PlannedTenant, RunId, SecretStore, SecretStoreError, Tenant,
    TenantHistory, TenantState, Work, compare::seen_by,
};

pub(super) struct Progress<'a> {
    pub(super) ports: &'a Ports,
    pub(super) run: RunId,
    pub(super) tenant: Tenant,
    pub(super) planned: PlannedTenant,
    pub(super) history: TenantHistory,
    /// What `observe` found of steps that were begun and not finished, for `apply` to go on from.
    pub(super) found: BTreeMap<String, Values>,
    /// The step that was begun last was in doubt before: half done, as far as is known.
    half_done: bool,
    /// On what terms a person is asked.
    pub(super) terms: Terms,
}

impl<'a> Progress<'a> {
    /// Takes a tenant up.
    pub(super) async fn start(ports: &'a Ports, run: RunId, job: Job) -> Result<Self, JournalError> {
        let history = job.history.unwrap_or_else(|| TenantHistory::new(ports.clock.now()));
        let mut progress = Self {
            ports,
            run,
            tenant: job.tenant,
            planned: job.planned,
            history,
            found: BTreeMap::new(),
            half_done: false,
            terms: job.terms,
        };
        let direction = if job.goal.last_phase().is_some() { Direction::Forward } else { Direction::Back };
        let steps = progress.planned.steps.len();
        ports.events.emit(Event::TenantStarted { tenant: progress.name().to_owned(), steps });
        let tenant = Box::new(progress.planned.clone());
        progress.record(Entry::TenantStarted { direction, plan: job.plan, tenant, plugins: job.plugins }).await?;
        Ok(progress)
    }

    /// Lets go of it.
    pub(super) async fn finish(mut self, state: TenantState, reason: Option<String>) -> Result<(), JournalError> {
        self.record(Entry::TenantEnded { state, reason }).await
    }

    pub(super) fn name(&self) -> &str {
        &self.tenant.spec.name
    }

    /// The work that was begun; there always is some after `start`.
    pub(super) fn work(&self) -> Result<&Work, Pause> {
        self.history.work.as_ref().ok_or_else(|| Pause::Journal(defect("the tenant has no work that was begun")))
    }

    /// Writes a record and takes it into the state.
    pub(super) async fn record(&mut self, entry: Entry) -> Result<(), JournalError> {
        let at = self.ports.clock.now();
        // What could not be read again must not be written: the fold has its word first.
        let mut history = self.history.clone();
        history.take(&entry, self.run, at).map_err(|problem| defect(&problem))?;
        self.ports.journal.append(Draft { at, run: self.run, tenant: Some(self.name().to_owned()), entry }).await?;
        self.history = history;
        Ok(())
    }

    pub(super) async fn begin(&mut self, step: &Step, direction: Direction) -> Result<(), JournalError> {
        self.ports.events.emit(Event::StepStarted {
            tenant: self.name().to_owned(),
            step: step.id.clone(),
            title: step.proposal.title.clone(),
            direction,
        });
        self.half_done = self.history.work.as_ref().is_some_and(|work| work.doubt.is_some());
        self.record(Entry::StepStarted { step: step.id.clone(), direction }).await
    }

    /// Records that a change did not succeed. One that changed nothing leaves a doubt from before it standing.
    pub(super) async fn fail_try(
        &mut self,
        step: &Step,
        direction: Direction,
        error: contract::Error,
    ) -> Result<(), JournalError> {
        let error = if self.half_done { error.with_unknown_effect() } else { error };
        self.fail(step, direction, error).await
    }

    pub(super) async fn succeed(
        &mut self,
        step: &Step,
        direction: Direction,
        outputs: Values,
        evidence: Vec<Evidence>,
    ) -> Result<(), JournalError> {
        let event = Event::StepEnded {
            tenant: self.name().to_owned(),
            step: step.id.clone(),
            direction,
            evidence: evidence.clone(),
        };
        self.record(Entry::StepEnded { step: step.id.clone(), direction, outputs, evidence }).await?;
        self.ports.events.emit(event);
        Ok(())
    }

    pub(super) async fn fail(
        &mut self,
        step: &Step,
        direction: Direction,
        error: contract::Error,
    ) -> Result<(), JournalError> {
        self.fail_as_seen(step, direction, error, TestReply::default()).await
    }

    /// Records that a step did not succeed, with what was seen of it.
    pub(super) async fn fail_as_seen(
        &mut self,
        step: &Step,
        direction: Direction,
        error: contract::Error,
        seen: TestReply,
    ) -> Result<(), JournalError> {
        let message = error.message.clone();
        let event = Event::StepFailed { tenant: self.name().to_owned(), step: step.id.clone(), direction, message };
        let TestReply { outputs, evidence, .. } = seen;
        self.record(Entry::StepFailed { step: step.id.clone(), direction, error, evidence, outputs }).await?;
        self.ports.events.emit(event);
        Ok(())
    }

    /// Lets the step's plugin do something with it.
    pub(super) async fn call<T: DeserializeOwned>(&self, step: &Step, op: Op) -> Result<T, contract::Error> {
        let outputs = self.outputs_so_far(step).await.map_err(unreadable)?;
        let work = self.history.work.as_ref();
        let inputs = work.map(|work| work.inputs(step)).unwrap_or_default();
        let attempts = work.map(|work| work.attempts(&step.id)).unwrap_or_default();
        let given_at = work.and_then(|work| work.given_at(step)).map(|at| at.to_string());
        let params = StepParams { step: step.clone(), inputs, outputs, attempts, given_at };
        let params = match op {
            Op::Test => json!({ "step": params }),
            _ => json!(params),
        };
        let role = match op {
            Op::Observe => seen_by(step),
            _ => step.role,
        };
        self.tenant.call(role, op, Mode::of(op, Some(step)), self.run, Some(&step.id), params).await
    }

    /// What is known of the step's outputs: as it gave them, else what `observe` found, what a person said, and which
    /// secrets of it are in custody.
    async fn outputs_so_far(&self, step: &Step) -> Result<Values, SecretStoreError> {
        let work = self.history.work.as_ref();
        if let Some(done) = work.and_then(|work| work.done.iter().find(|done| done.id == step.id)) {
            return Ok(done.outputs.clone());
        }
        if step.proposal.phase.is_check()
            && let Some(work) = work.filter(|work| !work.notes(&step.id).is_empty())
        {
            return Ok(work.notes(&step.id));
        }
        let said = work.and_then(|work| work.doubt.as_ref()).filter(|doubt| doubt.step == step.id);
        let mut outputs = said.map(|doubt| doubt.known.clone()).unwrap_or_default();
        outputs.extend(self.found.get(&step.id).cloned().unwrap_or_default());
        outputs.extend(held(self.ports.secrets.as_ref(), self.name(), step).await?);
        Ok(outputs)
    }

    /// Forgets the secrets of a step that is not carried out, although one was kept for it: whoever says so knows of it,
    /// and it would be taken for that of the next try.
    pub(super) async fn forget_secrets_of(&mut self, step: &Step) -> Result<(), Pause> {
        let stuck = |error: SecretStoreError| {
            let cause = error.source.to_string();
            Pause::End(TenantState::Stuck, format!("step `{}` is not carried out, but {error}: {cause}", step.id))
        };
        let held = held(self.ports.secrets.as_ref(), self.name(), step).await.map_err(stuck)?;
        self.forget(held.values().filter_map(Handle::from_value).collect(), stuck).await
    }

    /// Forgets all secrets of a tenant that was taken back: what they opened is gone. Those that the journal knows, and
    /// those that were kept just before a crash. One that stayed would be taken for that of the next client.
    pub(super) async fn forget_secrets(&mut self) -> Result<(), Pause> {
        let mut handles = self.work()?.secrets.clone();
        for step in &self.planned.steps {
            let held = held(self.ports.secrets.as_ref(), self.name(), step).await.map_err(not_forgotten)?;
            handles.extend(held.values().filter_map(Handle::from_value));
        }
        self.forget(handles, not_forgotten).await
    }

    async fn forget(
        &mut self,
        handles: BTreeSet<Handle>,
        otherwise: impl Fn(SecretStoreError) -> Pause,
    ) -> Result<(), Pause> {
        for handle in handles {
            self.ports.secrets.remove(&handle).await.map_err(&otherwise)?;
            self.record(Entry::SecretRemoved { handle }).await?;
        }
        Ok(())
    }
}

/// The outputs of a step that are secrets in custody, by name: the last part of a handle is the name of the output.
pub(super) async fn held(secrets: &dyn SecretStore, tenant: &str, step: &Step) -> Result<Values, SecretStoreError> {
    let mut held = Values::new();
    for name in &step.proposal.gives {
        let handle = Handle::new(format!("{tenant}/{}/{name}", step.id));
        if secrets.get(&handle).await?.is_some() {
            held.insert(name.clone(), handle.to_value());
        }
    }
    Ok(held)
}

/// Without knowing what is in custody, a step could be taken for one whose secret was lost.
fn unreadable(error: SecretStoreError) -> contract::Error {
    let cause = error.source.to_string();
    contract::Error::new(ErrorKind::Internal, format!("{error}: {cause}"))
}

fn not_forgotten(error: SecretStoreError) -> Pause {
    let cause = error.source.to_string();
    Pause::End(TenantState::RollingBack, format!("everything is taken back, but {error}: {cause}"))
}

pub(super) fn defect(problem: &str) -> JournalError {
    JournalError::Storage { doing: "record what happened", source: problem.to_owned().into() }
}
