//! Checks that the session reaches the org and may read everything that the migration needs. Writes nothing.

use flowswap_contract::{Error, ErrorKind, Evidence, EvidenceResult, HttpAnswer, HttpAsk, Intent, sdk::encode};
use serde::Deserialize;

use crate::{
    api::{Api, SERVICES, decode, evidence_from},
    apps::App,
    detect::{ORGANIZATION, Service, read_organization},
    roles, service_app,
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
        evidence.push(check_role(api).await);
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

/// The role that may do everything (Okta, "Standard administrator roles").
const SUPER: &str = "SUPER_ADMIN";

/// Whether the administrator has the role for what comes later. Okta names no role for creating an integration. But that grants its
/// scopes, and only a super administrator can grant scopes (Okta, "Implement OAuth for Okta").
async fn check_role(api: &Api<'_>) -> Evidence {
    let check = "role";
    let (roles, answer) = match read_roles(api).await {
        Ok(read) => read,
        Err(error) if roles::is_hidden(&error) => {
            let detail = format!(
                "flowswap cannot see the administrator's role ({}); apply and rollback need a super administrator",
                error.message
            );
            return Evidence::new(check, EvidenceResult::NotApplicable, detail);
        }
        Err(error) => return to_evidence(check, Err(error)),
    };
    if roles.iter().any(|role| role == SUPER) {
        return evidence_from(check, EvidenceResult::Pass, "flowswap acts as a super administrator", &answer);
    }
    let held = if roles.is_empty() { "no role".to_owned() } else { format!("only {}", roles.join(", ")) };
    let detail = format!(
        "the administrator has {held}; apply and rollback create and delete an integration, for which you need {SUPER}"
    );
    evidence_from(check, EvidenceResult::Inconclusive, detail, &answer)
}

/// The roles of the API token's owner, or of the service app.
async fn read_roles(api: &Api<'_>) -> Result<(Vec<String>, HttpAnswer), Error> {
    let path = match api.client_id() {
        Some(client_id) => format!("/oauth2/v1/clients/{}/roles", encode(client_id)),
        None => {
            let what = "show the owner of the API token";
            let ask = api.ask(Intent::Read, "GET", "/api/v1/users/me").keeping(&["/id"]);
            let me: Me = decode(what, &api.send(what, ask).await?)?;
            format!("/api/v1/users/{}/roles", encode(&me.id))
        }
    };
    roles::list(api, "list the administrator's roles", &path).await
}

#[derive(Deserialize)]
struct Me {
    id: String,
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
