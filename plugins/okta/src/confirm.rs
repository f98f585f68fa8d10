//! Confirms from Okta's own log that the directory uses the new client and has left the old one, whatever its screen says.

use flowswap_contract::{Error, ErrorKind, Evidence, EvidenceResult, HttpAnswer, StepParams};
use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{Api, note, see},
    plan::ConfirmPayload,
    read_payload,
    system_log::{Order, search},
    tokens::{Token, TokenLog},
};

/// A sync that ran when the connection was changed may still end as the legacy client.
const GRACE: SignedDuration = SignedDuration::from_mins(2);

/// Two of the directory's syncs, which come every five minutes (Cloud Identity Engine's manual).
const TWO_SYNCS: SignedDuration = SignedDuration::from_mins(10);

/// The org's limits were reached (Okta event types). A new client's first sync is the heaviest.
const LIMITS: [&str; 2] = ["system.org.rate_limit.violation", "core.concurrency.org.limit.violation"];

const APPS_READ: &str = "okta.apps.read";

/// Looks for what somebody but us did as either client since the swap.
pub(crate) async fn confirm(api: &Api<'_>, params: &StepParams) -> Result<Vec<Evidence>, Error> {
    let payload: ConfirmPayload = read_payload(params)?;
    let service_id = params.input("client_id")?;
    let since = params.input("swapped_at")?;
    let swapped_at: Timestamp = since
        .parse()
        .map_err(|_| Error::new(ErrorKind::Protocol, format!("`swapped_at` is no RFC 3339 time: {since}")))?;
    let (service, answer) = TokenLog::read(api, service_id, since).await?;
    let mut evidence = vec![judge_grant(&service, service_id, since, &answer)];
    let legacy = match &payload.legacy_client_id {
        None => {
            let detail = "the plan names no legacy client";
            evidence.push(note("legacy-silent", EvidenceResult::NotApplicable, detail));
            None
        }
        Some(id) => {
            let (log, answer) = TokenLog::read(api, id, since).await?;
            let first = service.find_first(api, None).await?;
            evidence.push(judge_silence(&log, id, first.as_ref(), swapped_at, &answer));
            Some((id.as_str(), log))
        }
    };
    evidence.push(judge_credentials(&service, service_id, legacy.as_ref(), since));
    evidence.push(judge_scopes(&service, payload.app_data));
    // Before the directory has come it cannot have reached a limit, and every look would cost as much again.
    if !service.granted.is_empty() {
        evidence.push(look_for_limits(api, since).await?);
    }
    Ok(evidence)
}

fn judge_grant(service: &TokenLog, id: &str, since: &str, answer: &HttpAnswer) -> Evidence {
    match service.granted.first() {
        Some(token) => {
            let detail = format!("{} got a token as {id} at {}", token.agent(), token.at);
            see("token-grant", EvidenceResult::Pass, detail, answer).by_event(token.id())
        }
        // Events arrive late, and the directory comes when it comes.
        None => {
            let detail = format!("nobody but flowswap got a token as {id} since {since} yet");
            see("token-grant", EvidenceResult::Inconclusive, detail, answer)
        }
    }
}

/// Whoever tested the new client and did not submit it, reconnected another directory, or chose the old flow again, goes
/// on as the legacy client.
fn judge_silence(
    legacy: &TokenLog,
    id: &str,
    first: Option<&Token>,
    swapped_at: Timestamp,
    answer: &HttpAnswer,
) -> Evidence {
    let check = "legacy-silent";
    let quiet_from = first.map_or(swapped_at, |token| token.at).max(swapped_at + GRACE);
    match (legacy.granted.first(), first) {
        (Some(token), _) if token.at > quiet_from => {
            let detail = format!(
                "{} got a token as the legacy client {id} at {}, later than {quiet_from}: something is still connected as it",
                token.agent(),
                token.at
            );
            see(check, EvidenceResult::Fail, detail, answer).by_event(token.id()).of_rule("legacy-still-active")
        }
        (_, Some(first)) => {
            let detail = format!("nobody got a token as the legacy client {id} since {}", first.at.max(swapped_at));
            see(check, EvidenceResult::Pass, detail, answer)
        }
        (_, None) => {
            let detail = format!("the legacy client {id} is silent, and so is the new client yet");
            see(check, EvidenceResult::Inconclusive, detail, answer)
        }
    }
}

