//! One case: a new world, a session in it, and the tenant's steps walked forward and back as the engine walks them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use flowswap_contract::{
    self as contract, ApplyReply, Attempt, By, Effect, EvidenceResult, Handle, Inventory, ObserveReply, Observed, Op,
    Reversibility, Role, Step, StepParams, TestReply, Values,
};
use flowswap_engine::{Backend, BackendCall, Clock, Mode, RunId, StopSwitch, intent_token};
use flowswap_host::{Effects, Gate, Session};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Failure, Given, MakeWorld, World, kit::Subject, memory::Memory, wire::Wire};

/// How long a request may take; worlds answer at once.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How many times a step is carried out, and taken back, before it counts as one that does not heal: as often as the
/// engine tries.
const APPLIES: usize = 3;
const UNDOS: usize = 4;

pub(crate) struct Bench {
    pub(crate) world: Box<dyn World>,
    pub(crate) wire: Wire,
    pub(crate) memory: Arc<Memory>,
    pub(crate) session: Arc<Session>,
    pub(crate) role: Role,
    pub(crate) tenant: String,
    /// The world as it was in the beginning, and what matters of it.
    before: (Value, Value),
    /// Whether a person has taken something back.
    is_by_hand: bool,
    /// What steps need and may use: what the world gives, and what steps have given.
    values: Values,
    /// What each step that is done has given.
    done: BTreeMap<String, Values>,
}

impl Bench {
    /// Makes a world and opens a session in it.
    pub(crate) async fn open(subject: &Subject, make: &MakeWorld) -> Result<Self, Failure> {
        let world = make();
        let config = world.session();
        let (tenant, role) = (config.tenant.clone(), config.role);
        let (wire, memory) = (Wire::default(), Arc::new(Memory::default()));
        let mut values = Values::new();
        for (name, given) in world.given() {
            let value = match given {
                Given::Value(value) => value,
                Given::Secret(secret) => {
                    let handle = Handle::new(format!("{tenant}/given/{name}"));
                    memory.keep(handle.clone(), secret);
                    handle.to_value()
                }
            };
            values.insert(name, value);
        }
        let effects = Effects {
            http: wire.lead_to(world.http()),
            journal: Arc::clone(&memory) as _,
            secrets: Arc::clone(&memory) as _,
            clock: Arc::clone(&memory) as _,
            events: Arc::clone(&subject.watch) as _,
            stop: StopSwitch::default().listen(),
            gate: Gate::default(),
            timeout: REQUEST_LIMIT,
        };
        let session = Session::open(Arc::clone(&subject.process), Arc::new(effects), config).await;
        let session = session.map_err(|error| Failure::new("a session that opens in the world", say(&error)))?;
        let before = (world.snapshot(), world.outcome());
        let done = BTreeMap::new();
        Ok(Self { before, is_by_hand: false, world, wire, memory, session, role, tenant, values, done })
    }

    /// Makes a call as the engine does.
    pub(crate) async fn call(&self, op: Op, step: Option<&Step>, params: Value) -> Result<Value, contract::Error> {
        let mode = Mode::of(op, step);
        let step = step.map(|step| step.id.as_str());
        self.session.call(BackendCall { op, mode, run: RunId::none(), step, params }).await
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
        StepParams { step: step.clone(), inputs, outputs, attempts: vec![begun], given_at: None }
    }

    /// What a step that is done has given; nothing of one that is not.
    pub(crate) fn outputs(&self, step: &Step) -> Values {
        self.done.get(&step.id).cloned().unwrap_or_default()
    }

