//! The calls that must not change anything: `detect`, `plan`, `observe`, and `test`. Also checks that the plugin is
//! deterministic.

use std::{collections::BTreeMap, sync::Arc};

use flowswap_contract::{
    self as contract, By, ErrorKind, EvidenceResult, FromPlugin, Inventory, Op, Phase, PlanParams, PlanReply,
    Reversibility, Role, Step, StepProposal, Values,
};
use flowswap_engine::{
    Backend, BackendCall, Plan, PlanError, PlannedTenant, PluginPin, Tenant, TenantSpec, Verdict, digest_config,
    plan_tenant,
};
use futures::future::{BoxFuture, FutureExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Harness, NO_CHANGE, unexpected};
use crate::{
    Failure,
    bench::{Bench, own_steps, shorten},
    findings::Findings,
    wire::Fault,
};

pub(crate) async fn examine(harness: &Harness<'_>, findings: &mut Findings) -> String {
    let repeats = repeats(harness);
    let is_equal = repeats.is_ok();
    findings.note("world.repeats", repeats);
    if !is_equal {
        return "two new worlds differ".to_owned();
    }
    let bench = match harness.bench().await {
        Ok(bench) => bench,
        Err(failure) => {
            let why = format!("the session does not open: {}", failure.seen);
            findings.fail_next(failure);
            return why;
        }
    };
    findings.note("detect.answers", detect(&bench).await.map(drop));
    findings.note("detect.pure", pure(&bench, bench.detect()).await.map(drop));
    findings.note_cases("detect.dropped", dropped(harness, &bench).await, "`detect` makes no request");
    findings.note_cases("access.pure", access(&bench).await, "`test` without a step is unsupported");
    findings.note("plan.asks-nothing", propose(harness, &bench).await.map(drop));
    findings.note("plan.same", same_plan(harness, &bench).await);
    let planned = plan(&bench).await;
    findings.note("plan.sound", planned.clone().and_then(|planned| lint(harness, planned)));
    let steps = match planned {
        Ok(planned) => own_steps(&planned.steps, bench.role),
        Err(failure) => return format!("there is no plan: {}", failure.seen),
    };
    findings.note_cases("observe.pure", observe(harness, &steps).await, NO_CHANGE);
    findings.note_cases("test.pure", test(harness, &steps).await, "no step of the plan is a check");
    findings.note("asks.awaited", check_early_reply(harness, &steps).await);
    findings.note("messages.same", same_messages(harness, &steps).await);
    String::new()
}

fn repeats(harness: &Harness<'_>) -> Result<(), Failure> {
    let one = (harness.make)().snapshot();
    let other = (harness.make)().snapshot();
    if one == other { Ok(()) } else { Err(Failure::new(shorten(&one.to_string()), shorten(&other.to_string()))) }
}

async fn detect(bench: &Bench) -> Result<Inventory, Failure> {
    let expected = format!("the inventory of a {}", bench.role);
    let inventory = bench.detect().await.map_err(unexpected(&expected))?;
    match (&inventory, bench.role) {
        (Inventory::Provider(_), Role::Provider) | (Inventory::Directory(_), Role::Directory) => Ok(inventory),
        _ => Err(Failure::new(expected, "the inventory of the other side")),
    }
}

/// Fails unless the call succeeds and leaves the world unchanged.
async fn pure<T>(bench: &Bench, call: impl Future<Output = Result<T, contract::Error>>) -> Result<T, Failure> {
    let before = bench.world.snapshot();
    let mutations = bench.memory.mutations();
    let reply = call.await.map_err(unexpected("a call that succeeds and changes nothing"))?;
    bench.expect_snapshot(&before, "before the call")?;
    match bench.memory.mutations() - mutations {
        0 => Ok(reply),
        count => Err(Failure::new("no mutating request", format!("{count} of them"))),
    }
}

/// Drops a `detect` that waits for the answer to its first request, and then makes another.
async fn dropped(harness: &Harness<'_>, bench: &Bench) -> Result<usize, Failure> {
    let restarts = harness.subject.process.restarts().await;
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
    match harness.subject.process.restarts().await - restarts {
        0 => Ok(usize::from(is_dropped)),
        _ => Err(Failure::new("the same process to serve the next call", "a process that had to be restarted")),
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
        None if reply.evidence.is_empty() => Err(Failure::new("some evidence", "no evidence")),
        None => Ok(1),
    }
}

