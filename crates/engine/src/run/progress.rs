//! One tenant within a run: what is recorded is folded at once, so the state here is always the journal's.

use std::collections::BTreeMap;

use flowswap_contract::{self as contract, Evidence, Handle, Op, Step, StepParams, Values};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Job, Pause, Ports};
use crate::{
    Direction, Draft, Entry, Event, JournalError, Mode, PlannedTenant, RunId, Tenant, TenantHistory, TenantState,
    history::Work,
};

pub(super) struct Progress<'a> {
    pub(super) ports: &'a Ports,
    run: RunId,
    tenant: Tenant,
    pub(super) planned: PlannedTenant,
    pub(super) history: TenantHistory,
    /// What `observe` found of steps that were begun and not finished, for `apply` to go on from.
    pub(super) found: BTreeMap<String, Values>,
}

impl<'a> Progress<'a> {
    /// Takes a tenant up.
    pub(super) async fn start(ports: &'a Ports, run: RunId, job: Job) -> Result<Self, JournalError> {
        let history = job.history.unwrap_or_else(|| TenantHistory::new(ports.clock.now()));
        let mut progress =
            Self { ports, run, tenant: job.tenant, planned: job.planned, history, found: BTreeMap::new() };
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
        let draft = Draft { at, run: self.run, tenant: Some(self.name().to_owned()), entry: entry.clone() };
        self.ports.journal.append(draft).await?;
        self.history.take(&entry, at).map_err(|problem| defect(&problem))
    }

    pub(super) async fn begin(&mut self, step: &Step, direction: Direction) -> Result<(), JournalError> {
        self.ports.events.emit(Event::StepStarted {
            tenant: self.name().to_owned(),
            step: step.id.clone(),
            title: step.proposal.title.clone(),
            direction,
        });
        self.record(Entry::StepStarted { step: step.id.clone(), direction }).await
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
        evidence: Vec<Evidence>,
    ) -> Result<(), JournalError> {
        let message = error.message.clone();
        let event = Event::StepFailed { tenant: self.name().to_owned(), step: step.id.clone(), direction, message };
        self.record(Entry::StepFailed { step: step.id.clone(), direction, error, evidence }).await?;
        self.ports.events.emit(event);
        Ok(())
    }

    /// Lets the step's plugin do something with it.
    pub(super) async fn call<T: DeserializeOwned>(&self, step: &Step, op: Op) -> Result<T, contract::Error> {
        let values = self.history.work.as_ref().map(Work::values).unwrap_or_default();
        let inputs =
            step.proposal.needs.iter().filter_map(|name| Some((name.clone(), values.get(name)?.clone()))).collect();
        let params = StepParams { step: step.clone(), inputs, outputs: self.outputs_so_far(step).await };
        let (mode, params) = match op {
            Op::Test => (Mode::Apply, json!({ "step": params })),
            Op::Apply | Op::Undo => (Mode::Apply, json!(params)),
            Op::Detect | Op::Plan | Op::Observe => (Mode::DryRun, json!(params)),
        };
        self.tenant.call(step.role, op, mode, self.run, Some(&step.id), params).await
    }

    /// What is known of the step's outputs: as it gave them, else what `observe` found and which secrets of it are in
    /// custody. A handle's last part is the name of the output.
    async fn outputs_so_far(&self, step: &Step) -> Values {
        let done = self.history.work.as_ref().and_then(|work| work.done.iter().find(|done| done.id == step.id));
        if let Some(done) = done {
            return done.outputs.clone();
        }
        let mut outputs = self.found.get(&step.id).cloned().unwrap_or_default();
        for name in &step.proposal.gives {
            let handle = self.handle(step, name);
            if let Ok(Some(_)) = self.ports.secrets.get(&handle).await {
                outputs.insert(name.clone(), handle.to_value());
            }
        }
        outputs
    }

    /// Forgets the secrets of a step that was taken back: what they opened is gone.
    pub(super) async fn forget_secrets(&mut self, step: &Step) -> Result<(), Pause> {
        for name in &step.proposal.gives {
            let handle = self.handle(step, name);
            let held = self.ports.secrets.get(&handle).await.is_ok_and(|secret| secret.is_some());
            if held && self.ports.secrets.remove(&handle).await.is_ok() {
                self.record(Entry::SecretRemoved { handle }).await?;
            }
        }
        Ok(())
    }

    fn handle(&self, step: &Step, output: &str) -> Handle {
        Handle::new(format!("{}/{}/{output}", self.name(), step.id))
    }
}

fn defect(problem: &str) -> JournalError {
    JournalError::Storage { doing: "record what happened", source: problem.to_owned().into() }
}
