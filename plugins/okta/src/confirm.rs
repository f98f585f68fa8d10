//! Confirms from Okta's own log that the directory uses the new client and has left the old one, whatever its screen says.
//!
//! Where the directory shows its connection, one token and silence are enough. Where nothing but the log speaks, silence is
//! none before the legacy client's last token is outlived, and one token may be that of a test that nobody submitted.

use flowswap_contract::{Error, Evidence, EvidenceResult, HttpAnswer, StepParams, TestReply};
use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{Api, note, read_time, see},
    plan::ConfirmPayload,
    read_payload,
    system_log::{Event, Order, search},
    tokens::{Token, TokenLog},
};

/// A sync that ran when the connection was changed may still end as the legacy client.
const GRACE: SignedDuration = SignedDuration::from_mins(2);

/// So far the clock by which a directory dates its swap may be apart from the org's: `finalize` refuses more.
pub(crate) const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// Two of the directory's syncs, which come every five minutes (Cloud Identity Engine's manual).
const TWO_SYNCS: SignedDuration = SignedDuration::from_mins(10);

/// Test Connection and what comes at once with it are one act; what comes so much later was another.
const APART: SignedDuration = SignedDuration::from_mins(1);

/// So far back the legacy client's last token is looked for: it counts also if it is older than the swap.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// The next sync brings the next token, of whichever client.
const A_SYNC_MS: u64 = 5 * 60 * 1000;

/// Limits were reached: the org's, a client's, or an operation's (Okta event types). A new client's first sync is the heaviest.
const LIMITS: [&str; 6] = [
    "system.org.rate_limit.violation",
    "core.concurrency.org.limit.violation",
    "system.client.rate_limit.violation",
    "system.client.concurrency_rate_limit.violation",
    "system.operation.rate_limit.violation",
    "app.oauth2.client_id_rate_limit_warning",
];

const APPS_READ: &str = "okta.apps.read";

/// Looks for what somebody but us did as either client since the swap.
pub(crate) async fn confirm(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let payload: ConfirmPayload = read_payload(params)?;
    let service_id = params.input("client_id")?;
    let begin = read_begin(params, payload.by_log_alone)?;
    let since = begin.to_string();
    let (mut service, answer) = TokenLog::read(api, service_id, &since).await?;
    if !payload.by_log_alone {
        // The very time is that of the connection test.
        service.granted.retain(|token| token.at > begin);
    }
    let legacy = match &payload.legacy_client_id {
        None => None,
        Some(id) => {
            let since = if payload.by_log_alone { (begin - A_DAY).to_string() } else { since.clone() };
            let (log, answer) = TokenLog::read(api, id, &since).await?;
            Some(Legacy { id, log, answer })
        }
    };
    let last = legacy.as_ref().and_then(|legacy| legacy.log.granted.first());
    let Some(now) = api.their_now() else {
        let detail = "okta's answers do not say its time (`Date`), so it cannot be told how long ago anything was";
        let evidence = vec![see("token-grant", EvidenceResult::Inconclusive, detail, &answer)];
        return Ok(TestReply { evidence, wait_ms: Some(A_SYNC_MS), ..TestReply::default() });
    };
    let newest = service.granted.first().into_iter().chain(last).map(|token| token.at);
    let now = newest.fold(now, Timestamp::max);
    let mut wait_ms = None;
    let (grant, silence) = if payload.by_log_alone {
        let silence = legacy.as_ref().map(|legacy| judge_outlived(legacy, &service, begin, now));
        wait_ms = silence.as_ref().and_then(|(_, wait_ms)| *wait_ms);
        let grant = judge_grants(&service, service_id, &since, last, &answer);
        (grant, silence.map(|(evidence, _)| evidence))
    } else {
        let first = service.find_first(api, Some(begin)).await?;
        let silence = legacy.as_ref().map(|legacy| judge_silence(legacy, &service, first.as_ref(), begin));
        (judge_grant(&service, service_id, &since, &answer), silence)
    };
    let grant = judge_recent(grant, &service, service_id, now);
    if grant.result == EvidenceResult::Inconclusive && (payload.by_log_alone || !service.granted.is_empty()) {
        wait_ms = Some(wait_ms.map_or(A_SYNC_MS, |wait_ms| wait_ms.min(A_SYNC_MS)));
    }
    let no_client = || note("legacy-silent", EvidenceResult::NotApplicable, "the plan names no legacy client");
    let mut evidence = vec![grant, silence.unwrap_or_else(no_client)];
    evidence.push(judge_credentials(&service, service_id, legacy.as_ref(), begin));
    evidence.push(judge_scopes(&service, payload.app_data));
    // Before the directory has come it cannot have reached a limit, and every look would cost as much again.
    if !service.granted.is_empty() {
        evidence.push(look_for_limits(api, &since).await?);
    }
    Ok(TestReply { evidence, wait_ms, ..TestReply::default() })
}

