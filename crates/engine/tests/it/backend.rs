//! Test doubles of both plugins over a [`World`](crate::world::World): the six verbs, journaling as the host does it, and
//! injected faults.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use flowswap_contract::{
    self as contract, ApplyReply, By, Error, ErrorKind, Handle, Inventory, ObserveReply, Observed, Op, Phase,
    PlanReply, Reversibility, Role, RunSheet, SheetAct, SheetLine, StepParams, TestParams, Values,
};
use flowswap_engine::{Backend, BackendCall, Entry, Mode, Record, RequestOutcome};
use futures::{FutureExt, future::BoxFuture};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    environment::{Call, Environment, State},
    fault::Fault,
    propose::propose,
    steps,
    world::World,
};

/// One side of one tenant.
pub(crate) struct MemoryBackend {
    pub(crate) env: Arc<Environment>,
    pub(crate) tenant: String,
    pub(crate) role: Role,
}

impl Backend for MemoryBackend {
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, contract::Error>> {
        async move {
            let changes = matches!(call.op, Op::Apply | Op::Undo);
            if changes {
                let phase = decode(&call).step.proposal.phase;
                let removes = match call.op {
                    Op::Apply => matches!(phase, Phase::Retire | Phase::Purge),
                    _ => phase == Phase::Provision,
                };
                let mode = if removes { Mode::Remove } else { Mode::Apply };
                assert_eq!(call.mode, mode, "`{}` of {phase}", call.op);
            }
            assert!(!matches!(call.op, Op::Detect | Op::Plan | Op::Observe) || call.mode == Mode::DryRun);
            assert_eq!(call.recorder.is_none(), call.mode == Mode::DryRun, "a dry run records nothing");
            let record = Call {
                tenant: self.tenant.clone(),
                step: call.step.map(str::to_owned),
                op: call.op,
                effect_on_return: None,
            };
            let index = self.env.note(|state| {
                state.calls.push(record);
                state.calls.len() - 1
            });
            self.env.take_time().await;
            let fault = self.env.faults.lock().unwrap().draw(&self.tenant, call.step.unwrap_or("-"), call.op);
            if fault == Some(Fault::Slow) {
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
            let result = self.serve(&call, fault).await;
            let effect = result.as_ref().map(drop).map_err(|error| error.effect);
            // A reply that does not decode says as little as no reply.
            let effect = if fault == Some(Fault::Garble) { Err(contract::Effect::Unknown) } else { effect };
            self.env.note(|state| state.calls[index].effect_on_return = Some(effect));
            result
        }
        .boxed()
    }

    fn skews(&self) -> BTreeMap<String, SignedDuration> {
        let skew = self.world().skews[self.role as usize];
        skew.into_iter().map(|skew| (format!("{}.test", self.role), SignedDuration::from_secs(skew))).collect()
    }
}

impl MemoryBackend {
    async fn serve(&self, call: &BackendCall<'_>, fault: Option<Fault>) -> Result<Value, Error> {
        match fault {
            Some(Fault::Refuse | Fault::Interrupt | Fault::Say(_)) => return Err(fault.unwrap().error()),
            Some(Fault::Stop) => self.env.stop.stop(),
            _ => {}
        }
        let result = match call.op {
            Op::Detect => Ok(json!(self.detect())),
            Op::Plan => propose(self.role, &call.params.decode().unwrap()).map(|mut steps| {
                let proposed = self.world().proposed;
                steps.retain(|step| proposed.is_none_or(|phases| phases.contains(&step.phase)));
                json!(PlanReply { steps, rotation: false })
            }),
            Op::Test => {
                if fault == Some(Fault::LoseRequest) {
                    return Err(Fault::LoseRequest.error());
                }
                let params: TestParams = call.params.decode().unwrap();
                let params = params.step.unwrap();
                Ok(json!(self.env.note(|state| steps::test(state, &self.tenant, call.run, &params))))
            }
            Op::Observe => self.observe(&decode(call), fault),
            Op::Apply | Op::Undo if is_for_a_person(call) => {
                Ok(json!(ApplyReply { operator: Some(Box::new(sheet(call.op))), ..ApplyReply::default() }))
            }
            Op::Apply => self.mutate(call, fault, "POST").await,
            Op::Undo => self.mutate(call, fault, "DELETE").await,
        }?;
        match fault {
            Some(fault @ (Fault::LoseAnswer | Fault::Die | Fault::Half)) => Err(fault.error()),
            Some(Fault::Garble) => Ok(json!("nonsense")),
            _ => Ok(result),
        }
    }

    fn detect(&self) -> Inventory {
        let world = self.world();
        match self.role {
            Role::Provider => Inventory::Provider(world.provider_inventory()),
            Role::Directory => Inventory::Directory(world.directory_inventory()),
        }
    }

