//! Whether the session reaches the org and may read all that the migration needs. Nothing is written.

use flowswap_contract::{Error, ErrorKind, Evidence, EvidenceResult, HttpAnswer, Intent};

use crate::{
    api::{Api, SERVICES, note, see},
    detect::ORGANIZATION,
};

/// One line for each thing; a refusal hides none of the others, and an org that does not answer is asked no further.
pub(crate) async fn check(api: &Api<'_>) -> Vec<Evidence> {
    let reads = [
        ("organization", "show its organization", api.ask_as_nobody(Intent::Read, "GET", ORGANIZATION)),
        ("list-apps", "list apps", api.ask(Intent::Read, "GET", "/api/v1/apps?limit=1")),
        ("list-integrations", "list API service integrations", api.ask(Intent::Read, "GET", SERVICES)),
        ("read-logs", "search the System Log", api.ask(Intent::Read, "GET", "/api/v1/logs?limit=1")),
    ];
    let mut evidence = Vec::with_capacity(reads.len());
    for (check, what, ask) in reads {
        let result = api.send(what, ask).await;
        let unreachable = matches!(&result, Err(error) if is_silence(error));
        evidence.push(judge(check, result));
        if unreachable {
            break;
        }
    }
    evidence
}

/// There was no answer at all. An answer of Okta, however bad, has a status.
fn is_silence(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Unavailable | ErrorKind::TimedOut) && !error.context.contains_key("status")
}

fn judge(check: &str, result: Result<HttpAnswer, Error>) -> Evidence {
    match result {
        Ok(answer) => see(check, EvidenceResult::Pass, format!("okta answered {}", answer.status), &answer),
        Err(error) => {
            let hint = error.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            let mut evidence = note(check, EvidenceResult::Fail, format!("{}{hint}", error.message));
            evidence.request_id = error.context.get("request_id").cloned();
            evidence
        }
    }
}