/// From when on tokens count, by the org's clock: the first of the swap where only the log shows it, else the end of the
/// connection test. Plans of earlier versions do not note the test, and their swap is dated by another clock, so what is close to
/// it does not count.
fn read_begin(params: &StepParams, by_log_alone: bool) -> Result<Timestamp, Error> {
    let (name, apart) = match (by_log_alone, params.inputs.contains_key("tested_at")) {
        (true, _) => ("swapped_at", SignedDuration::ZERO),
        (false, true) => ("tested_at", SignedDuration::ZERO),
        (false, false) => ("swapped_at", CLOCKS_APART),
    };
    Ok(read_time(name, params.input(name)?)? + apart)
}

/// Past use is not use: whoever lives on a token of the new client has got one within its lifetime.
fn judge_recent(grant: Evidence, service: &TokenLog, id: &str, now: Timestamp) -> Evidence {
    match service.granted.first() {
        Some(newest) if grant.result == EvidenceResult::Pass && newest.outlived_at() < now => {
            let detail = format!(
                "{} got its last token as {id} at {}; a token lives an hour, and by the org's clock it is {now}: the client is silent \
                 now, so a new token is awaited",
                newest.agent(),
                newest.at
            );
            Evidence { result: EvidenceResult::Inconclusive, detail, ..grant }
        }
        _ => grant,
    }
}

/// What the log shows of the legacy client.
struct Legacy<'a> {
    id: &'a str,
    log: TokenLog,
    answer: HttpAnswer,
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

/// Test Connection gets one token, and a sync another: two since the legacy client's last one.
fn judge_grants(
    service: &TokenLog,
    id: &str,
    since: &str,
    legacy_last: Option<&Token>,
    answer: &HttpAnswer,
) -> Evidence {
    let check = "token-grant";
    let own: Vec<_> =
        service.granted.iter().filter(|token| legacy_last.is_none_or(|last| token.at > last.at)).collect();
    match own.as_slice() {
        [newest, .., oldest] if newest.at.duration_since(oldest.at) >= APART => {
            let detail = format!("{} got tokens as {id} at {} and at {}", newest.agent(), oldest.at, newest.at);
            see(check, EvidenceResult::Pass, detail, answer).by_event(newest.id())
        }
        [newest, ..] => {
            let detail = format!(
                "{} got a token as {id} at {}; a test alone gets one, so another is awaited, a minute or more apart",
                newest.agent(),
                newest.at
            );
            see(check, EvidenceResult::Inconclusive, detail, answer).by_event(newest.id())
        }
        [] => {
            let since = legacy_last.map_or(since.to_owned(), |last| last.at.to_string());
            let detail = format!("nobody but flowswap got a token as {id} since {since} yet");
            see(check, EvidenceResult::Inconclusive, detail, answer)
        }
    }
}

