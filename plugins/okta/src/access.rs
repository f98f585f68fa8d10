//! Whether the session reaches the org and may read all that the migration needs. Nothing is written.

use flowswap_contract::{Error, ErrorKind, Evidence, EvidenceResult, HttpAnswer, HttpAsk, Intent};

use crate::{
    api::{Api, SERVICES, decode, note, see},
    detect::{App, ORGANIZATION, Service, read_organization},
    system_log::Event,
};

/// Whether an answer has the shape of what was asked for. A portal answers 200 to everything.
type Decode = fn(&str, &HttpAnswer) -> Result<(), Error>;

/// One line for each thing; a refusal hides none of the others, and an org that does not answer is asked no further.
pub(crate) async fn check(api: &Api<'_>) -> Vec<Evidence> {
    let ask = |path: &str| api.ask(Intent::Read, "GET", path);
    let reads: [(&str, &str, HttpAsk, Decode); 4] = [
        (
            "organization",
            "show its organization",
            api.ask_as_nobody(Intent::Read, "GET", ORGANIZATION),
            |what, answer| read_organization(what, answer).map(drop),
        ),
        ("list-apps", "list apps", ask("/api/v1/apps?limit=1"), |what, answer| {
            decode::<Vec<App>>(what, answer).map(drop)
        }),
        ("list-integrations", "list API service integrations", ask(SERVICES), |what, answer| {
            decode::<Vec<Service>>(what, answer).map(drop)
        }),
        ("read-logs", "search the System Log", ask("/api/v1/logs?limit=1"), |what, answer| {
            decode::<Vec<Event>>(what, answer).map(drop)
        }),
    ];
    let mut evidence = Vec::with_capacity(reads.len());
    for (check, what, ask, decode) in reads {
        let result = api.send(what, ask).await.and_then(|answer| decode(what, &answer).map(|()| answer));
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
    matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Unreachable | ErrorKind::TimedOut)
        && !error.context.contains_key("status")
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
