//! What must not change anything: `detect`, `plan`, `observe`, `test`; and that nothing depends on chance.

use std::{collections::BTreeMap, sync::Arc};

use flowswap_contract::{
    self as contract, By, ErrorKind, EvidenceResult, FromPlugin, Inventory, Op, Phase, PlanParams, PlanReply,
    Reversibility, Role, Step, StepProposal, Values,
};
use flowswap_engine::{
    Backend, BackendCall, Plan, PlanError, PlannedTenant, PluginPin, Tenant, TenantSpec, Verdict, plan_tenant,
};
use futures::future::{BoxFuture, FutureExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{NO_CHANGE, Trial, laws::positions, unexpected};
use crate::{
    Failure,
    bench::{Bench, cut, own},
    kit::Findings,
    raw::{encode, hello},
    wire::Fault,
};

pub(crate) async fn examine(trial: &Trial<'_>, findings: &mut Findings) -> String {
    let repeats = repeats(trial);
    let is_equal = repeats.is_ok();
    findings.note("world.repeats", repeats);
    if !is_equal {
        return "the world is another one each time".to_owned();
    }
    let bench = match trial.bench().await {
        Ok(bench) => bench,
        Err(failure) => {
            let why = format!("no session opens: {}", failure.seen);
            findings.fail_next(failure);
            return why;
        }
    };
    findings.note("detect.answers", detect(&bench).await.map(drop));
    findings.note("detect.pure", pure(&bench, bench.detect()).await.map(drop));
    findings.note_cases("detect.dropped", dropped(trial, &bench).await, "`detect` makes no request");
    findings.note_cases("access.pure", access(&bench).await, "`test` without a step is unsupported");
    findings.note("plan.asks-nothing", propose(trial, &bench).await.map(drop));
    findings.note("plan.same", same_plan(trial, &bench).await);
    let planned = plan(&bench).await;
    findings.note("plan.sound", planned.clone().and_then(|planned| lint(trial, planned)));
    let steps = match planned {
        Ok(planned) => own(&planned.steps, bench.role),
        Err(failure) => return format!("there is no plan to go by: {}", failure.seen),
    };
    findings.note_cases("observe.pure", observe(trial, &steps).await, NO_CHANGE);
    findings.note_cases("test.pure", test(trial, &steps).await, "no step of the plan is a check");
    findings.note("asks.awaited", awaited(trial, &steps).await);
    findings.note("messages.same", same_messages(trial, &steps).await);
    String::new()
}

fn repeats(trial: &Trial<'_>) -> Result<(), Failure> {
    let (one, other) = ((trial.make)().snapshot(), (trial.make)().snapshot());
    if one == other { Ok(()) } else { Err(Failure::new(cut(&one.to_string()), cut(&other.to_string()))) }
}

async fn detect(bench: &Bench) -> Result<Inventory, Failure> {
    let expected = format!("the inventory of a {}", bench.role);
    let inventory = bench.detect().await.map_err(unexpected(&expected))?;
    match (&inventory, bench.role) {
        (Inventory::Provider(_), Role::Provider) | (Inventory::Directory(_), Role::Directory) => Ok(inventory),
        _ => Err(Failure::new(expected, "the inventory of the other side")),
    }
}

/// The call must succeed without a trace.
async fn pure<T>(bench: &Bench, call: impl Future<Output = Result<T, contract::Error>>) -> Result<T, Failure> {
    let (before, mutations) = (bench.world.snapshot(), bench.memory.mutations());
    let reply = call.await.map_err(unexpected("a call that succeeds and changes nothing"))?;
    bench.expect_snapshot(&before, "before the call")?;
    match bench.memory.mutations() - mutations {
        0 => Ok(reply),
        count => Err(Failure::new("no mutating request", format!("{count} of them"))),
    }
}

/// Drops a call that waits for the answer to its first request.
async fn dropped(trial: &Trial<'_>, bench: &Bench) -> Result<usize, Failure> {
    let restarts = trial.subject.process.restarts().await;
    bench.wire.arm(Some((0, Fault::Silence)));
    {
        let mut call = std::pin::pin!(bench.detect());
        while bench.wire.hit().is_none() {
            tokio::select! {
                biased;
                _ = &mut call => break,
                () = tokio::task::yield_now() => {}
            }
        }
    }
    let is_dropped = bench.wire.hit().is_some();
    bench.wire.arm(None);
    detect(bench).await?;
    match trial.subject.process.restarts().await - restarts {
        0 => Ok(usize::from(is_dropped)),
        _ => Err(Failure::new("the same process to serve it", "a process that had to be started again")),
    }
}

async fn access(bench: &Bench) -> Result<usize, Failure> {
    let tried = pure(bench, async { Ok(bench.test_access().await) }).await?;
    let reply = match tried {
        Err(error) if error.kind == ErrorKind::Unsupported => return Ok(0),
        tried => tried.map_err(unexpected("evidence of access"))?,
    };
    match reply.evidence.iter().find(|item| item.result == EvidenceResult::Fail) {
        Some(failed) => {
            Err(Failure::new("access that works in this world", format!("{}: {}", failed.check, failed.detail)))
        }
        None if reply.evidence.is_empty() => Err(Failure::new("some evidence", "none")),
        None => Ok(1),
    }
}

async fn propose(trial: &Trial<'_>, bench: &Bench) -> Result<Value, Failure> {
    let params = json!(params(bench, detect(bench).await?));
    let already = trial.subject.watch.seen().from_plugin.len();
    let reply = bench.call(Op::Plan, None, params).await.map_err(unexpected("proposals"))?;
    serde_json::from_value::<PlanReply>(reply.clone())
        .map_err(|error| Failure::new("proposals", format!("the reply does not decode: {error}")))?;
    let seen = trial.subject.watch.seen();
    let is_ask = |bytes: &Vec<u8>| matches!(serde_json::from_slice(bytes), Ok(FromPlugin::Ask { .. }));
    match seen.from_plugin[already..].iter().any(is_ask) {
        true => Err(Failure::new("no ask", "one")),
        false => Ok(reply),
    }
}

async fn same_plan(trial: &Trial<'_>, bench: &Bench) -> Result<(), Failure> {
    let first = propose(trial, bench).await?;
    let again = propose(trial, bench).await?;
    let subject = trial.kit.start().await.map_err(|error| Failure::new("a second process", error.to_string()))?;
    let other = Trial { kit: trial.kit, subject, make: Arc::clone(&trial.make) };
    let elsewhere = propose(&other, &other.bench().await?).await?;
    for (other, place) in [(again, "the second time"), (elsewhere, "in another process")] {
        if other != first {
            return Err(Failure::new(cut(&first.to_string()), format!("{place}: {}", cut(&other.to_string()))));
        }
    }
    Ok(())
}

fn params(bench: &Bench, own: Inventory) -> PlanParams {
    let other = bench.world.other_side();
    let (mut provider, mut directory) = (Default::default(), Default::default());
    for inventory in [own, other] {
        match inventory {
            Inventory::Provider(shown) => provider = shown,
            Inventory::Directory(shown) => directory = shown,
        }
    }
    PlanParams { tenant: bench.tenant.clone(), app_data: bench.world.app_data(), provider, directory }
}

/// Plans the tenant as the engine does, with a stand-in for the other side.
pub(crate) async fn plan(bench: &Bench) -> Result<PlannedTenant, Failure> {
    let other = bench.world.other_side();
    let domain = match &other {
        Inventory::Provider(shown) => shown.domain.clone(),
        Inventory::Directory(shown) => shown.domain.clone(),
    };
    let mut gives: Vec<String> = bench.world.given().into_keys().collect();
    gives.sort();
    let own: Arc<dyn Backend> = Arc::clone(&bench.session) as _;
    let stand_in: Arc<dyn Backend> = Arc::new(StandIn { inventory: other, gives });
    let (provider, directory) = match bench.role {
        Role::Provider => (own, stand_in),
        Role::Directory => (stand_in, own),
    };
    let plugin = |role| if role == bench.role { "plugin" } else { "stand-in" }.to_owned();
    let spec = TenantSpec {
        name: bench.tenant.clone(),
        domain,
        app_data: bench.world.app_data(),
        provider_plugin: plugin(Role::Provider),
        directory_plugin: plugin(Role::Directory),
        begun: false,
        config: json!({}),
    };
    let expected = "a tenant that is ready, with steps";
    let tenant = Tenant { spec, provider, directory };
    let planned = plan_tenant(&tenant, Timestamp::now()).await;
    let planned = planned.map_err(|error| Failure::new(expected, error.to_string()))?;
    if planned.verdict != Verdict::Ready {
        let findings: Vec<_> = planned.findings.iter().map(|finding| finding.message.clone()).collect();
        return Err(Failure::new(expected, format!("{}: {}", planned.verdict, findings.join("; "))));
    }
    if own_steps(&planned, bench.role) == 0 {
        return Err(Failure::new(expected, "no step"));
    }
    Ok(planned)
}

fn own_steps(planned: &PlannedTenant, role: Role) -> usize {
    own(&planned.steps, role).len()
}

fn lint(trial: &Trial<'_>, planned: PlannedTenant) -> Result<(), Failure> {
    let version = trial.subject.process.hello().version.clone();
    let pin = PluginPin { version, sha256: trial.subject.process.sha256().to_owned() };
    let pins: BTreeMap<_, _> = ["plugin", "stand-in"].map(|name| (name.to_owned(), pin.clone())).into();
    let now = Timestamp::now();
    match Plan::freeze(now, now + SignedDuration::from_hours(1), pins, vec![planned]) {
        Ok(_) => Ok(()),
        Err(PlanError::Unsound(defects)) => Err(Failure::new("no defect", defects.join("; "))),
        Err(error) => Err(Failure::new("a plan that can be written", error.to_string())),
    }
}

/// The other side of the tenant: it shows what the world says and pretends its steps.
struct StandIn {
    inventory: Inventory,
    gives: Vec<String>,
}

impl Backend for StandIn {
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, contract::Error>> {
        let reply = match call.op {
            Op::Detect => Ok(json!(self.inventory)),
            Op::Plan => Ok(json!(PlanReply { steps: self.steps() })),
            other => Err(contract::Error::new(ErrorKind::Unsupported, format!("no `{other}` here"))),
        };
        async move { reply }.boxed()
    }
}

impl StandIn {
    fn steps(&self) -> Vec<StepProposal> {
        let phases: &[Phase] = match self.inventory {
            Inventory::Provider(_) => &[Phase::Provision, Phase::Prove],
            Inventory::Directory(_) => &[Phase::Baseline, Phase::Test, Phase::Swap, Phase::Confirm],
        };
        // All that it gives is there from its first step on.
        let step = |(at, phase): (usize, &Phase)| StepProposal {
            seen_by: None,
            confirmed_by: None,
            phase: *phase,
            title: format!("the other side's {phase}"),
            by: By::Plugin,
            reversibility: Reversibility::Unattended,
            undo: (!phase.is_check()).then(|| "taken back by the other side".to_owned()),
            needs: Vec::new(),
            gives: if at == 0 { self.gives.clone() } else { Vec::new() },
            payload: json!({}),
        };
        phases.iter().enumerate().map(step).collect()
    }
}

async fn observe(trial: &Trial<'_>, steps: &[Step]) -> Result<usize, Failure> {
    let mut bench = trial.bench().await?;
    for (index, step) in steps.iter().enumerate() {
        if !step.proposal.phase.is_check() {
            pure(&bench, bench.observe(step, Values::new())).await.map_err(|f| f.during(&step.id))?;
        }
        bench.advance(&steps[index..=index]).await?;
        if !step.proposal.phase.is_check() {
            pure(&bench, bench.observe(step, bench.outputs(step))).await.map_err(|f| f.during(&step.id))?;
        }
    }
    Ok(positions(steps).len())
}

async fn test(trial: &Trial<'_>, steps: &[Step]) -> Result<usize, Failure> {
    let mut bench = trial.bench().await?;
    for (index, step) in steps.iter().enumerate() {
        if step.proposal.phase.is_check() {
            pure(&bench, bench.test(step)).await.map_err(|f| f.during(&step.id))?;
        }
        bench.advance(&steps[index..=index]).await?;
    }
    Ok(steps.len() - positions(steps).len())
}

async fn awaited(trial: &Trial<'_>, steps: &[Step]) -> Result<(), Failure> {
    let mut bench = trial.bench().await?;
    let lived = bench.advance(reversible(steps)).await;
    match trial.subject.watch.seen().hasty {
        Some(id) => Err(Failure::new("answers to all asks before the reply", format!("call {id} did not wait"))),
        None => lived,
    }
}

/// A whole life of a tenant in one process, and the same messages told to another.
async fn same_messages(trial: &Trial<'_>, steps: &[Step]) -> Result<(), Failure> {
    let broken = |seen: String| Failure::new("a second process that can be told the same", seen);
    let subject = trial.kit.start().await.map_err(|error| broken(error.to_string()))?;
    let watch = Arc::clone(&subject.watch);
    let one = Trial { kit: trial.kit, subject, make: Arc::clone(&trial.make) };
    let mut bench = one.bench().await?;
    let reversible = reversible(steps);
    detect(&bench).await?;
    propose(&one, &bench).await?;
    bench.advance(reversible).await?;
    bench.retreat(unaided(reversible)).await?;
    let (told, mut said) = {
        let seen = watch.seen();
        (seen.to_plugin.clone(), seen.from_plugin.clone())
    };
    said.insert(0, encode(&FromPlugin::Hello(one.subject.process.hello().clone())));
    let told: Vec<_> = std::iter::once(encode(&hello())).chain(told).collect();
    let again = trial.kit.start_raw().map_err(|error| broken(error.to_string()))?;
    let again = again.replay(&told).await.map_err(broken)?;
    let text = |bytes: Option<&Vec<u8>>| bytes.map_or("nothing".to_owned(), |b| cut(&String::from_utf8_lossy(b)));
    match (0..said.len().max(again.len())).find(|&at| said.get(at) != again.get(at)) {
        None => Ok(()),
        Some(at) => Err(Failure::new(text(said.get(at)), text(again.get(at)))),
    }
}

/// The steps before the first from which there is no way back.
pub(crate) fn reversible(steps: &[Step]) -> &[Step] {
    let is_final = |step: &Step| step.proposal.reversibility == Reversibility::Irreversible;
    let end = steps.iter().position(|step| !step.proposal.phase.is_check() && is_final(step)).unwrap_or(steps.len());
    &steps[..end]
}

/// The last of these steps: those that the plugin takes back without a person.
pub(crate) fn unaided(steps: &[Step]) -> &[Step] {
    let is_attended = |step: &Step| step.proposal.reversibility == Reversibility::Attended;
    let begin = steps.iter().rposition(is_attended).map_or(0, |at| at + 1);
    &steps[begin..]
}