/// The legacy client's last token decides, whenever it was: somebody who submits late is late and not wrong. Milliseconds
/// to wait come with it where it is not outlived yet.
fn judge_outlived(
    legacy: &Legacy<'_>,
    service: &TokenLog,
    swapped_at: Timestamp,
    now: Timestamp,
) -> (Evidence, Option<u64>) {
    let id = legacy.id;
    let see = |result, detail: String| see("legacy-silent", result, detail, &legacy.answer);
    let newest = service.granted.first().map_or(swapped_at, |token| token.at);
    let Some(last) = legacy.log.granted.first() else {
        let since = swapped_at - A_DAY;
        return (
            see(EvidenceResult::Pass, format!("nobody got a token as the legacy client {id} since {since}")),
            None,
        );
    };
    let (agent, outlived_at) = (last.agent(), last.outlived_at());
    if last.at > newest + GRACE {
        let detail = format!(
            "{agent} got a token as the legacy client {id} at {}, later than the newest of the new client at {newest}: \
             something is still connected as it",
            last.at
        );
        let evidence = see(EvidenceResult::Fail, detail).by_event(last.id());
        return (evidence.of_rule("legacy-still-active"), None);
    }
    let detail = format!("{agent} got its last token as the legacy client {id} at {}", last.at);
    if now < outlived_at {
        let detail = format!(
            "{detail}; an access token lives an hour: until {outlived_at} the directory may still go on by the old one"
        );
        let wait_ms = u64::try_from(outlived_at.duration_since(now).as_millis()).unwrap_or(0);
        return (see(EvidenceResult::Inconclusive, detail).by_event(last.id()), Some(wait_ms));
    }
    (see(EvidenceResult::Pass, format!("{detail}, and it is outlived since {outlived_at}")), None)
}

/// Whoever tested the new client and did not submit it, reconnected another directory, or chose the old flow again, goes
/// on as the legacy client. Who did so once, and has let the new client alone at work since, does not any more.
fn judge_silence(legacy: &Legacy<'_>, service: &TokenLog, first: Option<&Token>, swapped_at: Timestamp) -> Evidence {
    let (check, id, answer) = ("legacy-silent", legacy.id, &legacy.answer);
    let quiet_from = first.map_or(swapped_at, |token| token.at).max(swapped_at + GRACE);
    match (legacy.log.granted.first(), first) {
        (Some(token), _)
            if token.at > quiet_from
                && service.granted.first().is_none_or(|newest| newest.at < token.unused_from()) =>
        {
            let detail = format!(
                "{} got a token as the legacy client {id} at {}, later than {quiet_from}: something is connected as it",
                token.agent(),
                token.at
            );
            see(check, EvidenceResult::Fail, detail, answer).by_event(token.id()).of_rule("legacy-still-active")
        }
        (last, Some(first)) => {
            let since = last.map_or(first.at, |last| last.at.max(first.at)).max(swapped_at);
            let detail = format!("nobody got a token as the legacy client {id} since {since}");
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
fn judge_credentials(
    service: &TokenLog,
    service_id: &str,
    legacy: Option<&Legacy<'_>>,
    swapped_at: Timestamp,
) -> Evidence {
    let last = service.granted.first().map(|token| token.at);
    let as_service = service.refused_last().map(|token| (service_id, token));
    let as_legacy = legacy.and_then(|legacy| Some((legacy.id, legacy.log.refused_last()?)));
    let as_legacy = as_legacy.filter(|(_, token)| token.at >= swapped_at);
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
            let detail =
                format!("nobody was refused a token since {swapped_at} without getting one as {service_id} later");
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
    let kinds: Vec<_> = LIMITS.iter().map(|kind| format!("eventType eq \"{kind}\"")).collect();
    let (events, _) = search(api, since, &kinds.join(" or "), Order::NewestFirst).await?;
    let is_limit = |event: &Event| LIMITS.iter().any(|kind| event.is_of(kind));
    let reached: Vec<_> = events.into_iter().filter(is_limit).filter_map(|event| Some((event.at()?, event))).collect();
    Ok(match reached.iter().max_by_key(|(at, _)| *at) {
        None => note("rate-limits", EvidenceResult::Pass, format!("no rate limit was reached since {since}")),
        Some((at, event)) => {
            let detail = format!("rate limits were reached {} times since {since}, last at {at}", reached.len());
            note("rate-limits", EvidenceResult::Pass, detail).by_event(event.uuid.as_deref()).of_rule("rate-limited")
        }
    })
}
