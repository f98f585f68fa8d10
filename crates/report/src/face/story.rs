//! What was done for a tenant, as lines for a person. Every face for people shows the same lines.

use flowswap_contract::{Effect, Evidence, EvidenceResult};
use flowswap_engine::{Actor, Direction, RequestOutcome, short};
use jiff::{SignedDuration, Timestamp};
use minijinja::{Value, context, value::Serde};
use serde::Serialize;

use crate::{
    plan::name_of,
    work::{
        Approved, Approver, Asked, Attempt, AttemptEnd, EndLine, Planned, RefusalLine, RequestLine, RunLine,
        SecretEvent, SecretLine, Statement, StatementKind, WorkReport, WorkedTenant,
    },
};

/// Something that happened. What stands in backticks is code.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    at: Option<Timestamp>,
    /// How a face colors it: `good`, `care`, `bad`, or nothing.
    tone: &'static str,
    text: String,
    notes: Vec<Note>,
}

/// What was seen or sent.
#[derive(Debug, Serialize)]
struct Note {
    tone: &'static str,
    word: &'static str,
    text: String,
}

/// Something that a person did.
#[derive(Debug, Serialize)]
struct PersonLine<'a> {
    at: Timestamp,
    by: String,
    tenant: &'a str,
    text: String,
}

/// A run, and who started it.
#[derive(Debug, Serialize)]
struct RunRow<'a> {
    run: &'a RunLine,
    by: String,
    /// What became of its tenants.
    became: Option<String>,
    approvers: Vec<Approver>,
}

/// What a table says of the plans that no run set out to carry out. Tenants that share a row were planned together, or one after
/// another. `is_again` if a run set out to carry out another plan.
pub(super) fn not_carried_out(is_again: bool, planned: &[&Planned]) -> Option<String> {
    let (first, last) = (planned.iter().map(|it| it.at).min()?, planned.iter().map(|it| it.at).max()?);
    let plan = short(&planned.first()?.plan);
    let [first, last] = [first, last].map(|at| format!("{at:.0}"));
    Some(match (is_again, first == last) {
        (false, _) => format!("{plan}, not carried out"),
        (true, true) => format!("planned again at {first}: {plan}, not carried out"),
        (true, false) => format!("planned again from {first} to {last}: {plan}, not carried out"),
    })
}

/// What every template for people gets.
pub(super) fn content(report: &WorkReport) -> Value {
    context! {
        summary => Value::from(Serde(&report.summary)),
        journal => Value::from(Serde(&report.journal)),
        states => Value::from(Serde(&report.states)),
        runs => Value::from(Serde(runs(report))),
        failures => Value::from(Serde(&report.failures)),
        durations => Value::from(Serde(&report.durations)),
        people => Value::from(Serde(people(report))),
        unknowns => Value::from(Serde(&report.unknowns)),
    }
}

/// The runs of a report.
fn runs(report: &WorkReport) -> Vec<RunRow<'_>> {
    let rows = report.runs.iter();
    rows.map(|run| RunRow { run, by: person(run.by.as_ref()), became: run.became(), approvers: run.approvers() })
        .collect()
}

/// What happened to a tenant, oldest first. Within a millisecond, a step comes after what people said and after the secret that
/// it made, and before what it led to.
pub(super) fn lines(tenant: &WorkedTenant) -> Vec<Line> {
    let is_made = |secret: &&SecretLine| matches!(secret.event, SecretEvent::Stored | SecretEvent::Generated);
    let (made, other): (Vec<_>, Vec<_>) = tenant.secrets.iter().partition(is_made);
    let mut lines: Vec<Line> = tenant.statements.iter().map(of_statement).collect();
    lines.extend(tenant.approved.iter().map(of_approval));
    lines.extend(made.into_iter().map(of_secret));
    lines.extend(tenant.attempts.iter().flat_map(of_attempt));
    lines.extend(other.into_iter().map(of_secret));
    lines.extend(tenant.refusals.iter().map(of_refusal));
    lines.extend(tenant.ends.iter().map(of_end));
    lines.sort_by_key(|line| line.at);
    lines
}