async fn propose(harness: &Harness<'_>, bench: &Bench) -> Result<Value, Failure> {
    let params = json!(params(bench, detect(bench).await?));
    let already = harness.subject.recorder.recording().from_plugin.len();
    let reply = bench.call(Op::Plan, None, params).await.map_err(unexpected("proposals"))?;
    serde_json::from_value::<PlanReply>(reply.clone())
        .map_err(|error| Failure::new("proposals", format!("the reply does not decode: {error}")))?;
    let recording = harness.subject.recorder.recording();
    let is_ask = |bytes: &Vec<u8>| matches!(serde_json::from_slice(bytes), Ok(FromPlugin::Ask { .. }));
    if recording.from_plugin[already..].iter().any(is_ask) {
        return Err(Failure::new("no ask", "an ask"));
    }
    Ok(reply)
}

async fn same_plan(harness: &Harness<'_>, bench: &Bench) -> Result<(), Failure> {
    let first = propose(harness, bench).await?;
    let again = propose(harness, bench).await?;
    let subject =
        harness.candidate.start().await.map_err(|error| Failure::new("a second process", error.to_string()))?;
    let other = Harness { candidate: harness.candidate, subject, make: Arc::clone(&harness.make) };
    let elsewhere = propose(&other, &other.bench().await?).await?;
    for (other, place) in [(again, "at the second call"), (elsewhere, "in another process")] {
        if other != first {
            return Err(Failure::new(shorten(&first.to_string()), format!("{place}: {}", shorten(&other.to_string()))));
        }
    }
    Ok(())
}

fn params(bench: &Bench, own: Inventory) -> PlanParams {
    let other = bench.world.other_side();
    let mut provider = Default::default();
    let mut directory = Default::default();
    for inventory in [own, other] {
        match inventory {
            Inventory::Provider(shown) => provider = shown,
            Inventory::Directory(shown) => directory = shown,
        }
    }
    PlanParams { tenant: bench.tenant.clone(), app_data: bench.world.app_data(), provider, directory, rotation: None }
}

/// Plans the tenant as the engine does, with a stand-in for the other side.
pub(crate) async fn plan(bench: &Bench) -> Result<PlannedTenant, Failure> {
    let other = bench.world.other_side();
    let domain = match &other {
        Inventory::Provider(shown) => shown.domain.clone(),
        Inventory::Directory(shown) => shown.domain.clone(),
    };
    let mut gives: Vec<String> = bench.world.other_side_outputs().into_keys().collect();
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
        rotation: None,
        accepted: Vec::new(),
        begun: false,
        config: digest_config(&Value::Null).map_err(|error| Failure::new("digests", error.to_string()))?,
    };
    let expected = "a ready tenant with steps";
    let tenant = Tenant { spec, provider, directory };
    let planned = plan_tenant(&tenant, Timestamp::now()).await;
    let planned = planned.map_err(|error| Failure::new(expected, error.to_string()))?;
    if planned.verdict != Verdict::Ready {
        let findings: Vec<_> = planned.findings.iter().map(|finding| finding.message.clone()).collect();
        return Err(Failure::new(expected, format!("{}: {}", planned.verdict, findings.join("; "))));
    }
    if own_steps(&planned.steps, bench.role).is_empty() {
        return Err(Failure::new(expected, "no step"));
    }
    Ok(planned)
}

fn lint(harness: &Harness<'_>, planned: PlannedTenant) -> Result<(), Failure> {
    let version = harness.subject.process.hello().version.clone();
    let pin = PluginPin { version, sha256: harness.subject.process.sha256().to_owned(), uncaged: false };
    let pins: BTreeMap<_, _> = ["plugin", "stand-in"].map(|name| (name.to_owned(), pin.clone())).into();
    let now = Timestamp::now();
    match Plan::freeze(now, now + SignedDuration::from_hours(1), None, pins, vec![planned]) {
        Ok(_) => Ok(()),
        Err(PlanError::Unsound(defects)) => Err(Failure::new("no defect", defects.join("; "))),
        Err(error) => Err(Failure::new("a plan that can be written", error.to_string())),
    }
}

