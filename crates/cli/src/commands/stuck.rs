//! `flowswap stuck`: lists the tenants that need a decision, with everything that flowswap knows about them.

use flowswap_contract::{Evidence, EvidenceResult};
use flowswap_engine::{Refusal, TenantHistory, TenantState, Time, Work};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{abandon, request::Request, status};
use crate::{
    args::Select,
    context::{Context, SystemClock, read_logbook, read_tenant},
    display::{
        show_sources,
        text::{Text, text},
        times,
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    full_command, selection,
    terminal::{Tone, paint},
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The tenants that need a decision.
    tenants: Vec<Case>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Stuck;
}

#[derive(Serialize, JsonSchema)]
struct Case {
    /// The name of the tenant.
    name: String,
    /// The step that is in doubt, or that failed.
    step: Option<String>,
    /// True if flowswap cannot tell whether the step took effect. False if it knows that the step failed.
    in_doubt: bool,
    /// Since when it is stuck.
    #[schemars(with = "Time")]
    since: Timestamp,
    /// For how many seconds it has been stuck.
    age_seconds: i64,
    /// Why it is stuck, in one line.
    reason: Option<String>,
    /// The last request of the step that changes something.
    request: Option<Request>,
    /// What flowswap saw of the step last.
    evidence: Option<TimedEvidence>,
    /// The command that continues the tenant.
    next: Option<String>,
    /// What a person can do instead of `next`.
    or: String,
    /// The command that abandons the rollback, if the tenant rolls back.
    way_out: Option<String>,
    /// Why the last run did nothing for the tenant, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refusal>,
}

#[derive(Serialize, JsonSchema)]
struct TimedEvidence {
    /// When flowswap saw it.
    #[schemars(with = "Time")]
    at: Timestamp,
    #[serde(flatten)]
    evidence: Evidence,
}

pub(crate) async fn run(context: &Context, args: &Select) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    let mut report = Report { tenants: Vec::new() };
    for name in selection::select(&config, &logbook, args)?.names {
        if logbook.overview(&name).is_some_and(|overview| overview.state == TenantState::Stuck)
            && let Some(tenant) = read_tenant(&logbook, &name).await?
        {
            report.tenants.push(case(&name, &tenant));
        }
    }
    if report.tenants.is_empty() {
        context.terminal.say("no tenant is stuck");
    }
    context.terminal.report(&report, || Text::join(report.tenants.iter().map(text), "\n"))?;
    Ok(if report.tenants.is_empty() { Exit::Done } else { Exit::SomeFailed })
}

/// What is known about one tenant, for the person who decides.
pub(crate) fn describe(name: &str, tenant: &TenantHistory) -> Text {
    text(&case(name, tenant)).trim_end().to_owned()
}

fn case(name: &str, tenant: &TenantHistory) -> Case {
    let now = flowswap_engine::Clock::now(&SystemClock);
    let (work, overview) = (tenant.work.as_deref(), tenant.overview());
    let step = tenant.step.clone();
    let request = work.and_then(|work| work.requests.iter().rfind(|sent| Some(&sent.step) == step.as_ref()));
    let changes = step.as_ref().is_some_and(|step| work.is_some_and(|work| work.changes_something(step)));
    Case {
        name: name.to_owned(),
        in_doubt: work.is_some_and(|work| work.doubt.is_some()),
        since: tenant.since,
        age_seconds: now.duration_since(tenant.since).as_secs(),
        reason: tenant.reason.clone(),
        request: request.map(Request::from),
        evidence: find_evidence(tenant, step.as_deref()),
        next: status::next_command(name, &overview).map(full_command::of),
        // A person can resolve only a step that changes something; only flowswap decides the result of a check.
        or: full_command::of(if changes {
            resolve(name, work, step.as_deref())
        } else {
            format!("flowswap rollback {name}")
        }),
        way_out: abandon::abandon_command(name, &overview).map(full_command::of),
        refused: tenant.refusal.clone(),
        step,
    }
}

/// The command with which a person decides, with an option for each output that the person must provide.
fn resolve(name: &str, work: Option<&Work>, step: Option<&str>) -> String {
    let step = work.zip(step).and_then(|(work, step)| work.tenant.step(step).filter(|_| !work.is_done(step)));
    let outputs = step.into_iter().flat_map(|step| step.proposal.gives.iter());
    let outputs = outputs.filter(|output| !work.is_some_and(|work| work.brings_secret(output)));
    let outputs: String = outputs.map(|output| format!(" --output {output}=…")).collect();
    let applied = if outputs.is_empty() { "applied".to_owned() } else { format!("applied{outputs}") };
    format!(
        "flowswap resolve {name} --reason \"…\" --as not-applied (or `--as {applied}`; check Okta and the console first)"
    )
}

fn text(case: &Case) -> Text {
    let step = case.step.as_deref().unwrap_or("-");
    let mut text = text!(
        "{} has been stuck at `{}` for {}\n",
        paint(Tone::Strong, &case.name),
        step,
        times::age(case.age_seconds)
    );
    let mut line = |title: &str, value: Text| text += text!("  {:<9} {}\n", title, value);
    line("reason", text!("{}", case.reason.as_deref().unwrap_or("not recorded")));
    line("request", case.request.as_ref().map_or_else(|| "no request that changes anything".into(), Request::show));
    line("evidence", case.evidence.as_ref().map_or_else(|| "none yet".into(), show_evidence));
    if let Some(refusal) = &case.refused {
        line("last run", status::show_refusal(refusal));
    }
    if let Some(next) = &case.next {
        line("next", text!("{}  ({})", next, if case.in_doubt { "checks the step first" } else { "tries again" }));
    }
    line("or", text!("{}", case.or));
    if let Some(way_out) = &case.way_out {
        line("or", text!("{}  (keeps the new client, if flowswap sees the directory use it)", way_out));
    }
    times::of_tenant(&case.name, text)
}

/// The failed evidence of the step; without any, the last evidence of the tenant.
fn find_evidence(tenant: &TenantHistory, step: Option<&str>) -> Option<TimedEvidence> {
    let last = tenant.work.as_ref().zip(step).and_then(|(work, step)| work.last_results.get(step));
    let failed = last.and_then(|last| {
        let failed = last.evidence.iter().find(|evidence| evidence.result == EvidenceResult::Fail)?;
        Some(TimedEvidence { at: last.at, evidence: failed.clone() })
    });
    failed.or_else(|| tenant.evidence.clone().map(|(at, evidence)| TimedEvidence { at, evidence }))
}

fn show_evidence(timed: &TimedEvidence) -> Text {
    let Evidence { check, detail, .. } = &timed.evidence;
    text!("{} at {}: {}{}", check, timed.at, detail, show_sources(&timed.evidence))
}