/// What people decided, and which secrets they received, oldest first. Plans are left out, because there is one for each tenant.
fn people(report: &WorkReport) -> Vec<PersonLine<'_>> {
    let of_tenant = |tenant: &'_ WorkedTenant| {
        let said = tenant.statements.iter().filter(|said| said.kind != StatementKind::Planned);
        let said = said.map(|said| (said.at, person(said.by.as_ref()), stated(said)));
        let handed_over = tenant.secrets.iter().filter(|secret| secret.event == SecretEvent::HandedOver);
        let handed_over = handed_over.map(|secret| (secret.at, person(secret.by.as_ref()), received(secret)));
        said.chain(handed_over).collect::<Vec<_>>()
    };
    let mut lines: Vec<PersonLine<'_>> = Vec::new();
    for tenant in &report.tenants {
        let of_this = of_tenant(tenant).into_iter();
        lines.extend(of_this.map(|(at, by, text)| PersonLine { at, by, tenant: &tenant.name, text }));
    }
    lines.sort_by_key(|line| line.at);
    lines
}

/// A user, the name that the user goes by, and the machine.
fn person(actor: Option<&Actor>) -> String {
    match actor {
        None => "somebody whom the journal does not name".to_owned(),
        Some(actor) => name_of(actor),
    }
}

/// A time to the millisecond, from its serialized form. All times have the same length, so their order is that of their text.
pub(super) fn time(time: &Value) -> String {
    let parsed = time.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    parsed.map(|at| format!("{at:.3}")).unwrap_or_default()
}