/// A stand-in for the other side of the tenant. It returns the world's inventory and proposes placeholder steps.
struct StandIn {
    inventory: Inventory,
    gives: Vec<String>,
}

impl Backend for StandIn {
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, contract::Error>> {
        let reply = match call.op {
            Op::Detect => Ok(json!(self.inventory)),
            Op::Plan => Ok(json!(PlanReply { steps: self.steps(), rotation: false })),
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
        // Its first step gives all outputs.
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
            sends: Some(vec![]),
            queries: vec![],
            payload: json!({}).into(),
        };
        phases.iter().enumerate().map(step).collect()
    }
}

async fn observe(harness: &Harness<'_>, steps: &[Step]) -> Result<usize, Failure> {
    let mut bench = harness.bench().await?;
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

async fn test(harness: &Harness<'_>, steps: &[Step]) -> Result<usize, Failure> {
    let mut bench = harness.bench().await?;
    for (index, step) in steps.iter().enumerate() {
        if step.proposal.phase.is_check() {
            pure(&bench, bench.test(step)).await.map_err(|f| f.during(&step.id))?;
        }
        bench.advance(&steps[index..=index]).await?;
    }
    Ok(steps.len() - positions(steps).len())
}

async fn check_early_reply(harness: &Harness<'_>, steps: &[Step]) -> Result<(), Failure> {
    let mut bench = harness.bench().await?;
    let lived = bench.advance(reversible(steps)).await;
    match harness.subject.recorder.recording().early_reply {
        Some(id) => Err(Failure::new("answers to all asks before the reply", format!("call {id} did not wait"))),
        None => lived,
    }
}

/// Migrates a tenant and rolls it back in one process, and replays the same messages to another process.
async fn same_messages(harness: &Harness<'_>, steps: &[Step]) -> Result<(), Failure> {
    let broken = |seen: String| Failure::new("a second process that accepts the same messages", seen);
    let subject = harness.candidate.start().await.map_err(|error| broken(error.to_string()))?;
    let recorder = Arc::clone(&subject.recorder);
    let one = Harness { candidate: harness.candidate, subject, make: Arc::clone(&harness.make) };
    let mut bench = one.bench().await?;
    let reversible = reversible(steps);
    detect(&bench).await?;
    propose(&one, &bench).await?;
    bench.advance(reversible).await?;
    bench.roll_back(unaided(reversible)).await?;
    let (told, said) = {
        let recording = recorder.recording();
        (recording.to_plugin.clone(), recording.from_plugin.clone())
    };
    let again = harness.candidate.start_raw().map_err(|error| broken(error.to_string()))?;
    let again = again.replay(&told).await.map_err(broken)?;
    let text = |bytes: Option<&Vec<u8>>| bytes.map_or("nothing".to_owned(), |b| shorten(&String::from_utf8_lossy(b)));
    match (0..said.len().max(again.len())).find(|&at| said.get(at) != again.get(at)) {
        None => Ok(()),
        Some(at) => Err(Failure::new(text(said.get(at)), text(again.get(at)))),
    }
}

/// The steps before the first irreversible one.
pub(crate) fn reversible(steps: &[Step]) -> &[Step] {
    let is_final = |step: &Step| step.proposal.reversibility == Reversibility::Irreversible;
    let end = steps.iter().position(|step| !step.proposal.phase.is_check() && is_final(step)).unwrap_or(steps.len());
    &steps[..end]
}

/// The steps after the last attended one; the plugin undoes them without a person.
pub(crate) fn unaided(steps: &[Step]) -> &[Step] {
    let is_attended = |step: &Step| step.proposal.reversibility == Reversibility::Attended;
    let start = steps.iter().rposition(is_attended).map_or(0, |at| at + 1);
    &steps[start..]
}

/// The indexes of the steps that change something.
pub(crate) fn positions(steps: &[Step]) -> Vec<usize> {
    let changing = steps.iter().enumerate().filter(|(_, step)| !step.proposal.phase.is_check());
    changing.map(|(at, _)| at).collect()
}