    fn observe(&self, params: &StepParams, fault: Option<Fault>) -> Result<Value, Error> {
        if fault == Some(Fault::LoseRequest) {
            return Err(Fault::LoseRequest.error());
        }
        let (state, outputs) = match fault {
            Some(Fault::Blind) => (Observed::Unknown, Values::new()),
            Some(Fault::Absent) => (Observed::NotApplied, Values::new()),
            Some(Fault::Present) => (Observed::Applied, Values::new()),
            _ => steps::observe(&self.world(), &self.tenant, params),
        };
        Ok(json!(ObserveReply { state, outputs, detail: format!("{state:?}") }))
    }

    /// One mutating request, in the order of the host: intent, request, secret stored, outcome, record of the secret.
    async fn mutate(&self, call: &BackendCall<'_>, fault: Option<Fault>, method: &str) -> Result<Value, Error> {
        let params = decode(call);
        let id = params.step.id.clone();
        let is_ours = |record: &&Record| is_intent(record, call, &self.tenant);
        let request = self.env.note(|state| state.records.iter().filter(is_ours).count());
        let request = u32::try_from(request).unwrap();
        let url = format!("https://{}/{id}", self.world().domain);
        let intent = Entry::RequestIntended {
            step: id.clone(),
            request,
            method: method.to_owned(),
            url,
            body_sha256: None,
            secrets: if call.op == Op::Apply && id == "provision" { vec![self.secret_of(&id)] } else { vec![] },
        };
        record(call, intent).await.map_err(|_| Error::new(ErrorKind::Internal, "the intent was not recorded"))?;
        let unknown = |what: &str| Error::new(ErrorKind::Internal, what).with_unknown_effect();
        let end = |outcome| Entry::RequestEnded { step: id.clone(), request, outcome };
        let lost = || end(RequestOutcome::Lost { message: "no answer".to_owned() });
        if let Some(fault @ (Fault::LoseRequest | Fault::DieEarly)) = fault {
            record(call, lost()).await.map_err(|_| unknown("the outcome was not recorded"))?;
            return Err(fault.error());
        }
        let half = fault == Some(Fault::Half);
        let done = self.env.change(&format!("{} {id}", call.op), |state| match call.op {
            Op::Apply => steps::apply(state, &self.tenant, call.run, &params, half),
            _ => steps::undo(state, &self.tenant, &params, half),
        })?;
        if half || fault == Some(Fault::LoseAnswer) {
            record(call, lost()).await.map_err(|_| unknown("the outcome was not recorded"))?;
            return Err(fault.unwrap().error());
        }
        let mut outputs = done.outputs;
        let handle = done.secret.map(|value| {
            let handle = self.secret_of(&id);
            outputs.insert("client_secret".to_owned(), handle.to_value());
            self.env.change("secret kept", |state| state.secrets.insert(handle.clone(), value));
            handle
        });
        record(call, end(RequestOutcome::Answered { status: 200, request_id: None }))
            .await
            .map_err(|_| unknown("the outcome was not recorded"))?;
        if let Some(handle) = handle {
            record(call, Entry::SecretStored { step: id.clone(), handle })
                .await
                .map_err(|_| unknown("the stored secret was not recorded"))?;
        }
        Ok(json!(ApplyReply { operator: None, outputs, evidence: vec![] }))
    }

    fn secret_of(&self, step: &str) -> Handle {
        Handle::new(format!("{}/{step}/client_secret", self.tenant))
    }

    fn world(&self) -> World {
        self.env.note(|state| state.worlds[&self.tenant].clone())
    }
}

async fn record(call: &BackendCall<'_>, entry: Entry) -> Result<(), flowswap_engine::JournalError> {
    call.recorder.expect("a call that changes something can record it").record(entry).await
}

/// The result of a mutation.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) outputs: Values,
    /// A secret in clear text, which is captured before the plugin sees it.
    pub(crate) secret: Option<String>,
}

impl State {
    pub(crate) fn world(&mut self, tenant: &str) -> &mut World {
        self.worlds.get_mut(tenant).unwrap()
    }
}

fn decode(call: &BackendCall<'_>) -> StepParams {
    call.params.decode().unwrap()
}

fn is_intent(record: &Record, call: &BackendCall<'_>, tenant: &str) -> bool {
    let same = record.draft.run == call.run && record.draft.tenant.as_deref() == Some(tenant);
    same && matches!(&record.draft.entry, Entry::RequestIntended { step, .. } if Some(step.as_str()) == call.step)
}

fn is_for_a_person(call: &BackendCall<'_>) -> bool {
    let proposal = decode(call).step.proposal;
    match call.op {
        Op::Apply => proposal.by == By::Operator,
        _ => proposal.reversibility == Reversibility::Attended,
    }
}

/// The run sheet.
fn sheet(op: Op) -> RunSheet {
    let (title, proof) = match op {
        Op::Apply => ("reconnect the directory", "the directory uses the new client"),
        _ => ("sign in at the directory", "the directory uses the legacy client"),
    };
    RunSheet {
        title: title.to_owned(),
        url: None,
        lines: vec![SheetLine::new(SheetAct::Press, "Submit")],
        keep: vec![],
        care: vec![],
        proof: proof.to_owned(),
    }
}
