//! `flowswap evidence`: shows the ground for every claim. For every step of a tenant's plan it shows what flowswap saw,
//! when, and in which request or event. It also shows what people confirmed and received, and what is still missing.

use flowswap_contract::{Evidence, EvidenceResult, Phase, Role, Step};
use flowswap_engine::{Handle, HandoverChannel, TenantHistory, TenantState, Time, Work};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{outstanding::Outstanding, request::Request, standing, started, statement::Statement};
use crate::{
    args::Select,
    context::{Context, read_logbook, read_tenant},
    display::{
        show_sources,
        text::{Text, text},
        times, tone_of_state,
    },
    documents::{Document, DocumentName, OfTenants},
    exit::{Exit, Failure},
    selection,
    terminal::{Tone, paint},
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The name of the tenant.
    name: String,
    /// Its state.
    state: TenantState,
    /// Since when it has this state.
    #[schemars(with = "Time")]
    since: Timestamp,
    /// Why it has this state, in one line.
    reason: Option<String>,
    /// The digest of the plan in use.
    plan: Option<String>,
    /// The steps of the migration, in their order.
    steps: Vec<Row>,
    /// What people stated about the steps.
    #[serde(rename = "said")]
    statements: Vec<Statement>,
    /// The secrets that people received.
    handed_over: Vec<HandedOver>,
    /// What flowswap must still see before the tenant is swapped.
    missing: Outstanding,
}

impl Document for OfTenants<'_, Report> {
    const NAME: DocumentName = DocumentName::Evidence;
}

#[derive(Serialize, JsonSchema)]
struct Row {
    /// The id of the step.
    step: String,
    /// The side of the step.
    role: Role,
    /// The phase of the step.
    phase: Phase,
    /// What the step does.
    title: String,
    /// How far the step is.
    #[serde(rename = "standing")]
    status: StepStatus,
    /// When it was done, when it was last checked, or since when a person must act.
    #[schemars(with = "Option<Time>")]
    at: Option<Timestamp>,
    /// What its last check saw.
    checks: Vec<Evidence>,
    /// The changing requests of the step.
    requests: Vec<Request>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum StepStatus {
    /// It was carried out, or it passed.
    Done,
    /// A person must carry out its run sheet.
    #[serde(rename = "asked")]
    WaitsForPerson,
    /// It started, and flowswap does not know whether it took effect.
    InDoubt,
    /// Its last check or attempt failed.
    Failed,
    /// It has not passed yet, or an earlier step must be done first.
    #[serde(rename = "awaited")]
    NotDone,
    /// `flowswap finalize` carries it out, after the swap is confirmed.
    Later,
}

#[derive(Serialize, JsonSchema)]
struct HandedOver {
    /// When.
    #[schemars(with = "Time")]
    at: Timestamp,
    /// The person.
    by: String,
    /// The name of the secret, never its value.
    handle: Handle,
    /// How the person received it.
    way: HandoverChannel,
}

pub(crate) async fn run(context: &Context, args: &Select) -> Result<Exit, Failure> {
    selection::require(args, false, "name them, or select them with an option such as `--state swapped`")?;
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    let selected = selection::select(&config, &logbook, args)?;
    let (mut reports, mut exit) = (Vec::new(), Exit::Done);
    for name in &selected.names {
        match read_tenant(&logbook, name).await? {
            Some(tenant) => {
                exit = started::worst(exit, standing::exit_of(&tenant.overview()));
                reports.push(report(name, &tenant, Statement::all(name, &logbook).await?));
            }
            None if selected.is_written(name) => return Err(not_started(name)),
            None => {}
        }
    }
    let shown = || Text::join(reports.iter().map(text), "\n");
    context.terminal.report(&OfTenants::new(args.is_one_name(), &reports), shown)?;
    Ok(exit)
}

fn not_started(name: &str) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("flowswap has not started to migrate the tenant `{name}`"));
    failure.hint("show the state of every tenant: flowswap status")
}

