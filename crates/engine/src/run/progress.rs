//! One tenant within a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use flowswap_contract::{
    self as contract, Evidence, Handle, Json, Op, Role, Step, StepParams, TestParams, TestReply, Values,
};
use serde::de::DeserializeOwned;

use super::{
    Assignment, Basis, Cause, EarlyEnd, Job, Ports,
    cause::OwnWords,
    refuse::{accepted_changes, new_builds},
    with_hint,
};
use crate::{
    BackendCall, Direction, Entry, Event, Goal, JournalError, Mode, PlannedTenant, Recorder, Recording, RunId,
    SecretStore, SecretStoreError, Tenant, TenantHistory, TenantState, Work, compare::seen_by, turns::Turn,
};

pub(super) struct Progress<'a> {
    pub(super) ports: &'a Ports,
    pub(super) run: RunId,
    pub(super) tenant: Tenant,
    pub(super) planned: Arc<PlannedTenant>,
    pub(super) goal: Goal,
    recorder: Arc<Recorder>,
    /// The outputs that `observe` found of half-done steps. `apply` continues from them.
    pub(super) found: BTreeMap<String, Values>,
    /// Whether the last started step was already in doubt, so that it may be half done.
    half_done: bool,
    /// Who is asked, and when it is due.
    pub(super) assignment: Assignment,
    /// Held while a step is at work, so that a pause waits for its end.
    turn: Option<Turn>,
}

impl<'a> Progress<'a> {
    /// Starts work on a tenant.
    pub(super) async fn start(
        ports: &'a Ports,
        run: RunId,
        job: Job,
        recorder: Arc<Recorder>,
    ) -> Result<Self, JournalError> {
        let history = recorder.history()?;
        let Some(Basis { plan, tenant, .. }) = job.basis(&history) else {
            return Err(JournalError::invalid("there is no plan to carry out"));
        };
        let (plan, planned) = (plan.to_owned(), Arc::clone(tenant));
        // From now on, the build that the operator accepted counts.
        let plugins = new_builds(&job, &history);
        let name = &job.tenant.spec.name;
        ports.events.emit(Event::TenantStarted { tenant: name.clone(), steps: planned.steps.len() });
        let accepted = accepted_changes(&job, &history);
        if !accepted.is_empty() {
            ports.events.emit(Event::ChangesAccepted { tenant: name.clone(), changes: accepted.clone() });
        }
        let direction = job.goal.direction();
        recorder.record(Entry::TenantStarted { direction, plan, tenant: None, plugins, accepted }).await?;
        Ok(Self {
            ports,
            run,
            tenant: job.tenant,
            planned,
            goal: job.goal,
            recorder,
            found: BTreeMap::new(),
            half_done: false,
            assignment: job.assignment,
            turn: None,
        })
    }

    /// Ends work on the tenant.
    pub(super) async fn finish(
        self,
        state: TenantState,
        reason: Option<String>,
        interrupted: bool,
    ) -> Result<(), JournalError> {
        self.record(Entry::TenantEnded { state, reason, interrupted }).await
    }

    pub(super) fn name(&self) -> &str {
        &self.tenant.spec.name
    }

    /// What the journal has of the tenant.
    pub(super) fn history(&self) -> Result<Arc<TenantHistory>, EarlyEnd> {
        Ok(self.recorder.history()?)
    }

    /// The work that was started. It always exists after `start`.
    pub(super) fn work(&self) -> Result<Arc<Work>, EarlyEnd> {
        let work = self.history()?.work.clone();
        work.ok_or_else(|| EarlyEnd::Journal(JournalError::invalid("no work was started on the tenant")))
    }

    /// Whether the work is a rotation. It removes no client: the client keeps an active secret, and a secret is deactivated, which can
    /// be taken back, before it is deleted.
    pub(super) fn rotates(&self) -> bool {
        self.planned.rotation.is_some()
    }

