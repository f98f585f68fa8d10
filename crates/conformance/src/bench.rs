//! One test case: a new world with a session in it. It runs and rolls back the tenant's steps as the engine does.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use flowswap_contract::{
    self as contract, ApplyReply, Attempt, By, Effect, EvidenceResult, Handle, Inventory, ObserveReply, Observed, Op,
    Reversibility, Role, Step, StepParams, TestReply, Values,
};
use flowswap_engine::{Backend, BackendCall, Clock, Mode, Recording, RunId, StopSwitch, intent_token};
use flowswap_host::{Effects, Gate, Session, SessionConfig};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Failure, MakeWorld, StepOutput, World, candidate::Subject, memory::Memory, wire::Wire};

/// The time limit of a request; worlds answer at once.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How often a step is applied, and undone, before it counts as one that does not recover. The engine tries as often.
const MAX_APPLIES: usize = 3;
const MAX_UNDOS: usize = 4;

pub(crate) struct Bench {
    pub(crate) world: Box<dyn World>,
    pub(crate) wire: Wire,
    pub(crate) memory: Arc<Memory>,
    pub(crate) session: Arc<Session>,
    pub(crate) role: Role,
    pub(crate) tenant: String,
    /// The snapshot and the outcome of the world in its initial state.
    before: (Value, Value),
    /// Whether a person has taken a step back.
    person_acted: bool,
    /// The values that steps can use: those from the world, and the outputs of the steps done so far.
    values: Values,
    /// The outputs of each step that is done.
    done: BTreeMap<String, Values>,
}

impl Bench {
    /// Creates a world and opens a session in it.
    pub(crate) async fn open(subject: &Subject, make: &MakeWorld) -> Result<Self, Failure> {
        let world = make();
        // Each case starts without known secrets: the worlds of two cases may give equal ones.
        let config = SessionConfig { known: Arc::default(), ..world.session() };
        let (tenant, role) = (config.tenant.clone(), config.role);
        let wire = Wire::default();
        let memory = Arc::new(Memory::default());
        let mut values = Values::new();
        for (name, output) in world.other_side_outputs() {
            let value = match output {
                StepOutput::Value(value) => value,
                StepOutput::Secret(secret) => {
                    let handle = Handle::of_step(&tenant, "given", &name);
                    memory.keep(handle.clone(), secret);
                    handle.to_value()
                }
            };
            values.insert(name, value);
        }
        let effects = Effects {
            http: Arc::new(wire.connect(world.http())),
            secrets: Arc::clone(&memory) as _,
            clock: Arc::clone(&memory) as _,
            events: Arc::clone(&subject.recorder) as _,
            stop: StopSwitch::default().listen(),
            gate: Gate::default(),
            timeout: REQUEST_LIMIT,
        };
        let session = Session::open(Arc::clone(&subject.process), Arc::new(effects), config).await;
        let session = session.map_err(|error| Failure::new("a session that opens in the world", describe(&error)))?;
        let before = (world.snapshot(), world.outcome());
        let done = BTreeMap::new();
        Ok(Self { before, person_acted: false, world, wire, memory, session, role, tenant, values, done })
    }

    /// Makes a call as the engine does.
    pub(crate) async fn call(&self, op: Op, step: Option<&Step>, params: Value) -> Result<Value, contract::Error> {
        let mode = Mode::of(op, step);
        let step = step.map(|step| step.id.as_str());
        let recorder: &dyn Recording = &*self.memory;
        let recorder = Some(recorder).filter(|_| mode != Mode::DryRun);
        self.session.call(BackendCall { op, mode, run: RunId::none(), step, params: params.into(), recorder }).await
    }

    async fn call_for<T: DeserializeOwned>(
        &self,
        op: Op,
        step: Option<&Step>,
        params: Value,
    ) -> Result<T, contract::Error> {
        let reply = self.call(op, step, params).await?;
        serde_json::from_value(reply).map_err(|error| {
            let message = format!("the reply to `{op}` does not decode: {error}");
            contract::Error::new(contract::ErrorKind::Protocol, message)
        })
    }

    pub(crate) async fn detect(&self) -> Result<Inventory, contract::Error> {
        self.call_for(Op::Detect, None, Value::Null).await
    }

    pub(crate) async fn test_access(&self) -> Result<TestReply, contract::Error> {
        self.call_for(Op::Test, None, json!({})).await
    }

    pub(crate) async fn test(&self, step: &Step) -> Result<TestReply, contract::Error> {
        self.call_for(Op::Test, Some(step), json!({ "step": self.params(step, self.in_custody(step)) })).await
    }

    pub(crate) async fn observe(&self, step: &Step, known: Values) -> Result<ObserveReply, contract::Error> {
        self.call_for(Op::Observe, Some(step), json!(self.params(step, known))).await
    }

