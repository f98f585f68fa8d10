//! `flowswap evidence`: no claim without its ground. For every step of a tenant's plan what was seen, when, and by which
//! request or event; what people said and were given; and what is still missing.

use flowswap_contract::{Evidence, EvidenceResult, Phase, Role, Step};
use flowswap_engine::{HandOver, Handle, TenantHistory, TenantState, Work};
use jiff::Timestamp;
use serde::Serialize;

use super::{awaited::Awaited, request::Request, said::Said};
use crate::{
    args::OneTenant,
    context::{Context, read_history, read_records},
    display::{
        show_sources,
        text::{Text, text},
        tone_of_state,
    },
    exit::{Exit, Failure},
    fleet::select,
    terminal::{Tone, paint},
};

/// The report; scripts rely on its names.
#[derive(Serialize)]
struct Report {
    name: String,
    state: TenantState,
    since: Timestamp,
    reason: Option<String>,
    /// The plan that it is worked on with.
    plan: Option<String>,
    steps: Vec<Row>,
    said: Vec<Said>,
    handed_over: Vec<HandedOver>,
    missing: Awaited,
}

#[derive(Serialize)]
struct Row {
    step: String,
    role: Role,
    phase: Phase,
    title: String,
    standing: Standing,
    /// When it was done, last looked at, or asked of a person.
    at: Option<Timestamp>,
    checks: Vec<Evidence>,
    /// The requests that were to change something.
    requests: Vec<Request>,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    /// It was carried out, or passed.
    Done,
    /// A person is asked.
    Asked,
    /// It was begun, and its end is not known.
    InDoubt,
    /// Its last look or try failed.
    Failed,
    /// It did not pass yet, or its turn did not come.
    Awaited,
    /// It is not meant to be carried out before the tenant is swapped and proven.
    Later,
}

#[derive(Serialize)]
struct HandedOver {
    at: Timestamp,
    by: String,
    handle: Handle,
    way: HandOver,
}

pub(crate) async fn run(context: &Context, args: &OneTenant) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let name = &args.tenant;
    select(&config, std::slice::from_ref(name))?;
    let history = read_history(&config).await?;
    let Some(tenant) = history.tenant(name) else {
        let failure = Failure::new(Exit::Usage, format!("nothing was begun on the tenant `{name}`"));
        return Err(failure.hint("`flowswap status` shows where every tenant stands"));
    };
    let said = Said::all(name, &read_records(&config).await?);
    let report = report(name, tenant, said);
    context.terminal.report(&report, || text(&report))?;
    Ok(Exit::Done)
}

fn report(name: &str, tenant: &TenantHistory, said: Vec<Said>) -> Report {
    let work = tenant.work.as_ref();
    let handed_over = work.into_iter().flat_map(|work| work.handed_over.iter()).map(|given| HandedOver {
        at: given.at,
        by: given.by.clone(),
        handle: given.handle.clone(),
        way: given.way,
    });
    Report {
        name: name.to_owned(),
        state: tenant.state,
        since: tenant.since,
        reason: tenant.reason.clone(),
        plan: work.map(|work| work.plan.clone()),
        steps: work.into_iter().flat_map(|work| work.tenant.steps.iter().map(|step| row(step, work))).collect(),
        said,
        handed_over: handed_over.collect(),
        missing: Awaited::of(tenant),
    }
}

fn row(step: &Step, work: &Work) -> Row {
    let look = work.looks.get(&step.id);
    let done = work.done.iter().find(|done| done.id == step.id);
    let checks = look.map(|look| look.evidence.clone()).or_else(|| done.map(|done| done.evidence.clone()));
    let checks = checks.unwrap_or_default();
    let question = work.question.as_ref().filter(|question| question.step == step.id);
    let standing = match () {
        () if question.is_some() => Standing::Asked,
        () if work.doubt.as_ref().is_some_and(|doubt| doubt.step == step.id) => Standing::InDoubt,
        () if done.is_some() => Standing::Done,
        () if checks.iter().any(|check| check.result == EvidenceResult::Fail) => Standing::Failed,
        () if look.is_some_and(|look| !look.passed) && checks.is_empty() => Standing::Failed,
        () if step.proposal.phase > Phase::Confirm => Standing::Later,
        () => Standing::Awaited,
    };
    let requests = work.requests.iter().filter(|sent| sent.step == step.id).map(Request::from);
    Row {
        step: step.id.clone(),
        role: step.role,
        phase: step.proposal.phase,
        title: step.proposal.title.clone(),
        standing,
        at: question.map(|question| question.since).or(look.map(|look| look.at)).or(done.map(|done| done.at)),
        checks,
        requests: requests.collect(),
    }
}

fn text(report: &Report) -> Text {
    let state = paint(tone_of_state(report.state), report.state);
    let reason = report.reason.as_ref().map(|reason| text!(": {}", reason)).unwrap_or_default();
    let mut text = text!("{} is {} since {}{}\n", paint(Tone::Strong, &report.name), state, report.since, reason);
    if report.steps.is_empty() {
        text += "\nno step stands\n";
    }
    for row in &report.steps {
        let (word, tone) = match row.standing {
            Standing::Done => ("done", Tone::Good),
            Standing::Asked => ("a person is asked", Tone::Care),
            Standing::InDoubt => ("in doubt", Tone::Bad),
            Standing::Failed => ("failed", Tone::Bad),
            Standing::Awaited => ("awaited", Tone::Care),
            Standing::Later => ("later, by `flowswap finalize`", Tone::Dim),
        };
        let at = row.at.map(|at| match row.standing {
            Standing::Done | Standing::Failed => text!(" at {}", at),
            Standing::Asked => text!(" since {}", at),
            Standing::InDoubt | Standing::Awaited | Standing::Later => text!(", last looked at {}", at),
        });
        let (step, at) = (paint(Tone::Strong, &row.step), at.unwrap_or_default());
        text += text!("\n{} ({}): {}{}\n", step, row.title, paint(tone, word), at);
        for check in &row.checks {
            let (word, tone) = show_result(check.result);
            let sources = show_sources(check);
            text += text!("  {} {}: {}{}\n", paint(tone, text!("{:<8}", word)), check.check, check.detail, sources);
        }
        for request in &row.requests {
            text += text!("  {:<8} {}\n", "request", request.show());
        }
    }
    if !report.said.is_empty() {
        text += text!("\n{}\n", paint(Tone::Strong, "what people said"));
        text.extend(report.said.iter().map(|said| text!("  {}\n", said.show())));
    }
    if !report.handed_over.is_empty() {
        text += text!("\n{}\n", paint(Tone::Strong, "secrets given to people"));
        for HandedOver { at, by, handle, way } in &report.handed_over {
            text += text!("  `{}` to {} at {} ({})\n", handle, by, at, way);
        }
    }
    text += text!("\n{}\n", paint(Tone::Strong, "still missing"));
    text + &report.missing.list()
}

fn show_result(result: EvidenceResult) -> (&'static str, Tone) {
    match result {
        EvidenceResult::Pass => ("passed", Tone::Good),
        EvidenceResult::Fail => ("failed", Tone::Bad),
        EvidenceResult::NotApplicable => ("n/a", Tone::Dim),
        EvidenceResult::Inconclusive => ("not yet", Tone::Care),
    }
}