    /// What the engine knows of a step that is in doubt: the secrets of it that are in custody.
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
        Handle::new(format!("{}/{}/{name}", self.tenant, step.id))
    }

    /// Takes note that a step is done.
    pub(crate) fn finish(&mut self, step: &Step, outputs: Values) {
        self.values.extend(outputs.clone());
        self.done.insert(step.id.clone(), outputs);
    }

    /// Takes note that a step is undone; its secrets are forgotten, as the engine does in the end.
    pub(crate) fn unfinish(&mut self, step: &Step) {
        self.done.remove(&step.id);
        self.forget(step);
    }

    fn forget(&self, step: &Step) {
        step.proposal.gives.iter().for_each(|name| self.memory.forget(&self.handle(step, name)));
    }

    /// Carries steps out in peace, checks among them.
    pub(crate) async fn advance(&mut self, steps: &[Step]) -> Result<(), Failure> {
        for step in steps {
            self.take(step).await.map_err(|failure| failure.during(&format!("`{}`", step.id)))?;
        }
        Ok(())
    }

    async fn take(&mut self, step: &Step) -> Result<(), Failure> {
        if let Some(missing) = step.proposal.needs.iter().find(|name| !self.values.contains_key(*name)) {
            let expected = format!("`{missing}`, which the step needs, from an earlier step or from the world");
            return Err(Failure::new(expected, "nobody gives it"));
        }
        let outputs = if step.proposal.phase.is_check() {
            let reply = self.test(step).await.map_err(|error| Failure::new("a check that passes", say(&error)))?;
            if let Some(failed) = reply.evidence.iter().find(|item| item.result == EvidenceResult::Fail) {
                return Err(Failure::new("a check that passes", format!("{}: {}", failed.check, failed.detail)));
            }
            reply.outputs
        } else {
            let reply = self.apply(step, Values::new()).await;
            reply.map_err(|error| Failure::new("a step that succeeds in peace", say(&error)))?.outputs
        };
        self.finish(step, outputs);
        Ok(())
    }

    /// Takes steps back in peace, the last one first; where a person must act, the world has to stand in.
    pub(crate) async fn retreat(&mut self, steps: &[Step]) -> Result<(), Failure> {
        for step in steps.iter().rev().filter(|step| !step.proposal.phase.is_check()) {
            if step.proposal.reversibility == Reversibility::Attended {
                self.let_person_undo(step).await?;
            } else {
                let undone = self.undo(step, self.outputs(step)).await;
                undone.map_err(|error| Failure::new(format!("`{}` to be undone in peace", step.id), say(&error)))?;
            }
            self.unfinish(step);
        }
        Ok(())
    }

    /// It counts as taken back once that can be seen, as in the engine.
    async fn let_person_undo(&mut self, step: &Step) -> Result<(), Failure> {
        let expected = format!("`{}` to be taken back", step.id);
        if !self.world.take_back(step) {
            let seen = "it is declared attended, and `World::take_back` says that no person takes it back";
            return Err(Failure::new(expected, seen));
        }
        self.is_by_hand = true;
        match self.look(step, self.outputs(step)).await?.state {
            Observed::NotApplied => Ok(()),
            state => Err(Failure::new(expected, format!("a person has done so, and it is observed as {state:?}"))),
        }
    }

    /// Observes a step that is in doubt; what cannot tell does not help.
    pub(crate) async fn look(&self, step: &Step, known: Values) -> Result<ObserveReply, Failure> {
        let expected = || format!("an `observe` that tells whether `{}` is applied", step.id);
        let seen = self.observe(step, known).await.map_err(|error| Failure::new(expected(), say(&error)))?;
        match seen.state {
            Observed::Unknown => Err(Failure::new(expected(), format!("it cannot tell: {}", seen.detail))),
            _ => Ok(seen),
        }
    }

    /// Finishes a step after its first try ended with this error, as the engine does: what is in doubt is observed first.
    pub(crate) async fn heal_apply(&mut self, step: &Step, mut error: contract::Error) -> Result<(), Failure> {
        let mut tries = 1;
        loop {
            let mut found = Values::new();
            if error.effect == Effect::Unknown {
                let seen = self.look(step, self.in_custody(step)).await?;
                match seen.state {
                    Observed::Applied => {
                        self.finish(step, seen.outputs);
                        return Ok(());
                    }
                    Observed::NotApplied => self.forget(step),
                    Observed::Partial | Observed::Unknown => {
                        found = seen.outputs;
                        found.extend(self.in_custody(step));
                    }
                }
            }
            if tries == APPLIES {
                return Err(Failure::new(format!("`{}` to be finished after a failure", step.id), say(&error)));
            }
            tries += 1;
            match self.apply(step, found).await {
                Ok(reply) => {
                    self.finish(step, reply.outputs);
                    return Ok(());
                }
                Err(next) => error = next,
            }
        }
    }

    /// The same for an undo, which keeps to what the step gave when it was done.
    pub(crate) async fn heal_undo(&mut self, step: &Step, mut error: contract::Error) -> Result<(), Failure> {
        let outputs = self.outputs(step);
        let mut tries = 1;
        loop {
            if error.effect == Effect::Unknown && self.look(step, outputs.clone()).await?.state == Observed::NotApplied
            {
                self.unfinish(step);
                return Ok(());
            }
            if tries == UNDOS {
                return Err(Failure::new(format!("`{}` to be undone after a failure", step.id), say(&error)));
            }
            tries += 1;
            match self.undo(step, outputs.clone()).await {
                Ok(_) => {
                    self.unfinish(step);
                    return Ok(());
                }
                Err(next) => error = next,
            }
        }
    }

    /// Compares the world with what it was.
    pub(crate) fn expect_snapshot(&self, before: &Value, when: &str) -> Result<(), Failure> {
        compare(before, &self.world.snapshot(), &format!("the world as it was {when}"))
    }

    /// Compares the world with what it was in the beginning. What a person does by hand leaves its own traces.
    pub(crate) fn expect_beginning(&self, done: &str) -> Result<(), Failure> {
        let when = format!("before {done} was done and undone");
        match self.is_by_hand {
            true => self.expect_outcome(&self.before.1, &when),
            false => self.expect_snapshot(&self.before.0, &when),
        }
    }

    /// Compares what matters of the world.
    pub(crate) fn expect_outcome(&self, usual: &Value, when: &str) -> Result<(), Failure> {
        compare(usual, &self.world.outcome(), &format!("the same outcome as {when}"))
    }
}

/// The steps that the plugin itself carries out.
pub(crate) fn own(steps: &[Step], role: Role) -> Vec<Step> {
    steps.iter().filter(|step| step.role == role && step.proposal.by == By::Plugin).cloned().collect()
}

/// An error as a report shows it.
pub(crate) fn say(error: &contract::Error) -> String {
    let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} error, effect {}: {}", word(json!(error.kind)), word(json!(error.effect)), error.message)
}

fn compare(expected: &Value, seen: &Value, what: &str) -> Result<(), Failure> {
    let mut path = String::new();
    match first_difference(expected, seen, &mut path) {
        None => Ok(()),
        Some((expected, seen)) => Err(Failure::new(format!("{what}, {path} = {expected}"), format!("{path} = {seen}"))),
    }
}

/// The first place at which two values differ.
fn first_difference(left: &Value, right: &Value, path: &mut String) -> Option<(String, String)> {
    if left == right {
        return None;
    }
    if let (Value::Object(left), Value::Object(right)) = (left, right) {
        let keys = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key)));
        for key in keys {
            let (left, right) = (left.get(key).unwrap_or(&Value::Null), right.get(key).unwrap_or(&Value::Null));
            let length = path.len();
            *path += &format!("/{key}");
            if let Some(found) = first_difference(left, right, path) {
                return Some(found);
            }
            path.truncate(length);
        }
    }
    Some((cut(&left.to_string()), cut(&right.to_string())))
}

/// A text of bearable length.
pub(crate) fn cut(text: &str) -> String {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