    pub(crate) async fn apply(&self, step: &Step, found: Values) -> Result<ApplyReply, contract::Error> {
        self.call_for(Op::Apply, Some(step), json!(self.params(step, found))).await
    }

    pub(crate) async fn undo(&self, step: &Step, known: Values) -> Result<ApplyReply, contract::Error> {
        self.call_for(Op::Undo, Some(step), json!(self.params(step, known))).await
    }

    fn params(&self, step: &Step, outputs: Values) -> StepParams {
        let needs = step.proposal.needs.iter();
        let inputs = needs.filter_map(|name| Some((name.clone(), self.values.get(name)?.clone()))).collect();
        let begun = Attempt { token: intent_token(RunId::none(), &step.id), at: self.memory.now().to_string() };
        StepParams { step: step.clone(), inputs, outputs, attempts: vec![begun], given_at: None, rotation: None }
    }

    /// The outputs of a step that is done; empty for any other step.
    pub(crate) fn outputs(&self, step: &Step) -> Values {
        self.done.get(&step.id).cloned().unwrap_or_default()
    }

    /// The outputs that the engine knows of a step in doubt: those of its secrets that are in custody.
    pub(crate) fn in_custody(&self, step: &Step) -> Values {
        let gives = step.proposal.gives.iter();
        gives
            .filter_map(|name| {
                let handle = self.handle(step, name);
                self.memory.holds(&handle).then(|| (name.clone(), handle.to_value()))
            })
            .collect()
    }

    fn handle(&self, step: &Step, name: &str) -> Handle {
        Handle::of_step(&self.tenant, &step.id, name)
    }

    /// Records that a step is done.
    pub(crate) fn mark_done(&mut self, step: &Step, outputs: Values) {
        self.values.extend(outputs.clone());
        self.done.insert(step.id.clone(), outputs);
    }

    /// Records that a step is undone and removes its secrets, as the engine eventually does.
    pub(crate) fn mark_undone(&mut self, step: &Step) {
        self.done.remove(&step.id);
        self.forget(step);
    }

    fn forget(&self, step: &Step) {
        for name in &step.proposal.gives {
            self.memory.forget(&self.handle(step, name));
        }
    }

    /// Runs steps without faults, including checks.
    pub(crate) async fn advance(&mut self, steps: &[Step]) -> Result<(), Failure> {
        for step in steps {
            self.run_step(step).await.map_err(|failure| failure.during(&format!("`{}`", step.id)))?;
        }
        Ok(())
    }

    async fn run_step(&mut self, step: &Step) -> Result<(), Failure> {
        if let Some(missing) = step.proposal.needs.iter().find(|name| !self.values.contains_key(*name)) {
            let expected = format!("an earlier step or the world to give `{missing}`, which the step needs");
            return Err(Failure::new(expected, "nothing gives it"));
        }
        let outputs = if step.proposal.phase.is_check() {
            let reply = self.test(step).await.map_err(|error| Failure::new("a check that passes", describe(&error)))?;
            if let Some(failed) = reply.evidence.iter().find(|item| item.result == EvidenceResult::Fail) {
                return Err(Failure::new("a check that passes", format!("{}: {}", failed.check, failed.detail)));
            }
            reply.outputs
        } else {
            let reply = self.apply(step, Values::new()).await;
            reply.map_err(|error| Failure::new("a step that succeeds without faults", describe(&error)))?.outputs
        };
        self.mark_done(step, outputs);
        Ok(())
    }

    /// Takes steps back without faults, the last one first. If a person must act, the world acts instead.
    pub(crate) async fn roll_back(&mut self, steps: &[Step]) -> Result<(), Failure> {
        for step in steps.iter().rev().filter(|step| !step.proposal.phase.is_check()) {
            if step.proposal.reversibility == Reversibility::Attended {
                self.let_person_undo(step).await?;
            } else {
                let undone = self.undo(step, self.outputs(step)).await;
                undone.map_err(|error| {
                    Failure::new(format!("`{}` to be undone without faults", step.id), describe(&error))
                })?;
            }
            self.mark_undone(step);
        }
        Ok(())
    }

    /// Lets the world act for a person. As in the engine, the step counts as taken back only once `observe` sees it.
    async fn let_person_undo(&mut self, step: &Step) -> Result<(), Failure> {
        let expected = format!("`{}` to be taken back", step.id);
        if !self.world.take_back(step) {
            let seen = "the step is declared `attended`, but `World::take_back` returned false";
            return Err(Failure::new(expected, seen));
        }
        self.person_acted = true;
        match self.observe_or_fail(step, self.outputs(step)).await?.state {
            Observed::NotApplied => Ok(()),
            state => Err(Failure::new(expected, format!("`World::take_back` did so, but `observe` reports {state:?}"))),
        }
    }

