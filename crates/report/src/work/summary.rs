//! What was done, in sentences.

use flowswap_engine::{RequestOutcome, TenantState};
use jiff::Timestamp;

use super::{run::RunLine, statement::SecretEvent, tenant::WorkedTenant};
use crate::number::number;

/// Sentences about states, for one tenant and for several, and which states they are about.
type Sentence = (&'static str, &'static str, &'static [TenantState]);

const SENTENCES: [Sentence; 5] = {
    use TenantState as S;
    [
        (
            "uses the client-credential flow, and that is confirmed",
            "use the client-credential flow, and that is confirmed",
            &[S::Swapped, S::Retired, S::Finalized],
        ),
        ("was rolled back", "were rolled back", &[S::RolledBack]),
        ("failed or is stuck", "failed or are stuck", &[S::Failed, S::Stuck]),
        ("waits for a person or for time", "wait for a person or for time", &[S::Waiting, S::Soaking, S::RollingBack]),
        ("is not finished", "are not finished", &[S::Running]),
    ]
};

/// The sentences, the most important first. `range` is the time of the first record and of the last one.
pub(crate) fn summarize(
    runs: &[RunLine],
    tenants: &[WorkedTenant],
    range: Option<(Timestamp, Timestamp)>,
) -> Vec<String> {
    let (of_runs, of_tenants) = (number(runs.len(), "run", "runs"), number(tenants.len(), "tenant", "tenants"));
    let when = range.map(|(from, to)| format!(", from {from:.0} to {to:.0}")).unwrap_or_default();
    let mut sentences = vec![format!("This report is about {of_tenants} and {of_runs}{when}.")];
    for (one, many, states) in SENTENCES {
        let count = tenants.iter().filter(|tenant| states.contains(&tenant.state)).count();
        if count > 0 {
            let verb = if count == 1 { one } else { many };
            sentences.push(format!("{} {verb}.", number(count, "tenant", "tenants")));
        }
    }
    let count = |is_it: fn(&WorkedTenant) -> bool| tenants.iter().filter(|tenant| is_it(tenant)).count();
    let untouched = count(|tenant| matches!(tenant.state, TenantState::Planned | TenantState::Unplanned));
    let refused = count(|tenant| tenant.is_refused);
    for (verb, count) in [("Nothing was done for", untouched), ("The last run refused or skipped", refused)] {
        if count > 0 {
            sentences.push(format!("{verb} {}.", number(count, "tenant", "tenants")));
        }
    }
    let requests = tenants.iter().flat_map(|tenant| &tenant.attempts).flat_map(|attempt| &attempt.requests);
    let sent = requests.filter(|sent| !matches!(sent.outcome, Some(RequestOutcome::NotSent { .. }))).count();
    sentences.push(format!("flowswap sent {} to change something.", number(sent, "request", "requests")));
    let secrets = tenants.iter().flat_map(|tenant| &tenant.secrets);
    let received = secrets.filter(|secret| secret.event == SecretEvent::HandedOver).count();
    match received {
        0 => {}
        1 => sentences.push("A person received a secret.".to_owned()),
        several => sentences.push(format!("People received a secret {several} times.")),
    }
    sentences
}