/// A duration in its two largest units.
pub(super) fn duration(ms: u64) -> String {
    let (seconds, minutes, hours) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{seconds}.{} s", ms % 1_000 / 100),
        60_000..3_600_000 => format!("{minutes} min {} s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

fn of_attempt(attempt: &Attempt) -> Vec<Line> {
    let Attempt { step, direction, .. } = attempt;
    let asked = attempt.asked.as_ref().map(|asked| of_question(attempt, asked));
    if attempt.end == AttemptEnd::Asked {
        return asked.into_iter().collect();
    }
    let subject = if *direction == Direction::Back { format!("rollback of `{step}`") } else { format!("`{step}`") };
    let message = attempt.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
    let (tone, mut text) = match attempt.end {
        AttemptEnd::Done => ("good", format!("{subject} done{}", took(attempt))),
        AttemptEnd::NotYet => ("care", format!("{subject} cannot tell yet: {message}")),
        AttemptEnd::Failed => ("bad", format!("{subject} failed: {message}")),
        AttemptEnd::Interrupted => ("care", format!("{subject} interrupted: {message}")),
        AttemptEnd::Unrecorded | AttemptEnd::Asked => ("care", format!("{subject} started, and no end is recorded")),
    };
    if attempt.end == AttemptEnd::Failed && attempt.error.as_ref().is_some_and(|error| error.effect == Effect::Unknown)
    {
        text += " (it may have changed something)";
    }
    if let Some(at) = attempt.healed_at {
        text += &format!(" (succeeded at {at:.3})");
    }
    let seen = attempt.evidence.iter().map(of_evidence);
    let notes = attempt.requests.iter().map(of_request).chain(seen).collect();
    let line = Line { at: attempt.ended_at.or(attempt.started_at), tone, text, notes };
    asked.into_iter().chain([line]).collect()
}

fn took(attempt: &Attempt) -> String {
    let ms = attempt.duration().and_then(|took: SignedDuration| u64::try_from(took.as_millis()).ok());
    ms.map(|ms| format!(" in {}", duration(ms))).unwrap_or_default()
}

fn of_question(attempt: &Attempt, asked: &Asked) -> Line {
    let owner = asked.owner.as_deref().unwrap_or("any operator");
    let what = if attempt.direction == Direction::Back { "roll back" } else { "carry out" };
    let until = asked.until.map(|at| format!("; the wait ended at {at:.3}")).unwrap_or_default();
    let text = format!("asked {owner} to {what} `{}`, due at {:.3}{until}", attempt.step, asked.deadline);
    Line { at: Some(asked.at), tone: "care", text, notes: Vec::new() }
}

fn of_evidence(evidence: &Evidence) -> Note {
    let (tone, word) = match evidence.result {
        EvidenceResult::Pass => ("good", "passed"),
        EvidenceResult::Fail => ("bad", "failed"),
        EvidenceResult::NotApplicable => ("", "does not apply"),
        EvidenceResult::Inconclusive => ("care", "not yet"),
    };
    let mut text = format!("{}: {}", evidence.check, evidence.detail);
    let ids = [("request", &evidence.request_id), ("event", &evidence.event_id), ("finding", &evidence.rule)];
    for (what, id) in ids {
        text.extend(id.iter().flat_map(|id| [", ", what, " ", id]));
    }
    Note { tone, word, text }
}

fn of_request(request: &RequestLine) -> Note {
    let (tone, outcome) = match &request.outcome {
        None => ("bad", "no outcome is recorded".to_owned()),
        Some(outcome @ RequestOutcome::Lost { .. }) => ("bad", outcome.to_string()),
        Some(outcome) => ("", outcome.to_string()),
    };
    Note { tone, word: "request", text: format!("{} {}: {outcome}", request.method, request.url) }
}

fn of_statement(said: &Statement) -> Line {
    let text = format!("{} {}", person(said.by.as_ref()), stated(said));
    Line { at: Some(said.at), tone: "", text, notes: Vec::new() }
}

fn of_approval(Approved { at, plan, by }: &Approved) -> Line {
    let text = format!("plan {} approved by {}", short(plan), by.join(" and "));
    Line { at: Some(*at), tone: "good", text, notes: Vec::new() }
}

fn stated(said: &Statement) -> String {
    let step = said.step.as_deref().unwrap_or_default();
    let note = said.note.as_deref().unwrap_or_default();
    let quoted = said.note.as_ref().map(|note| format!(" (“{note}”)")).unwrap_or_default();
    match said.kind {
        StatementKind::Planned => {
            let plan = said.plan.as_deref().map(short).unwrap_or_default();
            format!("planned it: plan {plan}; its verdict was {note}")
        }
        StatementKind::AcceptedChanges => format!("accepted changes: {note}"),
        StatementKind::GaveUp => format!("gave up the unfinished `{note}`"),
        StatementKind::Confirmed => format!("confirmed `{step}`{quoted}"),
        StatementKind::Declined => format!("declined `{step}`{quoted}"),
        StatementKind::ResolvedApplied => format!("decided that `{step}` is applied{quoted}"),
        StatementKind::ResolvedNotApplied => format!("decided that `{step}` is not applied{quoted}"),
        StatementKind::Abandoned => format!("abandoned the rollback{quoted}"),
    }
}

fn of_secret(secret: &SecretLine) -> Line {
    let SecretLine { handle, .. } = secret;
    let text = match secret.event {
        SecretEvent::Stored => format!("stored the secret `{handle}`"),
        SecretEvent::Generated => format!("generated the secret `{handle}`"),
        SecretEvent::Deleted => format!("deleted the secret `{handle}`"),
        SecretEvent::HandedOver => format!("{} {}", person(secret.by.as_ref()), received(secret)),
    };
    Line { at: Some(secret.at), tone: "", text, notes: Vec::new() }
}

fn received(secret: &SecretLine) -> String {
    let way = secret.way.map(|way| format!(" ({way})")).unwrap_or_default();
    format!("received the secret `{}`{way}", secret.handle)
}

fn of_refusal(refusal: &RefusalLine) -> Line {
    let text = refusal.sentence();
    Line { at: Some(refusal.at), tone: "care", text, notes: Vec::new() }
}

fn of_end(end: &EndLine) -> Line {
    let how = if end.interrupted { "stopped" } else { "ended" };
    let reason = end.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let text = format!("the run {how}, and the tenant is {}{reason}", end.state);
    Line { at: Some(end.at), tone: "", text, notes: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn a_duration_is_shown_in_its_two_largest_units() {
        let table = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_050, "1.0 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min 0 s"),
            (3_599_999, "59 min 59 s"),
            (3_600_000, "1 h 0 min"),
            (200_000_000, "2 d 7 h"),
        ];
        for (ms, expect) in table {
            assert_eq!(duration(ms), expect);
        }
    }
}
