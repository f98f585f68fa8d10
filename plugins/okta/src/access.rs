//! Checks that the session reaches the org and may read everything that the migration needs. Writes nothing.

use flowswap_contract::{Error, ErrorKind, Evidence, EvidenceResult, HttpAnswer, HttpAsk, Intent};

use crate::{
    api::{Api, SERVICES, decode, evidence_from},
    detect::{App, ORGANIZATION, Service, read_organization},
    service_app,
    system_log::{EVENT, Event},
};

/// Checks that an answer has the expected shape: a portal answers 200 to everything.
type Decode = fn(&str, &HttpAnswer) -> Result<(), Error>;

/// Returns evidence for each permission. A refusal does not stop the other checks; an org that does not answer does.
pub(crate) async fn check(api: &Api<'_>) -> Vec<Evidence> {
    let ask = |path: &str| api.ask(Intent::Read, "GET", path);
    let reads: [(&str, &str, HttpAsk, Decode); 4] = [
        (
            "organization",
            "show its organization",
            api.ask_unauthenticated(Intent::Read, "GET", ORGANIZATION),
            |what, answer| read_organization(what, answer).map(drop),
        ),
        ("list-apps", "list apps", ask("/api/v1/apps?limit=1"), |what, answer| {
            decode::<Vec<App>>(what, answer).map(drop)
        }),
        ("list-integrations", "list API service integrations", ask(SERVICES), |what, answer| {
            decode::<Vec<Service>>(what, answer).map(drop)
        }),
        ("read-logs", "search the System Log", ask("/api/v1/logs?limit=1").keeping(EVENT), |what, answer| {
            decode::<Vec<Event>>(what, answer).map(drop)
        }),
    ];
    let mut evidence = Vec::with_capacity(reads.len());
    for (check, what, ask, decode) in reads {
        let result = api.send(what, ask).await.and_then(|answer| decode(what, &answer).map(|()| answer));
        let unreachable = matches!(&result, Err(error) if got_no_answer(error));
        evidence.push(to_evidence(check, result));
        if unreachable {
            return evidence;
        }
    }
    if evidence.iter().all(|seen| seen.result == EvidenceResult::Pass) {
        evidence.extend(check_scopes(api).await);
    }
    evidence
}

/// The scopes that no check above needed, and the commands that need them. Only the first is needed to look.
const LATER_SCOPES: [(&str, &str); 3] = [
    ("okta.appGrants.read", "detect and plan"),
    ("okta.oauthIntegrations.manage", "apply and rollback"),
    ("okta.apps.manage", "finalize"),
];

/// Whether a service app has the scopes for what comes later. Gets a token for each, and shows it to a page that anybody may
/// read. `None` for an API token, which has no scopes.
async fn check_scopes(api: &Api<'_>) -> Option<Evidence> {
    let mut missing = Vec::new();
    for (scope, commands) in LATER_SCOPES {
        let ask = api.ask_with_scope(scope, ORGANIZATION)?;
        match api.send("show its organization", ask).await {
            Err(error) if error.kind == ErrorKind::Permission => missing.push((scope, commands)),
            Err(error) => return Some(to_evidence("scopes", Err(error))),
            Ok(_) => {}
        }
    }
    let [(first, _), ..] = missing[..] else {
        return Some(Evidence::new("scopes", EvidenceResult::Pass, "the service app has the scopes for every command"));
    };
    let can_look = first != LATER_SCOPES[0].0;
    let result = if can_look { EvidenceResult::Inconclusive } else { EvidenceResult::Fail };
    let lacks: Vec<_> = missing.iter().map(|(scope, commands)| format!("{scope}, which {commands} need")).collect();
    let scopes: Vec<_> = missing.iter().map(|(scope, _)| *scope).collect();
    let detail = format!("the service app lacks {}; {}", lacks.join(", and "), service_app::grant(&scopes.join(" ")));
    Some(Evidence::new("scopes", result, detail))
}

/// Whether no answer arrived. Every answer from Okta has a status, however bad it is.
fn got_no_answer(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Unreachable | ErrorKind::TimedOut)
        && !error.context.contains_key("status")
}

fn to_evidence(check: &str, result: Result<HttpAnswer, Error>) -> Evidence {
    match result {
        Ok(answer) => evidence_from(check, EvidenceResult::Pass, format!("okta answered {}", answer.status), &answer),
        Err(error) => {
            let hint = error.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            let mut evidence = Evidence::new(check, EvidenceResult::Fail, format!("{}{hint}", error.message));
            evidence.request_id = error.context.get("request_id").cloned();
            evidence
        }
    }
}