    /// Observes a step in doubt. A reply that does not know the state is a failure.
    pub(crate) async fn observe_or_fail(&self, step: &Step, known: Values) -> Result<ObserveReply, Failure> {
        let expected = || format!("`observe` to tell whether `{}` is applied", step.id);
        let seen = self.observe(step, known).await.map_err(|error| Failure::new(expected(), describe(&error)))?;
        match seen.state {
            Observed::Unknown => Err(Failure::new(expected(), format!("its reply is `unknown`: {}", seen.detail))),
            _ => Ok(seen),
        }
    }

    /// Finishes a step after its first `apply` failed with this error. As in the engine, a step in doubt is observed
    /// first.
    pub(crate) async fn recover_apply(&mut self, step: &Step, mut error: contract::Error) -> Result<(), Failure> {
        let mut tries = 1;
        loop {
            let mut found = Values::new();
            if error.effect == Effect::Unknown {
                let seen = self.observe_or_fail(step, self.in_custody(step)).await?;
                match seen.state {
                    Observed::Applied => {
                        self.mark_done(step, seen.outputs);
                        return Ok(());
                    }
                    Observed::NotApplied => self.forget(step),
                    Observed::Partial | Observed::Unknown => {
                        found = seen.outputs;
                        found.extend(self.in_custody(step));
                    }
                }
            }
            if tries == MAX_APPLIES {
                return Err(Failure::new(format!("`{}` to be finished after a failure", step.id), describe(&error)));
            }
            tries += 1;
            match self.apply(step, found).await {
                Ok(reply) => {
                    self.mark_done(step, reply.outputs);
                    return Ok(());
                }
                Err(next) => error = next,
            }
        }
    }

    /// The same for an undo, which uses the outputs of the step from when it was done.
    pub(crate) async fn recover_undo(&mut self, step: &Step, mut error: contract::Error) -> Result<(), Failure> {
        let outputs = self.outputs(step);
        let mut tries = 1;
        loop {
            if error.effect == Effect::Unknown
                && self.observe_or_fail(step, outputs.clone()).await?.state == Observed::NotApplied
            {
                self.mark_undone(step);
                return Ok(());
            }
            if tries == MAX_UNDOS {
                return Err(Failure::new(format!("`{}` to be undone after a failure", step.id), describe(&error)));
            }
            tries += 1;
            match self.undo(step, outputs.clone()).await {
                Ok(_) => {
                    self.mark_undone(step);
                    return Ok(());
                }
                Err(next) => error = next,
            }
        }
    }

    /// Fails if the world differs from an earlier snapshot.
    pub(crate) fn expect_snapshot(&self, before: &Value, when: &str) -> Result<(), Failure> {
        compare(before, &self.world.snapshot(), &format!("the world as it was {when}"))
    }

    /// Fails if the world is not in its initial state. After a person acted only the outcome is compared, because that
    /// person's actions can leave traces.
    pub(crate) fn expect_initial_state(&self, done: &str) -> Result<(), Failure> {
        let when = format!("before {done} was done and undone");
        if self.person_acted {
            self.expect_outcome(&self.before.1, &when)
        } else {
            self.expect_snapshot(&self.before.0, &when)
        }
    }

    /// Fails if the outcome of the world differs.
    pub(crate) fn expect_outcome(&self, usual: &Value, when: &str) -> Result<(), Failure> {
        compare(usual, &self.world.outcome(), &format!("the same outcome as {when}"))
    }
}

/// The steps of this role that the plugin itself carries out.
pub(crate) fn own_steps(steps: &[Step], role: Role) -> Vec<Step> {
    steps.iter().filter(|step| step.role == role && step.proposal.by == By::Plugin).cloned().collect()
}

/// The text of an error in a report.
pub(crate) fn describe(error: &contract::Error) -> String {
    let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} error, effect {}: {}", word(json!(error.kind)), word(json!(error.effect)), error.message)
}

fn compare(expected: &Value, seen: &Value, what: &str) -> Result<(), Failure> {
    let mut path = String::new();
    match find_difference(expected, seen, &mut path) {
        None => Ok(()),
        Some((expected, seen)) => Err(Failure::new(format!("{what}, {path} = {expected}"), format!("{path} = {seen}"))),
    }
}

/// The first place at which two values differ.
fn find_difference(left: &Value, right: &Value, path: &mut String) -> Option<(String, String)> {
    if left == right {
        return None;
    }
    if let (Value::Object(left), Value::Object(right)) = (left, right) {
        let keys = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key)));
        for key in keys {
            let (left, right) = (left.get(key).unwrap_or(&Value::Null), right.get(key).unwrap_or(&Value::Null));
            let length = path.len();
            *path += &format!("/{key}");
            if let Some(found) = find_difference(left, right, path) {
                return Some(found);
            }
            path.truncate(length);
        }
    }
    Some((shorten(&left.to_string()), shorten(&right.to_string())))
}

/// Cuts a long text for a report.
pub(crate) fn shorten(text: &str) -> String {
    const MAX_CHARS: usize = 300;
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