/// A wrong secret is refused as the new client, the old id in the new form as the legacy client. Others may be refused as
/// the legacy client, too: that counts only while the new client is silent for longer than it is between syncs.
fn judge_credentials(service: &TokenLog, service_id: &str, legacy: Option<&(&str, TokenLog)>, since: &str) -> Evidence {
    let last = service.granted.first().map(|token| token.at);
    let as_service = service.refused_last().map(|token| (service_id, token));
    let as_legacy = legacy.and_then(|(id, log)| log.refused_last().map(|token| (*id, token)));
    let as_legacy = as_legacy.filter(|(_, token)| last.is_none_or(|last| token.at > last + TWO_SYNCS));
    match as_service.or(as_legacy) {
        Some((id, token)) => {
            let detail = format!(
                "{} was refused a token as {id} at {} ({}), and nobody got one as {service_id} since",
                token.agent(),
                token.at,
                token.reason()
            );
            let evidence = note("credentials", EvidenceResult::Fail, detail);
            evidence.by_event(token.id()).of_rule("credentials-refused")
        }
        None => {
            let detail = format!("nobody was refused a token since {since} without getting one as {service_id} later");
            note("credentials", EvidenceResult::Pass, detail)
        }
    }
}

fn judge_scopes(service: &TokenLog, app_data: bool) -> Evidence {
    let none = |detail: &str| note("scopes", EvidenceResult::NotApplicable, detail);
    if let Some(token) = service.granted.iter().find(|token| token.lacks(APPS_READ)) {
        let detail = format!(
            "the directory asks for {APPS_READ}, and the token of {} came without it: the box for enterprise applications is \
             ticked, and the client may not read them",
            token.at
        );
        return note("scopes", EvidenceResult::Fail, detail).by_event(token.id()).of_rule("app-data-lost");
    }
    if !app_data {
        return none("no enterprise applications are to be collected");
    }
    let shown: Vec<_> = service.granted.iter().filter_map(|token| Some((token, token.scopes()?))).collect();
    let Some((newest, _)) = shown.first() else { return none("the log does not show which scopes the tokens have") };
    match shown.iter().find(|(_, scopes)| scopes.contains(APPS_READ)) {
        Some((token, _)) => {
            let detail = format!("the token of {} has {APPS_READ}", token.at);
            note("scopes", EvidenceResult::Pass, detail).by_event(token.id())
        }
        None => {
            let detail = format!(
                "no token of the new client has {APPS_READ}, as seen of {} up to {}: enterprise applications are not \
                 collected any more",
                shown.len(),
                newest.at
            );
            note("scopes", EvidenceResult::Fail, detail).by_event(newest.id()).of_rule("app-data-lost")
        }
    }
}

/// Never a failure: whoever is limited comes again. But what is slow or incomplete is explained by it.
async fn look_for_limits(api: &Api<'_>, since: &str) -> Result<Evidence, Error> {
    let mut reached = Vec::new();
    for kind in LIMITS {
        let (events, _) = search(api, since, &format!("eventType eq \"{kind}\""), Order::NewestFirst).await?;
        reached.extend(
            events.into_iter().filter(|event| event.is_of(kind)).filter_map(|event| Some((event.at()?, event))),
        );
    }
    Ok(match reached.iter().max_by_key(|(at, _)| *at) {
        None => note("rate-limits", EvidenceResult::Pass, format!("the org reached no limit since {since}")),
        Some((at, event)) => {
            let detail = format!("the org reached its limits {} times since {since}, last at {at}", reached.len());
            note("rate-limits", EvidenceResult::Pass, detail).by_event(event.uuid.as_deref()).of_rule("rate-limited")
        }
    })
}