    /// The recorder, for those who act while the work goes on.
    pub(super) fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.recorder)
    }

    /// Writes a record.
    pub(super) async fn record(&self, entry: Entry) -> Result<(), JournalError> {
        self.recorder.record(entry).await
    }

    /// Waits until a step may begin: while runs are paused, none does. Returns an error if the run is stopped.
    ///
    /// Comes before everything that the step relies on, because a pause can be long.
    pub(super) async fn take_turn(&mut self, step: &Step, direction: Direction) -> Result<(), EarlyEnd> {
        // A tenant that waits for a turn must not hold one.
        self.turn = None;
        let stop = self.ports.stop.clone();
        self.turn = tokio::select! {
            biased;
            () = stop.stopped() => None,
            turn = self.ports.turns.take() => Some(turn),
        };
        if self.turn.is_some() {
            return Ok(());
        }
        let doing = match direction {
            Direction::Forward => "",
            Direction::Back => "rolling back ",
        };
        let reason = format!("stopped before {doing}step `{}`", step.id);
        Err(EarlyEnd::InState(self.interrupted_state(), reason))
    }

    /// Ends the turn: until the next one, nothing is changed.
    pub(super) fn end_turn(&mut self) {
        self.turn = None;
    }

    /// Records that a step begins. It must have a turn.
    pub(super) async fn begin(&mut self, step: &Step, direction: Direction) -> Result<(), JournalError> {
        if self.turn.is_none() {
            return Err(JournalError::invalid("a step began without a turn"));
        }
        self.ports.events.emit(Event::StepStarted {
            tenant: self.name().to_owned(),
            step: step.id.clone(),
            title: step.proposal.title.clone(),
            direction,
        });
        self.half_done = self.is_in_doubt();
        self.record(Entry::StepStarted { step: step.id.clone(), direction }).await
    }

    /// Records a failed attempt at a change. If the step was already in doubt, it stays in doubt, even if this attempt changed
    /// nothing.
    pub(super) async fn record_failed_attempt(
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
        let outputs = Arc::new(outputs);
        self.record(Entry::StepEnded { step: step.id.clone(), direction, outputs, evidence }).await?;
        self.end_turn();
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
        self.end_turn();
        self.ports.events.emit(event);
        Ok(())
    }

    /// The cause of a failed call to a side, without what is the tenant's own.
    pub(super) fn cause_of(&self, side: Role, error: &contract::Error) -> Cause {
        Cause::of_error(side, error, &self.own_words())
    }

    /// The names and ids of this tenant.
    pub(super) fn own_words(&self) -> OwnWords {
        OwnWords::of(&self.tenant.spec, Some(&self.planned), self.work().ok().as_deref())
    }

    /// Calls a verb of the plugin for a step.
    pub(super) async fn call<T: DeserializeOwned>(&self, step: &Step, op: Op) -> Result<T, contract::Error> {
        let outputs = self.outputs_so_far(step).await?;
        let work = self.work().ok();
        let work = work.as_deref();
        let inputs = work.map(|work| work.inputs(step)).unwrap_or_default();
        let attempts = work.map(|work| work.attempts(&step.id)).unwrap_or_default();
        let given_at = work.and_then(|work| work.given_at(step)).map(|at| at.to_string());
        let rotation = self.planned.rotation.as_ref().map(|rotation| rotation.number);
        let params = StepParams { step: step.clone(), inputs, outputs, attempts, given_at, rotation };
        let params = match op {
            Op::Test => Json::encode(&TestParams { step: Some(params) }),
            _ => Json::encode(&params),
        }?;
        let role = match op {
            Op::Observe => seen_by(step),
            _ => step.role,
        };
        let mode = match Mode::of(op, Some(step)) {
            Mode::Remove if self.rotates() => Mode::Apply,
            mode => mode,
        };
        let recorder: &dyn Recording = &*self.recorder;
        let recorder = Some(recorder).filter(|_| mode != Mode::DryRun);
        self.tenant.call(role, BackendCall { op, mode, run: self.run, step: Some(&step.id), params, recorder }).await
    }

    /// What is known of the step's outputs. If the step is done, its own. Otherwise what a person passed, what `observe`
    /// found, and its secrets in the secret store.
    async fn outputs_so_far(&self, step: &Step) -> Result<Values, SecretStoreError> {
        let work = self.work().ok();
        let work = work.as_deref();
        if let Some(done) = work.and_then(|work| work.done.iter().find(|done| done.id == step.id)) {
            return Ok(Values::clone(&done.outputs));
        }
        if step.proposal.phase.is_check()
            && let Some(work) = work.filter(|work| !work.notes(&step.id).is_empty())
        {
            return Ok(work.notes(&step.id));
        }
        let said = work.and_then(|work| work.doubt.as_ref()).filter(|doubt| doubt.step == step.id);
        let mut outputs = said.map(|doubt| doubt.known.clone()).unwrap_or_default();
        outputs.extend(self.found.get(&step.id).cloned().unwrap_or_default());
        outputs.extend(stored_secrets(self.ports.secrets.as_ref(), self.name(), step).await?);
        Ok(outputs)
    }

    /// Deletes the stored secrets of a step that was not carried out. Otherwise the next attempt would use them as its own.
    pub(super) async fn forget_secrets_of(&mut self, step: &Step) -> Result<(), EarlyEnd> {
        let stuck = |error: SecretStoreError| {
            let what = with_hint(&error.into());
            EarlyEnd::InState(
                TenantState::Stuck,
                format!("step `{}` was not carried out, but flowswap {what}", step.id),
            )
        };
        let held = stored_secrets(self.ports.secrets.as_ref(), self.name(), step).await.map_err(stuck)?;
        self.forget(held.values().filter_map(Handle::from_value).collect(), stuck).await
    }

    /// Deletes all secrets of a tenant that was rolled back, because their clients are gone: those in the journal, and those
    /// that were stored just before a crash. Otherwise the next client would use them as its own.
    pub(super) async fn forget_secrets(&mut self) -> Result<(), EarlyEnd> {
        let mut handles = self.work()?.secrets.clone();
        for step in &self.planned.steps {
            let held = stored_secrets(self.ports.secrets.as_ref(), self.name(), step).await.map_err(not_forgotten)?;
            handles.extend(held.values().filter_map(Handle::from_value));
        }
        self.forget(handles, not_forgotten).await
    }

    /// Deletes the secrets of the work from before a rotation that has come to its end: the provider has deleted the previous secret.
    pub(super) async fn forget_settled(&mut self) -> Result<(), EarlyEnd> {
        let settled = self.history()?.settled.as_ref().map(|settled| settled.work.secrets.clone()).unwrap_or_default();
        let stuck = |error: SecretStoreError| {
            EarlyEnd::InState(
                TenantState::Retired,
                format!("the rotation is done, but flowswap {}", with_hint(&error.into())),
            )
        };
        self.forget(settled, stuck).await
    }

    async fn forget(
        &mut self,
        handles: BTreeSet<Handle>,
        otherwise: impl Fn(SecretStoreError) -> EarlyEnd,
    ) -> Result<(), EarlyEnd> {
        for handle in handles {
            self.ports.secrets.remove(&handle).await.map_err(&otherwise)?;
            self.record(Entry::SecretRemoved { handle }).await?;
        }
        Ok(())
    }
}

/// The outputs of a step that are in the secret store, by name. The last part of a handle is the name of the output.
pub(super) async fn stored_secrets(
    secrets: &dyn SecretStore,
    tenant: &str,
    step: &Step,
) -> Result<Values, SecretStoreError> {
    let mut held = Values::new();
    for name in &step.proposal.gives {
        let handle = Handle::of_step(tenant, &step.id, name);
        if secrets.get(&handle).await?.is_some() {
            held.insert(name.clone(), handle.to_value());
        }
    }
    Ok(held)
}

fn not_forgotten(error: SecretStoreError) -> EarlyEnd {
    let reason = format!("everything is rolled back, but flowswap {}", with_hint(&error.into()));
    EarlyEnd::InState(TenantState::RollingBack, reason)
}