fn report(name: &str, tenant: &TenantHistory, statements: Vec<Statement>) -> Report {
    let work = tenant.work.as_deref();
    let handed_over = work.into_iter().flat_map(|work| work.handed_over.iter()).map(|given| HandedOver {
        at: given.at,
        by: given.by.to_string(),
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
        statements,
        handed_over: handed_over.collect(),
        missing: Outstanding::of(tenant),
    }
}

fn row(step: &Step, work: &Work) -> Row {
    let last = work.last_results.get(&step.id);
    let done = work.done.iter().find(|done| done.id == step.id);
    let checks = last.map(|last| last.evidence.clone()).or_else(|| done.map(|done| done.evidence.clone()));
    let checks = checks.unwrap_or_default();
    let question = work.question.as_ref().filter(|question| question.step == step.id);
    let is_in_doubt = work.doubt.as_ref().is_some_and(|doubt| doubt.step == step.id);
    let has_failed = checks.iter().any(|check| check.result == EvidenceResult::Fail)
        || (last.is_some_and(|last| !last.passed) && checks.is_empty());
    let status = if question.is_some() {
        StepStatus::WaitsForPerson
    } else if is_in_doubt {
        StepStatus::InDoubt
    } else if done.is_some() {
        StepStatus::Done
    } else if has_failed {
        StepStatus::Failed
    } else if step.proposal.phase > Phase::Confirm {
        StepStatus::Later
    } else {
        StepStatus::NotDone
    };
    let requests = work.requests.iter().filter(|sent| sent.step == step.id).map(Request::from);
    Row {
        step: step.id.clone(),
        role: step.role,
        phase: step.proposal.phase,
        title: step.proposal.title.clone(),
        status,
        at: question.map(|question| question.since).or(last.map(|last| last.at)).or(done.map(|done| done.at)),
        checks,
        requests: requests.collect(),
    }
}

fn text(report: &Report) -> Text {
    let state = paint(tone_of_state(report.state), report.state);
    let reason = report.reason.as_ref().map(|reason| text!(": {}", reason)).unwrap_or_default();
    let mut text = text!("{}: {} since {}{}\n", paint(Tone::Strong, &report.name), state, report.since, reason);
    if report.steps.is_empty() {
        text += "\nno step is in place\n";
    }
    for row in &report.steps {
        let (word, tone) = match row.status {
            StepStatus::Done => ("done", Tone::Good),
            StepStatus::WaitsForPerson => ("waiting for a person", Tone::Care),
            StepStatus::InDoubt => ("in doubt", Tone::Bad),
            StepStatus::Failed => ("failed", Tone::Bad),
            StepStatus::NotDone => ("not done yet", Tone::Care),
            StepStatus::Later => ("later, with `flowswap finalize`", Tone::Dim),
        };
        let at = row.at.map(|at| match row.status {
            StepStatus::Done | StepStatus::Failed => text!(" at {}", at),
            StepStatus::WaitsForPerson => text!(" since {}", at),
            StepStatus::InDoubt | StepStatus::NotDone | StepStatus::Later => text!(", last checked at {}", at),
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
    if !report.statements.is_empty() {
        text += text!("\n{}\n", paint(Tone::Strong, "what people confirmed or decided"));
        text.extend(report.statements.iter().map(|statement| text!("  {}\n", statement.show())));
    }
    if !report.handed_over.is_empty() {
        text += text!("\n{}\n", paint(Tone::Strong, "secrets handed over"));
        for HandedOver { at, by, handle, way } in &report.handed_over {
            text += text!("  `{}` to {} at {} ({})\n", handle, by, at, way);
        }
    }
    text += text!("\n{}\n", paint(Tone::Strong, "still missing"));
    times::of_tenant(&report.name, text + &report.missing.list())
}

fn show_result(result: EvidenceResult) -> (&'static str, Tone) {
    match result {
        EvidenceResult::Pass => ("passed", Tone::Good),
        EvidenceResult::Fail => ("failed", Tone::Bad),
        EvidenceResult::NotApplicable => ("n/a", Tone::Dim),
        EvidenceResult::Inconclusive => ("not yet", Tone::Care),
    }
}
