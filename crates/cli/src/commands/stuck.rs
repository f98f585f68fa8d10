//! `flowswap stuck`: the tenants that need a decision, with all that is known of them.

use flowswap_contract::{Evidence, EvidenceResult};
use flowswap_engine::{TenantHistory, TenantState, Work};
use jiff::Timestamp;
use serde::Serialize;

use super::{abandon, request::Request, status};
use crate::{
    args::Select,
    context::{Context, SystemClock, read_history},
    display::{
        show_sources,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    fleet::select,
    terminal::{Tone, paint},
};

/// The report; scripts rely on its names.
#[derive(Serialize)]
struct Report {
    tenants: Vec<Case>,
}

#[derive(Serialize)]
struct Case {
    name: String,
    step: Option<String>,
    /// Whether it is not known if the step is in place; otherwise what it did is known, and did not succeed.
    in_doubt: bool,
    since: Timestamp,
    age_seconds: i64,
    reason: Option<String>,
    request: Option<Request>,
    evidence: Option<Seen>,
    next: Option<String>,
    /// What else a person can do.
    or: String,
    /// What ends a way back, where the tenant is on one.
    way_out: Option<String>,
}

#[derive(Serialize)]
struct Seen {
    at: Timestamp,
    #[serde(flatten)]
    evidence: Evidence,
}

pub(crate) async fn run(context: &Context, args: &Select) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    select(&config, &args.tenants)?;
    let history = read_history(&config).await?;
    let is_meant = |name: &str| args.tenants.is_empty() || args.tenants.iter().any(|meant| meant == name);
    let stuck = history.tenants().filter(|(name, tenant)| is_meant(name) && tenant.state == TenantState::Stuck);
    let report = Report { tenants: stuck.map(|(name, tenant)| case(name, tenant)).collect() };
    if report.tenants.is_empty() {
        context.terminal.say("no tenant is stuck");
    }
    context.terminal.report(&report, || Text::join(report.tenants.iter().map(text), "\n"))?;
    Ok(Exit::Done)
}

/// What is known of one tenant, for whoever decides on it.
pub(crate) fn describe(name: &str, tenant: &TenantHistory) -> Text {
    text(&case(name, tenant)).trim_end().to_owned()
}

fn case(name: &str, tenant: &TenantHistory) -> Case {
    let now = flowswap_engine::Clock::now(&SystemClock);
    let work = tenant.work.as_ref();
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
        next: status::next(name, tenant),
        or: match changes {
            true => resolve(name, work, step.as_deref()),
            // What a check saw is not for a person to say.
            false => format!("flowswap rollback {name}"),
        },
        way_out: abandon::way_out(name, tenant),
        step,
    }
}

/// The command with which a person decides, with what has to be said of the step's outputs.
fn resolve(name: &str, work: Option<&Work>, step: Option<&str>) -> String {
    let step = work.zip(step).and_then(|(work, step)| work.tenant.step(step).filter(|_| !work.is_done(step)));
    let said = step.into_iter().flat_map(|step| step.proposal.gives.iter());
    let said = said.filter(|output| !work.is_some_and(|work| work.brings_secret(output)));
    let outputs: String = said.map(|output| format!(" --output {output}=…")).collect();
    let applied = if outputs.is_empty() { "applied".to_owned() } else { format!("applied{outputs}") };
    format!(
        "flowswap resolve {name} --reason \"…\" --as {applied}, or --as not-applied  (once you have looked yourself)"
    )
}

fn text(case: &Case) -> Text {
    let step = case.step.as_deref().unwrap_or("-");
    let mut text = text!("{} is stuck at `{}` for {}\n", paint(Tone::Strong, &case.name), step, age(case.age_seconds));
    let mut line = |title: &str, said: Text| text += text!("  {:<9} {}\n", title, said);
    line("reason", text!("{}", case.reason.as_deref().unwrap_or("none was recorded")));
    line("request", case.request.as_ref().map_or_else(|| "none that changes anything".into(), Request::show));
    line("evidence", case.evidence.as_ref().map_or_else(|| "none yet".into(), show_evidence));
    if let Some(next) = &case.next {
        line("next", text!("{}  ({})", next, if case.in_doubt { "looks again first" } else { "tries again" }));
    }
    line("or", text!("{}", case.or));
    if let Some(way_out) = &case.way_out {
        line("or", text!("{}  (stays with the new client, if the directory is seen to be on it)", way_out));
    }
    text
}

/// What stands in the way at the step; else the last thing that was seen.
fn find_evidence(tenant: &TenantHistory, step: Option<&str>) -> Option<Seen> {
    let look = tenant.work.as_ref().zip(step).and_then(|(work, step)| work.looks.get(step));
    let in_the_way = look.and_then(|look| {
        let failed = look.evidence.iter().find(|evidence| evidence.result == EvidenceResult::Fail)?;
        Some(Seen { at: look.at, evidence: failed.clone() })
    });
    in_the_way.or_else(|| tenant.evidence.clone().map(|(at, evidence)| Seen { at, evidence }))
}

fn show_evidence(seen: &Seen) -> Text {
    let Evidence { check, detail, .. } = &seen.evidence;
    text!("{} at {}: {}{}", check, seen.at, detail, show_sources(&seen.evidence))
}

/// The two largest units say enough.
fn age(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    match seconds {
        ..60 => "less than a minute".to_owned(),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_said_in_its_two_largest_units() {
        let table = [
            (0, "less than a minute"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h 0 min"),
            (86_399, "23 h 59 min"),
            (200_000, "2 d 7 h"),
        ];
        for (seconds, expect) in table {
            assert_eq!(age(seconds), expect);
        }
    }
}
